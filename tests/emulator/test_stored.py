"""The forms in which a deployment stores a request."""

from __future__ import annotations

from typing import Any

import pytest

from veo_async.emulator import Immediate, Wire
from veo_async.emulator._stored import as_stored, normalised, truncated

from .calls import ASYNC, TEXT, calling

UPSCALE = {"action": "get_1080p", "video_id": "v"}
URL = "https://example.com/hook?a=1&b=2"


def test_normalised_requests_mean_the_same_in_other_words() -> None:
    """Defaults are added, nulls and ``async`` removed, the action is spelled the other way."""
    assert normalised({**TEXT, "async": True, "resolution": None, "model": "veo3"}) == {
        **TEXT,
        "model": "veo3",
        "aspect_ratio": "16:9",
        "translation": False,
    }
    assert normalised(UPSCALE) == {
        "action": "get1080p",
        "video_id": "v",
        "model": "veo3-fast",
    }


def test_every_text_is_truncated() -> None:
    """Each text is cut off, at any depth; other values stay."""
    body = {"prompt": "a mug", "image_urls": ["https://a/1.png"], "n": 7, "x": {"y": "abcdef"}}

    assert truncated(body, 5) == {
        "prompt": "a mug",
        "image_urls": ["https"],
        "n": 7,
        "x": {"y": "abcde"},
    }
    assert truncated(body, None) == body


@pytest.mark.parametrize(
    "form, body, changes",
    [
        ("as_submitted", {**TEXT, "n": None}, {}),
        ("rewritten", TEXT, {}),
        (
            "rewritten",
            {**TEXT, "action": "ingredients2video", "model": "veo3"},
            {"model": "veo31-fast-ingredients"},
        ),
        ("rewritten", UPSCALE, {"action": "1080p"}),
        ("rehosted", TEXT, {}),
        (
            "rehosted",
            {**TEXT, "image_urls": ["https://example.com/a.png"]},
            {"image_urls": ["https://cdn.acedata.cloud/c01a4429-4703-5b6a-8726-7982c1849d2a"]},
        ),
        ("translated", UPSCALE, {}),
        ("translated", TEXT, {}),
        (
            "translated",
            {**TEXT, "prompt": "a \u00e9!"},
            {"prompt": "a latin small letter e with acute!"},
        ),
        ("translated", {**TEXT, "prompt": "\ue000"}, {"prompt": "unknown"}),
        ("nfc", TEXT, {}),
        ("nfc", {**TEXT, "prompt": "e\u0301"}, {"prompt": "\u00e9"}),
        ("escaped", TEXT, {}),
        ("escaped", {**TEXT, "prompt": "<salt> & pepper"}, {"prompt": "&lt;salt&gt; &amp; pepper"}),
        ("escaped", {**TEXT, "callback_url": URL}, {"callback_url": URL.replace("&", "&amp;")}),
        ("remarked", TEXT, {}),
        (
            "remarked",
            {**TEXT, "callback_url": URL},
            {"callback_url": "https://api.acedata.cloud/health"},
        ),
        ("unmarked", TEXT, {}),
    ],
)
def test_each_form(form: Any, body: dict[str, Any], changes: dict[str, Any]) -> None:
    """Each word changes what it names, and leaves a request without it as it was sent."""
    assert as_stored(body, Wire(stored=form)) == {**body, **changes}


def test_an_unmarked_request() -> None:
    """``unmarked`` removes the ``callback_url``."""
    assert as_stored({**TEXT, "callback_url": URL}, Wire(stored="unmarked")) == TEXT


def test_several_forms_and_a_cut() -> None:
    """Several words are applied together, and the texts are cut last."""
    wire = Wire(stored={"escaped", "unmarked", "nfc"}, longest=12)

    stored = as_stored({**TEXT, "prompt": "cafe\u0301 & milk", "callback_url": URL}, wire)

    assert stored == {"action": "text2video", "prompt": "caf\u00e9 &amp; m"}


@pytest.mark.asyncio
async def test_a_form_of_your_own() -> None:
    """``Wire.stored`` may be a function; the bill, the answer and the video keep what was sent."""

    def masked(request: dict[str, Any]) -> dict[str, Any]:
        request["prompt"] = request["prompt"].replace("coffee", "***")
        return request

    async with calling(pace=Immediate(), wire=Wire(stored=masked)) as caller:
        record = await caller.record(await caller.task_id())

        assert record["request"] == {**ASYNC, "prompt": "A *** mug"}
        assert caller.emulator.bill[0].request == ASYNC


@pytest.mark.asyncio
async def test_a_rewritten_upscale_has_another_type() -> None:
    """A 1080p request that is stored as ``1080p`` has the type ``upsample``: a list of the type
    ``videos`` lacks it."""
    async with calling(pace=Immediate(), wire=Wire(stored="rewritten")) as caller:
        source = await caller.record(await caller.task_id())
        video_id = source["response"]["data"][0]["id"]
        upscale = await caller.record(await caller.task_id(action="get1080p", video_id=video_id))

        page = (await caller.tasks(action="retrieve_batch", type="videos")).json()

        assert (upscale["type"], upscale["request"]["action"]) == ("upsample", "1080p")
        assert page["items"] == [source]


def test_an_unknown_form_is_refused() -> None:
    """`Wire` names the words that are none of the forms."""
    with pytest.raises(ValueError, match="unknown stored forms: moved, nfd"):
        Wire(stored={"nfd", "nfc", "moved"})  # type: ignore[arg-type]
