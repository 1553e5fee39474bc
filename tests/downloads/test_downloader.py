from __future__ import annotations

import asyncio
import errno
import gzip
import json
import pickle
import resource
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx
import pytest
import respx

from veo_async._downloads.downloader import Downloads
from veo_async._downloads.http import DownloadTimes
from veo_async.errors import ClientClosedError, DownloadError, VeoError
from veo_async.models import Generation, TaskRecord

URL = "https://cdn.example/videos/mug.mp4?sig=secret"


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an MP4."""
    return (len(content) + 8).to_bytes(4) + kind + content


FTYP = box(b"ftyp", b"isom\x00\x00\x02\x00isommp42")
VIDEO = FTYP + box(b"mdat", b"pictures" * 100) + box(b"moov", b"")
OTHER = FTYP + box(b"mdat", b"sculptures" * 100) + box(b"moov", b"")

HASTY = DownloadTimes(patience=0)
"""A fetch that gives up after its tries."""

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Body(httpx.AsyncByteStream):
    """Comes in pieces; a number is a pause, an exception breaks it off."""

    def __init__(self, *pieces: bytes | float | Exception, closes: bool = True) -> None:
        self._pieces = pieces
        self._closes = closes
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                await asyncio.sleep(0)
                yield piece
            else:
                await asyncio.sleep(piece)

    async def aclose(self) -> None:
        self.closed = True
        await asyncio.sleep(0 if self._closes else 3600)


class Hosts(httpx.AsyncBaseTransport):
    """All hosts of the internet: gives the answers in turn, and the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = answers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    @property
    def urls(self) -> list[str]:
        return [str(request.url) for request in self.requests]


async def inline(call: Callable[..., Any], *args: Any) -> Any:
    """Stands in for a worker thread; there is a moment before and after."""
    await asyncio.sleep(0)
    result = call(*args)
    await asyncio.sleep(0)
    return result


def video(data: bytes = VIDEO, size: int = 100, coding: str = "identity") -> httpx.Response:
    """An answer with a video, in pieces."""
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    said = {"content-length": str(len(data)), "content-encoding": coding}
    return httpx.Response(200, headers=said, stream=Body(*pieces))


def videos(request: httpx.Request) -> httpx.Response:
    """Give a new answer to every request."""
    return video()


def redirect(location: str, **headers: str) -> httpx.Response:
    """An answer that leads elsewhere."""
    return httpx.Response(302, headers={"location": location, **headers}, stream=Body())


def downloads(transport: httpx.AsyncBaseTransport | None, **options: Any) -> Downloads:
    """The downloader under test, on this loop alone and with the same random numbers every time."""
    fixed: dict[str, Any] = {"random": Random(7), "run_sync": inline, "times": HASTY}
    return Downloads(transport=transport, **fixed | options)


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in the folder and below."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


async def failure(hosts: Hosts, folder: Path, url: str = URL, **options: Any) -> DownloadError:
    """The error of a fetch, which left nothing behind and let every answer go."""
    path = folder / "mug.mp4"
    with pytest.raises(DownloadError) as caught:
        await downloads(hosts, **options).fetch(url, path, task_id="t1")

    error = caught.value
    assert (error.url, error.path, error.task_id) == (url, path, "t1")
    assert "secret" not in error.message
    assert pickle.loads(pickle.dumps(error)).url == url
    assert files(folder) == {}
    return error


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
async def test_a_video_is_saved_whole(tmp_path: Path, size: int) -> None:
    """Folders are created, an older file is replaced, and nothing else is left."""
    hosts = Hosts(lambda request: video(size=size))
    path = tmp_path / "out" / "demo" / "mug.mp4"

    for _ in range(2):
        assert await downloads(hosts).fetch(URL, path) == path

    assert files(tmp_path) == {"out/demo/mug.mp4": VIDEO}
    assert hosts.urls == [URL, URL]


@pytest.mark.asyncio
async def test_a_large_file_is_written_while_it_comes(tmp_path: Path) -> None:
    """Memory holds a bounded part of it."""
    sizes: list[int] = []

    async def run_sync(call: Callable[..., Any], *args: Any) -> Any:
        sizes.extend(len(arg) for arg in args if isinstance(arg, bytes))
        return call(*args)

    data = VIDEO + b"x" * 2**20
    hosts = Hosts(video(data, size=2**16))

    await downloads(hosts, run_sync=run_sync).fetch(URL, tmp_path / "mug.mp4")

    assert files(tmp_path) == {"mug.mp4": data}
    assert max(sizes) == 2**18
    assert sum(sizes) == len(data)


