from __future__ import annotations

import asyncio
import gzip
import json
import socket
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import anyio
import httpx
import pytest
from httpx_aiohttp import AiohttpTransport

from tests.support.service import NOW
from tests.support.sockets import Line, serve
from veo_async import VeoClient
from veo_async._base.token import Token
from veo_async._submit.verdict import NotSent, Uncertain, judge
from veo_async._wire import transports
from veo_async._wire.body import MAX_BODY, SLICE, BodyTooLarge, read_body
from veo_async._wire.http import API, CONNECT_TIMEOUT, USER_AGENT
from veo_async._wire.replies import Answer, Failure, Reply
from veo_async._wire.transports import POOL_KEEPALIVE, family_of, socket_options
from veo_async.errors import InvalidRequestError

TOKEN = "a-secret-token"
PIECE = 64 * 1024


class Stream(httpx.AsyncByteStream):
    """A body that comes in pieces, and notes how many were taken and whether it was closed."""

    def __init__(
        self,
        *pieces: bytes,
        endless: bool = False,
        pause: float = 0.0,
        at_close: Exception | None = None,
    ) -> None:
        self.taken = 0
        self.closed = False
        self._pieces = pieces
        self._endless = endless
        self._pause = pause
        self._at_close = at_close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            for piece in self._pieces:
                await anyio.sleep(self._pause)
                self.taken += 1
                yield piece
            if not self._endless:
                return

    async def aclose(self) -> None:
        self.closed = True
        if self._at_close:
            raise self._at_close


class Body(httpx.AsyncByteStream):
    """A beginning, and then the same piece without end."""

    def __init__(self, start: bytes, piece: bytes) -> None:
        self._start, self._piece = start, piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._start
        while True:
            yield self._piece


