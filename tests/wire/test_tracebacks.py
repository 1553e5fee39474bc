"""No traceback leads to the token: not by the variables of its frames, and not by what these refer
to, on any transport, however the call ends."""

from __future__ import annotations

import asyncio
import copy
import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import httpx
import pytest
from httpx_aiohttp import AiohttpTransport

from tests.support.leaks import leaks
from tests.support.sockets import Line, Script, client_tls, serve
from veo_async import PollPolicy, RateLimit, RetryPolicy, TextToVideo, VeoClient
from veo_async._base.token import Token
from veo_async.emulator import Emulator, Fault, Hang
from veo_async.errors import InvalidRequestError, NoTokenError, VeoError

pytestmark = [pytest.mark.asyncio, pytest.mark.real_loop]

TOKEN = "Sk-9f3b27d1e04c58a6b0c1"
REQUEST = TextToVideo(prompt="A coffee mug")
HURRY = RetryPolicy(
    on_uncertain="raise", attempts=2, rate_limit_attempts=1, backoff=0.001, shutdown_grace=0.001
)

Transport = Literal["httpx", "aiohttp", "mock", "own"]
each_transport = pytest.mark.parametrize("transport", ["httpx", "aiohttp", "mock", "own"])


class Own(httpx.AsyncBaseTransport):
    """A transport around another one, which says what it sent in its errors."""

    def __init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=client_tls())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        copied = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.content
        )
        try:
            return await self._inner.handle_async_request(copied)
        except httpx.TransportError as exc:
            raise httpx.ReadError(str(exc), request=copied) from exc

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def client(url: str, transport: Transport) -> AsyncIterator[VeoClient]:
    """A client on a transport; the mocked one passes requests on to the default one."""
    tls = client_tls()
    real = httpx.AsyncHTTPTransport(verify=tls)
    made: dict[str, Callable[[], httpx.AsyncBaseTransport]] = {
        "aiohttp": lambda: AiohttpTransport(verify=tls),
        "mock": lambda: httpx.MockTransport(real.handle_async_request),
        "own": Own,
    }
    options: dict[str, Any] = {"verify": tls}
    if transport in made:
        options["transport"] = made[transport]()
    async with VeoClient(
        TOKEN,
        base_url=url,
        retry=HURRY,
        poll=PollPolicy(first_delay=0, min_interval=0.001, max_failed_polls=1),
        **options,
    ) as veo:
        yield veo
    await real.aclose()


def check_clean(error: BaseException) -> None:
    """Nothing leads to the token, and a traceback with variables can be printed."""
    assert leaks(error, TOKEN, not_in=__file__) == []
    "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


# How a call may fail.


def saying(text: str) -> Script:
    """Read a request, and write this."""

    async def script(line: Line) -> None:
        while True:
            await line.request()
            await line.say(text)
            if "content-length: 99" in text or not text:
                line.reset()

    return script


REFUSALS = {
    "refused": 'HTTP/1.1 401 No\r\ncontent-length: 35\r\n\r\n{"error": {"code": "invalid_token"}}'[
        :-1
    ],
    "throttled": 'HTTP/1.1 429 No\r\ncontent-length: 13\r\n\r\n{"error": {}}',
    "failed": 'HTTP/1.1 500 Oh\r\ncontent-length: 13\r\n\r\n{"error": {}}',
    "page": "HTTP/1.1 404 No\r\ncontent-length: 2\r\n\r\nNo",
    "broken": "garbage\r\n\r\n",
    "torn": "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
    "reset": "",
}
CALLS: dict[str, Callable[[VeoClient], Awaitable[Any]]] = {
    "submit": lambda veo: veo.submit(REQUEST),
    "generate": lambda veo: veo.text2video("A coffee mug"),
    "wait": lambda veo: veo.wait("t-1", timeout=0.2),
    "retrieve": lambda veo: veo.tasks.retrieve("t-1"),
}


@each_transport
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("answer", REFUSALS)
async def test_no_error_of_a_call_leads_to_it(answer: str, call: str, transport: Transport) -> None:
    """Refusals, failures and broken connections, of submits, waits and lookups."""
    async with serve(saying(REFUSALS[answer])) as server, client(server.url, transport) as veo:
        with pytest.raises(VeoError) as caught:
            await CALLS[call](veo)
        check_clean(caught.value)


@each_transport
async def test_a_service_that_is_not_there_leads_nowhere(transport: Transport) -> None:
    """A connection that is refused."""
    async with serve() as gone:
        pass
    async with client(gone.url, transport) as veo:
        with pytest.raises(VeoError) as caught:
            await veo.submit(REQUEST)
        check_clean(caught.value)


async def timed_out(call: Awaitable[Any], begun: asyncio.Event) -> None:
    """``asyncio.timeout``, which is over while the answer is awaited."""
    async with asyncio.timeout(None) as limit:
        waiting = asyncio.create_task(begun.wait())
        waiting.add_done_callback(lambda _: limit.reschedule(0))
        await call


