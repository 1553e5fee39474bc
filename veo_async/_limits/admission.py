"""Admission: which submit may go next, and how many generations are in flight.

The order for a submit: the queue → room in flight (if a limit was set or learned) → its
preparation → an open call → its turn: room once more, and the rate. Room is checked again since a
refusal may have taught a cap meanwhile. Only the first in the queue and the first in turn wait for
room, so a cancelled waiter has nothing to give back. At most as many submits are past the queue as
calls may be open. While the service is fast, a few more may prepare early, so that no call waits
for a disk; during a pause after a 429 only one may.

In flight is counted, not handed out: admitted submits whose outcome is not known, and unfinished
tasks that somebody follows. The former are kept here by their tickets, the latter by the tracker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any, Protocol

from .._base.signal import Signal
from .._wire.replies import Answer
from .limiter import Limiter
from .queue import FairQueue

HELD = 2.0
"""A submit that is open for longer than this many seconds was accepted: the service answers at
once, or with the finished video (``mode="sync"``, or a deployment that ignores ``async``)."""


class FollowedTasks(Protocol):
    """The unfinished tasks that somebody follows."""

    @property
    def in_flight(self) -> int:
        """The number of tasks that count as in flight."""
        ...

    def watch(self, ended: Signal) -> None:
        """Poll all tasks in flight until `unwatch`, and set ``ended`` when one of them ends."""
        ...

    def unwatch(self) -> None:
        """Poll only those tasks again that somebody waits for."""
        ...


class Admission:
    """The submits of one client, from the queue until their outcome is known."""

    def __init__(self, limiter: Limiter, tasks: FollowedTasks) -> None:
        self._limiter = limiter
        self._limits = limiter.limits
        self._tasks = tasks
        self._queue = FairQueue()
        # Both by ticket, with the time at which the submit was sent; it is infinite before that.
        self._open: dict[int, float] = {}
        self._lost: dict[int, float] = {}
        self._waiting_in_turn = 0  # at most one
        self._changed = Signal()

    def ticket(self) -> int:
        """A number in the queue: a submit that comes back with it goes before all later ones."""
        return self._queue.ticket()

    @property
    def in_flight(self) -> int:
        """The number of generations that are in flight, or may be."""
        return len(self._open) + len(self._lost) + self._tasks.in_flight

    def _running(self, before: float) -> int:
        """The number of accepted and unfinished generations, and of submits that were sent
        ``before`` then and have no outcome yet."""
        sent = (*self._open.values(), *self._lost.values())
        return self._tasks.in_flight + sum(time < before for time in sent)

    async def enter(
        self,
        ticket: int,
        prepare: Callable[[], Awaitable[None]] | None = None,
        *,
        is_slow: bool = False,
    ) -> float:
        """Wait until a submit may be sent; it is in flight until `leave`.

        Args:
            ticket: its number in the queue.
            prepare: must be done before it is sent.
            is_slow: whether some submits do that ahead of their turn.

        Returns:
            For how many seconds other submits and generations were in its way.

        Raises:
            ClientClosedError: the client is closed.
        """
        waited = await self._pass_queue(ticket, is_slow=is_slow)

        async def room() -> None:
            nonlocal waited
            waited += await self._wait_for_room(is_past_queue=True)

        try:
            if prepare:
                await prepare()
            await self._limiter.enter("submit", room)
        except BaseException:
            self._over(ticket)
            raise
        self._open[ticket] = _now()
        self._queue.advance()
        return waited

    async def _pass_queue(self, ticket: int, *, is_slow: bool) -> float:
        began = _now()
        try:
            await self._queue.enter(ticket, partial(self._may_prepare, is_slow=is_slow))
        except BaseException:
            self._end_watch()  # its turn may have come in the very step in which it was cancelled
            raise
        try:
            await self._wait_for_room()
            self._open[ticket] = inf
            return _now() - began
        finally:
            self._queue.leave()
            self._end_watch()

    async def _wait_for_room(self, *, is_past_queue: bool = False) -> float:
        """Wait until there is room for one more submit; returns the seconds.

        Submits that are past the queue and not sent are in the way of those in the queue, but not
        of each other: they are sent one after the other.
        """
        began = _now()
        self._waiting_in_turn += is_past_queue
        try:
            while wait := self._time_to_room(is_past_queue=is_past_queue):
                # The watch lasts until the queue is empty, since its begin and its end cost work.
                self._tasks.watch(self._changed)
                self._changed.clear()
                await self._changed.wait(until=_now() + wait)
        finally:
            self._waiting_in_turn -= is_past_queue
            if is_past_queue and _now() > began:
                self._end_watch()
        return _now() - began

    def _may_prepare(self, *, is_slow: bool) -> bool:
        """True if so few submits are past the queue that the first one in it may pass as well."""
        now = _now()
        ahead = self._limits.ahead(now) if is_slow else 0
        is_paused = bool(inf in self._open.values() and self._limits.delay(now))
        has_room = len(self._open) < self._limiter.most_submits + ahead
        return self._limiter.closed or (has_room and not is_paused)

    def _end_watch(self) -> None:
        if not (len(self._queue) or self._waiting_in_turn):
            self._tasks.unwatch()

    def _time_to_room(self, *, is_past_queue: bool) -> float:
        if self._limiter.closed:
            return 0.0  # the limiter raises the error
        now = _now()
        running = self._running(now - HELD)
        held = self._running(inf) if is_past_queue else self.in_flight
        return self._limits.room(held=held, running=running, now=now)

    async def post(self, body: dict[str, Any], *, timeout: float) -> Answer:
        """Send a submit that was admitted. A 429 shows how many generations are too many."""
        # Submits that were sent before this one and are still open were not refused.
        return await self._limiter.post("submit", body, timeout=timeout, running=self._running)

    def leave(self, ticket: int, *, is_lost: bool = False) -> None:
        """The call of an admitted submit has ended. One whose answer is lost stays in flight until
        it is accepted or `resolved`."""
        if is_lost:
            self._lost[ticket] = self._open[ticket]
        self._limiter.leave("submit")
        self._over(ticket)

    def _over(self, ticket: int) -> None:
        del self._open[ticket]
        self._queue.advance()
        self._changed.set()

    def accepted(self, ticket: int) -> None:
        """A submit became a task that is counted from now on."""
        now = _now()
        self._lost.pop(ticket, None)
        self._limits.accepted(running=self._running(now - HELD), now=now)
        self._changed.set()

    def resolved(self, ticket: int) -> None:
        """A submit is looked for no longer, if it was."""
        if self._lost.pop(ticket, None) is not None:
            self._changed.set()

    def close(self) -> None:
        """Admit no submit and no call any more."""
        self._limiter.close()
        self._queue.advance()
        self._changed.set()


def _now() -> float:
    # The loop's own, since anyio's clock may not be read in a callback before anyio 4.12.
    return asyncio.get_running_loop().time()
