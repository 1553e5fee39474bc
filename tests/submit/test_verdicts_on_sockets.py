"""The law of money on real sockets: what each way to lose an answer proves."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from socket import EAI_NONAME, SO_ERROR, SOL_SOCKET, create_server, gaierror, socket
from typing import Any, Literal

import pytest
from httpx_aiohttp import AiohttpTransport

from tests.samples import load
from tests.support.sockets import Clock, Line, Script, client_tls, serve
from veo_async import RetryPolicy, TextToVideo, VeoClient
from veo_async.errors import (
    BadRequestError,
    ConnectionFailedError,
    ContentRefusedError,
    InsufficientBalanceError,
    InvalidTokenError,
    NoAPIError,
    RateLimitError,
    SubmissionUncertainError,
    VeoError,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.real_loop, pytest.mark.slow]

REQUEST = TextToVideo(prompt="A coffee mug")
SUBMIT_TIMEOUT = 60.0
CONNECT_TIMEOUT = 11.0  # a second more: aiohttp rounds up
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ACCEPTED = b'{"task_id": "t-1"}'
RESULT = load("text2video_result").body

Transport = Literal["httpx", "aiohttp"]
each_transport = pytest.mark.parametrize("transport", ["httpx", "aiohttp"])


@asynccontextmanager
async def client(
    url: str,
    transport: Transport,
    *,
    verify: ssl.SSLContext = TRUSTS_NOBODY,
    attempts: int = 3,
    on_uncertain: Literal["raise", "resend"] = "raise",
) -> AsyncIterator[VeoClient]:
    """The client as users have it, in a hurry only where nothing was sent."""
    retry = RetryPolicy(
        on_uncertain=on_uncertain,
        attempts=attempts,
        rate_limit_attempts=1,
        backoff=0.001,
        max_backoff=0.002,
        submit_timeout=SUBMIT_TIMEOUT,
    )
    other = AiohttpTransport(verify=verify) if transport == "aiohttp" else None
    veo = VeoClient("a-secret-token", base_url=url, transport=other, verify=verify, retry=retry)
    async with veo:
        yield veo


@dataclass(frozen=True)
class Row:
    """What a server does with a submit, and what that proves.

    Attributes:
        script: what it does with the connection.
        error: what the caller gets; ``None`` if the submit was accepted.
        posts: how many whole submits the server has read.
    """

    script: Script
    error: type[VeoError] | None
    posts: int = 1


def after_reading(*words: bytes | str, then: Literal["close", "reset", "hang"] = "close") -> Script:
    """Read the submit, say this, and leave."""

    async def script(line: Line) -> None:
        await line.request()
        for word in words:
            await line.say(word)
        if then == "reset":
            line.reset()
        if then == "hang":
            await line.hang()

    return script


def answering(body: bytes = b"", status: str = "200 OK", more: str = "") -> Script:
    """Read the submit, and answer it whole."""

    async def script(line: Line) -> None:
        await line.request()
        await line.answer(body, status=status, more=more)
        await line.rest()

    return script


async def unread(line: Line) -> None:
    """Accept the connection, and close it."""


async def half_read(line: Line) -> None:
    """Close in the middle of the body."""
    await line.head()
    await line.exactly(10)


async def half_read_reset(line: Line) -> None:
    """Reset in the middle of the body."""
    await half_read(line)
    line.reset()


async def half_read_hung(line: Line) -> None:
    """Stop in the middle of the body."""
    await half_read(line)
    await line.hang()


def sample(case: str) -> Script:
    """Answer as it is documented."""
    found = load(case)
    return answering(found.body, status=f"{found.status} Documented")


UNCERTAIN = SubmissionUncertainError
LENGTH = f"content-length: {len(ACCEPTED)}\r\n"

ROWS = {
    # The connection ends.
    "closed unread": Row(unread, UNCERTAIN, posts=0),
    "closed in the body": Row(half_read, UNCERTAIN, posts=0),
    "reset in the body": Row(half_read_reset, UNCERTAIN, posts=0),
    "hung in the body": Row(half_read_hung, UNCERTAIN, posts=0),
    "closed after reading": Row(after_reading(), UNCERTAIN),
    "reset after reading": Row(after_reading(then="reset"), UNCERTAIN),
    "hung after reading": Row(after_reading(then="hang"), UNCERTAIN),
    # The answer is torn, or none.
    "torn status line": Row(after_reading("HTTP/1.1 20"), UNCERTAIN),
    "garbage for a status line": Row(after_reading("SSH-2.0-x\r\n\r\n"), UNCERTAIN),
    "binary garbage": Row(after_reading(b"\x15\x03\x03\x00\x02\x02\x28\r\n\r\n"), UNCERTAIN),
    "status 2000": Row(after_reading("HTTP/1.1 2000 OK\r\n\r\n"), UNCERTAIN),
    "torn headers": Row(after_reading("HTTP/1.1 200 OK\r\ncontent-ty"), UNCERTAIN),
    "hung in the headers": Row(
        after_reading("HTTP/1.1 200 OK\r\ncontent-ty", then="hang"), UNCERTAIN
    ),
    "garbage for a header": Row(after_reading("HTTP/1.1 200 OK\r\n\0: \1\r\n\r\n"), UNCERTAIN),
    "torn body": Row(
        after_reading("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", ACCEPTED), UNCERTAIN
    ),
    "body reset": Row(
        after_reading("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", ACCEPTED, then="reset"),
        UNCERTAIN,
    ),
    "hung in the body of the answer": Row(
        after_reading("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", ACCEPTED, then="hang"),
        UNCERTAIN,
    ),
    "cut chunks": Row(
        after_reading("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", '12\r\n{"task'),
        UNCERTAIN,
    ),
    "garbage for a chunk": Row(
        after_reading("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "zz\r\n{}"),
        UNCERTAIN,
    ),
    "no length, cut": Row(after_reading("HTTP/1.1 200 OK\r\n\r\n", ACCEPTED[:9]), UNCERTAIN),
    "gzip that is none": Row(answering(ACCEPTED, more="content-encoding: gzip\r\n"), UNCERTAIN),
    "brotli": Row(answering(ACCEPTED, more="content-encoding: br\r\n"), UNCERTAIN),
    # The answer is whole, and says nothing.
    "500, closed": Row(after_reading("HTTP/1.1 500 Oh\r\n\r\n"), UNCERTAIN),
    "500": Row(sample("error_api_error"), UNCERTAIN),
    "502 of a gateway": Row(answering(b"<h1>Bad Gateway</h1>", "502 Bad Gateway"), UNCERTAIN),
    "408": Row(answering(b"", "408 Request Timeout"), UNCERTAIN),
    "400 without an error": Row(answering(b"<h1>nginx</h1>", "400 Bad Request"), NoAPIError),
    "HTML": Row(answering(b"<html>Sign in</html>"), UNCERTAIN),
    "empty": Row(answering(b""), UNCERTAIN),
    "204": Row(after_reading("HTTP/1.1 204 No Content\r\n\r\n"), UNCERTAIN),
    "101": Row(after_reading("HTTP/1.1 101 Go\r\nconnection: upgrade\r\n\r\n"), UNCERTAIN),
    "only 100": Row(after_reading("HTTP/1.1 100 Continue\r\n\r\n"), UNCERTAIN),
    # The answer is one.
    "accepted": Row(answering(ACCEPTED), None),
    "accepted and closed": Row(after_reading(f"HTTP/1.1 200 OK\r\n{LENGTH}\r\n", ACCEPTED), None),
    "no length, whole": Row(after_reading("HTTP/1.0 200 OK\r\n\r\n", ACCEPTED), None),
    "accepted after 100 and 103": Row(
        after_reading(
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n",
            f"HTTP/1.1 200 OK\r\n{LENGTH}\r\n",
            ACCEPTED,
        ),
        None,
    ),
    "finished": Row(answering(RESULT), None),
    "500 with an id": Row(answering(ACCEPTED, "500 Oh"), None),
    "400": Row(sample("error_bad_request"), BadRequestError),
    "401": Row(sample("error_invalid_token"), InvalidTokenError),
    "403, content": Row(sample("error_content_refused"), ContentRefusedError),
    "403, balance": Row(sample("error_used_up"), InsufficientBalanceError),
    "429": Row(sample("error_too_many_requests"), RateLimitError),
    "429 without an error": Row(answering(b"", "429 Slow Down"), RateLimitError),
}


@each_transport
@pytest.mark.parametrize("name", ROWS)
async def test_what_was_sent_is_never_sent_again(
    name: str, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submit that may have reached the service is judged by its answer alone: the server is
    spoken to once, and the caller is told that it may have cost something unless the service
    itself said no."""
    row = ROWS[name]
    clock = Clock(monkeypatch)
    error = None

    async with serve(row.script) as server, client(server.url, transport) as veo:
        server.on_hang = partial(clock.skip, SUBMIT_TIMEOUT)
        try:
            task = await veo.submit(REQUEST)
        except VeoError as exc:
            error = exc

    assert type(error) is (row.error or type(None)), repr(error)
    assert (server.connections, server.posts) == (1, row.posts)
    assert [json.loads(request.body)["prompt"] for request in server.requests] == [
        REQUEST.prompt
    ] * row.posts
    if isinstance(error, SubmissionUncertainError):
        assert error.may_have_cost
        assert error.request == REQUEST
        assert error.sent_at is not None
    elif error:
        assert not error.may_have_cost
    else:
        assert task.id == (json.loads(RESULT)["task_id"] if name == "finished" else "t-1")
        assert task.state == ("succeeded" if name == "finished" else "pending")


