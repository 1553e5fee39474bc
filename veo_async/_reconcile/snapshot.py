"""A snapshot of the account's listing: the unowned records, and our own ones as controls."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

from ..models import TaskRecord
from .comparison import normal_form
from .marks import mark_in
from .window import FAR, AcceptedSubmit, Kind, LostSubmit, Times, is_one_within, window

CATCH_UP = 120.0
"""Seconds after which a listing must have caught up: twice the longest lag that is expected."""

BARE = normal_form({})
"""The request of a record that shows none."""

Survival = Literal["kept", "stripped", "unknown"]
"""The fate of marks in a listing, as its controls show it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A record of the listing, as far as lost submits are concerned.

    Attributes:
        task_id, trace_id: the service's ids.
        at: when the service made it, on the clock of its ``Date``; ``None`` if it does not say.
        request: its request in the normal form.
        mark: the mark in its callback address, if there is one.
        is_pending: whether its task is unfinished.
        is_listed: whether the list shows it; else it was found by its id or its trace id.
        is_failed: whether its task failed, or was refused: a refused POST may leave a record, too.
    """

    task_id: str
    at: float | None
    request: str
    mark: str | None = None
    trace_id: str | None = None
    is_pending: bool = True
    is_listed: bool = True
    is_failed: bool = False

    @classmethod
    def of(cls, record: TaskRecord, *, is_listed: bool = True, lead: float = 0.0) -> Listed:
        """The facts of a record that has an id; ``lead`` as for `lead_of`."""
        request = record.request or {}
        return cls(
            str(record.id),
            record.created_at.timestamp() - lead if record.created_at else None,
            normal_form(request),
            mark_in(request.get("callback_url")),
            record.trace_id,
            record.state == "pending",
            is_listed,
            record.state == "failed",
        )

    @property
    def is_bare(self) -> bool:
        """Whether it shows no request, so that nobody knows which mark it was sent with."""
        return self.request == BARE

    def is_within(self, times: Times) -> bool:
        """Whether it has a time, and that lies within these times."""
        return self.at is not None and times[0] <= self.at <= times[1]


class ListingSnapshot:
    """One reading of the listing, compared with the submits that are known as ours.

    Attributes:
        at: when it began, in Unix seconds on this machine's clock.
        offset: see `window`; ``None`` while the service's clock was never seen.
        span: the times between which it was read.
        complete: whether each page was read, to the end of the list.
        awaited: ids for which callers wait. Nobody knows whose they are, so a lost submit adopts
            one only by proof, and yet they are unowned.
        missing_since: when the oldest submit of ours was sent whose record should be in the listing
            and is not, or not at its time; infinite if there is none.
        is_overdue: whether one is missing although the listing must have caught up.
    """

    def __init__(
        self,
        *,
        at: float,
        offset: float | None,
        span: Times = (-inf, inf),
        awaited: Container[str] = (),
    ) -> None:
        self.at = at
        self.offset = offset
        self.span = span
        self.complete = False
        self.awaited = awaited
        self.missing_since = inf
        self.is_overdue = False
        self._entries: dict[str, Listed] = {}
        self._unowned: dict[str, Listed] = {}
        self._times: list[float] = []
        self._by_mark: dict[str, Listed] = {}
        self._ours_by_mark: dict[str, Listed] = {}
        self._by_trace: dict[str, Listed] = {}
        self._by_request: defaultdict[str, dict[str, Listed]] = defaultdict(dict)
        # When our controls were sent, by their kind and by what the listing shows of them.
        self._facts: defaultdict[tuple[Kind, str], list[float]] = defaultdict(list)

    # While the listing is read.

    def add(self, entry: Listed, owner: AcceptedSubmit | None = None) -> None:
        """Add a record, and the submit of ours to which it belongs, if that is known."""
        if entry.task_id in self._entries:
            return
        self._entries[entry.task_id] = entry
        if owner:
            self._note_owner(owner, entry)
            return
        self._unowned[entry.task_id] = entry
        self._by_request[entry.request][entry.task_id] = entry
        for known, name in ((self._by_mark, entry.mark), (self._by_trace, entry.trace_id)):
            if name and (name not in known or _rank(entry) < _rank(known[name])):
                known[name] = entry
        insort(self._times, self._time_of(entry))

    def _time_of(self, entry: Listed) -> float:
        """Its time; infinite if that may not be believed, so that it may be of any time."""
        return _age(entry) if self._has_time(entry) else inf

    def _has_time(self, entry: Listed) -> bool:
        """Whether its time may be believed: it was asked for. Times are rounded."""
        return entry.is_within((self.span[0] - 1.0, self.span[1] + 1.0))

    def own(self, submit: AcceptedSubmit) -> None:
        """Take the record of a submit of ours out of the unowned ones."""
        entry = self._entries.get(submit.task_id)
        if entry and self._remove(entry):
            self._note_owner(submit, entry)

    def _remove(self, entry: Listed) -> bool:
        if self._unowned.pop(entry.task_id, None) is None:
            return False
        del self._by_request[entry.request][entry.task_id]
        del self._times[bisect_left(self._times, self._time_of(entry))]
        return True

    def _note_owner(self, submit: AcceptedSubmit, entry: Listed) -> None:
        if entry.mark:
            self._ours_by_mark[entry.mark] = entry
        self._note_control(submit, entry)

    def _note_control(self, submit: AcceptedSubmit, entry: Listed) -> None:
        is_proven = submit.proven or (submit.mark and entry.mark == submit.mark)
        if not (submit.is_control and entry.is_listed and is_proven):
            return
        if not self._is_timely(submit, entry):
            self.missing_since = min(self.missing_since, submit.begun)
            return
        insort(self._facts[submit.kind, "listed"], submit.begun)
        if submit.mark and not entry.is_bare:
            fact = "kept" if entry.mark == submit.mark else "stripped"
            insort(self._facts[submit.kind, fact], submit.begun)

    def _is_timely(self, submit: AcceptedSubmit, entry: Listed) -> bool:
        # By the one offset or by the other, never in between: if this machine's clock was set,
        # every time between the two would seem to be of the clock of ``Date``.
        if self.offset is None:
            return False
        then = self.offset if submit.offset is None else submit.offset
        offsets = (then, self.offset)
        return any(entry.is_within(window(replace(submit, offset=one), one)) for one in offsets)

    def check(self, ours: Iterable[AcceptedSubmit]) -> None:
        """The list was read: note which of our accepted submits it should show and does not."""
        for submit in ours:
            if submit.task_id and submit.task_id not in self._entries and self._shows(submit):
                self.missing_since = min(self.missing_since, submit.begun)
                self.is_overdue |= submit.ended <= self.at - CATCH_UP

    def disown(self, older: Callable[[Collection[str]], Iterable[str]]) -> None:
        """Take out of the unowned records those that are ours although only the id is known:
        ``older`` returns such ids among some."""
        for task_id in older(self._unowned):
            self._remove(self._entries[task_id])

    def _shows(self, submit: AcceptedSubmit) -> bool:
        """Whether its record should be in the listing: all of its window was read, after it was
        accepted."""
        first, last = window(submit, self.offset or 0.0)
        return submit.ended <= self.at and self.span[0] <= first and last <= self.span[1]

    # Once it was read.

    def proof_of(self, lost: LostSubmit) -> Listed | None:
        """The record that has the mark of a lost submit, or the unowned one that has its trace id.

        A record with another mark is another submit's, whatever its trace id. One with its mark is
        its own, also if this client knows the task already: the client's journal may be a copy from
        before that, or have got another name.
        """
        traced = self._by_trace.get(lost.trace_id) if lost.trace_id else None
        if traced and traced.mark and lost.mark and traced.mark != lost.mark:
            traced = None
        marked = self._by_mark.get(lost.mark) if lost.mark else None
        known = self._ours_by_mark.get(lost.mark) if lost.mark else None
        unowned = (one for one in (traced, marked) if one and one.task_id in self._unowned)
        return known or next(unowned, None)

    def has_control(self, sent: LostSubmit | AcceptedSubmit, fact: str = "listed") -> bool:
        """Whether a task of ours of the same kind, accepted near in time, is in this listing."""
        return is_one_within(FAR, sent.begun, self._facts[sent.kind, fact])

    def survival_of(self, sent: LostSubmit | AcceptedSubmit) -> Survival:
        """The fate of the marks of such submits in this listing."""
        if self.has_control(sent, "stripped"):
            return "stripped"
        return "kept" if self.has_control(sent, "kept") else "unknown"

    @property
    def shows_requests(self) -> bool:
        """Whether each unowned record shows its request."""
        return not self._by_request.get(BARE)

    def has_unmarked(self, request: str, times: Times) -> bool:
        """Whether an unowned record of these times, or of an unknown time, has this request and no
        mark: a service may store the marks of some records only."""
        return any(
            entry.mark is None and (entry.is_within(times) or not self._has_time(entry))
            for entry in self._by_request[request].values()
        )

    def count_unowned(self, times: Times) -> int:
        """The number of unowned records of these times. A record without a time, or with one that
        was not asked for, may be of any time."""
        end = bisect_right(self._times, times[1])
        timeless = len(self._times) - bisect_left(self._times, inf, end)
        return end - bisect_left(self._times, times[0]) + timeless

    def equal_to(self, request: str) -> list[Listed]:
        """The unowned records with this request, without a mark, and with a time, the oldest
        first."""
        found = [
            entry
            for entry in self._by_request[request].values()
            if entry.mark is None and self._has_time(entry) and entry.task_id not in self.awaited
        ]
        return sorted(found, key=_age)


def _rank(entry: Listed) -> tuple[bool, float]:
    """The order of records that have one mark: the oldest first, and those that failed last. An
    earlier POST of the same submit may have been refused, and have left a record."""
    return entry.is_failed, _age(entry)


def _age(entry: Listed) -> float:
    return inf if entry.at is None else entry.at