class Transport(httpx.AsyncBaseTransport):
    """Somebody else's transport: answers with a stream, after a while, or raises."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream | None = None,
        *,
        encoding: str | None = None,
        delay: float = 0.0,
        failure: BaseException | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        self.requests: list[httpx.Request] = []
        self._stream = stream or Stream(b"{}")
        self._headers = list(headers or [])
        if encoding:
            self._headers.append(("Content-Encoding", encoding))
        self._delay = delay
        self._failure = failure

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await anyio.sleep(self._delay)
        if self._failure:
            raise self._failure
        return httpx.Response(200, headers=self._headers, stream=self._stream)


def api(
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    base_url: str = "http://127.0.0.1:1",
    wall_clock: Callable[[], float] = lambda: NOW,
) -> API:
    """What is tested."""
    return API(
        token=Token(TOKEN),
        base_url=base_url,
        concurrency=4,
        transport=transport,
        verify=False,
        wall_clock=wall_clock,
    )


async def ask(
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    timeout: float = 60.0,
    base_url: str = "http://127.0.0.1:1",
) -> Answer:
    """The result of one call."""
    asking = api(transport, base_url=base_url)
    try:
        return await asking.post("submit", {"prompt": "Ein Becher ☕"}, timeout=timeout)
    finally:
        await asking.aclose()


def kind(answer: Answer) -> str:
    """The name of the exception that a call ended with."""
    assert isinstance(answer, Failure)
    return answer.error[0]


# Options.


@pytest.mark.parametrize(
    "variable, value, field, told",
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1", "proxy", "socksio"),
        ("HTTPS_PROXY", "gopher://user:hidden@127.0.0.1:1", "proxy", "scheme"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "verify", "No such file"),
    ],
)
def test_an_environment_that_httpx_refuses_is_told(
    variable: str, value: str, field: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No exception of httpx's own reaches the user; the message names the option to check."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    monkeypatch.setitem(sys.modules, "socksio", None)  # as where it is not installed

    with pytest.raises(InvalidRequestError, match=told) as caught:
        VeoClient(TOKEN)

    assert caught.value.field == field
    assert variable in str(caught.value)
    assert "hidden" not in str(caught.value)


# What is sent.


@pytest.mark.asyncio
async def test_a_call_is_a_post_of_json_with_the_token() -> None:
    """The headers that the API guide shows, and a body in UTF-8 without white space."""
    transport = Transport()

    await ask(transport)

    (request,) = transport.requests
    assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1:1/veo/videos")
    assert request.content == '{"prompt":"Ein Becher ☕"}'.encode()
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["user-agent"] == USER_AGENT
    assert USER_AGENT.startswith("veo-async/")


@pytest.mark.asyncio
@pytest.mark.parametrize("timeout, connect", [(600.0, CONNECT_TIMEOUT), (3.0, 1.0)])
async def test_connecting_has_less_time_than_the_call(timeout: float, connect: float) -> None:
    """TCP and TLS fail before the call itself does: the one is proof that nothing was sent, the
    other is none. All else has the time of the whole call."""
    transport = Transport()

    await ask(transport, timeout=timeout)

    assert transport.requests[0].extensions["timeout"] == {
        "connect": connect,
        "read": None,
        "write": None,
        "pool": None,
    }


@pytest.mark.asyncio
async def test_idle_connections_are_given_up_soon() -> None:
    """The pool is as large as the limiter, and keeps no connection longer than `POOL_KEEPALIVE`."""
    pool = pool_of(api())

    assert pool._max_connections == pool._max_keepalive_connections == 4
    assert pool._keepalive_expiry == POOL_KEEPALIVE == 2.0


# What comes back.


@pytest.mark.asyncio
async def test_an_answer_is_a_value() -> None:
    """Status, headers by their lower-case names, the body, and the pause that is asked for; its
    ``Date`` tells by how much the service's clock runs ahead."""
    told = {"Retry-After": "7", "Date": "Fri, 25 Jul 2025 08:00:05 GMT"}
    transport = httpx.MockTransport(
        lambda request: httpx.Response(429, json={"a": 1}, headers=told)
    )
    asking = api(transport)

    before = asking.clock_offset
    answer = await asking.post("poll", {}, timeout=60.0)
    await asking.aclose()

    assert isinstance(answer, Reply)
    assert (answer.status, json.loads(answer.body)) == (429, {"a": 1})
    assert answer.headers["retry-after"] == "7"
    assert answer.retry_after == 7.0
    assert (before, asking.clock_offset) == (None, 5.5)


@pytest.mark.asyncio
async def test_a_jump_of_the_clock_forgets_the_offset() -> None:
    """It was learned on the clock as it was; the next answer teaches it again. A step of less than
    a second is none."""
    loop, ahead = asyncio.get_running_loop(), [NOW]
    answered = "Fri, 25 Jul 2025 08:00:05 GMT"
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, json={}, headers={"Date": answered})
    )
    asking = api(transport, wall_clock=lambda: ahead[0] + loop.time())
    offsets = [asking.clock_offset]
    for jump in (0.0, 0.1, 3600.0):
        await asking.post("poll", {}, timeout=60.0)
        ahead[0] += jump
        offsets.append(asking.clock_offset)
    await asking.post("poll", {}, timeout=60.0)
    offsets.append(asking.clock_offset)
    await asking.aclose()

    assert offsets == [None, 5.5, 5.5, None, pytest.approx(5.5 - 3600.1)]


@pytest.mark.asyncio
async def test_an_answer_comes_without_the_token() -> None:
    """In the body and in every header that repeat the token."""
    transport = Transport(Stream(f'{{"seen": "{TOKEN}"}}'.encode()), headers=[("X-Seen", TOKEN)])

    answer = await ask(transport)

    assert isinstance(answer, Reply)
    assert answer.headers["x-seen"] == "[secret]"
    assert answer.body == b'{"seen": "[secret]"}'


@pytest.mark.asyncio
@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
async def test_what_was_compressed_is_inflated(compress: Callable[[bytes], bytes]) -> None:
    """gzip and, if it comes unasked, deflate, however the pieces fall; the case is the server's."""
    body = b'{"task_id": "t-1"}' * 50
    encoding = "GZIP" if compress is gzip.compress else "Deflate"
    pieces = [bytes([byte]) for byte in compress(body)]

    answer = await ask(Transport(Stream(*pieces), encoding=encoding))

    assert isinstance(answer, Reply)
    assert answer.body == body


