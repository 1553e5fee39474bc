"""Checks of callers' arguments, before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from typing import TypeVar, cast

from .. import events
from .._base.token import Token
from ..errors import InvalidRequestError, NoTokenError
from ..events import Listener
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
"""Seconds, about 30 years. A longer timeout sets no limit."""

LATEST = 253_402_300_800.0
"""Unix seconds at the end of the year 9999, the last year of a ``datetime``."""

NOT_SENT = "It was not sent."
"""The advice about a wrong entry of a batch: the entries before it may have been sent."""


def read_timeout(timeout: object) -> float:
    """A time to wait, in seconds; infinity sets no limit.

    Raises:
        InvalidRequestError: it is negative or no number.
    """
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        # "not >=" and not "<", so that NaN is refused too.
        problem = f"timeout must be seconds, 0 or more, not {timeout!r}."
        # The task that a wait is for may have been submitted long before.
        raise InvalidRequestError(problem, field="timeout", advice="")
    return float(seconds) if seconds < FOREVER else math.inf


T = TypeVar("T")


def read_instance(value: object, kind: type[T], *, field: str) -> T:
    """A value of this class.

    Raises:
        InvalidRequestError: it is something else.
    """
    if isinstance(value, kind):
        return value
    problem = f"{field} must be a {kind.__name__}, not a {type(value).__name__}."
    raise InvalidRequestError(problem, field=field)


def read_optional(value: object, kind: type[T], *, field: str) -> T | None:
    """A value of this class, or none.

    Raises:
        InvalidRequestError: it is something else.
    """
    return None if value is None else read_instance(value, kind, field=field)


def read_switch(value: object, variable: str | None, *, field: str) -> bool:
    """A switch: the argument, or else the environment variable, in which ``1`` turns it on.

    Raises:
        InvalidRequestError: the argument is neither true nor false.
    """
    if value is None:
        return (variable or "").strip().lower() in {"1", "true", "yes", "on"}
    return read_instance(value, bool, field=field)


def read_mode(mode: str) -> str:
    """``async`` or ``sync``.

    Raises:
        InvalidRequestError: it is another word.
    """
    if mode not in ("async", "sync"):
        problem = f"mode must be 'async' or 'sync', not {mode!r}."
        raise InvalidRequestError(problem, field="mode")
    return mode


def read_no_hold(mode: str) -> None:
    """Refuse the mode that holds each connection until its video is ready.

    Raises:
        InvalidRequestError: the mode is that one. With a callback the service answers immediately
            (the API guide).
    """
    if mode == "sync":
        problem = "mode='sync' and callbacks exclude each other: with a callback the service does"
        raise InvalidRequestError(f"{problem} not wait.", field="callbacks")


def read_request(request: object) -> VideoRequest:
    """A request.

    Raises:
        InvalidRequestError: it is something else.
    """
    return _read_request(request, advice=InvalidRequestError.advice)


def _read_request(request: object, *, advice: str) -> VideoRequest:
    if isinstance(request, TextToVideo | ImageToVideo | IngredientsToVideo | Get1080p):
        return request
    problem = (
        f"A request is a TextToVideo, ImageToVideo, IngredientsToVideo or Get1080p, not a "
        f"{type(request).__name__}."
    )
    raise InvalidRequestError(problem, field="request", advice=advice)


def read_task_id(task_id: object) -> str:
    """The id of a task.

    Raises:
        InvalidRequestError: it is no text, is empty, or could not be sent: among the ids of a
            shared poll it would spoil the waits for all of them.
    """
    if not isinstance(task_id, str) or not task_id.strip():
        problem = "task_id must be a text that is not empty."
        raise InvalidRequestError(problem, field="task_id")
    try:
        task_id.encode()
    except UnicodeEncodeError:
        problem = f"{task_id!r} contains half of a surrogate pair, so it is no task id."
        raise InvalidRequestError(problem, field="task_id") from None
    return task_id


def read_moment(moment: object) -> float | None:
    """A point in time as Unix seconds; ``None`` sets no bound.

    Raises:
        InvalidRequestError: it names no moment.
    """
    if moment is None:
        return None
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return moment.timestamp()
    if isinstance(moment, int | float) and not isinstance(moment, bool) and abs(moment) < LATEST:
        return float(moment)  # NaN is smaller than nothing, so it is none of these
    problem = "neither Unix seconds nor a datetime with a time zone, so it names no moment."
    raise InvalidRequestError(f"{moment!r} is {problem}", field="created_at")


@dataclass(frozen=True, slots=True)
class Source:
    """The file to download: its URL, and the ids of its video and its task if they are known."""

    url: str
    video_id: str | None
    task_id: str | None


def read_source(video: object) -> Source:
    """The file of a video, or of the first video of a generation that has one.

    Raises:
        InvalidRequestError: there is no file, or this is no video.
    """
    if not isinstance(video, Video | Generation):
        problem = f"A Video or a Generation is downloaded, not a {type(video).__name__}."
        raise InvalidRequestError(problem, field="video")
    chosen = video.video if isinstance(video, Generation) else video
    if not chosen.video_url:
        problem = "This video has no video_url to download."
        raise InvalidRequestError(problem, field="video", advice="")
    return Source(chosen.video_url, chosen.id, chosen.task_id)


def read_listener(listener: object) -> Listener | None:
    """The listener for events, or ``None``.

    Raises:
        InvalidRequestError: it cannot be called, or would have to be awaited.
    """
    if listener is None:
        return None
    if not callable(listener) or iscoroutinefunction(listener):
        problem = (
            f"on_event must be a plain function of one event, not {listener!r}. It is called as "
            "things happen and is not awaited: on_event=queue.put_nowait makes a stream of events."
        )
        raise InvalidRequestError(problem, field="on_event")
    return cast("events.Listener", listener)


def read_entry(entry: object) -> tuple[str | None, VideoRequest]:
    """A request, with the caller's key if there is one.

    Raises:
        InvalidRequestError: it is neither a request nor a pair of a key and a request.
    """
    if not isinstance(entry, tuple):
        return None, _read_request(entry, advice=NOT_SENT)
    if len(entry) != 2 or not isinstance(entry[0], str) or not entry[0]:
        problem = f"A pair must be a key (a text) and a request, not {entry!r}."
        raise InvalidRequestError(problem, field="key", advice=NOT_SENT)
    return entry[0], _read_request(entry[1], advice=NOT_SENT)


def read_count(name: str, value: object, *, least: int) -> int | None:
    """A number of things, at least ``least``; ``None`` if none is given.

    Raises:
        InvalidRequestError: it is less, or no whole number.
    """
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        problem = f"{name} must be a whole number, {least} or more, not {value!r}."
        raise InvalidRequestError(problem, field=name)
    return value


TOKEN_VARIABLE = "ACEDATACLOUD_API_TOKEN"
BASE_URL_VARIABLE = "ACEDATACLOUD_API_BASE_URL"
RESERVED_VARIABLE = "VEO_ASYNC_ALLOW_RESERVED"
"""The environment variables that the vendor's public clients read."""

DEFAULT_BASE_URL = "https://api.acedata.cloud"
"""The API guide."""


def read_token(token: Token) -> Token:
    """The token, if it is one.

    Raises:
        NoTokenError: there is none, it is no text, or no header could contain it. The message never
            repeats it.
    """
    if token.problem == "missing":
        raise NoTokenError(
            f"There is no API token: set the environment variable {TOKEN_VARIABLE}, or pass "
            "VeoClient(api_token=...).",
            code="no_token",
        )
    if token.problem == "impossible":
        raise NoTokenError(
            "The API token contains white space or characters outside of ASCII, so it cannot be a "
            f"token: check {TOKEN_VARIABLE} or VeoClient(api_token=...).",
            code="no_token",
        )
    return token
