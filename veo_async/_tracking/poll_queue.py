"""The queue of polls: which tasks the next poll asks about.

`DueQueue` holds the ids by cohort and the cohorts by the time at which they are due. `PollQueue` on
top of it knows the ids in open polls, and the batches that were refused because of one id.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from math import inf
from typing import TypeAlias

from .schedule import Cohort

FEW = 64
"""The number of invalid heap entries that are not worth the work of removing them."""

CROWD = 64
"""Beyond this many tasks that share the polls, one more makes no poll cheaper: a poll has at most
50 ids."""

MOST_AT_ONCE = 200
"""The number of cohorts whose due times are computed again in one step. One poll may postpone
thousands of cohorts, if each has a single task, and must not hold up the event loop by that."""

SOON = 0.01
"""Seconds until the next such step, so that the event loop has its turn in between."""

MOMENT = 0.2
"""Seconds for which the next due ids may wait for others: to wake up costs a program more than the
work itself, and for as many polls the delays are nearly the same (`benchmarks.schedule`)."""

When: TypeAlias = Callable[[Cohort], float]
"""Gives the time at which a cohort is due."""

Wanted: TypeAlias = Callable[[str], bool]
"""Tells whether somebody wants to know about an id."""


@dataclass(slots=True, eq=False)
class _Group:
    """The ids of one cohort that wait for their turn.

    Attributes:
        due: the time of their turn, computed when the queue's ``knowledge`` was this number: see
            `DueQueue.learned`.
        serial: the number of the group's entry in the heap.
    """

    cohort: Cohort
    ids: dict[str, None] = field(default_factory=dict)
    due: float = -inf
    knowledge: int = -1
    serial: int = -1


class DueQueue:
    """Ids by the time at which they are due. Each id is here at most once; adding it again moves
    it.

    To add, to take and to drop an id is O(1), and O(log n) where that begins or ends the turn of a
    cohort, on average over many calls. Invalid entries stay in the heap for a while, but they are
    never more than half of it.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Group]] = []
        self._groups: dict[Cohort, _Group] = {}
        self._group_of: dict[str, _Group] = {}
        self._serial = count()
        self._knowledge = 0

    def __len__(self) -> int:
        return len(self._group_of)

    def add(self, task_id: str, cohort: Cohort) -> None:
        """Note that ``task_id`` is due when its cohort is."""
        group = self._group_of.get(task_id)
        if group and (group.cohort is cohort or group.cohort == cohort):
            return
        self.drop(task_id)
        group = self._groups.get(cohort)
        if group is None:
            group = self._groups[cohort] = _Group(cohort)
        group.ids[task_id] = None
        self._group_of[task_id] = group
        if group.serial < 0 or (group.due > -inf and len(self) <= CROWD):
            self._put(group, -inf)  # computed once all ids are here that share the next polls

    def drop(self, task_id: str) -> None:
        """Forget ``task_id``; it need not be here."""
        group = self._group_of.pop(task_id, None)
        if group:
            del group.ids[task_id]
            self._close_if_empty(group)

    def _close_if_empty(self, group: _Group) -> None:
        if not group.ids:
            del self._groups[group.cohort]
            self._tidy()

    def _put(self, group: _Group, due: float) -> None:
        group.due, group.serial = due, next(self._serial)
        heapq.heappush(self._heap, (due, group.serial, group))
        self._tidy()

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._groups) + FEW:
            self._heap = [entry for entry in self._heap if _is_valid(entry)]
            heapq.heapify(self._heap)

    def learned(self) -> None:
        """Note that something was learned, so that all cohorts may be due at other times.

        The times are computed again lazily: a cohort that is due later now is moved when it reaches
        the front; one that is due earlier now keeps its old turn.
        """
        self._knowledge += 1

    def _first(self, when: When, steps: Iterator[int]) -> _Group | None:
        """The group that is due first by all that is known now; ``None`` if there is none, or if
        the ``steps`` are used up before it is found."""
        while self._heap:
            due, _, group = self._heap[0]
            if not _is_valid(self._heap[0]):
                heapq.heappop(self._heap)
            elif due > -inf and group.knowledge == self._knowledge:
                return group
            elif next(steps, None) is None:
                return None
            else:
                heapq.heappop(self._heap)
                group.knowledge = self._knowledge
                self._put(group, when(group.cohort))
        return None

    def next_due(self, now: float, size: int, when: When) -> float | None:
        """The time at which the first id is due, or ``None`` if there is none.

        If more than ``size`` ids wait, it is a moment later, so that other ids that become due
        meanwhile share the poll. A cohort with
        a poll time of its own (`Cohort.wakes`) waits for no others.
        """
        first = self._first(when, iter(range(MOST_AT_ONCE)))
        if first is None:
            return now + SOON if self._groups else None
        alone = len(self) <= size or size == 1 or first.cohort.wakes
        return first.due if alone or first.due <= now else first.due + MOMENT

    def take(self, now: float, size: int, when: When) -> list[str]:
        """Up to ``size`` ids if one of them is due, else none.

        A poll costs the same for one id as for ``size``, so the ids that are due next join it.
        """
        taken: list[str] = []
        steps = iter(range(MOST_AT_ONCE))
        while len(taken) < size:
            first = self._first(when, steps)
            if first is None or not (taken or first.due <= now):
                break
            taken += self._take_from(first, size - len(taken))
        return taken

    def _take_from(self, group: _Group, most: int) -> list[str]:
        taken = list(islice(group.ids, most))
        for task_id in taken:
            del group.ids[task_id], self._group_of[task_id]
        self._close_if_empty(group)
        return taken


