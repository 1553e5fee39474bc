"""The law of lost submits: what a reading of the task list proves about one.

==================  ==========================  ===============================================
evidence            a record is adopted         absence is proven
==================  ==========================  ===============================================
its trace id        if it has that trace id     never: a gateway's id need not be a record's
its mark            if it has that mark         if no record has it, and a control kept its mark
the same choices    if it is equal, and marks   never by comparison: only if the window has no
                    were sent by none or were   unowned record at all, and a control is listed
                    shown not to survive
==================  ==========================  ===============================================

A **control** is a task of ours of the same kind, accepted near in time, that this very list shows
at its time. Without one a list proves nothing. Absence needs two complete readings, a grace period
apart, after the list had time to catch up. *Complete* means that each page was read and that no
task of ours is missing. Equal lost submits are decided together: n submits, m equal records, and no
record is adopted twice. In all other cases nobody can tell, and nothing is sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf

from .comparison import normal_form
from .snapshot import CATCH_UP, Listed, ListingSnapshot
from .window import GRACE, SLACK, AcceptedSubmit, LostSubmit, Times, slack_of, window

LONGEST_GENERATION = 5400.0
"""Seconds after which a service that answers only when a video is ready must have stored it: it may
try other providers for up to 90 minutes (WIRE)."""

HOPELESS = 900.0
"""Seconds without any proof after which the search ends, unless the answer is held."""

FIRST_SEARCH = 1.0
BETWEEN_SEARCHES = 5.0
"""Seconds from the end of the POST to the first search, and between searches at the least."""


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


Claim = LostSubmit | AcceptedSubmit
Conclusion = Adopt | Absent | CannotTell
Decision = Conclusion | SearchAgain


@dataclass(frozen=True, slots=True)
class Case:
    """A lost submit, and the evidence so far.

    Attributes:
        lost: the submit.
        at_once: whether the service was seen to store such requests before their videos are ready.
        missed_at: when the first of the latest readings began, after the list had time to catch up,
            that were complete and have all missed it.
    """

    lost: LostSubmit
    at_once: bool = False
    missed_at: float | None = None

    @property
    def patience(self) -> float:
        """Seconds for which the list may lag."""
        return CATCH_UP if self.at_once else LONGEST_GENERATION


def is_comparable(lost: LostSubmit, snapshot: ListingSnapshot) -> bool:
    """Whether a record may be adopted because it is equal: no mark could tell."""
    return lost.mark is None or snapshot.survival_of(lost) == "stripped"


def is_rival(claim: Claim, snapshot: ListingSnapshot) -> bool:
    """Whether a record without a mark may belong to another submit of ours."""
    return claim.mark is None or snapshot.survival_of(claim) != "kept"


def judge_marked(case: Case, snapshot: ListingSnapshot) -> tuple[Case, Decision]:
    """Decide about a marked submit whose proof the listing does not show."""
    doubt = _doubt(case.lost, snapshot, is_marked=True, is_strange=not snapshot.shows_requests)
    return _missed(case, snapshot, doubt)


def judge_equal(
    cases: Sequence[Case], rivals: Sequence[Claim], snapshot: ListingSnapshot
) -> Iterator[tuple[int, Case, Decision]]:
    """Decide about equal submits, by their indexes.

    ``rivals`` are equal submits of ours to which a record may belong although no id says so: lost
    ones that are not decided now, those whose answers are awaited or contained no id.
    """
    claims = [*(case.lost for case in cases), *rivals]
    times = [_window_in(snapshot, claim) for claim in claims]
    for group in _overlapping(times):
        lost = [index for index in group if index < len(cases)]
        if lost:
            others = [claims[index] for index in group if index >= len(cases)]
            whole = times[group[0]][0], max(times[index][1] for index in group)
            ends = _judge_group([cases[index] for index in lost], others, whole, snapshot)
            yield from ((index, *end) for index, end in zip(lost, ends, strict=True))


def _judge_group(
    cases: Sequence[Case], rivals: Sequence[Claim], whole: Times, snapshot: ListingSnapshot
) -> Iterable[tuple[Case, Decision]]:
    """Decide about equal submits whose windows overlap, in their order."""
    claims = [*(case.lost for case in cases), *rivals]
    exact = [window(claim, snapshot.offset or 0.0) for claim in claims]
    adopted = _assign(exact, _equal(cases, snapshot))
    # Nobody knows whose record an adopted one is, so all of them are decided in one step.
    is_open = any(isinstance(claim, LostSubmit) for claim in rivals)
    if len(adopted) == len(claims) and not is_open:
        return [(case, Adopt(adopted[i])) for i, case in enumerate(cases)]
    is_strange = snapshot.count_unowned(whole) > len(adopted)
    ends = [
        _missed(case, snapshot, _doubt(case.lost, snapshot, is_strange=is_strange))
        for case in cases
    ]
    if is_open or any(isinstance(decision, SearchAgain) for _, decision in ends):
        return [(case, _later(decision, snapshot)) for case, decision in ends]
    return [
        (case, Adopt(adopted[i]) if i in adopted else decision)
        for i, (case, decision) in enumerate(ends)
    ]


def _later(decision: Decision, snapshot: ListingSnapshot) -> SearchAgain:
    if isinstance(decision, SearchAgain):
        return decision
    return SearchAgain(snapshot.at + GRACE)


def _overlapping(times: Sequence[Times]) -> Iterator[list[int]]:
    """The indexes of windows in groups that overlap, each in the order of time."""
    group: list[int] = []
    until = -inf
    for index in sorted(range(len(times)), key=times.__getitem__):
        if group and times[index][0] > until:
            yield group
            group = []
        group.append(index)
        until = max(until, times[index][1])
    if group:
        yield group


def _window_in(snapshot: ListingSnapshot, claim: Claim) -> Times:
    """The window of a submit as wide as a snapshot's evidence about the clocks demands."""
    slack = slack_of(claim, snapshot.controls) if isinstance(claim, LostSubmit) else SLACK
    return window(claim, snapshot.offset or 0.0, slack=slack)