@pytest.mark.asyncio
async def test_an_answer_without_a_length_is_taken(tmp_path: Path) -> None:
    """Content-Length is optional; fakes that were given their content at once work too."""
    hosts = Hosts(httpx.Response(200, stream=Body(VIDEO)), httpx.Response(200, content=VIDEO))

    for name in ("a.mp4", "b.mp4"):
        await downloads(hosts).fetch(URL, tmp_path / name)

    assert files(tmp_path) == {"a.mp4": VIDEO, "b.mp4": VIDEO}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer, reason",
    [
        (httpx.Response(200, content=b""), "not an MP4"),
        (httpx.Response(200, html="<h1>Sign in</h1>"), "not an MP4"),
        (video(gzip.compress(VIDEO), coding="gzip"), "compressed"),
        (video(gzip.compress(VIDEO)), "not an MP4"),
        (httpx.Response(206, content=VIDEO), "HTTP 206"),
        (httpx.Response(403), "retrieve('t1')"),
        (httpx.Response(404), "retrieve('t1')"),
        (httpx.Response(410), "retrieve('t1')"),
        (httpx.Response(302), "HTTP 302"),
        (redirect("http://cdn.example/x"), "https"),
        (redirect("//169.254.169.254/latest/meta-data"), "private"),
        (redirect("https://2130706433/"), "private"),
        (redirect("https://localhost/"), "private"),
        (redirect("https://user:secret@cdn.example/"), "password"),
    ],
)
async def test_what_cannot_be_mended_is_asked_for_once(
    tmp_path: Path, answer: httpx.Response, reason: str
) -> None:
    """No video, a compressed one, one that is gone, and a redirect to where nobody goes."""
    hosts = Hosts(answer)

    error = await failure(hosts, tmp_path)

    assert reason in error.message
    assert hosts.urls == [URL]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example/x",
        "https://127.0.0.1/x",
        "https://0x7f.1/x",
        "x.mp4",
        "https://secret@h",
    ],
)
async def test_an_address_that_is_refused_is_not_asked(tmp_path: Path, url: str) -> None:
    """The text of an address is judged before anything is sent."""
    hosts = Hosts(videos)

    error = await failure(hosts, tmp_path, url)

    assert "The address" in error.message
    assert hosts.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        OSError("a raw error of another library"),
        RuntimeError("even this"),
        httpx.Response(500),
        httpx.Response(429),
        httpx.Response(200, headers={"content-length": "x"}),
        httpx.Response(200, headers={"content-length": str(len(VIDEO))}, stream=Body(VIDEO[:-1])),
        httpx.Response(200, headers={"content-length": str(len(VIDEO))}, stream=Body(VIDEO, b"x")),
        httpx.Response(200, stream=Body(VIDEO[:99], httpx.ReadError("cut"))),
        httpx.Response(200, stream=Body(VIDEO[:99], ConnectionResetError("cut"))),
    ],
)
async def test_a_failure_that_may_pass_is_tried_again_from_the_start(
    tmp_path: Path, answer: Answer
) -> None:
    """After a pause the whole file is asked for again."""
    hosts = Hosts(answer, videos)
    start = asyncio.get_running_loop().time()

    await downloads(hosts).fetch(URL, tmp_path / "mug.mp4")

    assert files(tmp_path) == {"mug.mp4": VIDEO}
    assert hosts.urls == [URL, URL]
    assert 0.25 <= asyncio.get_running_loop().time() - start <= 0.5


@pytest.mark.asyncio
async def test_tries_are_bounded(tmp_path: Path) -> None:
    """The last failure is told, its cause is kept, and the message says what to do."""
    hosts = Hosts(httpx.ConnectError("refused: secret"))

    error = await failure(hosts, tmp_path, tries=3)

    assert len(hosts.requests) == 3
    assert error.message.endswith("The connection failed (ConnectError). Try again later.")
    assert isinstance(error.__cause__, httpx.ConnectError)


@pytest.mark.asyncio
@pytest.mark.parametrize("piece", [VIDEO, b"\x00\x00\x00\x18ftyp", VIDEO * 10])
async def test_the_cap_holds_whatever_was_said(tmp_path: Path, piece: bytes) -> None:
    """A length that is missing or a lie opens no way to fill the disk."""
    endless = Body(VIDEO, *[piece] * 1000)
    lie = {"content-length": "1000"}

    error = await failure(Hosts(httpx.Response(200, stream=endless)), tmp_path, max_bytes=1000)
    await failure(Hosts(httpx.Response(200, headers=lie, stream=endless)), tmp_path, max_bytes=1000)

    assert "limit of 1000 bytes" in error.message


@pytest.mark.asyncio
async def test_a_file_that_is_said_to_be_too_large_is_not_read(tmp_path: Path) -> None:
    """The length is compared with the cap in advance."""
    body = Body(AssertionError("read"))
    hosts = Hosts(httpx.Response(200, headers={"content-length": str(5 * 2**30)}, stream=body))

    error = await failure(hosts, tmp_path)

    assert f"limit of {4 * 2**30} bytes" in error.message
    assert body.closed


