from __future__ import annotations

from datetime import datetime

import pytest

from tests.samples import SAMPLES, Sample, load, named
from tests.support.wire import assert_presentable
from veo_async._submit.verdict import Accepted, Refused, Uncertain, judge
from veo_async._tracking.poll_replies import (
    AccountTrouble,
    Bisect,
    IdRejected,
    Statuses,
    Throttled,
    Unusable,
    read_poll,
)
from veo_async._wire.replies import Reply, api_error, parse_object
from veo_async._wire.requests import list_body, poll_body, submit_body
from veo_async._wire.task_queries import read_one, read_page
from veo_async._wire.task_status import read_response
from veo_async.errors import (
    APIError,
    APINotImplementedError,
    BadRequestError,
    ContentRefusedError,
    DisabledError,
    InsufficientBalanceError,
    InvalidTokenError,
    NoAPIError,
    NoTokenError,
    RateLimitError,
    ServerError,
    TaskNotFoundError,
    TokenExpiredError,
    TokenMismatchedError,
)
from veo_async.models import (
    SERVICE_ZONE,
    Generation,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    TextToVideo,
    VideoRequest,
)

NOW = 1_753_435_158.0
TASK = "1ebe4f2b-59ba-4385-a4ea-0ce8a3fe12ed"
MUG = (
    "White ceramic coffee mug on glossy marble countertop with morning window light. Camera "
    "slowly rotates 360 degrees around the mug, pausing briefly at the handle."
)
IMAGE = "https://cdn.acedata.cloud/7p1jhy.png"
CALLBACK = "https://webhook.site/aed5cd28-f8aa-4dca-9480-8ec9b42137dc"
VIDEO_1080P = "59f12222b1fa4fbe9331ff2400ad1583"

REQUESTS: list[tuple[str, VideoRequest, str, bool]] = [
    ("text2video_request", TextToVideo(prompt=MUG, model="veo2"), "text2video", False),
    (
        "image2video_request",
        ImageToVideo(prompt="Let it dance", model="veo2", image_urls=[IMAGE]),
        "image2video",
        False,
    ),
    (
        "ingredients2video_request",
        IngredientsToVideo(
            prompt="Let it dance",
            model="veo31-fast-ingredients",
            image_urls=[IMAGE],
            aspect_ratio="16:9",
            resolution="1080p",
            translation=False,
        ),
        "ingredients2video",
        False,
    ),
    (
        "get_1080p_request",
        Get1080p(video_id=VIDEO_1080P, model="veo2"),
        "get_1080p",
        False,
    ),
    ("get1080p_request", Get1080p(video_id=VIDEO_1080P), "get1080p", False),
    ("async_request", TextToVideo(prompt="A coffee mug"), "text2video", True),
    (
        "callback_request",
        TextToVideo(prompt=MUG, model="veo2", callback_url=CALLBACK),
        "text2video",
        False,
    ),
]
ERRORS: dict[str, type[APIError]] = {
    "error_api_error": ServerError,
    "error_api_not_implemented": APINotImplementedError,
    "error_bad_request": BadRequestError,
    "error_bare_string": ServerError,
    "error_content_refused": ContentRefusedError,
    "error_disabled": DisabledError,
    "error_html": ServerError,
    "error_invalid_token": InvalidTokenError,
    "error_missing": ServerError,
    "error_no_api": NoAPIError,
    "error_no_token": NoTokenError,
    "error_null": ServerError,
    "error_token_expired": TokenExpiredError,
    "error_token_mismatched": TokenMismatchedError,
    "error_token_mismatched_401": TokenMismatchedError,
    "error_too_many_requests": RateLimitError,
    "error_used_up": InsufficientBalanceError,
    "error_without_success": ServerError,
}
RECORDS = {
    "retrieve_cost": "succeeded",
    "retrieve_failed": "failed",
    "retrieve_failed_bare": "failed",
    "retrieve_pending_absent": "pending",
    "retrieve_pending_empty": "pending",
    "retrieve_pending_null": "pending",
    "retrieve_pending_processing": "pending",
    "retrieve_pending_provisional": "pending",
    "retrieve_succeeded": "succeeded",
    "retrieve_timings": "succeeded",
}
RESULTS = ["text2video_result", "image2video_result", "get_1080p_result", "result_data_object"]


