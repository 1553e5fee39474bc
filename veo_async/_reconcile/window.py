"""A lost submit, and when and where it is looked for.

Its record lies within a window of the service's time. How wide that is depends on what is known of
the clocks: tasks of ours that were accepted near in time show it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from .comparison import Fields

SLACK = 5.0
"""Seconds by which a record's time may lie outside of the window: ``Date`` has whole seconds, and
the answer that bore it was under way for a while."""

WIDE = 900.0
"""The same while no task of ours shows that records are timed by the clock of ``Date``."""

GRACE = 30.0
"""Seconds between the two looks that must agree."""

NEAR = 600.0
"""How near in time a control must be, in seconds."""


EARLY = 1.0
"""Seconds by which a POST may be sent later than its intent says."""


@dataclass(frozen=True, slots=True)
class AcceptedSubmit:
    """A submit of ours that was accepted.

    Attributes:
        task_id: the service's id.
        chosen: see `chosen`.
        begun: when it was sent, in Unix seconds on this machine's clock.
        ended: when its answer came.
        offset: see `window`, as it was known when it was sent.
        answered: whether the service itself answered that it had accepted it. One that was found
            in the list by its content is ours too, but proves nothing about that list.
    """

    task_id: str
    chosen: Fields
    begun: float
    ended: float
    offset: float | None = None
    answered: bool = True


@dataclass(frozen=True, slots=True)
class LostSubmit:
    """A submit of ours whose answer proved nothing; most attributes are an `AcceptedSubmit`'s.

    ``asked`` is when somebody first asked for it, where that is later: in a later run;
    ``callback_url`` is its own, which no other submit has.
    """

    chosen: Fields
    begun: float
    ended: float
    trace_id: str | None = None
    offset: float | None = None
    asked: float = float("-inf")
    callback_url: str | None = field(default=None, repr=False)

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

    def ended_at(self, offset: float | None) -> float:
        """When it was over, on this machine's clock as it goes now; ``offset`` as for `window`."""
        if not self.is_earlier:
            return self.ended
        if self.offset is None or offset is None:
            return self.sought
        return self.ended + self.offset - offset


def window(
    sent: LostSubmit | AcceptedSubmit, offset: float, *, slack: float = SLACK
) -> tuple[float, float]:
    """Between which Unix times, on the service's clock, the record of a submit must lie.

    ``offset`` is by how many seconds that clock runs ahead of this machine's. It grows where this
    machine sleeps, since a steady clock sleeps with it. The service may accept a request after we
    gave up waiting for its answer.
    """
    then = offset if sent.offset is None else sent.offset
    last = sent.ended + max(offset, then) + GRACE + slack
    return sent.begun + min(offset, then) - slack, last


def window_of_all(
    lost: Iterable[LostSubmit], accepted: Sequence[AcceptedSubmit], offset: float | None
) -> tuple[float, float]:
    """Between which Unix times, on the service's clock, a look must read the list."""
    answered = [submit for submit in accepted if submit.answered]
    everybody = _InTime(answered)
    by_action: dict[object, _InTime] = {}
    times = []
    for one in lost:
        action = one.chosen["action"]
        if action not in by_action:
            by_action[action] = _InTime(r for r in answered if is_alike(r, one))
        times.append(window(one, offset or 0.0, slack=slack_of(one, everybody.times)))
        # The tasks of ours, one before and one after, that make the best controls.
        for alike, nearest in zip(
            by_action[action].beside(one), everybody.beside(one), strict=True
        ):
            if control := alike or nearest:
                times.append(window(control, offset or 0.0))
    return min(first for first, _ in times), max(last for _, last in times)


class _InTime:
    """Receipts in the order of time: thousands are asked for what is near a thousand lost ones."""

    def __init__(self, accepted: Iterable[AcceptedSubmit]) -> None:
        self._submits = sorted(accepted, key=attrgetter("begun"))
        self.times = [submit.begun for submit in self._submits]

    def beside(self, lost: LostSubmit) -> tuple[AcceptedSubmit | None, AcceptedSubmit | None]:
        """The nearest ones that were sent before the end of the lost submit, and after it."""
        first, last = _near(lost, self.times)
        middle = bisect_left(self.times, lost.ended, first, last)
        place = bisect_left(self.times, lost.begun, first, middle)
        before = self._submits[max(place - 1, first) : min(place + 1, middle)]
        after = self._submits[middle:last][:1]
        nearest = min(before, key=lambda submit: abs(submit.begun - lost.begun), default=None)
        return nearest, after[0] if after else None


def _near(lost: LostSubmit, times: Sequence[float]) -> tuple[int, int]:
    """Which of these times, in ascending order, are so near to the lost submit that what was sent
    then may be a control: the first, and the one behind the last."""
    return bisect_left(times, lost.begun - NEAR), bisect_right(times, lost.begun + NEAR)


def is_one_near(lost: LostSubmit, times: Sequence[float]) -> bool:
    """Whether one of these times, in ascending order, is near: see `NEAR`."""
    first, last = _near(lost, times)
    return first < last


def slack_of(lost: LostSubmit, times: Sequence[float]) -> float:
    """By how much its window is wider; ``times`` are our accepted submits', ascending."""
    return SLACK if lost.is_tied and is_one_near(lost, times) else WIDE


def is_near(submit: AcceptedSubmit, lost: LostSubmit) -> bool:
    """Whether it was sent so near in time that it may be a control."""
    return abs(submit.begun - lost.begun) <= NEAR


def is_alike(submit: AcceptedSubmit, lost: LostSubmit) -> bool:
    """Whether a list that shows the one would show the other: they are of one action. The service
    may store another action as another type of task, which the list leaves out."""
    return bool(submit.chosen["action"] == lost.chosen["action"])


def precedence(lost: LostSubmit) -> tuple[bool, bool, float]:
    """In which order lost submits take their records from one snapshot.

    First who may know its own by its trace id, then whose window is where it says, then whose
    window ends first; each takes the oldest that it finds. So equal ones leave each other what lies
    in their windows: given otherwise, a record may be left over that is too old for the one that
    finds none.
    """
    return lost.trace_id is None, not lost.is_tied, lost.ended