@pytest.mark.asyncio
async def test_redirects_are_followed_from_host_to_host(tmp_path: Path) -> None:
    """Up to five; every request carries the same few headers, and nothing of an earlier answer."""
    cookie = {"set-cookie": "session=1; Domain=example"}
    steps = ["/b", "https://two.example/c?d", "e", "//three.example:8443/f", "/g#h"]
    hosts = Hosts(*(redirect(step, **cookie) for step in steps), videos)

    await downloads(hosts).fetch(URL, tmp_path / "mug.mp4")

    assert files(tmp_path) == {"mug.mp4": VIDEO}
    assert hosts.urls[1:] == [
        "https://cdn.example/b",
        "https://two.example/c?d",
        "https://two.example/e",
        "https://three.example:8443/f",
        "https://three.example:8443/g",
    ]
    for request in hosts.requests:
        assert dict(request.headers) == {
            "host": request.url.netloc.decode(),
            "accept": "*/*",
            "accept-encoding": "identity",
            "user-agent": "veo-async",
        }


@pytest.mark.asyncio
async def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    """After five redirects there is no sixth, and no second try."""
    hosts = Hosts(redirect("/again"))

    error = await failure(hosts, tmp_path)

    assert "more than 5 redirects" in error.message
    assert len(hosts.requests) == 6


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/x.mp4", "http://localhost:8000/x.mp4"])
async def test_a_local_api_may_serve_its_files_here(tmp_path: Path, url: str) -> None:
    """With ``loopback_ok`` this machine is allowed, also without TLS."""
    hosts = Hosts(videos)

    await downloads(hosts, loopback_ok=True).fetch(url, tmp_path / "mug.mp4")

    assert files(tmp_path) == {"mug.mp4": VIDEO}


@pytest.mark.asyncio
@pytest.mark.parametrize("call, asked", [("begin", 0), ("write", 1), ("commit", 1)])
async def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, call: str, asked: int
) -> None:
    """The disk's own word for it and the next step are in the message; nobody tries again."""

    async def run_sync(function: Callable[..., Any], *args: Any) -> Any:
        if function.__name__ == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        return function(*args)

    hosts = Hosts(videos)

    error = await failure(hosts, tmp_path, run_sync=run_sync)

    assert "No space left on device" in error.message
    assert "disk" in error.message
    assert len(hosts.requests) == asked


@pytest.mark.asyncio
async def test_a_disk_that_is_full_in_the_middle_of_a_file_is_told(tmp_path: Path) -> None:
    """The operating system itself refuses the second megabyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    hosts = Hosts(video(VIDEO + bytes(3 * 2**20), size=2**16))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20 - 100, hard))
    try:
        error = await failure(hosts, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert "Writing failed: File too large. See to the disk" in error.message
    assert len(hosts.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("name", [".", "folder", "file/x.mp4", "nul\x00.mp4"])
async def test_a_path_that_cannot_be_written_is_our_error(tmp_path: Path, name: str) -> None:
    """A folder, a file as a folder, and a name that no system allows."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(DownloadError, match="Writing failed"):
        await downloads(Hosts(videos)).fetch(URL, tmp_path / name)

    assert files(tmp_path) == {"file": b""}


@pytest.mark.asyncio
async def test_a_host_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    """Waiting for the answer and for each piece of it is bounded, whatever the transport does."""
    times = DownloadTimes(patience=0, connect=1, read=5, close=1, backoff=1, max_backoff=1)
    body = Body(VIDEO[:99], 3600, closes=False)
    clock = asyncio.get_running_loop().time

    class Silent(Hosts):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(3600)
            raise AssertionError

    start = clock()
    await failure(Silent(), tmp_path, tries=1, times=times)
    answered = clock()
    await failure(Hosts(httpx.Response(200, stream=body)), tmp_path, tries=1, times=times)
    ended = clock()

    assert answered - start == pytest.approx(6)
    assert ended - answered == pytest.approx(6)
    assert body.closed


@pytest.mark.asyncio
async def test_a_file_that_drips_is_given_up(tmp_path: Path) -> None:
    """A host that stays under every other limit does not hold a place for ever."""
    pieces: list[bytes | float] = [VIDEO[:99], 29.0]
    drip = Body(*pieces * 10_000)

    error = await failure(Hosts(httpx.Response(200, stream=drip)), tmp_path)

    assert "longer than 3600 seconds" in error.message
    assert drip.closed


async def steps_until_cancelled(
    fetch: Coroutine[Any, Any, Path], count: int, cancel: Callable[[asyncio.Task[Any]], None]
) -> bool:
    """Run so many steps, then cancel; whether there was something left to cancel."""
    task = asyncio.ensure_future(fetch)
    for _ in range(count):
        await asyncio.sleep(0)
    if task.done():
        await task
        return False
    cancel(task)
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


def once(task: asyncio.Task[Any]) -> None:
    """Cancel as most callers do."""
    task.cancel()


