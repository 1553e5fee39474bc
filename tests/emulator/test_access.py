"""The callers that a port serves: programs, and no web page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from veo_async.emulator import Emulator, Immediate

from .calls import ASYNC, TINY

pytestmark = pytest.mark.asyncio

HERE = "127.0.0.1"
ELSEWHERE = "192.0.2.7"
JSON = {"content-type": "application/json"}
RULE = b'{"effect": {"kind": "drop"}}'


@asynccontextmanager
async def reached(
    *, at: str = "127.0.0.1:8080", by: str | None = HERE, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this address of an emulator that it reaches under this host."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        client = None if by is None else (by, 5)
        await emulator.app({**scope, "client": client}, receive, send)

    emulator = Emulator(**{"video": TINY, "pace": Immediate(), **options})
    async with (
        emulator,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url=f"http://{at}",
            headers={"authorization": "Bearer any"},
        ) as http,
    ):
        yield http


def reason_of(answer: httpx.Response) -> str:
    """The reason of a refusal; empty if the call was not refused by these rules."""
    return str(answer.json()["error"]["message"]) if answer.status_code == 400 else ""


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8080", "[::1]:8080", "192.168.1.4", "localhost:1", "LOCALHOST.", "veo.localhost"],
)
async def test_hosts_that_no_page_can_bind(host: str) -> None:
    """An IP address is no name, and ``localhost`` is always this machine."""
    async with reached() as http:
        for path in ("/__emulator__/bill", "/health"):
            assert (await http.get(path, headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example/127.0.0.1",
        "veo",
        "[::1",
        "[12345::]",
        "",
    ],
)
async def test_dns_rebinding(host: str) -> None:
    """A page cannot read or change anything under a name of its own, which it bound to this
    machine: its calls have that name as their host."""
    async with reached() as http:
        answers = [
            await http.get("/__emulator__/bill", headers={"host": host}),
            await http.get("/files/a.mp4", headers={"host": host}),
            await http.post("/__emulator__/faults", content=RULE, headers={**JSON, "host": host}),
            await http.post("/veo/videos", json=ASYNC, headers={"host": host}),
        ]

        assert all("not known under the host" in reason_of(answer) for answer in answers)
        assert (await http.get("/__emulator__/bill")).json() == []
        assert (await http.get("/__emulator__/faults")).json() == []
        assert (await http.get("/__emulator__/counters")).json() == {}


@pytest.mark.parametrize("host", ["veo:8080", "VEO.", "api.test", "cdn.test:9"])
async def test_hosts_that_are_allowed(host: str) -> None:
    """Other names have to be given, such as that of a container, or are those of the addresses."""
    names: dict[str, Any] = {
        "base_url": "http://api.test:80",
        "files_url": "http://cdn.test",
        "allowed_hosts": ["Veo"],
    }
    async with reached(**names) as http:
        assert (await http.post("/veo/videos", json=ASYNC, headers={"host": host})).is_success


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_calls_of_web_pages(said: dict[str, str]) -> None:
    """The browser says which page makes a call; a page of another origin may make none."""
    async with reached() as http:
        answers = [
            await http.post("/veo/videos", json=ASYNC, headers=said),
            await http.post("/veo/tasks", json={}, headers=said),
            await http.post("/__emulator__/reset", headers=said),
            await http.get("/__emulator__/bill", headers=said),
        ]

        assert all("web page" in reason_of(answer) for answer in answers)
        assert (await http.get("/__emulator__/bill")).json() == []


async def test_files_may_be_embedded_in_pages() -> None:
    """An application that is being developed shows the videos in its own pages."""
    async with reached() as http:
        said = {"sec-fetch-site": "cross-site", "origin": "http://localhost:3000"}
        answer = await http.post("/veo/videos", json={**ASYNC, "async": False})
        url = answer.json()["data"][0]["video_url"]

        file = await http.get(f"/files/{url.rpartition('/')[2]}", headers=said)

        assert file.content[4:8] == b"ftyp"


@pytest.mark.parametrize("path", ["/veo/videos", "/veo/tasks", "/__emulator__/faults", "/health"])
@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
    ],
)
async def test_bodies_that_a_page_can_send(path: str, media_type: str | None) -> None:
    """A page can send a body of these types, or of none, without asking first."""
    async with reached() as http:
        headers = {"content-type": media_type} if media_type else {}
        answer = await http.post(path, content=RULE, headers=headers)

        assert "must be application/json" in reason_of(answer)


async def test_a_body_in_chunks_is_a_body() -> None:
    """A body without a length has a type, too."""

    async def body() -> AsyncIterator[bytes]:
        yield RULE

    async with reached() as http:
        assert reason_of(await http.post("/__emulator__/faults", content=body()))
        answer = await http.post(
            "/__emulator__/faults",
            content=body(),
            headers={"content-type": "Application/JSON ; charset=utf-8"},
        )
        assert answer.is_success


@pytest.mark.parametrize("by", [ELSEWHERE, "::ffff:192.0.2.7", None, "a-socket"])
async def test_the_control_plane_answers_to_this_machine(by: str | None) -> None:
    """Another machine may use the API, but not what the real service does not have."""
    async with reached(by=by) as http:
        refused = await http.get("/__emulator__/bill")

        assert "answers only to the machine" in reason_of(refused)
        assert (await http.post("/veo/videos", json=ASYNC)).is_success
    async with reached(by=by, remote_control=True) as http:
        assert (await http.get("/__emulator__/bill")).json() == []


@pytest.mark.parametrize("by", ["127.8.9.1", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_has_many_addresses(by: str) -> None:
    """All of 127.0.0.0/8, ``::1``, and the former inside of IPv6."""
    async with reached(by=by) as http:
        assert (await http.get("/__emulator__/bill")).json() == []


async def test_websockets_are_refused() -> None:
    """The service has none, so a connection is closed before it is accepted."""
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    await Emulator().app({"type": "websocket", "path": "/health"}, receive, send)

    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_a_server_may_begin_and_end() -> None:
    """A server that runs the app says so; that is no call."""
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return messages.pop(0)

    await Emulator().app({"type": "lifespan"}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
