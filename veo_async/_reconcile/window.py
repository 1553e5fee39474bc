"""Lost and accepted submits, and the windows of time in which their records must lie.

A window is in the service's time. Its width depends on the evidence about the clocks: tasks of ours
that were accepted near in time provide it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from .comparison import Fields

SLACK = 5.0
"""Seconds by which a record's time may lie outside of the window: ``Date`` has whole seconds, and
the answer that contained it took some time to arrive."""

WIDE = 900.0
"""The slack while no task of ours shows that records are timed by the clock of ``Date``."""

CATCH_UP = 120.0
"""Seconds after which a listing must have caught up: twice the longest lag that is expected."""

GRACE = 30.0
"""Seconds between the two snapshots that must agree."""

NEAR = 600.0
"""Seconds between a lost submit and its control, at most."""

EARLY = 1.0
"""Seconds by which a POST may be sent later than its intent says."""


@dataclass(frozen=True, slots=True)
class AcceptedSubmit:
    """A submit of ours that was accepted.

    Attributes:
        task_id: the service's id.
        chosen: the request in the normal form: see `canonical`.
        begun: when it was sent, in Unix seconds on this machine's clock.
        ended: when its answer came.
        offset: see `window`, as it was known when it was sent.
        answered: whether the service itself answered that it had accepted the submit. One that was
            found in the listing by its content is ours too, but proves nothing about that listing.
    """

    task_id: str
    chosen: Fields
    begun: float
    ended: float
    offset: float | None = None
    answered: bool = True


@dataclass(frozen=True, slots=True)
class LostSubmit:
    """A submit of ours whose answer proved nothing.

    Attributes:
        chosen, begun, ended, offset: see `AcceptedSubmit`.
        trace_id: the trace id of the failed answer.
        asked: when a later run asked for it; minus infinity in the run that sent it.
        callback_url: its own address, which no other submit has.
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
        """The begin of the search for it."""
        return max(self.ended, self.asked)

    @property
    def is_earlier(self) -> bool:
        """Whether an earlier run sent it. This machine's clock may have been set since then."""
        return self.asked > float("-inf")

    @property
    def is_tied(self) -> bool:
        """Whether its times can be converted to the service's: in this run after any answer, in an
        earlier one only if an answer came before it."""
        return not self.is_earlier or self.offset is not None

    def ended_at(self, offset: float | None) -> float:
        """The end of its POST on this machine's present clock; ``offset`` as for `window`."""
        if not self.is_earlier:
            return self.ended
        if self.offset is None or offset is None:
            return self.sought
        return self.ended + self.offset - offset


def window(
    sent: LostSubmit | AcceptedSubmit, offset: float, *, slack: float = SLACK
) -> tuple[float, float]:
    """The Unix times, on the service's clock, between which the record of a submit must lie.

    ``offset`` is the number of seconds by which that clock runs ahead of this machine's. It grows
    while this machine sleeps, since a steady clock stands still then. The service may accept a
    request after we gave up waiting for its answer.
    """
    then = offset if sent.offset is None else sent.offset
    last = sent.ended + max(offset, then) + GRACE + slack
    return sent.begun + min(offset, then) - slack, last


def window_of_all(
    lost: Iterable[LostSubmit], accepted: Sequence[AcceptedSubmit], offset: float | None
) -> tuple[float, float]:
    """The Unix times, on the service's clock, between which a snapshot must read the listing."""
    answered = [submit for submit in accepted if submit.answered]
    everybody = _InTime(answered)
    by_action: dict[object, _InTime] = {}
    times = []
    for one in lost:
        action = one.chosen["action"]
        if action not in by_action:
            by_action[action] = _InTime(r for r in answered if is_alike(r, one))
        times.append(window(one, offset or 0.0, slack=slack_of(one, everybody.times)))
        # The tasks of ours, one before and one after, that are the best controls.
        for alike, nearest in zip(
            by_action[action].beside(one), everybody.beside(one), strict=True
        ):
            if control := alike or nearest:
                times.append(window(control, offset or 0.0))
    return min(first for first, _ in times), max(last for _, last in times)


class _InTime:
    """Accepted submits in the order of time, since a thousand lost ones may search thousands."""

    def __init__(self, accepted: Iterable[AcceptedSubmit]) -> None:
        self._submits = sorted(accepted, key=attrgetter("begun"))
        self.times = [submit.begun for submit in self._submits]

    def beside(self, lost: LostSubmit) -> tuple[AcceptedSubmit | None, AcceptedSubmit | None]:
        """The nearest submit sent before the end of the lost one, and the next one after it."""
        first, last = _near(lost, self.times)
        middle = bisect_left(self.times, lost.ended, first, last)
        place = bisect_left(self.times, lost.begun, first, middle)
        before = self._submits[max(place - 1, first) : min(place + 1, middle)]
        after = self._submits[middle:last][:1]
        nearest = min(before, key=lambda submit: abs(submit.begun - lost.begun), default=None)
        return nearest, after[0] if after else None


def _near(lost: LostSubmit, times: Sequence[float]) -> tuple[int, int]:
    """The part of these times, in ascending order, that is so near to the lost submit that a submit
    of then may be a control: the index of the first, and the index behind the last."""
    return bisect_left(times, lost.begun - NEAR), bisect_right(times, lost.begun + NEAR)


def is_one_near(lost: LostSubmit, times: Sequence[float]) -> bool:
    """Whether one of these times, in ascending order, is near the lost submit: see `NEAR`."""
    first, last = _near(lost, times)
    return first < last


def slack_of(lost: LostSubmit, times: Sequence[float]) -> float:
    """The slack of its window; ``times`` are those of our accepted submits, ascending."""
    return SLACK if lost.is_tied and is_one_near(lost, times) else WIDE


def is_near(submit: AcceptedSubmit, lost: LostSubmit) -> bool:
    """Whether it was sent so near in time to the lost submit that it may be a control."""
    return abs(submit.begun - lost.begun) <= NEAR


def is_alike(submit: AcceptedSubmit, lost: LostSubmit) -> bool:
    """Whether a listing that shows the one would show the other: they have the same action. The
    service may store another action as another type of task, which the listing omits."""
    return bool(submit.chosen["action"] == lost.chosen["action"])


def precedence(lost: LostSubmit) -> tuple[bool, bool, float]:
    """The order in which lost submits adopt records of one snapshot, as a key to sort by.

    The first are those with a trace id, which may know their own record; then those whose times are
    tied to the service's; then those whose window ends first. Each adopts the oldest record that it
    finds. This order keeps a record available for each of several equal submits; in another order
    the only record left could be too old for the last one's window.
    """
    return lost.trace_id is None, not lost.is_tied, lost.ended
