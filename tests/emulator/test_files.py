"""Files: rendered once, served with ranges, removed at the end."""

from __future__ import annotations

import asyncio
import gc
import io
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio
import av
import httpx
import pytest

from veo_async.emulator import Answer, Emulator, Immediate, Torn, VideoFormat, Wire, _rendering
from veo_async.emulator._files import cores
from veo_async.emulator._scene import Scene

from .calls import Caller, calling, error_of, finished

T = TypeVar("T")


@pytest.mark.asyncio
async def test_a_real_file() -> None:
    """The download is an MP4 that plays: H.264, of the requested size and length."""
    async with calling(video=VideoFormat(seconds=0.5, fps=8, short_side=72)) as caller:
        url, _ = await finished(caller)

        answer = await caller.http.get(url)

        assert answer.headers["content-type"] == "video/mp4"
        with av.open(io.BytesIO(answer.content), "r") as container:
            stream = container.streams.video[0]
            frames = list(container.decode(stream))
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height, len(frames)) == (128, 72, 4)


@pytest.mark.asyncio
async def test_rendered_once_when_first_wanted(renders: list[Scene]) -> None:
    """Nothing is rendered before it is fetched; concurrent fetches share one render."""
    async with calling() as caller:
        url, _ = await finished(caller)
        before = len(renders)

        answers = await asyncio.gather(*(caller.http.get(url) for _ in range(5)))
        await caller.http.get(url)

        assert before == 0
        assert len(renders) == 1
        assert {answer.content for answer in answers} == {bytes(range(250)) * 4}
        assert caller.emulator.counters["file"] == 6


@pytest.mark.asyncio
async def test_a_caller_who_goes_away_does_not_stop_the_render(renders: list[Scene]) -> None:
    """Other callers may be waiting for the same file."""
    gate = anyio.Event()

    async def run_sync(function: Callable[[], T], /) -> T:
        await gate.wait()
        return function()

    async with calling(run_sync=run_sync) as caller:
        url, _ = await finished(caller)
        with anyio.move_on_after(1):
            await caller.http.get(url)
        gate.set()

        assert (await caller.http.get(url)).status_code == 200
        assert len(renders) == 1


@pytest.mark.asyncio
async def test_no_more_renders_at_once_than_cores(renders: list[Scene]) -> None:
    """Renders wait for one another, however many files are requested."""
    running = [0, 0]

    async def run_sync(function: Callable[[], T], /) -> T:
        running[0] += 1
        running[1] = max(running)
        await anyio.sleep(1)
        running[0] -= 1
        return function()

    async with calling(run_sync=run_sync) as caller:
        urls = [(await finished(caller))[0] for _ in range(cores() * 2)]
        files = caller.emulator._service.files
        tasks = caller.emulator._service.backend.tasks.values()

        await asyncio.gather(*(files.path(task, "http://x") for task in tasks))

        assert len(urls) == len(renders)
        assert running[1] == cores()


