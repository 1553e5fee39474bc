"""The token stays between the client and the API: not in a log, a ``repr``, an error, a URL, or
another host's hands."""

from __future__ import annotations

import asyncio
import json
import pickle
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx
import pytest
from httpx_aiohttp import AiohttpTransport

from tests.samples import load
from tests.support.sockets import Line, Script, Server, client_tls, serve
from veo_async import PollPolicy, RetryPolicy, TextToVideo, VeoClient
from veo_async.errors import (
    APIError,
    DownloadError,
    NoAPIError,
    NoTokenError,
    PollingError,
    SubmissionUncertainError,
    VeoError,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.real_loop]

TOKEN = 'Sk/9f3b+27"d1e04c\\58'
REQUEST = TextToVideo(prompt="A coffee mug")
ACCEPTED = b'{"task_id": "t-1"}'
VIDEO = (
    b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42\x00\x00\x00\x08moov"
    b"\x00\x00\x00\x10mdatpictures"
)

SPELLINGS = [
    TOKEN,
    json.dumps(TOKEN)[1:-1],
    json.dumps(TOKEN)[1:-1].replace("/", r"\/"),
    quote(TOKEN, safe=""),
    repr(TOKEN)[1:-1],
    TOKEN[3:9],
    b64encode(TOKEN.encode()).decode()[:20],
    quote(quote(TOKEN, safe=""), safe=""),
]

Transport = Literal["httpx", "aiohttp"]
each_transport = pytest.mark.parametrize("transport", ["httpx", "aiohttp"])


def check_secret(*texts: str) -> None:
    """Nothing of the token is in any of them."""
    for text in texts:
        for spelling in SPELLINGS:
            assert spelling not in text


@asynccontextmanager
async def client(
    url: str, *, transport: Transport = "httpx", **options: Any
) -> AsyncIterator[VeoClient]:
    """The client as users have it, in a hurry, and with asyncio in debug mode."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0  # asyncio logs everything that it runs
    tls = client_tls()
    fixed: dict[str, Any] = {
        "retry": RetryPolicy(
            on_uncertain="raise",
            attempts=2,
            rate_limit_attempts=1,
            backoff=0.001,
            submit_timeout=30.0,
        ),
        "poll": PollPolicy(first_delay=0, min_interval=0.001, max_failed_polls=1),
        "verify": tls,
    }
    if transport == "aiohttp":
        fixed["transport"] = AiohttpTransport(verify=tls)
    async with VeoClient(TOKEN, base_url=url, **fixed | options) as veo:
        yield veo


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that anybody logs, at every level."""
    caplog.set_level(1)
    yield caplog
    assert {record.name.split(".")[0] for record in caplog.records} >= {"asyncio"}


def rendered(error: BaseException) -> str:
    """All that a reporter can show of an error: its chain, the variables of its frames, its
    ``repr``, and what it takes along through a pickle."""
    ours = error.__traceback__
    while ours and ours.tb_frame.f_code.co_filename == __file__:
        ours = ours.tb_next  # this test's own variables know the token
    shown = traceback.TracebackException(type(error), error, ours, capture_locals=True)
    links: list[BaseException] = [error]
    for link in links:  # grows meanwhile
        links += [found for found in (link.__cause__, link.__context__) if found]
    parts = [*shown.format(), *traceback.format_exception(error)]
    parts += [f"{link!r} {link} {link.args} {vars(link)}" for link in links]
    parts += [str(pickle.dumps(error)), repr(vars(pickle.loads(pickle.dumps(error))))]
    for link in links:
        if isinstance(link, httpx.RequestError) and link._request:
            parts.append(str(link.request.headers.raw))
    return "\n".join(parts)


# What the service may do.


def token_of(line_headers: Any) -> str:
    """The token as the service reads it."""
    scheme, _, token = line_headers["authorization"].partition(" ")
    assert (scheme, token) == ("Bearer", TOKEN)
    return str(token)


