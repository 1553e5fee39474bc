"""`Callbacks.serve` on real sockets: what a framework's server does for those who have none."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import anyio
import httpx
import pytest

from tests.callbacks.test_asgi import ELSEWHERE, Submits
from tests.support.deliveries import callbacks, of
from veo_async import MissingExtraError
from veo_async.callbacks import Callbacks
from veo_async.callbacks import _server as serving
from veo_async.callbacks._tokens import token_in

pytestmark = pytest.mark.real_loop


@asynccontextmanager
async def served(receiver: Callbacks, **options: str) -> AsyncIterator[str]:
    """The receiver on a free port, for as long as the block runs."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(receiver.serve(port=0, on_ready=ready.set_result, **options))
    try:
        yield await ready
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def local(base: str, url: str) -> str:
    """The address of a delivery as the port here knows it."""
    return f"{base}/veo/callbacks/{token_in(url)}"


@pytest.mark.asyncio
async def test_deliveries_over_a_port(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken, refused and unknown; no line of any logger has a token, and each connection ends
    after its answer."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)  # the sender's
    submits = Submits()
    async with served(submits.receiver) as base, httpx.AsyncClient() as http:
        taken = await http.post(local(base, submits.urls[0]), content=of("t1"))
        unknown = await http.post(local(base, ELSEWHERE), content=of("t1"))
        forged = await http.post(f"{base}/x/y", content=of("t1"))
        looked = await http.get(local(base, submits.urls[0]))
        long = await http.post(local(base, submits.urls[0]), content=b" " * 200_000)

    statuses = [answer.status_code for answer in (taken, unknown, forged, looked, long)]
    assert statuses == [204, 503, 404, 405, 413]
    assert taken.headers["connection"] == "close"
    assert "server" not in taken.headers
    assert submits.heard[submits.urls[0]] == 1
    assert token_in(submits.urls[0]) not in caplog.text
    assert token_in(ELSEWHERE) not in caplog.text


@pytest.mark.asyncio
async def test_an_endless_body_without_a_length() -> None:
    """A chunked body is cut off at the limit, whatever more would come."""
    submits = Submits()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 10_000

    async with served(submits.receiver) as base, httpx.AsyncClient() as http:
        with suppress(httpx.TransportError):  # it is cut while it is being written
            answer = await http.post(local(base, submits.urls[0]), content=endless())
            assert answer.status_code == 413

        again = await http.post(local(base, submits.urls[0]), content=of("t1"))

    assert again.status_code == 204


@pytest.mark.asyncio
async def test_an_address_that_is_taken() -> None:
    """It is said at once, by the error that every server raises."""
    async with served(callbacks()) as base:
        with pytest.raises(OSError, match="in use"):
            await callbacks().serve(port=int(base.rpartition(":")[2]))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "host, local_url", [("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")]
)
async def test_where_it_listens(host: str, local_url: str) -> None:
    """The URL is the one by which this machine itself reaches it."""
    async with served(callbacks(), host=host) as base:
        assert base.startswith(local_url)


@pytest.mark.asyncio
async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without uvicorn the rest of callbacks works, and `serve` says what to install."""
    monkeypatch.setitem(sys.modules, "veo_async.callbacks._server", None)

    with pytest.raises(MissingExtraError, match=r'pip install "veo-async\[callbacks\]"'):
        await callbacks().serve()


@pytest.mark.asyncio
async def test_a_silent_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never sends its head does not stay for ever."""
    monkeypatch.setattr(serving, "LIFETIME", 0.05)
    async with served(callbacks()) as base:
        stream = await anyio.connect_tcp("127.0.0.1", int(base.rpartition(":")[2]))

        with anyio.fail_after(5), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()
        await stream.aclose()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_end_does_not_wait_for_slow_senders() -> None:
    """Cancelled, it ends within its grace, whoever is still sending."""
    submits = Submits()
    loop = asyncio.get_running_loop()
    async with served(submits.receiver) as base:
        stream = await anyio.connect_tcp("127.0.0.1", int(base.rpartition(":")[2]))
        await stream.send(head(submits.urls[0], 100) + b"{")
        await anyio.sleep(0.05)
        began = loop.time()

    assert loop.time() - began < 3.0
    await stream.aclose()


def head(url: str, length: int) -> bytes:
    """The head of a delivery."""
    path = f"/veo/callbacks/{token_in(url)}"
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n".encode()


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for both ends of a thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.usefixtures("many_files")
async def test_it_answers_while_a_thousand_slow_senders_hold_connections() -> None:
    """A third of them never sends a whole head, a third never a whole body, and a third does so
    to one and the same address. Whoever sends properly meanwhile is answered at once."""
    submits = Submits(400)
    loop = asyncio.get_running_loop()
    async with served(submits.receiver) as base, httpx.AsyncClient() as http:
        port = int(base.rpartition(":")[2])
        slow = [connect(port) for _ in range(1000)]
        for number, sock in enumerate(slow):
            url = submits.urls[0] if number % 3 == 2 else submits.urls[number % 300]
            whole = head(url, 1000) + b'{"task_id":'
            await loop.sock_sendall(sock, whole[:40] if number % 3 == 0 else whole)
        await anyio.sleep(0.5)
        times = []
        statuses: Counter[int] = Counter()
        for url in submits.urls[300:]:
            began = loop.time()
            statuses[(await http.post(local(base, url), content=of("t1"))).status_code] += 1
            times.append(loop.time() - began)

        for sock in slow:
            sock.close()

    assert statuses == {204: 100}
    assert sorted(times)[50] < 0.1
    assert max(times) < 2.0


def connect(port: int) -> socket.socket:
    """A connection to this machine that blocks nobody."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_burst_over_a_port() -> None:
    """Five thousand deliveries, as fast as they can be sent, are all taken."""
    submits = Submits(5000)
    places = anyio.CapacityLimiter(500)
    async with served(submits.receiver) as base:
        port = int(base.rpartition(":")[2])

        async def deliver(url: str) -> bytes:
            async with places:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(head(url, 2) + b"{}")
                answer = await reader.read()  # to the end of the connection
                writer.close()
                return answer[:12]

        statuses = Counter(await asyncio.gather(*[deliver(url) for url in submits.urls]))

    assert statuses == {b"HTTP/1.1 204": 5000}
    assert set(submits.heard.values()) == {1}
