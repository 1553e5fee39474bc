"""The emulator in the same process, as an httpx transport that behaves like a connection.

The app runs in a task of its own, in an empty context, and continues when the caller disconnects:
that is how an answer gets lost. Bodies are streamed through bounded buffers. httpx's timeouts hold
on the event loop's own clock. A broken connection raises the exceptions of a real socket.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import anyio
import httpx
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.types import ASGIApp, Message, Scope

from ._background import Background
from ._exchange import ConnectionCut

if TYPE_CHECKING:
    from ._effects import Refuse

logger = logging.getLogger("veo_async.emulator")

ROOM = 4
"""The number of chunks that are buffered in each direction; then the writer waits."""


class EmulatorTransport(httpx.AsyncBaseTransport):
    """An httpx transport to an emulator in this process. `Emulator.transport` makes one.

    Args:
        app: the emulated service as an ASGI app.
        background: runs the calls; they end with the emulator, not with the transport.

    Attributes:
        failure_family: its exceptions have the meaning of httpcore's: `httpx.ConnectError`,
            `httpx.ConnectTimeout` and `httpx.PoolTimeout` prove that no byte was sent.
    """

    failure_family = "httpx"

    def __init__(self, app: ASGIApp, background: Background) -> None:
        self._app = app
        self._background = background
        self._open: set[_Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one call and return its answer, whose body is streamed.

        Args:
            request: the call; the timeouts of httpx hold, in seconds of the event loop's clock.

        Raises:
            httpx.TimeoutException: a timeout of the request expired.
            httpx.NetworkError: the connection was refused or reset.
            httpx.RemoteProtocolError: the connection ended without an answer.
            Exception: the emulator itself failed; its exception is raised as it is.
        """
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
        """Close the open connections. The service notices that, and carries out the calls."""
        for connection in self._open:
            connection.hang_up()
        self._open.clear()


class _Connection:
    """One call: the caller's end (`exchange`) and the app's end (`run`)."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request
        self._timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        self._upload, self._request_body = anyio.create_memory_object_stream[bytes](ROOM)
        self._download, self._response_body = anyio.create_memory_object_stream[bytes](ROOM)
        ends = self._upload, self._request_body, self._download, self._response_body
        # A caller may drop an answer unread, or its whole event loop: that deserves no warning.
        weakref.finalize(self, lambda: [end.close() for end in ends])
        self._head: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()
        self._is_uploaded = self._is_body_read = self._is_answered = False
        self._error: Exception | None = None

    # The caller's end.

    async def exchange(self, done: Callable[[], None]) -> httpx.Response:
        """Send the request, and return the answer without its body.

        Args:
            done: called when the answer is closed.
        """
        await self._send_body()
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

    async def _send_body(self) -> None:
        stream = cast("httpx.AsyncByteStream", self._request.stream)
        async for chunk in stream:
            try:
                with anyio.fail_after(self._timeouts.get("write")):
                    await send_chunk(self._upload, chunk)
            except TimeoutError as exc:
                message = "the emulator did not read"
                raise httpx.WriteTimeout(message, request=self._request) from exc
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # The app has ended without reading the whole body, or the caller hung up.
        self._is_uploaded = not self._gone.is_set()
        self._upload.close()

    async def _failure(self, cut: ConnectionCut) -> httpx.TransportError:
        """The exception of a client on a real socket."""
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
        """The next chunk of the answer's body; ``None`` at its end."""
        try:
            with anyio.fail_after(self._timeouts.get("read")):
                return await receive_chunk(self._response_body)
        except TimeoutError as exc:
            raise httpx.ReadTimeout("the emulator fell silent", request=self._request) from exc
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            error = None if self._gone.is_set() else self._error
        if isinstance(error, ConnectionCut):
            if error.reset:
                message = "connection reset by the emulator"
                raise httpx.ReadError(message, request=self._request) from error
            message = "peer closed connection without sending complete message body"
            raise httpx.RemoteProtocolError(message, request=self._request) from error
        if error is not None:
            raise error
        return None

    def hang_up(self) -> None:
        """Disconnect the caller; the app is notified as by a closed socket."""
        self._gone.set()
        self._upload.close()
        # The writer's end first: that wakes a waiting reader in every version of anyio.
        self._download.close()
        self._response_body.close()

    # The app's end.

    async def run(self, app: ASGIApp) -> None:
        """Run the app for this call, and pass on how it ended."""
        error: Exception | None = None
        try:
            await app(self._scope(), self._receive, self._send)
        except ConnectionCut as cut:
            error = cut
        except Exception as exc:
            logger.exception("the emulator itself failed")
            error = exc
        finally:
            self._request_body.close()
            self._finish(error or ConnectionCut())

    def _finish(self, error: Exception) -> None:
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # Marks it as seen: the caller may have gone.
        if not self._is_answered:
            self._error = error
        self._download.close()

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
        if not self._is_body_read:
            try:
                chunk = await receive_chunk(self._request_body)
            except anyio.EndOfStream:
                if self._is_uploaded:
                    self._is_body_read = True
                    return {"type": "http.request", "body": b"", "more_body": False}
            else:
                return {"type": "http.request", "body": chunk, "more_body": True}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self._head.done():
                self._head.set_result(message)
        elif message["body"]:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await send_chunk(self._download, message["body"])
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_answered = True
            self._download.close()


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


async def send_chunk(stream: MemoryObjectSendStream[bytes], chunk: bytes) -> None:
    """Send a chunk. Like a socket, it yields to other tasks only if the buffer is full."""
    try:
        stream.send_nowait(chunk)
    except anyio.WouldBlock:
        await stream.send(chunk)


async def receive_chunk(stream: MemoryObjectReceiveStream[bytes]) -> bytes:
    """Receive a chunk. It yields to other tasks only if the buffer is empty."""
    try:
        return stream.receive_nowait()
    except anyio.WouldBlock:
        return await stream.receive()
