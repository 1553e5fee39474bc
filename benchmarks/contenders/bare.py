"""Bare POST loops: the price of HTTP itself. They wait for no video."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx

from . import CONNECTIONS, HEADERS, Job, Make, body_of


@asynccontextmanager
async def with_httpx(job: Job) -> AsyncIterator[Make]:
    """Open httpx as it comes, with a pool of eight."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(headers=HEADERS, limits=limits) as client:
        url = f"{job.base_url}/veo/videos"

        async def make(prompt: str) -> str:
            response = await client.post(url, json=body_of(prompt))
            return str(response.raise_for_status().json()["task_id"])

        yield make


@asynccontextmanager
async def with_aiohttp(job: Job) -> AsyncIterator[Make]:
    """Open aiohttp as it comes, with a pool of eight."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:
        url = f"{job.base_url}/veo/videos"

        async def make(prompt: str) -> str:
            async with session.post(url, json=body_of(prompt)) as response:
                response.raise_for_status()
                return str((await response.json())["task_id"])

        yield make
