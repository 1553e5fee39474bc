from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.wire import URL, result
from veo_async._wire.arguments import (
    read_mode,
    read_moment,
    read_request,
    read_source,
    read_switch,
    read_task_id,
    read_timeout,
)
from veo_async.errors import InvalidRequestError
from veo_async.models import (
    Generation,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    TextToVideo,
    Video,
    VideoRequest,
)

IMAGE = "https://cdn.example/first.png"


@pytest.mark.parametrize(
    "timeout, seconds",
    [
        (0, 0.0),
        (1.5, 1.5),
        (timedelta(minutes=2), 120.0),
        (timedelta(0), 0.0),
        (math.inf, math.inf),
        (10**400, math.inf),
        (timedelta.max, math.inf),
    ],
)
def test_timeout_is_seconds_or_a_timedelta(timeout: object, seconds: float) -> None:
    """A time to wait is a number of seconds or a timedelta; a huge one waits without a limit."""
    assert read_timeout(timeout) == seconds


@pytest.mark.parametrize(
    "timeout", [-1, -math.inf, math.nan, "5", None, [], timedelta(seconds=-1), -(10**400)]
)
def test_impossible_timeout_is_refused(timeout: object) -> None:
    """A time to wait that is negative or no number is refused before anything is sent."""
    with pytest.raises(InvalidRequestError, match="timeout") as caught:
        read_timeout(timeout)

    assert caught.value.field == "timeout"
    assert "sent" not in str(caught.value)  # the task may be one that was submitted before


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_modes(mode: str) -> None:
    """There are two modes."""
    assert read_mode(mode) == mode


@pytest.mark.parametrize("mode", ["", "Async", "both", None, []])
def test_another_mode_is_refused(mode: Any) -> None:
    """The message names the two modes there are."""
    with pytest.raises(InvalidRequestError, match="'async' or 'sync'") as caught:
        read_mode(mode)

    assert caught.value.field == "mode"


@pytest.mark.parametrize(
    "request_",
    [
        TextToVideo(prompt="a"),
        ImageToVideo(prompt="a", image_urls=[IMAGE]),
        IngredientsToVideo(prompt="a", image_urls=[IMAGE]),
        Get1080p(video_id="v"),
    ],
)
def test_requests_pass(request_: VideoRequest) -> None:
    """Each kind of request is taken as it is."""
    assert read_request(request_) is request_


@pytest.mark.parametrize("request_", ["a prompt", {"action": "text2video"}, None, Video()])
def test_what_is_no_request_is_refused(request_: object) -> None:
    """The message says what a request is, and names the kind that came instead."""
    told = rf"not a {type(request_).__name__}\. Nothing was sent\.$"
    with pytest.raises(InvalidRequestError, match=told) as caught:
        read_request(request_)

    assert caught.value.field == "request"


@pytest.mark.parametrize(
    "video",
    [
        Video(video_url=URL),
        Generation.model_validate(result()),
        Generation.model_validate(result(data=[{"id": "a"}, {"video_url": URL}])),
    ],
)
def test_video_or_generation_has_a_file(video: Video | Generation) -> None:
    """A video, or the first of a generation that has a file, is what is downloaded."""
    assert read_source(video).url == URL


@pytest.mark.parametrize("video", [Video(), Video(video_url=""), Generation(data=(Video(),))])
def test_nothing_to_download_is_told(video: Video | Generation) -> None:
    """Without a file there is a clear error instead of a request."""
    with pytest.raises(InvalidRequestError, match=r"no video_url[^.]*\.$") as caught:
        read_source(video)

    assert caught.value.field == "video"


@pytest.mark.parametrize("video", ["https://cdn.example/a.mp4", None, {"video_url": URL}, 7])
def test_what_is_no_video_is_told(video: object) -> None:
    """An address or anything else instead of a video is named, not stumbled over."""
    with pytest.raises(InvalidRequestError, match=f"not a {type(video).__name__}") as caught:
        read_source(video)

    assert caught.value.field == "video"


@pytest.mark.parametrize("task_id", ["a", " a ", "dd01fc69-e1f7-4b68-aa8c-463f6b748d11", "é"])
def test_task_ids_pass_as_they_are(task_id: str) -> None:
    """An id is the service's own word: nothing about its shape is known."""
    assert read_task_id(task_id) == task_id


@pytest.mark.parametrize("task_id", ["", " \n", None, 7, b"a", ["a"], "a\udcff"])
def test_what_is_no_task_id_is_refused(task_id: object) -> None:
    """What no question could carry, or no task can bear, is refused before any question."""
    with pytest.raises(InvalidRequestError, match="Nothing was sent") as caught:
        read_task_id(task_id)

    assert caught.value.field == "task_id"


@pytest.mark.parametrize(
    "moment, seconds",
    [
        (None, None),
        (0, 0.0),
        (-1.5, -1.5),
        (datetime(2025, 7, 25, 9, 19, 18, tzinfo=UTC), 1753435158.0),
    ],
)
def test_moments_are_unix_seconds(moment: object, seconds: float | None) -> None:
    """A moment is a number of seconds or an aware datetime; none sets no bound."""
    assert read_moment(moment) == seconds


@pytest.mark.parametrize(
    "moment",
    [math.nan, math.inf, -math.inf, 10**400, True, "yesterday", datetime(2025, 7, 25)],  # noqa: DTZ001 - the point
)
def test_what_names_no_moment_is_refused(moment: object) -> None:
    """JSON has no NaN, and a naive datetime no zone: neither is sent."""
    with pytest.raises(InvalidRequestError, match="names no moment") as caught:
        read_moment(moment)

    assert caught.value.field == "created_at"


@pytest.mark.parametrize(
    "value, variable, expected",
    [
        (None, None, False),
        (None, "", False),
        (None, "0", False),
        (None, " 1 ", True),
        (None, "TRUE", True),
        (False, "1", False),
        (True, None, True),
    ],
)
def test_switches(value: bool | None, variable: str | None, expected: bool) -> None:
    """An argument decides; without one the environment variable does, where ``1`` means on."""
    assert read_switch(value, variable, field="allow_reserved") is expected
    with pytest.raises(InvalidRequestError, match="allow_reserved"):
        read_switch("1", None, field="allow_reserved")
