"""What is measured: each contender makes so many videos, and tells when each caller was told."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from veo_async import PollPolicy, VeoClient

CONNECTIONS = 8
"""As many as the library opens by default, and where httpx's pool is still cheap."""

HEADERS = {"authorization": "Bearer any-token"}

Make = Callable[[str], Awaitable[str]]
"""Makes the video of a prompt, or only submits it; gives the task's id."""


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        base_url: where the service is.
        videos: how many to make.
        first: the library's `PollPolicy.first`; its default unless given.
    """

    base_url: str
    videos: int
    first: float | None = None


@dataclass(frozen=True)
class Done:
    """What it took. Moments are ``time.monotonic()``.

    Attributes:
        cpu: seconds of this process, from ``started`` to ``ended``.
        started, ended: the first call, and the last answer.
        told: when the caller was told of each task.
    """

    cpu: float
    started: float
    ended: float
    told: dict[str, float]


@dataclass(frozen=True)
class Contender:
    """One way to do the job.

    Attributes:
        name: as the table shows it.
        opened: makes the client, and gives what makes one video with it.
        at_once: how many calls are made at once; ``None`` calls for all videos at once.
        waits: whether a call lasts until the video is finished.
    """

    name: str
    opened: Callable[[Job], AbstractAsyncContextManager[Make]]
    at_once: int | None
    waits: bool


def body_of(prompt: str) -> dict[str, Any]:
    """Write what the library sends for the same prompt."""
    return {"action": "text2video", "prompt": prompt, "model": "veo3-fast", "async": True}


@asynccontextmanager
async def library(job: Job, transport: httpx.AsyncBaseTransport | None) -> AsyncIterator[Make]:
    """Open this library."""
    poll = PollPolicy() if job.first is None else PollPolicy(first=job.first)
    async with VeoClient("any-token", base_url=job.base_url, transport=transport, poll=poll) as veo:

        async def make(prompt: str) -> str:
            return (await veo.text2video(prompt)).task_id or ""

        yield make


@asynccontextmanager
async def bare_httpx(job: Job) -> AsyncIterator[Make]:
    """Open httpx as it comes, with a pool of eight."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(headers=HEADERS, limits=limits) as client:
        url = f"{job.base_url}/veo/videos"

        async def make(prompt: str) -> str:
            response = await client.post(url, json=body_of(prompt))
            return str(response.raise_for_status().json()["task_id"])

        yield make


@asynccontextmanager
async def bare_aiohttp(job: Job) -> AsyncIterator[Make]:
    """Open aiohttp as it comes, with a pool of eight."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:
        url = f"{job.base_url}/veo/videos"

        async def make(prompt: str) -> str:
            async with session.post(url, json=body_of(prompt)) as response:
                response.raise_for_status()
                return str((await response.json())["task_id"])

        yield make


CONTENDERS = (
    Contender("httpx, bare POST", bare_httpx, at_once=CONNECTIONS, waits=False),
    Contender("aiohttp, bare POST", bare_aiohttp, at_once=CONNECTIONS, waits=False),
    Contender("veo_async", lambda job: library(job, None), at_once=None, waits=True),
    Contender(
        "veo_async, AiohttpTransport",
        lambda job: library(job, AiohttpTransport()),
        at_once=None,
        waits=True,
    ),
)
"""All of them; the first is what the others are compared with."""


def perform(number: int, job: Job) -> Done:
    """Let the contender of that number do the job, in a process that does nothing else."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    return asyncio.run(_perform(CONTENDERS[number], job))


async def _warm(job: Job) -> None:
    # Both libraries import parts of themselves at their first call. The service has nothing under
    # this path, and counts it as none of the calls to the API.
    async with httpx.AsyncClient() as client, aiohttp.ClientSession() as session:
        await client.get(job.base_url)
        async with session.get(job.base_url) as response:
            await response.read()


async def _perform(contender: Contender, job: Job) -> Done:
    await _warm(job)
    told: dict[str, float] = {}
    prompts = iter([f"video {number}" for number in range(job.videos)])
    async with contender.opened(job) as make:
        started, cpu = time.monotonic(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(contender.at_once or job.videos):
                group.create_task(_work(make, prompts, told))
        return Done(time.process_time() - cpu, started, time.monotonic(), told)


async def _work(make: Make, prompts: Iterator[str], told: dict[str, float]) -> None:
    for prompt in prompts:
        task_id = await make(prompt)
        told[task_id] = time.monotonic()
