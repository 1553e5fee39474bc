"""The images that requests name: on the emulator itself, and on the web."""

from __future__ import annotations

import asyncio
import io

import httpx
import pytest
from PIL import Image

from veo_async.emulator._egress import Reach
from veo_async.emulator._images import MAX_BYTES, Images, over_http
from veo_async.emulator._scene import Scene

from .calls import calling, error_of, finished


@pytest.mark.asyncio
async def test_images_on_the_emulator(renders: list[Scene]) -> None:
    """An image on the emulator has a URL, and the renderer gets it without an HTTP call."""
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
    """The fetcher gets the images; one that it cannot get is a placeholder, never an error."""

    async def fetch(url: str) -> bytes:
        if url.endswith("bad"):
            raise RuntimeError("no such image")
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
    """The default fetcher follows redirects; an error status and a large body raise."""
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
    fetch = over_http(Reach())
    async with server:
        assert await fetch(f"{base}/moved") == b"data"
        with pytest.raises(httpx.HTTPStatusError):
            await fetch(f"{base}/gone")
        with pytest.raises(ValueError, match="too large"):
            await fetch(f"{base}/huge")
        assert await Images(fetch).get(f"{base}/gone", "http://files") is None
