"""One of several equal processes behind one public URL, with Starlette.

The service calls any of them. The one that did not submit the video hands the delivery over: here
to the others' inboxes, which may be a Redis channel or Postgres's NOTIFY in your application.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from veo_async import VeoClient, VeoError
from veo_async.callbacks import Callbacks

PUBLIC_URL = "https://app.example/veo/callbacks"

Inbox = Callable[[str, bytes], bool]


def application(secret: str, inboxes: list[Inbox], **options: Any) -> Starlette:
    """One process; ``options`` are the client's."""

    async def hand_over(token: str, body: bytes) -> bool:
        return any(inbox(token, body) for inbox in inboxes)

    callbacks = Callbacks(PUBLIC_URL, secret, on_unknown=hand_over)
    inboxes.append(callbacks.hand_over)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with VeoClient(callbacks=callbacks, **options) as app.state.veo:
            yield

    async def video(request: Request) -> Response:
        veo: VeoClient = request.app.state.veo
        try:
            result = await veo.text2video(request.query_params["prompt"])
        except VeoError as error:
            return JSONResponse({"error": str(error)}, status_code=502)
        return Response(result.model_dump_json(), media_type="application/json")

    routes = [Route("/video", video, methods=["POST"]), Mount("/veo/callbacks", callbacks)]
    return Starlette(routes=routes, lifespan=lifespan)
