"""The limiter: a semaphore for open calls, a rate for all calls, and one pause after a 429.

Polls and submits have semaphores of their own, called lanes. Only the first waiter of a lane waits
for the rate, so a cancelled waiter has nothing to give back, and a pause that begins meanwhile
holds everybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
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

POLL_SHARE = 4
"""One open call in this many is reserved for polls, so that neither kind starves the other."""


@dataclass(slots=True)
class _Lane:
    # asyncio's own semaphore and lock: anyio's cost five times as much when nobody waits.
    calls: asyncio.Semaphore
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limiter:
    """The calls of one client.

    Attributes:
        limits: what the caller set and the service taught.
        most_submits: how many of the open calls may be submits.
        closed: whether no call may be sent any more.
    """

    def __init__(self, api: API, limit: RateLimit, runtime: Runtime, events: EventEmitter) -> None:
        self._events = events
        self._api = api
        self._runtime = runtime
        polls = max(1, limit.concurrency // POLL_SHARE)
        self.most_submits = max(1, limit.concurrency - polls)
        calls = asyncio.Semaphore(self.most_submits)
        # A single call is shared by both lanes.
        of_polls = calls if limit.concurrency == 1 else asyncio.Semaphore(polls)
        self._lanes: dict[Lane, _Lane] = {"submit": _Lane(calls), "poll": _Lane(of_polls)}
        self.limits = AdaptiveLimits(limit)
        self.closed = False

    async def enter(self, lane: Lane, room: Callable[[], Awaitable[None]] | None = None) -> None:
        """Wait until a call of this lane may be sent, and count it as open until `leave`.

        Args:
            lane: the kind of the call.
            room: waits until it has room in flight; the calls of a lane wait one after the other.

        Raises:
            ClientClosedError: the client is closed.
            InvalidRequestError: the client belongs to another event loop.
        """
        self._runtime.check_loop()
        calls = self._lanes[lane].calls
        await calls.acquire()
        try:
            await self._wait_for_turn(lane, room)
        except BaseException:
            calls.release()
            raise

    async def _wait_for_turn(self, lane: Lane, room: Callable[[], Awaitable[None]] | None) -> None:
        async with self._lanes[lane].turn:
            # A loop, since a 429 may arrive meanwhile that lengthens the pause or lowers the cap.
            while True:
                if room:
                    await room()
                pause = self.limits.delay(_now(), lane)
                if not pause:
                    break
                await anyio.sleep(pause)
            if self.closed:
                raise ClientClosedError("The client is closed; nothing was sent.")
            self.limits.take(_now(), lane)

    def leave(self, lane: Lane) -> None:
        """Note that a call of this lane has ended."""
        self._lanes[lane].calls.release()

    def close(self) -> None:
        """Send no call any more: every `enter` raises an error from now on."""
        self.closed = True

    async def post(
        self,
        lane: Lane,
        body: dict[str, Any],
        *,
        timeout: float,
        running: Callable[[float], int] | None = None,
    ) -> Answer:
        """Make the call that was entered, and learn from its answer: a 429 pauses everybody.

        Args:
            lane: the kind of the call.
            body: the JSON object to send.
            timeout: seconds until the answer must have arrived.
            running: gives the number of generations that were running before a time; only for a
                submit, since no other call is refused because of it.
        """
        sent = _now()
        answer = await self._api.post(lane, body, timeout=timeout)
        self.note(answer, lane=lane, sent=sent, running=running(sent) if running else 0)
        return answer

    def note(self, answer: Answer, *, lane: Lane, sent: float, running: int = 0) -> None:
        """Learn from the answer to a call.

        Args:
            answer: the answer.
            lane: the kind of the call.
            sent: when the call was sent, in monotonic seconds.
            running: the number of generations that were running then.
        """
        if isinstance(answer, Failure):
            return
        now = _now()
        if answer.status == 429:
            self.limits.refused(
                lane,
                sent=sent,
                now=now,
                running=running,
                retry_after=answer.retry_after,
                u=self._runtime.rng.random(),
            )
            if self._events:
                pause = self.limits.delay(now)
                self._events.emit(Throttled(at=self._events.now(), seconds=pause))
        elif answer.status < 400:
            self.limits.answered(sent=sent, now=now, lane=lane)


def _now() -> float:
    # The loop's own, since anyio's clock may not be read in a callback before anyio 4.12.
    return asyncio.get_running_loop().time()
