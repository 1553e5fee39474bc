"""When to look at which task.

A look is due when the finished video can be expected to have waited for so long as one look is
worth: the *patience*. What can be expected is learned for each kind of task, its action and model
(`durations`). Of a kind that was never looked at, nothing is known; then the first look comes soon,
and each further delay is in proportion to the task's age, so that the result is noticed at most
that part of its duration late, for a number of looks that grows only with its logarithm.

A poll costs the same for one task as for fifty. So a look is worth less where few others share it:
a task alone has four times the patience, which is twice the delay.

Tasks of one kind and about one age that were last seen in one poll are a *cohort*: whatever is said
or learned of one of them holds for all, so it is reckoned once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log1p, sqrt
from statistics import fmean
from typing import TypeAlias

from .._base.lru import put
from ..policies import PollPolicy
from .life_table import SHORTEST, LifeTable, range_of

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


@dataclass(frozen=True, slots=True)
class Cohort:
    """When to look at some tasks that share all that matters for it. All times are monotonic
    seconds.

    Attributes:
        kind: with which others their durations are learned.
        born: when they were accepted, or first heard of, on average.
        seen: when they were last seen unfinished; at first when they were born.
        jitter: the factor of the next delay.
        least: the shortest delay, beside the policy's.
        wakes: when to look whatever the schedule says, ascending.
    """

    kind: Kind
    accepted_at: float
    seen: float
    jitter: float
    least: float = 0.0
    wakes: tuple[float, ...] = ()


class Schedule:
    """When to look again, for all kinds of tasks of one client."""

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self._tables: dict[Kind, LifeTable] = {}
        # The latest cohort of each kind, and how many have joined it.
        self._newborn: dict[Kind, tuple[Cohort, int]] = {}

    def new_cohort(self, kind: Kind, now: float, *, u: float) -> Cohort:
        """The cohort of a task that begins now: that of the others which began just before it, or
        a new one; ``u`` in [0, 1) jitters its first look."""
        cohort, tasks = self._newborn.get(kind, (None, 0))
        full = tasks >= self._policy.batch_size  # so many share a poll; the next ones, a jitter
        if cohort is None or full or now - cohort.accepted_at > SHORTEST:
            cohort, tasks = Cohort(kind, accepted_at=now, seen=now, jitter=self._jitter(u)), 0
        put(self._newborn, kind, (cohort, tasks + 1), KINDS)
        return cohort

    def due(self, cohort: Cohort, *, crowd: int) -> float:
        """When to look, by all that is known now; ``crowd`` tasks share the polls."""
        delay = self.delay(cohort.kind, cohort.seen - cohort.accepted_at, crowd=crowd)
        due = cohort.seen + max(delay, cohort.least) * cohort.jitter
        return min(due, cohort.wakes[0]) if cohort.wakes else due

    def unfinished(self, cohort: Cohort, now: float, *, tasks: int = 1) -> None:
        """A look that ended ``now`` saw so many of its tasks unfinished."""
        since, age = cohort.seen - cohort.accepted_at, now - cohort.accepted_at
        self._table(cohort.kind).unfinished(since, age, tasks=tasks)

    def finished(self, cohort: Cohort, accepted_at: float, now: float) -> None:
        """A look that ended ``now`` saw the end of one of its tasks, which itself was born then."""
        self._table(cohort.kind).finished(max(cohort.seen - accepted_at, 0.0), now - accepted_at)

    def go_on(
        self,
        accepted_times: Mapping[Cohort, Sequence[float]],
        started: float,
        now: float,
        *,
        u: float,
    ) -> dict[Cohort, list[Cohort]]:
        """The cohorts in which tasks go on after a look from ``started`` until ``now`` did not see
        their ends, in the order of their ``accepted_times``.

        Those whose ages lie in one range go on together: within it a life table knows no ages. It
        is their own ages that count: the means of means would drift away from them.
        """
        alike: dict[tuple[Kind, float, tuple[float, ...], int], list[float]] = {}
        marks = {}
        for cohort, born_at in accepted_times.items():
            wakes = tuple(wake for wake in cohort.wakes if wake > started)
            marks[cohort] = [
                (cohort.kind, cohort.least, wakes, range_of(now - accepted_at))
                for accepted_at in born_at
            ]
            for mark, accepted_at in zip(marks[cohort], born_at, strict=True):
                alike.setdefault(mark, []).append(accepted_at)
        jitter = self._jitter(u)
        ones = {
            mark: Cohort(mark[0], min(fmean(born_at), now), now, jitter, mark[1], mark[2])
            for mark, born_at in alike.items()
        }
        return {cohort: [ones[mark] for mark in marked] for cohort, marked in marks.items()}

    def delay(self, kind: Kind, age: float, *, crowd: int) -> float:
        """Seconds until the next look at a task that was last looked at when it had this age."""
        policy, price = self._policy, _price(crowd, self._policy)
        least, most = policy.min_interval, policy.max_interval
        if not age:
            least, most = 0.0, max(most, policy.first_delay)
        table = self._tables.get(kind)
        if table:
            delay = table.delay(age, price * policy.patience, most=most)
        else:
            delay = sqrt(price / ALONE) * policy.growth_factor * age if age else policy.first_delay
        return min(max(delay, least), most)

    def _jitter(self, u: float) -> float:
        return 1.0 + self._policy.jitter * (2.0 * u - 1.0)

    def _table(self, kind: Kind) -> LifeTable:
        table = self._tables.get(kind)
        if table is None:
            table = LifeTable(self._prior)
            put(self._tables, kind, table, KINDS)
        return table

    def _prior(self, start: float, end: float) -> float:
        """The hazard for which the delay is ``first`` at the beginning and later ``growth`` of the
        age, for a task alone: ``c / age²``, as the mean over these ages."""
        policy = self._policy
        patience, growth, first = ALONE * policy.patience, policy.growth_factor, policy.first_delay
        early = max(min(first, end) - start, 0.0)
        ends = early * 2 * patience / first**2 if early else 0.0
        late = max(start, first, SHORTEST)
        if late < end:
            ends += patience / (growth - log1p(growth)) * (1 / late - 1 / end)
        return ends / (end - start)


def _price(crowd: int, policy: PollPolicy) -> float:
    """What one look costs, where 1 is its part of a full poll."""
    return min(max(policy.batch_size / max(crowd, 1), 1.0), ALONE)
