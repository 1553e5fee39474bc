"""The emulator inside the process, as an httpx transport that behaves like a connection.

The app runs in a task of its own, in an empty context, and goes on when the caller goes away: that
is how a lost answer looks. Bodies are streamed through bounded buffers, httpx's timeouts hold on
the run's own clock, and a cut connection raises what a socket's client raises.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, cast

import anyio
import httpx
from starlette.types import ASGIApp, Message, Scope

from ._background import Background
from ._exchange import ConnectionCut
from ._pipe import Pipe

if TYPE_CHECKING:
    from ._effects import Refuse

logger = logging.getLogger("veo_async.emulator")


class EmulatorTransport(httpx.AsyncBaseTransport):
    """Made by `Emulator.transport`.

    Attributes:
        failure_family: its exceptions mean what httpcore's mean: `httpx.ConnectError`,
            `httpx.ConnectTimeout` and `httpx.PoolTimeout` say that no byte was sent.
    """

    failure_family = "httpx"

    def __init__(self, app: ASGIApp, background: Background) -> None:
        self._app = app
        self._background = background
        self._open: set[_Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection = _Connection(request)
        self._open.add(connection)
        _ = self._background.start(connection.run(self._app))
        try:
            return await connection.exchange(lambda: self._open.discard(connection))
        except BaseException:
            connection.hang_up()
            self._open.discard(connection)
            raise

    async def aclose(self) -> None:
        """Hang up: the service sees its callers go, and goes on."""
        for connection in self._open:
            connection.hang_up()
        self._open.clear()


class _Connection:
    """One call: the caller's end (`exchange`) and the app's end (`run`)."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request
        self._timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        self._up, self._down = Pipe(), Pipe()
        self._head: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()
        self._body_read = False

    # The caller's end.

    async def exchange(self, done: Callable[[], None]) -> httpx.Response:
        await self._upload()
        try:
            with anyio.fail_after(self._timeouts.get("read")):
                head = await self._head
        except TimeoutError as exc:
            raise httpx.ReadTimeout("the emulator did not answer", request=self._request) from exc
        except ConnectionCut as cut:
            raise await self._failure(cut) from cut
        stream = _Answer(self, done)
        return httpx.Response(
            head["status"], headers=head["headers"], stream=stream, request=self._request
        )

    async def _upload(self) -> None:
        stream = cast("httpx.AsyncByteStream", self._request.stream)
        async for chunk in stream:
            try:
                with anyio.fail_after(self._timeouts.get("write")):
                    read = await self._up.put(chunk)
            except TimeoutError as exc:
                message = "the emulator did not read"
                raise httpx.WriteTimeout(message, request=self._request) from exc
            if not read:
                break
        self._up.end()

    async def _failure(self, cut: ConnectionCut) -> httpx.TransportError:
        """What the client of a socket would raise."""
        if cut.refusal is not None:
            return await self._refusal(cut.refusal)
        if cut.reset:
            return httpx.ReadError("connection reset by the emulator", request=self._request)
        message = "Server disconnected without sending a response."
        return httpx.RemoteProtocolError(message, request=self._request)

    async def _refusal(self, refusal: Refuse) -> httpx.TransportError:
        if not refusal.silent:
            return httpx.ConnectError("connection refused by the emulator", request=self._request)
        patience = self._timeouts.get("connect")
        await (anyio.sleep_forever() if patience is None else anyio.sleep(patience))
        return httpx.ConnectTimeout("the emulator does not listen", request=self._request)

    async def chunk(self) -> bytes | None:
        try:
            with anyio.fail_after(self._timeouts.get("read")):
                return await self._down.get()
        except TimeoutError as exc:
            raise httpx.ReadTimeout("the emulator fell silent", request=self._request) from exc
        except ConnectionCut as cut:
            if cut.reset:
                message = "connection reset by the emulator"
                raise httpx.ReadError(message, request=self._request) from cut
            message = "peer closed connection without sending complete message body"
            raise httpx.RemoteProtocolError(message, request=self._request) from cut

    def hang_up(self) -> None:
        """The caller goes away; the app is told, as by a closed socket."""
        self._gone.set()
        self._up.end(ConnectionCut())
        self._down.desert()

    # The app's end.

    async def run(self, app: ASGIApp) -> None:
        error: Exception | None = None
        try:
            await app(self._scope(), self._receive, self._send)
        except ConnectionCut as cut:
            error = cut
        except Exception as exc:
            logger.exception("the emulator itself failed")
            error = exc
        finally:
            self._up.desert()
            self._finish(error or ConnectionCut())

    def _finish(self, error: Exception) -> None:
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # Nobody may be left to ask for it.
        self._down.end(error)

    def _scope(self) -> Scope:
        url = self._request.url
        path, _, query = url.raw_path.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._request.method,
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": path,
            "query_string": query,
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 1),
            "root_path": "",
        }

    async def _receive(self) -> Message:
        if self._body_read:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        try:
            chunk = await self._up.get()
        except ConnectionCut:
            return {"type": "http.disconnect"}
        self._body_read = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self._head.done():
                self._head.set_result(message)
        elif message["body"]:
            await self._down.put(message["body"])
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._down.end()


class _Answer(httpx.AsyncByteStream):
    def __init__(self, connection: _Connection, done: Callable[[], None]) -> None:
        self._connection = connection
        self._done = done

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._connection.chunk()) is not None:
            yield chunk

    async def aclose(self) -> None:
        self._connection.hang_up()
        self._done()
