"""The vendor's SDK from PyPI, as its documentation shows it: ``async``, then ``tasks.wait``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from acedatacloud import AsyncAceDataCloud

from . import TOKEN, Job, Make

PATIENCE = 3600.0
"""Seconds that it may wait for one video: its own 600 are too few for many at once."""


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Make]:
    """Open the SDK as it comes."""
    async with AsyncAceDataCloud(TOKEN, base_url=job.base_url) as client:

        async def make(prompt: str) -> str:
            answer = await client.veo.generate(
                action="text2video", prompt=prompt, model="veo3-fast", async_=True
            )
            task_id = str(answer["task_id"])
            await client.tasks.wait(
                task_id, service="veo", poll_interval=job.interval, max_wait=PATIENCE
            )
            return task_id

        yield make
