from __future__ import annotations

from typing import Any

import pytest

from veo_async import (
    BadRequestError,
    DownloadError,
    Generation,
    Get1080p,
    InsufficientBalanceError,
    InvalidRequestError,
    RateLimitError,
    TextToVideo,
    VeoError,
)
from veo_async._batch import resume, spending, stages
from veo_async._journal import events
from veo_async._journal.rows import Row
from veo_async._journal.serialization import dump_request
from veo_async._reconcile.window import EARLY
from veo_async._submit.verdict import Accepted, NotSent, Refused, Uncertain, Verdict
from veo_async._wire import arguments
from veo_async._wire.replies import Failure
from veo_async._wire.task_status import PENDING, TaskStatus

REQUEST = TextToVideo(prompt="a mug")
GENERATION = Generation.model_validate({"success": True, "data": [{"id": "v", "video_url": "u"}]})
BAD, BUSY = BadRequestError("no"), RateLimitError("busy")
BROKE = InsufficientBalanceError("no money", task_id="t", may_have_cost=True)


def row(**fields: Any) -> Row:
    """A row of a stage that buys, sent at 100."""
    given = {"sent_at": 100.0, "request_json": dump_request(REQUEST), **fields}
    return Row("k", "generate", 1, given.pop("state", "intended"), 100.0, **given)


@pytest.mark.parametrize(
    "verdict,other,event",
    [
        (Accepted("t", PENDING), False, events.Accepted("k", "s", "t")),
        (
            Accepted("t", TaskStatus("succeeded", GENERATION)),
            False,
            events.Succeeded("k", "s", GENERATION),
        ),
        (Uncertain("cut", "trace"), False, events.Uncertain("k", "s", 9.0, "trace")),
        (NotSent(Failure.__new__(Failure)), False, events.Withdrawn("k", "s")),
        (Refused(BAD), False, events.Refused("k", "s", BAD)),
        (Refused(BAD), True, events.Withdrawn("k", "s")),
        (Refused(BUSY), False, events.Withdrawn("k", "s")),
        (Refused(BROKE), False, events.Withdrawn("k", "s")),
    ],
)
def test_each_end_of_a_post_is_one_event(
    verdict: Verdict, other: bool, event: events.Event
) -> None:
    """What may have been bought stays so; what says nothing about the request is sent again."""
    assert stages.event_of("k", "s", verdict, ended_at=9.0, other_spelling=other) == event


@pytest.mark.parametrize(
    "verdict,action,expected",
    [
        (Refused(BAD), "get_1080p", True),
        (Refused(BAD), "text2video", False),
        (Refused(BUSY), "get_1080p", False),
        (Uncertain("cut"), "get_1080p", False),
    ],
)
def test_only_a_refused_spelling_has_another(verdict: Verdict, action: str, expected: bool) -> None:
    """As the law of submits has it."""
    assert stages.may_respell(verdict, action) is expected


def test_an_allowance_counts_what_may_be_billed() -> None:
    """Open POSTs count until they are over; the last place is waited for, not given up."""
    two = spending.SubmissionBudget(2)
    full = two.begun().begun()
    half = full.ended(billed=True).ended(billed=False)

    assert [two.verdict, full.verdict, half.verdict] == ["go", "wait", "go"]
    assert full.ended(billed=True).verdict == "wait"
    assert half.begun().ended(billed=True).verdict == "stop"
    assert half.begun().ended(billed=True).given_back().verdict == "go"
    assert spending.SubmissionBudget(None, open=10**6).verdict == "go"
    assert spending.SubmissionBudget(0).verdict == "stop"
    assert "max_submissions=0" in str(spending.SubmissionBudget(0).error())
    assert spending.may_be_billed(Uncertain("cut"))
    assert not spending.may_be_billed(Refused(BAD))


def test_an_error_of_the_account_is_told_to_the_others_without_its_task() -> None:
    """What is not sent because of it cost nothing."""
    trouble = spending.account_trouble(BROKE)

    assert trouble
    assert (trouble.task_id, trouble.may_have_cost) == (None, False)
    assert BROKE.task_id == "t"
    assert spending.account_trouble(BAD) is None


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
    """Where nobody saw its end, it may have been open for as long as an answer is awaited, and may
    have been sent somewhat later than its intent says."""
    lost = resume.lost_in(row(**fields), now=now, submit_timeout=600.0)

    assert (lost.begun, lost.ended, lost.asked) == (100.0, ended, now)
    assert lost.trace_id == row(**fields).facts.get("trace_id")


def test_only_a_task_with_an_id_is_owned() -> None:
    """With the time of its submit, or nobody could look for it."""
    known = row(facts_json='{"task_id": "t", "ended_at": 101.0}')
    receipt = resume.receipt_of(known)

    assert receipt
    assert (receipt.task_id, receipt.begun, receipt.ended) == ("t", 100.0, 101.0)
    assert resume.receipt_of(row()) is None
    assert resume.receipt_of(row(facts_json='{"task_id": "t"}', sent_at=None)) is None
    assert resume.receipt_of(row(facts_json='{"task_id": "t"}', request_json=None)) is None


def test_an_uncertain_row_says_all_that_is_known() -> None:
    """Its request, its time, and why nobody can tell."""
    error = resume.uncertain_of(row(), reason="the list is late")

    assert (error.request, error.sent_at) == (REQUEST, 100.0)
    assert "the list is late" in str(error)
    assert "task list cannot" not in resume.uncertain_of(row()).message


@pytest.mark.parametrize("wrong", ["text", ("k",), ("", REQUEST), (1, REQUEST), ("k", "text")])
def test_an_entry_is_a_request_or_a_pair(wrong: object) -> None:
    """Everything else is refused."""
    assert arguments.read_entry(REQUEST) == (None, REQUEST)
    assert arguments.read_entry(("k", REQUEST)) == ("k", REQUEST)
    with pytest.raises(InvalidRequestError):
        arguments.read_entry(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_a_count_is_a_whole_number(wrong: object) -> None:
    """The error names the option."""
    assert arguments.read_count("n", None, least=1) is None
    assert arguments.read_count("n", 1, least=1) == 1
    with pytest.raises(InvalidRequestError, match="n must be") as caught:
        arguments.read_count("n", wrong, least=1)
    assert caught.value.field == "n"


def test_only_a_video_that_is_none_yet_is_upscaled() -> None:
    """With the model that made it; a video without an id has no 1080p version."""
    without = Generation.model_validate({"success": True, "data": [{"video_url": "u"}]})
    request = TextToVideo(prompt="p", model="veo3")

    assert stages.upscaling(request, GENERATION) == Get1080p(video_id="v", model="veo3")
    assert stages.upscaling(Get1080p(video_id="v"), GENERATION) is None
    with pytest.raises(InvalidRequestError):
        stages.upscaling(request, without)


def test_a_fault_of_our_own_is_told() -> None:
    """As an error that says that it may have cost."""
    error = stages.unexpected(ZeroDivisionError("a bug"))

    assert type(error) is VeoError
    assert error.may_have_cost
    assert "ZeroDivisionError" in str(error)


def test_a_folder_that_cannot_be_written_is_told_as_a_download_to_repeat() -> None:
    """What was bought stays paid for, and the message says which folder it is about."""
    error = stages.unwritable(OSError("No space left"), "out")

    assert isinstance(error, DownloadError)
    assert error.path == "out"
    assert "No space left" in str(error)
