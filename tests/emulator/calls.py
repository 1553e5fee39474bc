"""The tests' client of the emulator, over its in-process transport, as a user's client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from veo_async.emulator import Emulator, Fault, VideoFormat

TINY = VideoFormat(seconds=0.25, fps=8, short_side=48)
TEXT = {"action": "text2video", "prompt": "A coffee mug"}
ASYNC = {**TEXT, "async": True}


@dataclass
class Caller:
    """An emulator and a client of it."""

    emulator: Emulator
    http: httpx.AsyncClient

    async def submit(self, **fields: Any) -> httpx.Response:
        return await self.http.post("/veo/videos", json={**TEXT, **fields})

    async def tasks(self, **fields: Any) -> httpx.Response:
        return await self.http.post("/veo/tasks", json=fields)

    async def task_id(self, **fields: Any) -> str:
        """Submit without waiting."""
        response = await self.submit(**{"async": True, **fields})
        return str(response.json()["task_id"])

    async def record(self, task_id: str) -> Any:
        return (await self.tasks(action="retrieve", id=task_id)).json()

    def fault(self, effect: Any, **rule: Any) -> None:
        self.emulator.faults.add(Fault(effect=effect, **rule))


@asynccontextmanager
async def calling(*, timeout: Any = None, **options: Any) -> AsyncIterator[Caller]:
    """An emulator with these options, and a client in the same process."""
    async with (
        Emulator(**{"video": TINY, **options}) as emulator,
        httpx.AsyncClient(
            transport=emulator.transport(),
            base_url=emulator.base_url,
            headers={"authorization": "Bearer any"},
            timeout=timeout,
        ) as http,
    ):
        yield Caller(emulator, http)


async def finished(caller: Caller, **fields: Any) -> tuple[str, Any]:
    """The URL of a finished video, and its entry."""
    video = (await caller.submit(**fields)).json()["data"][0]
    return str(video["video_url"]), video


def error_of(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of a refusal."""
    return response.status_code, response.json()["error"]["code"]
