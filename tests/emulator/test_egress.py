"""The addresses that the emulator connects to: real sockets, so real time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from veo_async.emulator import Early, Emulator, Fault, Immediate
from veo_async.emulator._egress import Egress, Reach
from veo_async.emulator._images import over_http

from .calls import TEXT, TINY

pytestmark = [pytest.mark.asyncio, pytest.mark.real_loop]

INSIDE = ["10.0.0.1", "169.254.169.254", "192.168.1.1", "fe80::1", "fc00::1", "0.0.0.0"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
PUBLIC = ["8.8.8.8", "2606:4700::1111"]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


@asynccontextmanager
async def receiving(answer: bytes = OK) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server on this machine that gives one answer: its port, and the heads of the calls."""
    heads: list[bytes] = []

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).lower())
        writer.write(answer.replace(b"PORT", str(port).encode()))
        writer.close()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield port, heads


@pytest.mark.parametrize(
    "targets, exposed, allowed",
    [
        (None, 0, {"loopback", "public"}),
        (None, 1, {"public"}),
        ("public", 0, {"public"}),
        ("loopback", 1, {"loopback", "public"}),
        ("any", 1, {"inside", "loopback", "public"}),
    ],
)
async def test_the_rule(targets: Any, exposed: int, allowed: set[str]) -> None:
    """By default this machine itself is a target only while no other machine can ask for it."""
    reach = Reach(targets)
    reach.exposed = exposed

    for kind, ips in (("inside", INSIDE), ("loopback", LOOPBACK), ("public", PUBLIC)):
        assert {reach.allows(ip) for ip in ips} == {kind in allowed}


@asynccontextmanager
async def named(monkeypatch: pytest.MonkeyPatch, **names: list[str]) -> AsyncIterator[Any]:
    """Names that resolve to these addresses, and how often each was asked for."""
    asked: dict[str, int] = {}

    async def getaddrinfo(host: str, port: Any, **_: Any) -> list[Any]:
        asked[host] = asked.get(host, 0) + 1
        known = names.get(host.replace(".", "_"))
        if known is None:
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", (ip, 0)) for ip in known]

    monkeypatch.setattr("anyio.getaddrinfo", getaddrinfo)
    yield asked


@pytest.mark.parametrize("host, calls", [("inside.example", 0), ("own.example", 1)])
async def test_every_hop_is_checked(host: str, calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name, also that of a redirect, is refused if one of its addresses is not allowed; nothing
    is sent there."""
    moved = (
        b"HTTP/1.1 302 Found\r\nlocation: http://inside.example:PORT/\r\n"
        b"content-length: 0\r\nconnection: close\r\n\r\n"
    )
    names = {"inside_example": ["127.0.0.1", "10.0.0.1"], "own_example": ["127.0.0.1"]}
    async with receiving(moved) as (port, heads), named(monkeypatch, **names):
        with pytest.raises(httpx.ConnectError, match="may not connect"):
            await over_http(Reach())(f"http://{host}:{port}/")

    assert len(heads) == calls
    assert all(f"host: own.example:{port}".encode() in head for head in heads)


async def test_a_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the address that was checked, and to the next one if the first does
    not answer; an unknown name is an ordinary error of httpx."""
    async with (
        receiving() as (port, _),
        named(monkeypatch, own_example=["::1", "127.0.0.1"]) as asked,
        httpx.AsyncClient(transport=Egress(Reach())) as http,
    ):
        answer = await http.get(f"http://own.example:{port}/")
        with pytest.raises(httpx.ConnectError, match="unknown"):
            await http.get("http://gone.example/")

    assert answer.status_code == 200
    assert asked == {"own.example": 1, "gone.example": 1}


async def test_tls_is_checked_against_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate must be that of the name, and no other name shares the connection."""
    sent: list[httpx.Request] = []

    class Inner(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            sent.append(request)
            return httpx.Response(200)

    egress = Egress(Reach())
    monkeypatch.setattr(egress, "_inner", Inner())
    async with (
        named(monkeypatch, cdn_example=["8.8.8.8"]),
        httpx.AsyncClient(transport=egress) as http,
    ):
        await http.get("https://cdn.example/1")

    assert sent[0].url == "https://8.8.8.8/1"
    assert sent[0].headers["host"] == "cdn.example"
    assert sent[0].headers["connection"] == "close"
    assert sent[0].extensions["sni_hostname"] == "cdn.example"


@pytest.mark.parametrize("host, status", [("127.0.0.1", 200), ("0.0.0.0", None)])
async def test_callbacks_to_this_machine(host: str, status: int | None) -> None:
    """A port that is open to other machines makes no call to this one for them."""
    emulator = Emulator(video=TINY, pace=Immediate(), faults=[Fault(effect=Early())])
    async with (
        receiving() as (port, heads),
        emulator,
        emulator.serve(host=host) as base_url,
        httpx.AsyncClient(base_url=base_url, headers={"authorization": "Bearer any"}) as http,
    ):
        url = f"http://127.0.0.1:{port}/hook"
        await http.post("/veo/videos", json={**TEXT, "callback_url": url})

    assert [one.status for one in emulator.deliveries] == [status]
    assert len(heads) == (1 if status else 0)


async def test_a_callback_cannot_use_the_control_plane() -> None:
    """It comes from this machine, also if another machine has asked for it. None of its documents
    is one that the control plane obeys."""
    early = Fault(effect=Early())
    emulator = Emulator(video=TINY, pace=Immediate(), faults=[early], targets="any")
    async with (
        emulator,
        emulator.serve() as base_url,
        httpx.AsyncClient(base_url=base_url, headers={"authorization": "Bearer any"}) as http,
    ):
        for what in ("reset", "faults", "wire"):
            url = f"{base_url}/__emulator__/{what}"
            await http.post("/veo/videos", json={**TEXT, "callback_url": url})

    assert [one.status for one in emulator.deliveries] == [400, 400, 400]
    assert len(emulator.bill) == 3
    assert list(emulator.faults) == [early]


async def test_an_endless_answer_of_a_receiver() -> None:
    """The body of the answer to a callback is not read."""
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n"
    emulator = Emulator(video=TINY, pace=Immediate(), faults=[Fault(effect=Early())])
    async with (
        receiving(endless) as (port, _),
        emulator,
        httpx.AsyncClient(
            transport=emulator.transport(),
            base_url=emulator.base_url,
            headers={"authorization": "Bearer any"},
        ) as http,
    ):
        url = f"http://127.0.0.1:{port}/hook"
        await http.post("/veo/videos", json={**TEXT, "callback_url": url})

    assert [one.status for one in emulator.deliveries] == [200]
