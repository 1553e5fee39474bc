"""The images that requests name: on the emulator itself, and on the web."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import httpx

from ._egress import Egress, Reach

logger = logging.getLogger("veo_async.emulator")

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets the bytes of an http(s) URL. If it raises, the image is replaced by a placeholder."""

MAX_BYTES = 20 << 20
"""The maximum size of an image in bytes."""

TIMEOUT = 10.0
"""Seconds for each step of the download of an image (httpx's ``timeout``)."""

PATIENCE = 60.0
"""Seconds for the whole download of an image."""


def over_http(reach: Reach) -> Fetch:
    """The default `Fetch`.

    It raises `httpx.HTTPError` if the download fails, `ValueError` if the image is larger than
    `MAX_BYTES`, and `TimeoutError` after `PATIENCE`.

    Args:
        reach: the addresses that may be connected to.
    """

    async def fetch(url: str) -> bytes:
        with anyio.fail_after(PATIENCE):
            async with (
                httpx.AsyncClient(
                    transport=Egress(reach), timeout=TIMEOUT, follow_redirects=True
                ) as client,
                client.stream("GET", url, headers={"accept-encoding": "identity"}) as response,
            ):
                response.raise_for_status()
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise ValueError("the image is too large")
                return bytes(body)

    return fetch


class Images:
    """The source of the renderer's images.

    Args:
        fetch: gets an image on the web.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._hosted: dict[str, tuple[bytes, str]] = {}

    def add(self, data: bytes, media_type: str) -> str:
        """Host an image on the emulator, and return its name in the path."""
        name = str(len(self._hosted) + 1)
        self._hosted[name] = data, media_type
        return name

    def hosted(self, name: str) -> tuple[bytes, str] | None:
        """The bytes and the media type of a hosted image."""
        return self._hosted.get(name)

    async def get(self, url: str, files_url: str) -> bytes | None:
        """The bytes of an image, or ``None``: a missing image never fails a video."""
        prefix = f"{files_url}/images/"
        if url.startswith(prefix):
            hosted = self.hosted(url.removeprefix(prefix))
            return hosted and hosted[0]
        try:
            return await self._fetch(url)
        except Exception as exc:  # noqa: BLE001 - the fetcher may be the user's
            logger.info("an image could not be downloaded: %s", type(exc).__name__)
            return None
