"""The limiter: semaphores for open calls, places for generations, a pace, one pause after a 429.

Order, for a submit: the line → a place in flight (if a limit was set or learned) → its preparation
→ an open call → its turn in the rate. Only the first in the line waits for a place, and only the
first in each lane for the rate, so a cancelled waiter has nothing to give back, and a pause that
begins meanwhile holds everybody. As many are past the line as calls may be open; while the service
answers fast, a few more get ready, so that no call waits for a disk; and in a pause one at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio

from .._base.runtime import Runtime
from .._events import EventEmitter
from .._wire.http import API
from .._wire.replies import Answer, Failure
from .._wire.requests import Lane
from ..errors import ClientClosedError
from ..events import Throttled
from ..policies import RateLimit
from .adaptive import AdaptiveLimits
from .queue import Line
from .slots import Place, Places

HELD = 2.0
"""A submit that is open for longer than this many seconds was accepted: the service answers at
once, or with the finished video (``mode="sync"``, or a deployment that ignores ``async``)."""

POLL_SHARE = 4
"""One open call in this many is kept for polls, so that neither kind starves the other."""


@dataclass(slots=True)
class _Lane:
    # asyncio's own: where nobody waits, anyio's cost five times as much.
    calls: asyncio.Semaphore
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


def _lanes(concurrency: int) -> dict[Lane, _Lane]:
    if concurrency == 1:
        calls = asyncio.Semaphore(1)
        return {"submit": _Lane(calls), "poll": _Lane(calls)}
    submitter = _submitter(concurrency)
    return {
        "submit": _Lane(asyncio.Semaphore(submitter)),
        "poll": _Lane(asyncio.Semaphore(concurrency - submitter)),
    }


def _submitter(concurrency: int) -> int:
    """How many of the open calls may be submits."""
    return max(1, concurrency - max(1, concurrency // POLL_SHARE))


class Limiter:
    """How much is asked of the service at once, for one client.

    Attributes:
        places: the places in flight.
        watching: given by the tracker; while it is entered, the tasks that hold places are polled.
    """

    def __init__(self, api: API, limit: RateLimit, runtime: Runtime, events: EventEmitter) -> None:
        self._events = events
        self._api = api
        self._lanes = _lanes(limit.concurrency)
        self._throttle = AdaptiveLimits(limit)
        self._line = Line()
        self._most = _submitter(limit.concurrency)
        self._past = 0  # submits that are past the line and not over
        self._early = 0  # those of them whose turn has not come
        self._runtime = runtime
        self._closed = False
        self._watch = ExitStack()
        self._is_watched = False
        self.places = Places(self._accepted)
        self.watching: Callable[[], AbstractContextManager[None]] = nullcontext

    # Submits.

    def ticket(self) -> int:
        """A number in the line: who comes back with it goes before all who came later."""
        return self._line.ticket()

    async def enter_submit(
        self,
        ticket: int,
        prepare: Callable[[], Awaitable[None]] | None = None,
        *,
        is_slow: bool = False,
    ) -> tuple[Place, float]:
        """Wait until a submit may go: count it as an open call until `leave`, and as in flight
        until its place is released. Gives its place, and for how many seconds others were in
        its way. ``prepare`` is what must be done before it goes; if it ``is_slow``, some do it
        ahead of their turn.

        Raises:
            ClientClosedError: no call may go any more.
        """
        place, waited = await self._pass_line(ticket, is_slow=is_slow)
        try:
            if prepare:
                await prepare()
            await self.enter("submit")
        except BaseException:
            place.release()
            self._gone()
            raise
        finally:
            self._early -= 1
            self._line.advance()
        place.sent(_now())
        return place, waited

    async def _pass_line(self, ticket: int, *, is_slow: bool) -> tuple[Place, float]:
        began = _now()
        try:
            await self._line.enter(ticket, partial(self._may_get_ready, is_slow=is_slow))
        except BaseException:
            self._unwatch()  # its turn may have come in the moment in which it was cancelled
            raise
        try:
            await self._wait_for_room()
            self._past += 1
            self._early += 1
            return self.places.take(), _now() - began
        finally:
            self._line.leave()
            self._unwatch()

    def _may_get_ready(self, *, is_slow: bool) -> bool:
        """Whether few enough are past the line that the first in it may be so too."""
        now = _now()
        ahead = self._throttle.ahead(now) if is_slow else 0
        is_held = bool(self._early and self._throttle.delay(now))
        return self._closed or (self._past < self._most + ahead and not is_held)

    def _gone(self) -> None:
        self._past -= 1
        self._line.advance()

    def _unwatch(self) -> None:
        if not len(self._line):
            self._is_watched = False
            self._watch.close()

    async def _wait_for_room(self) -> None:
        while wait := self._room():
            if not self._is_watched:
                # Until the line is empty, since to begin and to end this costs work.
                self._is_watched = True
                self._watch.enter_context(self.watching())
            await self.places.changes(wait)

    def _room(self) -> float:
        if self._closed:
            return 0.0  # the turn says so
        now, places = _now(), self.places
        return self._throttle.room(held=places.held, running=places.running(now - HELD), now=now)

    def _accepted(self) -> None:
        now = _now()
        self._throttle.accepted(running=self.places.running(now - HELD), now=now)

    # All calls.

    async def enter(self, lane: Lane) -> None:
        """Wait until a call of this lane may go, and count it as open until `leave`.

        Raises:
            ClientClosedError: no call may go any more.
        """
        place = self._lanes[lane]
        await place.calls.acquire()
        try:
            await self._wait_for_turn(place)
        except BaseException:
            place.calls.release()
            raise

    async def _wait_for_turn(self, place: _Lane) -> None:
        async with place.turn:
            # A loop, since a 429 may come in during the sleep and lengthen the pause.
            while pause := self._throttle.delay(_now()):  # noqa: ASYNC110 - time, not an event, ends it
                await anyio.sleep(pause)
            if self._closed:
                raise ClientClosedError("The client is closed; nothing was sent.")
            self._throttle.take(_now())

    def leave(self, lane: Lane) -> None:
        """The call has ended."""
        self._lanes[lane].calls.release()
        if lane == "submit":
            self._gone()

    def close(self) -> None:
        """Let no call go any more."""
        self._closed = True
        self._line.advance()
        self.places.change()

    async def post(self, lane: Lane, body: dict[str, Any], *, timeout: float) -> Answer:
        """Make the call that was entered, and learn from its answer: a 429 pauses everybody."""
        sent = _now()
        answer = await self._api.post(lane, body, timeout=timeout)
        self.note(answer, lane=lane, sent=sent)
        return answer

    def note(self, answer: Answer, *, lane: Lane, sent: float) -> None:
        """Learn from the answer to a call that was ``sent`` then."""
        if isinstance(answer, Failure):
            return
        now = _now()
        if answer.status == 429:
            self._throttle.refused(
                lane,
                sent=sent,
                now=now,
                # Those that were sent before it and are open still were not refused.
                running=self.places.running(sent),
                retry_after=answer.retry_after,
                u=self._runtime.rng.random(),
            )
            if self._events:
                pause = self._throttle.delay(now)
                self._events.emit(Throttled(at=self._events.now(), seconds=pause))
            self.places.change()
        elif answer.status < 400:
            self._throttle.answered(sent=sent, now=now)


def _now() -> float:
    # The loop's own, since anyio's clock may not be read in a callback before anyio 4.12.
    return asyncio.get_running_loop().time()
