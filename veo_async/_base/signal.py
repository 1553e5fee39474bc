"""An event whose waiters may have a deadline: the one kind of event in the client.

Thousands of waits a second go through it. asyncio's own event and timeout cost twice as much
together, and anyio's three times: a timeout guards all that a task does in a block, and here a task
waits for one thing.
"""

from __future__ import annotations

import asyncio
from math import inf


class Signal:
    """An event as asyncio's; each waiter may have a deadline, and `pulse` wakes without setting."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        # In the order in which they came, so that a run can be repeated.
        self._waiters: dict[asyncio.Future[bool], None] = {}

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Set it, and wake all waiters."""
        self._is_set = True
        self.pulse()

    def clear(self) -> None:
        """Unset it: later waiters wait for the next `set` or `pulse`."""
        self._is_set = False

    def pulse(self) -> None:
        """Wake the waiters of this moment, and set nothing: later ones wait for the next time."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(True)

    async def wait(self, *, until: float = inf) -> bool:
        """Wait for `set` or `pulse`, at most ``until`` then, in monotonic seconds.

        Returns:
            Whether it came. Returns immediately if the signal is already set.
        """
        if self._is_set:
            return True
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        alarm = None if until == inf else loop.call_at(until, _expire, waiter)
        self._waiters[waiter] = None
        try:
            came = await waiter
        finally:
            del self._waiters[waiter]
            if alarm:
                alarm.cancel()
        return came or self._is_set  # it may be set between the deadline and this step


def _expire(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)
