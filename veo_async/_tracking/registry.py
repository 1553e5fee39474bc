"""The registry: the tasks that this client knows, and which of them are in flight.

A task is in flight while it is unfinished and somebody waits for it. One that was submitted here is
in flight before its first wait as well, for at most `FORGOTTEN` seconds: a wait that ends before
the task gives its slot back. Tasks in flight are polled while somebody waits for them, or while
somebody queues for room in flight. The registry decides that, and puts their ids into the poll
queue; the poller above it reads the queue.
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
from .._events import UNKNOWN, EventContext, EventEmitter
from .._wire.arguments import read_task_id
from .._wire.task_status import PENDING, TaskStatus, advance
from ..callbacks._registry import GATHER, CallbackHandle, PollTimes
from ..errors import VeoError
from ..models import TaskRecord
from ..policies import PollPolicy
from . import wait_errors
from .poll_queue import PollQueue
from .schedule import ATTACHED, Kind, Schedule
from .task import TrackedTask

logger = logging.getLogger("veo_async")

FORGOTTEN = 3600.0
"""Seconds after its submit for which a task is in flight although nobody waits for it: as long as a
wait without a timeout of its own."""


class TaskRegistry:
    """The tasks of one client.

    Attributes:
        queue: the ids of the tasks that are polled.
        schedule: when each of them is due, learned from the durations that were seen.
        changed: set when something may be due at another time, or nothing may be due any more.
    """

    def __init__(self, policy: PollPolicy, runtime: Runtime, events: EventEmitter) -> None:
        self._events = events
        self._policy = policy
        self._runtime = runtime
        # A task that is not in flight lives as long as a caller holds its handle.
        self._tasks: WeakValueDictionary[str, TrackedTask] = WeakValueDictionary()
        self._in_flight: dict[str, TrackedTask] = {}
        # Set at the end of a task, while somebody queues for room in flight.
        self._ended: Signal | None = None
        self.queue = PollQueue()
        self.schedule = Schedule(policy)
        self.changed = Signal()

    # The tasks.

    def follow(
        self,
        task_id: str,
        status: TaskStatus = PENDING,
        *,
        context: EventContext = UNKNOWN,
        kind: Kind = ATTACHED,
    ) -> TrackedTask:
        """The task with this id, updated by ``status``. A new one is of this ``kind``."""
        tracked = self._tasks.get(task_id)
        if tracked is None or tracked.has_no_result:
            tracked = self._new(task_id, tracked, context, kind)
        self.update(tracked, status)
        return tracked

    def _new(
        self, task_id: str, former: TrackedTask | None, context: EventContext, kind: Kind
    ) -> TrackedTask:
        now = _now()
        cohort = self.schedule.new_cohort(kind, now, u=self._runtime.rng.random())
        tracked = TrackedTask(task_id, cohort, accepted_at=now, context=context)
        if former:
            tracked.context = former.context if context is UNKNOWN else context
            tracked.earlier = former.status.error or former.earlier
            for handle in former.handles:
                self.expect(tracked, handle)
        if task_id:
            self._tasks[task_id] = tracked
        return tracked

    def attach(
        self,
        task_id: str,
        *,
        context: EventContext = UNKNOWN,
        failure: VeoError | None = None,
    ) -> TrackedTask:
        """The task with this id, of any client. One that is new here, or whose waits ended without
        a result, is polled at once. ``failure`` is its end by an earlier run.

        Raises:
            InvalidRequestError: this is no id.
        """
        task_id = read_task_id(task_id)
        known = self._tasks.get(task_id)
        tracked = self.follow(task_id, context=context)
        if tracked is not known:
            tracked.cohort = replace(tracked.cohort, wakes=(tracked.cohort.accepted_at,))
            tracked.earlier = tracked.earlier or failure
        return tracked

    def renew(self, tracked: TrackedTask) -> TrackedTask:
        """The same task; if its waits ended without a result, one with which somebody can wait
        again."""
        if not tracked.has_no_result:
            return tracked
        return self.attach(tracked.task_id, context=tracked.context)

    def unfinished(self, task_ids: Iterable[str]) -> Iterator[TrackedTask]:
        """The known ones of these tasks whose end is not known."""
        for task_id in task_ids:
            # Nearly all are in flight, and the plain dict is faster than the weak one.
            tracked = self._in_flight.get(task_id) or self._tasks.get(task_id)
            if tracked is not None and not tracked.done.is_set():
                yield tracked

    # What is in flight, and what is polled.

    @property
    def in_flight(self) -> int:
        """The number of tasks in flight."""
        return len(self._in_flight)

    def count(self, tracked: TrackedTask) -> bool:
        """Count a task that was just submitted as in flight until it, or a wait for it, ends.

        Returns:
            Whether it was not counted before: the service may answer one id twice.
        """
        if tracked.done.is_set() or tracked.is_ours:
            return False
        tracked.is_ours = True
        self._evict_idle()
        self._in_flight[tracked.task_id] = tracked
        if self._ended:
            self.queue.add(tracked.task_id, tracked.cohort)
            self.changed.set()
        return True

    def _evict_idle(self) -> None:
        """A program that submits for ever and never waits must not fill the memory."""
        while oldest := next(iter(self._in_flight.values()), None):
            if not self._is_forgotten(oldest):
                return
            self.release(oldest)

    def _is_forgotten(self, tracked: TrackedTask) -> bool:
        return not tracked.waiters and _now() - tracked.accepted_at >= FORGOTTEN

    def release(self, tracked: TrackedTask) -> None:
        """Nobody waits for this task any more, so it gives back its slot; others keep theirs."""
        if not tracked.waiters:
            tracked.is_ours = False
            if self._is_in_flight(tracked):
                self._remove(tracked)

    @contextmanager
    def waiting(self, tracked: TrackedTask) -> Iterator[None]:
        """Count and poll this task while the block runs, also if it was submitted elsewhere."""
        tracked.waiters += 1
        self._in_flight[tracked.task_id] = tracked
        self.queue.add(tracked.task_id, tracked.cohort)
        try:
            yield
        finally:
            tracked.waiters -= 1
            self.release(tracked)
            self.changed.set()

    def watch(self, ended: Signal) -> None:
        """Poll all tasks in flight until `unwatch`, and set ``ended`` when one of them ends."""
        if self._ended is None:
            self._ended = ended
            for tracked in self._in_flight.values():
                if not tracked.waiters:  # else it is in the queue already
                    self.queue.add(tracked.task_id, tracked.cohort)
            self.changed.set()

    def unwatch(self) -> None:
        """Poll only those tasks again that somebody waits for."""
        if self._ended:
            self._ended = None
            for tracked in self._in_flight.values():
                if not tracked.waiters:
                    self.queue.drop(tracked.task_id)
            self.changed.set()

    def is_needed(self) -> bool:
        """True if somebody waits for a task or for room."""
        return self._ended is not None or any(task.waiters for task in self._in_flight.values())

    def is_polled(self, task_id: str) -> bool:
        """True if somebody waits for this task, or for room and the task is in flight."""
        tracked = self._in_flight.get(task_id)
        return tracked is not None and bool(tracked.waiters or self._ended)

    def requeue(self, tasks: Iterable[TrackedTask]) -> None:
        """Put those of these tasks into the queue that are to be polled, at their cohort's time."""
        for tracked in tasks:
            if self._is_forgotten(tracked):
                self.release(tracked)
            elif self._is_in_flight(tracked) and self.is_polled(tracked.task_id):
                self.queue.add(tracked.task_id, tracked.cohort)

    def _is_in_flight(self, tracked: TrackedTask) -> bool:
        # Another `TrackedTask` may have its id by now, if there was trouble with this one.
        return self._in_flight.get(tracked.task_id) is tracked

    def _remove(self, tracked: TrackedTask) -> None:
        del self._in_flight[tracked.task_id]
        self.queue.drop(tracked.task_id)
        if self._ended:
            self._ended.set()

    # What is learned of a task.

    def expect(self, tracked: TrackedTask, handle: CallbackHandle) -> None:
        """A callback may come for this task. It is polled less often then."""
        tracked.cohort = replace(tracked.cohort, least=self._policy.callback_interval)
        tracked.handles = (*tracked.handles, handle)
        self.requeue([tracked])

    def hint(self, task_id: str, times: PollTimes) -> None:
        """Poll the task at these times, since a callback came for it; its content is not used."""
        for tracked in self.unfinished([task_id]):
            wakes = (max(times[0], self.queue.asked_at + GATHER), *times[1:])
            tracked.cohort = replace(tracked.cohort, wakes=wakes)
            self.requeue([tracked])
            self.changed.set()

    def apply_record(self, tracked: TrackedTask, record: TaskRecord) -> None:
        """Update the task from a record that was read by another part."""
        if record.state != "pending":
            self.update(tracked, TaskStatus(record.state, record.generation, record.error))

    def update(self, tracked: TrackedTask, event: TaskStatus) -> None:
        """Update the task from a status that was seen. Its end is emitted once, also if the service
        says again that it failed."""
        if event.warning and event.warning != tracked.status.warning:
            logger.warning("task %s: %s", tracked.task_id, event.warning)
        tracked.status = advance(tracked.status, event)
        if tracked.status.state == "pending" or tracked.done.is_set():
            return
        if self._events and not (tracked.earlier and tracked.status.error):
            context, status, at = tracked.context, tracked.status, self._events.now()
            self._events.emit(wait_errors.event_of_end(context, tracked.task_id, status, at=at))
        self._finish(tracked)

    def give_up(self, tracked: TrackedTask, trouble: VeoError) -> None:
        """End the waits for this task with an error, unless its end is known already."""
        if not tracked.done.is_set():
            tracked.trouble = trouble
            self._finish(tracked)

    def tasks_in_flight(self) -> list[TrackedTask]:
        """A copy of the list, which may change while tasks are given up."""
        return list(self._in_flight.values())

    def _finish(self, tracked: TrackedTask) -> None:
        tracked.done.set()
        if self._is_in_flight(tracked):
            self._remove(tracked)
        self.changed.set()


def _now() -> float:
    # The loop's own, since anyio's clock may not be read in a callback before anyio 4.12.
    return asyncio.get_running_loop().time()
