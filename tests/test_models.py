from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import TASK, URL, assert_presentable, bounded, result, values
from veo_async.errors import GenerationFailedError, InvalidRequestError, WaitTimeoutError
from veo_async.models import (
    DEFAULT_MODEL,
    SERVICE_ZONE,
    Cost,
    Generation,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    Outcome,
    TaskRecord,
    TextToVideo,
    Unsettled,
    Video,
    VideoRequest,
)

IMAGE = "https://cdn.example/first.png"
SECRET = "s3cr3t-t0ken-value"

Request = TextToVideo | ImageToVideo | IngredientsToVideo | Get1080p


def deep(levels: int) -> dict[str, Any]:
    """An object that nests so many levels."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


# Requests.


@pytest.mark.parametrize(
    "kind, options, field",
    [
        (TextToVideo, {}, "prompt"),
        (TextToVideo, {"prompt": ""}, "prompt"),
        (TextToVideo, {"prompt": " \n\t"}, "prompt"),
        (TextToVideo, {"prompt": None}, "prompt"),
        (TextToVideo, {"prompt": 7}, "prompt"),
        (TextToVideo, {"prompt": "half an emoji \ud83d"}, "prompt"),
        (TextToVideo, {"prompt": "a", "model": ""}, "model"),
        (TextToVideo, {"prompt": "a", "model": None}, "model"),
        (TextToVideo, {"prompt": "a", "aspect_ratio": "2:1"}, "aspect_ratio"),
        (TextToVideo, {"prompt": "a", "resolution": "8k"}, "resolution"),
        (TextToVideo, {"prompt": "a", "translation": "perhaps"}, "translation"),
        (TextToVideo, {"prompt": "a", "action": "image2video"}, "action"),
        (TextToVideo, {"prompt": "a", "seconds": 8}, "seconds"),
        (TextToVideo, {"prompt": "a", "image_urls": [IMAGE]}, "image_urls"),
        (TextToVideo, {"prompt": "a", "callback_url": "done.html"}, "callback_url"),
        (TextToVideo, {"prompt": "a", "callback_url": ""}, "callback_url"),
        (ImageToVideo, {"prompt": "a"}, "image_urls"),
        (ImageToVideo, {"prompt": "a", "image_urls": []}, "image_urls"),
        (ImageToVideo, {"prompt": "a", "image_urls": [IMAGE] * 4}, "image_urls"),
        (ImageToVideo, {"prompt": "a", "image_urls": IMAGE}, "image_urls"),
        (ImageToVideo, {"prompt": "a", "image_urls": None}, "image_urls"),
        (ImageToVideo, {"prompt": "a", "image_urls": 5}, "image_urls"),
        (ImageToVideo, {"prompt": "a", "image_urls": [IMAGE, None]}, "image_urls"),
        (ImageToVideo, {"image_urls": [IMAGE]}, "prompt"),
        (IngredientsToVideo, {"prompt": "a", "image_urls": []}, "image_urls"),
        (Get1080p, {}, "video_id"),
        (Get1080p, {"video_id": ""}, "video_id"),
        (Get1080p, {"video_id": None}, "video_id"),
        (Get1080p, {"video_id": "v", "prompt": "a"}, "prompt"),
        (TextToVideo, {"prompt": "a", "extra_body": [1]}, "extra_body"),
        (TextToVideo, {"prompt": "a", "extra_body": {"x": b"bytes"}}, "extra_body"),
        (TextToVideo, {"prompt": "a", "extra_body": {"x": float("nan")}}, "extra_body"),
        (TextToVideo, {"prompt": "a", "extra_body": {"x": float("inf")}}, "extra_body"),
        (TextToVideo, {"prompt": "a", "extra_body": {"x": "\ud83d"}}, "extra_body"),
        (TextToVideo, {"prompt": "a", "extra_body": {"x": 10**5000}}, "extra_body"),
        (TextToVideo, {"prompt": "a", "extra_body": deep(250)}, "extra_body"),
        (TextToVideo, {"prompt": "a", "extra_body": deep(100_000)}, "extra_body"),
    ],
)
def test_bad_field_is_named_and_nothing_is_sent(
    kind: Callable[..., Request], options: dict[str, Any], field: str
) -> None:
    """A request that cannot be right is refused with the name of its field, as a ValueError."""
    with pytest.raises(InvalidRequestError, match=r"Nothing was sent\.$") as caught:
        kind(**options)

    assert caught.value.field == field
    assert field in str(caught.value)
    assert not caught.value.may_have_cost
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "url",
    [
        "first.png",
        "/home/me/first.png",
        "C:\\first.png",
        "file:///home/me/first.png",
        "ftp://cdn.example/first.png",
        "data:image/png;base64,AAAA",
        "//cdn.example/first.png",
        "cdn.example/first.png",
        "https://",
        "https:///first.png",
        "https://cdn.example:port/first.png",
        "https://cdn.example:0/first.png",
        "https://[::1/first.png",
        "https://cdn.example/first one.png",
        "https://cdn.example/first.png\n",
        "https://cdn.example/\x00.png",
        " https://cdn.example/first.png",
    ],
)
@pytest.mark.parametrize("field", ["image_urls", "callback_url"])
def test_what_is_no_web_address_is_told_so(field: str, url: str) -> None:
    """A file, data or a torn URL is refused; the message says that the API takes URLs only."""
    options: dict[str, Any] = {"image_urls": [IMAGE]} | {
        field: [IMAGE, url] if field == "image_urls" else url
    }

    with pytest.raises(InvalidRequestError, match="the API takes URLs only") as caught:
        ImageToVideo(prompt="a", **options)

    assert caught.value.field == field


@pytest.mark.parametrize("make", [TextToVideo, ImageToVideo, IngredientsToVideo, Get1080p])
@pytest.mark.parametrize("field", ["prompt", "model", "image_urls", "callback_url", "action", "zz"])
def test_messages_never_repeat_what_was_given(make: Callable[..., Request], field: str) -> None:
    """A secret that was put into the wrong field does not come back in a message."""
    options: dict[str, Any] = {"prompt": "a", "image_urls": [IMAGE], "video_id": "v"}
    unfit = {"prompt": [SECRET], "model": [SECRET], "image_urls": SECRET}.get(field, SECRET)

    with pytest.raises(InvalidRequestError) as caught:
        make(**options | {field: unfit})

    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert SECRET not in shown
    assert SECRET not in repr(vars(caught.value))


@pytest.mark.parametrize("url", [IMAGE, "http://a:8080/x?y=1#z", "HTTPS://Cdn.Example/é.png"])
def test_web_addresses_pass_as_they_are(url: str) -> None:
    """An http(s) URL is sent as it was given."""
    assert list(ImageToVideo(prompt="a", image_urls=[url]).image_urls) == [url]


def test_only_what_was_asked_for_has_a_value() -> None:
    """The default model is the vendor's; every other option is left to the service."""
    request = TextToVideo(prompt="a")

    assert request.model == DEFAULT_MODEL == "veo3-fast"
    assert request.action == "text2video"
    assert request.model_dump(exclude_none=True, exclude={"action", "model"}) == {
        "prompt": "a",
        "extra_body": {},
    }