async def in_scope(call: Awaitable[Any], begun: asyncio.Event) -> None:
    """anyio's scope."""
    with anyio.fail_after(60) as scope:
        waiting = asyncio.create_task(begun.wait())
        waiting.add_done_callback(lambda _: setattr(scope, "deadline", 0))
        await call


async def waited_for(call: Awaitable[Any], begun: asyncio.Event) -> None:
    """``asyncio.wait_for``."""
    await asyncio.wait_for(call, 0.2)


async def cancelled(call: Awaitable[Any], begun: asyncio.Event) -> None:
    """A task that is cancelled."""
    task = asyncio.ensure_future(call)
    await begun.wait()
    task.cancel()
    await task


async def in_group(call: Awaitable[Any], begun: asyncio.Event) -> None:
    """A task group, where a sibling fails."""

    async def fail() -> None:
        await begun.wait()
        raise ValueError("a sibling")

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        await call


@each_transport
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("how", [timed_out, in_scope, waited_for, cancelled, in_group])
async def test_no_cancelled_call_leads_to_it(how: Any, call: str, transport: Transport) -> None:
    """A timeout, a scope or a cancellation while the answer is awaited."""
    begun = asyncio.Event()

    async def silent(line: Line) -> None:
        await line.request()
        await line.hang()

    async with serve(silent) as server, client(server.url, transport) as veo:
        server.on_hang = begun.set
        with pytest.raises(BaseException) as caught:  # noqa: PT011 - any exception at all
            await how(CALLS[call](veo), begun)
        check_clean(caught.value)


async def test_no_call_in_the_emulator_leads_to_it() -> None:
    """The emulator in process, too."""
    emulator = Emulator(faults=[Fault(effect=Hang(at="accepted"), on="retrieve")])

    async with VeoClient(
        TOKEN, base_url=emulator.base_url, transport=emulator.transport(), retry=HURRY
    ) as veo:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.05):
                await veo.tasks.retrieve("t-1")
        check_clean(caught.value)


async def test_a_cancellation_that_quotes_it_is_cut_off() -> None:
    """A cancellation goes on; what it was raised from does not, if that tells the token."""

    async def handler(request: httpx.Request) -> httpx.Response:
        raise asyncio.CancelledError from ValueError(request.headers["authorization"])

    async with VeoClient(TOKEN, transport=httpx.MockTransport(handler)) as veo:
        with pytest.raises(asyncio.CancelledError) as caught:
            await veo.tasks.retrieve("t-1")
        check_clean(caught.value)

    assert caught.value.__cause__ is None


# The client itself.

ODD: list[dict[str, Any]] = [
    {"base_url": "http://api.example"},
    {"mode": "odd"},
    {"proxy": "odd://user:hidden-word@x"},
    {"proxy": "http://user:hidden/word@x"},
    {"rate_limit": 3},
    {"retry": 3},
    {"poll": 3},
    {"callbacks": 3},
    {"transport": 3},
    {"timeout": -1},
    {"on_event": 3},
    {"runtime": 3},
    {"verify": "/nowhere/ca.pem"},
    {"base_url": "http://127.0.0.1:1", "proxy": "http://user:hidden-word@proxy.example"},
    {"transport": AiohttpTransport(verify=False), "proxy": "http://user:hidden-word@127.0.0.1"},
]


@pytest.mark.parametrize("options", ODD, ids="-".join)
async def test_no_refused_option_leads_to_it(options: dict[str, Any]) -> None:
    """The constructor gives the token away before anything can raise, and the half-made client can
    be printed. The password of a proxy is not printed either."""
    with pytest.raises(InvalidRequestError) as caught:
        VeoClient(TOKEN, **options)

    error = caught.value
    check_clean(error)
    assert error.__traceback__ is not None
    ours = error.__traceback__.tb_next
    shown = traceback.TracebackException(type(error), error, ours, capture_locals=True)
    assert "hidden" not in "".join(shown.format())


@pytest.mark.parametrize("given", [f"{TOKEN} {TOKEN}", f"{TOKEN}é", f"{TOKEN}\n{TOKEN}"])
async def test_no_impossible_token_leads_to_itself(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither as an argument nor from the environment."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", given)
    for arguments in [(given,), ()]:
        with pytest.raises(NoTokenError) as caught:
            VeoClient(*arguments)
        check_clean(caught.value)


async def test_a_token_is_neither_pickled_nor_copied_nor_shown() -> None:
    """A client has its own; what else is shown of it is a stand-in."""
    token = Token(TOKEN)

    assert repr(token) == "Token([secret])"
    assert not hasattr(token, "__dict__")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            attempt(token)


async def test_a_client_leads_nowhere() -> None:
    """By none of its parts, in a few steps."""

    class Holder(Exception):
        """Refers to a client."""

    async with VeoClient(TOKEN, rate_limit=RateLimit(concurrency=2)) as veo:
        check_clean(Holder(veo))
