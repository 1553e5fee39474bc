"""The emulator on a port: real sockets, so real time."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import httpx
import pytest

from veo_async.emulator import (
    Answer,
    Drop,
    Emulator,
    Fault,
    Hang,
    Immediate,
    Pace,
    Plan,
    Refuse,
    Torn,
)

from .calls import ASYNC, TEXT, TINY

pytestmark = [pytest.mark.asyncio, pytest.mark.real_loop]


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[tuple[Emulator, httpx.AsyncClient]]:
    """An emulator on a port, and a client of it."""
    async with (
        Emulator(**{"video": TINY, "pace": Immediate(), **options}) as emulator,
        emulator.serve() as base_url,
        httpx.AsyncClient(
            base_url=base_url, headers={"authorization": "Bearer any"}, timeout=5
        ) as http,
    ):
        yield emulator, http


async def test_a_video_over_a_socket() -> None:
    """Submit and download over a real port; the file's URL is on that port."""
    async with served() as (emulator, http):
        answer = await http.post("/veo/videos", json=TEXT)
        url = answer.json()["data"][0]["video_url"]
        file = await http.get(url)

        assert url.startswith(f"{emulator.base_url}/files/")
        assert file.content[4:8] == b"ftyp"
        assert answer.headers.get_list("date") == ["Fri, 25 Jul 2025 08:00:00 GMT"]


async def test_the_address_is_that_of_the_port_while_it_is_served() -> None:
    """Port 0 picks a free one; afterwards the address is again that of an emulator in process."""
    emulator = Emulator()
    async with emulator.serve(port=0) as one:
        assert emulator.base_url == one
        assert int(one.rpartition(":")[2]) > 1024

    assert emulator.base_url == "http://127.0.0.1:1"


async def test_a_mark_on_a_port() -> None:
    """A callback to ``/health`` of the port is neither sent nor counted; the path answers."""
    async with served() as (emulator, http):
        url = f"{emulator.base_url}/health?ref=1"
        answer = await http.post("/veo/videos", json={**ASYNC, "callback_url": url})
        health = await http.post(url, json={})

        assert list(answer.json()) == ["task_id"]
        assert answer.headers["x-trace-id"] == emulator.bill[0].trace_id
        assert health.status_code == 200
        assert emulator.counters["callback"] == 0


async def test_half_of_a_document_on_a_port() -> None:
    """`Torn` without a declared length: a complete answer, on a connection that stays."""
    async with served() as (emulator, http):
        emulator.faults.add(Fault(effect=Torn(declared=False), nth=1))

        torn = await http.post("/veo/videos", json=ASYNC)
        whole = await http.post("/veo/videos", json=ASYNC)

        assert int(torn.headers["content-length"]) == len(torn.content) == 25
        assert list(whole.json()) == ["task_id"]


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(status: int) -> None:
    """A rule may ask for a status whose answers have none; the connection stays."""
    async with served() as (emulator, http):
        emulator.faults.add(Fault(effect=Answer(status=status, body="hello"), nth=1))

        empty = await http.post("/veo/videos", json=ASYNC)

        assert (empty.status_code, empty.content) == (status, b"")
        assert "connection" not in empty.headers
        assert (await http.post("/veo/videos", json=ASYNC)).status_code == 200


async def test_an_address_that_was_given_stays() -> None:
    """Behind a proxy or in a container, callers use another name for the service."""
    emulator = Emulator(base_url="http://veo.localhost/", files_url="http://cdn.localhost")
    async with emulator.serve() as base_url:
        assert base_url == "http://veo.localhost"
        assert emulator.add_image(b"").startswith("http://cdn.localhost/images/")


@pytest.mark.parametrize("host, reached", [("::1", "[::1]"), ("0.0.0.0", "127.0.0.1")])
async def test_other_addresses(host: str, reached: str) -> None:
    """The base URL is one that a caller on this machine can use."""
    async with Emulator().serve(host=host) as base_url:
        assert base_url.startswith(f"http://{reached}:")
        async with httpx.AsyncClient(base_url=base_url) as http:
            assert (await http.get("/__emulator__/bill")).json() == []


async def test_a_port_in_use() -> None:
    """The error is an ordinary `OSError`; it does not end the program."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        await Emulator().run_forever(port=taken.getsockname()[1])


async def test_signal_handlers_are_not_replaced() -> None:
    """The program that runs the emulator keeps its own signal handlers."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with Emulator().serve():
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize(
    "effect, error, billed",
    [
        (Refuse(), httpx.RemoteProtocolError, 0),
        (Refuse(silent=True), httpx.ReadTimeout, 0),
        (Drop(at="unread"), httpx.RemoteProtocolError, 0),
        (Drop(at="accepted"), httpx.RemoteProtocolError, 1),
        (Drop(at="accepted", reset=True), httpx.ReadError, 1),
        (Torn(), httpx.RemoteProtocolError, 1),
        (Torn(reset=True), httpx.ReadError, 1),
        (Hang(at="accepted"), httpx.ReadTimeout, 1),
    ],
)
async def test_broken_connections(effect: Any, error: type[Exception], billed: int) -> None:
    """On a socket the faults raise the same exceptions as in process. A refused connection is the
    exception: the port is open, so it is closed (or silent) before it is read."""
    async with served() as (emulator, http):
        emulator.faults.add(Fault(effect=effect, count=1))
        patience = 0.1 if error is httpx.ReadTimeout else 5

        with pytest.raises(error):
            await http.post("/veo/videos", json=ASYNC, timeout=patience)

        assert len(emulator.bill) == billed
        assert (await http.post("/veo/videos", json=ASYNC)).status_code == 200


async def test_a_caller_who_disconnects_does_not_cancel_the_call() -> None:
    """As in process, the service carries out the call."""
    async with served() as (emulator, http):
        emulator.faults.add(Fault(effect=Hang(at="read", seconds=0.1)))
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/veo/videos", json=ASYNC, timeout=0.02)
        # The next call has the same delay, so it is answered after the first was carried out.
        await http.post("/veo/videos", json=ASYNC)

        assert len(emulator.bill) == 2


async def test_stopping_ends_open_calls() -> None:
    """A call that would be open for minutes does not delay the end of the server."""
    accepted = asyncio.Event()

    class Endless(Pace):
        def plan(self, request: Mapping[str, Any], rng: Random) -> Plan:
            accepted.set()
            return Plan(seconds=1e6)

    async with httpx.AsyncClient(headers={"authorization": "Bearer any"}, timeout=5) as http:
        with anyio.fail_after(5):
            async with Emulator(pace=Endless()).serve() as base_url:
                url = f"{base_url}/veo/videos"
                call = asyncio.create_task(http.post(url, json=TEXT))
                await accepted.wait()

        with pytest.raises(httpx.TransportError):
            await call


async def test_run_forever() -> None:
    """It reports its address, and serves until it is cancelled."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    forever = asyncio.create_task(Emulator().run_forever(on_ready=ready.set_result))

    base_url = await ready
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{base_url}/__emulator__/counters")).json() == {}
    forever.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forever


async def test_a_callback_over_a_socket() -> None:
    """The result is posted to a small HTTP server, with the task id that was answered."""
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        received.set_result(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server, served() as (_, http):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        answer = await http.post("/veo/videos", json={**TEXT, "callback_url": url})
        posted = json.loads(await received)

    assert posted["task_id"] == answer.json()["task_id"]
    assert posted["success"] is True