@pytest.mark.parametrize("model", ["veo2", "veo31-fast-ingredients", "veo99", "Ωmega"])
def test_unknown_model_passes(model: str) -> None:
    """The set of models is open: the service says which it has."""
    assert TextToVideo(prompt="a", model=model).model == model


@pytest.mark.parametrize("urls", [[IMAGE], (IMAGE,), iter([IMAGE])], ids=["list", "tuple", "iter"])
def test_image_urls_may_be_any_iterable(urls: Any) -> None:
    """Any iterable of the URLs gives the same request, which can be a key."""
    request = ImageToVideo(prompt="a", image_urls=urls)

    assert request == ImageToVideo(prompt="a", image_urls=[IMAGE])
    assert hash(request) == hash(ImageToVideo(prompt="a", image_urls=[IMAGE]))


@pytest.mark.parametrize(
    "one, other",
    [
        (TextToVideo(prompt="a"), TextToVideo(prompt="a", model="veo3-fast")),
        (TextToVideo(prompt="a"), TextToVideo(prompt="a", callback_url=None, extra_body={})),
        (
            TextToVideo(prompt="a", extra_body={"x": 1, "y": {"b": 2, "c": 3}}),
            TextToVideo(prompt="a", extra_body={"y": {"c": 3, "b": 2}, "x": 1}),
        ),
        (
            TextToVideo(prompt="a", extra_body={"x": 1}),
            TextToVideo(prompt="a", extra_body={"x": 1.0}),
        ),
        (
            TextToVideo(prompt="a", extra_body={"x": (1, 2)}),
            TextToVideo(prompt="a", extra_body={"x": [1, 2]}),
        ),
    ],
)
def test_equal_requests_hash_equally(one: Request, other: Request) -> None:
    """Requests compare by value, and equal ones are one key of a dictionary."""
    assert one == other
    assert hash(one) == hash(other)
    assert {one: 1}[other] == 1


