"""The poller: callers await a task, and shared polls serve all of them.

One polling task exists exactly while somebody waits: for a result, or for room in flight. A caller
that leaves, late or cancelled, never cancels a poll that serves others, and all callers of one id
share its polls.
"""

from __future__ import annotations

import asyncio
from functools import partial
from math import inf

from .._base.runtime import Runtime
from .._base.signal import Signal
from .._base.worker import Worker
from .._limits.limiter import Limiter
from .._wire.requests import poll_body
from ..models import Generation
from ..policies import PollPolicy
from . import poll_replies, wait_errors
from .poll_budget import Budget, polls_per_second
from .registry import TaskRegistry
from .schedule import Cohort
from .task import TrackedTask


class Poller:
    """Waits for the tasks of one client."""

    def __init__(
        self, limiter: Limiter, registry: TaskRegistry, policy: PollPolicy, runtime: Runtime
    ) -> None:
        self._limiter = limiter
        self._registry = registry
        self._policy = policy
        self._runtime = runtime
        self._budget = Budget()
        self._health = poll_replies.Health()
        self._quiet_until = -inf
        self._asleep_until = -inf
        self._open_polls = 0
        self._polling = Worker(self._poll_while_needed, "veo_async polls", on_failure=self._failed)
        self._closed = False

    # What callers do.

    async def wait(self, tracked: TrackedTask, timeout: float) -> Generation:
        """The result, awaited for up to ``timeout`` seconds.

        Raises:
            GenerationFailedError: the service failed the task, by its latest word.
            WaitTimeoutError: the time is over; the task continues.
            VeoError: another reason why it cannot be known; its ``task_id`` says which task.
        """
        self._runtime.check_loop()
        if not tracked.done.is_set():
            if self._closed:
                raise wait_errors.closed(tracked.task_id)
            with self._registry.waiting(tracked):
                self._wake_if_due()
                self._polling.ensure()
                await tracked.done.wait(until=_now() + timeout)
        if not tracked.done.is_set():
            raise wait_errors.too_late(tracked.task_id, timeout, tracked.status)
        return tracked.result()

    def _wake_if_due(self) -> None:
        """End the sleep of the polling task if something is due before its end. Most tasks that are
        new are due later than what it sleeps for."""
        if self._asleep_until > -inf:
            due = self._next_due(_now())
            if due is not None and due < self._asleep_until:
                self._registry.changed.set()

    @property
    def in_flight(self) -> int:
        """The number of tasks that count as in flight."""
        return self._registry.in_flight

    def watch(self, ended: Signal) -> None:
        """Poll all tasks in flight until `unwatch`, and set ``ended`` when one of them ends."""
        self._registry.watch(ended)
        self._polling.ensure()

    def unwatch(self) -> None:
        """Poll only those tasks again that somebody waits for."""
        self._registry.unwatch()

    async def aclose(self) -> None:
        """End the polling. All waits end with the error that the client was closed."""
        self._closed = True
        await self._polling.aclose()

    # The polling task.

    async def _poll_while_needed(self) -> None:
        # anyio's group would leave a poll that is cancelled before its first step never awaited.
        async with asyncio.TaskGroup() as group:
            while self._open_polls or self._registry.is_needed():
                self._registry.changed.clear()
                now = _now()
                pause = self._pause(now)
                if pause > 0:
                    self._asleep_until = now + pause
                    await self._registry.changed.wait(until=self._asleep_until)
                    self._asleep_until = -inf
                    continue
                await self._limiter.enter("poll")
                ids = self._choose(_now())
                if ids:
                    self._open_polls += 1
                    poll = group.create_task(self._poll(ids))
                    # A task that is cancelled before its first step runs nothing but this.
                    poll.add_done_callback(partial(self._if_cancelled, ids))
                else:
                    self._limiter.leave("poll")
            self._registry.queue.clear()

    def _pause(self, now: float) -> float:
        """Seconds until there is something to ask, and it may be asked."""
        allowed = max(self._quiet_until, self._budget.opens(now))
        if allowed > now:
            return allowed - now
        due = self._next_due(now)
        return inf if due is None else due - now

    def _next_due(self, now: float) -> float | None:
        return self._registry.queue.next_due(now, self._policy.batch_size, self._due)

    def _choose(self, now: float) -> list[str]:
        """The ids of the next poll."""
        registry, size = self._registry, self._policy.batch_size
        ids = registry.queue.choose(now, size, self._due, registry.is_polled)
        if ids:
            self._budget.spend(now, self._per_second())
        return ids

    def _per_second(self) -> float:
        most, tasks = self._limiter.limits.polls_per_second, len(self._registry.queue)
        return polls_per_second(self._policy, tasks=tasks, most=most)

    def _due(self, cohort: Cohort) -> float:
        return self._registry.schedule.due(cohort, crowd=len(self._registry.queue))

    def _failed(self, cause: BaseException) -> None:
        """The polling task ended by an error or was cancelled: nobody may be left waiting."""
        error = None if isinstance(cause, asyncio.CancelledError) else cause
        self._open_polls = 0
        self._registry.queue.clear()
        for tracked in self._registry.tasks_in_flight():
            task_id = tracked.task_id
            trouble = (
                wait_errors.closed(task_id) if self._closed else wait_errors.broken(task_id, error)
            )
            self._registry.give_up(tracked, trouble)

    # One poll, and what its answer changes.

    async def _poll(self, ids: list[str]) -> None:
        started, registry = _now(), self._registry
        answer = await self._limiter.post("poll", poll_body(ids), timeout=self._policy.timeout)
        self._is_over(ids)
        reading = poll_replies.read_poll(answer, ids)
        now = _now()
        self._health = poll_replies.examine(self._health, reading, started=started, now=now)
        if isinstance(reading, poll_replies.Statuses):
            self._apply(ids, reading, started)
        elif isinstance(reading, poll_replies.Bisect):
            registry.queue.halve(ids)
        elif isinstance(reading, poll_replies.IdRejected):
            for tracked in registry.unfinished(ids):
                registry.give_up(tracked, reading.error)
        else:
            u = self._runtime.rng.random()
            self._quiet_until = now + poll_replies.poll_backoff(self._health, u=u)
            registry.requeue(registry.unfinished(ids))
            self._give_up_if_hopeless(reading)
        registry.changed.set()

    def _is_over(self, ids: list[str]) -> None:
        self._open_polls -= 1
        self._registry.queue.answered(ids)
        self._limiter.leave("poll")

    def _if_cancelled(self, ids: list[str], poll: asyncio.Task[None]) -> None:
        """A poll that somebody cancelled is made again for those who still wait."""
        if poll.cancelled():
            self._is_over(ids)
            self._registry.requeue(self._registry.unfinished(ids))
            self._registry.changed.set()

    def _apply(self, ids: list[str], reading: poll_replies.Statuses, started: float) -> None:
        now, registry = _now(), self._registry
        pending: dict[Cohort, list[TrackedTask]] = {}
        unseen: list[TrackedTask] = []
        for tracked in registry.unfinished(ids):
            shown = reading.statuses.get(tracked.task_id)
            event = shown and tracked.observe(shown, now)
            if event is None:
                unseen.append(tracked)
            elif event.state == "pending":
                pending.setdefault(tracked.cohort, []).append(tracked)
            else:
                registry.schedule.finished(tracked.cohort, tracked.accepted_at, now)
            if event and event is not tracked.status:
                registry.update(tracked, event)
        for cohort, tasks in pending.items():
            registry.schedule.unfinished(cohort, now, tasks=len(tasks))
        for tracked in unseen:
            if now - tracked.seen_at <= self._policy.not_found_grace:
                # A task that was just submitted may not be listed yet.
                pending.setdefault(tracked.cohort, []).append(tracked)
            else:
                registry.give_up(tracked, wait_errors.unknown(tracked, now))
        registry.queue.known(reading.statuses)
        registry.queue.learned()
        self._reschedule(pending, started, now)

    def _reschedule(
        self, pending: dict[Cohort, list[TrackedTask]], started: float, now: float
    ) -> None:
        accepted_times = {
            cohort: [task.accepted_at for task in tasks] for cohort, tasks in pending.items()
        }
        u = self._runtime.rng.random()
        cohorts = self._registry.schedule.next_cohorts(accepted_times, started, now, u=u)
        for cohort, tasks in pending.items():
            for tracked, one in zip(tasks, cohorts[cohort], strict=True):
                tracked.cohort = one
            self._registry.requeue(tasks)

    def _give_up_if_hopeless(self, reading: poll_replies.Reading) -> None:
        if not poll_replies.is_hopeless(self._health, self._policy):
            return
        for tracked in self._registry.tasks_in_flight():
            self._registry.give_up(tracked, wait_errors.hopeless(tracked.task_id, reading))
        # Polls that are still under way belong to the same failure.
        self._health = poll_replies.Health(since=_now())
        self._quiet_until = -inf


def _now() -> float:
    # The loop's own, since anyio's clock may not be read in a callback before anyio 4.12.
    return asyncio.get_running_loop().time()
