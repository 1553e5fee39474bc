"""An event loop on which waiting takes no time: hours pass in milliseconds.

The law: **time stands still while anything else can happen; else it jumps to the next timer.**
Each time that no callback is ready, the loop checks the sources of further callbacks in this order:

1. *A worker thread owes an answer* (``run_in_executor``, ``asyncio.to_thread``, name look-ups,
   ``anyio.to_thread``): the loop waits for it in real time. The thread's work takes no virtual time
   at all, so the same run gives the same times on a fast machine and on a slow one.
2. *A socket or another file is watched*: the outside world may answer at any time, so virtual time
   runs with the wall clock until it answers or the next timer is due.
3. *A timer is set*: time jumps to it. Timers fire in the order of their times; equal times fire
   in one turn of the loop.
4. *None of these*: only a foreign thread or a signal could still wake the loop, so it waits for
   them in real time.

A loop whose callbacks renew themselves has no such moment: a task waits busily for time to pass
(as anyio does while a cancelled task continues regardless). Each `BUSY_TURNS` turns on end
therefore take as long as the next timer needs, unless rule 1 or 2 applies.

No real wait lasts longer than ``patience`` seconds, virtual time never passes ``horizon``, and no
busy wait continues for ever: `DeadlockError` then lists what every task was waiting for. So a test
never hangs in an ``await``. A timer at infinity is no timer.

A thread that itself waits for virtual time to pass is a deadlock by rule 1. The loop does not wait
for a thread that it does not know of (a bare ``threading.Thread``) while timers are set.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import threading
import time
from asyncio import Future, TimerHandle
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

__all__ = ["DeadlockError", "VirtualEventLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

BUSY_TURNS = 50_000
"""More turns on end than honest work takes (measured: a thousand requests at once take about a
thousand), and few enough to be over in a fraction of a second."""

Events: TypeAlias = list[tuple[selectors.SelectorKey, int]]

SHOWN_TASKS = 5  # as many as a person reads in one error message
SLICE = 0.001  # real seconds: short enough to go unnoticed in a test, long enough to cost nothing


class DeadlockError(RuntimeError):
    """Nothing can happen any more on a virtual event loop, or nothing but timers ever will.

    The message lists where the tasks wait. Usual causes: an event that is never set, a reply that
    a fake never gives, or a real socket, which belongs on an ordinary event loop.
    """


class _VirtualSelector(selectors.DefaultSelector):
    """A selector that decides how a wait passes; the loop blocks nowhere else."""

    def __init__(self, loop: VirtualEventLoop, *, patience: float, horizon: float) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0
        self._loop = loop
        self._patience = patience
        self._horizon = horizon

    def select(self, timeout: float | None = None) -> Events:
        if timeout is not None and timeout <= 0:
            return self._turn()
        self._turns = 0
        # Read before the select: a thread that is done by now wrote to the loop's self-pipe before
        # it was done, so the select cannot miss its answer.
        owed = self._loop.is_owed_an_answer()
        events = super().select(0)
        if events:
            return events
        return self._wait(timeout, owed=owed)

    def _turn(self) -> Events:
        self._turns += 1
        events = super().select(0)
        if self._turns % BUSY_TURNS == 0 and not events:
            self._end_a_busy_wait()
        return events

    def _end_a_busy_wait(self) -> None:
        due = self._loop.next_timer()
        if due is not None and not self._watches_files() and not self._loop.is_owed_an_answer():
            self._turns = 0
            self._pass(max(0.0, due - self.now))
        elif self._turns >= 10 * BUSY_TURNS:
            raise self._deadlock(f"callbacks renew themselves for ever, {self._turns} times by now")

    def _wait(self, timeout: float | None, *, owed: bool) -> Events:
        if owed:
            return self._wait_for_threads()
        if self._watches_files():
            return self._run_with_the_wall_clock(timeout)
        if timeout is None:
            return self._outwait("no timer is set and nothing woke the loop")
        self._pass(timeout)
        return []

    def _wait_for_threads(self) -> Events:
        # In slices: a worker counts as busy for a moment after it woke the loop, and once it is
        # idle, nothing may be left that wakes the loop again.
        deadline = time.monotonic() + self._patience
        while self._loop.is_owed_an_answer():
            if events := super().select(min(SLICE, self._patience)):
                return events
            if time.monotonic() >= deadline:
                raise self._deadlock("a worker thread owes an answer", self._patience)
        return []

    def _watches_files(self) -> bool:
        own_pipe = 1
        return len(self.get_map()) > own_pipe

    def _run_with_the_wall_clock(self, timeout: float | None) -> Events:
        started = time.monotonic()
        if timeout is None or timeout > self._patience:
            events = self._outwait("a socket or another file is watched and stays silent")
        else:
            events = super().select(timeout)
        self._pass(time.monotonic() - started if events else timeout or 0.0)
        return events

    def _outwait(self, what: str) -> Events:
        events = super().select(self._patience)
        if not events:
            raise self._deadlock(what, self._patience)
        return events

    def _pass(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self._horizon:
            raise self._deadlock(
                "a timer renews itself for ever, or is set beyond the horizon of "
                f"{self._horizon:.0f} virtual seconds"
            )

    def _deadlock(self, what: str, waited: float | None = None) -> DeadlockError:
        after = "" if waited is None else f", for {waited:g} real seconds by now"
        tasks = sorted(map(repr, asyncio.all_tasks(self._loop)))
        waiting = "".join(f"\n  {task}" for task in tasks[:SHOWN_TASKS])
        return DeadlockError(f"deadlock: {what}{after}. {len(tasks)} tasks are waiting:{waiting}")


class VirtualEventLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop with virtual time, for tests and simulations.

    ::

        with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
            runner.run(asyncio.sleep(3600))  # takes no time

    ``time()`` begins at 0. Everything that reads the loop's clock agrees with it: ``asyncio.sleep``
    and ``asyncio.timeout``, and anyio's ``sleep``, ``fail_after`` and ``current_time``.

    Args:
        patience: real seconds to wait for a thread, a socket or a foreign wake-up before
            `DeadlockError`.
        horizon: the most virtual seconds that may pass before `DeadlockError`; by default 30 days.
    """

    _scheduled: list[TimerHandle]  # asyncio's own heap

    def __init__(self, *, patience: float = 30.0, horizon: float = 30 * 86_400.0) -> None:
        self._virtual = _VirtualSelector(self, patience=patience, horizon=horizon)
        self._calls_to_threads = 0
        super().__init__(self._virtual)
        # The default is a nanosecond, which is less than one step of a float a few months from 0: a
        # timer that is due would never count as due. A microsecond is enough for thirty years.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the virtual time in seconds since the loop was made."""
        return self._virtual.now

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        """Call back at a time of this loop's clock; never, where the time is infinite.

        ``anyio.sleep_forever`` sets such a timer, and a jump towards it would have no end.

        Args:
            when: the time of this loop's clock, in seconds.
            callback: the function to call.
            args: the arguments of the call.
            context: the context of the call; by default a copy of the current one.
        """
        if when == math.inf:
            return TimerHandle(when, callback, args, self, context)
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> Future[T]:
        """Run a function in a thread; time stands still until it has answered or was cancelled.

        Args:
            executor: the threads; ``None`` for the loop's own.
            func: the function.
            args: the arguments of the call.
        """
        future = super().run_in_executor(executor, func, *args)
        self._calls_to_threads += 1
        future.add_done_callback(self._forget_a_call)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """End the threads of ``run_in_executor``.

        Args:
            timeout: seconds; they have no effect, since time stands still.
        """
        self._calls_to_threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._calls_to_threads -= 1

    def _forget_a_call(self, _: Future[Any]) -> None:
        self._calls_to_threads -= 1

    def next_timer(self) -> float | None:
        """Return the time of the next timer; ``None`` if none is set."""
        return self._scheduled[0].when() if self._scheduled else None

    def is_owed_an_answer(self) -> bool:
        """Return whether a worker thread is running a call of this loop."""
        return self._calls_to_threads > 0 or any(
            _works_for(thread, self) for thread in threading.enumerate()
        )


def _works_for(thread: threading.Thread, loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether this is a worker thread of anyio's with an unanswered call of this loop.

    anyio offers no public count of them. Its workers have attributes for their loop and a queue,
    and mark a call as done after they have handed over its answer; one that is ``stopping`` answers
    no more.
    """
    return (
        getattr(thread, "loop", None) is loop
        and not getattr(thread, "stopping", False)
        and getattr(getattr(thread, "queue", None), "unfinished_tasks", 0) > 0
    )