@pytest.mark.parametrize(
    "other",
    [
        TextToVideo(prompt="b"),
        TextToVideo(prompt="a", model="veo2"),
        TextToVideo(prompt="a", translation=False),
        TextToVideo(prompt="a", extra_body={"x": None}),
        ImageToVideo(prompt="a", image_urls=[IMAGE]),
        IngredientsToVideo(prompt="a", image_urls=[IMAGE]),
    ],
)
def test_other_requests_are_not_equal(other: Request) -> None:
    """Requests that differ in anything differ."""
    assert other != TextToVideo(prompt="a")


def test_requests_are_frozen() -> None:
    """A request cannot change between its check and its submit."""
    request = TextToVideo(prompt="a")

    with pytest.raises(ValueError, match="frozen"):
        request.prompt = ""

    assert request.prompt == "a"


@pytest.mark.parametrize(
    "update, field",
    [
        ({"prompt": " "}, "prompt"),
        ({"image_urls": ["/tmp/a.png"]}, "image_urls"),
        ({"sharpness": 2}, "sharpness"),
        ({"self": 1}, "self"),
    ],
)
def test_a_copy_is_as_valid_as_its_original(update: dict[str, Any], field: str) -> None:
    """A changed field of a copy is checked as on construction; an option that was not chosen stays
    so."""
    first = ImageToVideo(prompt="a", image_urls=[IMAGE])

    other = first.model_copy(update={"prompt": "b"})
    with pytest.raises(InvalidRequestError) as caught:
        first.model_copy(update=update)

    assert other == ImageToVideo(prompt="b", image_urls=[IMAGE])
    assert other.model_fields_set == first.model_fields_set
    assert first.model_copy() == first
    assert caught.value.field == field


def test_extra_body_is_a_copy_of_plain_json() -> None:
    """A later change inside of the caller's ``extra_body`` is not sent unchecked."""
    inner = {"fps": 24}
    request = TextToVideo(prompt="a", extra_body={"camera": inner, "sizes": (1, 2)})

    inner["fps"] = 60

    assert request.extra_body == {"camera": {"fps": 24}, "sizes": [1, 2]}


@pytest.mark.parametrize(
    "options, extra_body, names",
    [
        ({}, {"prompt": "b"}, "prompt"),
        ({"model": "veo2"}, {"model": "veo3"}, "model"),
        ({"aspect_ratio": "16:9"}, {"aspect_ratio": "9:16"}, "aspect_ratio"),
        ({}, {"action": "image2video"}, "action"),
        ({}, {"async": False}, "async"),
        ({}, {"callback_url": IMAGE}, "callback_url"),
        ({}, {"extra_body": {}}, "extra_body"),
        ({}, {"async": True, "action": "x"}, "action, async"),
    ],
)
def test_extra_body_sets_nothing_twice(
    options: dict[str, Any], extra_body: dict[str, Any], names: str
) -> None:
    """A field that was given, or that the client decides, is not set by ``extra_body`` as well."""
    with pytest.raises(InvalidRequestError, match=f"must not set {names} a second") as caught:
        TextToVideo(prompt="a", extra_body=extra_body, **options)

    assert caught.value.field == "extra_body"


