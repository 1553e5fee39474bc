"""Which tasks the next poll asks about.

Two structures: `DueQueue`, the ids by cohort and the cohorts by the time they are due, and
`PollQueue` on top of it, which knows what is under question and which batches were refused because
of one of their ids.
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
"""So few entries too many are not worth the work of throwing them out."""

CROWD = 64
"""Where more than so many share the polls, one more makes no look cheaper: a poll has at most 50
ids."""

GLANCES = 200
"""How many cohorts are reckoned anew at one time: what was learned from one poll may put off
thousands, if each has a single task, and the event loop must not be held up by that."""

SOON = 0.01
"""Seconds until it goes on with the others, so that the event loop has its turn meanwhile."""

MOMENT = 0.2
"""Seconds for which what is due next may wait for others: to wake up costs a program more than such
a turn's work, and the delays are nearly the same for as many polls (`benchmarks.schedule`)."""

When: TypeAlias = Callable[[Cohort], float]
"""When a cohort is due by all that is known now."""

Wanted: TypeAlias = Callable[[str], bool]
"""Whether somebody wants to know about an id."""


@dataclass(slots=True, eq=False)
class _Group:
    """The ids of one cohort that wait for their turn.

    Attributes:
        due: when that is, as it was reckoned when so much was known: see `DueQueue.learned`.
        serial: the number of its entry in the heap.
    """

    cohort: Cohort
    ids: dict[str, None] = field(default_factory=dict)
    due: float = -inf
    knowledge: int = -1
    serial: int = -1


class DueQueue:
    """Ids by the time they are due. An id stands here at most once; adding it again moves it.

    To add, to take and to drop an id are O(1), and O(log n) where that begins or ends the turn of a
    cohort, all on average over many calls. What is out of date stays in the heap for a while, but
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
            self._put(group, -inf)  # to be reckoned once all are here that share the next polls

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
        """Something was learned, so that all may be due at other times.

        Who can wait is put off when its turn comes; who should come earlier has its old turn.
        """
        self._knowledge += 1

    def _first(self, when: When, glances: Iterator[int]) -> _Group | None:
        """The group that is due first by all that is known now; ``None`` if there is none, or the
        ``glances`` do not suffice to tell."""
        while self._heap:
            due, _, group = self._heap[0]
            if not _is_valid(self._heap[0]):
                heapq.heappop(self._heap)
            elif due > -inf and group.knowledge == self._knowledge:
                return group
            elif next(glances, None) is None:
                return None
            else:
                heapq.heappop(self._heap)
                group.knowledge = self._knowledge
                self._put(group, when(group.cohort))
        return None

    def next_due(self, now: float, size: int, when: When) -> float | None:
        """When to come back for the first id that is due, or ``None`` if there is none.

        Where more than ``size`` wait for their turn, others may come due meanwhile and be asked
        about in the same turn; who has a reason of its own to be looked at waits for nobody.
        """
        first = self._first(when, iter(range(GLANCES)))
        if first is None:
            return now + SOON if self._groups else None
        alone = len(self) <= size or size == 1 or first.cohort.wakes
        return first.due if alone or first.due <= now else first.due + MOMENT

    def take(self, now: float, size: int, when: When) -> list[str]:
        """Up to ``size`` ids if one of them is due, else none.

        A poll costs the same for one id as for ``size``, so those that are due next ride along.
        """
        taken: list[str] = []
        glances = iter(range(GLANCES))
        while len(taken) < size:
            first = self._first(when, glances)
            if first is None or not (taken or first.due <= now):
                break
            taken += self._cut(first, size - len(taken))
        return taken

    def _cut(self, group: _Group, most: int) -> list[str]:
        taken = list(islice(group.ids, most))
        for task_id in taken:
            del group.ids[task_id], self._group_of[task_id]
        self._close_if_empty(group)
        return taken


def _is_valid(entry: tuple[float, int, _Group]) -> bool:
    _, serial, group = entry
    return bool(group.ids) and group.serial == serial


class PollQueue:
    """The ids that polls ask about, each in at most one question at a time.

    A refused batch is asked again in portions, which come before all others. An id that was
    refused by itself is asked by itself until the service knows it.

    Attributes:
        asked_at: when the latest ids were chosen, in monotonic seconds.
    """

    def __init__(self) -> None:
        self.agenda = DueQueue()
        self._portions: deque[list[str]] = deque()
        # Ids in an open poll or in a portion: another question about them would be one too many.
        self._asked: set[str] = set()
        self._alone: set[str] = set()
        self.asked_at = -inf

    def add(self, task_id: str, cohort: Cohort) -> None:
        """Ask about ``task_id`` when its cohort is due, unless it is asked about."""
        if task_id not in self._asked:
            self.agenda.add(task_id, cohort)

    def drop(self, task_id: str) -> None:
        """Ask no more about ``task_id``; a question that is under way goes on."""
        self.agenda.drop(task_id)
        self._alone.discard(task_id)

    def __len__(self) -> int:
        return len(self.agenda) + len(self._asked)

    def next_due(self, now: float, size: int, when: When) -> float | None:
        """When to come back for what is to be asked, or ``None`` if there is nothing."""
        return now if self._portions else self.agenda.next_due(now, size, when)

    def choose(self, now: float, size: int, when: When, wanted: Wanted) -> list[str]:
        """Up to ``size`` ids to ask about now; of a portion only those that are ``wanted``."""
        if self._portions:
            portion = self._portions.popleft()
            self._asked.difference_update(portion)
            ids = list(filter(wanted, portion))
        else:
            ids = self._due(now, size, when)
        if ids:
            self._asked.update(ids)
            self.asked_at = now
        return ids

    def _due(self, now: float, size: int, when: When) -> list[str]:
        ids = self.agenda.take(now, size, when)
        if not self._alone:
            return ids
        self._ask_in_portions([task_id] for task_id in ids if task_id in self._alone)
        return [task_id for task_id in ids if task_id not in self._alone]

    def answered(self, ids: Sequence[str]) -> None:
        """The question about these ids is over, whatever came of it."""
        self._asked.difference_update(ids)

    def known(self, task_ids: Iterable[str]) -> None:
        """The service knows these ids: they may be asked about among others."""
        if self._alone:
            self._alone.difference_update(task_ids)

    def learned(self) -> None:
        """What an answer taught may change when all others are due."""
        self.agenda.learned()

    def halve(self, ids: Sequence[str]) -> None:
        """The question about these ids was refused: ask in halves, down to each alone."""
        middle = len(ids) // 2
        halves = [list(ids[:middle]), list(ids[middle:])]
        self._alone.update(half[0] for half in halves if len(half) == 1)
        self._ask_in_portions(halves)

    def _ask_in_portions(self, portions: Iterable[list[str]]) -> None:
        for portion in portions:
            self._portions.append(portion)
            self._asked.update(portion)

    def clear(self) -> None:
        """Nobody waits any more: forget the questions that were not asked."""
        self._portions.clear()
        self._asked.clear()
        self._alone.clear()
