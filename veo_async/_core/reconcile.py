"""Finding a lost submit in the account's task list.

A submit whose answer proves nothing may have been accepted and billed. The list can prove that it
was (its record is there) and, under all of the conditions below, that it was not. Each condition
is there because leaving it out buys something twice:

- the list was read to the end of the window in which the service can have accepted it;
- tasks of ours that were accepted near in time, if there are any, are in the list, at the time and
  with the request that they were sent with: a **control** that this list and this comparison work;
- every record of that action in the window belongs to a known task of ours or is provably
  another request, and where there is such a stranger, there is a control too; without any control
  the window is widened by all that the service's clocks may disagree;
- two looks agree, a grace period apart; and the list has caught up: it shows a task of ours that
  was accepted later, or so much time has passed that it must have.

Otherwise nobody can tell, and nothing is sent again. Equal requests are interchangeable, but no
record is ever given to two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..models import TaskRecord
from .likeness import Fields, compare

SLACK = 5.0
"""Seconds by which a record's time may lie outside of the window: ``Date`` has whole seconds, and
the answer that bore it was under way for a while."""

WIDE = 900.0
"""The same while no task of ours shows that records are timed by the clock of ``Date``."""

GRACE = 30.0
"""Seconds between the two looks that must agree, once the list was seen to have caught up."""

CATCH_UP = 120.0
"""Seconds after which a list has caught up that could not be seen to: twice the longest lag that
is reckoned with."""

LONGEST_GENERATION = 900.0
"""Seconds after which a service that answers only when a video is ready must have stored it; the
API guide speaks of one to three minutes."""

NEAR = 600.0
"""How near in time a control must be, in seconds."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A submit of ours that was accepted.

    Attributes:
        task_id: the service's id.
        chosen: see `chosen`.
        begun: when it was sent, in Unix seconds on this machine's clock.
        ended: when its answer came.
    """

    task_id: str
    chosen: Fields
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Lost:
    """A submit of ours whose answer proved nothing; the attributes are those of a `Receipt`."""

    chosen: Fields
    begun: float
    ended: float
    trace_id: str | None = None


def window(sent: Lost | Receipt, offset: float, *, slack: float = SLACK) -> tuple[float, float]:
    """Between which Unix times, on the service's clock, the record of a submit must lie.

    ``offset`` is by how many seconds that clock runs ahead of this machine's. The service may
    accept a request after we gave up waiting for its answer.
    """
    return sent.begun + offset - slack, sent.ended + offset + GRACE + slack


def reach(
    lost: Iterable[Lost], receipts: Sequence[Receipt], offset: float | None
) -> tuple[float, float]:
    """Between which Unix times, on the service's clock, a look must read the list."""
    times = [window(one, offset or 0.0, slack=_slack(one, receipts)) for one in lost]
    return min(first for first, _ in times), max(last for _, last in times)


def _slack(lost: Lost, receipts: Iterable[Receipt]) -> float:
    return SLACK if any(_is_near(receipt, lost) for receipt in receipts) else WIDE


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the list showed.

    Attributes:
        at: when it began, in Unix seconds on this machine's clock.
        offset: see `window`; ``None`` while the service's clock was never seen.
        complete: whether the list was read to its end.
        receipts: the tasks that are ours, as they were known once the list was read.
        controls: those of them that were recognised, with their stored requests.
        strangers: the records that are not ours, with their requests.
    """

    at: float
    offset: float | None
    complete: bool
    receipts: Sequence[Receipt]
    controls: list[tuple[Receipt, Fields]]
    strangers: list[tuple[TaskRecord, Fields]]


def read_look(
    stored: Iterable[tuple[TaskRecord, Fields]],
    receipts: Sequence[Receipt],
    *,
    at: float,
    offset: float | None,
    complete: bool,
) -> Look:
    """Tell our own tasks in the list from those of others.

    Args:
        stored: the records of the list, each with its request as `comparable`.
        receipts, at, offset, complete: see `Look`.
    """
    ours = {receipt.task_id: receipt for receipt in receipts}
    look = Look(at, offset, complete, receipts, [], [])
    for record, fields in {record.id: (record, fields) for record, fields in stored}.values():
        receipt = ours.get(record.id or "")
        if receipt is None:
            look.strangers.append((record, fields))
        elif offset is not None and _is_recognised(receipt, record, fields, offset):
            look.controls.append((receipt, fields))
    return look


def _is_recognised(receipt: Receipt, record: TaskRecord, stored: Fields, offset: float) -> bool:
    alike = all(stored.get(name) == value for name, value in receipt.chosen.items())
    return alike and _is_within(record, window(receipt, offset))


@dataclass(frozen=True, slots=True)
class Found:
    """These records are the lost submit's, or equal to it."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """It is not there. ``caught_up`` tells whether the list was seen to be up to date."""

    caught_up: bool


