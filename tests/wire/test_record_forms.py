"""The forms of a record that the wire contract implies, each with its end."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest

from tests.support.wire import NOW, TASK, TRACE, URL
from veo_async._wire.task_status import (
    FAILED_WORDS,
    LATE_VIDEO,
    RULES,
    RUNNING_WORDS,
    SUCCESS_WORDS,
    TaskStatus,
    _evidence,
    read_record,
    read_response,
    read_status,
    settle,
)
from veo_async.models import State

End = Literal["pending", "succeeded", "failed", "late"]
"""``late`` is failed, `LATE_VIDEO` seconds after it was over."""

P: End = "pending"
S: End = "succeeded"
F: End = "failed"
L: End = "late"
FILE = {"id": "v", "video_url": URL}
DONE = FILE | {"state": "succeeded"}
PREVIEW = FILE | {"state": "processing"}
BROKEN = {"id": "v", "state": "failed"}
EMPTY = {"id": "v"}
ERROR = {"error": {"code": "api_error", "message": "fetch failed"}}
TRUE, FALSE = {"success": True}, {"success": False}


def data(*entries: Any) -> dict[str, Any]:
    """A ``data`` of these entries."""
    return {"data": list(entries)}


# ``(response, its end without a finished_at, its end with one)``: with a null it is always pending.
FORMS: list[tuple[Any, End, End]] = [
    # Nothing, or nothing that says anything.
    (None, P, L),
    ({}, P, L),
    ([], P, L),
    (7, P, L),
    ("running", P, L),
    ({"task_id": TASK}, P, L),
    ({"data": None}, P, L),
    (data(), P, L),
    (data(EMPTY), P, L),
    ({"error": None}, P, L),
    # Success is true.
    (TRUE, P, L),
    (TRUE | data(), P, L),
    (TRUE | data(EMPTY), P, L),
    (TRUE | data(FILE | {"video_url": ""}), P, L),
    (TRUE | data(FILE | {"video_url": None}), P, L),
    (TRUE | data(FILE), S, S),
    (TRUE | data(DONE), S, S),
    (TRUE | {"data": DONE}, S, S),
    (TRUE | {"data": [None, 7, DONE]}, S, S),
    (TRUE | data(FILE | {"state": "a_new_word"}), S, S),
    (TRUE | data(FILE, EMPTY), S, S),
    (TRUE | data(FILE, BROKEN), S, S),
    (TRUE | data(BROKEN), F, F),
    (TRUE | data(BROKEN, EMPTY), P, L),
    (TRUE | data(PREVIEW), P, L),
    (TRUE | data(DONE, PREVIEW), P, L),
    (TRUE | ERROR | data(FILE), S, S),
    (TRUE | {"status": "running"} | data(FILE), P, L),
    (TRUE | {"state": "processing"} | data(DONE), P, L),
    (TRUE | {"status": "succeeded"}, P, L),
    (TRUE | {"status": "failed"} | data(DONE), F, F),
    # Success is false.
    (FALSE, P, F),
    (FALSE | {"error": None}, P, F),
    (FALSE | {"error": ""}, P, F),
    (FALSE | {"error": {}}, P, F),
    (FALSE | {"error": "temporary"}, P, F),
    (FALSE | {"error": ["temporary"]}, P, F),
    (FALSE | ERROR, F, F),
    (FALSE | {"error": {"code": "busy"}}, F, F),
    (FALSE | {"error": {"message": "no"}}, F, F),
    (FALSE | ERROR | data(FILE), F, F),
    (FALSE | ERROR | data(PREVIEW), F, F),
    (FALSE | ERROR | {"status": "running"}, P, L),
    (FALSE | data(FILE), P, F),
    (FALSE | {"status": "succeeded"} | data(FILE), P, F),
    (FALSE | data(PREVIEW), P, F),
    # No success, or one that is neither.
    (data(FILE), P, S),
    ({"success": None} | data(FILE), P, S),
    ({"success": "true"} | data(FILE), P, S),
    ({"success": 1} | data(DONE), P, S),
    ({"success": "true"} | data(EMPTY), P, L),
    (data(DONE), S, S),
    ({"data": DONE}, S, S),
    (data(DONE, BROKEN), S, S),
    (data(DONE, FILE), P, S),
    (data(DONE, EMPTY), P, S),
    (data(PREVIEW), P, L),
    (data(BROKEN), F, F),
    (data(BROKEN, BROKEN), F, F),
    (data(BROKEN, FILE), P, S),
    (data(BROKEN | FILE), F, F),
    (ERROR, P, F),
    (ERROR | data(FILE), P, F),
    (ERROR | {"status": "succeeded"} | data(FILE), P, F),
    ({"error": "temporary"}, P, F),
    # Words at the top.
    ({"status": "succeeded"} | data(FILE), S, S),
    ({"state": "succeeded"} | data(FILE), S, S),
    ({"status": "succeeded"} | data(), P, L),
    ({"status": "succeeded"} | data(EMPTY), P, L),
    ({"status": "succeeded"} | data(PREVIEW), P, L),
    ({"status": "succeeded"} | data(BROKEN), F, F),
    ({"status": "running"}, P, L),
    ({"status": "running"} | data(FILE), P, L),
    ({"status": "running"} | data(DONE), P, L),
    ({"status": "running"} | data(BROKEN), P, L),
    ({"status": "running", "state": "failed"}, P, L),
    ({"status": "failed"}, F, F),
    ({"state": "failed"}, F, F),
    ({"status": "failed"} | data(FILE), F, F),
    ({"status": "failed", "state": "succeeded"} | data(FILE), F, F),
    ({"status": "a_new_word"}, P, L),
    ({"status": "a_new_word"} | data(FILE), P, S),
    ({"status": "a_new_word"} | TRUE | data(FILE), S, S),
    ({"status": 7}, P, L),
    ({"status": ["failed"]}, P, L),
    ({"status": " "}, P, L),
]

for word in sorted(FAILED_WORDS | {"FAILURE", "Timeout", "timed out", "Timed-Out"}):
    FORMS += [({"state": word}, F, F), (data({"status": word}), F, F)]
for word in sorted(SUCCESS_WORDS | {"SUCCESS", " Completed "}):
    FORMS += [({"state": word} | data(FILE), S, S), (data(FILE | {"status": word}), S, S)]
for word in sorted(RUNNING_WORDS | {"RUNNING", "in progress"}):
    FORMS += [(TRUE | {"state": word} | data(FILE), P, L), (data(FILE | {"status": word}), P, L)]

IDS = [json.dumps(response) for response, _, _ in FORMS]


def end_of(record: dict[str, Any]) -> End:
    """The end of a record."""
    status = read_status(record, task_id=TASK)
    late = settle(status, since=NOW, now=NOW + LATE_VIDEO)
    assert settle(status, since=NOW, now=NOW + LATE_VIDEO - 1.0) is status
    assert (status.generation is None) == (status.state != "succeeded")
    assert (status.error is None) == (status.state != "failed")
    if late is status:
        return status.state
    assert (status.state, late.state) == ("pending", "failed")
    assert late.error is not None
    return "late"


@pytest.mark.parametrize("response, running, over", FORMS, ids=IDS)
def test_end_of_each_form(response: Any, running: End, over: End) -> None:
    """The end depends on the response and on ``finished_at``, wherever it stands; a response that
    is a JSON text is read as what it says."""
    record = {"id": TASK, "request": {"callback_url": URL, "image_urls": [URL]}}
    forms = [response, json.dumps(response)] if isinstance(response, dict) else [response]

    for form in forms:
        plain = record | {"response": form}
        assert end_of(plain) == running
        assert end_of(plain | {"finished_at": NOW}) == over
        assert end_of(plain | {"finished_at": None}) == "pending"
    if isinstance(response, dict):
        assert end_of(record | {"response": response | {"finished_at": NOW}}) == over
        assert end_of(record | {"response": response | {"finished_at": None}}) == "pending"
        alone = read_response(response, task_id=TASK)
        assert alone.state == ("pending" if running == "late" else running)


@pytest.mark.parametrize(
    "fields, end",
    [
        ({"state": "failed"}, "failed"),
        ({"status": "TIMEOUT", "response": None}, "failed"),
        ({"status": "running", "response": TRUE | data(FILE)}, "pending"),
        ({"status": "finished", "response": data(FILE)}, "succeeded"),
        ({"status": "finished"}, "pending"),
        ({"success": True, "data": [DONE]}, "pending"),
        ({"finished_at": NOW, "response": {"finished_at": None} | data(FILE)}, "succeeded"),
        ({"finished_at": None, "response": {"finished_at": NOW} | data(FILE)}, "pending"),
        ({"finished_at": "2026-06-30T04:01:50.364Z", "response": data(FILE)}, "succeeded"),
        ({"finished_at": 0, "response": FALSE | ERROR}, "pending"),
        ({"request": {"finished_at": NOW, "state": "failed"}}, "pending"),
    ],
)
def test_words_and_times_of_the_record_itself(fields: dict[str, Any], end: End) -> None:
    """They may stand beside ``response``; the record's own ``finished_at`` comes first."""
    assert end_of({"id": TASK} | fields) == end