@pytest.mark.parametrize(
    "extra_body", [{"seed": 7}, {"aspect_ratio": "21:9"}, {"model": "veo99"}, {"x": None}]
)
def test_extra_body_carries_what_the_vendor_adds(extra_body: dict[str, Any]) -> None:
    """``extra_body`` takes new fields, and values that this version does not know."""
    assert TextToVideo(prompt="a", extra_body=extra_body).extra_body == extra_body


IMAGES = {"prompt": "a", "image_urls": [IMAGE], "resolution": "4k"}


@pytest.mark.parametrize(
    "kind, options",
    [
        (TextToVideo, {}),
        (TextToVideo, {"model": "veo3"}),
        (TextToVideo, {"model": "veo31-fast"}),
        (TextToVideo, {"extra_body": {"model": "veo31-fast"}}),
        (ImageToVideo, IMAGES),
        (ImageToVideo, IMAGES | {"model": "veo31"}),
        (IngredientsToVideo, IMAGES | {"model": "veo31"}),
        (IngredientsToVideo, IMAGES | {"model": "veo31-fast-ingredients"}),
    ],
)
def test_4k_that_is_charged_and_fails_is_not_sent(
    kind: Callable[..., Request], options: dict[str, Any]
) -> None:
    """The service charges 4k in all combinations, and makes it from a prompt with veo31 alone, so
    the others are refused here. ``extra_body`` insists."""
    with pytest.raises(InvalidRequestError, match="only with text2video and") as caught:
        kind(**{"prompt": "a", "resolution": "4k"} | options)

    insisting = {**options.get("extra_body", {}), "resolution": "4k"}
    sent = kind(**{"prompt": "a"} | options | {"resolution": None, "extra_body": insisting})
    assert caught.value.field == "resolution"
    assert sent.wire_fields()["resolution"] == "4k"


@pytest.mark.parametrize(
    "kind, options",
    [
        (TextToVideo, {"model": "veo31"}),
        (TextToVideo, {"extra_body": {"model": "veo31"}}),
        (TextToVideo, {"model": "veo99"}),
        (ImageToVideo, IMAGES | {"model": "veo99"}),
        (IngredientsToVideo, IMAGES | {"model": "veo99"}),
    ],
)
def test_4k_is_sent_where_it_may_work(
    kind: Callable[..., Request], options: dict[str, Any]
) -> None:
    """With veo31 from a prompt, and with every model that this version does not know."""
    request = kind(**{"prompt": "a", "resolution": "4k"} | options)

    assert request.wire_fields()["resolution"] == "4k"


@pytest.mark.parametrize(
    "request_",
    [
        TextToVideo(prompt="a", extra_body={"x": 1}),
        ImageToVideo(prompt="a", image_urls=[IMAGE]),
        Get1080p(video_id="v"),
    ],
)
def test_requests_survive_pickling(request_: VideoRequest) -> None:
    """A request can be sent to another process."""
    assert pickle.loads(pickle.dumps(request_)) == request_


# Times.


def test_naive_times_are_the_services() -> None:
    """The vendor's tasks guide shows one task with a Unix time and with a naive text: the text is 8
    hours ahead of UTC, at a time just after the task was created."""
    record = TaskRecord.model_validate({"created_at": 1753435158.509})
    video = Video.model_validate({"created_at": "2025-07-25 17:19:20"})

    assert record.created_at == datetime(2025, 7, 25, 9, 19, 18, 509000, tzinfo=UTC)
    assert video.created_at == datetime(2025, 7, 25, 17, 19, 20, tzinfo=SERVICE_ZONE)
    assert record.created_at is not None
    assert video.created_at is not None
    assert timedelta(0) < video.created_at - record.created_at < timedelta(seconds=2)


