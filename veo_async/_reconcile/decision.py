"""The law of lost submits: what a reading of the task list proves about one.

==================  ==========================  ===============================================
evidence            a record is adopted         absence is proven
==================  ==========================  ===============================================
its trace id        if it has that trace id     never: a gateway's id need not be a record's
its mark            if it has that mark         if no record has it, no equal one is without a
                                                mark, and a control kept its mark
the same choices    if it is equal, and marks   never by comparison: only if the window has no
                    were sent by none or were   unowned record at all, and a control is listed
                    shown not to survive
==================  ==========================  ===============================================

A **control** is a task of ours of the same kind, accepted near in time, that this very list shows
at its time. Without one a list proves nothing. Absence needs two complete readings, a grace period
apart, after the list had time to catch up. *Complete* means that each page was read and that no
task of ours is missing. Equal lost submits are decided together: n submits, m equal records, and no
record is adopted twice. In all other cases the submit is uncertain, and nothing is sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import inf

from .comparison import normal_form
from .snapshot import CATCH_UP, Listed, ListingSnapshot
from .window import GRACE, AcceptedSubmit, LostSubmit, Times, window

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
    """Search again after so many seconds."""

    delay: float


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
        searched: seconds for which this run has searched for it, on the event loop's clock, if that
            run has sent it.
    """

    lost: LostSubmit
    at_once: bool = False
    missed_at: float | None = None
    searched: float | None = None

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
    lost = case.lost
    wanted, times = normal_form(lost.chosen), window(lost, snapshot.offset or 0.0)
    is_strange = not snapshot.shows_requests or snapshot.has_unmarked(wanted, times)
    doubt = _doubt(lost, snapshot, is_marked=True, is_strange=is_strange)
    return _missed(case, snapshot, doubt)


def judge_equal(
    cases: Sequence[Case], rivals: Sequence[Claim], snapshot: ListingSnapshot
) -> Iterator[tuple[int, Case, Decision] | None]:
    """Decide about equal submits, by their indexes. ``None`` is a pause, in which the event loop
    may have its turn: ten thousand submits may be equal.

    ``rivals`` are equal submits of ours to which a record may belong although no id says so: lost
    ones that are not decided now, those whose answers are awaited or contained no id.
    """
    claims = [*(case.lost for case in cases), *rivals]
    times: list[Times] = []
    for claim in claims:
        times.append(window(claim, snapshot.offset or 0.0))
        yield None
    for group in _overlapping(times):
        ours = {index: cases[index] for index in group if index < len(cases)}
        if ours:
            # Nobody knows whose record an adopted one is, so all of them are decided together.
            others = (claims[index] for index in group if index not in ours)
            is_open = any(isinstance(claim, LostSubmit) for claim in others)
            yield from _judge_group(ours, {i: times[i] for i in group}, snapshot, is_open=is_open)


def _judge_group(
    cases: Mapping[int, Case],
    times: Mapping[int, Times],
    snapshot: ListingSnapshot,
    *,
    is_open: bool,
) -> Iterator[tuple[int, Case, Decision] | None]:
    """Decide about equal submits whose windows overlap; ``times`` are those of their rivals, too.
    ``is_open`` tells whether the fate of a rival is still unknown."""
    adopted = _shared_out(times, _equal(next(iter(cases.values())).lost, snapshot))
    if len(adopted) == len(times) and not is_open:
        yield from ((index, case, Adopt(adopted[index])) for index, case in cases.items())
        return
    whole = min(first for first, _ in times.values()), max(last for _, last in times.values())
    is_strange = snapshot.count_unowned(whole) > len(adopted)
    ends: dict[int, tuple[Case, Decision]] = {}
    for index, case in cases.items():
        ends[index] = _missed(case, snapshot, _doubt(case.lost, snapshot, is_strange=is_strange))
        yield None
    is_open = is_open or any(isinstance(end, SearchAgain) for _, end in ends.values())
    for index, (case, end) in ends.items():
        if is_open:
            yield index, case, end if isinstance(end, SearchAgain) else SearchAgain(GRACE)
        else:
            yield index, case, Adopt(adopted[index]) if index in adopted else end


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


def _equal(lost: LostSubmit, snapshot: ListingSnapshot) -> list[Listed]:
    """The records that may be adopted by comparison, the oldest first; none where the list may show
    our tasks at other times."""
    if snapshot.offset is None or snapshot.missing_since < inf:
        return []
    return snapshot.equal_to(normal_form(lost.chosen))


def _shared_out(times: Mapping[int, Times], records: Sequence[Listed]) -> dict[int, str]:
    """The records by the claims' indexes. A failed one may be that of a POST that was refused, so
    it is taken only by a claim for which nothing else is left."""
    found = _assign(times, [one for one in records if not one.is_failed])
    rest = {index: one for index, one in times.items() if index not in found}
    return found | _assign(rest, [one for one in records if one.is_failed])


def _assign(times: Mapping[int, Times], records: Iterable[Listed]) -> dict[int, str]:
    """As many claims as possible with a record of their own, by the claims' indexes: each record,
    the oldest first, goes to the claim whose window ends first."""
    found: dict[int, str] = {}
    waiting = deque(sorted(times, key=times.__getitem__))
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
    if snapshot.missing_since <= lost.ended or snapshot.is_overdue:
        return "tasks of ours are not in the list at their times, so others may be missing too"
    if not snapshot.has_control(lost, "kept" if is_marked else "listed"):
        return "no task of ours that was accepted near in time shows that the list would show it"
    return "a task in the list may or may not be this one" if is_strange else None


def _missed(case: Case, snapshot: ListingSnapshot, doubt: str | None) -> tuple[Case, Decision]:
    """Decide after a reading that does not show the submit. With a ``doubt`` it proves nothing.

    Patience is measured by the event loop's clock, since this machine's may be set, and the lead of
    the service's be out of date; for an earlier run's submit by the service's.
    """
    lost, at = case.lost, snapshot.at
    # The end of a POST that outlived its batch may lie ahead.
    waited = at - (lost.sought if lost.sought <= at else max(lost.begun, lost.asked))
    pause = max(BETWEEN_SEARCHES, waited / 4)
    if doubt:
        left = lost.sought + (LONGEST_GENERATION if lost.is_held else HOPELESS) - at
        decision = SearchAgain(min(pause, left)) if left > 0 else CannotTell(doubt)
        return replace(case, missed_at=None), decision
    assert snapshot.offset is not None  # else there is a doubt
    now = at + snapshot.offset
    searched = now - lost.ended_at(snapshot.offset) if case.searched is None else case.searched
    left = case.patience - searched
    if left > 0:
        return case, SearchAgain(min(pause, max(left, BETWEEN_SEARCHES)))
    if case.missed_at is None:
        return replace(case, missed_at=now), SearchAgain(GRACE)
    left = case.missed_at + GRACE - now
    return case, SearchAgain(left) if left > 0 else Absent()
