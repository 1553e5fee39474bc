"""Proxies, with small real ones on this machine: the environment's, and the option's."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

import anyio
import httpx
import pytest
from httpx_aiohttp import AiohttpTransport

from tests.support.sockets import Line, Script, Server, client_tls, serve
from veo_async import PollPolicy, RetryPolicy, TextToVideo, VeoClient
from veo_async.emulator import Emulator, Immediate
from veo_async.errors import (
    ConnectionFailedError,
    InvalidRequestError,
    NoAPIError,
    SubmissionUncertainError,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.real_loop]

TOKEN = "a-secret-token"
REQUEST = TextToVideo(prompt="A coffee mug")
ACCEPTED = b'{"task_id": "t-1"}'
NAMED = "https://api.example"
"""The service by a name that only a proxy knows how to reach."""

HURRY = RetryPolicy(
    on_uncertain="raise", attempts=3, backoff=0.001, max_backoff=0.002, submit_timeout=60.0
)

Transport = Literal["httpx", "aiohttp"]
each_transport = pytest.mark.parametrize("transport", ["httpx", "aiohttp"])


@asynccontextmanager
async def client(
    base_url: str, *, proxy: str | None = None, transport: Transport = "httpx"
) -> AsyncIterator[VeoClient]:
    """The client as users have it; aiohttp's transport is told of its proxy itself."""
    tls = client_tls()
    options: dict[str, Any] = {"verify": tls, "proxy": proxy}
    if transport == "aiohttp":
        given = httpx.Proxy(proxy) if proxy else None
        options = {"transport": AiohttpTransport(verify=tls, proxy=given)}
    async with VeoClient(
        TOKEN, base_url=base_url, retry=HURRY, poll=PollPolicy(first_delay=0), **options
    ) as veo:
        yield veo


# Proxies, and who is behind them.


