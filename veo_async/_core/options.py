"""What callers hand to the client, checked before anything is sent."""

from __future__ import annotations

import math
from datetime import timedelta

from ..errors import InvalidRequestError
from ..models import (
    Generation,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    TextToVideo,
    Video,
    VideoRequest,
)

FOREVER = 1e9
"""Seconds, about 30 years: who waits longer waits without a limit."""


def read_timeout(timeout: object) -> float:
    """A time to wait in seconds; infinity waits as long as it takes.

    Raises:
        InvalidRequestError: it is negative or no number.
    """
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if not isinstance(seconds, int | float) or not seconds >= 0:  # so that NaN is refused too
        problem = f"timeout must be seconds, 0 or more, not {timeout!r}."
        raise InvalidRequestError(problem, field="timeout")
    return float(seconds) if seconds < FOREVER else math.inf


def read_mode(mode: str) -> str:
    """``async`` or ``sync``.

    Raises:
        InvalidRequestError: it is another word.
    """
    if mode not in ("async", "sync"):
        problem = f"mode must be 'async' or 'sync', not {mode!r}. Nothing was sent."
        raise InvalidRequestError(problem, field="mode")
    return mode


def read_request(request: object) -> VideoRequest:
    """A request.

    Raises:
        InvalidRequestError: it is something else.
    """
    if isinstance(request, TextToVideo | ImageToVideo | IngredientsToVideo | Get1080p):
        return request
    problem = (
        f"A request is a TextToVideo, ImageToVideo, IngredientsToVideo or Get1080p, not a "
        f"{type(request).__name__}. Nothing was sent."
    )
    raise InvalidRequestError(problem, field="request")


def read_video_url(video: Video | Generation) -> str:
    """Where the video's file lies.

    Raises:
        InvalidRequestError: there is no file.
    """
    chosen = video.video if isinstance(video, Generation) else video
    if not chosen.video_url:
        raise InvalidRequestError("This video has no video_url to download.", field="video")
    return chosen.video_url