@each_transport
async def test_a_failed_answer_is_found_by_its_trace(transport: Transport) -> None:
    """An uncertain submit bears the trace id of the answer that failed."""
    async with (
        serve(sample("error_api_error")) as server,
        client(server.url, transport) as veo,
    ):
        with pytest.raises(SubmissionUncertainError) as caught:
            await veo.submit(REQUEST)

    assert caught.value.trace_id == load("error_api_error").json()["trace_id"]


@each_transport
async def test_a_finished_answer_needs_no_poll(transport: Transport) -> None:
    """A synchronous answer is the result."""
    async with serve(answering(RESULT)) as server, client(server.url, transport) as veo:
        task = await veo.submit(REQUEST)
        generation = await task.result()

    assert generation.video.video_url == json.loads(RESULT)["data"][0]["video_url"]
    assert len(server.requests) == 1


@each_transport
async def test_a_redirect_is_not_followed(transport: Transport) -> None:
    """A redirect leads to no other host, whatever the status. From an address that was never heard
    of it says that the address is wrong; only 303 may follow a request that was carried out."""
    async with serve(answering(ACCEPTED)) as elsewhere:
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Moved", "308 Moved"):
            script = answering(b"", status, f"location: {elsewhere.url}/veo/videos\r\n")
            async with serve(script) as server, client(server.url, transport) as veo:
                is_open = status.startswith("303")
                with pytest.raises(SubmissionUncertainError if is_open else NoAPIError):
                    await veo.submit(REQUEST)
            assert server.posts == 1

    assert elsewhere.connections == 0


