"""The schedule of polls: when each task is polled next.

A poll is due when the expected time that a finished video has been waiting unnoticed reaches the
*patience*, the waiting time that one poll is worth. The expectation is learned for each kind of
task, its action and model (`life_table`). For a kind without observations, the first poll comes
soon, and each further delay is in proportion to the task's age. So the result is noticed at most
that part of its duration late, and the number of polls grows only with the duration's logarithm.

A poll costs the same for one task as for fifty. So the fewer tasks share a poll, the longer the
patience: for a task alone it is four times as long, which doubles the delay.

Tasks of one kind and about one age that were last seen in one poll are a *cohort*: they share their
due time, so it is computed once for all of them.
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
"""The kind of tasks that another client or an earlier run submitted. Their age counts from when
this client first heard of them, so it must not be mixed with the durations of other tasks."""

KINDS = 100
"""The number of kinds that are remembered. Callers choose the names of models, so there may be
many."""

ALONE = 4.0
"""The factor on the patience of a task alone. (In proportion to the cost it would be fifty, and a
task alone would be noticed seven times later, which nobody wants to wait for.)"""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Tasks that are polled at the same times. All times are monotonic seconds.

    Attributes:
        kind: the tasks with which their durations are learned.
        accepted_at: when they were accepted, or first heard of, on average.
        seen: when they were last seen unfinished; at first, when they were accepted.
        jitter: the random factor of the next delay.
        least: the shortest delay, in addition to the policy's.
        wakes: the times of polls that do not depend on the schedule, ascending.
    """

    kind: Kind
    accepted_at: float
    seen: float
    jitter: float
    least: float = 0.0
    wakes: tuple[float, ...] = ()


class Schedule:
    """The due times of all kinds of tasks of one client."""

    def __init__(self, policy: PollPolicy) -> None:
        self._policy = policy
        self._tables: dict[Kind, LifeTable] = {}
        # The latest cohort of each kind, with the number of its tasks.
        self._latest: dict[Kind, tuple[Cohort, int]] = {}

    def new_cohort(self, kind: Kind, now: float, *, u: float) -> Cohort:
        """The cohort of a task that begins now: the one of tasks that began just before it, or a
        new one. ``u`` in [0, 1) is the jitter of its first poll."""
        cohort, tasks = self._latest.get(kind, (None, 0))
        full = tasks >= self._policy.batch_size  # the next tasks need another poll and jitter
        if cohort is None or full or now - cohort.accepted_at > SHORTEST:
            cohort, tasks = Cohort(kind, accepted_at=now, seen=now, jitter=self._jitter(u)), 0
        put(self._latest, kind, (cohort, tasks + 1), KINDS)
        return cohort

    def due(self, cohort: Cohort, *, crowd: int) -> float:
        """The time at which a cohort is due if ``crowd`` tasks share the polls."""
        delay = self.delay(cohort.kind, cohort.seen - cohort.accepted_at, crowd=crowd)
        due = cohort.seen + max(delay, cohort.least) * cohort.jitter
        return min(due, cohort.wakes[0]) if cohort.wakes else due

    def unfinished(self, cohort: Cohort, now: float, *, tasks: int = 1) -> None:
        """Learn from a poll that ended ``now`` and saw this many of its ``tasks`` unfinished."""
        since, age = cohort.seen - cohort.accepted_at, now - cohort.accepted_at
        self._table(cohort.kind).unfinished(since, age, tasks=tasks)

    def finished(self, cohort: Cohort, accepted_at: float, now: float) -> None:
        """Learn from a poll that ended ``now`` and saw the end of a task, ``accepted_at`` then."""
        self._table(cohort.kind).finished(max(cohort.seen - accepted_at, 0.0), now - accepted_at)

    def next_cohorts(
        self,
        accepted_times: Mapping[Cohort, Sequence[float]],
        started: float,
        now: float,
        *,
        u: float,
    ) -> dict[Cohort, list[Cohort]]:
        """The next cohorts of tasks that a poll from ``started`` until ``now`` saw unfinished, in
        the order of their ``accepted_times``.

        Tasks whose ages lie in one range of the life table become one cohort, since the table does
        not distinguish them. Its mean is computed from their own times: means of means would drift
        away from them.
        """
        alike: dict[tuple[Kind, float, tuple[float, ...], int], list[float]] = {}
        keys = {}
        for cohort, times in accepted_times.items():
            wakes = tuple(wake for wake in cohort.wakes if wake > started)
            keys[cohort] = [
                (cohort.kind, cohort.least, wakes, range_of(now - accepted_at))
                for accepted_at in times
            ]
            for key, accepted_at in zip(keys[cohort], times, strict=True):
                alike.setdefault(key, []).append(accepted_at)
        jitter = self._jitter(u)
        ones = {
            key: Cohort(key[0], min(fmean(times), now), now, jitter, key[1], key[2])
            for key, times in alike.items()
        }
        return {cohort: [ones[key] for key in keyed] for cohort, keyed in keys.items()}

    def delay(self, kind: Kind, age: float, *, crowd: int) -> float:
        """Seconds until the next poll of a task that was last polled at this age."""
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
        """The mean hazard between two ages before anything was observed.

        For a task alone it makes the delay ``first_delay`` at the beginning, and later
        ``growth_factor`` of the age: ``c / age²``.
        """
        policy = self._policy
        patience, growth, first = ALONE * policy.patience, policy.growth_factor, policy.first_delay
        early = max(min(first, end) - start, 0.0)
        ends = early * 2 * patience / first**2 if early else 0.0
        late = max(start, first, SHORTEST)
        if late < end:
            ends += patience / (growth - log1p(growth)) * (1 / late - 1 / end)
        return ends / (end - start)


def _price(crowd: int, policy: PollPolicy) -> float:
    """The cost of one task's part in a poll, where 1 is that in a full poll."""
    return min(max(policy.batch_size / max(crowd, 1), 1.0), ALONE)