@pytest.mark.asyncio
@pytest.mark.parametrize("wbits", [zlib.MAX_WBITS, -zlib.MAX_WBITS])
@pytest.mark.parametrize("size", [1, 999])
async def test_deflate_is_read_with_and_without_its_header(wbits: int, size: int) -> None:
    """Both are sent by its name, however the pieces fall."""
    deflate = zlib.compressobj(wbits=wbits)
    data = deflate.compress(b'{"task_id": "t-1"}') + deflate.flush()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]

    answer = await ask(Transport(Stream(*pieces), encoding="deflate"))

    assert isinstance(answer, Reply)
    assert answer.body == b'{"task_id": "t-1"}'


@pytest.mark.asyncio
async def test_what_follows_a_compressed_body_is_not_read() -> None:
    """An answer that was read to its own end counts, and garbage without end costs nothing."""
    whole = gzip.compress(b'{"task_id": "t-1"}')
    stream = Stream(whole + b"garbage", *[b"garbage" * 1000] * 5, endless=True)

    answer = await ask(Transport(stream, encoding="gzip"))

    assert isinstance(answer, Reply)
    assert answer.body == b'{"task_id": "t-1"}'
    assert (stream.taken, stream.closed) == (2, True)


@pytest.mark.asyncio
@pytest.mark.parametrize("piece", [b"", b"\0\0\0\xff\xff", b"{"])
async def test_a_body_that_never_grows_ends_too(piece: bytes) -> None:
    """Pieces that inflate to nothing, or are tiny, count as much as handling them costs."""
    is_deflate = piece.startswith(b"\0")
    headers = {"content-encoding": "deflate"} if is_deflate else {}
    stream = Body(b"\x78\x9c" if is_deflate else b"", piece)
    response = httpx.Response(200, headers=headers, stream=stream)

    with pytest.raises(BodyTooLarge):
        await read_body(response, 64 * 1024)