def echo(make: Callable[[str], bytes]) -> Script:
    """Read requests, and answer with what is made of the token."""

    async def script(line: Line) -> None:
        while True:
            request = await line.request()
            await line.say(make(token_of(request.headers)))

    return script


def whole(status: str, body: str, more: str = "") -> bytes:
    """An answer with a body."""
    data = body.encode()
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(data)}\r\n{more}\r\n".encode() + data


def whole16(status: str, body: str) -> bytes:
    """An answer whose body is in UTF-16."""
    data = body.encode("utf-16")
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data


def error_of(message: str, *, escape: Callable[[str], str] = lambda text: text) -> str:
    """The service's error body with this message."""
    body = {"error": {"code": "invalid_token", "message": message}, "trace_id": message}
    return escape(json.dumps(body))


ECHOES: dict[str, Callable[[str], bytes]] = {
    "a refusal in JSON": lambda token: whole("401 No", error_of(f"bad token {token}.")),
    "slashes escaped": lambda token: whole(
        "401 No", error_of(token, escape=lambda text: text.replace("/", r"\/"))
    ),
    "all by number": lambda token: whole(
        "400 No", error_of(token, escape=lambda text: text.replace(json.dumps(token)[1:-1], "".join(
            f"\\u{ord(character):04x}" for character in token)))
    ),
    "JSON in JSON": lambda token: whole("403 No", error_of(json.dumps({"authorization": token}))),
    "a failure": lambda token: whole("500 Oh", error_of(f"Bearer {token}")),
    "a page": lambda token: whole("502 Oh", f"<pre>authorization: Bearer {token}</pre>"),
    "text": lambda token: whole("200 OK", f"Bearer {token}"),
    "a URL": lambda token: whole("200 OK", f"https://x.example/?token={quote(token, safe='')}"),
    "a bare error": lambda token: whole("400 No", json.dumps({"error": token})),
    "odd names": lambda token: whole("400 No", json.dumps({"error": {token: token}})),
    "UTF-16": lambda token: whole16("401 No", error_of(f"bad token {token}.")),
    "UTF-16 by number": lambda token: whole16("401 No", error_of("".join(
        f"\\u{ord(character):04x}" for character in token), escape=lambda text: text.replace(
            "\\\\", "\\"))),
    "HTML": lambda token: whole("502 Oh", f"<pre>{escape(token)}</pre>"),
    "base64": lambda token: whole("502 Oh", b64encode(f"Bearer {token}".encode()).decode()),
    "a URL in a URL": lambda token: whole("502 Oh", quote(quote(token, safe=""), safe="")),
    "two lines": lambda token: whole("502 Oh", f"{token[:7]}\r\n  {token[7:]}"),
    "a throttle": lambda token: whole("429 No", error_of(token)),
}  # fmt: skip

RAW_ECHOES: dict[str, Callable[[str], bytes]] = {
    "a header": lambda token: whole("401 No", error_of("no"), f"x-token: {token}\r\n"),
    "a place": lambda token: whole("302 Go", "", f"location: /?{token}\r\n"),
    "a cookie": lambda token: whole("500 Oh", "", f"set-cookie: a={quote(token)}\r\n"),
    "a reason": lambda token: whole(f"500 {token}", ""),
    "a retry": lambda token: whole("429 No", error_of("no"), f"retry-after: {token}\r\n"),
    "an encoding": lambda token: whole("200 OK", "{}", f"content-encoding: {token}\r\n"),
    "a broken status line": lambda token: f"{token} {token}\r\n\r\n".encode(),
    "a broken header": lambda token: f"HTTP/1.1 200 OK\r\n{token}\r\n\r\n".encode(),
    "a broken length": lambda token: f"HTTP/1.1 200 OK\r\ncontent-length: {token}\r\n\r\n".encode(),
    "a broken chunk": lambda token: (
        f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{token}\r\n".encode()
    ),
}