@pytest.mark.parametrize(
    "value, expected",
    [
        ("2025-07-25 17:19:20", datetime(2025, 7, 25, 9, 19, 20, tzinfo=UTC)),
        (
            "2026-06-30T04:01:50.364Z",
            datetime(2026, 6, 30, 4, 1, 50, 364000, tzinfo=UTC),
        ),
        ("2025-07-25T09:19:20Z", datetime(2025, 7, 25, 9, 19, 20, tzinfo=UTC)),
        ("2025-07-25T09:19:20+02:00", datetime(2025, 7, 25, 7, 19, 20, tzinfo=UTC)),
        ("2025-07-25", datetime(2025, 7, 24, 16, tzinfo=UTC)),
        (1753435158, datetime(2025, 7, 25, 9, 19, 18, tzinfo=UTC)),
        (datetime(2025, 7, 25, 17, 19, 20), datetime(2025, 7, 25, 9, 19, 20, tzinfo=UTC)),  # noqa: DTZ001 - naive is the point
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (None, None),
        (True, None),
        ("", None),
        ("yesterday", None),
        ([], None),
        (-(10**12), None),
        (10**18, None),
        (10**4000, None),
        (float("nan"), None),
        (float("inf"), None),
        ("0001-01-01 00:00:00", None),
        ("9999-12-31 23:59:59", None),
    ],
)
def test_times_are_aware_or_absent(value: object, expected: datetime | None) -> None:
    """Every time is aware; a value that is no time reads as ``None``."""
    video = Video.model_validate({"created_at": value})

    assert video.created_at == expected
    assert video.created_at is None or video.created_at.tzinfo is not None


@bounded
@given(values | st.datetimes(timezones=st.none() | st.just(timezone(timedelta(hours=-12)))))
def test_every_time_can_be_converted(value: object) -> None:
    """A value that was read as a time can be compared with others and converted to any zone."""
    moment = Video.model_validate({"created_at": value}).created_at

    assert moment is None or moment.astimezone(timezone(timedelta(hours=14))) == moment


# Results.


def test_unknown_fields_survive() -> None:
    """A field that the vendor adds stays readable, also under a name that Python uses."""
    fields = {"elapsed": 146.5, "_id": "m", "self": 1, "model_dump": 2, "__class__": 3, "": 4}

    record = TaskRecord.model_validate({"id": TASK, **fields})

    assert record.model_extra == fields
    assert record.elapsed == 146.5  # type: ignore[attr-defined]
    assert json.loads(record.model_dump_json())["_id"] == "m"


@pytest.mark.parametrize(
    "field, value, expected",
    [
        ("id", "v", "v"),
        ("id", 7, "7"),
        ("id", True, None),
        ("id", 1.5, None),
        ("id", {}, None),
        ("video_url", ["x"], None),
        ("state", None, None),
    ],
)
def test_unfit_fields_read_as_none(field: str, value: object, expected: str | None) -> None:
    """A field of a kind that was not expected does not spoil the rest."""
    video = Video.model_validate({"complete_at": "2025-07-25 17:21:45", field: value})

    assert getattr(video, field) == expected
    assert video.complete_at


@pytest.mark.parametrize(
    "data, ids",
    [
        ([{"id": "a"}, {"id": "b"}], ["a", "b"]),
        ({"id": "a"}, ["a"]),
        (({"id": "a"},), ["a"]),
        ([Video(id="a")], ["a"]),
        ([{"id": "a"}, None, "x", 3, []], ["a"]),
        ([], []),
        (None, []),
        ("text", []),
        (7, []),
    ],
)
def test_data_is_a_list_or_an_object(data: object, ids: list[str]) -> None:
    """``data`` is a list in every example and an object in the OpenAPI document; both are read, and
    a value that is no entry is passed over."""
    generation = Generation.model_validate({"data": data})

    assert [video.id for video in generation.data] == ids


