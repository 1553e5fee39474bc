"""Finding a lost submit in the account's task list.

A submit whose answer proves nothing may have been accepted and billed. The list can prove that it
was (its record is there) and, under all of the conditions below, that it was not. Each condition
is there because leaving it out buys something twice:

- the list was read to the end of the window in which the service can have accepted it;
- tasks of ours that were accepted near in time, if there are any, are in the list, one of them at
  the time and with the request that it was sent with: a **control** that this list and this
  comparison work;
- every record in the window that may be of that action belongs to a known task of ours or is
  provably another request, and where there is such a stranger, there is a control of the same form
  too; without any control the window is widened by all that the service's clocks may disagree;
- two looks agree, a grace period apart, and so much time has passed that the list must have caught
  up. That it shows later tasks of ours proves nothing: a single one may be listed late.

Otherwise nobody can tell, and nothing is sent again. Equal requests are interchangeable, but no
record is ever given to two of them, nor one that a submit of ours may have a better claim to.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from ..models import TaskRecord
from .callbacks import is_of
from .likeness import ACTIONS, Fields, compare

SLACK = 5.0
"""Seconds by which a record's time may lie outside of the window: ``Date`` has whole seconds, and
the answer that bore it was under way for a while."""

WIDE = 900.0
"""The same while no task of ours shows that records are timed by the clock of ``Date``."""

GRACE = 30.0
"""Seconds between the two looks that must agree."""

CATCH_UP = 120.0
"""Seconds after which a list must have caught up: twice the longest lag that is reckoned with."""

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
        offset: see `window`, as it was known when it was sent.
    """

    task_id: str
    chosen: Fields
    begun: float
    ended: float
    offset: float | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A submit of ours whose answer proved nothing; the attributes are those of a `Receipt`.

    ``asked`` is when somebody first asked for it, where that is later: in a later run;
    ``callback_url`` is its own, which no other submit has; ``since`` is from when on its record may
    be, on the service's clock, where that is earlier than its own window: see `inherit`.
    """

    chosen: Fields
    begun: float
    ended: float
    trace_id: str | None = None
    offset: float | None = None
    asked: float = float("-inf")
    callback_url: str | None = field(default=None, repr=False)
    since: float = inf

    @property
    def sought(self) -> float:
        """Since when it is looked for."""
        return max(self.ended, self.asked)

    @property
    def is_earlier(self) -> bool:
        """Whether an earlier run sent it. This machine's clock may have been set since."""
        return self.asked > float("-inf")

    @property
    def is_tied(self) -> bool:
        """Whether its times are tied to the service's: in this run by any answer, in an earlier one
        only by one that came before it."""
        return not self.is_earlier or self.offset is not None

    def over(self, offset: float | None) -> float:
        """When it was over, on this machine's clock as it goes now; ``offset`` as for `window`."""
        if not self.is_earlier:
            return self.ended
        if self.offset is None or offset is None:
            return self.sought
        return self.ended + self.offset - offset


def window(sent: Lost | Receipt, offset: float, *, slack: float = SLACK) -> tuple[float, float]:
    """Between which Unix times, on the service's clock, the record of a submit must lie.

    ``offset`` is by how many seconds that clock runs ahead of this machine's. It grows where this
    machine sleeps, since a steady clock sleeps with it. The service may accept a request after we
    gave up waiting for its answer.
    """
    then = offset if sent.offset is None else sent.offset
    first = sent.begun + min(offset, then) - slack
    last = sent.ended + max(offset, then) + GRACE + slack
    return (min(first, sent.since) if isinstance(sent, Lost) else first), last


def reach(
    lost: Iterable[Lost], receipts: Sequence[Receipt], offset: float | None
) -> tuple[float, float]:
    """Between which Unix times, on the service's clock, a look must read the list."""
    everybody = _InTime(receipts)
    of_form: dict[frozenset[tuple[str, object]], _InTime] = {}
    times = []
    for one in lost:
        form = _form(one.chosen)
        if form not in of_form:
            of_form[form] = _InTime(r for r in receipts if _is_of_one_form(r, one))
        times.append(window(one, offset or 0.0, slack=_slack(one, everybody.times)))
        # The tasks of ours, one before and one after, that make the best controls.
        for alike, nearest in zip(of_form[form].beside(one), everybody.beside(one), strict=True):
            if control := alike or nearest:
                times.append(window(control, offset or 0.0))
    return min(first for first, _ in times), max(last for _, last in times)


