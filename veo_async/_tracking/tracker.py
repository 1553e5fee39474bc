"""The tracker: callers await a task id, and shared polls serve all of them.

One polling task exists exactly while somebody waits: for a result, or for room in flight. A caller
that leaves, late or cancelled, never cancels a poll that serves others, and all callers of one id
share its polls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from weakref import WeakValueDictionary

from .._base.runtime import Runtime
from .._base.signal import Signal
from .._base.worker import Worker
from .._events import UNKNOWN, EventContext, EventEmitter
from .._limits.limiter import Limiter
from .._wire.arguments import read_task_id
from .._wire.requests import poll_body
from .._wire.task_status import PENDING, TaskStatus, advance
from ..callbacks._registry import GATHER, CallbackHandle, PollTimes
from ..errors import VeoError
from ..models import Generation, TaskRecord
from ..policies import PollPolicy
from . import poll_budget, poll_replies, wait_errors
from .poll_queue import PollQueue
from .schedule import ATTACHED, Cohort, Kind, Schedule
from .task import TrackedTask

logger = logging.getLogger("veo_async")

FORGOTTEN = 3600.0
"""Seconds after which a task that nobody asks about is not counted any more: as long as a wait
without a timeout of its own."""


class Tracker:
    """All tasks that somebody has a hold of."""

    def __init__(
        self, limiter: Limiter, policy: PollPolicy, runtime: Runtime, events: EventEmitter
    ) -> None:
        self._events = events
        self._limiter = limiter
        self._policy = policy
        self._runtime = runtime
        self._tasks: WeakValueDictionary[str, TrackedTask] = WeakValueDictionary()
        # In flight: unfinished, and submitted here or waited for. The others live as long as a
        # caller holds their handle.
        self._kept: dict[str, TrackedTask] = {}
        self._questions = PollQueue()
        self._schedule = Schedule(policy)
        self._room: Signal | None = None  # while somebody queues for room in flight
        self._open_polls = 0
        self._health = poll_replies.Health()
        self._quiet_until = float("-inf")
        self._last_poll = float("-inf")
        self._budget = poll_budget.Budget(policy.per_second)
        self._wake = Signal()
        self._asleep_until = float("-inf")
        self._polling = Worker(
            self._poll_while_watched, "veo_async polls", on_failure=self._polling_failed
        )
        self._closed = False

    # What callers do.

    def follow(
        self,
        task_id: str,
        status: TaskStatus = PENDING,
        *,
        context: EventContext = UNKNOWN,
        kind: Kind = ATTACHED,
    ) -> TrackedTask:
        """The task with this id, at least as far as ``status`` says; of this ``kind`` if it was
        accepted just now."""
        tracked = self._tasks.get(task_id)
        if tracked is None or tracked.trouble:
            handles, now = tracked.handles if tracked else (), _now()
            cohort = self._schedule.new_cohort(kind, now, u=self._runtime.rng.random())
            tracked = TrackedTask(task_id, cohort, accepted_at=now, context=context)
            for handle in handles:
                self.expect(tracked, handle)
            if task_id:
                self._tasks[task_id] = tracked
        self._update(tracked, status)
        return tracked

    def attach(self, task_id: str, *, context: EventContext = UNKNOWN) -> TrackedTask:
        """The task with this id, submitted who knows when: the first look is at once.

        Raises:
            InvalidRequestError: this is no id.
        """
        task_id = read_task_id(task_id)
        known = self._tasks.get(task_id)
        tracked = self.follow(task_id, context=context)
        if tracked is not known:
            tracked.cohort = replace(tracked.cohort, wakes=(tracked.cohort.accepted_at,))
        return tracked

    def renew(self, tracked: TrackedTask) -> TrackedTask:
        """The same task; if there was trouble, waiting for it begins anew."""
        if not tracked.trouble:
            return tracked
        return self.follow(tracked.task_id, tracked.status, context=tracked.context)

    @property
    def in_flight(self) -> int:
        """The number of unfinished tasks that were submitted here or are waited for."""
        return len(self._kept)

    def count(self, tracked: TrackedTask) -> bool:
        """Count a task that was just submitted as in flight until it ends; returns whether it is
        counted now and was not before, since the service may give one id twice."""
        if tracked.done.is_set() or self._closed or tracked.is_ours:
            return False
        tracked.is_ours = True
        self._evict_idle()
        self._kept[tracked.task_id] = tracked
        if self._is_watched(tracked):
            self._watch(tracked)
        return True

    def _evict_idle(self) -> None:
        """Take for finished what nobody asked for in a long time: who submits for ever and never
        waits must not fill the memory."""
        while oldest := next(iter(self._kept.values()), None):
            if oldest.waiters or self._room or _now() - oldest.cohort.seen < FORGOTTEN:
                return
            del self._kept[oldest.task_id]
            oldest.is_ours = False

    async def wait(self, tracked: TrackedTask, timeout: float) -> Generation:
        """The result, awaited for up to ``timeout`` seconds.

        Raises:
            GenerationFailedError: the service failed the task.
            WaitTimeoutError: the time is over; the task goes on.
            VeoError: another reason why it cannot be known; its ``task_id`` says which task.
        """
        if not tracked.done.is_set():
            self._check_open(tracked.task_id)
            with self._waiting(tracked):
                await tracked.done.wait(until=_now() + timeout)
        if not tracked.done.is_set():
            raise wait_errors.too_late(tracked.task_id, timeout, tracked.status)
        return tracked.result()

    @contextmanager
    def _waiting(self, tracked: TrackedTask) -> Iterator[None]:
        tracked.waiters += 1
        # One that was submitted elsewhere, or in an earlier run, is in flight all the same.
        self._watch(tracked)
        self._polling.ensure()
        try:
            yield
        finally:
            tracked.waiters -= 1
            self._left(tracked)

    def watch(self, ended: Signal) -> None:
        """Poll all tasks in flight until `unwatch`, and set ``ended`` when one of them ends."""
        if self._room is None:
            self._room = ended
            for tracked in self._kept.values():
                if not tracked.waiters:  # else it is asked about anyhow
                    self._requeue(tracked)
            self._wake.set()
        self._polling.ensure()

    def unwatch(self) -> None:
        """Poll only those tasks again that somebody waits for."""
        if self._room:
            self._room = None
            for tracked in self._kept.values():
                if not tracked.waiters:
                    self._questions.drop(tracked.task_id)
            self._wake.set()

    def _watch(self, tracked: TrackedTask) -> None:
        self._kept[tracked.task_id] = tracked
        self._requeue(tracked)
        if self._asleep_until > float("-inf"):
            due = self._next_due(_now())
            if due is not None and due < self._asleep_until:  # most are due later than what is next
                self._wake.set()

    def _left(self, tracked: TrackedTask) -> None:
        """A waiter has left."""
        if self._is_in_flight(tracked) and not tracked.waiters:
            if not tracked.is_ours:
                self._remove(tracked)
            elif not self._room:
                self._questions.drop(tracked.task_id)
        self._wake.set()

    def _remove(self, tracked: TrackedTask) -> None:
        """The task is in flight no longer."""
        if self._is_in_flight(tracked):
            del self._kept[tracked.task_id]
            self._questions.drop(tracked.task_id)
            if self._room:
                self._room.set()

    def _is_in_flight(self, tracked: TrackedTask) -> bool:
        # Another `TrackedTask` may have its id by now, if there was trouble with this one.
        return self._kept.get(tracked.task_id) is tracked

    def _is_watched(self, tracked: TrackedTask) -> bool:
        return self._is_in_flight(tracked) and bool(tracked.waiters or self._room)

    # What is learned.

    def expect(self, tracked: TrackedTask, handle: CallbackHandle) -> None:
        """A callback may come for this task, which keeps the ticket: polls are a safety net."""
        tracked.cohort = replace(tracked.cohort, least=self._policy.callback_interval)
        tracked.handles = (*tracked.handles, handle)
        if self._is_watched(tracked):
            self._requeue(tracked)

    def hint(self, task_id: str, wakes: PollTimes) -> None:
        """A callback came: look at these times. Nothing is believed of what it said."""
        tracked = self._tasks.get(task_id)
        if tracked is None or tracked.done.is_set():
            return
        wakes = (max(wakes[0], self._last_poll + GATHER), *wakes[1:])
        tracked.cohort = replace(tracked.cohort, wakes=wakes)
        if self._is_watched(tracked):
            self._requeue(tracked)
            self._wake.set()

    def apply_record(self, tracked: TrackedTask, record: TaskRecord) -> None:
        """Take note of a record that somebody else asked for."""
        self._update(tracked, TaskStatus(record.state, record.generation, record.error))

    def _update(self, tracked: TrackedTask, event: TaskStatus) -> None:
        if event.warning and event.warning != tracked.status.warning:
            logger.warning("task %s: %s", tracked.task_id, event.warning)
        tracked.status = advance(tracked.status, event)
        if tracked.status.state != "pending":
            self._emit_end(tracked)
            self._finish(tracked)

    def _emit_end(self, tracked: TrackedTask) -> None:
        """Only the first who learns of the end of a task emits it."""
        if self._events and not tracked.done.is_set():
            context, status, at = tracked.context, tracked.status, self._events.now()
            self._events.emit(wait_errors.event_of_end(context, tracked.task_id, status, at=at))

    def _finish_with(self, tracked: TrackedTask, trouble: VeoError) -> None:
        # One that is over stays here until its waiters have run: its end must not be spoilt.
        if not tracked.done.is_set():
            tracked.trouble = trouble
            self._finish(tracked)

    def _finish(self, tracked: TrackedTask) -> None:
        tracked.done.set()
        self._remove(tracked)
        self._wake.set()

    # The polling task.

    async def _poll_while_watched(self) -> None:
        # anyio's group would leave a poll that is cancelled before its first step never awaited.
        async with asyncio.TaskGroup() as group:
            while self._open_polls or self._somebody_waits():
                self._wake.clear()
                now = _now()
                pause = self._pause(now)
                if pause > 0:
                    self._asleep_until = now + pause
                    await self._wake.wait(until=self._asleep_until)
                    self._asleep_until = float("-inf")
                    continue
                await self._limiter.enter("poll")
                ids = self._choose(_now())
                if ids:
                    self._open_polls += 1
                    group.create_task(self._poll(ids))
                else:
                    self._limiter.leave("poll")
            self._questions.clear()

    def _somebody_waits(self) -> bool:
        return self._room is not None or any(task.waiters for task in self._kept.values())

    def _pause(self, now: float) -> float:
        """Seconds until there is something to ask, and it may be asked."""
        allowed = max(self._quiet_until, self._budget.opens(now))
        if allowed > now:
            return allowed - now
        due = self._next_due(now)
        return float("inf") if due is None else due - now

    def _next_due(self, now: float) -> float | None:
        return self._questions.next_due(now, self._policy.batch_size, self._due)

    def _choose(self, now: float) -> list[str]:
        """The ids of the next poll."""
        size = self._policy.batch_size
        ids = self._questions.choose(now, size, self._due, self._is_wanted)
        if ids:
            self._last_poll = now
            self._budget.spend(now)
        return ids

    def _is_wanted(self, task_id: str) -> bool:
        return task_id in self._kept and self._is_watched(self._kept[task_id])

    def _due(self, cohort: Cohort) -> float:
        return self._schedule.due(cohort, crowd=len(self._questions))

    def _requeue(self, tracked: TrackedTask) -> None:
        self._questions.add(tracked.task_id, tracked.cohort)

    async def _poll(self, ids: list[str]) -> None:
        started = _now()
        try:
            answer = await self._limiter.post("poll", poll_body(ids), timeout=self._policy.timeout)
        finally:
            self._open_polls -= 1
            self._questions.answered(ids)
            self._limiter.leave("poll")
        reading = poll_replies.read_poll(answer, ids)
        now = _now()
        self._health = poll_replies.examine(self._health, reading, started=started, now=now)
        if isinstance(reading, poll_replies.Statuses):
            self._apply_poll(ids, reading, started)
        elif isinstance(reading, poll_replies.Bisect):
            self._questions.halve(ids)
        elif isinstance(reading, poll_replies.IdRejected):
            for tracked in self._unfinished(ids):
                self._finish_with(tracked, reading.error)
        else:
            self._quiet_until = now + poll_replies.poll_backoff(
                self._health, u=self._runtime.rng.random()
            )
            self._requeue_all(self._unfinished(ids))
            self._give_up_if_hopeless(reading)
        self._wake.set()

    def _unfinished(self, ids: list[str]) -> Iterator[TrackedTask]:
        """Those of whom somebody has a hold still, and whose end is not known."""
        for task_id in ids:
            # Nearly all are kept, and the plain dict is faster than the weak one.
            tracked = self._kept.get(task_id) or self._tasks.get(task_id)
            if tracked is not None and not tracked.done.is_set():
                yield tracked

    def _apply_poll(self, ids: list[str], looked: poll_replies.Statuses, started: float) -> None:
        now = _now()
        pending: dict[Cohort, list[TrackedTask]] = {}
        unseen: list[TrackedTask] = []
        for tracked in self._unfinished(ids):
            event = looked.statuses.get(tracked.task_id)
            if event is None:
                unseen.append(tracked)
            elif event.state == "pending":
                pending.setdefault(tracked.cohort, []).append(tracked)
            else:
                self._schedule.finished(tracked.cohort, tracked.accepted_at, now)
            if event and event is not tracked.status:
                self._update(tracked, event)
        for cohort, tasks in pending.items():
            self._schedule.unfinished(cohort, now, tasks=len(tasks))
        for tracked in unseen:
            if not self._is_given_up(tracked, now - tracked.accepted_at):
                pending.setdefault(tracked.cohort, []).append(tracked)
        self._questions.known(looked.statuses)
        self._questions.learned()
        self._reschedule(pending, started, now)

    def _reschedule(
        self, pending: dict[Cohort, list[TrackedTask]], started: float, now: float
    ) -> None:
        accepted_times = {
            cohort: [task.accepted_at for task in tasks] for cohort, tasks in pending.items()
        }
        cohorts = self._schedule.go_on(accepted_times, started, now, u=self._runtime.rng.random())
        for cohort, tasks in pending.items():
            for tracked, one in zip(tasks, cohorts[cohort], strict=True):
                tracked.cohort = one
            self._requeue_all(tasks)

    def _is_given_up(self, tracked: TrackedTask, age: float) -> bool:
        """A task that was just submitted may not be listed yet; an old one never will be."""
        if age <= self._policy.not_found_grace:
            return False
        self._finish_with(tracked, wait_errors.unknown(tracked.task_id, age))
        return True

    def _requeue_all(self, unfinished: Iterable[TrackedTask]) -> None:
        for tracked in unfinished:
            if self._is_watched(tracked):
                self._requeue(tracked)

    def _give_up_if_hopeless(self, reading: poll_replies.Reading) -> None:
        if not poll_replies.is_hopeless(self._health, self._policy):
            return
        for tracked in list(self._kept.values()):
            self._finish_with(tracked, wait_errors.hopeless(tracked.task_id, reading))
        # Polls that are still under way belong to the same failure.
        self._health = poll_replies.Health(since=_now())
        self._quiet_until = float("-inf")

    def _polling_failed(self, cause: BaseException) -> None:
        """Whatever ended the polling, nobody is left waiting for it."""
        failed = None if isinstance(cause, asyncio.CancelledError) else cause
        self._open_polls = 0
        self._questions.clear()
        for tracked in list(self._kept.values()):
            task_id = tracked.task_id
            error = (
                wait_errors.closed(task_id) if self._closed else wait_errors.broken(task_id, failed)
            )
            self._finish_with(tracked, error)

    def _check_open(self, task_id: str) -> None:
        if self._closed:
            raise wait_errors.closed(task_id)

    async def aclose(self) -> None:
        """End the polling; whoever still waits hears that the client was closed."""
        self._closed = True
        await self._polling.aclose()


def _now() -> float:
    # The loop's own, since anyio's clock may not be read in a callback before anyio 4.12.
    return asyncio.get_running_loop().time()
