"""A snapshot of the account's listing: our own tasks, and the unowned records."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from ..callbacks._tokens import is_same_submit
from ..models import TaskRecord
from .comparison import Fields
from .window import CATCH_UP, AcceptedSubmit, LostSubmit, slack_of, window


@dataclass(frozen=True, slots=True)
class ListingSnapshot:
    """One reading of the listing, compared with the submits that are known as ours.

    Attributes:
        at: when it began, in Unix seconds on this machine's clock.
        offset: see `window`; ``None`` while the service's clock was never seen.
        complete: whether the listing was read to its end.
        span: the times of the service between which it was read.
        accepted: when the submits were sent that the service itself answered as accepted,
            ascending, as they were known after the listing was read.
        claimants: submits of ours to which a record may belong although no id says so: their
            answers are still awaited (then their end is infinite), or contained no id.
        controls: the accepted submits whose records are in the listing at the right time, in the
            order of time, each with the fields that the service had added to its request; with
            none if the request is not stored as it was sent.
        unowned: the records that are not known as ours, with their requests.
        awaited: ids for which callers wait. Nobody knows whose they are, so a lost submit adopts
            one only by proof, and yet they are unowned.
        own_missing_since: when the oldest submit of ours was sent whose record should be in the
            listing and is not; infinite if none is missing.
        own_overdue: whether one is missing although the listing must have caught up.
    """

    at: float
    offset: float | None
    complete: bool
    span: tuple[float, float]
    accepted: Sequence[float]
    claimants: Sequence[LostSubmit | AcceptedSubmit]
    controls: Sequence[tuple[AcceptedSubmit, Fields]]
    unowned: Sequence[tuple[TaskRecord, Fields]]
    awaited: Container[str]
    own_missing_since: float
    own_overdue: bool


def read_snapshot(
    stored: Iterable[tuple[TaskRecord, Fields]],
    accepted: Sequence[AcceptedSubmit],
    *,
    at: float,
    offset: float | None,
    complete: bool,
    span: tuple[float, float] = (-inf, inf),
    under_way: Sequence[LostSubmit] = (),
    owned: Container[str] = (),
    awaited: Container[str] = (),
) -> ListingSnapshot:
    """Separate our own tasks in the listing from all others.

    Args:
        stored: the records of the listing, each with its request as `normalise` returns it.
        accepted: our accepted submits; without an id if the answer contained none.
        under_way: our submits whose answers are still awaited.
        owned: ids of tasks that are ours, and of which only the id is known.
        awaited: see `ListingSnapshot`.
        at, offset, complete, span: see `ListingSnapshot`.
    """
    ours = {submit.task_id: submit for submit in accepted if submit.task_id}
    claimants: list[LostSubmit | AcceptedSubmit] = [
        *under_way,
        *(submit for submit in accepted if not submit.task_id),
    ]
    records = {record.id: (record, fields) for record, fields in stored}
    controls: list[tuple[AcceptedSubmit, Fields]] = []
    unowned: list[tuple[TaskRecord, Fields]] = []
    for record, fields in records.values():
        submit = ours.get(record.id or "")
        if submit is None:
            if not (record.id and record.id in owned):
                unowned.append((record, fields))
        elif submit.answered and offset is not None and _is_timely(submit, record, offset):
            controls.append((submit, _added(submit, fields)))
    missing = [
        submit
        for submit in ours.values()
        if submit.task_id not in records and _is_in(submit, span, offset)
    ]
    return ListingSnapshot(
        at,
        offset,
        complete,
        span,
        sorted(submit.begun for submit in ours.values() if submit.answered),
        claimants,
        sorted(controls, key=lambda control: control[0].begun),
        unowned,
        awaited,
        own_missing_since=min((submit.begun for submit in missing), default=inf),
        own_overdue=any(submit.ended <= at - CATCH_UP for submit in missing),
    )


def _added(submit: AcceptedSubmit, stored: Fields) -> Fields:
    """The fields that the service added to a request, if it stored the rest as it was sent."""
    if any(stored.get(name) != value for name, value in submit.chosen.items()):
        return {}
    return {name: value for name, value in stored.items() if name not in submit.chosen}


def _is_in(submit: AcceptedSubmit, span: tuple[float, float], offset: float | None) -> bool:
    """Whether its record should be in the listing: all of its window was read."""
    first, last = window(submit, offset or 0.0)
    return span[0] <= first and last <= span[1]


def with_adopted(snapshot: ListingSnapshot, task_id: str) -> ListingSnapshot:
    """The snapshot after one of its unowned records was adopted."""
    unowned = [entry for entry in snapshot.unowned if entry[0].id != task_id]
    return replace(snapshot, unowned=unowned)


def _is_timely(submit: AcceptedSubmit, record: TaskRecord, offset: float) -> bool:
    # By the one offset or by the other, never in between: if this machine's clock was set, every
    # time between the two would seem to be of the clock of ``Date``.
    then = offset if submit.offset is None else submit.offset
    return any(is_within(record, window(replace(submit, offset=o), o)) for o in (then, offset))


@dataclass(frozen=True, slots=True)
class Legacy:
    """The record that a submit may have left for an equal one.

    When submit A adopts a record that may belong to an equal submit B, A's own record may be left
    for B, and may not be listed yet. The legacy tells B from which time on to search.

    Attributes:
        record, stored: the record that A adopted, and its request.
        since: the begin of A's window, on the service's clock.
    """

    record: TaskRecord
    stored: Fields
    since: float


def legacy(taker: LostSubmit, task_id: str, snapshot: ListingSnapshot) -> Legacy | None:
    """The legacy of ``taker`` when it adopts that record of the snapshot; ``None`` for nothing."""
    given = next((entry for entry in snapshot.unowned if entry[0].id == task_id), None)
    if given is None or snapshot.offset is None:
        return None
    since, _ = window(taker, snapshot.offset, slack=slack_of(taker, snapshot.accepted))
    return Legacy(*given, since)


def has_mark(record: TaskRecord, lost: LostSubmit) -> bool | None:
    """Whether the record has the lost submit's mark, its own callback address; ``None`` if neither
    is proven."""
    if not lost.callback_url or not record.id:
        return None
    return is_same_submit(lost.callback_url, (record.request or {}).get("callback_url"))


def is_within(record: TaskRecord, times: tuple[float, float]) -> bool:
    """Whether the record has a time, and it lies within this window."""
    return record.created_at is not None and times[0] <= record.created_at.timestamp() <= times[1]
