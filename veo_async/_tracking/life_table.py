"""How long videos of one kind take, learned while they are made.

A look at a task says only that its end lies before or after this moment, and most of what is known
of a batch at first is how long none of it was finished. A *life table* uses all of that: for each
range of ages how many ends were seen in it, and for how long tasks were seen unfinished in it. The
quotient is the *hazard*: ends per second among those that are still unfinished at that age. An end
that lies somewhere in an interval is shared out over it as the table itself would (the
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
"""Where the ranges of ages begin, in seconds: each is a quarter longer than the one before, up to
an hour and a bit. The last range has no end."""

_ENDS = (*EDGES[1:], EDGES[-1] * STEP)
_WIDTHS = tuple(end - start for start, end in zip(EDGES, _ENDS, strict=True))
_LAST = len(EDGES) - 1

PRIOR = 2.0
"""For how many tasks the prior counts in each range: one poll of fifty outweighs it."""

LITTLE = 10.0
"""So few tasks in a range say little."""

MEMORY = 200.0
"""When so many tasks went through a range, what is known of it is halved: durations shift."""


class LifeTable:
    """What is known of the durations of one kind of task.

    Args:
        prior: the hazard between two ages where nothing was seen yet.
    """

    __slots__ = ("_ends", "_exposure", "_hazards", "_prior")

    def __init__(self, prior: Callable[[float, float], float]) -> None:
        self._prior = [prior(start, end) for start, end in zip(EDGES, _ENDS, strict=True)]
        self._hazards = list(self._prior)
        self._ends = [0.0] * len(EDGES)
        self._exposure = [0.0] * len(EDGES)

    def unfinished(self, since: float, age: float, *, tasks: int = 1) -> None:
        """So many tasks that were unfinished at the age ``since`` were so still at this ``age``."""
        for place, seconds in _ranges(since, age):
            self._note(place, 0.0, seconds * tasks)

    def finished(self, since: float, age: float) -> None:
        """A task that was unfinished at the age ``since`` was finished at this ``age``."""
        shares, alive = [], 1.0
        for place, seconds in _ranges(since, age):
            still_alive = alive * exp(-self._hazards[place] * seconds)
            shares.append((place, seconds, alive - still_alive))
            alive = still_alive
        total = sum(share for _, _, share in shares)
        open_ = 1.0
        for place, seconds, share in shares if total > 0.0 else ():
            ends = share / total
            self._note(place, ends, seconds * max(open_ - ends / 2, 0.0))
            open_ -= ends

    def _note(self, place: int, ends: float, exposure: float) -> None:
        width = _WIDTHS[place]
        self._ends[place] += ends
        self._exposure[place] += exposure
        if self._exposure[place] > MEMORY * width:
            self._ends[place] /= 2
            self._exposure[place] /= 2
        assumed = PRIOR * width
        ends = assumed * self._prior[place] + self._ends[place]
        self._hazards[place] = ends / (assumed + self._exposure[place])

    def delay(self, age: float, patience: float, *, most: float) -> float:
        """Seconds from a look at this age until a finished video can be expected to have waited
        for ``patience`` seconds: the integral of the chance that it is finished by then.

        With a steady hazard ``h`` that is ``sqrt(2 * patience / h)``, the interval at which the
        costs of waiting and of looking are least in sum (R. E. Barlow and F. Proschan, 1965).
        Where little was seen, the hazard is at least that of the range before.
        """
        place = range_of(age)
        passed = chance = 0.0
        before = self._hazards[place - 1] if place else 0.0
        while passed < most:
            hazard = self._hazards[place]
            if hazard < before and self._exposure[place] < LITTLE * _WIDTHS[place]:
                hazard = before  # what has begun to end goes on ending
            seconds = _ENDS[place] - age - passed if place < _LAST else most
            waited = chance * seconds + hazard * seconds * seconds / 2
            if waited >= patience:
                root = sqrt(chance * chance + 2 * hazard * patience)
                return min(passed + 2 * patience / (chance + root), most)
            patience -= waited
            chance += hazard * seconds
            passed += seconds
            before, place = hazard, place + 1
        return most


def range_of(age: float) -> int:
    """In which of the ranges of ages this one lies."""
    return bisect_right(EDGES, age) - 1


def _ranges(since: float, age: float) -> Iterator[tuple[int, float]]:
    """How many seconds between two ages lie in which range."""
    place = range_of(since)
    while since < age:
        end = min(_ENDS[place], age) if place < _LAST else age
        yield place, end - since
        since, place = end, place + 1
