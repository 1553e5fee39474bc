"""The emulator on a port, served by uvicorn."""

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
"""Seconds that open calls have when the server stops."""


class _Connections:
    """The open connections by the caller's address, so that a fault can close one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._calls = Background()
        self._transports: dict[object, asyncio.Transport] = {}

    def protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's protocol, which registers its connections here."""
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
        # In a task of its own, which ends with the service, not with the connection.
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
        """End the open calls; their connections are closed."""
        await self._calls.aclose()

    def _cut(self, client: object, *, reset: bool) -> None:
        transport = self._transports.get(client)
        if transport is None:
            return
        if reset:
            # Without lingering, a close is a reset instead of an orderly end.
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
            transport.abort()
        else:
            transport.close()


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one.

    Raises:
        OSError: the address is in use or does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # Each connection inherits it. Otherwise the second write of an answer waits for the
    # acknowledgement of the first: 40 ms, which a real service does not take.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def url_of(listener: socket.socket) -> str:
    """The base URL for callers on this machine."""
    name, port = listener.getsockname()[:2]
    host = ip_address(name)
    if host.is_unspecified:
        host = ip_address("127.0.0.1" if host.version == 4 else "::1")
    return f"http://[{host}]:{port}" if host.version == 6 else f"http://{host}:{port}"


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve until the block ends."""
    connections = _Connections(app)
    config = uvicorn.Config(
        connections,
        http=connections.protocol(),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # they would change the address by which a connection is found
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = uvicorn.Server(config)
    config.load()
    # `Server.serve` would replace the signal handlers of the program that this runs in.
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    loop = asyncio.create_task(server.main_loop())
    try:
        yield
    finally:
        server.should_exit = True
        await loop
        await connections.aclose()
        await server.shutdown(sockets=[listener])
