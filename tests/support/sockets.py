"""A TCP server that does exactly what a script says, and counts what it has read.

It speaks through bare sockets, so that nothing is read from a connection before the script asks
for it: the law of money is about what the other side has read.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, create_server, socket
from typing import Any, NoReturn

import anyio
import pytest
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

CA = Path(__file__).with_name("loopback-ca.pem")
"""Who signed the certificate of these tests: for 127.0.0.1, localhost, api.example and
cdn.example, with a key that is public and protects nothing."""


def server_tls() -> ssl.SSLContext:
    """What a server needs to speak TLS as this machine."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(__file__).with_name("loopback.pem"))
    return context


def client_tls() -> ssl.SSLContext:
    """What a client needs to trust that server."""
    return ssl.create_default_context(cafile=CA)


@dataclass(frozen=True)
class Request:
    """A request that was read to its end. Names of headers are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class _Plain(ByteStream):
    """A bare socket as a byte stream."""

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data = await self._loop.sock_recv(self._sock, max_bytes)
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        await self._loop.sock_sendall(self._sock, item)

    async def send_eof(self) -> None:
        self._sock.shutdown(SHUT_WR)

    async def aclose(self) -> None:
        self._sock.close()


class Line:
    """The server's end of one connection: what a script speaks through."""

    def __init__(self, sock: socket, server: Server) -> None:
        self._sock = sock
        self._stream: ByteStream = _Plain(sock)
        self._read = b""
        self._server = server

    async def start_tls(self) -> None:
        """Shake hands; what is read from then on is what was encrypted."""
        self._stream = await TLSStream.wrap(
            self._stream, server_side=True, ssl_context=server_tls(), standard_compatible=False
        )

    async def exactly(self, count: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._read) < count:
            await self._more(count - len(self._read))
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    async def head(self) -> Request:
        """The request line and the headers; the body is not read."""
        while b"\r\n\r\n" not in self._read:
            await self._more(1)
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(": ") for line in lines)
        return Request(method, target, {name.lower(): value for name, _, value in pairs}, b"")

    async def request(self) -> Request:
        """A whole request, which counts among the server's."""
        head = await self.head()
        body = await self.exactly(int(head.headers.get("content-length", 0)))
        request = Request(head.method, head.target, head.headers, body)
        self._server.requests.append(request)
        return request

    async def _more(self, most: int) -> None:
        data = await self._stream.receive(most)
        self._server.bytes_read += len(data)
        self._read += data

    async def say(self, data: bytes | str) -> None:
        """Write this."""
        await self._stream.send(data.encode() if isinstance(data, str) else data)

    async def answer(self, body: bytes = b"{}", *, status: str = "200 OK", more: str = "") -> None:
        """Write a whole answer, with ``more`` lines of headers."""
        length = f"content-length: {len(body)}\r\n"
        await self.say(f"HTTP/1.1 {status}\r\n{length}{more}\r\n".encode() + body)

    async def rest(self) -> None:
        """Read until the other side closes."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, ConnectionError):
            while True:
                await self._stream.receive()

    async def hang(self) -> NoReturn:
        """Do nothing any more, until the server is closed; see `Server.on_hang`."""
        self._server.on_hang()
        await anyio.sleep_forever()
        raise AssertionError

    async def relay(self, host: str, port: int) -> None:
        """Pass on what comes from either side to the other, as a tunnel does."""
        async with await anyio.connect_tcp(host, port) as far, anyio.create_task_group() as group:
            group.start_soon(_pump, self._stream, far)
            group.start_soon(_pump, far, self._stream)

    def reset(self) -> None:
        """Close with a TCP reset."""
        self._sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    async def close(self) -> None:
        """Close, without a word of goodbye."""
        await self._stream.aclose()


async def _pump(near: ByteStream, far: ByteStream) -> None:
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
        async for data in near:
            await far.send(data)
    with suppress(OSError, anyio.ClosedResourceError):
        await far.send_eof()


Script = Callable[[Line], Awaitable[Any]]
"""What to do with one connection; it is closed afterwards."""


@dataclass
class Server:
    """A server that listens on this machine.

    Attributes:
        port: where.
        connections: how many were accepted.
        bytes_read: how many bytes of requests were read, in all.
        requests: those that were read to their end.
        on_hang: what happens when a script hangs, such as that time passes.
    """

    port: int
    connections: int = 0
    bytes_read: int = 0
    requests: list[Request] = field(default_factory=list)
    on_hang: Callable[[], object] = lambda: None

    @property
    def url(self) -> str:
        """Its address, without TLS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """Its address, with TLS."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def posts(self) -> int:
        """How many submits were read to their end."""
        return sum(r.method == "POST" and r.target == "/veo/videos" for r in self.requests)


class Clock:
    """The running loop's time, which can be made to skip ahead: timeouts on real sockets without
    waiting for them, however slow the machine is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        loop = asyncio.get_running_loop()
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self._ahead)

    def skip(self, seconds: float) -> None:
        """So many seconds have passed."""
        self._ahead += seconds


@asynccontextmanager
async def serve(*scripts: Script, backlog: int = 100) -> AsyncIterator[Server]:
    """Serve, one connection by each script, all further ones by the last one.

    Without scripts nothing is accepted: connections are opened by the system, as many as
    ``backlog`` lets it.
    """
    with create_server(("127.0.0.1", 0), backlog=backlog) as listener:
        listener.setblocking(False)
        server = Server(listener.getsockname()[1])
        serving = asyncio.create_task(_accept(listener, server, scripts))
        try:
            yield server
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


async def _accept(listener: socket, server: Server, scripts: tuple[Script, ...]) -> None:
    async with anyio.create_task_group() as group:
        while scripts:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            script = scripts[min(server.connections, len(scripts) - 1)]
            server.connections += 1
            group.start_soon(_run, script, Line(sock, server))


async def _run(script: Script, line: Line) -> None:
    try:
        # The client may leave, as it likes.
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, OSError):
            await script(line)
    finally:
        with anyio.CancelScope(shield=True), suppress(OSError, anyio.BrokenResourceError):
            await line.close()