class _InTime:
    """Receipts in the order of time: thousands are asked for what is near a thousand lost ones."""

    def __init__(self, receipts: Iterable[Receipt]) -> None:
        self._receipts = sorted(receipts, key=_begun)
        self.times = [receipt.begun for receipt in self._receipts]

    def beside(self, lost: Lost) -> tuple[Receipt | None, Receipt | None]:
        """The nearest ones that were sent before the end of the lost submit, and after it."""
        first, last = _near(lost, self.times)
        middle = bisect_left(self.times, lost.ended, first, last)
        place = bisect_left(self.times, lost.begun, first, middle)
        before = self._receipts[max(place - 1, first) : min(place + 1, middle)]
        after = self._receipts[middle:last][:1]
        nearest = min(before, key=lambda receipt: abs(receipt.begun - lost.begun), default=None)
        return nearest, after[0] if after else None


def _begun(receipt: Receipt) -> float:
    return receipt.begun


def _near(lost: Lost, times: Sequence[float]) -> tuple[int, int]:
    """Which of these times, in ascending order, are so near to the lost submit that what was sent
    then may be a control: the first, and the one behind the last."""
    return bisect_left(times, lost.begun - NEAR), bisect_right(times, lost.begun + NEAR)


def _is_one_near(lost: Lost, times: Sequence[float]) -> bool:
    first, last = _near(lost, times)
    return first < last


def _slack(lost: Lost, times: Sequence[float]) -> float:
    """By how much its window is wider; ``times`` are those of our receipts, in ascending order."""
    return SLACK if lost.is_tied and _is_one_near(lost, times) else WIDE


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the list showed.

    Attributes:
        at: when it began, in Unix seconds on this machine's clock.
        offset: see `window`; ``None`` while the service's clock was never seen.
        complete: whether the list was read to its end.
        span: between which times of the service it was read.
        receipts: the times of the tasks that are ours, in ascending order, as they were known
            once the list was read.
        claims: submits of ours that a record may belong to although its id does not say so:
            answers that are still awaited (their end is infinite), or that bore no id.
        controls: those of the tasks that were recognised, in the order of time, with what the
            service had added to their requests.
        strangers: the records that are not ours, with their requests.
        lacking: since when tasks of ours that were looked for are not in the list.
    """

    at: float
    offset: float | None
    complete: bool
    span: tuple[float, float]
    receipts: Sequence[float]
    claims: Sequence[Lost | Receipt]
    controls: Sequence[tuple[Receipt, Fields]]
    strangers: Sequence[tuple[TaskRecord, Fields]]
    lacking: float


def read_look(
    stored: Iterable[tuple[TaskRecord, Fields]],
    receipts: Sequence[Receipt],
    *,
    at: float,
    offset: float | None,
    complete: bool,
    span: tuple[float, float] = (-inf, inf),
    under_way: Sequence[Lost] = (),
    owned: Container[str] = (),
) -> Look:
    """Tell our own tasks in the list from those of others.

    Args:
        stored: the records of the list, each with its request as `comparable`.
        receipts: what was accepted; without an id if there was none.
        under_way: the submits of ours whose answers are still awaited.
        owned: ids of tasks that are ours, and of which no more is known.
        at, offset, complete, span: see `Look`.
    """
    ours = {receipt.task_id: receipt for receipt in receipts if receipt.task_id}
    claims: list[Lost | Receipt] = [
        *under_way,
        *(receipt for receipt in receipts if not receipt.task_id),
    ]
    records = {record.id: (record, fields) for record, fields in stored}
    controls: list[tuple[Receipt, Fields]] = []
    strangers: list[tuple[TaskRecord, Fields]] = []
    for record, fields in records.values():
        receipt = ours.get(record.id or "")
        if receipt is None:
            if not (record.id and record.id in owned):
                strangers.append((record, fields))
        elif offset is not None and _is_recognised(receipt, record, fields, offset):
            controls.append((receipt, _added(receipt, fields)))
    return Look(
        at,
        offset,
        complete,
        span,
        sorted(receipt.begun for receipt in ours.values()),
        claims,
        sorted(controls, key=_begun_of),
        strangers,
        lacking=min(
            (
                r.begun
                for r in ours.values()
                if r.task_id not in records and _is_in(r, span, offset)
            ),
            default=inf,
        ),
    )


def _added(receipt: Receipt, stored: Fields) -> Fields:
    """What the service added to a request by itself."""
    return {name: value for name, value in stored.items() if name not in receipt.chosen}


def _begun_of(control: tuple[Receipt, Fields]) -> float:
    return control[0].begun


def _is_in(receipt: Receipt, span: tuple[float, float], offset: float | None) -> bool:
    """Whether it was looked for: all of its window lies within what was read."""
    first, last = window(receipt, offset or 0.0)
    return span[0] <= first and last <= span[1]


def give_away(look: Look, receipt: Receipt) -> Look:
    """The look once one of its strangers is ours: as if it were read anew, which for a thousand
    lost submits would take minutes."""
    receipts, controls = list(look.receipts), list(look.controls)
    insort(receipts, receipt.begun)
    strangers: list[tuple[TaskRecord, Fields]] = []
    for record, stored in look.strangers:
        if record.id != receipt.task_id:
            strangers.append((record, stored))
        elif look.offset is not None and _is_recognised(receipt, record, stored, look.offset):
            insort(controls, (receipt, _added(receipt, stored)), key=_begun_of)
    return replace(look, receipts=receipts, controls=controls, strangers=strangers)


def _is_recognised(receipt: Receipt, record: TaskRecord, stored: Fields, offset: float) -> bool:
    # By the one offset or by the other, never in between: where this machine's clock was set, all
    # that lies between them would seem to be timed by the clock of ``Date``.
    then = offset if receipt.offset is None else receipt.offset
    return all(stored.get(name) == value for name, value in receipt.chosen.items()) and any(
        _is_within(record, window(replace(receipt, offset=one), one)) for one in (then, offset)
    )


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


def legacy(taker: Lost, task_id: str, look: Look) -> Legacy | None:
    """What ``taker`` leaves, now that it is given that task of the look; ``None`` for nothing."""
    given = next((entry for entry in look.strangers if entry[0].id == task_id), None)
    if given is None or look.offset is None:
        return None
    since, _ = window(taker, look.offset, slack=_slack(taker, look.receipts))
    return Legacy(*given, since)


def inherit(case: Case, left: Legacy, look: Look) -> Case:
    """The case of another submit, for which there is a legacy.

    The task that was given away may have been this one's. Then its own is the taker's, which may be
    too old for its own window: so it is looked for from where the taker's begins.
    """
    lost = case.lost
    # In this order since a thousand may be lost at once, and each leaves something to all others.
    if left.since >= lost.since or compare(lost.chosen, left.stored, {}) == "different":
        return case
    times = window(lost, look.offset or 0.0, slack=_slack(lost, look.receipts))
    if left.since >= times[0] or not _is_within(left.record, times):
        return case
    return Case(replace(lost, since=left.since))


@dataclass(frozen=True, slots=True)
class Found:
    """These records are the lost submit's, or equal to it; the oldest one comes first."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """It is not there."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """This look proves nothing."""

    reason: str