@each_transport
@pytest.mark.parametrize("name", ECHOES)
async def test_what_the_service_echoes_is_struck(
    name: str, transport: Transport, logs: pytest.LogCaptureFixture
) -> None:
    """An answer may repeat the token in any spelling: neither errors nor logs show it."""
    async with serve(echo(ECHOES[name])) as server, client(server.url, transport=transport) as veo:
        with pytest.raises(VeoError) as caught:
            await veo.submit(REQUEST)
        error = caught.value
        check_secret(rendered(error))

    assert "[secret]" in rendered(error)
    check_secret(logs.text)


@each_transport
@pytest.mark.parametrize("name", RAW_ECHOES)
async def test_what_breaks_http_is_struck(
    name: str, transport: Transport, logs: pytest.LogCaptureFixture
) -> None:
    """Neither headers nor a lower library's complaint about them tell the token. Only
    httpx's and httpcore's own logs show what the service itself put into its headers."""
    async with (
        serve(echo(RAW_ECHOES[name])) as server,
        client(server.url, transport=transport) as veo,
    ):
        with pytest.raises(VeoError) as caught:
            await veo.submit(REQUEST)
        check_secret(rendered(caught.value))

    theirs = {"httpx", "httpcore"}
    ours = [record for record in logs.records if record.name.split(".")[0] not in theirs]
    check_secret(*map(logs.handler.format, ours))


async def cut(line: Line) -> None:
    """Read, and say nothing."""
    await line.request()


async def reset(line: Line) -> None:
    """Read, and reset."""
    await line.request()
    line.reset()


async def torn(line: Line) -> None:
    """Answer by half."""
    await line.request()
    await line.say("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")


async def greeted(line: Line) -> None:
    """Never get beyond the greeting of TLS."""
    await line.exactly(20)


@each_transport
@pytest.mark.parametrize("script", [cut, reset, torn, greeted])
async def test_an_error_of_the_connection_does_not_tell(
    script: Script, transport: Transport, logs: pytest.LogCaptureFixture
) -> None:
    """Its chain is kept for the reader, with requests that have lost their token and frames that
    have forgotten it."""
    async with serve(script) as server:
        url = server.tls_url if script is greeted else server.url
        async with client(url, transport=transport) as veo:
            with pytest.raises(VeoError) as caught:
                await veo.submit(REQUEST)

    assert caught.value.__cause__ is not None
    check_secret(rendered(caught.value), logs.text)


@each_transport
async def test_polls_and_questions_do_not_tell(
    transport: Transport, logs: pytest.LogCaptureFixture
) -> None:
    """The rule for a submit holds for the listing, in errors and in records."""

    async def script(line: Line) -> None:
        await line.request()
        await line.answer(ACCEPTED)
        while True:
            request = await line.request()
            record = {"id": "t-1", "request": {"headers": token_of(request.headers)}}
            answers = {
                "t-1": whole("200 OK", json.dumps(record)),
                "t-2": ECHOES["a failure"](TOKEN),
                "t-3": ECHOES["a refusal in JSON"](TOKEN),
            }
            await line.say(answers[json.loads(request.body)["id"]])

    async with serve(script) as server, client(server.url, transport=transport) as veo:
        task = await veo.submit(REQUEST)
        record = await task.refresh()
        with pytest.raises(PollingError) as polled:
            await veo.wait("t-2")
        with pytest.raises(VeoError) as asked:
            await veo.tasks.retrieve("t-3")
        texts = [repr(task), repr(record), record.model_dump_json(), repr(record.request)]

    check_secret(*texts, rendered(polled.value), rendered(asked.value), logs.text)
    assert record.request == {"headers": "[secret]"}


