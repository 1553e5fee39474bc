"""The search for a lost submit in a snapshot of the listing, and the decision about it.

A submit whose answer proves nothing may have been accepted and billed. The listing can prove that
it was (its record is there) and, under all of the conditions below, that it was not. Each condition
is needed, since without it something is bought twice:

- the listing was read to the end of the window in which the service can have accepted the submit,
  and each of its entries is a record;
- a task of ours of the same action, whose submit the service answered near in time, is in this very
  listing at its time: a **control** that this listing shows such tasks;
- no record in the window is unowned. Comparison only *finds*: a service may store a request in
  another form (shortened, translated, with other words for its action, with images at other
  addresses), and that form may depend on its content, so a record that seems different may be ours;
- two snapshots agree, a grace period apart, and so much time has passed that the listing must have
  caught up. Later tasks of ours in it prove nothing: a single one may be listed late.

In all other cases nothing is proven, and nothing is sent again. Equal requests are interchangeable,
but no record is ever given to two of them, nor to one of them if it may belong to another submit of
ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from ..models import TaskRecord
from .comparison import Fields, compare
from .snapshot import Legacy, ListingSnapshot, has_mark, is_within
from .window import (
    CATCH_UP,
    GRACE,
    SLACK,
    AcceptedSubmit,
    LostSubmit,
    is_alike,
    is_near,
    is_one_near,
    slack_of,
    window,
)

LONGEST_GENERATION = 900.0
"""Seconds after which a service that answers only when a video is ready must have stored it; the
API guide speaks of one to three minutes."""


@dataclass(frozen=True, slots=True)
class Found:
    """These records are the lost submit's, or equal to it; the oldest comes first."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """No record of the snapshot can be the lost submit's."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """This snapshot proves nothing."""

    reason: str


Sight = Found | Missing | Unclear


def search(lost: LostSubmit, snapshot: ListingSnapshot) -> Sight:
    """The evidence of one snapshot about one lost submit."""
    if lost.trace_id and (traced := _with_trace(lost.trace_id, snapshot)):
        return Found(traced)
    if called := [record for record, _ in snapshot.unowned if has_mark(record, lost)]:
        return Found(_oldest_first(called))
    if snapshot.offset is None:
        return Unclear("the service's clock was never seen")
    controls = [control for control in snapshot.controls if is_near(control[0], lost)]
    if not controls and is_one_near(lost, snapshot.accepted):
        return Unclear("tasks of ours are not in the list at their times")
    defaults = _defaults(controls, lost)
    unowned = _unowned(lost, snapshot, snapshot.offset)
    slack = slack_of(lost, snapshot.accepted)
    free = [
        record
        for record, stored in unowned
        if record.id
        and record.id not in snapshot.awaited
        and has_mark(record, lost) is not False
        and compare(lost.chosen, stored, defaults) == "same"
        and is_within(record, window(lost, snapshot.offset))
        and not _is_claimed(record, stored, snapshot, defaults, slack)
    ]
    if free:
        return Found(_oldest_first(free))
    if doubt := _doubt(lost, snapshot, unowned, controls):
        return Unclear(doubt)
    return Missing()


def _doubt(
    lost: LostSubmit,
    snapshot: ListingSnapshot,
    unowned: Sequence[tuple[TaskRecord, Fields]],
    controls: Sequence[tuple[AcceptedSubmit, Fields]],
) -> str | None:
    """The reason why the lost submit may have been accepted although no record shows it."""
    if not snapshot.complete:
        return "the task list could not be read to its end"
    if unowned:
        return "a task in the list may or may not be this one"
    if not any(is_alike(submit, lost) for submit, _ in controls):
        return "no task of ours that was accepted near in time shows that the list would show it"
    if snapshot.own_missing_since <= lost.ended or snapshot.own_overdue:
        return "tasks of ours are not in the list, so others may be missing too"
    return None


def _is_claimed(
    record: TaskRecord, stored: Fields, snapshot: ListingSnapshot, defaults: Fields, slack: float
) -> bool:
    """Whether the record may belong to another submit of ours."""
    return any(
        compare(claim.chosen, stored, defaults) != "different"
        and is_within(record, window(claim, snapshot.offset or 0.0, slack=slack))
        for claim in snapshot.claimants
    )


def _oldest_first(records: Iterable[TaskRecord]) -> tuple[str, ...]:
    return tuple(str(record.id) for record in sorted(records, key=_made_at))


def _made_at(record: TaskRecord) -> float:
    return record.created_at.timestamp() if record.created_at else -inf


def _with_trace(trace_id: str, snapshot: ListingSnapshot) -> tuple[str, ...]:
    records = (record for record, _ in snapshot.unowned if record.trace_id == trace_id)
    return tuple(record.id for record in records if record.id)


def _defaults(
    controls: Iterable[tuple[AcceptedSubmit, Fields]], lost: LostSubmit
) -> dict[str, Any]:
    """The fields that the service itself adds to a request of this action, always with the same
    value."""
    defaults: dict[str, Any] = {}
    differing: set[str] = set()
    for submit, added in controls:
        if added and submit.chosen["action"] == lost.chosen["action"]:
            for name, value in added.items():
                if defaults.setdefault(name, value) != value:
                    differing.add(name)
    return {name: value for name, value in defaults.items() if name not in differing}


def _unowned(
    lost: LostSubmit, snapshot: ListingSnapshot, offset: float
) -> list[tuple[TaskRecord, Fields]]:
    """The unowned records in the lost submit's window. A record without a time, or with one that
    was not asked for, may be of any time."""
    times = window(lost, offset, slack=slack_of(lost, snapshot.accepted))
    asked = snapshot.span[0] - 1.0, snapshot.span[1] + 1.0  # times are rounded
    return [
        (record, stored)
        for record, stored in snapshot.unowned
        if is_within(record, times) or not is_within(record, asked)
    ]


@dataclass(frozen=True, slots=True)
class Adopt:
    """The submit was accepted, as this task."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The submit was never accepted: it may be sent again."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """Nothing proves either; ``reason`` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class SearchAgain:
    """Search again, no earlier than ``at`` (Unix seconds on this machine's clock)."""

    at: float


Conclusion = Adopt | Absent | CannotTell
Decision = Conclusion | SearchAgain


@dataclass(frozen=True, slots=True)
class Case:
    """A lost submit, and the evidence of the snapshots so far.

    Attributes:
        lost: the submit.
        missing_since: when the first of the latest snapshots began that have all missed it.
    """

    lost: LostSubmit
    missing_since: float | None = None


FIRST_SEARCH = 1.0
BETWEEN_SEARCHES = 5.0
"""Seconds from the end of the POST to the first search, and between searches at the least."""


def decide(
    case: Case, sight: Sight, *, at: float, honours_async: bool, offset: float | None = None
) -> tuple[Case, Decision]:
    """Decide after one more snapshot, which began ``at`` this time.

    ``honours_async`` tells whether the service was seen to answer with an id at once, so that a
    request is stored when it is accepted; ``offset`` is the snapshot's.
    """
    if isinstance(sight, Found):
        return case, Adopt(sight.task_ids[0])
    lost = case.lost
    patience = CATCH_UP if honours_async else LONGEST_GENERATION
    # The end of a POST that outlived its batch may lie ahead.
    waited = at - (lost.sought if lost.sought <= at else max(lost.begun, lost.asked))
    later = at + max(BETWEEN_SEARCHES, waited / 4)
    if isinstance(sight, Unclear):
        hopeless = at >= lost.sought + patience
        return Case(lost), CannotTell(sight.reason) if hopeless else SearchAgain(later)
    since = at if case.missing_since is None else case.missing_since
    needed = max(since + GRACE, lost.ended_at(offset) + patience)
    if at >= needed and case.missing_since is not None:
        return case, Absent()
    return Case(lost, since), SearchAgain(min(later, max(needed, at + BETWEEN_SEARCHES)))


def inherit(case: Case, left: Legacy, snapshot: ListingSnapshot) -> Case:
    """The case of another submit after the taker has adopted a record.

    That record may have been this submit's. Then the taker's own record is left for this submit,
    and may be too old for its window: so this window is extended to begin with the taker's.
    """
    lost, offset = case.lost, snapshot.offset or 0.0
    # In this order since a thousand may be lost at once, and each has a legacy for all others.
    begun = left.since + SLACK - min(offset, offset if lost.offset is None else lost.offset)
    if begun >= lost.begun or compare(lost.chosen, left.stored, {}) == "different":
        return case
    if not is_within(left.record, window(lost, offset, slack=slack_of(lost, snapshot.accepted))):
        return case
    return Case(replace(lost, begun=begun))