@pytest.mark.asyncio
async def test_other_tasks_have_their_turn() -> None:
    """A body that is all there already is read in slices."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(other())
    data = gzip.compress(bytes(8 * 2**20))
    response = httpx.Response(
        200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(data)
    )
    body = await read_body(response)
    task.cancel()

    assert len(body) == 8 * 2**20
    assert turns >= 8 * 2**20 // SLICE // 2


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 99])
async def test_an_encoding_that_was_not_offered_is_refused(encoding: str) -> None:
    """Before anything of the body is read; what is shown of it is short."""
    stream = Stream(b"anything")

    answer = await ask(Transport(stream, encoding=encoding))

    assert isinstance(answer, Failure)
    assert kind(answer) == "veo_async._wire.body.UnknownEncoding"
    assert (encoding if len(encoding) < 40 else "long") in answer.detail
    assert len(answer.detail) < 120
    assert (stream.taken, stream.closed) == (0, True)


@pytest.mark.asyncio
async def test_an_answer_from_memory_is_taken() -> None:
    """A fake that was given its content at once works like a socket, compressed or not, and
    within the same limit."""
    body = gzip.compress(b'{"task_id": "t-1"}')
    headers = {"content-encoding": "gzip"}

    small = await ask(
        httpx.MockTransport(lambda request: httpx.Response(200, content=body, headers=headers))
    )
    large = await ask(
        httpx.MockTransport(lambda request: httpx.Response(200, content=bytes(MAX_BODY + 1)))
    )

    assert isinstance(small, Reply)
    assert small.body == b'{"task_id": "t-1"}'
    assert kind(large) == "veo_async._wire.body.BodyTooLarge"


@pytest.mark.asyncio
async def test_an_error_at_the_end_of_a_connection_loses_no_answer() -> None:
    """Once an answer was read it counts: it may hold the id of a paid task."""
    stream = Stream(b'{"task_id": "t-1"}', at_close=OSError("broken"))

    answer = await ask(Transport(stream))

    assert isinstance(answer, Reply)
    assert answer.body == b'{"task_id": "t-1"}'


# What is not read.


def bombs(wbits: int) -> list[bytes]:
    """A body that inflates a thousandfold, to eight times the limit, in pieces."""
    deflate = zlib.compressobj(9, wbits=wbits)
    body = b"".join(deflate.compress(bytes(2**20)) for _ in range(8 * MAX_BODY // 2**20))
    body += deflate.flush()
    assert 8 * MAX_BODY / len(body) > 1000
    return [body[start : start + PIECE] for start in range(0, len(body), PIECE)]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "encoding, wbits", [("gzip", 16 + zlib.MAX_WBITS), ("deflate", zlib.MAX_WBITS)]
)
async def test_a_bomb_does_not_fill_the_memory(encoding: str, wbits: int) -> None:
    """A body that inflates a thousandfold costs the limit, and a little for the parts."""
    stream = Stream(*bombs(wbits))

    tracemalloc.start()
    try:
        answer = await ask(Transport(stream, encoding=encoding))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kind(answer) == "veo_async._wire.body.BodyTooLarge"
    assert peak < 2.5 * MAX_BODY  # the body so far, and the part that is joined to it
    assert stream.closed


@pytest.mark.asyncio
@pytest.mark.parametrize("endless", [False, True])
async def test_a_long_body_is_cut(endless: bool) -> None:
    """No more is taken than the limit and one piece, whatever its length is said to be."""
    pieces = 1 if endless else 17 * 2**20 // PIECE
    stream = Stream(*[bytes(PIECE)] * pieces, endless=endless)

    answer = await ask(Transport(stream))

    assert kind(answer) == "veo_async._wire.body.BodyTooLarge"
    assert stream.taken == MAX_BODY // PIECE + 1
    assert stream.closed


@pytest.mark.asyncio
@pytest.mark.parametrize("compressed", [False, True])
async def test_the_limit_itself_is_no_excess(compressed: bool) -> None:
    """A body of exactly the limit is whole; of one byte more, it is refused."""

    async def read(length: int) -> bytes:
        body = bytes(length)
        headers = {"content-encoding": "gzip"} if compressed else {}
        stream = Stream(gzip.compress(body) if compressed else body)
        return await read_body(httpx.Response(200, headers=headers, stream=stream), 100)

    assert await read(100) == bytes(100)
    with pytest.raises(BodyTooLarge, match="100 bytes"):
        await read(101)


@pytest.mark.asyncio
async def test_a_torn_compressed_body_is_no_json() -> None:
    """A gzip stream without its end does not count as a whole body."""
    body = gzip.compress(b'{"task_id": "t-1", "more": "' + b"abcdefgh" * 99 + b'"}')

    answer = await ask(Transport(Stream(body[: len(body) // 2]), encoding="gzip"))

    assert isinstance(answer, Reply)
    assert isinstance(judge(answer), Uncertain)


# Time.


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "transport",
    [
        Transport(delay=61.0),
        Transport(Stream(b"{", pause=7.0, endless=True)),
        Transport(Stream(b"{}", pause=61.0)),
    ],
    ids=["no answer", "a slow body", "no body"],
)
async def test_the_whole_call_has_one_time(transport: Transport) -> None:
    """Transports in the process enforce no timeouts, so the clock is ours, and it is not set back
    by a byte now and then. It proves nothing about a submit."""
    started = anyio.current_time()

    answer = await ask(transport, timeout=60.0)

    assert anyio.current_time() - started == 60.0
    assert kind(answer) == "builtins.TimeoutError"
    assert isinstance(judge(answer), Uncertain)


@pytest.mark.asyncio
async def test_a_cancelled_call_closes_its_answer() -> None:
    """Cancellation goes on, and the connection is given back."""
    stream = Stream(b"{", pause=7.0, endless=True)
    transport = Transport(stream)
    asking = api(transport)

    task = asyncio.create_task(asking.post("submit", {}, timeout=60.0))
    await anyio.sleep(20.0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.closed
    await asking.aclose()


# Whose exceptions they are.


class Declared(httpx.MockTransport):
    failure_family = "httpx"


class Heir(httpx.AsyncHTTPTransport):
    pass


@pytest.mark.parametrize(
    "make, family",
    [
        (lambda: httpx.AsyncHTTPTransport(verify=False), "httpx"),
        (lambda: AiohttpTransport(verify=False), "aiohttp"),
        (lambda: Heir(verify=False), "unknown"),
        (lambda: httpx.MockTransport(lambda request: httpx.Response(200)), "unknown"),
        (lambda: Declared(lambda request: httpx.Response(200)), "httpx"),
    ],
)
def test_the_family_of_exceptions_is_the_transports(
    make: Callable[[], httpx.AsyncBaseTransport], family: str
) -> None:
    """Known are the exact types; a subclass may raise anything; others may declare themselves."""
    assert family_of(make()) == family


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout(""),
        ValueError("odd"),
        ExceptionGroup("several", [OSError()]),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_an_unknown_transport_proves_nothing(failure: Exception) -> None:
    """Any exception of it is a value, and its submit is uncertain, even by a familiar name."""
    answer = await ask(Transport(failure=failure))

    assert isinstance(answer, Failure)
    assert answer.family == "unknown"
    assert answer.error[0] == f"{type(failure).__module__}.{type(failure).__qualname__}"
    assert answer.detail.startswith(type(failure).__name__)
    assert answer.exception is failure
    assert isinstance(judge(answer), Uncertain)


@pytest.mark.asyncio
async def test_a_transport_may_declare_its_exceptions() -> None:
    """With ``failure_family`` a transport says that a failure to connect means what it says."""
    transport = Transport(failure=httpx.ConnectError("refused"))
    transport.failure_family = "httpx"  # type: ignore[attr-defined]

    answer = await ask(transport)

    assert isinstance(judge(answer), NotSent)


@pytest.mark.parametrize(
    "cause, proof",
    [
        (aiohttp.ConnectionTimeoutError(), True),
        (aiohttp.SocketTimeoutError(), False),
        (aiohttp.ServerDisconnectedError(), False),
        (aiohttp.ClientOSError(), False),
        (None, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_the_cause_proves_anything_of_aiohttp(cause: Exception | None, proof: bool) -> None:
    """All of these are an ``httpx.ConnectTimeout`` to httpx_aiohttp, or an heir of what is a
    proof; a timeout while reading is none, whoever's session has set one."""
    lineage = tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in type(cause).__mro__)
    failure = Failure("aiohttp", ("httpx.ConnectTimeout",), lineage if cause else ())

    assert isinstance(judge(failure), NotSent) is proof


