from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import TASK, TRACE, URL, assert_presentable, bounded, refusal, values
from veo_async._wire.task_status import (
    FAILED_WORDS,
    PENDING,
    RUNNING_WORDS,
    TRANSITIONS,
    TaskStatus,
    advance,
    read_record,
    read_response,
)
from veo_async.errors import GenerationFailedError
from veo_async.models import Generation, State

FAILED = TaskStatus("failed", error=GenerationFailedError("It broke.", task_id=TASK))
SUCCEEDED = TaskStatus("succeeded", generation=Generation(task_id=TASK))
STANDINGS = [PENDING, SUCCEEDED, FAILED]
READY = {"id": "v", "video_url": URL, "state": "succeeded"}
RUNNING = {"id": "v", "state": "processing"}
BROKEN = {"id": "v", "state": "failed"}


def said(success: object = True, *data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A response with these words."""
    return {"success": success, "data": list(data)} | fields


# Transitions.


@pytest.mark.parametrize(
    "state, event, following",
    [
        ("pending", "pending", "pending"),
        ("pending", "succeeded", "succeeded"),
        ("pending", "failed", "failed"),
        ("succeeded", "pending", None),
        ("succeeded", "succeeded", None),
        ("succeeded", "failed", None),
        ("failed", "pending", None),
        ("failed", "succeeded", None),
        ("failed", "failed", None),
    ],
)
def test_table_is_the_documented_one(state: State, event: State, following: State | None) -> None:
    """A task is pending until it succeeded or failed, and both ends are final."""
    assert TRANSITIONS[state].get(event) == following


@pytest.mark.parametrize("status", STANDINGS, ids=lambda status: status.state)
@pytest.mark.parametrize("event", STANDINGS, ids=lambda event: event.state)
def test_advance_obeys_the_table(status: TaskStatus, event: TaskStatus) -> None:
    """A legal event's standing is taken whole; an illegal one changes nothing at all."""
    another = TaskStatus(event.state, event.generation, event.error, warning="another one")
    following = TRANSITIONS[status.state].get(event.state)

    after = advance(status, another)

    assert after is (status if following is None else another)
    assert following in (None, after.state)


@bounded
@given(st.lists(st.sampled_from(STANDINGS), max_size=20))
def test_terminal_is_final(events: list[TaskStatus]) -> None:
    """In every order of events the first end is final."""
    first = next((event for event in events if event.state != "pending"), PENDING)

    status = PENDING
    for event in events:
        status = advance(status, event)

    assert status is first


# Responses.


@pytest.mark.parametrize("response", [None, {}, {"task_id": TASK}, said(True, RUNNING)])
def test_a_task_that_just_runs_is_the_one_pending(response: object) -> None:
    """An answer that bears nothing but an id shows that the service answers at once; it is told
    apart from a result, and from an odd word, by being `PENDING` itself."""
    assert read_response(response, task_id=TASK) is PENDING


@pytest.mark.parametrize(
    "response, state",
    [
        # Absent, null, empty, or no response at all.
        (None, "pending"),
        ({}, "pending"),
        ([], "pending"),
        ([said(True, READY)], "pending"),
        ("succeeded", "pending"),
        (7, "pending"),
        # Present without success.
        ({"data": [RUNNING]}, "pending"),
        ({"data": [{"video_url": URL}]}, "pending"),
        ({"task_id": TASK}, "pending"),
        (said(None, {"video_url": URL}), "pending"),
        # A success word with a file is a success without it.
        ({"data": [READY]}, "succeeded"),
        (said(None, READY), "succeeded"),
        # Success needs a file, and nothing that still runs.
        (said(True, READY), "succeeded"),
        (said(True, {"video_url": URL}), "succeeded"),
        (said(True, {"video_url": URL, "state": "brand_new_word"}), "succeeded"),
        (said(True, {"video_url": URL, "state": 7}), "succeeded"),
        ({"success": True, "data": READY}, "succeeded"),
        (said(True), "pending"),
        ({"success": True}, "pending"),
        (said(True, {"id": "v"}), "pending"),
        (said(True, {"id": "v", "video_url": ""}), "pending"),
        (said(True, {"id": "v", "state": "succeeded"}), "pending"),
        (said(True, RUNNING), "pending"),
        (said(True, READY, RUNNING), "pending"),
        (said(True, READY | {"state": "Processing"}), "pending"),
        # Partly failed: one that is ready is enough.
        (said(True, BROKEN, READY), "succeeded"),
        (said(True, BROKEN, RUNNING), "pending"),
        (said(True, BROKEN, {"id": "v"}), "pending"),
        # Failed: success false with an error, or a terminal word.
        (refusal(), "failed"),
        # An error that is a bare text is provisional until there is a finished_at.
        ({"success": False, "error": "fetch failed"}, "pending"),
        (said(False, READY, error={"code": "api_error"}), "failed"),
        (said(True, BROKEN), "failed"),
        (said(None, BROKEN, BROKEN), "failed"),
        ({"data": [BROKEN | {"state": "CANCELLED"}]}, "failed"),
        ({"state": "failed"}, "failed"),
        ({"success": True, "state": "Error", "data": [READY]}, "failed"),
        # A word that is not known leaves the task pending.
        ({"success": False}, "pending"),
        ({"success": False, "error": None}, "pending"),
        ({"success": False, "error": {}}, "pending"),
        ({"error": {"code": "api_error"}}, "pending"),
        ({"success": "true", "data": [READY]}, "pending"),
        ({"success": 1, "data": [READY]}, "pending"),
        ({"success": {}, "data": [READY]}, "pending"),
        ({"success": None, "state": "brand_new_word"}, "pending"),
        ({"state": ["failed"]}, "pending"),
    ],
)
def test_response_says_how_a_task_stands(response: object, state: State) -> None:
    """Only a file is success, only the service's clear word is failure, all else is pending. All
    forms of a record are in `test_record_forms`."""
    status = read_response(response, task_id=TASK)

    assert status.state == state
    assert (status.generation is not None) == (state == "succeeded")
    assert (status.error is not None) == (state == "failed")


@pytest.mark.parametrize("word", sorted(FAILED_WORDS))
def test_words_for_failure(word: str) -> None:
    """Each terminal word fails a task, in any spelling of its case."""
    assert read_response({"data": [{"state": word.upper()}]}, task_id=TASK).state == "failed"
    assert read_response({"state": word.title()}, task_id=TASK).state == "failed"


@pytest.mark.parametrize("word", sorted(RUNNING_WORDS))
def test_words_for_running(word: str) -> None:
    """Each word for a task under way keeps it pending, also beside success and a file."""
    assert read_response(said(True, READY | {"state": word}), task_id=TASK).state == "pending"


@pytest.mark.parametrize(
    "response, warning",
    [
        (said(True), "there is no video_url yet"),
        (said(True, {"id": "v"}), "there is no video_url yet"),
        ({"success": False}, "success is False"),
        ({"success": "yes"}, "success is 'yes'"),
        ({"state": "brand_new_word"}, "the state is 'brand_new_word'"),
        ({"success": {"a": "x" * 9999}}, "success is {'a': 'xxx"),
        (None, None),
        ({"data": [RUNNING]}, None),
        (said(True, RUNNING), None),
        (said(True, READY), None),
        (refusal(), None),
    ],
)
def test_strange_answers_are_noted(response: object, warning: str | None) -> None:
    """An oddity becomes a warning of one short line; a documented answer gives none."""
    noted = read_response(response, task_id=TASK).warning

    if warning is None:
        assert noted is None
    else:
        assert noted is not None
        assert warning in noted
        assert len(noted) <= 100


def test_failure_bears_what_support_asks_for() -> None:
    """A failed task's error has the id, the code, the trace id, and the videos that are ready."""
    error = read_response(refusal("api_error") | {"data": [READY, BROKEN]}, task_id=TASK).error

    assert error is not None
    assert (error.message, error.code) == ("No.", "api_error")
    assert (error.task_id, error.trace_id) == (TASK, TRACE)
    assert [video.video_url for video in error.videos] == [URL]
    assert error.may_have_cost


def test_failure_without_a_reason_says_so() -> None:
    """A failed task whose response gives no reason has an error all the same."""
    error = read_response({"state": "failed"}, task_id=TASK).error

    assert error is not None
    assert "gave no reason" in str(error)


@pytest.mark.parametrize(
    "asked, inside, known",
    [
        (TASK, {}, TASK),
        (TASK, {"task_id": TASK}, TASK),
        (TASK, {"task_id": "another"}, TASK),
        (TASK, {"task_id": ""}, TASK),
        (TASK, {"task_id": 7}, TASK),
        (None, {"task_id": "another"}, "another"),
        (None, {}, None),
    ],
)
def test_id_that_was_asked_for_wins(
    asked: str | None, inside: dict[str, Any], known: str | None
) -> None:
    """The id on a result or an error is the one to wait for again."""
    status = read_response(said(True, READY, **inside), task_id=asked)
    failing = read_response({"state": "failed"} | inside, task_id=asked)

    assert status.generation is not None
    assert status.generation.task_id == known
    assert failing.error is not None
    assert failing.error.task_id == known


@bounded
@given(values)
def test_any_response_gives_a_standing(response: object) -> None:
    """Any JSON value gives a standing of the table that can be shown and sent elsewhere."""
    status = read_response(response, task_id=TASK)

    assert status.state in TRANSITIONS
    assert_presentable(status)
    assert_presentable(status.generation)
    assert_presentable(status.error)


# Records.


@pytest.mark.parametrize("item", [None, {}, [], "text", {"id": None}, {"id": ""}, {"_id": "x"}])
def test_what_is_no_record_is_none(item: object) -> None:
    """An id that the service does not know may come back as ``{}``."""
    assert read_record(item) is None


@pytest.mark.parametrize(
    "response, state",
    [(said(True, READY), "succeeded"), (refusal(), "failed"), (None, "pending"), ([], "pending")],
)
def test_record_stands_as_its_response_says(response: object, state: State) -> None:
    """Only ``response`` says how a task stands; the URLs in ``request`` are no results."""
    item = {"id": TASK, "request": said(True, READY), "response": response, "elapsed": 146.5}

    record = read_record(item)

    assert record is not None
    assert (record.id, record.state) == (TASK, state)
    assert record.model_extra == {"elapsed": 146.5}
    assert (record.generation is not None) == (state == "succeeded")
    assert (record.error is not None) == (state == "failed")


@bounded
@given(values)
def test_any_item_gives_a_record_or_none(item: object) -> None:
    """Any JSON value is a record that can be shown, or none."""
    dressed = item | {"id": TASK} if isinstance(item, dict) else {"id": TASK, "response": item}

    for record in (read_record(item), read_record(dressed)):
        assert_presentable(record)
