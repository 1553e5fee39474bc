from __future__ import annotations

import pytest

from veo_async import InvalidRequestError
from veo_async._batch.keys import Keys, digest
from veo_async.models import Get1080p, ImageToVideo, IngredientsToVideo, TextToVideo, VideoRequest

IMAGE = "https://cdn.example/first.png"


@pytest.mark.parametrize(
    "request_, expected",
    [
        (TextToVideo(prompt="a"), "c9000e7c84c0446d"),
        (ImageToVideo(prompt="ä", image_urls=[IMAGE]), "ed573fd82d7cf9d9"),
        (Get1080p(video_id="v", extra_body={"x": [1, None]}), "e90031f74b1498f0"),
    ],
)
def test_digest_is_the_same_for_ever(request_: VideoRequest, expected: str) -> None:
    """A key that was written down is found again by another process and a later version."""
    assert digest(request_) == expected


@pytest.mark.parametrize(
    "one, other",
    [
        (TextToVideo(prompt="a"), TextToVideo(prompt="a", model="veo3-fast", translation=None)),
        (
            TextToVideo(prompt="a", extra_body={"x": 1, "y": {"b": 2, "c": 3}}),
            TextToVideo(prompt="a", extra_body={"y": {"c": 3, "b": 2}, "x": 1}),
        ),
        (
            ImageToVideo(prompt="a", image_urls=[IMAGE]),
            ImageToVideo(prompt="a", image_urls=(IMAGE,)),
        ),
        (TextToVideo(prompt="a"), TextToVideo(prompt="a", callback_url="https://me.example/done")),
    ],
)
def test_equal_requests_have_equal_digests(one: VideoRequest, other: VideoRequest) -> None:
    """The form of a request makes no difference, nor does its callback address."""
    assert digest(one) == digest(other)


def test_different_requests_have_different_digests() -> None:
    """Every difference of the body makes another key, also a null that is sent."""
    requests: list[VideoRequest] = [
        TextToVideo(prompt="a"),
        TextToVideo(prompt="b"),
        TextToVideo(prompt="a", model="veo2"),
        TextToVideo(prompt="a", translation=False),
        TextToVideo(prompt="a", extra_body={"x": None}),
        TextToVideo(prompt="a", extra_body={"x": 1}),
        TextToVideo(prompt="a", extra_body={"x": "1"}),
        ImageToVideo(prompt="a", image_urls=[IMAGE]),
        ImageToVideo(prompt="a", image_urls=[IMAGE, IMAGE]),
        IngredientsToVideo(prompt="a", image_urls=[IMAGE]),
        Get1080p(video_id="a"),
    ]

    assert len({digest(request) for request in requests}) == len(requests)


def test_equal_requests_are_numbered() -> None:
    """Ten equal prompts are ten videos, so each occurrence has a key of its own, and the same
    input has the same keys in the next run."""
    requests = [TextToVideo(prompt=prompt) for prompt in "abaab"]

    keys, again = Keys(), Keys()
    first = [keys.key(request) for request in requests]
    second = [again.key(request) for request in requests]

    assert first == second
    assert len(set(first)) == len(first)
    assert [key.rpartition("-")[2] for key in first] == ["1", "1", "2", "3", "2"]
    assert first[0].rpartition("-")[0] == first[2].rpartition("-")[0] == digest(requests[0])


def test_a_key_of_the_callers_comes_once() -> None:
    """A key names one item; the second request with it is refused."""
    keys = Keys()

    assert keys.take("a") == "a"
    assert keys.take("\ud800") == "\ud800"

    told = r"comes twice in the input\. The second one was not sent\.$"
    with pytest.raises(InvalidRequestError, match=told) as caught:
        keys.take("a")
    assert caught.value.field == "key"


def test_a_key_that_the_caller_took_is_not_made() -> None:
    """The caller's keys may have the form of ours. No key is given to two items."""
    request = TextToVideo(prompt="a")
    keys = Keys()

    keys.take(f"{digest(request)}-1")
    made = [keys.key(request) for _ in range(2)]

    assert [key.rpartition("-")[2] for key in made] == ["2", "3"]
    with pytest.raises(InvalidRequestError, match="comes twice"):
        keys.take(made[0])
