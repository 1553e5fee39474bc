from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from veo_async import TaskRecord
from veo_async._reconcile.comparison import normal_form
from veo_async._reconcile.snapshot import CATCH_UP, Listed, ListingSnapshot
from veo_async._reconcile.window import AcceptedSubmit, LostSubmit

T0 = 1_753_435_158.0
MUG = {"action": "text2video", "prompt": "a mug"}
EQUAL = normal_form(MUG)
MARK = "00000000-0000-4000-8000-000000000000"
URL = f"https://api.acedata.cloud/health?ref={MARK}"
LOST = LostSubmit(MUG, T0, T0 + 10, mark=MARK)
MINE = AcceptedSubmit("mine", LOST.kind, T0 - 60, T0 - 59, mark=MARK)
ALWAYS = T0 - 1e6, T0 + 1e6


def entry(task_id: str = "t", at: float | None = T0, **more: Any) -> Listed:
    """A record of the list."""
    return Listed(task_id, at, more.pop("request", EQUAL), **more)


def reading(*entries: Listed, **options: Any) -> ListingSnapshot:
    """A reading that shows these."""
    given: dict[str, Any] = {"at": T0, "offset": 0.0, "span": (T0 - 100, T0 + 100)}
    snapshot = ListingSnapshot(**given | options)
    for one in entries:
        snapshot.add(one)
    return snapshot


def test_a_record_is_read_as_far_as_it_concerns_lost_submits() -> None:
    """Its ids, its time, its request, its mark and whether it is finished."""
    fields = {
        "id": "t",
        "trace_id": "trace",
        "created_at": T0,
        "request": {**MUG, "callback_url": URL, "async": True},
    }

    listed = Listed.of(TaskRecord.model_validate(fields).with_status("succeeded"))

    assert listed == Listed("t", T0, EQUAL, MARK, "trace", is_pending=False)
    assert not listed.is_bare
    assert Listed.of(TaskRecord.model_validate({"id": "t"})).is_bare


def test_a_record_counts_once_and_until_it_is_known_as_ours() -> None:
    """A page that shifts shows it twice; and it may be accepted, or be adopted, at any time."""
    snapshot = reading(entry(), entry(), entry("bare", request="{}"), entry("timeless", None))

    counts = [snapshot.count_unowned(ALWAYS)]
    for task_id in ("t", "t", "bare", "timeless", "not listed"):
        snapshot.own(replace(MINE, task_id=task_id))
        counts.append(snapshot.count_unowned(ALWAYS))

    assert counts == [3, 2, 2, 1, 0, 0]
    assert snapshot.shows_requests
    assert not snapshot.equal_to(EQUAL)


def test_a_record_without_a_time_that_was_asked_for_may_be_of_any_time() -> None:
    """It is in each window, and is nobody's by comparison."""
    snapshot = reading(
        entry("no time", None), entry("other time", T0 - 102), entry("rounded", T0 - 101)
    )

    assert snapshot.count_unowned((T0, T0 + 1)) == 2
    assert snapshot.count_unowned((T0 - 101, T0 - 101)) == 3
    assert [one.task_id for one in snapshot.equal_to(EQUAL)] == ["rounded"]


def test_equal_records_are_without_a_mark_and_in_the_order_of_time() -> None:
    """One with a mark is another's, and one that is waited for is perhaps."""
    entries = [entry("b", T0 + 1), entry("a"), entry("m", mark=MARK), entry("awaited")]
    snapshot = reading(*entries, entry("other", request="other"), awaited={"awaited"})

    assert [one.task_id for one in snapshot.equal_to(EQUAL)] == ["a", "b"]
    assert snapshot.count_unowned(ALWAYS) == 5


def test_the_oldest_record_with_a_mark_or_a_trace_id_proves() -> None:
    """A submit that was sent again may have two, and they are both its own. One with its mark
    proves also if it is owned: no other submit has that mark."""
    marked = reading(entry("b", T0 + 1, mark=MARK), entry("a", mark=MARK), entry("c", None))
    traced = reading(entry("b", T0 + 1, trace_id="trace"), entry("a", trace_id="trace"))
    by_trace = replace(LOST, mark=None, trace_id="trace")

    assert [found.task_id for found in (marked.proof_of(LOST), traced.proof_of(by_trace)) if found]
    for snapshot, lost in ((marked, LOST), (traced, by_trace)):
        proof = snapshot.proof_of(lost)
        assert proof
        assert proof.task_id == "a"
        snapshot.own(replace(MINE, task_id="a"))
        assert snapshot.proof_of(lost) == (proof if lost.mark else None)
    assert marked.proof_of(by_trace) is None


def test_a_trace_id_beside_the_mark_of_another_is_no_proof() -> None:
    """The mark of the submit is its own; a trace id may be that of a gateway."""
    theirs = entry("s", trace_id="trace", mark="other")
    lost = replace(LOST, trace_id="trace")

    assert reading(theirs).proof_of(lost) is None
    found = reading(theirs, entry("t", mark=MARK)).proof_of(lost)
    assert found
    assert found.task_id == "t"