@each_transport
async def test_who_chose_to_resend_resends(transport: Transport) -> None:
    """Under ``on_uncertain="resend"`` a lost answer is bought again, ``attempts`` times at most."""
    async with (
        serve(after_reading()) as server,
        client(server.url, transport, on_uncertain="resend") as veo,
    ):
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(REQUEST)

    assert server.posts == 3


# Connections that are kept.


def closing_after(answers: int) -> Script:
    """Answer so many submits on one connection, then close it without a word."""

    async def script(line: Line) -> None:
        for _ in range(answers):
            await line.request()
            await line.answer(ACCEPTED)

    return script


@each_transport
async def test_a_connection_that_the_server_closed_is_not_used(transport: Transport) -> None:
    """An idle connection that was closed meanwhile is left for a new one: nothing is uncertain."""
    async with serve(closing_after(1)) as server, client(server.url, transport) as veo:
        await veo.submit(REQUEST)
        for _ in range(5):  # the close arrives
            await asyncio.sleep(0)
        await veo.submit(REQUEST)

    assert (server.connections, server.posts) == (2, 2)


@each_transport
async def test_a_connection_that_is_closed_as_it_is_used_is_uncertain(transport: Transport) -> None:
    """A close that crosses the submit on its way proves nothing, read or unread: it is not sent
    again on a new connection."""

    async def script(line: Line) -> None:
        await line.request()
        await line.answer(ACCEPTED)
        await line.exactly(1)

    async with serve(script) as server, client(server.url, transport) as veo:
        await veo.submit(REQUEST)
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(REQUEST)

    assert (server.connections, server.posts) == (1, 1)


# Nothing is sent.


