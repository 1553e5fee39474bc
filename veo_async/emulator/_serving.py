"""The emulator on a port, by uvicorn."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ._background import Background
from ._exchange import ConnectionCut

GRACE = 1
"""Seconds for open calls when the server stops."""


class _Lines:
    """The open connections by the caller's address, so that a fault can cut one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._calls = Background()
        self._transports: dict[object, asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """The protocol of uvicorn, reporting here."""
        transports = self._transports

        class Reporting(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                transports.pop(self.client, None)
                super().connection_lost(exc)

        return Reporting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # In a task of its own, which ends with the service and not with the connection.
        call = self._calls.start(self._run(scope, receive, send))
        try:
            await call
        except ConnectionCut as cut:
            if cut.refusal is None or not cut.refusal.silent:
                self._cut(scope["client"], reset=cut.reset)
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            self._cut(scope["client"], reset=False)
            await receive()

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def aclose(self) -> None:
        """End the open calls; their callers see the connection end."""
        await self._calls.aclose()

    def _cut(self, client: object, *, reset: bool) -> None:
        transport = self._transports.get(client)
        if transport is None:
            return
        if reset:
            # No lingering: what follows is a reset, not an orderly end.
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
            transport.abort()
        else:
            transport.close()


def bound(host: str, port: int) -> socket.socket:
    """A listening address; port 0 picks a free one.

    Raises:
        OSError: the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # Inherited by each connection. Else the two writes of an answer wait for each other's
    # acknowledgement: 40 ms, which no real service takes.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """How a caller on this machine reaches it."""
    name, port = listener.getsockname()[:2]
    host = ip_address(name)
    if host.is_unspecified:
        host = ip_address("127.0.0.1" if host.version == 4 else "::1")
    return f"http://[{host}]:{port}" if host.version == 6 else f"http://{host}:{port}"


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve until the block ends."""
    lines = _Lines(app)
    config = uvicorn.Config(
        lines,
        http=lines.protocol(),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # they would change the address by which a line is found
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)
    config.load()
    # Its own `serve` would take the signals from the program that this runs in.
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    loop = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        server.should_exit = True
        await loop
        await lines.aclose()
        await server.shutdown(sockets=[listener])
