from __future__ import annotations

from typing import Any

import pytest

from veo_async import Get1080p, ImageToVideo, TextToVideo, VideoRequest
from veo_async._reconcile.comparison import normal_form
from veo_async._wire.requests import submit_body

MUG = {"action": "text2video", "model": "veo3-fast", "prompt": "a mug"}


@pytest.mark.parametrize(
    "stored, same_as",
    [
        pytest.param({**MUG, "async": True}, MUG, id="async is how it is delivered"),
        pytest.param({**MUG, "callback_url": "https://a.b/c"}, MUG, id="so is a callback"),
        pytest.param({**MUG, "aspect_ratio": None}, MUG, id="null is nothing"),
        pytest.param({**MUG, "image_urls": [], "x": {}, "y": ""}, MUG, id="so is what is empty"),
        pytest.param({**MUG, "prompt": "  a \n mug "}, MUG, id="white space"),
        pytest.param(dict(reversed(MUG.items())), MUG, id="order of the fields"),
        pytest.param({"action": "get1080p"}, {"action": "get_1080p"}, id="spelling"),
        pytest.param({"action": 7}, {"action": 7}, id="no word at all"),
        pytest.param({"x": [{"y": None, "z": " 1 "}]}, {"x": [{"z": "1"}]}, id="nested"),
    ],
)
def test_two_forms_of_one_request_are_equal(
    stored: dict[str, Any], same_as: dict[str, Any]
) -> None:
    """Fields that say nothing about the video do not count."""
    assert normal_form(stored) == normal_form(same_as)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({**MUG, "prompt": "a cup"}, id="another prompt"),
        pytest.param({**MUG, "prompt": "a Mug"}, id="another letter"),
        pytest.param({**MUG, "aspect_ratio": "16:9"}, id="a field more"),
        pytest.param({**MUG, "translation": False}, id="false is a choice"),
        pytest.param({"action": "text2video", "prompt": "a mug"}, id="a field less"),
        pytest.param({**MUG, "action": "image2video"}, id="another action"),
        pytest.param({}, id="nothing is known"),
    ],
)
def test_requests_with_other_choices_are_not_equal(other: dict[str, Any]) -> None:
    """Nothing else follows from it: a service may store a request in another form."""
    assert normal_form(MUG) != normal_form(other)


@pytest.mark.parametrize(
    "request_",
    [
        TextToVideo(prompt="a  mug", callback_url="https://a.b/c", extra_body={"seed": 7}),
        ImageToVideo(prompt="dance", image_urls=["https://a.b/1.png", "https://a.b/2.png"]),
        Get1080p(video_id="v"),
    ],
)
def test_what_is_sent_is_equal_to_what_was_chosen(request_: VideoRequest) -> None:
    """However it is delivered, in this run or in an earlier one."""
    sent = submit_body(request_, action=request_.action, asynchronous=True, callback_url="x")

    assert normal_form(sent) == normal_form(request_.wire_fields())


def test_the_order_of_images_counts() -> None:
    """A first and a last frame are not the same film backwards."""
    forth = ImageToVideo(prompt="x", image_urls=["https://a.b/1", "https://a.b/2"])
    back = ImageToVideo(prompt="x", image_urls=["https://a.b/2", "https://a.b/1"])

    assert normal_form(forth.wire_fields()) != normal_form(back.wire_fields())