@pytest.mark.parametrize("success, read", [(True, True), (False, False), (None, False), (1, False)])
def test_only_true_is_success(success: object, read: bool) -> None:
    """Success is the JSON value true and nothing like it."""
    assert Generation.model_validate({"success": success}).success is read


def test_video_is_the_first_that_has_a_file() -> None:
    """``generation.video`` passes over entries without a file."""
    entries = [{"id": "a"}, {"id": "b", "video_url": URL}, {"id": "c", "video_url": URL}]

    assert Generation.model_validate({"data": entries}).video.id == "b"


@pytest.mark.parametrize("data", [[], [{"id": "a"}], [{"video_url": ""}]])
def test_generation_without_a_file_says_so(data: object) -> None:
    """Without a file, asking for it raises an error of ours, which no loop swallows."""
    generation = Generation.model_validate({"data": data})

    with pytest.raises(InvalidRequestError, match="no video_url"):
        _ = generation.video


def test_results_are_frozen_and_survive_pickling() -> None:
    """A result is a value: it cannot change, and another process reads the same."""
    generation = Generation.model_validate(result(elapsed=3))

    with pytest.raises(ValueError, match="frozen"):
        generation.success = False

    assert pickle.loads(pickle.dumps(generation)) == generation


@pytest.mark.parametrize(
    "url, shown",
    [
        (URL, f'<video controls preload="metadata" width="480" src="{URL}"></video>'),
        ("https://a/?x=1&y=\"'<script>", "src=&quot;"),
        ("javascript:alert(1)", "&lt;"),
        (None, "video_url=None"),
    ],
)
def test_notebooks_show_the_player_and_run_nothing(url: str | None, shown: str) -> None:
    """A notebook shows the player; the service's texts are escaped, and only http(s) is played."""
    video = Video.model_validate({"video_url": url, "state": "<script>"})

    html = video._repr_html_()

    if shown.startswith("<video"):
        assert html == shown
    assert "<script>" not in html
    assert "javascript" not in html or "<" not in html
    assert Generation(data=(video, video))._repr_html_() == html * 2


@bounded
@given(values)
def test_any_value_makes_a_result_that_can_be_shown(value: object) -> None:
    """Decoding is total: any JSON in any field gives a value that prints and writes itself."""
    names = ["id", "task_id", "success", "data", "request", "response", "type", "x"]
    fields = dict.fromkeys(names, value)
    other = value if isinstance(value, dict) else {}

    for model in (Video, Generation, TaskRecord):
        assert_presentable(model.model_validate(fields))
        assert_presentable(model.model_validate(other))


@pytest.mark.parametrize(
    "cost, read",
    [
        (None, None),
        (7, None),
        ([{"amount": 1}], None),
        ({}, Cost()),
        ({"amount": 1, "list_amount": 2.5}, Cost(amount=1.0, list_amount=2.5)),
        ({"amount": "0.25", "currency": "USD"}, Cost(amount=0.25, currency="USD")),
        ({"amount": True, "list_amount": [], "currency": {}}, Cost()),
        ({"amount": "much", "list_amount": "nan"}, Cost()),
        ({"amount": 10**400, "list_amount": float("inf")}, Cost()),
    ],
)
def test_cost_of_a_generation(cost: object, read: Cost | None) -> None:
    """A part of the price that cannot be read is ``None``; the result is read all the same."""
    generation = Generation.model_validate(result(cost=cost))

    assert generation.cost == read
    assert generation.video.video_url == URL
    assert hash(generation) == hash(Generation.model_validate(result(cost=cost)))


def test_record_says_how_the_task_stands() -> None:
    """A record is pending until its ``response`` was decoded as something else."""
    record = TaskRecord.model_validate({"id": TASK})
    error = GenerationFailedError("It broke.", task_id=TASK)

    assert (record.state, record.generation, record.error) == ("pending", None, None)
    failed = record.with_status("failed", error=error)
    assert (failed.state, failed.generation, failed.error) == ("failed", None, error)