def twice(task: asyncio.Task[Any]) -> None:
    """Cancel again while the first one is still being obeyed."""
    task.cancel()
    asyncio.get_running_loop().call_soon(task.cancel)


@pytest.mark.asyncio
@pytest.mark.parametrize("cancel", [once, twice])
@pytest.mark.parametrize("old", [None, b"old"])
async def test_a_cancelled_fetch_leaves_nothing_half_done(
    tmp_path: Path, cancel: Callable[[asyncio.Task[Any]], None], old: bytes | None
) -> None:
    """At every single await: no ``.part``, and at the final name what was there, or all of it."""
    path = tmp_path / "mug.mp4"
    before = {} if old is None else {"mug.mp4": old}
    outcomes: list[dict[str, bytes]] = []
    count = 0
    while count < 1000:
        path.unlink(missing_ok=True)
        if old is not None:
            path.write_bytes(old)
        hosts = Hosts(redirect("/b"), httpx.ReadError("cut"), videos)
        fetching = downloads(hosts, times=DownloadTimes(patience=0, backoff=0))

        if not await steps_until_cancelled(fetching.fetch(URL, path), count, cancel):
            break

        outcomes.append(files(tmp_path))
        count += 1

    assert 20 < count < 1000
    whole = {"mug.mp4": VIDEO}
    renamed = outcomes.index(whole)
    assert all(outcome == before for outcome in outcomes[:renamed])
    assert all(outcome == whole for outcome in outcomes[renamed:])
    assert count - renamed < 5
    assert files(tmp_path) == whole


@pytest.mark.asyncio
async def test_a_scope_of_anyio_cancels_as_cleanly(tmp_path: Path) -> None:
    """The unfinished file is removed although the scope keeps cancelling."""
    body = Body(VIDEO, 3600)

    with anyio.move_on_after(1) as scope:
        await downloads(Hosts(httpx.Response(200, stream=body))).fetch(URL, tmp_path / "mug.mp4")

    assert scope.cancelled_caught
    assert files(tmp_path) == {}
    assert body.closed


@pytest.mark.asyncio
async def test_two_fetches_to_one_target_do_not_mix(tmp_path: Path) -> None:
    """Both work on a file of their own; the last to finish stays."""
    path = tmp_path / "mug.mp4"
    both = downloads(Hosts(video(VIDEO, size=10), video(OTHER, size=10)))

    await asyncio.gather(both.fetch(URL, path), both.fetch(URL, path))

    assert files(tmp_path) in ({"mug.mp4": VIDEO}, {"mug.mp4": OTHER})


@pytest.mark.asyncio
async def test_fetches_at_a_time_are_bounded(tmp_path: Path) -> None:
    """Many fetches share a few places, also when some of them fail or are cancelled."""
    open_now, most = 0, 0

    class Slow(Hosts):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal open_now, most
            open_now, most = open_now + 1, max(most, open_now + 1)
            try:
                await asyncio.sleep(1)
                return await super().handle_async_request(request)
            finally:
                open_now -= 1

    def all_but_the_first(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404) if request.url.path == "/0.mp4" else video()

    fetching = downloads(Slow(all_but_the_first), parallel=3)
    paths = [tmp_path / f"{i}.mp4" for i in range(10)]
    urls = [f"https://cdn.example/{path.name}" for path in paths]
    tasks = [asyncio.ensure_future(fetching.fetch(*pair)) for pair in zip(urls, paths, strict=True)]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    tasks[9].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert most == 3
    assert isinstance(results[0], DownloadError)
    assert [type(results[i]) for i in (1, 9)] == [asyncio.CancelledError] * 2
    assert results[2:9] == paths[2:9]


# What broke off.

ETAG = '"mug-1"'


class Library(Hosts):
    """A host that serves ranges, and breaks off after so many bytes of each of its answers, until
    nothing is left of these."""

    def __init__(self, *cuts: int, data: bytes = VIDEO, etag: str | None = ETAG) -> None:
        super().__init__(self._file)
        self.cuts = list(cuts)
        self.data = data
        self.etag = etag
        self.ranges: list[tuple[str | None, str | None]] = []

    def _file(self, request: httpx.Request) -> httpx.Response:
        asked, condition = request.headers.get("range"), request.headers.get("if-range")
        self.ranges.append((asked, condition))
        start, total = 0, len(self.data)
        if asked and condition == self.etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        headers = {"content-length": str(total - start)}
        if self.etag:
            headers["etag"] = self.etag
        if start:
            headers["content-range"] = f"bytes {start}-{total - 1}/{total}"
        rest, size = self.data[start:], 2**17
        pieces: list[bytes | Exception] = [rest[i : i + size] for i in range(0, len(rest), size)]
        if self.cuts:
            pieces = [rest[: self.cuts.pop(0)], httpx.ReadError("cut")]
        return httpx.Response(206 if start else 200, headers=headers, stream=Body(*pieces))