@pytest.mark.asyncio
async def test_the_cause_is_told_with_the_exception() -> None:
    """Both lines of descent are kept, since for aiohttp only the cause proves anything."""
    failure = httpx.ConnectTimeout("odd")
    failure.__cause__ = KeyError("beneath")

    answer = await ask(Transport(failure=failure))

    assert isinstance(answer, Failure)
    assert "httpx.TimeoutException" in answer.error
    assert answer.cause[:2] == ("builtins.KeyError", "builtins.LookupError")


# On real sockets.


def pool_of(asking: API) -> Any:
    """httpcore's pool; it has no public face."""
    transport = asking._transport
    assert isinstance(transport, httpx.AsyncHTTPTransport)
    return transport._pool


async def endless(line: Line) -> None:
    """Answer, and never come to the end."""
    await line.request()
    await line.say("HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await line.say(bytes(PIECE))


async def slow(line: Line) -> None:
    """Answer by half."""
    await line.request()
    await line.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")
    await line.hang()


@pytest.mark.asyncio
@pytest.mark.real_loop
async def test_no_connection_is_left_open() -> None:
    """Neither an answer that is too long nor a cancelled call keeps its connection."""
    async with serve(endless, slow) as server:
        asking = api(base_url=server.url)
        too_long = await asking.post("submit", {}, timeout=60.0)
        after_the_long_one = list(pool_of(asking).connections)
        begun = asyncio.Event()
        server.on_hang = begun.set
        task = asyncio.create_task(asking.post("submit", {}, timeout=60.0))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert kind(too_long) == "veo_async._wire.body.BodyTooLarge"
    assert after_the_long_one == pool_of(asking).connections == []


@pytest.mark.asyncio
@pytest.mark.real_loop
async def test_a_silent_connection_is_probed() -> None:
    """So that a router does not forget a call that is held for minutes, and one that is lost is
    noticed before its time is over."""

    async def script(line: Line) -> None:
        await line.request()
        (connection,) = pool_of(asking).connections
        while hasattr(connection, "_connection"):  # httpcore wraps one in another
            connection = connection._connection
        sock = connection._network_stream.get_extra_info("socket")
        seen.extend((name, sock.getsockopt(level, name)) for level, name, _ in socket_options())
        await line.answer()

    seen: list[tuple[int, int]] = []
    async with serve(script) as server:
        asking = API(
            token=Token(TOKEN),
            base_url=server.url,
            concurrency=4,
            verify=False,
            wall_clock=lambda: NOW,
        )
        await asking.post("submit", {}, timeout=60.0)
        await asking.aclose()

    assert seen == [(name, value) for _, name, value in socket_options()]
    assert (socket.SO_KEEPALIVE, 1) in seen
    assert len(seen) == 4 or sys.platform != "linux"


def test_an_option_that_the_system_refuses_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end every connection."""
    monkeypatch.setattr(transports, "PROBES", ((("TCP_NODELAY",), -(2**31)), (("SO_NONE",), 1)))
    monkeypatch.setattr(socket, "TCP_NODELAY", 9999)

    assert socket_options.__wrapped__() == ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),)


@pytest.mark.asyncio
@pytest.mark.real_loop
async def test_no_cookie_is_kept() -> None:
    """Cookies of a gateway are not sent back to it."""

    async def script(line: Line) -> None:
        for _ in range(2):
            await line.request()
            await line.answer(more="set-cookie: session=1; path=/\r\n")

    async with serve(script) as server:
        asking = api(base_url=server.url)
        for _ in range(2):
            assert isinstance(await asking.post("poll", {}, timeout=60.0), Reply)
        await asking.aclose()

    assert server.connections == 1
    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


def headed(headers: bytes) -> Callable[[Line], Any]:
    """Answer with these headers."""

    async def script(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\n" + headers + b"content-length: 2\r\n\r\n{}")
        await line.rest()

    return script


@pytest.mark.asyncio
@pytest.mark.real_loop
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
@pytest.mark.parametrize(
    "headers", [b"a: " + b"x" * 2**21 + b"\r\n", b"a: b\r\n" * 2**18], ids=["long", "many"]
)
async def test_absurd_headers_are_not_read_to_the_end(headers: bytes, transport: str) -> None:
    """Megabytes of headers end the call, uncertain, and nothing else."""
    async with serve(headed(headers)) as server:
        other = AiohttpTransport(verify=False) if transport == "aiohttp" else None
        answer = await ask(other, base_url=server.url)

    assert isinstance(answer, Failure)
    assert len(answer.detail) < 1000
    assert isinstance(judge(answer), Uncertain)


@pytest.mark.asyncio
@pytest.mark.real_loop
@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
async def test_odd_headers_are_read(transport: str) -> None:
    """Repeated names are joined, bytes beyond ASCII do no harm."""
    async with serve(headed(b"X-A: 1\r\nx-a: 2\r\nx-b: \xe9\xff\r\n")) as server:
        other = AiohttpTransport(verify=False) if transport == "aiohttp" else None
        answer = await ask(other, base_url=server.url)

    assert isinstance(answer, Reply)
    assert answer.headers["x-a"] == "1, 2"
    assert answer.headers["x-b"]
