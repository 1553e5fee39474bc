from __future__ import annotations

import json
from pathlib import Path

import pytest

from veo_async import Generation, GenerationFailedError, Outcome, TextToVideo, WaitTimeoutError
from veo_async._batch import record
from veo_async.errors import VeoError

REQUEST = TextToVideo(prompt="A mug: 杯子", aspect_ratio="16:9")
RESULT = Generation.model_validate(
    {"success": True, "task_id": "t", "trace_id": "x", "data": [{"id": "v", "video_url": "u"}]}
)


def fields(outcome: Outcome, results: tuple[Generation, ...] = ()) -> dict[str, object]:
    """The fields of the record of an item."""
    written = record.read(record.write(outcome, number=7, results=results, at=1_753_435_158))
    assert written is not None
    return written


def test_a_record_has_the_request_and_the_outcome() -> None:
    """Request, result, ids, files and time, in the wire's words and in a fixed order."""
    written = fields(Outcome("k", REQUEST, RESULT, files=(Path("out/0007-a.mp4"),)), (RESULT,))

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
    assert written == expected
    assert list(written) == list(expected)


@pytest.mark.parametrize(
    "error, state, code",
    [
        (GenerationFailedError("no", task_id="t", code="c", trace_id="x"), "failed", "c"),
        (WaitTimeoutError("late", task_id="t"), "pending", None),
    ],
)
def test_a_record_says_why_there_is_no_result(error: VeoError, state: str, code: object) -> None:
    """It has the service's ids, and says if money may have been spent."""
    written = fields(Outcome("k", REQUEST, error=error))

    assert written["state"] == state
    assert written["task_id"] == "t"
    assert json.dumps(written["error"]) == json.dumps(
        {
            "type": type(error).__name__,
            "summary": error.message,
            "message": str(error),
            "code": code,
            "may_have_cost": True,
        }
    )


def test_a_record_is_utf_8_whatever_the_service_sent() -> None:
    """Every script is readable in it, and half of a surrogate pair stays unchanged."""
    result = Generation.model_validate({"success": True, "note": "\ud83d", "data": []})
    data = record.write(Outcome("k", REQUEST, result), number=1, results=(), at=0)

    assert "杯子".encode() in data
    assert json.loads(data)["result"]["note"] == "\ud83d"


def test_a_claim_is_a_record_of_an_item_that_has_not_ended() -> None:
    """It has the key, so that the next run knows the owner of the name."""
    written = record.read(record.claim("k", number=7, request=REQUEST))

    assert written is not None
    assert (written["key"], written["number"], written["state"]) == ("k", 7, "pending")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"veo_async": "1"}', b"\xff", b"[" * 100_000]
)
def test_bytes_that_are_no_record_are_none(data: bytes) -> None:
    """Any bytes are read as a record or as nothing."""
    assert record.read(data) is None


def test_records_are_compared_without_their_times() -> None:
    """The first one has the right time; an unreadable one is like no other."""
    outcome = Outcome("k", REQUEST, RESULT)
    first, later = (record.write(outcome, number=1, results=(), at=at) for at in (1.0, 2.0))
    other = record.write(outcome, number=2, results=(), at=1.0)

    assert record.same_except_time(first, later)
    assert not record.same_except_time(first, other)
    assert not record.same_except_time(b"", first)