Sight = Found | Missing | Unclear


def search(lost: Lost, look: Look) -> Sight:
    """What one look says about one lost submit."""
    if lost.trace_id and (traced := _with_trace(lost.trace_id, look)):
        return Found(traced)
    if called := [record for record, _ in look.strangers if is_called(record, lost)]:
        return Found(_oldest_first(called))
    if look.offset is None:
        return Unclear("the service's clock was never seen")
    controls = [control for control in look.controls if _is_near(control[0], lost)]
    if not controls and _is_one_near(lost, look.receipts):
        return Unclear("tasks of ours are not in the list as they were sent")
    defaults = _defaults(controls, lost)
    likeness = [
        (compare(lost.chosen, stored, defaults), record, stored)
        for record, stored in _suspects(lost, look, look.offset)
    ]
    same = [(record, stored) for alike, record, stored in likeness if alike == "same"]
    free = [
        record
        for record, stored in same
        if record.id
        and _is_within(record, window(lost, look.offset))
        and not _is_claimed(record, stored, look, defaults, slack=_slack(lost, look.receipts))
    ]
    if free:
        return Found(_oldest_first(free))
    if doubt := _doubt(lost, look, [alike for alike, *_ in likeness], controls):
        return Unclear(doubt)
    return Missing()


def _doubt(
    lost: Lost,
    look: Look,
    likeness: Sequence[str],
    controls: list[tuple[Receipt, Fields]],
) -> str | None:
    """Why a list without the lost submit does not prove that it was never accepted."""
    if not look.complete:
        return "the task list could not be read to its end"
    if any(alike != "different" for alike in likeness):
        return "a task in the list may or may not be this one"
    if likeness and not any(_is_of_one_form(receipt, lost) for receipt, _ in controls):
        return "no task of ours in the list shows how the service stores such requests"
    if look.lacking <= lost.ended:  # then others may be lacking too
        return "earlier tasks of ours are not in the list"
    return None


