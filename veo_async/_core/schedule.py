"""When to look at which task.

Nothing is known of a task's duration beforehand, so the delay between two looks grows in
proportion to its age: whatever the duration turns out to be, the result is noticed at most that
part of it late, for a number of looks that grows only with the logarithm of the duration.
"""

from __future__ import annotations

import heapq
from itertools import count

from ..policies import PollPolicy


def next_look(age: float, policy: PollPolicy, *, u: float) -> float:
    """Seconds until the next look at a task of this age; ``u`` in [0, 1) jitters it."""
    delay = min(max(age * policy.growth, policy.min_interval), policy.max_interval)
    return delay * _jitter(policy, u)


def first_look(policy: PollPolicy, *, u: float) -> float:
    """Seconds from the submit to the first look."""
    return policy.first * _jitter(policy, u)


def _jitter(policy: PollPolicy, u: float) -> float:
    return 1.0 + policy.jitter * (2.0 * u - 1.0)


FEW = 64
"""So few entries too many are not worth the work of throwing them out."""


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

    def take(self, now: float, size: int) -> list[str]:
        """Up to ``size`` ids if one of them is due, else none.

        A poll costs the same for one id as for ``size``, so those that are due next ride along.
        """
        due = self.next_due()
        if due is None or due > now:
            return []
        taken: list[str] = []
        while len(taken) < size and self.next_due() is not None:
            task_id = heapq.heappop(self._heap)[2]
            del self._entry[task_id]
            taken.append(task_id)
        return taken
