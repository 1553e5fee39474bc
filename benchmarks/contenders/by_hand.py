"""The floor: what a careful author writes by hand for one program, and not a line more.

One session with 32 connections, one POST a video, and every three seconds a ``retrieve_batch`` of
50 ids for all that still wait. No types, no errors, no retries: whatever goes wrong is lost.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from . import HEADERS, Job, Make, body_of

CONNECTIONS = 32
BATCH = 50


class ByHand:
    """The session and all that wait."""

    def __init__(self, session: aiohttp.ClientSession, job: Job) -> None:
        self._session = session
        self._job = job
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def make(self, prompt: str) -> str:
        """Submit, and wait."""
        task_id = str((await self._post("/veo/videos", body_of(prompt)))["task_id"])
        over = self._waiting[task_id] = asyncio.get_running_loop().create_future()
        await over
        return task_id

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        async with self._session.post(self._job.base_url + path, json=body) as response:
            return json.loads(await response.read())

    async def look(self) -> None:
        """Ask for all that wait, again and again."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self._job.interval, loop.time())
            await asyncio.sleep(due - loop.time())
            ids = list(self._waiting)
            batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
            await asyncio.gather(*map(self._ask, batches))

    async def _ask(self, ids: list[str]) -> None:
        body = {"action": "retrieve_batch", "ids": ids, "limit": BATCH}
        for item in (await self._post("/veo/tasks", body))["items"]:
            if item.get("response"):
                self._waiting.pop(item["id"]).set_result(None)


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Make]:
    """Open the session, and look until it is closed."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:
        by_hand = ByHand(session, job)
        looking = asyncio.create_task(by_hand.look())
        yield by_hand.make
        looking.cancel()
