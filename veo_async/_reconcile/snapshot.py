"""What submit look at the account's task list shows: our own tasks, and those of others."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from ..callbacks._tokens import is_same_submit
from ..models import TaskRecord
from .comparison import Fields
from .window import AcceptedSubmit, LostSubmit, slack_of, window


@dataclass(frozen=True, slots=True)
class ListingSnapshot:
    """What submit look at the list showed.

    Attributes:
        at: when it began, in Unix seconds on this machine's clock.
        offset: see `window`; ``None`` while the service's clock was never seen.
        complete: whether the list was read to its end.
        span: between which times of the service it was read.
        accepted: the times of the tasks that the service answered it had accepted, in ascending
            order, as they were known once the list was read.
        claimants: submits of ours that a record may belong to although its id does not say so:
            answers that are still awaited (their end is infinite), or that bore no id.
        controls: those of these tasks that are in the list at the time of their submit, in the
            order of time, each with what the service had added to its request; with nothing if it
            is not stored as it was sent.
        strangers: the records that are not ours, with their requests.
        lacking: since when tasks of ours that were looked for are not in the list.
    """

    at: float
    offset: float | None
    complete: bool
    span: tuple[float, float]
    accepted: Sequence[float]
    claimants: Sequence[LostSubmit | AcceptedSubmit]
    controls: Sequence[tuple[AcceptedSubmit, Fields]]
    unowned: Sequence[tuple[TaskRecord, Fields]]
    own_missing_since: float


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
) -> ListingSnapshot:
    """Tell our own tasks in the list from those of others.

    Args:
        stored: the records of the list, each with its request as `normalise`.
        accepted: what was accepted; without an id if there was none.
        under_way: the submits of ours whose answers are still awaited.
        owned: ids of tasks that are ours, and of which no more is known.
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
    return ListingSnapshot(
        at,
        offset,
        complete,
        span,
        sorted(submit.begun for submit in ours.values() if submit.answered),
        claimants,
        sorted(controls, key=lambda control: control[0].begun),
        unowned,
        own_missing_since=min(
            (
                r.begun
                for r in ours.values()
                if r.task_id not in records and _is_in(r, span, offset)
            ),
            default=inf,
        ),
    )


def _added(submit: AcceptedSubmit, stored: Fields) -> Fields:
    """What the service added by itself to a request that it stored as it was sent."""
    if any(stored.get(name) != value for name, value in submit.chosen.items()):
        return {}
    return {name: value for name, value in stored.items() if name not in submit.chosen}


def _is_in(submit: AcceptedSubmit, span: tuple[float, float], offset: float | None) -> bool:
    """Whether it was looked for: all of its window lies within what was read."""
    first, last = window(submit, offset or 0.0)
    return span[0] <= first and last <= span[1]


def with_adopted(snapshot: ListingSnapshot, task_id: str) -> ListingSnapshot:
    """The look once one of its strangers is ours."""
    unowned = [entry for entry in snapshot.unowned if entry[0].id != task_id]
    return replace(snapshot, unowned=unowned)


def _is_timely(submit: AcceptedSubmit, record: TaskRecord, offset: float) -> bool:
    # By the one offset or by the other, never in between: where this machine's clock was set, all
    # that lies between them would seem to be timed by the clock of ``Date``.
    then = offset if submit.offset is None else submit.offset
    return any(is_within(record, window(replace(submit, offset=o), o)) for o in (then, offset))


@dataclass(frozen=True, slots=True)
class Legacy:
    """What a submit leaves to those that the task may have belonged to which it was given: its own,
    which may still be hidden.

    Attributes:
        record, stored: the task that it was given, and its request.
        since: from when on its own may be, on the service's clock.
    """

    record: TaskRecord
    stored: Fields
    since: float


def legacy(taker: LostSubmit, task_id: str, snapshot: ListingSnapshot) -> Legacy | None:
    """What ``taker`` leaves, now that it is given that task of the look; ``None`` for nothing."""
    given = next((entry for entry in snapshot.unowned if entry[0].id == task_id), None)
    if given is None or snapshot.offset is None:
        return None
    since, _ = window(taker, snapshot.offset, slack=slack_of(taker, snapshot.accepted))
    return Legacy(*given, since)


def has_mark(record: TaskRecord, lost: LostSubmit) -> bool | None:
    """Whether the record is the lost submit's by its own callback address; ``None`` if that cannot
    be told."""
    if not lost.callback_url or not record.id:
        return None
    return is_same_submit(lost.callback_url, (record.request or {}).get("callback_url"))


def is_within(record: TaskRecord, times: tuple[float, float]) -> bool:
    """Whether the record says that it was made within this window."""
    return record.created_at is not None and times[0] <= record.created_at.timestamp() <= times[1]