def seen_as(control: AcceptedSubmit, listed: Listed, **options: Any) -> ListingSnapshot:
    """A reading that shows a task of ours."""
    snapshot = reading(**options)
    snapshot.add(listed, control)
    return snapshot


@pytest.mark.parametrize(
    "listed, survival",
    [
        pytest.param(entry("mine", T0 - 59, mark=MARK), "kept", id="with its mark"),
        pytest.param(entry("mine", T0 - 59), "stripped", id="without"),
        pytest.param(entry("mine", T0 - 59, mark="other"), "stripped", id="with another"),
        pytest.param(entry("mine", T0 + 59, mark=MARK), "unknown", id="at another time"),
        pytest.param(
            entry("mine", T0 - 59, mark=MARK, is_listed=False), "unknown", id="found by its name"
        ),
    ],
)
def test_a_control_shows_what_becomes_of_marks(listed: Listed, survival: str) -> None:
    """If it is listed at its time."""
    snapshot = seen_as(MINE, listed)

    assert snapshot.survival_of(LOST) == survival
    assert snapshot.has_control(LOST) is (survival != "unknown")
    assert not snapshot.count_unowned(ALWAYS)


def test_a_control_without_a_mark_or_a_request_shows_nothing_of_marks() -> None:
    """It shows that the list has such tasks."""
    unmarked = seen_as(replace(MINE, mark=None), entry("mine", T0 - 59))
    bare = seen_as(MINE, entry("mine", T0 - 59, request="{}"))

    for snapshot in (unmarked, bare):
        assert snapshot.survival_of(LOST) == "unknown"
        assert snapshot.has_control(LOST)


def test_what_is_accepted_during_a_reading_is_a_control_as_well() -> None:
    """Its record was a stranger's until then."""
    snapshot = reading(entry("mine", T0 - 59, mark=MARK))

    snapshot.own(MINE)

    assert snapshot.survival_of(LOST) == "kept"


@pytest.mark.parametrize(
    "then, now, at, timely",
    [
        pytest.param(0.0, 0.0, 0.0, True, id="the clocks agree"),
        pytest.param(0.0, 0.0, 600.0, False, id="the records have another clock"),
        pytest.param(0.0, 600.0, 0.0, True, id="by the clock of then"),
        pytest.param(0.0, 600.0, 600.0, True, id="by the clock of now"),
        pytest.param(0.0, 600.0, 300.0, False, id="between the two"),
        pytest.param(None, 600.0, 600.0, True, id="the clock of then is unknown"),
        pytest.param(0.0, None, 0.0, False, id="the clock of now is unknown"),
    ],
)
def test_a_control_is_listed_at_its_time(
    then: float | None, now: float | None, at: float, timely: bool
) -> None:
    """By the one offset or by the other: this machine's clock may have been set."""
    control = replace(MINE, offset=then)
    snapshot = seen_as(control, entry("mine", T0 - 59 + at), offset=now)

    assert snapshot.has_control(LOST) is timely
    assert (snapshot.missing_since == MINE.begun) is not timely


@pytest.mark.parametrize(
    "submit, is_missing, is_overdue",
    [
        pytest.param(MINE, True, True, id="of a minute before"),
        pytest.param(replace(MINE, begun=T0 + 3, ended=T0 + 4), True, False, id="young"),
        pytest.param(replace(MINE, task_id="t"), False, False, id="listed"),
        pytest.param(replace(MINE, task_id=""), False, False, id="without an id"),
        pytest.param(replace(MINE, begun=T0 - 99), False, False, id="its window was not read"),
        pytest.param(replace(MINE, ended=T0 + 99), False, False, id="nor this one to its end"),
        pytest.param(
            replace(MINE, begun=T0, ended=T0 + CATCH_UP), False, False, id="accepted meanwhile"
        ),
    ],
)
def test_a_task_of_ours_is_missing_if_its_window_was_read(
    submit: AcceptedSubmit, is_missing: bool, is_overdue: bool
) -> None:
    """And overdue if the list must have caught up since."""
    snapshot = reading(entry(), at=T0 - 59 + CATCH_UP, span=(T0 - 100, T0 + 100))

    snapshot.check([submit])

    assert snapshot.missing_since == (submit.begun if is_missing else float("inf"))
    assert snapshot.is_overdue is is_overdue


def test_an_old_task_of_ours_is_known_by_its_id_alone() -> None:
    """It is nobody else's, and shows nothing."""
    snapshot = reading(entry(), entry("old", mark=MARK))

    snapshot.disown(lambda ids: [one for one in ids if one == "old"])

    assert snapshot.count_unowned(ALWAYS) == 1
    assert snapshot.proof_of(LOST) is None
    assert not snapshot.has_control(LOST)