def rest_of(count: int) -> tuple[str, str]:
    """The headers that request the rest after so many bytes."""
    return f"bytes={count}-", ETAG


@pytest.mark.asyncio
async def test_a_fetch_goes_on_where_the_body_broke_off(tmp_path: Path) -> None:
    """Only what is missing is asked for, again and again."""
    library = Library(100, 300)

    await downloads(library).fetch(URL, tmp_path / "mug.mp4")

    assert files(tmp_path) == {"mug.mp4": VIDEO}
    assert library.ranges == [(None, None), rest_of(100), rest_of(400)]


@pytest.mark.asyncio
async def test_a_long_file_on_a_bad_line_arrives(tmp_path: Path) -> None:
    """As long as a fetch gets on it is not given up; one that stands still is."""
    data, mega = VIDEO + bytes(9 * 2**20), 2**20
    library = Library(*[mega] * 8, data=data)
    stuck = Library(mega, *[10] * 8, data=data)

    await downloads(library).fetch(URL, tmp_path / "mug.mp4")
    with pytest.raises(DownloadError, match="ReadError"):
        await downloads(stuck).fetch(URL, tmp_path / "stuck.mp4")

    assert files(tmp_path) == {"mug.mp4": data}
    assert (len(library.ranges), len(stuck.ranges)) == (9, 4)


@pytest.mark.asyncio
@pytest.mark.parametrize("etag", [None, "W/" + ETAG])
async def test_without_a_strong_validator_a_fetch_starts_anew(
    tmp_path: Path, etag: str | None
) -> None:
    """Nothing says that the rest would be of the same file."""
    library = Library(100, 300, etag=etag)

    await downloads(library).fetch(URL, tmp_path / "mug.mp4")

    assert files(tmp_path) == {"mug.mp4": VIDEO}
    assert library.ranges == [(None, None)] * 3


@pytest.mark.asyncio
async def test_a_file_that_has_changed_starts_anew(tmp_path: Path) -> None:
    """The host answers with the whole new one, since the condition does not hold."""
    library = Library(300, 100)

    def changed(request: httpx.Request) -> httpx.Response:
        library.data, library.etag = OTHER, '"mug-2"'
        return library._file(request)

    hosts = Hosts(library._file, changed, library._file)
    await downloads(hosts).fetch(URL, tmp_path / "mug.mp4")

    assert files(tmp_path) == {"mug.mp4": OTHER}
    assert library.ranges == [(None, None), rest_of(300), ("bytes=100-", '"mug-2"')]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "status, headers",
    [
        (206, {}),
        (206, {"content-range": "bytes 0-99/*"}),
        (206, {"content-range": f"bytes 99-{len(VIDEO) - 1}/{len(VIDEO)}"}),
        (206, {"content-range": f"bytes 100-{len(VIDEO)}/{len(VIDEO) + 1}"}),
        (206, {"content-range": f"bytes 100-{len(VIDEO) - 1}/{len(VIDEO)}", "etag": '"mug-2"'}),
        (416, {"content-range": "bytes */100"}),
    ],
)
async def test_a_wrong_rest_is_never_put_behind_the_start(
    tmp_path: Path, status: int, headers: dict[str, str]
) -> None:
    """Another place, another length, another file, or none: the whole is asked for once more."""
    library = Library(100)
    wrong = httpx.Response(status, headers=headers, stream=Body(VIDEO[100:]))
    hosts = Hosts(library._file, wrong, library._file)

    await downloads(hosts).fetch(URL, tmp_path / "mug.mp4")

    assert files(tmp_path) == {"mug.mp4": VIDEO}
    assert library.ranges == [(None, None), (None, None)]


@pytest.mark.asyncio
async def test_the_cap_counts_what_was_there_before(tmp_path: Path) -> None:
    """A host may not fill the disk by many short answers."""
    start = httpx.Response(200, headers={"etag": ETAG}, stream=Body(VIDEO[:900], OSError("cut")))
    rest = {"content-range": "bytes 900-1999/2000"}

    await failure(Hosts(start, httpx.Response(206, headers=rest)), tmp_path, max_bytes=1000)


