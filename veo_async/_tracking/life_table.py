"""The durations of videos of one kind, learned while they are made.

A poll of a task shows only that its end lies before or after this moment. At the beginning of a
batch, all that is known is how long none of it was finished. A *life table* uses both. For each
range of ages it has the number of ends that were seen and the time that tasks were seen unfinished.
The quotient is the *hazard*: ends per second among the tasks that are still unfinished at that age.
An end that lies somewhere in an interval is shared out over it by the table's own hazards (the
self-consistent estimate of B. W. Turnbull, 1976, one step for each observation).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from math import exp, sqrt

SHORTEST = 0.25
STEP = 2.0 ** (1 / 3)
STEPS = 42
EDGES = (0.0, *(SHORTEST * STEP**power for power in range(STEPS + 1)))
"""The beginnings of the ranges of ages, in seconds: each range is a quarter longer than the one
before, up to a little more than an hour. The last range has no end."""

_ENDS = (*EDGES[1:], EDGES[-1] * STEP)
_WIDTHS = tuple(end - start for start, end in zip(EDGES, _ENDS, strict=True))
_LAST = len(EDGES) - 1

PRIOR = 2.0
"""The number of tasks that the prior counts for in each range: one poll of fifty outweighs it."""

LITTLE = 10.0
"""Fewer tasks than this in a range say little about it."""

MEMORY = 200.0
"""After this many tasks in a range its counts are halved, since durations shift over time."""


class LifeTable:
    """The observed durations of one kind of task.

    Args:
        prior: the hazard between two ages before anything was observed.
    """

    __slots__ = ("_ends", "_exposure", "_hazards", "_prior")

    def __init__(self, prior: Callable[[float, float], float]) -> None:
        self._prior = [prior(start, end) for start, end in zip(EDGES, _ENDS, strict=True)]
        self._hazards = list(self._prior)
        self._ends = [0.0] * len(EDGES)
        self._exposure = [0.0] * len(EDGES)

    def unfinished(self, since: float, age: float, *, tasks: int = 1) -> None:
        """Add tasks that were unfinished at the age ``since`` and still are at this ``age``."""
        for index, seconds in _ranges(since, age):
            self._note(index, 0.0, seconds * tasks)

    def finished(self, since: float, age: float) -> None:
        """Add a task that was unfinished at the age ``since`` and is finished at this ``age``."""
        shares, alive = [], 1.0
        for index, seconds in _ranges(since, age):
            still_alive = alive * exp(-self._hazards[index] * seconds)
            shares.append((index, seconds, alive - still_alive))
            alive = still_alive
        total = sum(share for _, _, share in shares)
        open_ = 1.0
        for index, seconds, share in shares if total > 0.0 else ():
            ends = share / total
            self._note(index, ends, seconds * max(open_ - ends / 2, 0.0))
            open_ -= ends

    def _note(self, index: int, ends: float, exposure: float) -> None:
        width = _WIDTHS[index]
        self._ends[index] += ends
        self._exposure[index] += exposure
        if self._exposure[index] > MEMORY * width:
            self._ends[index] /= 2
            self._exposure[index] /= 2
        assumed = PRIOR * width
        ends = assumed * self._prior[index] + self._ends[index]
        self._hazards[index] = ends / (assumed + self._exposure[index])

    def delay(self, age: float, patience: float, *, most: float) -> float:
        """Seconds from a poll at this age until the expected delay of a finished video reaches
        ``patience`` seconds. The expected delay is the integral of the probability that the task
        is finished by then.

        With a constant hazard ``h`` that is ``sqrt(2 * patience / h)``, the interval at which the
        sum of the costs of waiting and of polling is least (R. E. Barlow and F. Proschan, 1965).
        In a range with few observations the hazard is at least that of the range before.
        """
        index = range_of(age)
        passed = chance = 0.0
        before = self._hazards[index - 1] if index else 0.0
        while passed < most:
            hazard = self._hazards[index]
            if hazard < before and self._exposure[index] < LITTLE * _WIDTHS[index]:
                hazard = before  # once tasks of an age end, older ones do as well
            seconds = _ENDS[index] - age - passed if index < _LAST else most
            waited = chance * seconds + hazard * seconds * seconds / 2
            if waited >= patience:
                root = sqrt(chance * chance + 2 * hazard * patience)
                return min(passed + 2 * patience / (chance + root), most)
            patience -= waited
            chance += hazard * seconds
            passed += seconds
            before, index = hazard, index + 1
        return most


def range_of(age: float) -> int:
    """The index of the range in which this age lies."""
    return bisect_right(EDGES, age) - 1


def _ranges(since: float, age: float) -> Iterator[tuple[int, float]]:
    """The indexes of the ranges between two ages, with the seconds in each."""
    index = range_of(since)
    while since < age:
        end = min(_ENDS[index], age) if index < _LAST else age
        yield index, end - since
        since, index = end, index + 1
