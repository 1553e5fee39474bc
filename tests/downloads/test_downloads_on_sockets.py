from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from veo_async._downloads.downloader import Downloads
from veo_async._downloads.http import DownloadTimes
from veo_async._downloads.part_file import PartFile
from veo_async.errors import DownloadError

pytestmark = [pytest.mark.asyncio, pytest.mark.real_loop]

VIDEO = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp42" + b"pictures" * 10_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(VIDEO)
QUICK = DownloadTimes(patience=0, connect=5, read=5, backoff=0)


class Server:
    """Reads a request, writes the next of the replies, and closes."""

    def __init__(self, *replies: bytes) -> None:
        self.heads: list[str] = []
        self.port = 0
        self._replies = list(replies)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(self._replies.pop(0))
            await writer.drain()
        except ConnectionError:
            pass  # the client has left, as it may
        finally:
            writer.close()


@asynccontextmanager
async def serve(*replies: bytes) -> AsyncIterator[Server]:
    """A server on this machine, while it is needed."""
    server = Server(*replies)
    async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


@asynccontextmanager
async def downloads(**options: Any) -> AsyncIterator[Downloads]:
    """The downloader under test, with its own transport and real threads."""
    fixed: dict[str, Any] = {"random": Random(7), "loopback_ok": True, "times": QUICK}
    fetching = Downloads(**fixed | options)
    try:
        yield fetching
    finally:
        await fetching.aclose()


def resolve_to(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Give every name this address."""

    async def look(host: Any, port: int, **options: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look)


def names(folder: Path) -> list[str]:
    """The names in the folder."""
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1"])
async def test_a_video_comes_over_a_socket(tmp_path: Path, host: str) -> None:
    """The default transport fetches from a local API in every spelling, torn bodies repeated."""
    async with serve(OK + VIDEO[:-1], b"garbage\r\n\r\n", OK + VIDEO) as server, downloads() as own:
        url = f"http://{host}:{server.port}/x.mp4?a=b"

        await own.fetch(url, tmp_path / "x.mp4")

    assert (tmp_path / "x.mp4").read_bytes() == VIDEO
    assert len(server.heads) == 3
    assert server.heads[0].startswith("GET /x.mp4?a=b HTTP/1.1\r\n")
    assert names(tmp_path) == ["x.mp4"]


async def test_a_body_that_breaks_off_is_gone_on_with_over_a_socket(tmp_path: Path) -> None:
    """Also after the program was stopped, with another connection and another process's memory."""
    half = len(VIDEO) // 2
    start = OK.replace(b"Content", b'ETag: "1"\r\nContent') + VIDEO[:half]
    size = len(VIDEO)
    where = f"Content-Range: bytes {half}-{size - 1}/{size}\r\nContent-Length: {size - half}"
    end = f"HTTP/1.1 206 Partial Content\r\n{where}\r\n\r\n".encode() + VIDEO[half:]
    mark: dict[str, Any] = {"task_id": "t1", "stage": "generate"}
    async with serve(start, b"garbage\r\n\r\n", end) as server:
        url = f"http://127.0.0.1:{server.port}/x.mp4"
        async with downloads(tries=2) as own:
            with pytest.raises(DownloadError):
                await own.fetch(url, tmp_path / "x.mp4", **mark)
        left = names(tmp_path)
        async with downloads() as own:
            await own.fetch(url, tmp_path / "x.mp4", **mark)

    assert sorted(left) == ["x.mp4.part", "x.mp4.part.notes"]
    assert [f"bytes={half}-" in head and 'if-range: "1"' in head for head in server.heads] == [
        False,
        True,
        True,
    ]
    assert (tmp_path / "x.mp4").read_bytes() == VIDEO
    assert names(tmp_path) == ["x.mp4"]


@pytest.mark.parametrize("body", [b"<html>" * 50_000, VIDEO * 20])
async def test_a_body_may_be_left_in_the_middle(tmp_path: Path, body: bytes) -> None:
    """A body that is no video, or too long, is cancelled, and no stream is left open."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    async with serve(head + body) as server, downloads(max_bytes=10**5) as own:
        with pytest.raises(DownloadError, match=r"limit|MP4"):
            await own.fetch(f"http://127.0.0.1:{server.port}/x.mp4", tmp_path / "x.mp4")

    assert names(tmp_path) == []


async def test_a_name_that_leads_here_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The addresses of a name are checked before any connection, and are final."""
    resolve_to(monkeypatch, "127.0.0.1")
    async with serve(OK + VIDEO) as server, downloads(loopback_ok=False) as own:
        with pytest.raises(DownloadError, match="private or reserved"):
            await own.fetch(f"https://cdn.example:{server.port}/x.mp4", tmp_path / "x.mp4")

    assert server.heads == []
    assert names(tmp_path) == []


async def test_the_environments_proxy_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy on this machine is no file from it; the proxy resolves names, we do not."""
    async with serve(OK + VIDEO, b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with downloads(tries=1) as own:
            await own.fetch("http://veo.localhost:1/x.mp4", tmp_path / "x.mp4")
            with pytest.raises(DownloadError, match="ProxyError"):
                await own.fetch("https://cdn.example/x.mp4", tmp_path / "y.mp4")

    assert [head.splitlines()[0] for head in proxy.heads] == [
        "GET http://veo.localhost:1/x.mp4 HTTP/1.1",
        "CONNECT cdn.example:443 HTTP/1.1",
    ]
    assert names(tmp_path) == ["x.mp4"]


@pytest.mark.parametrize("step", ["begin", "write", "commit"])
async def test_a_thread_that_is_left_behind_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A cancellation by asyncio does not stop a thread: what it still does is undone, or whole."""
    inside, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(PartFile, step, held(getattr(PartFile, step), inside, go_on))
    async with serve(OK + VIDEO) as server, downloads() as own:
        url = f"http://127.0.0.1:{server.port}/x.mp4"
        task = asyncio.ensure_future(own.fetch(url, tmp_path / "x.mp4"))
        await asyncio.to_thread(inside.wait)

        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert names(tmp_path) in ([], ["x.mp4"] if step == "commit" else [])


def held(
    call: Callable[..., None], inside: threading.Event, go_on: threading.Event
) -> Callable[..., None]:
    """The same call, held up in its thread."""

    def wait_and_call(part: PartFile, *args: bytes) -> None:
        inside.set()
        assert go_on.wait(10)
        call(part, *args)

    return wait_and_call