def test_outcomes_and_unsettled_submits_are_values() -> None:
    """The outcome of a request is a frozen value with its request."""
    request = TextToVideo(prompt="a")

    outcome = Outcome(key="k", request=request)
    unsettled = Unsettled(request=request, sent_at=1.0)

    assert (outcome.result, outcome.error, outcome.files) == (None, None, ())
    assert (unsettled.task_id, unsettled.error) == (None, None)
    for value in (outcome, unsettled):
        with pytest.raises(AttributeError):
            value.request = request  # type: ignore[misc]


def presented(**changed: Any) -> dict[str, Any]:
    """The dictionary of an outcome of which only the request is known."""
    unknown = ("task_id", "trace_id", "created_at", "finished_at", "cost", "error")
    asked = {"action": "text2video", "model": DEFAULT_MODEL, "prompt": "a"}
    fields = {"key": "k", "state": "succeeded", **asked, "videos": [], "files": []}
    return {**dict.fromkeys(unknown), **fields, **changed}


VIDEO = Video.model_validate({"id": "v", "video_url": URL, "created_at": 1.0, "extra": {}})
VIDEO_FIELDS = {
    "id": "v",
    "video_url": URL,
    "created_at": "1970-01-01T00:00:01+00:00",
    "complete_at": None,
    "state": None,
}
LATE = WaitTimeoutError("It is late.", task_id=TASK)


@pytest.mark.parametrize(
    "outcome, fields",
    [
        (Outcome("k", TextToVideo(prompt="a")), {}),
        (
            Outcome("k", Get1080p(video_id="v")),
            {"action": "get_1080p", "prompt": None},
        ),
        (
            Outcome(
                "k",
                TextToVideo(prompt="a"),
                Generation(task_id=TASK, trace_id="trace", data=(VIDEO,), cost=Cost(amount=1.5)),
                files=(Path("out/1.mp4"), Path("out/2.mp4")),
            ),
            {
                "task_id": TASK,
                "trace_id": "trace",
                "videos": [VIDEO_FIELDS],
                "cost": {"amount": 1.5, "list_amount": None, "currency": None},
                "files": [str(Path("out/1.mp4")), str(Path("out/2.mp4"))],
            },
        ),
        (
            Outcome(
                "k",
                TextToVideo(prompt="a"),
                error=GenerationFailedError("no", task_id=TASK, trace_id="trace", videos=(VIDEO,)),
            ),
            {
                "task_id": TASK,
                "trace_id": "trace",
                "state": "failed",
                "videos": [VIDEO_FIELDS],
                "error": {
                    "type": "GenerationFailedError",
                    "message": str(GenerationFailedError("no", task_id=TASK, trace_id="trace")),
                    "may_have_cost": True,
                },
            },
        ),
        (
            Outcome("k", TextToVideo(prompt="a"), Generation(task_id="first"), LATE),
            {
                "task_id": TASK,
                "state": "pending",
                "error": {"type": "WaitTimeoutError", "message": str(LATE), "may_have_cost": True},
            },
        ),
        (
            Outcome("k", TextToVideo(prompt="a"), error=InvalidRequestError("No.")),
            {
                "state": "failed",
                "error": {
                    "type": "InvalidRequestError",
                    "message": "No. Nothing was sent.",
                    "may_have_cost": False,
                },
            },
        ),
    ],
    ids=["nothing", "1080p", "succeeded", "failed", "pending", "refused"],
)
def test_an_outcome_as_a_dictionary(outcome: Outcome, fields: dict[str, Any]) -> None:
    """An outcome is a dictionary of JSON values that always has the same keys; the task of an
    error, which may still run, comes before that of an earlier stage."""
    shown = outcome.to_dict()

    assert shown == presented(**fields)
    assert json.loads(json.dumps(shown)) == shown


def test_titles() -> None:
    """The title of a request is its prompt, or the id of its video: the text for a person."""
    image = ImageToVideo(prompt="a mug", image_urls=[IMAGE])

    assert (TextToVideo(prompt="a").title, image.title) == ("a", "a mug")
    assert Get1080p(video_id="v").title == "v"
