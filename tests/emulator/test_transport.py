"""The in-process connection behaves like a socket."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextvars import ContextVar

import anyio
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from veo_async.emulator import EmulatorTransport, Hang, Looks, Seconds
from veo_async.emulator._background import Background
from veo_async.emulator._transport import ROOM

from .calls import ASYNC, calling

variable: ContextVar[str] = ContextVar("variable", default="nothing")


def transport_to(app: object) -> tuple[EmulatorTransport, Background]:
    """A transport to a small app."""
    background = Background()
    return EmulatorTransport(app, background), background  # type: ignore[arg-type]


def request(content: object = b"", **extensions: object) -> httpx.Request:
    """A call with this body and these timeouts."""
    return httpx.Request(
        "POST",
        "http://emulator/path%20x?q=1",
        content=content,  # type: ignore[arg-type]
        extensions={"timeout": extensions},
    )


async def ok(send: Send, body: bytes = b"ok") -> None:
    """A small answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def test_its_failures_have_a_known_meaning() -> None:
    """A client may interpret its connection errors like those of httpcore."""
    assert EmulatorTransport.failure_family == "httpx"


@pytest.mark.asyncio
async def test_a_cancelled_caller_does_not_cancel_the_call() -> None:
    """The service has the request and continues: that is how an answer gets lost."""
    async with calling() as caller:
        caller.fault(Hang(at="read", seconds=10))
        with anyio.move_on_after(1):
            await caller.submit(**{"async": True})
        cut_off = len(caller.emulator.bill)
        await anyio.sleep(10)

        assert cut_off == 0
        assert len(caller.emulator.bill) == 1


@pytest.mark.asyncio
async def test_a_closed_client_does_not_cancel_the_call() -> None:
    """Only the emulator ends its calls; a client that is closed merely disconnects."""
    async with calling() as caller:
        caller.fault(Hang(at="read", seconds=10))
        transport = caller.emulator.transport()
        client = httpx.AsyncClient(transport=transport, base_url=caller.emulator.base_url)
        client.headers["authorization"] = "Bearer any"
        call = asyncio.create_task(client.post("/veo/videos", json=ASYNC))
        await anyio.sleep(1)

        await client.aclose()
        call.cancel()
        await anyio.sleep(10)

        assert len(caller.emulator.bill) == 1


@pytest.mark.asyncio
async def test_closing_the_emulator_ends_open_calls() -> None:
    """The connection of an open call ends."""
    async with calling(pace=Seconds(mean=1e6, sigma=0)) as caller:
        call = asyncio.create_task(caller.submit())
        await anyio.sleep(1)

        await caller.emulator.aclose()

        with pytest.raises(httpx.RemoteProtocolError):
            await call


@pytest.mark.asyncio
async def test_the_app_runs_in_an_empty_context() -> None:
    """Nothing of the caller's context reaches the service."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(variable.get())
        await ok(send)

    variable.set("the caller's")
    transport, _ = transport_to(app)
    await transport.handle_async_request(request())

    assert seen == ["nothing"]


@pytest.mark.asyncio
async def test_the_scope_and_the_messages_of_the_app() -> None:
    """The scope is that of an ASGI server; the body comes in chunks, then the disconnect."""
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend(scope[key] for key in ("method", "path", "raw_path", "query_string", "server"))
        seen.extend([(await receive())["body"] for _ in range(3)])
        await ok(send)
        seen.append((await receive())["type"])

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    transport, _ = transport_to(app)
    response = await transport.handle_async_request(request(chunks()))
    await response.aread()
    await response.aclose()
    await anyio.sleep(0.1)

    assert seen == [
        *("POST", "/path x", b"/path%20x", b"q=1", ("emulator", None)),
        *(b"one", b"two", b""),
        "http.disconnect",
    ]


@pytest.mark.asyncio
async def test_bodies_are_streamed_with_bounded_buffers() -> None:
    """A long answer waits for its reader. When the caller closes it, the app's sends return."""
    sent = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(100):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            sent.append(number)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    transport, _ = transport_to(app)
    response = await transport.handle_async_request(request())
    await anyio.sleep(1)
    waiting = len(sent)
    stream = response.aiter_raw()
    await anext(stream)
    await response.aclose()
    await anyio.sleep(1)

    assert waiting <= ROOM
    assert len(sent) == 100


@pytest.mark.asyncio
async def test_the_write_timeout() -> None:
    """If the app does not read, the buffer fills up and the caller's write times out."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep_forever()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"

    transport, background = transport_to(app)
    with pytest.raises(httpx.WriteTimeout):
        await transport.handle_async_request(request(endless(), write=3.0))

    assert anyio.current_time() == pytest.approx(3)
    await background.aclose()


@pytest.mark.asyncio
async def test_an_answer_before_the_body_was_read() -> None:
    """Like on a socket, the caller stops sending and reads the answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await ok(send)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x"

    transport, _ = transport_to(app)
    response = await transport.handle_async_request(request(endless()))

    assert await response.aread() == b"ok"