@pytest.mark.parametrize(
    "text",
    [
        *("{", '{"success": tru', "[]", "", '{"state": "failed\udcff"}'),
        pytest.param('{"state": "failed"}' + " " * 1_000_000, id="long"),
    ],
)
def test_text_that_is_no_object_says_nothing(text: str) -> None:
    """An unreadable response leaves the task pending, and reading has a limit."""
    assert end_of({"id": TASK, "response": text}) == "pending"


@pytest.mark.parametrize("name", [name for name, _, _ in RULES])
def test_each_rule_decides_some_form(name: str) -> None:
    """No rule is dead: each decides a form that the later ones would read in another way."""
    rest = [rule for rule in RULES if rule[0] != name]

    def ends(rules: Any) -> list[str]:
        seen = [
            _evidence({"finished_at": at} if at != "absent" else {}, response)
            for response, _, _ in FORMS
            if isinstance(response, dict)
            for at in ("absent", None, NOW)
        ]
        return [next((state for _, on, state in rules if on(one)), P) for one in seen]

    assert ends(rest) != ends(RULES)


def test_failure_has_the_trace_id_of_its_record() -> None:
    """An error body has none in the normal form; the record's is the one that support asks for.
    One of the response's own comes first."""
    record = {"id": TASK, "trace_id": TRACE, "response": FALSE | ERROR}

    bare = read_status(record, task_id=TASK).error
    own = read_status(record | {"response": FALSE | ERROR | {"trace_id": "own"}}, task_id=TASK)
    result = read_status(record | {"response": TRUE | data(FILE)}, task_id=TASK).generation

    assert bare is not None
    assert own.error is not None
    assert result is not None
    assert (bare.trace_id, own.error.trace_id, result.trace_id) == (TRACE, "own", TRACE)


