from __future__ import annotations

from typing import Any

import pytest

from veo_async import Get1080p, ImageToVideo, TextToVideo, VideoRequest
from veo_async._reconcile.comparison import Match, canonical, compare, normalise

MUG = {"action": "text2video", "model": "veo3-fast", "prompt": "a mug"}


@pytest.mark.parametrize(
    "stored, same_as",
    [
        pytest.param({**MUG, "async": True}, MUG, id="async is how it is delivered"),
        pytest.param({**MUG, "callback_url": "https://a.b/c"}, MUG, id="so is a callback"),
        pytest.param({**MUG, "aspect_ratio": None}, MUG, id="null is nothing"),
        pytest.param({**MUG, "prompt": "  a \n mug "}, MUG, id="white space"),
        pytest.param(dict(reversed(MUG.items())), MUG, id="order of the fields"),
        pytest.param({"action": "get1080p"}, {"action": "get_1080p"}, id="spelling"),
        pytest.param({"action": 7}, {"action": 7}, id="no word at all"),
        pytest.param({"x": [{"y": None, "z": " 1 "}]}, {"x": [{"z": "1"}]}, id="nested"),
    ],
)
def test_normalisation(stored: dict[str, Any], same_as: dict[str, Any]) -> None:
    """Two forms of one request are equal once they are comparable."""
    assert normalise(stored) == normalise(same_as)


@pytest.mark.parametrize(
    "request_",
    [
        TextToVideo(prompt="a  mug", callback_url="https://a.b/c", extra_body={"seed": 7}),
        ImageToVideo(prompt="dance", image_urls=["https://a.b/1.png", "https://a.b/2.png"]),
        Get1080p(video_id="v"),
    ],
)
def test_what_was_chosen_is_what_is_stored(request_: VideoRequest) -> None:
    """A request that the service stores as it was sent is comparable with itself."""
    wire = request_.model_dump(mode="json", exclude_none=True, exclude={"extra_body"})

    assert canonical(request_) == normalise({**wire, **request_.extra_body, "async": True})


DEFAULTS = {"aspect_ratio": "16:9", "translation": False}


@pytest.mark.parametrize(
    "theirs, defaults, likeness",
    [
        pytest.param(MUG, {}, "same", id="equal"),
        pytest.param({**MUG, "prompt": "a cup"}, {}, "different", id="another prompt"),
        pytest.param({**MUG, "aspect_ratio": "16:9"}, DEFAULTS, "same", id="a known default"),
        pytest.param(
            {**MUG, "aspect_ratio": "9:16"}, DEFAULTS, "unclear", id="not the default that was seen"
        ),
        pytest.param({**MUG, "aspect_ratio": "16:9"}, {}, "unclear", id="perhaps a default"),
        pytest.param({**MUG, "translation": False}, {}, "same", id="nothing was added"),
        pytest.param({"action": "text2video", "prompt": "a mug"}, {}, "unclear", id="no model"),
        pytest.param({"action": "text2video", "prompt": "a cup"}, {}, "different", id="no model 2"),
        pytest.param({}, {}, "unclear", id="nothing is known"),
    ],
)
def test_compare(theirs: dict[str, Any], defaults: dict[str, Any], likeness: Match) -> None:
    """Only equal requests are the same, and only a contradiction proves a difference."""
    assert compare(MUG, theirs, defaults) == likeness


def test_the_order_of_images_counts() -> None:
    """A first and a last frame are not the same film backwards."""
    forth = canonical(ImageToVideo(prompt="x", image_urls=["https://a.b/1", "https://a.b/2"]))
    back = canonical(ImageToVideo(prompt="x", image_urls=["https://a.b/2", "https://a.b/1"]))

    assert compare(forth, back, {}) == "different"
