"""This library, with each of its transports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from veo_async import PollPolicy, VeoClient

from . import TOKEN, Job, Make


@asynccontextmanager
async def default(
    job: Job, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Make]:
    """Open the library as it comes."""
    poll = PollPolicy() if job.first is None else PollPolicy(first_delay=job.first)
    async with VeoClient(TOKEN, base_url=job.base_url, transport=transport, poll=poll) as veo:

        async def make(prompt: str) -> str:
            return (await veo.text2video(prompt)).task_id or ""

        yield make


@asynccontextmanager
async def with_aiohttp(job: Job) -> AsyncIterator[Make]:
    """Open the library with the faster transport."""
    from httpx_aiohttp import AiohttpTransport  # the default must not pay for it

    async with default(job, AiohttpTransport()) as make:
        yield make