@dataclass(frozen=True, slots=True)
class Unclear:
    """This look proves nothing."""

    reason: str


Sight = Found | Missing | Unclear


def search(lost: Lost, look: Look) -> Sight:
    """What one look says about one lost submit."""
    if lost.trace_id and (traced := _with_trace(lost.trace_id, look)):
        return Found(traced)
    if look.offset is None:
        return Unclear("the service's clock was never seen")
    controls = [(r, stored) for r, stored in look.controls if _is_near(r, lost)]
    if not controls and any(_is_near(receipt, lost) for receipt in look.receipts):
        return Unclear("tasks of ours are not in the list as they were sent")
    suspects = _suspects(lost, look, look.offset)
    defaults = _defaults(controls, lost)
    likeness = [(compare(lost.chosen, stored, defaults), record) for record, stored in suspects]
    narrow = window(lost, look.offset)
    same = [r for alike, r in likeness if alike == "same" and _is_within(r, narrow)]
    if same:
        return Found(tuple(str(record.id) for record in same))
    if not look.complete:
        return Unclear("the task list could not be read to its end")
    if any(alike != "different" for alike, _ in likeness):
        return Unclear("a task in the list may or may not be this one")
    if suspects and not controls:
        return Unclear("no task of ours in the list shows how the service stores requests")
    return Missing(caught_up=any(receipt.begun >= lost.ended for receipt, _ in controls))


def _with_trace(trace_id: str, look: Look) -> tuple[str, ...]:
    return tuple(str(record.id) for record, _ in look.strangers if record.trace_id == trace_id)


def _is_near(receipt: Receipt, lost: Lost) -> bool:
    return abs(receipt.begun - lost.begun) <= NEAR


def _is_within(record: TaskRecord, times: tuple[float, float]) -> bool:
    return record.created_at is not None and times[0] <= record.created_at.timestamp() <= times[1]


def _defaults(controls: Iterable[tuple[Receipt, Fields]], lost: Lost) -> dict[str, Any]:
    """The fields that the service adds to a request of this action by itself."""
    return {
        name: value
        for receipt, stored in controls
        if receipt.chosen["action"] == lost.chosen["action"]
        for name, value in stored.items()
        if name not in receipt.chosen
    }


def _suspects(lost: Lost, look: Look, offset: float) -> list[tuple[TaskRecord, Fields]]:
    """The records that may be the lost submit's: of its action, in its window. A record that does
    not say when it was made, or what of, may be any."""
    times = window(lost, offset, slack=_slack(lost, look.receipts))
    return [
        (record, stored)
        for record, stored in look.strangers
        if (record.created_at is None or _is_within(record, times))
        and stored.get("action") in (None, lost.chosen["action"])
    ]


@dataclass(frozen=True, slots=True)
class Adopt:
    """It was accepted, as this task."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Absent:
    """It was never accepted: it may be sent again."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """Nothing proves either; ``reason`` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Look again, no earlier than ``at`` (Unix seconds on this machine's clock)."""

    at: float


Conclusion = Adopt | Absent | CannotTell
Decision = Conclusion | LookAgain


@dataclass(frozen=True, slots=True)
class Case:
    """What the looks for one lost submit have shown so far.

    Attributes:
        lost: the submit.
        missing_since: when the first look began from which on every look has missed it.
    """

    lost: Lost
    missing_since: float | None = None


FIRST_LOOK = 1.0
BETWEEN_LOOKS = 5.0
"""Seconds from the end of the POST to the first look, and from one look to the next."""


def decide(case: Case, sight: Sight, *, at: float, honours_async: bool) -> tuple[Case, Decision]:
    """What follows from one more look, which began ``at`` this time.

    ``honours_async`` tells whether the service was seen to answer with an id at once, so that a
    request is stored when it is accepted.
    """
    if isinstance(sight, Found):
        return case, Adopt(sight.task_ids[0])
    lost = case.lost
    limit = lost.ended + (CATCH_UP if honours_async else LONGEST_GENERATION)
    later = at + max(BETWEEN_LOOKS, (at - lost.ended) / 4)
    if isinstance(sight, Unclear):
        return Case(lost), CannotTell(sight.reason) if at >= limit else LookAgain(later)
    since = at if case.missing_since is None else case.missing_since
    needed = max(lost.ended, since) + GRACE if sight.caught_up and honours_async else limit
    if at >= needed and case.missing_since is not None:
        return case, Absent()
    return Case(lost, since), LookAgain(max(later, needed))