LASTING: dict[str, Any] = {"task_id": "t1", "stage": "generate"}


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["cut", "cancelled"])
async def test_a_later_run_goes_on(tmp_path: Path, how: str) -> None:
    """The leftover of an item's fetch is the start of the next one's file; no byte comes twice."""
    path, library = tmp_path / "mug.mp4", Library(100, 200, 10, 10)
    fetching = downloads(library).fetch(URL, path, **LASTING)
    if how == "cut":
        with pytest.raises(DownloadError):
            await fetching
    else:
        task = asyncio.ensure_future(fetching)
        await asyncio.sleep(0.6)  # in the pause before the third try
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    left = files(tmp_path)
    library.cuts.clear()

    await downloads(library).fetch(URL, path, **LASTING)

    count = len(left["mug.mp4.part"])
    assert count == (320 if how == "cut" else 300)
    assert VIDEO.startswith(left["mug.mp4.part"])
    assert library.ranges[-1] == rest_of(count)
    assert files(tmp_path) == {"mug.mp4": VIDEO}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "other",
    [
        {"task_id": "t2", "stage": "generate"},
        {"task_id": "t1", "stage": "upscale"},
        {"task_id": "t1"},
        {},
    ],
)
async def test_only_the_same_task_and_stage_goes_on(tmp_path: Path, other: dict[str, Any]) -> None:
    """The two stages of a video have one video id, and perhaps even one validator."""
    path, library = tmp_path / "mug.mp4", Library(300, 1, 1, 1)
    with pytest.raises(DownloadError):
        await downloads(library).fetch(URL, path, **LASTING)

    await downloads(library).fetch(URL, path, **other)

    assert library.ranges[-1] == (None, None)
    assert files(tmp_path) == {"mug.mp4": VIDEO}


@pytest.mark.asyncio
async def test_what_a_killed_process_saved_is_gone_on_with(tmp_path: Path) -> None:
    """Every few megabytes are made durable; what came after the last of them is asked for again,
    since nobody knows whether it reached the disk."""
    here, killed = tmp_path / "here", tmp_path / "killed"
    library = Library(data=VIDEO + bytes(9 * 2**20))

    async def run_sync(call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if call.__name__ == "write" and (here / "mug.mp4.part").stat().st_size > 6 * 2**20:
            shutil.copytree(here, killed, dirs_exist_ok=True)
        return result

    await downloads(library, run_sync=run_sync).fetch(URL, here / "mug.mp4", **LASTING)
    noted = json.loads((killed / "mug.mp4.part.notes").read_bytes())["count"]
    await downloads(library).fetch(URL, killed / "mug.mp4", **LASTING)

    assert noted % 2**22 < 2**18
    assert library.ranges[-1] == rest_of(noted)
    assert files(killed) == files(here) == {"mug.mp4": library.data}


@pytest.mark.asyncio
async def test_what_cannot_be_had_leaves_nothing(tmp_path: Path) -> None:
    """Not even what an earlier run had of it."""
    path, library = tmp_path / "mug.mp4", Library(300, 1, 1, 1)
    with pytest.raises(DownloadError):
        await downloads(library).fetch(URL, path, **LASTING)

    with pytest.raises(DownloadError, match="HTTP 404"):
        await downloads(Hosts(httpx.Response(404))).fetch(URL, path, **LASTING)

    assert files(tmp_path) == {}


@pytest.mark.asyncio
@pytest.mark.parametrize("cancel", [once, twice])
async def test_a_cancelled_fetch_of_an_item_leaves_what_can_be_gone_on_with(
    tmp_path: Path, cancel: Callable[[asyncio.Task[Any]], None]
) -> None:
    """At every single await: nothing, or a start with true notes, or the whole file; and the next
    fetch is whole."""
    path, count, kinds = tmp_path / "mug.mp4", 0, set[tuple[str, ...]]()
    while count < 1000:
        library = Library(100, 300)
        fetching = downloads(library, times=DownloadTimes(patience=0, backoff=0))
        if not await steps_until_cancelled(fetching.fetch(URL, path, **LASTING), count, cancel):
            break

        left = files(tmp_path)
        kinds.add(tuple(sorted(left)))
        if "mug.mp4" not in left:
            await downloads(Library()).fetch(URL, path, **LASTING)
        assert files(tmp_path) == {"mug.mp4": VIDEO}
        path.unlink()
        count += 1

    assert 20 < count < 1000
    assert kinds == {(), ("mug.mp4.part", "mug.mp4.part.notes"), ("mug.mp4",)}


# Fresh URLs.


def finished(*urls: str) -> TaskRecord:
    """A task with these files."""
    data = [{"id": f"v{number}", "video_url": url} for number, url in enumerate(urls)]
    generation = Generation.model_validate({"success": True, "data": data})
    return TaskRecord(id="t1").with_status("succeeded", generation)


class Service:
    """Knows where the files lie by now."""

    def __init__(self, *answers: list[TaskRecord] | VeoError) -> None:
        self.asked: list[Sequence[str]] = []
        self._answers = list(answers)

    async def look_up(self, ids: Sequence[str]) -> list[TaskRecord]:
        self.asked.append(ids)
        answer = self._answers.pop(0)
        if isinstance(answer, VeoError):
            raise answer
        return answer


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_url_that_has_expired_is_asked_for_anew(tmp_path: Path, status: int) -> None:
    """By the task's id; what was there of the file stays, and no try is lost."""
    library = Library(100)
    service = Service([finished("https://two.example/other", "https://two.example/mug")])
    hosts = Hosts(library._file, httpx.Response(status), library._file)
    fetching = downloads(hosts, look_up=service.look_up, tries=2)

    await fetching.fetch(URL, tmp_path / "mug.mp4", task_id="t1", video_id="v1")

    assert service.asked == [["t1"]]
    assert hosts.urls == [URL, URL, "https://two.example/mug"]
    assert library.ranges == [(None, None), rest_of(100)]
    assert files(tmp_path) == {"mug.mp4": VIDEO}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answers, asked, last",
    [
        ([VeoError("nobody answers")], 1, URL),
        ([[]], 1, URL),
        ([[finished()]], 1, URL),
        ([[finished(URL)]], 1, URL),
        ([[finished("https://a.example/")], [finished(URL)]], 2, URL),
        ([[finished("http://10.0.0.1/x")]], 1, "http://10.0.0.1/x"),
    ],
)
async def test_without_a_fresh_url_the_error_says_so(
    tmp_path: Path, answers: list[Any], asked: int, last: str
) -> None:
    """The service is asked twice at most, and what it says is judged like any address."""
    service = Service(*answers)
    fetching = downloads(Hosts(httpx.Response(403)), look_up=service.look_up)

    with pytest.raises(DownloadError) as caught:
        await fetching.fetch(URL, tmp_path / "mug.mp4", task_id="t1")

    assert len(service.asked) == asked
    assert (caught.value.url, caught.value.task_id) == (last, "t1")
    assert files(tmp_path) == {}


