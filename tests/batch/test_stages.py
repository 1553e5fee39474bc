from __future__ import annotations

from typing import Any

import pytest

from veo_async import (
    BadRequestError,
    ConnectionFailedError,
    DownloadError,
    Generation,
    Get1080p,
    InsufficientBalanceError,
    InvalidRequestError,
    RateLimitError,
    TextToVideo,
    VeoError,
)
from veo_async._batch import resume, stages
from veo_async._journal import events
from veo_async._journal.rows import Row
from veo_async._journal.serialization import dump_request
from veo_async._reconcile.window import EARLY
from veo_async._submit.retry import Again, Attempts, Step, Stop
from veo_async._submit.verdict import Accepted, NotSent, Refused, Uncertain, Verdict
from veo_async._wire import arguments
from veo_async._wire.replies import Failure
from veo_async._wire.task_status import PENDING, TaskStatus

REQUEST = TextToVideo(prompt="a mug")
GENERATION = Generation.model_validate({"success": True, "data": [{"id": "v", "video_url": "u"}]})
AGAIN, UNREACHED = Again(Attempts(0.0, "text2video")), ConnectionFailedError("no")
BAD, BUSY = BadRequestError("no"), RateLimitError("busy")
BROKE = InsufficientBalanceError("no money", task_id="t", may_have_cost=True)


def row(**fields: Any) -> Row:
    """A row of a stage that buys, sent at 100."""
    given = {"sent_at": 100.0, "request_json": dump_request(REQUEST), **fields}
    return Row("k", "generate", 1, given.pop("state", "intended"), 100.0, **given)


@pytest.mark.parametrize(
    "verdict,step,event",
    [
        (Accepted("t", PENDING), None, events.Accepted("k", "s", "t")),
        (
            Accepted("t", TaskStatus("succeeded", GENERATION)),
            None,
            events.Succeeded("k", "s", GENERATION),
        ),
        (Uncertain("cut", "trace"), AGAIN, events.Uncertain("k", "s", 9.0, "trace")),
        (NotSent(Failure.__new__(Failure)), AGAIN, events.Withdrawn("k", "s")),
        (NotSent(Failure.__new__(Failure)), Stop(UNREACHED), events.Withdrawn("k", "s")),
        (Refused(BAD), Stop(BAD), events.Refused("k", "s", BAD)),
        (Refused(BAD), AGAIN, events.Withdrawn("k", "s")),  # in the other spelling
        (Refused(BUSY), AGAIN, events.Withdrawn("k", "s")),
        (Refused(BUSY), Stop(BUSY), events.Withdrawn("k", "s")),
        (Refused(BROKE), Stop(BROKE), events.Withdrawn("k", "s")),
    ],
)
def test_each_end_of_a_post_is_one_event(
    verdict: Verdict, step: Step | None, event: events.Event
) -> None:
    """A possible purchase stays one; a refusal for another reason than the request is withdrawn."""
    assert stages.event_of("k", "s", verdict, step, ended_at=9.0) == event


@pytest.mark.parametrize(
    "fields,now,ended",
    [
        ({}, 5000.0, 700.0 + EARLY),
        ({}, 130.0, 130.0),
        ({}, 50.0, 100.0),
        ({"facts_json": '{"ended_at": 103.0, "trace_id": "x", "offset": 2.0}'}, 5000.0, 103.0),
        ({"sent_at": None}, 5000.0, 700.0 + EARLY),
    ],
)
def test_the_window_of_an_earlier_submit_is_never_too_short(
    fields: dict[str, Any], now: float, ended: float
) -> None:
    """Without a recorded end the POST may have been open until the submit timeout, and may have
    been sent somewhat later than its intent says."""
    lost = resume.lost_in(row(**fields), now=now, submit_timeout=600.0)

    assert (lost.begun, lost.ended, lost.asked) == (100.0, ended, now)
    assert lost.trace_id == row(**fields).facts.get("trace_id")


def test_only_a_task_with_an_id_is_owned() -> None:
    """It needs the time of its submit, too."""
    known = row(facts_json='{"task_id": "t", "ended_at": 101.0}')
    receipt = resume.receipt_of(known)

    assert receipt
    assert (receipt.task_id, receipt.begun, receipt.ended) == ("t", 100.0, 101.0)
    assert resume.receipt_of(row()) is None
    assert resume.receipt_of(row(facts_json='{"task_id": "t"}', sent_at=None)) is None
    assert resume.receipt_of(row(facts_json='{"task_id": "t"}', request_json=None)) is None


def test_the_error_of_an_uncertain_row_has_all_facts() -> None:
    """It has the request, the time, and the reason of the task list."""
    error = resume.uncertain_of(row(), reason="the list is late")

    assert (error.request, error.sent_at) == (REQUEST, 100.0)
    assert "the list is late" in str(error)
    assert "task list cannot" not in resume.uncertain_of(row()).message


@pytest.mark.parametrize("wrong", ["text", ("k",), ("", REQUEST), (1, REQUEST), ("k", "text")])
def test_an_entry_is_a_request_or_a_pair(wrong: object) -> None:
    """Everything else is refused, without a word about the entries before it."""
    assert arguments.read_entry(REQUEST) == (None, REQUEST)
    assert arguments.read_entry(("k", REQUEST)) == ("k", REQUEST)
    with pytest.raises(InvalidRequestError, match=r"[^.]\. It was not sent\.$"):
        arguments.read_entry(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_a_count_is_a_whole_number(wrong: object) -> None:
    """The error names the option."""
    assert arguments.read_count("n", None, least=1) is None
    assert arguments.read_count("n", 1, least=1) == 1
    with pytest.raises(InvalidRequestError, match="n must be") as caught:
        arguments.read_count("n", wrong, least=1)
    assert caught.value.field == "n"


def test_only_a_video_below_1080p_is_upscaled() -> None:
    """Its model is used again."""
    request = TextToVideo(prompt="p", model="veo3")

    assert stages.upscaling(request, GENERATION) == Get1080p(video_id="v", model="veo3")
    assert stages.upscaling(Get1080p(video_id="v"), GENERATION) is None


@pytest.mark.parametrize("video_id", [None, "", " ", "half a pair: \ud83d"])
def test_a_video_without_a_usable_id_stays_paid_for(video_id: str | None) -> None:
    """It has no 1080p version; the error does not claim that nothing was sent."""
    video = {"id": video_id, "video_url": "u"}
    generation = Generation.model_validate({"success": True, "data": [video]})

    with pytest.raises(InvalidRequestError, match=r"[^.]\. It stays paid for\.$") as caught:
        stages.upscaling(TextToVideo(prompt="p"), generation)
    assert caught.value.field == "video"


def test_a_fault_of_our_own_is_an_error() -> None:
    """The error says that money may have been spent."""
    error = stages.unexpected(ZeroDivisionError("a bug"))

    assert type(error) is VeoError
    assert error.may_have_cost
    assert "ZeroDivisionError" in str(error)


def test_a_folder_that_cannot_be_written_is_a_download_error() -> None:
    """The message names the folder and the reason."""
    error = stages.unwritable(OSError("No space left"), "out")

    assert isinstance(error, DownloadError)
    assert error.path == "out"
    assert "No space left" in str(error)