class Dials:
    """Counts the connections that the running loop is asked to open."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, then: Callable[[], object] = lambda: None
    ) -> None:
        self.count = 0
        self._then = then
        loop = asyncio.get_running_loop()
        self._connect = loop.sock_connect
        monkeypatch.setattr(loop, "sock_connect", self._counted)

    async def _counted(self, sock: socket, address: Any) -> None:
        self.count += 1
        self._then()
        await self._connect(sock, address)


async def check_not_sent(veo: VeoClient, cause: str | None = None) -> ConnectionFailedError:
    """The caller is told that nothing was bought."""
    with pytest.raises(ConnectionFailedError, match=cause) as caught:
        await veo.submit(REQUEST)
    assert not caught.value.may_have_cost
    return caught.value


def free_port() -> int:
    """A port where nobody listens."""
    with create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@each_transport
async def test_a_refused_connection_is_tried_again(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody listens nothing was sent: it is tried ``attempts`` times, then told."""
    dials = Dials(monkeypatch)

    async with client(f"http://127.0.0.1:{free_port()}", transport) as veo:
        await check_not_sent(veo)

    assert dials.count == 3


@each_transport
async def test_a_server_that_comes_up_meanwhile_gets_one_submit(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trying again buys once."""
    dials = Dials(monkeypatch)

    async with serve(answering(ACCEPTED)) as server:
        refusals = iter([ConnectionRefusedError(111, "refused")] * 2)
        connect = dials._connect

        async def refuse_twice(sock: socket, address: Any) -> None:
            if refusal := next(refusals, None):
                raise refusal
            await connect(sock, address)

        monkeypatch.setattr(dials, "_connect", refuse_twice)
        async with client(server.url, transport) as veo:
            task = await veo.submit(REQUEST)

    assert task.id == "t-1"
    assert (dials.count, server.posts) == (3, 1)


@each_transport
async def test_an_unknown_name_is_looked_up_again(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that does not resolve is nobody who could have read the submit."""
    looks = []

    async def look(host: str, port: int, **options: Any) -> list[Any]:
        looks.append(host)
        raise gaierror(EAI_NONAME, "no such name")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look)

    async with client("https://api.example", transport) as veo:
        await check_not_sent(veo)

    assert len(looks) == 3


@each_transport
async def test_a_connection_that_does_not_open_was_not_used(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where connections are not accepted nothing was sent."""
    async with serve(backlog=0) as server:
        others = [socket() for _ in range(4)]
        for other in others:  # the queue of connections is full now: further ones are ignored
            other.setblocking(False)
            other.connect_ex(("127.0.0.1", server.port))
        dials = Dials(monkeypatch, partial(Clock(monkeypatch).skip, CONNECT_TIMEOUT))
        async with client(server.url, transport) as veo:
            await check_not_sent(veo, "Timeout")
        for other in others:
            assert other.getsockopt(SOL_SOCKET, SO_ERROR) == 0
            other.close()

    assert dials.count == 3


async def silent(line: Line) -> None:
    """Never answer the greeting of TLS."""
    await line.hang()


async def deaf(line: Line) -> None:
    """Close when TLS is greeted."""
    await line.exactly(20)


async def plain(line: Line) -> None:
    """Speak HTTP where TLS is expected."""
    await line.exactly(20)
    await line.say("HTTP/1.1 400 Bad Request\r\n\r\n")


async def over_tls(line: Line) -> None:
    """Answer over TLS."""
    await line.start_tls()
    await line.request()
    await line.answer(ACCEPTED)


@each_transport
@pytest.mark.parametrize("script", [silent, deaf, plain, over_tls])
async def test_without_tls_nothing_is_sent(
    script: Script, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not shake hands, or whose certificate is refused, gets no byte of a
    submit; the connection is tried again."""
    clock = Clock(monkeypatch)

    async with serve(script) as server, client(server.tls_url, transport) as veo:
        server.on_hang = partial(clock.skip, CONNECT_TIMEOUT)
        await check_not_sent(veo)

    assert (server.connections, server.requests) == (3, [])


@each_transport
async def test_a_trusted_server_gets_the_submit(transport: Transport) -> None:
    """The table above fails for its reasons, not for lack of TLS."""
    async with (
        serve(over_tls) as server,
        client(server.tls_url, transport, verify=client_tls()) as veo,
    ):
        task = await veo.submit(REQUEST)

    assert task.id == "t-1"
    assert server.posts == 1


@each_transport
async def test_a_cut_within_tls_is_uncertain(transport: Transport) -> None:
    """A connection that ends after the handshake may have carried the submit."""

    async def script(line: Line) -> None:
        await line.start_tls()
        await line.request()
        line.reset()

    async with (
        serve(script) as server,
        client(server.tls_url, transport, verify=client_tls()) as veo,
    ):
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(REQUEST)

    assert (server.connections, server.posts) == (1, 1)