@pytest.mark.parametrize("place", ["record", "response"])
def test_result_has_the_cost(place: str) -> None:
    """``cost`` may stand in the record or in the response."""
    cost = {"cost": {"amount": 1.5, "list_amount": "3", "currency": "credits", "new": True}}
    response = TRUE | data(FILE) | (cost if place == "response" else {})
    record = {"id": TASK, "response": response} | (cost if place == "record" else {})

    generation = read_status(record, task_id=TASK).generation

    assert generation is not None
    assert generation.cost is not None
    assert (generation.cost.amount, generation.cost.list_amount) == (1.5, 3.0)
    assert generation.cost.currency == "credits"
    assert generation.cost.model_extra == {"new": True}


def test_task_that_ended_without_a_video() -> None:
    """The error says so, that it may have been charged, and what to do; a preview stays visible."""
    preview = {"id": TASK, "trace_id": TRACE, "finished_at": NOW, "response": data(PREVIEW)}
    status = read_status(preview, task_id=TASK)

    error = settle(status, since=NOW, now=NOW + LATE_VIDEO).error

    assert status.warning == "the service ended the task without a video"
    assert error is not None
    assert "ended the task without a video" in str(error)
    assert "bill says whether it was charged" in str(error)
    assert f"veo.wait('{TASK}')" in str(error)
    assert (error.trace_id, [video.video_url for video in error.videos]) == (TRACE, [URL])


def test_only_a_task_that_is_over_changes_with_time() -> None:
    """Every other status stays what it is, however late it is."""
    for status in (TaskStatus("pending"), TaskStatus("pending", warning="odd")):
        assert settle(status, since=0.0, now=1e9) is status


@pytest.mark.parametrize(
    "now, state",
    [(None, "pending"), (NOW - 9e9, "pending"), (NOW + 179.0, "pending"), (NOW + 180.0, "failed")],
)
@pytest.mark.parametrize("place", ["record", "response"])
def test_record_that_is_read_once_counts_by_the_clock_of_the_service(
    place: str, now: float | None, state: State
) -> None:
    """A record that was over long before the answer came is failed; without the answer's own time
    nothing is concluded."""
    over = {"finished_at": NOW}
    item = {"id": TASK} | (over if place == "record" else {"response": over})

    record = read_record(item, now=now)

    assert record is not None
    assert record.state == state
    assert record.finished_at is not None
    assert record.finished_at.timestamp() == NOW


def test_record_with_a_time_that_cannot_be_read_is_not_given_up() -> None:
    """It is over, but nobody knows since when."""
    record = read_record({"id": TASK, "finished_at": "soon"}, now=NOW)

    assert record is not None
    assert (record.state, record.finished_at) == ("pending", None)
