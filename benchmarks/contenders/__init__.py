"""What is measured: each contender makes so many videos, and tells when each caller was told.

Every one is a module of its own that is imported only in the process that measures it, so that
its memory holds no other's libraries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

CONNECTIONS = 8
"""As many as the library opens by default, and where httpx's pool is still cheap."""

TOKEN = "any-token"
HEADERS = {"authorization": f"Bearer {TOKEN}"}

Make = Callable[[str], Awaitable[str]]
"""Makes the video of a prompt, or only submits it; gives the task's id."""


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        base_url: where the service is.
        videos: how many to make.
        interval: seconds between the looks of those that look at fixed intervals.
        first: the library's `PollPolicy.first`; its default unless given.
    """

    base_url: str
    videos: int
    interval: float = 3.0
    first: float | None = None


Opened = Callable[[Job], AbstractAsyncContextManager[Make]]
"""Makes the client, and gives what makes one video with it."""


@dataclass(frozen=True)
class Contender:
    """One way to do the job.

    Attributes:
        name: as the table shows it.
        where: the module and the name of its `Opened`.
        at_once: how many calls are made at once; ``None`` calls for all videos at once.
        waits: whether a call lasts until the video is finished.
        most: the largest number of videos that it is asked for unless told otherwise.
    """

    name: str
    where: str
    at_once: int | None = None
    waits: bool = True
    most: int = 10**9


CONTENDERS = (
    Contender("httpx, bare POST", "bare:with_httpx", at_once=CONNECTIONS, waits=False),
    Contender("aiohttp, bare POST", "bare:with_aiohttp", at_once=CONNECTIONS, waits=False),
    Contender("aiohttp, by hand", "by_hand:opened"),
    Contender("veo_async", "ours:default"),
    Contender("veo_async, AiohttpTransport", "ours:with_aiohttp"),
    # A poll for each task every three seconds: at 10,000 it works for a quarter of an hour.
    Contender("acedatacloud", "vendor:opened", most=1000),
)
"""All of them; the first is what the others are compared with, the third is the floor."""

BASE, FLOOR = CONTENDERS[0].name, CONTENDERS[2].name


def body_of(prompt: str) -> dict[str, Any]:
    """Write what the library sends for the same prompt."""
    return {"action": "text2video", "prompt": prompt, "model": "veo3-fast", "async": True}