def answer(sample: Sample) -> Reply:
    """The sample as it came over the wire."""
    assert sample.status is not None
    return Reply(sample.status, {}, sample.body)


# What is sent.


@pytest.mark.parametrize("case, request_, action, asynchronous", REQUESTS)
def test_request_is_sent_as_documented(
    case: str, request_: VideoRequest, action: str, asynchronous: bool
) -> None:
    """Each documented body is what the same request becomes."""
    assert submit_body(request_, action=action, asynchronous=asynchronous) == load(case).json()


def test_questions_are_asked_as_documented() -> None:
    """Questions about tasks have the documented fields; the limit is as many as are asked for."""
    one = load("retrieve_request").json()
    batch = load("retrieve_batch_request").json()
    window = load("list_request").json()

    assert poll_body([one["id"]]) == one
    assert poll_body(batch["ids"]) == batch | {"limit": len(batch["ids"])}
    assert list_body(
        offset=window["offset"],
        type=window["type"],
        user_id=None,
        created_at_min=window["created_at_min"],
        created_at_max=window["created_at_max"],
    ) == window | {"limit": 50}


# What comes back from a submit.


@pytest.mark.parametrize("case", RESULTS)
def test_result_is_read_as_documented(case: str) -> None:
    """A finished result is accepted, with every field under its own name."""
    sample = load(case)
    said = sample.json()
    entry = said["data"][0] if isinstance(said["data"], list) else said["data"]

    verdict = judge(answer(sample))

    assert isinstance(verdict, Accepted)
    generation = verdict.status.generation
    assert generation is not None
    assert verdict.task_id == generation.task_id == said["task_id"]
    assert (generation.success, generation.trace_id) == (True, said["trace_id"])
    video = generation.video
    assert (video.id, video.video_url, video.state) == (
        entry["id"],
        entry["video_url"],
        "succeeded",
    )
    for name in ("created_at", "complete_at"):
        moment: datetime = getattr(video, name)
        assert moment.strftime("%Y-%m-%d %H:%M:%S") == entry[name]
        assert moment.tzinfo is SERVICE_ZONE


@pytest.mark.parametrize("case", ["accepted_async", "callback_accepted"])
def test_id_alone_is_an_accepted_task(case: str) -> None:
    """An answer that holds only an id starts the wait for that id."""
    sample = load(case)

    verdict = judge(answer(sample))

    assert isinstance(verdict, Accepted)
    assert verdict.task_id == sample.json()["task_id"]
    assert verdict.status.state == "pending"


def test_callback_is_read_like_an_answer() -> None:
    """The service posts to the callback what it would have answered, with the id to match it by."""
    sample = load("callback_result")

    status = read_response(sample.json(), task_id=None)

    assert status.generation == Generation.model_validate(sample.json())
    assert status.generation is not None
    assert status.generation.task_id == load("callback_accepted").json()["task_id"]


@pytest.mark.parametrize("case, cls", ERRORS.items())
def test_error_is_read_as_documented(case: str, cls: type[APIError]) -> None:
    """Each documented error has its class, its code, its message and its trace id; below 500 it
    refuses a submit, from 500 on it leaves it uncertain."""
    sample = load(case)
    said = parse_object(answer(sample)) or {}
    inner = said.get("error")
    words = inner if isinstance(inner, dict) else {"message": inner}

    error = api_error(answer(sample))
    verdict = judge(answer(sample))

    assert type(error) is cls
    assert (error.status_code, error.code) == (sample.status, words.get("code"))
    assert error.trace_id == said.get("trace_id")
    assert (words.get("message") or "The service answered") in error.message
    assert isinstance(verdict, Uncertain if error.status_code in (500, 502) else Refused)
    assert_presentable(error)


# What comes back from a question.