def _equal(cases: Sequence[Case], snapshot: ListingSnapshot) -> list[Listed]:
    """The records that may be adopted by comparison, the oldest first."""
    if snapshot.offset is None or any(snapshot.times_disagree(case.lost) for case in cases):
        return []
    return snapshot.equal_to(normal_form(cases[0].lost.chosen))


def _assign(times: Sequence[Times], records: Sequence[Listed]) -> dict[int, str]:
    """As many claims as possible with a record of their own, by the claims' indexes: each record,
    the oldest first, goes to the claim whose window ends first."""
    found: dict[int, str] = {}
    waiting = deque(sorted(range(len(times)), key=times.__getitem__))
    open_: list[tuple[float, int]] = []
    for entry in records:
        at = entry.at or 0.0
        while waiting and times[waiting[0]][0] <= at:
            index = waiting.popleft()
            heappush(open_, (times[index][1], index))
        while open_ and open_[0][0] < at:
            heappop(open_)
        if open_:
            found[heappop(open_)[1]] = entry.task_id
    return found


def _doubt(
    lost: LostSubmit,
    snapshot: ListingSnapshot,
    *,
    is_marked: bool = False,
    is_strange: bool = False,
) -> str | None:
    """The reason why the submit may have been accepted although the listing does not show it."""
    if snapshot.offset is None:
        return "the service's clock was never seen"
    if not snapshot.complete:
        return "the task list could not be read to its end"
    if snapshot.times_disagree(lost):
        return "tasks of ours are not in the list at their times"
    if snapshot.missing_since <= lost.ended or snapshot.is_overdue:
        return "tasks of ours are not in the list, so others may be missing too"
    if not snapshot.has_control(lost, "kept" if is_marked else "listed"):
        return "no task of ours that was accepted near in time shows that the list would show it"
    return "a task in the list may or may not be this one" if is_strange else None


def _missed(case: Case, snapshot: ListingSnapshot, doubt: str | None) -> tuple[Case, Decision]:
    """Decide after a reading that does not show the submit. With a ``doubt`` it proves nothing."""
    lost, at = case.lost, snapshot.at
    # The end of a POST that outlived its batch may lie ahead.
    waited = at - (lost.sought if lost.sought <= at else max(lost.begun, lost.asked))
    later = at + max(BETWEEN_SEARCHES, waited / 4)
    if doubt:
        over = lost.sought + (LONGEST_GENERATION if lost.is_held else HOPELESS)
        decision = CannotTell(doubt) if at >= over else SearchAgain(min(later, over))
        return Case(lost, case.at_once), decision
    ready = lost.ended_at(snapshot.offset) + case.patience
    if at < ready:
        return case, SearchAgain(min(later, max(ready, at + BETWEEN_SEARCHES)))
    if case.missed_at is None:
        return Case(lost, case.at_once, at), SearchAgain(at + GRACE)
    if at < case.missed_at + GRACE:
        return case, SearchAgain(case.missed_at + GRACE)
    return case, Absent()
