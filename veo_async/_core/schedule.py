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

from dataclasses import dataclass
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


@dataclass(slots=True)
class Watch:
    """What matters of one task for when to look at it. All times are monotonic seconds.

    Attributes:
        kind: with which others its duration is learned.
        born: when it was accepted, or first heard of.
        seen: when it was last seen unfinished; at first when it was born.
        jitter: the factor of the next delay.
        least: the shortest delay, beside the policy's.
        wakes: when to look whatever the schedule says, ascending.
    """

    kind: Kind
    born: float
    seen: float
    jitter: float
    least: float = 0.0
    wakes: tuple[float, ...] = ()


class Schedule:
    """When to look again, for all kinds of tasks of one client."""

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self._tables: dict[Kind, LifeTable] = {}

    def watch(self, kind: Kind, now: float, *, u: float) -> Watch:
        """A task that begins now; ``u`` in [0, 1) jitters its first look."""
        return Watch(kind, born=now, seen=now, jitter=self._jitter(u))

    def due(self, watch: Watch, *, crowd: int) -> float:
        """When to look at a task, by all that is known now; ``crowd`` tasks share the polls."""
        delay = self.delay(watch.kind, watch.seen - watch.born, crowd=crowd)
        due = watch.seen + max(delay, watch.least) * watch.jitter
        return min(due, watch.wakes[0]) if watch.wakes else due

    def unfinished(self, watch: Watch, started: float, now: float, *, u: float) -> None:
        """A look from ``started`` until ``now`` saw the task unfinished."""
        self._table(watch.kind).unfinished(watch.seen - watch.born, now - watch.born)
        self.unseen(watch, started, now, u=u)

    def unseen(self, watch: Watch, started: float, now: float, *, u: float) -> None:
        """A look from ``started`` until ``now`` did not show the task."""
        watch.seen, watch.jitter = now, self._jitter(u)
        if watch.wakes:
            watch.wakes = tuple(wake for wake in watch.wakes if wake > started)

    def finished(self, watch: Watch, now: float) -> None:
        """A look that ended ``now`` saw the task's end."""
        self._table(watch.kind).finished(watch.seen - watch.born, now - watch.born)

    def delay(self, kind: Kind, age: float, *, crowd: int) -> float:
        """Seconds until the next look at a task that was last looked at when it had this age."""
        policy, price = self._policy, _price(crowd, self._policy)
        least, most = policy.min_interval, policy.max_interval
        if not age:
            least, most = 0.0, max(most, policy.first)
        table = self._tables.get(kind)
        if table:
            delay = table.delay(age, price * policy.patience, most=most)
        else:
            delay = sqrt(price / ALONE) * policy.growth * age if age else policy.first
        return min(max(delay, least), most)

    def _jitter(self, u: float) -> float:
        return 1.0 + self._policy.jitter * (2.0 * u - 1.0)

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
        policy = self._policy
        patience, growth, first = ALONE * policy.patience, policy.growth, policy.first
        early = max(min(first, end) - start, 0.0)
        ends = early * 2 * patience / first**2 if early else 0.0
        late = max(start, first, SHORTEST)
        if late < end:
            ends += patience / (growth - log1p(growth)) * (1 / late - 1 / end)
        return ends / (end - start)


def _price(crowd: int, policy: PollPolicy) -> float:
    """What one look costs, where 1 is its part of a full poll."""
    return min(max(policy.batch_size / max(crowd, 1), 1.0), ALONE)
