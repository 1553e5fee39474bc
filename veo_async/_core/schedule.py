"""When to look at which task.

A look is due when the finished video can be expected to have waited for so long as one look is
worth: the *patience*. What can be expected is learned for each kind of task, its action and model
(`durations`). Of a kind that was never looked at, nothing is known; then the first look comes soon,
and each further delay is in proportion to the task's age, so that the result is noticed at most
that part of its duration late, for a number of looks that grows only with its logarithm.

A poll costs the same for one task as for fifty. So a look is worth less where few others share it:
a task alone has four times the patience, which is twice the delay.
"""

from __future__ import annotations

from math import log1p, sqrt
from typing import TypeAlias

from ..policies import PollPolicy
from .durations import SHORTEST, LifeTable

Kind: TypeAlias = tuple[str, str | None]
"""An action and a model."""

ATTACHED: Kind = ("", None)
"""The kind of those that somebody else submitted, or an earlier run: their age counts from when
this client first heard of them, so nothing is mixed up with the durations of others."""

KINDS = 100
"""How many kinds are remembered. The names of models are the callers', so they may be many."""

ALONE = 4.0
"""How much more a look costs at most that few others share. (In full it would be fifty times
more, and a task alone would be looked at seven times later: nobody wants to wait for that.)"""


class Schedule:
    """When to look again, for all kinds of tasks of one client."""

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self._tables: dict[Kind, LifeTable] = {}

    def delay(self, kind: Kind, age: float, *, crowd: int) -> float:
        """Seconds until the next look at a task that was last looked at when it had this age.

        Args:
            kind: what kind of task it is.
            age: in seconds since its submit; 0 before the first look.
            crowd: how many tasks share the polls.
        """
        policy, price = self._policy, _price(crowd, self._policy)
        table = self._tables.get(kind)
        if table:
            delay = table.delay(age, price * policy.patience, most=policy.max_interval)
        else:
            delay = sqrt(price / ALONE) * policy.growth * age if age else policy.first
        return min(max(delay, policy.min_interval if age else 0.0), policy.max_interval)

    def unfinished(self, kind: Kind, since: float, age: float) -> None:
        """Learn that a task was unfinished at both of these ages."""
        self._table(kind).unfinished(since, age)

    def finished(self, kind: Kind, since: float, age: float) -> None:
        """Learn that a task ended between these ages."""
        self._table(kind).finished(since, age)

    def _table(self, kind: Kind) -> LifeTable:
        table = self._tables.get(kind)
        if table is None:
            if len(self._tables) >= KINDS:
                del self._tables[next(iter(self._tables))]
            table = self._tables[kind] = LifeTable(self._prior)
        return table

    def _prior(self, start: float, end: float) -> float:
        """The hazard for which the delay is ``first`` at the beginning and later ``growth`` of the
        age, for a task alone: ``c / age²``, as the mean over these ages."""
        patience, growth, first = (
            ALONE * self._policy.patience,
            self._policy.growth,
            self._policy.first,
        )
        early = max(min(first, end) - start, 0.0)
        ends = early * 2 * patience / first**2 if early else 0.0
        late = max(start, first, SHORTEST)
        if late < end:
            ends += patience / (growth - log1p(growth)) * (1 / late - 1 / end)
        return ends / (end - start)


def _price(crowd: int, policy: PollPolicy) -> float:
    """What one look costs, where 1 is its part of a full poll."""
    return min(max(policy.batch_size / max(crowd, 1), 1.0), ALONE)


def jittered(delay: float, policy: PollPolicy, *, u: float) -> float:
    """The delay, longer or shorter by chance; ``u`` in [0, 1) is the luck."""
    return delay * (1.0 + policy.jitter * (2.0 * u - 1.0))
