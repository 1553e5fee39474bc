import os
from contextlib import asynccontextmanager

from fastapi import FastAPI

from veo_async import Generation, TextToVideo, VeoClient
from veo_async.callbacks import Callbacks

callbacks = Callbacks(os.environ["PUBLIC_URL"] + "/veo/callbacks", os.environ["CALLBACK_SECRET"])
veo = VeoClient(callbacks=callbacks)


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with veo:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/veo/callbacks", callbacks)


@app.post("/videos")
async def submit(prompt: str) -> str:
    return (await veo.submit(TextToVideo(prompt=prompt))).id


@app.get("/videos/{task_id}")
async def result(task_id: str) -> Generation:
    return await veo.wait(task_id, timeout=600)