def _is_valid(entry: tuple[float, int, _Group]) -> bool:
    _, serial, group = entry
    return bool(group.ids) and group.serial == serial


class PollQueue:
    """The ids that polls ask about, each in at most one poll at a time.

    A refused batch is bisected: its parts, the portions, are polled before all other ids. An id
    that was refused alone is polled alone until the service knows it.

    Attributes:
        asked_at: when the latest ids were chosen, in monotonic seconds.
    """

    def __init__(self) -> None:
        self.agenda = DueQueue()
        self._portions: deque[list[str]] = deque()
        # Ids in an open poll or in a portion: they must not be in another poll at the same time.
        self._asked: set[str] = set()
        self._alone: set[str] = set()
        self.asked_at = -inf

    def add(self, task_id: str, cohort: Cohort) -> None:
        """Poll ``task_id`` when its cohort is due, unless a poll with it is open."""
        if task_id not in self._asked:
            self.agenda.add(task_id, cohort)

    def drop(self, task_id: str) -> None:
        """Poll ``task_id`` no more; an open poll with it continues."""
        self.agenda.drop(task_id)
        self._alone.discard(task_id)

    def __len__(self) -> int:
        return len(self.agenda) + len(self._asked)

    def next_due(self, now: float, size: int, when: When) -> float | None:
        """The time at which the next poll is due, or ``None`` if there is nothing to poll."""
        return now if self._portions else self.agenda.next_due(now, size, when)

    def choose(self, now: float, size: int, when: When, wanted: Wanted) -> list[str]:
        """Up to ``size`` ids for a poll now; of a portion only those that are ``wanted``."""
        if self._portions:
            portion = self._portions.popleft()
            self._asked.difference_update(portion)
            ids = list(filter(wanted, portion))
        else:
            due = self.agenda.take(now, size, when)
            self._add_portions([task_id] for task_id in due if task_id in self._alone)
            ids = [task_id for task_id in due if task_id not in self._alone]
        if ids:
            self._asked.update(ids)
            self.asked_at = now
        return ids

    def answered(self, ids: Sequence[str]) -> None:
        """Note that the poll of these ids is over."""
        self._asked.difference_update(ids)

    def known(self, task_ids: Iterable[str]) -> None:
        """Note that the service knows these ids: they may share polls with others."""
        if self._alone:
            self._alone.difference_update(task_ids)

    def learned(self) -> None:
        """Note that an answer may have changed the due times of all ids."""
        self.agenda.learned()

    def halve(self, ids: Sequence[str]) -> None:
        """Poll these ids in halves, since the poll of all of them was refused."""
        middle = len(ids) // 2
        halves = [list(ids[:middle]), list(ids[middle:])]
        self._alone.update(half[0] for half in halves if len(half) == 1)
        self._add_portions(halves)

    def _add_portions(self, portions: Iterable[list[str]]) -> None:
        for portion in portions:
            self._portions.append(portion)
            self._asked.update(portion)

    def clear(self) -> None:
        """Forget the portions, the open polls and the ids that are polled alone."""
        self._portions.clear()
        self._asked.clear()
        self._alone.clear()
