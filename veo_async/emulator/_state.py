"""The state of the service: the tasks and the bill. Synchronous; the time is an argument."""

from __future__ import annotations

import heapq
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any

from ._clock import TICK
from ._durations import Pace
from ._effects import Ending, Provisional, Unreadable
from ._errors import ServiceError
from ._options import SPELLINGS, USER, Wire
from ._stored import as_stored


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of the bill: an accepted submit.

    Attributes:
        task_id: the id of the accepted task.
        trace_id: its trace id.
        request: the body as it was submitted.
        at: the time of its acceptance on the service's clock, in Unix seconds.
    """

    task_id: str
    trace_id: str
    request: Mapping[str, Any]
    at: float


@dataclass(slots=True, eq=False)
class Task:
    """One accepted task. Its state is a function of the time, or of the polls that it has had.

    Attributes:
        request: the request as records show it.
        submitted: the request as it was submitted.
        accepted_at, finish_at: Unix seconds; infinite if the end depends on polls.
        looks: the number of further polls that show it as pending.
        source: the task whose video this one upscales.
        user_id: the user that submitted it.
        failure: the error with which it ends, if it fails.
        provisional: the failure that its record shows until it ends.
        ending: the form of the response with which it ends.
        unreadable: the form of its entries in lists.
        recorded: false if no query ever finds it.
        known_from, listed_from: the times from which queries by id and listings show it.
    """

    id: str
    trace_id: str
    record_id: str
    video_id: str
    request: dict[str, Any]
    submitted: Mapping[str, Any]
    accepted_at: float
    finish_at: float
    looks: int = 0
    source: Task | None = None
    user_id: str = USER
    failure: ServiceError | None = None
    provisional: Provisional | None = None
    ending: Ending | None = None
    unreadable: Unreadable | None = None
    recorded: bool = True
    known_from: float = field(default=-inf)
    listed_from: float = field(default=-inf)

    def finished(self, now: float) -> bool:
        """True if the task has ended."""
        return now >= self.finish_at - TICK

    def succeeded(self, now: float) -> bool:
        """True if the task has ended with a video."""
        return self.finished(now) and self.failure is None

    @property
    def number(self) -> int:
        """Its id in entries whose id is a number."""
        return number_of(self.record_id)

    def count_poll(self, now: float) -> None:
        """Count a poll that names this task."""
        if self.looks:
            self.looks -= 1
        else:
            self.finish_unpolled(now)

    def finish(self, now: float) -> None:
        """Finish the task now, unless it has finished earlier."""
        self.finish_at = min(self.finish_at, now)

    def finish_unpolled(self, now: float) -> None:
        """Finish the task now if its end depends on polls."""
        if self.finish_at == inf:
            self.finish_at = now

    @property
    def origin(self) -> Task:
        """The task that generated the video: the source of an upscale, else the task itself."""
        return self.source or self


class Backend:
    """All tasks of the emulated account.

    Args:
        seed: the seed of ids, durations and failures.
        pace: decides the durations.
        wire: the behaviour of the deployment.
        failure: the part of the tasks that fail, between 0 and 1.
    """

    def __init__(self, *, seed: int | str, pace: Pace, wire: Wire, failure: float) -> None:
        self.wire, self._pace, self._failure = wire, pace, failure
        # Each use has random numbers of its own, so that another pace or a refusal does not change
        # the ids.
        self._ids, self._calls, self._durations, self._ends = (
            Random(f"{seed}/{use}") for use in ("ids", "calls", "durations", "ends")
        )
        self.bill: list[Charge] = []
        self.tasks: dict[str, Task] = {}
        self._by_trace: dict[str, Task] = {}
        self._by_number: dict[str, Task] = {}
        self._by_video: dict[str, Task] = {}
        self._in_order: list[Task] = []
        self._running: list[tuple[float, int]] = []
        self._polled: set[Task] = set()

    def trace_of_call(self) -> str:
        """The trace id of a call that started no task."""
        return _uuid(self._calls)

    def source_of(self, request: Mapping[str, Any], now: float) -> Task | None:
        """The task whose video a 1080p request names; ``None`` for other requests.

        Raises:
            ServiceError: there is no such video, or it is not finished.
        """
        if request["action"] not in SPELLINGS:
            return None
        source = self._by_video.get(request["video_id"])
        if source is None or not source.succeeded(now):
            raise ServiceError("bad_request", "video_id is invalid.")
        return source

    def in_flight(self, now: float) -> int:
        """The number of accepted and unfinished tasks."""
        while self._running and self._running[0][0] <= now + TICK:
            heapq.heappop(self._running)
        self._polled = {task for task in self._polled if not task.finished(now)}
        return len(self._running) + len(self._polled)

    def accept(self, request: dict[str, Any], now: float, user_id: str = USER) -> Task:
        """Start a task of a user, and put it on the bill.

        Raises:
            ServiceError: the source of a 1080p request is unknown or unfinished.
        """
        source = self.source_of(request, now)
        task = self._task(request, now, source)
        task.user_id = user_id
        self.keep(task)
        return task

    def keep(self, task: Task) -> None:
        """Add a task to the bill and to all indexes. It must be newer than all others."""
        self.tasks[task.id] = self._by_trace[task.trace_id] = task
        self._by_number[str(task.number)] = task
        self._by_video.setdefault(task.video_id, task)
        self._in_order.append(task)
        if task.finish_at == inf:
            self._polled.add(task)
        else:
            heapq.heappush(self._running, (task.finish_at, len(self._in_order)))
        self.bill.append(Charge(task.id, task.trace_id, task.submitted, task.accepted_at))

    def _task(self, request: dict[str, Any], now: float, source: Task | None) -> Task:
        plan = self._pace.plan(request, self._durations)
        fails = self._ends.random() < self._failure
        asynchronous = bool(request.get("async") or request.get("callback_url"))
        return Task(
            id=_uuid(self._ids),
            trace_id=_uuid(self._ids),
            record_id=f"{self._ids.getrandbits(96):024x}",
            video_id=source.video_id if source else f"{self._ids.getrandbits(128):032x}",
            request=as_stored(request, self.wire),
            submitted=request,
            accepted_at=now,
            finish_at=inf if plan.looks else now + plan.seconds,
            looks=plan.looks,
            source=source,
            failure=ServiceError("api_error") if fails else None,
            recorded=asynchronous or self.wire.sync_records,
        )

    def find(self, key: object, now: float, *, by: str = "id") -> Task | None:
        """The task with an id or trace id, if queries show it already. Counts as a poll."""
        if not isinstance(key, str | int):
            return None
        indexes = (self.tasks, self._by_number) if by == "id" else (self._by_trace,)
        found = (index.get(str(key)) for index in indexes)
        task = next((task for task in found if task is not None), None)
        if task is None or not task.recorded or now < task.known_from - TICK:
            return None
        task.count_poll(now)
        return task

    def listing(self, now: float, since: float = -inf, until: float = inf) -> Iterable[Task]:
        """The tasks accepted between two times, both included, newest first."""
        low = bisect_left(self._in_order, since, key=_created)
        high = bisect_right(self._in_order, until, key=_created)
        newest_first = reversed(self._in_order[low:high])
        return (task for task in newest_first if task.recorded and now >= task.listed_from - TICK)


def number_of(record_id: str) -> int:
    """The number of a record, which every JSON reader can represent exactly."""
    return int(record_id[:12], 16)


def _uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _created(task: Task) -> float:
    return task.accepted_at