@pytest.mark.asyncio
async def test_without_a_task_nobody_is_asked(tmp_path: Path) -> None:
    """A bare URL belongs to nobody."""
    service = Service()

    with pytest.raises(DownloadError, match="HTTP 403"):
        await downloads(Hosts(httpx.Response(403)), look_up=service.look_up).fetch(
            URL, tmp_path / "mug.mp4"
        )

    assert service.asked == []


@pytest.mark.asyncio
async def test_a_closed_one_fetches_nothing(tmp_path: Path) -> None:
    """The transport that a caller brought stays open, for the caller."""

    class Kept(Hosts):
        async def aclose(self) -> None:
            raise AssertionError

    hosts = Kept(videos)
    closed, own = downloads(hosts), downloads(None)
    await closed.aclose()
    await own.aclose()

    for fetching in (closed, own):
        with pytest.raises(ClientClosedError):
            await fetching.fetch(URL, tmp_path / "mug.mp4")

    assert hosts.requests == []
    assert files(tmp_path) == {}


@pytest.mark.asyncio
@respx.mock
async def test_respx_stands_in_for_the_hosts(tmp_path: Path, respx_mock: Any) -> None:
    """Its default mocker intercepts our own transport, and no name is looked up."""
    respx.get(URL).respond(302, headers={"location": "https://two.example/b"})
    respx.get("https://two.example/b").respond(content=VIDEO)
    fetching = downloads(None)

    await fetching.fetch(URL, tmp_path / "mug.mp4")
    await fetching.aclose()

    assert files(tmp_path) == {"mug.mp4": VIDEO}


