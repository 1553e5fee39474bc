"""Which tasks the next poll asks about.

Two structures: `Agenda`, the ids by the time they are due, and `Questions` on top of it, which
knows what is under question and which batches were refused because of one of their ids.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TypeAlias

FEW = 64
"""So few entries too many are not worth the work of throwing them out."""

GLANCES = 4
"""How many times a poll's size of ids are asked anew, at one time, when they are due: what was
learned from one poll may put off thousands, and the event loop must not be held up by that."""

MOMENT = 0.1
"""Seconds until the others' turn comes; and nobody is put off for so short a time. To wake up costs
a program more than the work of such a turn."""

When: TypeAlias = Callable[[str], float | None]
"""When an id is due by all that is known now; ``None`` if nobody wants to know about it."""

Wanted: TypeAlias = Callable[[str], bool]
"""Whether somebody wants to know about an id: what `When` tells too, for less work."""


class Agenda:
    """Ids by the time they are due: O(log n) to add and to take, O(1) to drop,
    all on average over many calls.

    An id stands here at most once; adding it again moves it. What was moved or dropped stays in
    the heap for a while, but never more than half of it.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._entry: dict[str, int] = {}
        self._serial = count()

    def __len__(self) -> int:
        return len(self._entry)

    def add(self, task_id: str, due: float) -> None:
        """Note that ``task_id`` is due at this time, in monotonic seconds."""
        serial = next(self._serial)
        self._entry[task_id] = serial
        heapq.heappush(self._heap, (due, serial, task_id))
        self._tidy()

    def drop(self, task_id: str) -> None:
        """Forget ``task_id``; it need not be here."""
        self._entry.pop(task_id, None)
        self._tidy()

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._entry) + FEW:
            self._heap = [item for item in self._heap if self._entry.get(item[2]) == item[1]]
            heapq.heapify(self._heap)

    def next_due(self) -> float | None:
        """When the first id is due, or ``None`` if there is none."""
        heap = self._heap
        while heap and self._entry.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def settle(self, now: float, most: int, when: When) -> float | None:
        """When to come back for the first id that is due, or ``None`` if there is none.

        Ids whose time has come are asked anew: those that can wait are put off, for up to
        ``most`` of them. What was learned puts off all neighbours, whose times come one by one:
        they are waited for together.
        """
        for put_off in range(most):
            due = self.next_due()
            if due is None or due > now:
                return due if due is None or not put_off else max(due, now + MOMENT)
            task_id = self._heap[0][2]
            anew = when(task_id)
            if anew is not None and anew <= now + MOMENT:
                return now
            self._put_off(task_id, anew)
        return now + MOMENT

    def _put_off(self, task_id: str, due: float | None) -> None:
        if due is None:
            self.drop(task_id)
        else:
            self.add(task_id, due)

    def take(self, now: float, size: int, when: When, wanted: Wanted | None = None) -> list[str]:
        """Up to ``size`` ids if one of them is due, else none.

        A poll costs the same for one id as for ``size``, so those that are due next ride along.
        """
        taken: list[str] = []
        for _ in range(GLANCES * size):
            due = self.next_due()
            if due is None or due > now or len(taken) == size:
                break
            task_id = self._heap[0][2]
            anew = when(task_id)
            if anew is not None and anew <= now + MOMENT:
                taken.append(self._pop())
            else:
                self._put_off(task_id, anew)
        wanted = wanted or (lambda task_id: when(task_id) is not None)
        return taken + self._neighbours(size - len(taken), wanted) if taken else []

    def _neighbours(self, size: int, wanted: Wanted) -> list[str]:
        taken: list[str] = []
        while len(taken) < size and self.next_due() is not None:
            task_id = self._pop()
            if wanted(task_id):
                taken.append(task_id)
        return taken

    def _pop(self) -> str:
        task_id = heapq.heappop(self._heap)[2]
        del self._entry[task_id]
        return task_id


class Questions:
    """The ids that polls ask about, each in at most one question at a time.

    A refused batch is asked again in portions, which come before all others. An id that was
    refused by itself is asked by itself until the service knows it.
    """

    def __init__(self) -> None:
        self.agenda = Agenda()
        self._portions: deque[list[str]] = deque()
        # Ids in an open poll or in a portion: another question about them would be one too many.
        self._asked: set[str] = set()
        self._alone: set[str] = set()

    def add(self, task_id: str, due: float) -> None:
        """Ask about ``task_id`` at this time, in monotonic seconds, unless it is asked about."""
        if task_id not in self._asked:
            self.agenda.add(task_id, due)

    def drop(self, task_id: str) -> None:
        """Ask no more about ``task_id``; a question that is under way goes on."""
        self.agenda.drop(task_id)
        self._alone.discard(task_id)

    def __len__(self) -> int:
        return len(self.agenda) + len(self._asked)

    def next_due(self, now: float, size: int, when: When) -> float | None:
        """When there is something to ask, or ``None`` if there is nothing."""
        return now if self._portions else self.agenda.settle(now, GLANCES * size, when)

    def choose(self, now: float, size: int, when: When, wanted: Wanted | None = None) -> list[str]:
        """Up to ``size`` ids to ask about now; what nobody wants to know about is dropped."""
        if self._portions:
            portion = self._portions.popleft()
            self._asked.difference_update(portion)
            ids = [task_id for task_id in portion if when(task_id) is not None]
        else:
            ids = self._due(now, size, when, wanted)
        self._asked.update(ids)
        return ids

    def _due(self, now: float, size: int, when: When, wanted: Wanted | None) -> list[str]:
        ids = self.agenda.take(now, size, when, wanted)
        self._ask_in_portions([task_id] for task_id in ids if task_id in self._alone)
        return [task_id for task_id in ids if task_id not in self._alone]

    def answered(self, ids: Sequence[str]) -> None:
        """The question about these ids is over, whatever came of it."""
        self._asked.difference_update(ids)

    def known(self, task_id: str) -> None:
        """The service knows this id: it may be asked about among others."""
        self._alone.discard(task_id)

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