@pytest.mark.asyncio
async def test_a_render_that_failed_is_tried_again(
    renders: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A temporary error, such as a full disk, does not make the file unavailable for ever."""
    working = _rendering.render

    def fail(scene: Scene, path: Path, stopped: Callable[[], bool]) -> None:
        raise OSError("disk full")

    async with calling() as caller:
        url, _ = await finished(caller)
        monkeypatch.setattr(_rendering, "render", fail)
        with pytest.raises(OSError, match="disk full"):
            await caller.http.get(url)
        monkeypatch.setattr(_rendering, "render", working)

        assert (await caller.http.get(url)).status_code == 200


@pytest.mark.asyncio
async def test_the_folder_is_removed_at_the_end(renders: list[Scene]) -> None:
    """After `aclose`, or after the emulator was garbage-collected, nothing is left on the disk."""
    async with calling() as caller:
        await caller.http.get((await finished(caller))[0])
        closed = caller.emulator._files._folder
        assert closed is not None
        assert len(list(closed.iterdir())) == 1
    emulator = Emulator()
    dropped = emulator._files._in_folder("x").parent
    assert dropped.is_dir()

    del emulator
    gc.collect()

    assert not closed.exists()
    assert not dropped.exists()


@pytest.mark.asyncio
async def test_closing_stops_a_render(monkeypatch: pytest.MonkeyPatch) -> None:
    """A render checks between two frames if it must stop."""
    asked = []

    def render(scene: Scene, path: Path, stopped: Callable[[], bool]) -> None:
        while not stopped():
            asked.append(True)
        raise _rendering.RenderStopped

    monkeypatch.setattr(_rendering, "render", render)
    async with calling(pace=Immediate()) as caller:
        url, _ = await finished(caller)
        fetch = asyncio.create_task(caller.http.get(url))
        while not asked:
            await asyncio.to_thread(lambda: None)

        await caller.emulator.aclose()

        with pytest.raises(httpx.RemoteProtocolError):
            await fetch


@pytest.mark.asyncio
async def test_a_reset_forgets_the_files(renders: list[Scene]) -> None:
    """The file of a removed task is not found; the next one is rendered into a new folder."""
    async with calling() as caller:
        url, _ = await finished(caller)
        await caller.http.get(url)

        caller.emulator.reset()

        assert error_of(await caller.http.get(url)) == (404, "not_found")
        same_ids, _ = await finished(caller)
        assert same_ids == url
        assert (await caller.http.get(url)).status_code == 200
        assert len(renders) == 2


@pytest.mark.asyncio
async def test_only_finished_videos_have_files(renders: list[Scene]) -> None:
    """An unfinished task and an unknown name are 404; a name is never used as a path."""
    async with calling() as caller:
        task_id = await caller.task_id()

        for name in (task_id, "nothing", "..%2F..%2Fetc%2Fpasswd"):
            answer = await caller.http.get(f"/files/{name}.mp4")
            assert error_of(answer)[0] == 404
        assert renders == []


WHOLE = bytes(range(250)) * 4


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers, status, part, content_range",
    [
        ({}, 200, WHOLE, None),
        ({"range": "bytes=0-9"}, 206, WHOLE[:10], "bytes 0-9/1000"),
        ({"range": "bytes=990-"}, 206, WHOLE[990:], "bytes 990-999/1000"),
        ({"range": "bytes=990-5000"}, 206, WHOLE[990:], "bytes 990-999/1000"),
        ({"range": "Bytes=-5"}, 206, WHOLE[-5:], "bytes 995-999/1000"),
        ({"range": "bytes=-5000"}, 206, WHOLE, "bytes 0-999/1000"),
        ({"range": "bytes=0-"}, 206, WHOLE, "bytes 0-999/1000"),
        ({"range": "bytes=1000-"}, 416, b"", "bytes */1000"),
        ({"range": "bytes=-0"}, 416, b"", "bytes */1000"),
        ({"range": "bytes=9-3"}, 200, WHOLE, None),
        ({"range": "bytes=0-1,5-6"}, 200, WHOLE, None),
        ({"range": "bytes=-"}, 200, WHOLE, None),
        ({"range": "seconds=1-2"}, 200, WHOLE, None),
        ({"range": "bytes=0-9", "if-range": '"another"'}, 200, WHOLE, None),
    ],
)
async def test_ranges(
    renders: list[Scene],
    headers: dict[str, str],
    status: int,
    part: bytes,
    content_range: str | None,
) -> None:
    """Single ranges are served as in RFC 9110; a range that cannot be parsed is the whole file."""
    async with calling() as caller:
        url, _ = await finished(caller)

        got = await caller.http.get(url, headers=headers)
        head = await caller.http.head(url, headers=headers)

        assert (got.status_code, got.content) == (status, part)
        assert got.headers.get("content-range") == content_range
        assert (head.status_code, head.content) == (status, b"")
        assert head.headers["content-length"] == str(len(part))
        assert got.headers["accept-ranges"] == "bytes"


@pytest.mark.asyncio
@pytest.mark.parametrize("validator", ["etag", "last-modified"])
async def test_if_range_with_the_right_validator(renders: list[Scene], validator: str) -> None:
    """A download resumes where it was cut off, as long as the file is the same."""
    async with calling() as caller:
        url, _ = await finished(caller)
        same = (await caller.http.head(url)).headers[validator]

        rest = await caller.http.get(url, headers={"range": "bytes=900-", "if-range": same})

        assert (rest.status_code, rest.content) == (206, WHOLE[900:])


@pytest.mark.asyncio
async def test_faults_of_files(renders: list[Scene]) -> None:
    """Files can be torn or refused like any answer."""
    async with calling() as caller:
        url, _ = await finished(caller)
        caller.fault(Torn(fraction=0.3), on="file", nth=1)
        caller.fault(Answer(status=403, body="expired"), on="file", nth=2)

        with pytest.raises(httpx.RemoteProtocolError):
            await caller.http.get(url)
        assert (await caller.http.get(url)).status_code == 403
        assert (await caller.http.get(url)).content == WHOLE


@pytest.mark.asyncio
async def test_an_url_may_expire(renders: list[Scene]) -> None:
    """After its lifetime, a URL is answered with 403, and so is an invented one; another query of
    the task answers a fresh URL."""
    async with calling(pace=Immediate(), wire=Wire(url_lifetime=60.0)) as caller:
        url, _ = await finished(caller)
        task_id = caller.emulator.bill[0].task_id
        good = await caller.http.get(url)
        await anyio.sleep(61)
        stale = await caller.http.get(url)
        made_up = await caller.http.get(f"/files/{task_id}.mp4?expires=nan")
        record = await caller.record(task_id)
        fresh = await caller.http.get(record["response"]["data"][0]["video_url"])

        assert (good.status_code, fresh.status_code) == (200, 200)
        assert (stale.status_code, made_up.status_code) == (403, 403)
        assert b"Request has expired" in stale.content
        assert good.headers["etag"] == fresh.headers["etag"]


@pytest.mark.asyncio
async def test_a_leaked_token_is_counted(renders: list[Scene]) -> None:
    """Files need no token; a call that sends one is counted, so that a test can forbid it."""
    async with calling(files_url="http://cdn.localhost") as caller:
        url, _ = await finished(caller)
        await caller.http.get(url)
        del caller.http.headers["authorization"]
        await caller.http.get(url)

        assert url.startswith("http://cdn.localhost/files/")
        assert caller.emulator.counters["leaked_token"] == 1


def test_files_under_another_loop(renders: list[Scene]) -> None:
    """An emulator may be used in one event loop after another; files are not rendered again."""
    emulator = Emulator(pace=Immediate())

    async def fetch() -> bytes:
        async with httpx.AsyncClient(
            transport=emulator.transport(),
            base_url=emulator.base_url,
            headers={"authorization": "Bearer any"},
        ) as http:
            caller = Caller(emulator, http)
            if not emulator.bill:
                await caller.submit()
            return (await http.get(f"/files/{emulator.bill[0].task_id}.mp4")).content

    assert asyncio.run(fetch()) == asyncio.run(fetch()) == WHOLE
    assert len(renders) == 1
    emulator.close()


def test_a_render_that_another_loop_left_behind(renders: list[Scene]) -> None:
    """A render that ended with its event loop is started again in the next one."""
    emulator = Emulator(pace=Immediate())
    hold = True

    async def run_sync(function: Callable[[], T], /) -> T:
        if hold:
            await asyncio.Event().wait()
        return function()

    emulator._files._run_sync = run_sync

    async def fetch() -> bytes:
        async with httpx.AsyncClient(
            transport=emulator.transport(),
            base_url=emulator.base_url,
            headers={"authorization": "Bearer any"},
            timeout=0.05,
        ) as http:
            caller = Caller(emulator, http)
            if not emulator.bill:
                await caller.submit()
            return (await http.get(f"/files/{emulator.bill[0].task_id}.mp4")).content

    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(fetch())
    hold = False

    assert asyncio.run(fetch()) == WHOLE
    emulator.close()
