from __future__ import annotations

import json
from pathlib import Path

import pytest

from veo_async import Generation, GenerationFailedError, Outcome, TextToVideo, WaitTimeoutError
from veo_async._batch import record as batch_record
from veo_async.errors import VeoError

REQUEST = TextToVideo(prompt="A mug: 杯子", aspect_ratio="16:9")
RESULT = Generation.model_validate(
    {"success": True, "task_id": "t", "trace_id": "x", "data": [{"id": "v", "video_url": "u"}]}
)


def fields(outcome: Outcome, ends: tuple[Generation, ...] = ()) -> dict[str, object]:
    """What the record of an item says."""
    read = batch_record.read(batch_record.write(outcome, number=7, ends=ends, at=1_753_435_158))
    assert read is not None
    return read


def test_a_record_says_what_was_asked_for_and_what_came_of_it() -> None:
    """Request, result, ids, files and time, in the wire's words and in a fixed order."""
    record = fields(Outcome("k", REQUEST, RESULT, files=(Path("out/0007-a.mp4"),)), (RESULT,))

    expected = {
        "veo_async": 1,
        "number": 7,
        "key": "k",
        "state": "succeeded",
        "task_id": "t",
        "trace_id": "x",
        "request": {
            "model": "veo3-fast",
            "extra_body": {},
            "prompt": "A mug: 杯子",
            "aspect_ratio": "16:9",
            "action": "text2video",
        },
        "task_ids": ["t"],
        "result": {
            "success": True,
            "task_id": "t",
            "trace_id": "x",
            "data": [{"id": "v", "video_url": "u"}],
        },
        "error": None,
        "files": ["0007-a.mp4"],
        "ended_at": "2025-07-25T09:19:18+00:00",
    }
    assert record == expected
    assert list(record) == list(expected)


@pytest.mark.parametrize(
    "error, state, code",
    [
        (GenerationFailedError("no", task_id="t", code="c", trace_id="x"), "failed", "c"),
        (WaitTimeoutError("late", task_id="t"), "pending", None),
    ],
)
def test_a_record_says_why_there_is_no_result(error: VeoError, state: str, code: object) -> None:
    """With the ids by which the service knows it, and whether it may have cost something."""
    record = fields(Outcome("k", REQUEST, error=error))

    assert record["state"] == state
    assert record["task_id"] == "t"
    assert json.dumps(record["error"]) == json.dumps(
        {
            "type": type(error).__name__,
            "summary": error.message,
            "message": str(error),
            "code": code,
            "may_have_cost": True,
        }
    )


def test_a_record_is_utf_8_whatever_the_service_sent() -> None:
    """People can read their own script in it, and half of a surrogate pair stays what it was."""
    result = Generation.model_validate({"success": True, "note": "\ud83d", "data": []})
    data = batch_record.write(Outcome("k", REQUEST, result), number=1, ends=(), at=0)

    assert "杯子".encode() in data
    assert json.loads(data)["result"]["note"] == "\ud83d"


def test_a_claim_is_a_record_of_an_item_that_is_not_over() -> None:
    """It has the key, so that the next run knows whose the name is."""
    record = batch_record.read(batch_record.claim("k", number=7, request=REQUEST))

    assert record is not None
    assert (record["key"], record["number"], record["state"]) == ("k", 7, "pending")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"veo_async": "1"}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_record_is_none(data: bytes) -> None:
    """Any bytes are read as a record or as nothing."""
    assert batch_record.read(data) is None


def test_records_are_compared_without_their_times() -> None:
    """The first one has the right time; an unreadable one is like no other."""
    outcome = Outcome("k", REQUEST, RESULT)
    first, later = (batch_record.write(outcome, number=1, ends=(), at=at) for at in (1.0, 2.0))
    other = batch_record.write(outcome, number=2, ends=(), at=1.0)

    assert batch_record.tells_the_same(first, later)
    assert not batch_record.tells_the_same(first, other)
    assert not batch_record.tells_the_same(b"", first)