def _is_claimed(
    record: TaskRecord, stored: Fields, look: Look, defaults: Fields, *, slack: float
) -> bool:
    """Whether the record may be that of another submit of ours."""
    return any(
        compare(claim.chosen, stored, defaults) != "different"
        and _is_within(record, window(claim, look.offset or 0.0, slack=slack))
        for claim in look.claims
    )


def _is_of_one_form(receipt: Receipt, lost: Lost) -> bool:
    """Whether what is true of how the one is stored is true of the other: each field that was
    chosen there was chosen here, and each switch stood alike."""
    return all(
        name in receipt.chosen and (receipt.chosen[name] == value or not _is_switch(name, value))
        for name, value in lost.chosen.items()
    )


def _is_switch(name: str, value: object) -> bool:
    return name == "action" or isinstance(value, bool)


def _form(chosen: Fields) -> frozenset[tuple[str, object]]:
    """All that `_is_of_one_form` asks of a lost submit."""
    return frozenset(
        (name, str(value) if _is_switch(name, value) else None) for name, value in chosen.items()
    )


def precedence(lost: Lost) -> tuple[bool, bool, float]:
    """In which order lost submits take their records from one look.

    First who may know its own by its trace id, then whose window is where it says, then whose
    window ends first; each takes the oldest that it finds. So equal ones leave each other what lies
    in their windows: given otherwise, a record may be left over that is too old for the one that
    finds none.
    """
    return lost.trace_id is None, not lost.is_tied, lost.ended


def is_called(record: TaskRecord, lost: Lost) -> bool | None:
    """Whether the record is the lost submit's by its own callback address; ``None`` if that cannot
    be told."""
    if not lost.callback_url or not record.id:
        return None
    return is_of(lost.callback_url, (record.request or {}).get("callback_url"))


def _oldest_first(records: Iterable[TaskRecord]) -> tuple[str, ...]:
    return tuple(str(record.id) for record in sorted(records, key=_made_at))


def _made_at(record: TaskRecord) -> float:
    return record.created_at.timestamp() if record.created_at else -inf


def _with_trace(trace_id: str, look: Look) -> tuple[str, ...]:
    traced = [record.id for record, _ in look.strangers if record.trace_id == trace_id]
    return tuple(task_id for task_id in traced if task_id)


def _is_near(receipt: Receipt, lost: Lost) -> bool:
    return abs(receipt.begun - lost.begun) <= NEAR


def _is_within(record: TaskRecord, times: tuple[float, float]) -> bool:
    return record.created_at is not None and times[0] <= record.created_at.timestamp() <= times[1]


def _defaults(controls: Iterable[tuple[Receipt, Fields]], lost: Lost) -> dict[str, Any]:
    """The fields that the service adds to a request of this action by itself."""
    defaults: dict[str, Any] = {}
    for receipt, added in controls:
        if added and receipt.chosen["action"] == lost.chosen["action"]:
            defaults |= added
    return defaults


def _suspects(lost: Lost, look: Look, offset: float) -> list[tuple[TaskRecord, Fields]]:
    """The records that may be the lost submit's: of its action, in its window. A record that does
    not say when it was made, or an action that we know, may be any."""
    times = window(lost, offset, slack=_slack(lost, look.receipts))
    others = [action for action in ACTIONS if action != lost.chosen["action"]]
    return [
        (record, stored)
        for record, stored in look.strangers
        if (record.created_at is None or _is_within(record, times))
        and stored.get("action") not in others
        and is_called(record, lost) is not False
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


def decide(
    case: Case, sight: Sight, *, at: float, honours_async: bool, offset: float | None = None
) -> tuple[Case, Decision]:
    """What follows from one more look, which began ``at`` this time.

    ``honours_async`` tells whether the service was seen to answer with an id at once, so that a
    request is stored when it is accepted; ``offset`` is that of the look.
    """
    if isinstance(sight, Found):
        return case, Adopt(sight.task_ids[0])
    lost = case.lost
    patience = CATCH_UP if honours_async else LONGEST_GENERATION
    # The end of a POST that outlived its batch may lie ahead.
    waited = at - (lost.sought if lost.sought <= at else max(lost.begun, lost.asked))
    later = at + max(BETWEEN_LOOKS, waited / 4)
    if isinstance(sight, Unclear):
        hopeless = at >= lost.sought + patience
        return Case(lost), CannotTell(sight.reason) if hopeless else LookAgain(later)
    since = at if case.missing_since is None else case.missing_since
    needed = max(since + GRACE, lost.over(offset) + patience)
    if at >= needed and case.missing_since is not None:
        return case, Absent()
    return Case(lost, since), LookAgain(min(later, max(needed, at + BETWEEN_LOOKS)))
