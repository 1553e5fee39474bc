"""Files: rendered once, served with ranges, gone at the end."""

from __future__ import annotations

import asyncio
import gc
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import av
import httpx
import pytest
from PIL import Image

from veo_async.emulator import Answer, Emulator, Immediate, Torn, VideoFormat, Wire, _rendering
from veo_async.emulator._files import cores
from veo_async.emulator._images import MAX_BYTES, Images, over_http
from veo_async.emulator._scene import Scene

from .calls import Caller, calling, error_of

T = TypeVar("T")


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[Scene]:
    """Quick renders: each writes a thousand bytes and is noted."""
    scenes = []

    def render(scene: Scene, path: Path, stopped: Callable[[], bool]) -> None:
        scenes.append(scene)
        path.write_bytes(bytes(range(250)) * 4)

    monkeypatch.setattr(_rendering, "render", render)
    return scenes


async def finished(caller: Caller, **fields: Any) -> tuple[str, Any]:
    """The URL of a finished video, and its entry."""
    video = (await caller.submit(**fields)).json()["data"][0]
    return str(video["video_url"]), video


@pytest.mark.asyncio
async def test_a_real_file() -> None:
    """What is downloaded is an MP4 that plays: H.264, of the size and length asked for."""
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
    """Others may be waiting for the same file."""
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
    """Renders wait for one another, however many files are wanted."""
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
    """A full disk yesterday does not spoil the file for ever."""
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
async def test_the_folder_goes_at_the_end(renders: list[Scene]) -> None:
    """After `aclose`, or when the emulator is forgotten, nothing is left on the disk."""
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
    """A render asks between frames whether it is still wanted."""
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
    """A file of a forgotten task is not found; the next one is rendered into a new folder."""
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
    """An unfinished task and a name that is none of ours are 404; a name is never a path."""
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
    """Single ranges are served as RFC 9110 has it; what cannot be read means the whole file."""
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
    """A download goes on where it was cut, as long as the file is the same."""
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
    """For a while it gives the file, then 403, as one that was made up; another look at the task
    answers a fresh one."""
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
async def test_a_leaked_token_is_seen(renders: list[Scene]) -> None:
    """Files need no token; a call that sends one is counted, so that a test can forbid it."""
    async with calling(files_url="http://cdn.localhost") as caller:
        url, _ = await finished(caller)
        await caller.http.get(url)
        del caller.http.headers["authorization"]
        await caller.http.get(url)

        assert url.startswith("http://cdn.localhost/files/")
        assert caller.emulator.counters["leaked_token"] == 1


@pytest.mark.asyncio
async def test_images_on_the_emulator(renders: list[Scene]) -> None:
    """An image that was put on the emulator has a URL, and is found without a call."""
    data = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(data, "PNG")
    async with calling() as caller:
        image = caller.emulator.add_image(data.getvalue())
        served = await caller.http.get(image)
        missing = await caller.http.get("/images/2")
        urls = [image, image.replace("/1", "/9")]
        url, _ = await finished(caller, action="image2video", image_urls=urls)
        await caller.http.get(url)

        assert served.headers["content-type"] == "image/png"
        assert served.content == data.getvalue()
        assert error_of(missing) == (404, "not_found")
        assert renders[0].images == (data.getvalue(), None)


@pytest.mark.asyncio
async def test_images_on_the_web(renders: list[Scene]) -> None:
    """Images are got by the fetcher; what it cannot get is a placeholder, never an error."""

    async def fetch(url: str) -> bytes:
        if url.endswith("bad"):
            raise RuntimeError("no luck")
        return url.encode()

    async with calling(fetch=fetch) as caller:
        urls = ["https://example.com/good", "https://example.com/bad"]
        url, video = await finished(caller, action="ingredients2video", image_urls=urls)
        await caller.http.get(url)
        upscaled = {"action": "get_1080p", "video_id": video["id"]}
        answer = await caller.http.post("/veo/videos", json=upscaled)
        await caller.http.get(answer.json()["data"][0]["video_url"])

        assert renders[0].images == (b"https://example.com/good", None)
        assert renders[1].images == renders[0].images
        assert renders[1].seed == renders[0].seed
        assert renders[1].height > renders[0].height


@pytest.mark.asyncio
@pytest.mark.real_loop
async def test_the_fetcher_over_http() -> None:
    """The default fetcher follows redirects, and refuses errors and what is too large."""
    bodies = {
        b"/image": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndata",
        b"/moved": b"HTTP/1.1 302 Found\r\nlocation: /image\r\ncontent-length: 0\r\n"
        b"connection: close\r\n\r\n",
        b"/gone": b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        b"/huge": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + bytes(MAX_BYTES + 1),
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(bodies[head.split()[1]])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        assert await over_http(f"{base}/moved") == b"data"
        with pytest.raises(httpx.HTTPStatusError):
            await over_http(f"{base}/gone")
        with pytest.raises(ValueError, match="too large"):
            await over_http(f"{base}/huge")
        assert await Images().get(f"{base}/gone", "http://files") is None


def test_files_under_another_loop(renders: list[Scene]) -> None:
    """An emulator may be used in one event loop after another; files stay rendered."""
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
    """A render that ended with its event loop is begun again in the next."""
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