async def test_a_submit_that_was_left_does_not_tell(logs: pytest.LogCaptureFixture) -> None:
    """The warning about it and its entry in ``unsettled`` hold no token."""
    read, gone = asyncio.Event(), asyncio.Event()

    async def script(line: Line) -> None:
        await line.request()
        read.set()
        await gone.wait()
        await line.say(ECHOES["a failure"](TOKEN))

    async with serve(script) as server, client(server.url) as veo:
        task = asyncio.create_task(veo.submit(REQUEST))
        await read.wait()
        task.cancel()
        gone.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        (left,) = veo.unsettled

    assert left.error is not None
    assert "veo_async" in {record.name for record in logs.records}
    check_secret(repr(left), rendered(left.error), logs.text)


@each_transport
async def test_a_success_is_logged_without_it(
    transport: Transport, logs: pytest.LogCaptureFixture
) -> None:
    """Not even the debug logs of all libraries have it."""

    async def script(line: Line) -> None:
        await line.request()
        await line.answer(load("text2video_result").body)

    async with serve(script) as server, client(server.url, transport=transport) as veo:
        generation = await veo.text2video("A coffee mug")

    if transport == "httpx":
        assert "httpcore" in logs.text
    check_secret(logs.text, repr(generation))


async def test_no_repr_tells(logs: pytest.LogCaptureFixture) -> None:
    """Of nothing that a client consists of."""
    async with serve(echo(ECHOES["a failure"])) as server, client(server.url) as veo:
        parts = [veo, *vars(veo).values(), *vars(veo._api).values()]
        shown = [repr(part) for part in parts] + [str(part) for part in parts]
        shown.append(repr(vars(veo)))

    assert any("API" in text for text in shown)
    assert any("Limiter" in text for text in shown)
    check_secret(*shown)


# Other hosts.


def redirecting(to: Server, status: str, *, after: int = 0) -> Script:
    """Accept submits, and lead away whatever comes ``after`` so many requests."""

    async def script(line: Line) -> None:
        for _ in range(after):
            await line.request()
            await line.answer(ACCEPTED)
        while True:
            request = await line.request()
            place = f"{to.url}{request.target}"
            await line.answer(status=status, more=f"location: {place}\r\n")

    return script


async def catch_all(line: Line) -> None:
    """Take whatever comes, as somebody who collects tokens does."""
    while True:
        request = await line.request()
        file = VIDEO if request.method == "GET" else ACCEPTED
        await line.answer(file)


def check_never_told(server: Server) -> None:
    """Nothing that this server has read holds the token, or any other credentials."""
    for request in server.requests:
        check_secret(str(request))
        assert not {"authorization", "cookie", "referer"} & set(request.headers)


@each_transport
@pytest.mark.parametrize("status", ["301 Go", "302 Go", "303 Go", "307 Go", "308 Go"])
async def test_the_api_leads_nowhere_else(status: str, transport: Transport) -> None:
    """Redirects of submits and of polls are not followed, to no host at all. 303 alone may follow a
    request that was carried out."""
    expected = SubmissionUncertainError if status.startswith("303") else NoAPIError
    async with serve(catch_all) as other:
        async with (
            serve(redirecting(other, status)) as server,
            client(server.url, transport=transport) as veo,
        ):
            with pytest.raises(expected):
                await veo.submit(REQUEST)
        async with (
            serve(redirecting(other, status, after=1)) as server,
            client(server.url, transport=transport) as veo,
        ):
            task = await veo.submit(REQUEST)
            with pytest.raises(PollingError):
                await task.result()
            with pytest.raises(APIError):
                await task.refresh()

    assert other.connections == 0


