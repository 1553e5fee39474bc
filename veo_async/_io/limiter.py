"""The limiter: semaphores for open calls, a pace for their rate, one pause after a 429.

Order, for a submit: a place in flight (if they are limited) → an open call → its turn in the
rate. Only the first in each lane waits for the rate, so a cancelled waiter has nothing to give
back, and a pause that begins meanwhile holds everybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import anyio

from .._core import rate
from .._core.reply import Answer, Failure, retry_after
from ..errors import ClientClosedError
from ..policies import RateLimit
from .seams import Seams

Lane = Literal["submit", "poll"]

POLL_SHARE = 4
"""One open call in this many is kept for polls, so that neither kind starves the other."""


@dataclass(slots=True)
class _Lane:
    calls: anyio.Semaphore
    turn: anyio.Lock = field(default_factory=anyio.Lock)


def _lanes(concurrency: int) -> dict[Lane, _Lane]:
    if concurrency == 1:
        calls = anyio.Semaphore(1, fast_acquire=True)
        return {"submit": _Lane(calls), "poll": _Lane(calls)}
    polls = max(1, concurrency // POLL_SHARE)
    return {
        "submit": _Lane(anyio.Semaphore(concurrency - polls, fast_acquire=True)),
        "poll": _Lane(anyio.Semaphore(polls, fast_acquire=True)),
    }


class Limiter:
    """How much is asked of the service at once, for one client."""

    def __init__(self, limit: RateLimit, seams: Seams) -> None:
        self._lanes = _lanes(limit.concurrency)
        self._pace = rate.Pace.of(limit)
        self._seams = seams
        self._closed = False
        self.in_flight = (
            anyio.Semaphore(limit.in_flight, fast_acquire=True) if limit.in_flight else None
        )

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
            while pause := rate.delay(self._pace, anyio.current_time()):  # noqa: ASYNC110 - time, not an event, ends it
                await anyio.sleep(pause)
            if self._closed:
                raise ClientClosedError("The client is closed; nothing was sent.")
            self._pace = rate.take(self._pace, anyio.current_time())

    def leave(self, lane: Lane) -> None:
        """The call has ended."""
        self._lanes[lane].calls.release()

    def close(self) -> None:
        """Let no call go any more."""
        self._closed = True

    def note(self, answer: Answer) -> None:
        """Learn from an answer, whoever asked: a 429 pauses everybody."""
        if isinstance(answer, Failure):
            return
        if answer.status == 429:
            self._pace = rate.throttled(
                self._pace,
                now=anyio.current_time(),
                retry_after=retry_after(answer, now=self._seams.wall()),
                u=self._seams.luck.random(),
            )
            self._seams.teller.throttled(rate.delay(self._pace, anyio.current_time()))
        elif answer.status < 400:
            self._pace = rate.succeeded(self._pace)
