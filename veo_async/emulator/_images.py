"""The images that a request names: those put on the emulator itself, and those on the web."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import httpx

logger = logging.getLogger("veo_async.emulator")

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets the bytes behind an http(s) URL; whatever it raises makes the image a placeholder."""

MAX_BYTES = 20 << 20
"""The largest image that is read."""

TIMEOUT = 10.0
"""Seconds for each step of getting an image."""


async def over_http(url: str) -> bytes:
    """The bytes behind a URL.

    Raises:
        httpx.HTTPError: it cannot be had.
        ValueError: it is too large.
    """
    async with (
        httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True) as client,
        client.stream("GET", url, headers={"accept-encoding": "identity"}) as response,
    ):
        response.raise_for_status()
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError("the image is too large")
        return bytes(body)


class Images:
    """Where the renderer gets its images.

    Args:
        fetch: how images on the web are got.
    """

    def __init__(self, fetch: Fetch | None = None) -> None:
        self._fetch = fetch or over_http
        self._hosted: dict[str, tuple[bytes, str]] = {}

    def add(self, data: bytes, media_type: str) -> str:
        """Host an image; returns its name in the path."""
        name = str(len(self._hosted) + 1)
        self._hosted[name] = data, media_type
        return name

    def hosted(self, name: str) -> tuple[bytes, str] | None:
        return self._hosted.get(name)

    async def get(self, url: str, files_url: str) -> bytes | None:
        """The image's bytes, or ``None``: a video never fails for want of an image."""
        prefix = f"{files_url}/images/"
        if url.startswith(prefix):
            hosted = self.hosted(url.removeprefix(prefix))
            return hosted and hosted[0]
        try:
            return await self._fetch(url)
        except Exception as exc:  # noqa: BLE001 - the fetcher may be anybody's
            logger.info("an image could not be got: %s", type(exc).__name__)
            return None