@pytest.mark.asyncio
async def test_a_caller_who_disconnects_while_sending() -> None:
    """The app receives a disconnect, not a body that seems complete."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([(await receive())["type"] for _ in range(2)])

    async def halting() -> AsyncIterator[bytes]:
        yield b"half"
        await anyio.sleep_forever()

    transport, _ = transport_to(app)
    with anyio.move_on_after(1):
        await transport.handle_async_request(request(halting()))
    await anyio.sleep(0.1)

    assert seen == ["http.request", "http.disconnect"]


@pytest.mark.asyncio
@pytest.mark.parametrize("rest", [[], [b"rest"]])
async def test_a_transport_that_is_closed_while_sending(rest: list[bytes]) -> None:
    """The app receives a disconnect, also if it reads the body only afterwards."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(10)
        seen.extend([(await receive())["type"] for _ in range(2)])

    async def halting() -> AsyncIterator[bytes]:
        yield b"half"
        await anyio.sleep(5)
        for chunk in rest:
            yield chunk

    transport, _ = transport_to(app)
    call = asyncio.create_task(transport.handle_async_request(request(halting())))
    await anyio.sleep(1)
    await transport.aclose()
    with pytest.raises(httpx.RemoteProtocolError):
        await call

    assert seen == ["http.request", "http.disconnect"]


@pytest.mark.asyncio
async def test_a_submit_that_was_half_sent_is_not_accepted() -> None:
    """Half a body is not a request."""

    async def halting() -> AsyncIterator[bytes]:
        yield b'{"action": "text2video", '
        await anyio.sleep_forever()

    async with calling() as caller:
        with anyio.move_on_after(1):
            await caller.http.post("/veo/videos", content=halting())
        await anyio.sleep(1)

        assert caller.emulator.bill == []
        assert caller.emulator.counters == {}


@pytest.mark.asyncio
async def test_a_mistake_of_the_app_is_loud(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in the emulator itself reaches the test that caused it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("a mistake")

    transport, _ = transport_to(app)
    with pytest.raises(LookupError, match="a mistake"):
        await transport.handle_async_request(request())

    assert "the emulator itself failed" in caplog.text


@pytest.mark.asyncio
async def test_a_mistake_in_the_middle_of_an_answer_is_loud() -> None:
    """An exception after the head of the answer reaches the reader of its body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise LookupError("a mistake")

    transport, _ = transport_to(app)
    response = await transport.handle_async_request(request())
    stream = response.aiter_raw()

    assert await anext(stream) == b"half"
    with pytest.raises(LookupError, match="a mistake"):
        await anext(stream)


@pytest.mark.asyncio
async def test_an_answer_after_the_caller_disconnected_is_dropped() -> None:
    """The app can send its answer as usual."""
    ended = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(10)
        await ok(send)
        ended.append(True)

    transport, _ = transport_to(app)
    with pytest.raises(httpx.ReadTimeout):
        await transport.handle_async_request(request(read=1.0))
    await anyio.sleep(10)

    assert ended == [True]


@pytest.mark.asyncio
async def test_closing_the_transport_disconnects() -> None:
    """Open answers end when the transport is closed, like connections."""
    received = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        received.append((await receive())["type"])

    transport, _ = transport_to(app)
    await transport.handle_async_request(request())
    await transport.aclose()
    await anyio.sleep(0.1)

    assert received == ["http.disconnect"]


@pytest.mark.asyncio
async def test_closing_the_transport_wakes_a_reader() -> None:
    """A caller who waits for more of an answer does not wait for ever."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await anyio.sleep_forever()

    transport, background = transport_to(app)
    response = await transport.handle_async_request(request())
    reading = asyncio.create_task(response.aread())
    await anyio.sleep(1)
    await transport.aclose()

    assert await reading == b""
    await background.aclose()


@pytest.mark.asyncio
async def test_an_answer_may_be_dropped_unread() -> None:
    """Nothing outside of the process stays open, so there is no `ResourceWarning`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await ok(send)

    transport, _ = transport_to(app)
    response = await transport.handle_async_request(request())

    assert response.status_code == 200
    del response, transport
    gc.collect()


@pytest.mark.asyncio
async def test_a_thousand_tasks_are_cheap() -> None:
    """An accepted task costs neither a timer nor a task of the event loop."""
    async with calling(pace=Looks(1)) as caller:
        for _ in range(50):
            await asyncio.gather(*(caller.submit(**{"async": True}) for _ in range(20)))

        assert len(caller.emulator.bill) == 1000
        assert len(asyncio.all_tasks()) < 5
