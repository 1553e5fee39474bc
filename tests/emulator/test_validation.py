from __future__ import annotations

from typing import Any

import pytest

from tests.samples import SAMPLES, Sample
from veo_async.emulator import Wire
from veo_async.emulator._errors import ServiceError
from veo_async.emulator._validation import check, is_own

TEXT = {"action": "text2video", "prompt": "A"}
IMAGE = {"action": "image2video", "prompt": "A", "image_urls": ["https://example.com/a.png"]}
UPSCALE = {"action": "get_1080p", "video_id": "v"}

SUBMITS = [s for s in SAMPLES.values() if s.case.endswith("_request") and b"prompt" in s.body]


@pytest.mark.parametrize("sample", SUBMITS, ids=lambda sample: sample.case)
def test_documented_requests_pass(sample: Sample) -> None:
    """Every request body that the documents show is accepted."""
    check(sample.json(), Wire())


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        IMAGE,
        UPSCALE,
        {**UPSCALE, "action": "get1080p", "model": None},
        {**TEXT, "model": "a-name-of-tomorrow", "aspect_ratio": "1:1", "resolution": "4k"},
        {**TEXT, "translation": True, "async": False, "callback_url": "http://127.0.0.1:1/x"},
        {**TEXT, "model": None, "aspect_ratio": None, "resolution": None, "image_urls": 7},
        {**IMAGE, "action": "ingredients2video", "image_urls": ["http://a/b"] * 3},
    ],
)
def test_right_requests_pass(body: Any) -> None:
    """All actions and optional fields are accepted, and null counts as absent."""
    check(body, Wire())


@pytest.mark.parametrize(
    "body, message",
    [
        ([], "The body must be a JSON object."),
        ({}, "action is required."),
        ({**TEXT, "action": "text3video"}, "action is invalid."),
        ({**TEXT, "action": ["text2video"]}, "action is invalid."),
        ({**TEXT, "model": ""}, "model is invalid."),
        ({**TEXT, "model": 3}, "model is invalid."),
        ({"action": "text2video"}, "prompt is required."),
        ({**TEXT, "prompt": ""}, "prompt is required."),
        ({**TEXT, "prompt": "  "}, "prompt is invalid."),
        ({**TEXT, "prompt": {}}, "prompt is invalid."),
        ({"action": "image2video", "prompt": "A"}, "image_urls is required."),
        ({**IMAGE, "image_urls": []}, "image_urls is required."),
        ({**IMAGE, "image_urls": "https://example.com/a.png"}, "image_urls is invalid."),
        ({**IMAGE, "image_urls": ["/tmp/a.png"]}, "image_urls is invalid."),
        ({**IMAGE, "image_urls": [7]}, "image_urls is invalid."),
        ({**IMAGE, "image_urls": ["http://["]}, "image_urls is invalid."),
        ({**IMAGE, "image_urls": ["http://a/b"] * 4}, "image_urls is invalid."),
        ({"action": "get_1080p"}, "video_id is required."),
        ({"action": "get_1080p", "video_id": 7}, "video_id is invalid."),
        ({**TEXT, "aspect_ratio": "2:1"}, "aspect_ratio is invalid."),
        ({**TEXT, "aspect_ratio": ["16:9"]}, "aspect_ratio is invalid."),
        ({**TEXT, "resolution": "8k"}, "resolution is invalid."),
        ({**TEXT, "translation": "yes"}, "translation is invalid."),
        ({**TEXT, "async": 1}, "async is invalid."),
        ({**TEXT, "callback_url": "ftp://example.com"}, "callback_url is invalid."),
        ({**TEXT, "callback_url": "http://["}, "callback_url is invalid."),
    ],
)
def test_wrong_requests_are_refused_by_name(body: Any, message: str) -> None:
    """A missing or invalid parameter is ``bad_request`` with a message that names it."""
    with pytest.raises(ServiceError) as caught:
        check(body, Wire())

    assert (caught.value.status, caught.value.code) == (400, "bad_request")
    assert caught.value.message == message


def test_a_deployment_may_know_one_spelling_and_few_models() -> None:
    """`Wire` restricts the spellings and the models, and sets the code for an unknown action."""
    wire = Wire(
        spellings=frozenset({"get1080p"}),
        unknown_action="api_not_implemented",
        models=frozenset({"veo3"}),
    )

    check({**UPSCALE, "action": "get1080p", "model": "veo3"}, wire)
    with pytest.raises(ServiceError) as action:
        check(UPSCALE, wire)
    with pytest.raises(ServiceError) as model:
        check({**TEXT, "model": "veo2"}, wire)

    assert (action.value.status, action.value.code) == (400, "api_not_implemented")
    assert model.value.message == "model is invalid."


HEALTH = "https://api.acedata.cloud/health?ref=1"
OWN = "http://127.0.0.1:8080/health?ref=1"
FOREIGN = "https://example.com/hook"


def error(url: str, wire: Wire, asynchronous: bool) -> str | None:
    """The message with which a callback address is refused."""
    try:
        check({**TEXT, "async": asynchronous, "callback_url": url}, wire, "127.0.0.1:8080")
    except ServiceError as exc:
        return exc.message
    return None


@pytest.mark.parametrize(
    "callback_url, asynchronous, accepted",
    [
        ("accepted", True, {HEALTH, OWN, FOREIGN}),
        ("own_host", True, {HEALTH, OWN}),
        ("without_async", True, set()),
        ("without_async", False, {HEALTH, OWN, FOREIGN}),
        ("refused", False, set()),
    ],
)
def test_a_deployment_may_refuse_callback_addresses(
    callback_url: Any, asynchronous: bool, accepted: set[str]
) -> None:
    """`Wire.callback_url`: all, the service's own, none beside ``async``, or none; the others are
    ``bad_request`` with a message that names the field. A submit without any is accepted."""
    wire = Wire(callback_url=callback_url)
    check({**TEXT, "async": asynchronous}, wire, "127.0.0.1:8080")

    passed = {url for url in (HEALTH, OWN, FOREIGN) if error(url, wire, asynchronous) is None}

    assert passed == accepted
    for refused in {HEALTH, OWN, FOREIGN} - accepted:
        assert error(refused, wire, asynchronous) == "callback_url is invalid."


@pytest.mark.parametrize(
    "url, own",
    [
        (HEALTH, True),
        ("https://API.acedata.cloud/hook", True),
        (OWN, True),
        ("http://127.0.0.1:8080/prefix/health", True),
        ("http://127.0.0.1:8081/health", False),
        ("http://127.0.0.1:8080/hook", False),
        ("https://api.acedata.cloud.example.com/health", False),
    ],
)
def test_the_services_own_callback_addresses(url: str, own: bool) -> None:
    """They are the vendor's host, and ``/health`` of the host that the submit was sent to."""
    assert is_own(url, "127.0.0.1:8080") is own