@each_transport
async def test_files_are_fetched_without_it(transport: Transport, tmp_path: Path) -> None:
    """Not from another host, not by a redirect to another host, not even from the API's own; and
    the API's own cookies stay with it."""
    async with serve(catch_all) as other, serve(redirecting(other, "302 Go")) as leading:
        result = load("text2video_result").json()
        urls = [f"{other.url}/1.mp4", f"{leading.url}/2.mp4"]

        async def api(line: Line) -> None:
            while True:
                request = await line.request()
                if request.method == "GET":
                    await line.answer(VIDEO)
                    continue
                urls_left = iter([*urls, f"{server.url}/3.mp4"][len(server.requests) - 1 :])
                body = result | {"data": [{"id": "v", "video_url": next(urls_left)}]}
                await line.answer(json.dumps(body).encode(), more="set-cookie: session=1\r\n")

        async with serve(api) as server, client(server.url, transport=transport) as veo:
            videos = [await veo.text2video("A mug") for _ in range(3)]
            for number, video in enumerate(videos):
                await veo.download(video, tmp_path / f"{number}.mp4")

    assert all((tmp_path / f"{number}.mp4").read_bytes() == VIDEO for number in range(3))
    assert [request.target for request in other.requests] == ["/1.mp4", "/2.mp4"]
    check_never_told(other)
    check_never_told(leading)
    own = [request for request in server.requests if request.method == "GET"]
    assert [request.target for request in own] == ["/3.mp4"]
    assert "authorization" not in own[0].headers


async def test_a_failed_download_does_not_tell(
    tmp_path: Path, logs: pytest.LogCaptureFixture
) -> None:
    """Its error has nothing of the account."""

    async def api(line: Line) -> None:
        await line.request()
        body = load("text2video_result").json()
        body["data"][0]["video_url"] = f"{server.url}/1.mp4"
        await line.answer(json.dumps(body).encode())
        await line.request()
        await line.answer(b"gone", status="410 Gone")

    async with serve(api) as server, client(server.url) as veo:
        video = await veo.text2video("A mug")
        with pytest.raises(DownloadError) as caught:
            await veo.download(video, tmp_path / "1.mp4")

    check_secret(rendered(caught.value), logs.text)


@each_transport
async def test_no_url_holds_it(transport: Transport) -> None:
    """It is in one header of each call, and nowhere else."""

    async def script(line: Line) -> None:
        await line.request()
        await line.answer(ACCEPTED)
        await line.request()
        await line.answer(b'{"items": []}')
        await line.request()

    async with serve(script) as server, client(server.url, transport=transport) as veo:
        await veo.submit(REQUEST)
        assert [record async for record in veo.tasks.list()] == []

    assert [request.target for request in server.requests] == ["/veo/videos", "/veo/tasks"]
    for request in server.requests:
        headers = dict(request.headers)
        assert headers.pop("authorization") == f"Bearer {TOKEN}"
        check_secret(request.target, str(headers), request.body.decode())


# Tokens that are none.


@pytest.mark.parametrize("by", ["argument", "environment"])
@pytest.mark.parametrize(
    "token",
    [f"{TOKEN}\n{TOKEN}", f"{TOKEN}\r\nx: y", f"{TOKEN}é", f"{TOKEN} {TOKEN}", f"\x7f{TOKEN}"],
)
async def test_an_impossible_token_is_not_repeated(
    token: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that no header can carry is refused here, before a lower library quotes it."""
    given: tuple[str, ...] = (token,) if by == "argument" else ()
    if by == "environment":
        monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", token)

    with pytest.raises(NoTokenError, match="ACEDATACLOUD_API_TOKEN") as caught:
        VeoClient(*given)

    check_secret(
        str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))
    )
    check_secret(str(vars(caught.value)), str(pickle.dumps(caught.value)))


@pytest.mark.parametrize(
    "option", [{"base_url": "http://api.example"}, {"mode": "odd"}, {"proxy": "odd://x"}]
)
async def test_a_refused_option_does_not_tell(option: dict[str, Any]) -> None:
    """Errors of the constructor speak of what is wrong, not of what is secret."""
    with pytest.raises(VeoError) as caught:
        VeoClient(TOKEN, **option)

    check_secret("".join(traceback.format_exception(caught.value)), repr(caught.value))
    check_secret(str(vars(caught.value)))
