"""Waiting for something until a deadline, thousands of times a second.

asyncio's own event and timeout cost twice as much together, and anyio's three times: a timeout
watches over whatever a task does meanwhile, and here one task waits for one thing.
"""

from __future__ import annotations

import asyncio
from math import inf


class Signal:
    """Something that happens, as asyncio's event; who waits for it may have a deadline."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        # In the order in which they came, so that a run can be repeated.
        self._waiters: dict[asyncio.Future[None], None] = {}

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """It happens now: all who wait go on."""
        self._is_set = True
        for waiter in self._waiters:
            _wake(waiter)

    def clear(self) -> None:
        """It has not happened yet."""
        self._is_set = False

    async def wait(self, *, until: float = inf) -> bool:
        """Whether it happens ``until`` then, in monotonic seconds; returns as soon as it does."""
        if self._is_set:
            return True
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        alarm = None if until == inf else loop.call_at(until, _wake, waiter)
        self._waiters[waiter] = None
        try:
            await waiter
        finally:
            del self._waiters[waiter]
            if alarm:
                alarm.cancel()
        return self._is_set


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
