"""The service without a process or a socket, for measurements on the virtual event loop."""

from __future__ import annotations

import asyncio

import httpx

from .backend import Backend

BASE_URL = "http://127.0.0.1:1"


class InProcess(httpx.AsyncBaseTransport):
    """Answers from a backend, on the event loop's own clock, after a moment."""

    failure_family = "httpx"

    def __init__(self, backend: Backend, *, takes: float = 0.001) -> None:
        self._backend = backend
        self._takes = takes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        await asyncio.sleep(self._takes)
        now = asyncio.get_running_loop().time()
        status, body = self._backend.answer(request.url.path, await request.aread(), now)
        return httpx.Response(
            status, headers={"content-type": "application/json"}, stream=httpx.ByteStream(body)
        )
