"""An ASGI app on a port, by uvicorn, which unknown and slow senders may reach."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ._asgi import DEADLINE

LIFETIME = 2 * DEADLINE
"""Seconds that a connection lasts at most: one delivery, head and body, and its answer. uvicorn
itself waits forever for the first head."""

GRACE = 1
"""Seconds for open deliveries when the server stops."""

MAX_HEAD = 16 * 2**10
"""Bytes of a request's head that are read."""


class _ShortLived(H11Protocol):
    """A connection that is closed after its lifetime."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end = self.loop.call_later(LIFETIME, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


@asynccontextmanager
async def serving(app: Any, host: str, port: int) -> AsyncIterator[str]:
    """Serve until the block ends; yields the local base URL.

    Raises:
        OSError: the address is taken, or is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    config = uvicorn.Config(
        app,
        http=_ShortLived,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # the tokens are in the paths
        proxy_headers=False,
        server_header=False,
        headers=[("connection", "close")],  # a connection is one delivery
        h11_max_incomplete_event_size=MAX_HEAD,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)
    config.load()
    # uvicorn's own `serve` would take over the signals of the program.
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    loop = asyncio.create_task(server.main_loop())
    try:
        yield _url_of(listener)
    finally:
        server.should_exit = True
        await loop
        await server.shutdown(sockets=[listener])


def _url_of(listener: socket.socket) -> str:
    name, port = listener.getsockname()[:2]
    host = ip_address(name)
    if host.is_unspecified:
        host = ip_address("127.0.0.1" if host.version == 4 else "::1")
    return f"http://[{host}]:{port}" if host.version == 6 else f"http://{host}:{port}"
