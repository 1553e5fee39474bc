"""The service's clock: wall time that runs with the event loop, times a factor."""

from __future__ import annotations

from collections.abc import Callable

import anyio

TICK = 1e-3
"""Moments closer than this are the same. Event loops fire timers up to a microsecond early, which
a clock factor multiplies."""


class Clock:
    """Unix seconds of the service, from a monotonic clock.

    It never runs back: under another event loop whose clock starts anew it goes on where it was.

    Args:
        factor: seconds of service time in one second of the caller's.
        epoch: the Unix time at the first reading.
        monotonic: the caller's time; by default that of the running event loop.
    """

    def __init__(
        self,
        *,
        factor: float = 1.0,
        epoch: float,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        if not factor > 0:
            raise ValueError("clock_factor must be greater than 0")
        self._factor = factor
        self._now = epoch
        self._base = epoch
        self._origin: float | None = None
        self._last = 0.0
        self.monotonic = monotonic or anyio.current_time

    def now(self) -> float:
        reading = self.monotonic()
        if self._origin is None or reading < self._last:
            self._origin, self._base = reading, self._now
        self._last = reading
        self._now = self._base + (reading - self._origin) * self._factor
        return self._now

    def reach(self, moment: float) -> None:
        """Be at least there; to be called before the first reading."""
        self._now = self._base = max(self._base, moment)

    async def sleep_until(self, moment: float) -> None:
        """Wait until the service's clock shows ``moment`` (to within a tick)."""
        left = moment - self.now()
        if left > TICK:
            await anyio.sleep(left / self._factor)