async def forward(line: Line) -> None:
    """A proxy for plain HTTP: passes on one request, and its answer."""
    request = await line.request()
    url = httpx.URL(request.target)
    headers = {**request.headers, "connection": "close"}
    lines = [f"{request.method} {url.raw_path.decode()} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    async with await anyio.connect_tcp(url.host, url.port or 80) as far:
        await far.send("\r\n".join([*lines, "", ""]).encode() + request.body)
        async for data in far:
            await line.say(data)


async def tunnel(server: Server, line: Line) -> None:
    """A proxy for HTTPS: opens a tunnel, whatever the name."""
    await line.request()
    await line.say("HTTP/1.1 200 Connection established\r\n\r\n")
    await line.relay("127.0.0.1", server.port)


def tunnel_to(server: Server) -> Script:
    """A proxy that leads there."""
    return partial(tunnel, server)


def saying(*words: str) -> Script:
    """Read a request, say this, and close."""

    async def script(line: Line) -> None:
        await line.request()
        for word in words:
            await line.say(word)

    return script


async def plain(line: Line) -> None:
    """The service, without TLS."""
    await line.request()
    await line.answer(ACCEPTED)


async def over_tls(line: Line) -> None:
    """The service, with TLS."""
    await line.start_tls()
    await plain(line)


# Which proxy is used.


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_call_to_this_machine_leaves_it(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain http is allowed because it stays here, so the environment's proxies, which are other
    machines, are not asked, with or without NO_PROXY."""
    emulator = Emulator(pace=Immediate())

    async with emulator.serve() as base_url, serve(forward) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        async with client(base_url) as veo:
            await veo.text2video("A coffee mug")

    assert len(emulator.bill) == 1
    assert proxy.connections == 0


async def test_a_proxy_on_this_machine_may_be_named() -> None:
    """For a debugging proxy: submit and polls go through the option's, with whole URLs."""
    emulator = Emulator(pace=Immediate())

    async with (
        emulator.serve() as base_url,
        serve(forward) as proxy,
        client(base_url, proxy=proxy.url) as veo,
    ):
        generation = await veo.text2video("A coffee mug")

    assert generation.task_id == emulator.bill[0].task_id
    targets = [request.target for request in proxy.requests]
    assert targets[0] == f"{base_url}/veo/videos"
    assert set(targets[1:]) == {f"{base_url}/veo/tasks"}


@pytest.mark.parametrize("host", ["proxy.example", "10.0.0.1", "[2001:db8::1]"])
async def test_plain_http_takes_no_proxy_of_another_machine(host: str) -> None:
    """The token would cross the network in the clear: refused before anything is sent. With https
    the same proxy is a tunnel."""
    with pytest.raises(InvalidRequestError, match="would read the token") as caught:
        VeoClient(TOKEN, base_url="http://127.0.0.1:1", proxy=f"http://{host}:3128")
    await VeoClient(TOKEN, base_url="https://127.0.0.1:1", proxy=f"http://{host}:3128").aclose()

    assert caught.value.field == "proxy"


async def test_a_transport_has_its_own_proxy() -> None:
    """The option would not be used."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200))

    with pytest.raises(InvalidRequestError, match="the default transport") as caught:
        VeoClient(TOKEN, transport=transport, proxy="http://127.0.0.1:1")

    assert caught.value.field == "proxy"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_https_goes_through_a_tunnel(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is told the name and nothing else: TLS is with the service, and checked by its
    name, and the proxy never sees the token."""
    async with serve(over_tls) as service, serve(tunnel_to(service)) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        async with client(NAMED) as veo:
            task = await veo.submit(REQUEST)

    assert task.id == "t-1"
    assert service.posts == 1
    (connect,) = proxy.requests
    assert (connect.method, connect.target) == ("CONNECT", "api.example:443")
    assert "authorization" not in connect.headers
    assert TOKEN not in str(connect)


@pytest.mark.parametrize("no_proxy", ["api.invalid", "*", "example.org, .invalid"])
async def test_no_proxy_is_honoured(no_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts in NO_PROXY are connected to directly, if there is such a host."""
    async with serve(forward) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", no_proxy)
        async with client("https://api.invalid") as veo:
            with pytest.raises(ConnectionFailedError):
                await veo.submit(REQUEST)

    assert proxy.connections == 0


async def test_the_option_is_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """``proxy=`` beats the environment, NO_PROXY too, and may hold a name and a password."""
    async with (
        serve(over_tls) as service,
        serve(tunnel_to(service)) as proxy,
        serve(plain) as other,
    ):
        monkeypatch.setenv("HTTPS_PROXY", other.url)
        monkeypatch.setenv("NO_PROXY", "*")
        address = f"http://user:word@127.0.0.1:{proxy.port}"
        async with client(NAMED, proxy=address) as veo:
            await veo.submit(REQUEST)
            assert "word" not in repr(veo)

    assert (service.posts, other.connections) == (1, 0)
    (connect,) = proxy.requests
    assert connect.headers["proxy-authorization"] == f"Basic {b64encode(b'user:word').decode()}"
    assert "proxy-authorization" not in service.requests[0].headers


async def test_a_given_transport_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxies are for the default transport."""
    async with serve(plain) as service, serve(forward) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with client(service.url, transport="aiohttp") as veo:
            await veo.submit(REQUEST)

    assert (service.posts, proxy.connections) == (1, 0)


# What a proxy's failures prove.


@each_transport
@pytest.mark.parametrize(
    "status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway", "302 Found"]
)
async def test_a_refused_tunnel_was_not_used(status: str, transport: Transport) -> None:
    """A proxy that does not open a tunnel has read its name, and no byte of a submit: it is asked
    again, within bounds, and told as nothing bought."""
    refusal = saying(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")

    async with (
        serve(refusal) as proxy,
        client(NAMED, proxy=proxy.url, transport=transport) as veo,
    ):
        with pytest.raises(ConnectionFailedError) as caught:
            await veo.submit(REQUEST)

    assert not caught.value.may_have_cost
    assert status[4:] in str(caught.value)
    assert [request.method for request in proxy.requests] == ["CONNECT"] * 3


@each_transport
async def test_a_proxy_that_is_not_there_was_not_used(transport: Transport) -> None:
    """Like a service that is not there."""
    async with serve(plain) as gone:
        pass

    async with client(NAMED, proxy=gone.url, transport=transport) as veo:
        with pytest.raises(ConnectionFailedError):
            await veo.submit(REQUEST)

    assert gone.connections == 0


@each_transport
async def test_tls_that_fails_in_a_tunnel_was_not_used(transport: Transport) -> None:
    """A tunnel to somebody else, whose certificate is refused, carried no submit."""

    async def imposter(line: Line) -> None:
        await line.request()
        await line.say("HTTP/1.1 200 OK\r\n\r\n")
        await line.exactly(20)
        await line.say("HTTP/1.1 400 Bad Request\r\n\r\n")

    async with (
        serve(imposter) as proxy,
        client(NAMED, proxy=proxy.url, transport=transport) as veo,
    ):
        with pytest.raises(ConnectionFailedError):
            await veo.submit(REQUEST)

    assert proxy.connections == 3


@each_transport
@pytest.mark.parametrize("words", [(), ("HTTP/1.1 2",), ("garbage\r\n\r\n",)])
async def test_a_tunnel_that_is_cut_as_it_opens_is_uncertain(
    words: tuple[str, ...], transport: Transport
) -> None:
    """Nothing was sent, but the exception is that of any cut request, so nothing proves it."""
    async with (
        serve(saying(*words)) as proxy,
        client(NAMED, proxy=proxy.url, transport=transport) as veo,
    ):
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(REQUEST)

    assert proxy.connections == 1


@each_transport
async def test_a_tunnel_that_dies_is_uncertain(transport: Transport) -> None:
    """The service has read the submit when the proxy dies: it is not sent again."""
    read = anyio.Event()

    async def service_that_thinks(line: Line) -> None:
        await line.start_tls()
        await line.request()
        await line.hang()

    async def proxy_that_dies(line: Line) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(tunnel, service, line)
            await read.wait()
            group.cancel_scope.cancel()
        line.reset()

    async with (
        serve(service_that_thinks) as service,
        serve(proxy_that_dies) as proxy,
        client(NAMED, proxy=proxy.url, transport=transport) as veo,
    ):
        service.on_hang = read.set
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(REQUEST)

    assert (proxy.connections, service.posts) == (1, 1)


@each_transport
@pytest.mark.parametrize(
    "words",
    [(), ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",)],
    ids=["cut", "502"],
)
async def test_a_forwarding_proxy_has_read_the_submit(
    words: tuple[str, ...], transport: Transport
) -> None:
    """Without a tunnel the proxy has the submit itself, and may have passed it on."""
    async with serve(plain) as service:
        pass
    async with (
        serve(saying(*words)) as proxy,
        client(service.url, proxy=proxy.url, transport=transport) as veo,
    ):
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(REQUEST)

    assert [request.method for request in proxy.requests] == ["POST"]


@each_transport
async def test_a_forwarding_proxy_that_wants_a_password_is_told(transport: Transport) -> None:
    """Its page is no answer of the service, which was never heard of: nothing is searched for."""
    no = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 3\r\n\r\nNo."
    async with serve(plain) as service:
        pass
    async with (
        serve(saying(no)) as proxy,
        client(service.url, proxy=proxy.url, transport=transport) as veo,
    ):
        with pytest.raises(NoAPIError, match=r"HTTP 407 \(no content type: No\.\)"):
            await veo.submit(REQUEST)

    assert [request.method for request in proxy.requests] == ["POST"]
