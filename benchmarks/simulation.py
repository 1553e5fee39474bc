"""Ways to look at tasks, simulated: how many polls they take, and how late they notice the end.

No clock and no network: a poll reads the service at the moment when it is sent, and its answer is
there `ANSWER` seconds later, for every way alike. `learned` runs the library's own schedule and
questions; the others are what one writes by hand.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random

from veo_async import PollPolicy
from veo_async._tracking.poll_budget import Budget, polls_per_second
from veo_async._tracking.poll_queue import PollQueue
from veo_async._tracking.schedule import Cohort, Kind, Schedule

ANSWER = 0.1
"""Seconds from a poll to its answer."""

BATCH = 50
"""Ids in one poll, as the vendor recommends."""

VIDEO: Kind = ("text2video", "veo3-fast")


@dataclass(frozen=True, slots=True)
class Job:
    """One video: when it is submitted, how long it takes, and what kind it is."""

    accepted_at: float
    duration: float
    kind: Kind = VIDEO

    @property
    def end(self) -> float:
        """When it is finished."""
        return self.accepted_at + self.duration


@dataclass(frozen=True, slots=True)
class Outcome:
    """What it took: the number of polls, and for each video how late its end was noticed."""

    polls: int
    delays: Sequence[float]

    @property
    def requests(self) -> float:
        """Requests a video, its submit included."""
        return 1.0 + self.polls / len(self.delays)

    def delay(self, part: float) -> float:
        """The delay that this part of the videos does not exceed."""
        return sorted(self.delays)[math.ceil(part * len(self.delays)) - 1]


def pooled(outcomes: Iterable[Outcome]) -> Outcome:
    """Several runs as if they were one."""
    runs = list(outcomes)
    delays = [delay for run in runs for delay in run.delays]
    return Outcome(sum(run.polls for run in runs), delays)


def jobs(
    count: int, mean: float, sigma: float, *, seed: int, every: float = 0.0, kind: Kind = VIDEO
) -> list[Job]:
    """Videos of log-normal durations, submitted at once or one ``every`` so many seconds."""
    rng, median = Random(seed), math.log(mean) - sigma**2 / 2
    return [Job(every * number, rng.lognormvariate(median, sigma), kind) for number in range(count)]


def alone(work: Sequence[Job], interval: float) -> Outcome:
    """Each task by itself, in a fixed interval."""
    looks = [max(math.ceil(job.duration / interval), 1) for job in work]
    delays = [
        count * interval + ANSWER - job.duration for count, job in zip(looks, work, strict=True)
    ]
    return Outcome(sum(looks), delays)


def all_together(work: Sequence[Job], interval: float) -> Outcome:
    """All that are unfinished, in a fixed interval, in as many polls as that takes."""
    now, polls, delays = 0.0, 0, []
    waiting = list(work)
    while waiting:
        now += interval
        asked = [job for job in waiting if job.accepted_at < now]
        polls += math.ceil(len(asked) / BATCH)
        delays += [now + ANSWER - job.end for job in asked if job.end <= now]
        waiting = [job for job in waiting if job.end > now]
    return Outcome(polls, delays)


def round_robin(work: Sequence[Job], per_second: float) -> Outcome:
    """One after the other of those that are unfinished, in steady polls."""
    now, polls, delays = 0.0, 0, []
    coming, ring = deque(sorted(work, key=lambda job: job.accepted_at)), deque[Job]()
    while coming or ring:
        now += 1.0 / per_second
        while coming and coming[0].accepted_at < now:
            ring.append(coming.popleft())
        asked = [ring.popleft() for _ in range(min(BATCH, len(ring)))]
        polls += bool(asked)
        delays += [now + ANSWER - job.end for job in asked if job.end <= now]
        ring.extend(job for job in asked if job.end > now)
    return Outcome(polls, delays)


def learned(
    work: Sequence[Job], policy: PollPolicy, *, schedule: Schedule | None = None, seed: int = 1
) -> Outcome:
    """The library's own way; with a ``schedule`` that has seen other videos before, if given."""
    run = _Learned(work, policy, schedule or Schedule(policy), Random(seed))
    while run.step():
        pass
    return Outcome(run.polls, run.delays)


@dataclass(slots=True)
class _Learned:
    """The tracker's loop, with a number in the place of a task's id."""

    work: Sequence[Job]
    policy: PollPolicy
    schedule: Schedule
    rng: Random
    now: float = 0.0
    polls: int = 0
    delays: list[float] = field(default_factory=list)
    questions: PollQueue = field(default_factory=PollQueue)
    cohorts: dict[str, Cohort] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    coming: deque[int] = field(init=False)
    answers: deque[tuple[float, list[str]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.coming = deque(sorted(range(len(self.work)), key=lambda i: self.work[i].accepted_at))

    def step(self) -> bool:
        """Go on to the next thing that happens; whether there was one."""
        self._submit()
        self._hear()
        if self._next_ask() <= self.now:
            self._ask()
        nexts = [due for due in [self._next_ask()] if due < inf]
        nexts += [self.work[self.coming[0]].accepted_at] if self.coming else []
        nexts += [self.answers[0][0]] if self.answers else []
        self.now = max(self.now, min(nexts, default=self.now))
        return bool(nexts)

    def _next_ask(self) -> float:
        due = self.questions.next_due(self.now, self.policy.batch_size, self._when)
        return inf if due is None else max(due, self.budget.opens(self.now))

    def _submit(self) -> None:
        while self.coming and self.work[self.coming[0]].accepted_at <= self.now:
            number = self.coming.popleft()
            task_id, kind = str(number), self.work[number].kind
            self._add(task_id, self.schedule.new_cohort(kind, self.now, u=self.rng.random()))

    def _when(self, cohort: Cohort) -> float:
        return self.schedule.due(cohort, crowd=len(self.questions))

    def _add(self, task_id: str, cohort: Cohort) -> None:
        self.cohorts[task_id] = cohort
        self.questions.add(task_id, cohort)

    def _ask(self) -> None:
        size = self.policy.batch_size
        ids = self.questions.choose(self.now, size, self._when, bool)
        if ids:
            tasks = len(self.questions)
            self.budget.spend(self.now, polls_per_second(self.policy, tasks=tasks, most=inf))
            self.polls += 1
            self.answers.append((self.now + ANSWER, ids))

    def _hear(self) -> None:
        while self.answers and self.answers[0][0] <= self.now:
            _, ids = self.answers.popleft()
            self.questions.answered(ids)
            self._look(ids, started=self.now - ANSWER)

    def _look(self, ids: list[str], *, started: float) -> None:
        going_on = [task_id for task_id in ids if self.work[int(task_id)].end > started]
        for task_id in [task_id for task_id in ids if task_id not in going_on]:
            job = self.work[int(task_id)]
            self.schedule.finished(self.cohorts[task_id], job.accepted_at, self.now)
            self.delays.append(self.now - job.end)
        pending: dict[Cohort, list[str]] = {}
        for task_id in going_on:
            pending.setdefault(self.cohorts[task_id], []).append(task_id)
        for cohort, tasks in pending.items():
            self.schedule.unfinished(cohort, self.now, tasks=len(tasks))
        self.questions.learned()
        accepted_times = {
            cohort: [self.work[int(task_id)].accepted_at for task_id in tasks]
            for cohort, tasks in pending.items()
        }
        cohorts = self.schedule.next_cohorts(accepted_times, started, self.now, u=self.rng.random())
        for cohort, tasks in pending.items():
            for task_id, one in zip(tasks, cohorts[cohort], strict=True):
                self._add(task_id, one)
