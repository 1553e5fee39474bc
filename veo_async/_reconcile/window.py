"""Lost and accepted submits, and the windows of time in which their records must lie.

A window is in the service's time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from .._wire.dialect import canonical_action
from .comparison import Fields

SLACK = 5.0
"""Seconds by which a record's time may lie outside of the window: ``Date`` has whole seconds, and
the answer that contained it took some time to arrive."""

WIDE = 900.0
"""The slack of a submit of an earlier run whose time on the service's clock is not known."""

GRACE = 30.0
"""Seconds between the two readings that must agree, and for which the service may still accept a
request after we gave up waiting for its answer."""

FAR = 3600.0
"""Seconds between a lost submit and its control, at most."""

KEEP = 1500.0
"""Seconds before the oldest lost or awaited submit for which accepted ones are kept: further than a
window reaches back."""

EARLY = 1.0
"""Seconds by which a POST may be sent later than its intent says."""

Kind = tuple[str, bool]
"""The action of a submit, and whether its answer was held until the video was ready. A list that
shows tasks of one kind need not show those of another."""

Way = tuple[Kind, bool]
"""The kind of a submit, and whether it was sent with a mark."""

Times = tuple[float, float]
"""The first and the last of a range of Unix times on the service's clock."""


@dataclass(frozen=True, slots=True)
class AcceptedSubmit:
    """A submit of ours that was accepted.

    Attributes:
        task_id: the service's id; empty if the answer contained none.
        kind: see `Kind`.
        begun: when it was sent, in Unix seconds on this machine's clock.
        ended: when its answer came.
        offset: see `window`, as it was known when it was sent.
        mark: its mark, if it was sent with one.
        proven: whether its answer, its mark or its trace id is known to have proved the acceptance.
            A task that was adopted by comparison is ours too, but proves nothing about the list.
        chosen: the request, for a task without an id.
    """

    task_id: str
    kind: Kind
    begun: float
    ended: float
    offset: float | None = None
    mark: str | None = field(default=None, repr=False)
    proven: bool = True
    chosen: Fields | None = None

    @property
    def way(self) -> Way:
        """See `Way`."""
        return self.kind, self.mark is not None

    @property
    def is_control(self) -> bool:
        """Whether it can show what a list does with tasks of ours: by its mark, if need be."""
        return bool(self.task_id and (self.proven or self.mark))


@dataclass(frozen=True, slots=True)
class LostSubmit:
    """A submit of ours whose answer proved nothing.

    Attributes:
        chosen: the request as it was sent.
        begun, ended, offset, mark: see `AcceptedSubmit`.
        trace_id: the trace id of the failed answer.
        asked: when a later run asked for it; minus infinity in the run that sent it.
        is_held: see `Kind`.
    """

    chosen: Fields
    begun: float
    ended: float
    trace_id: str | None = None
    offset: float | None = None
    asked: float = -inf
    mark: str | None = field(default=None, repr=False)
    is_held: bool = False

    @property
    def kind(self) -> Kind:
        """See `Kind`."""
        return canonical_action(str(self.chosen.get("action"))), self.is_held

    @property
    def way(self) -> Way:
        """See `Way`."""
        return self.kind, self.mark is not None

    @property
    def sought(self) -> float:
        """The begin of the search for it."""
        return max(self.ended, self.asked)

    @property
    def is_earlier(self) -> bool:
        """Whether an earlier run sent it. This machine's clock may have been set since then."""
        return self.asked > -inf

    @property
    def is_tied(self) -> bool:
        """Whether its times can be converted to the service's: in this run after any answer, in an
        earlier one only if an answer came before it."""
        return not self.is_earlier or self.offset is not None

    def after_jump(self, seconds: float) -> LostSubmit:
        """It, once this machine's clock has jumped by so many seconds. Nobody knows which time was
        right, the one before or the one after, so it may have been sent at either."""
        back, on = min(seconds, 0.0), max(seconds, 0.0)
        return replace(self, begun=self.begun + back, ended=self.ended + on, asked=self.asked + on)

    def ended_at(self, offset: float) -> float:
        """The end of its POST on the service's clock; ``offset`` as for `window`."""
        if self.is_tied:
            return self.ended + (offset if self.offset is None else self.offset)
        return self.sought + offset

    def accepted_as(self, task_id: str, *, proven: bool) -> AcceptedSubmit:
        """It, once its task is known."""
        return AcceptedSubmit(
            task_id, self.kind, self.begun, self.ended, self.offset, self.mark, proven
        )


def window(sent: LostSubmit | AcceptedSubmit, offset: float) -> Times:
    """The times between which the record of a submit must lie.

    ``offset`` is the number of seconds by which the service's clock runs ahead of this machine's.
    It changes when this machine's clock is set.
    """
    then = offset if sent.offset is None else sent.offset
    slack = SLACK if isinstance(sent, AcceptedSubmit) or sent.is_tied else WIDE
    last = sent.ended + max(offset, then) + GRACE + slack
    return sent.begun + min(offset, then) - slack, last


def lead_of(control: AcceptedSubmit, at: float, offset: float | None) -> float | None:
    """Seconds by which the clock of the records runs ahead of that of ``Date``, as the time of a
    control's record shows it; ``None`` if it may be the clock of this machine that was set."""
    is_quick = control.proven and control.ended - control.begun <= SLACK - EARLY
    if offset is None or control.offset is None or not is_quick:
        return None
    if abs(control.offset - offset) > 2 * EARLY:
        return None
    lead = at - offset - (control.begun + control.ended) / 2
    return lead if abs(lead) > SLACK else 0.0


def is_one_within(seconds: float, moment: float, times: Sequence[float]) -> bool:
    """Whether one of these times, in ascending order, is so near to this moment."""
    index = bisect_left(times, moment - seconds)
    return index < len(times) and times[index] <= moment + seconds


def span_of(
    lost: Iterable[LostSubmit], controls: Sequence[AcceptedSubmit], offset: float | None
) -> Times:
    """The times between which a list must be read: the windows of the lost submits, and for each
    kind the nearest controls before and after them."""
    spans: dict[Way, Times] = {}
    times = []
    for one in lost:
        first, last = spans.get(one.way, (inf, -inf))
        spans[one.way] = min(first, one.begun), max(last, one.begun)
        times.append(window(one, offset or 0.0))
    for (kind, is_marked), (first, last) in spans.items():
        alike = [one for one in controls if one.kind == kind and (one.mark or not is_marked)]
        before = [one for one in alike if first - FAR <= one.begun <= first]
        after = [one for one in alike if last < one.begun <= last + FAR]
        nearest = sorted(before, key=_begun)[-1:] + sorted(after, key=_begun)[:1]
        times += [window(control, offset or 0.0) for control in nearest]
    return min(first for first, _ in times), max(last for _, last in times)


def _begun(submit: AcceptedSubmit) -> float:
    return submit.begun