PATIENT = DownloadTimes()
"""The times of a client."""


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [403, 404])
async def test_a_file_that_is_not_there_yet(tmp_path: Path, status: int) -> None:
    """The file of a task that has just succeeded may take a minute to reach the edge of a CDN."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    hosts = Hosts(
        lambda request: (
            video() if loop.time() - start > 60 else httpx.Response(status, stream=Body())
        )
    )

    await downloads(hosts, times=PATIENT).fetch(URL, tmp_path / "mug.mp4", task_id="t1")

    assert (tmp_path / "mug.mp4").read_bytes() == VIDEO
    assert len(hosts.requests) < 20


@pytest.mark.asyncio
async def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file that does not appear is given up after the patience; one without a task at once."""
    loop = asyncio.get_running_loop()
    hosts = Hosts(lambda request: httpx.Response(404, stream=Body()))
    start = loop.time()

    with pytest.raises(DownloadError, match="HTTP 404"):
        await downloads(hosts, times=PATIENT).fetch(URL, tmp_path / "a.mp4", task_id="t1")
    with_task = loop.time() - start
    with pytest.raises(DownloadError, match="HTTP 404"):
        await downloads(hosts, times=PATIENT).fetch(URL, tmp_path / "b.mp4")

    assert PATIENT.patience <= with_task <= PATIENT.patience + PATIENT.max_backoff
    assert loop.time() - start == with_task


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "failing", [httpx.Response(503), httpx.ConnectError("refused"), httpx.ReadError("reset")]
)
async def test_a_host_that_is_ill_for_a_minute(tmp_path: Path, failing: Answer) -> None:
    """A minute of 5xx, refused connections or resets is survived."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    def answer(request: httpx.Request) -> httpx.Response:
        if loop.time() - start > 60:
            return video()
        if isinstance(failing, Exception):
            raise failing
        return httpx.Response(503, stream=Body())

    await downloads(Hosts(answer), times=PATIENT).fetch(URL, tmp_path / "mug.mp4")

    assert (tmp_path / "mug.mp4").read_bytes() == VIDEO


@pytest.mark.asyncio
async def test_a_host_that_cuts_most_answers(tmp_path: Path) -> None:
    """A host that cuts nine answers in a row, and then gives the whole file, is survived."""
    cut = [lambda request: httpx.Response(200, stream=Body(VIDEO[:400]))] * 9
    hosts = Hosts(*cut, videos)

    await downloads(hosts, times=PATIENT).fetch(URL, tmp_path / "mug.mp4")

    assert (tmp_path / "mug.mp4").read_bytes() == VIDEO


@pytest.mark.asyncio
async def test_a_cut_body_of_unknown_length(tmp_path: Path) -> None:
    """A body without a length that ends inside of the file is not saved as the file; one that ends
    where its boxes do is."""
    whole = httpx.Response(200, stream=Body(VIDEO[:300], VIDEO[300:]))
    hosts = Hosts(httpx.Response(200, stream=Body(VIDEO[:300])), whole)

    await downloads(hosts).fetch(URL, tmp_path / "mug.mp4")

    assert (tmp_path / "mug.mp4").read_bytes() == VIDEO
    assert len(hosts.requests) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("coding", ["aws-chunked", "none", "", "UTF-8", "identity, aws-chunked"])
async def test_codings_that_change_nothing(tmp_path: Path, coding: str) -> None:
    """Stores replay the codings with which a file was uploaded; they change no byte."""
    await downloads(Hosts(video(coding=coding))).fetch(URL, tmp_path / "mug.mp4")

    assert (tmp_path / "mug.mp4").read_bytes() == VIDEO


@pytest.mark.asyncio
async def test_a_compressed_file_is_named(tmp_path: Path) -> None:
    """A real compression is named; an odd word from the network is not repeated."""
    first = await failure(Hosts(video(coding="gzip")), tmp_path)
    second = await failure(Hosts(video(coding="\x1b[31m!")), tmp_path)

    assert "compressed the file (gzip)" in first.message
    assert "compressed the file (in an unknown way)" in second.message


@pytest.mark.asyncio
async def test_a_redirect_with_a_space(tmp_path: Path) -> None:
    """A space in the address of a redirect is encoded, as browsers do it."""
    hosts = Hosts(redirect(" https://cdn.example/my mug.mp4 "), video())

    await downloads(hosts).fetch(URL, tmp_path / "mug.mp4")

    assert hosts.urls[1] == "https://cdn.example/my%20mug.mp4"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "number, times, saved",
    [
        (errno.EACCES, 3, True),
        (errno.EBUSY, 4, True),
        (errno.EACCES, 9, False),
        (errno.ENOSPC, 1, False),
    ],
)
async def test_a_file_that_another_program_holds(
    number: int, times: int, saved: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scanner may hold the new file for a moment; another error is final at once."""
    path, real, calls = tmp_path / "mug.mp4", Path.replace, []

    def held(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) <= times:
            raise OSError(number, "held")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", held)
    fetching = downloads(Hosts(video())).fetch(URL, path)

    if saved:
        await fetching
        assert path.read_bytes() == VIDEO
    else:
        with pytest.raises(DownloadError, match="held"):
            await fetching
        assert len(calls) == (1 if number == errno.ENOSPC else 5)


@pytest.mark.asyncio
async def test_files_that_are_gone_for_long(tmp_path: Path) -> None:
    """A file of an earlier run that is not there any more is given up at once: thousands of them
    must not wait one by one."""
    hosts = Hosts(lambda request: httpx.Response(404, stream=Body()))
    fetching = downloads(hosts, times=PATIENT)
    start = asyncio.get_running_loop().time()

    with pytest.raises(DownloadError, match="HTTP 404"):
        await fetching.fetch(URL, tmp_path / "a.mp4", task_id="t1", is_new=False)

    assert asyncio.get_running_loop().time() == start
    assert len(hosts.requests) == 1


@pytest.mark.asyncio
async def test_a_host_that_is_dead_for_all_files(tmp_path: Path) -> None:
    """The first files wait for a host that is ill; once it has failed for as long as they had
    patience, the others only have their tries. A good answer renews the patience."""
    loop = asyncio.get_running_loop()
    health: list[bool] = []
    hosts = Hosts(lambda request: video() if health else httpx.Response(503, stream=Body()))
    fetching = downloads(hosts, times=PATIENT)

    async def seconds(name: str) -> float:
        start = loop.time()
        with suppress(DownloadError):
            await fetching.fetch(URL, tmp_path / name, task_id="t1")
        return loop.time() - start

    first, second = await seconds("a.mp4"), await seconds("b.mp4")
    health.append(True)
    good = await seconds("c.mp4")
    health.clear()
    third = await seconds("d.mp4")

    assert first >= PATIENT.patience > 20 > second
    assert good == 0.0
    assert third >= PATIENT.patience