@pytest.mark.parametrize("case, state", RECORDS.items())
def test_record_is_read_as_documented(case: str, state: str) -> None:
    """A record stands as its ``response`` says, for a retrieve and for a poll alike."""
    sample = load(case)
    said = sample.json()

    record = read_one(answer(sample), said["id"])
    reading = read_poll(answer(sample), [said["id"]])

    assert (record.id, record.state, record.type) == (said["id"], state, "videos")
    assert record.request == said["request"]
    assert record.created_at is not None
    assert record.created_at.timestamp() == said["created_at"]
    assert record.model_dump().keys() >= said.keys()
    assert isinstance(reading, Statuses)
    assert reading.statuses[said["id"]].state == state


def test_timings_of_a_record() -> None:
    """``finished_at`` is Unix seconds, and what is not known here is kept."""
    sample = load("retrieve_timings")

    record = read_one(answer(sample), TASK)

    assert record.finished_at is not None
    assert record.finished_at.timestamp() == sample.json()["finished_at"]
    assert (record.model_extra or {})["elapsed"] == sample.json()["elapsed"]


def test_failed_record_says_why() -> None:
    """The error body of a record's response is why its task failed."""
    record = read_one(answer(load("retrieve_failed")), TASK)

    assert record.error is not None
    assert (record.error.code, record.error.message) == ("api_error", "fetch failed")
    assert record.error.task_id == TASK


def test_bare_failure_has_the_trace_id_of_its_record() -> None:
    """An error body without one is the normal form."""
    sample = load("retrieve_failed_bare")

    record = read_one(answer(sample), TASK)

    assert "trace_id" not in sample.json()["response"]
    assert record.error is not None
    assert record.error.trace_id == sample.json()["trace_id"]


def test_cost_of_a_record() -> None:
    """The price is kept as the service says it."""
    sample = load("retrieve_cost")

    record = read_one(answer(sample), TASK)

    assert record.generation is not None
    assert record.generation.cost is not None
    assert record.generation.cost.model_dump() == sample.json()["response"]["cost"]


def test_unknown_id_is_no_record() -> None:
    """``{}`` is an id that the service does not know (yet)."""
    reply = answer(load("retrieve_unknown"))

    assert read_poll(reply, [TASK]) == Statuses({})
    with pytest.raises(TaskNotFoundError):
        read_one(reply, TASK)


def test_batch_is_read_as_documented() -> None:
    """The items of a batch are the asked tasks' records."""
    sample = load("retrieve_batch_result")
    ids = [item["id"] for item in sample.json()["items"]]

    page = read_page(answer(sample))
    reading = read_poll(answer(sample), [*ids, "not listed yet"])

    assert [record.id for record in page.records] == ids
    assert isinstance(reading, Statuses)
    assert {task_id: s.state for task_id, s in reading.statuses.items()} == {TASK: "succeeded"}


@pytest.mark.parametrize(
    "case, reading",
    [
        ("error_bad_request", Bisect),
        ("error_invalid_token", AccountTrouble),
        ("error_token_mismatched", AccountTrouble),
        ("error_disabled", AccountTrouble),
        ("error_no_api", AccountTrouble),
        ("error_used_up", Unusable),
        ("error_content_refused", Unusable),
        ("error_too_many_requests", Throttled),
        ("error_api_error", Unusable),
        ("error_html", Unusable),
    ],
)
def test_error_to_a_poll(case: str, reading: type[object]) -> None:
    """Each documented error has its meaning for a poll as well."""
    assert type(read_poll(answer(load(case)), ["a", "b"])) is reading


def test_guilty_id() -> None:
    """A single id that is answered with 400 is the guilty one."""
    assert isinstance(read_poll(answer(load("error_bad_request")), ["a"]), IdRejected)


def test_every_sample_is_read_above() -> None:
    """No documented message is left out, and every one says where it is documented."""
    read = {case for case, *_ in REQUESTS} | ERRORS.keys() | RECORDS.keys() | set(RESULTS)
    read |= {"accepted_async", "callback_accepted", "callback_result", "retrieve_unknown"}
    read |= {"retrieve_request", "retrieve_batch_request", "list_request", "retrieve_batch_result"}
    # The one question that this client asks only for a lost submit.
    others = SAMPLES.keys() - read - {"retrieve_by_trace_request"}

    assert not others
    assert {sample.case for sample in named("error_")} == ERRORS.keys()
    assert all(sample.source for sample in SAMPLES.values())
