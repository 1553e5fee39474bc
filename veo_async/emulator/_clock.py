"""The service's clock: its wall time follows the caller's monotonic clock, times a factor."""

from __future__ import annotations

from collections.abc import Callable

import anyio

TICK = 1e-3
"""Two times that differ by less, in seconds, are equal. Event loops fire timers up to a microsecond
early, and a clock factor multiplies that."""


class Clock:
    """The service's time in Unix seconds.

    It never runs backwards: under another event loop, whose clock starts again, it continues from
    where it was.

    Args:
        factor: seconds of service time in one second of the caller's time.
        epoch: the service's time at the first reading.
        monotonic: the caller's clock; by default that of the running event loop.

    Raises:
        ValueError: the factor is not greater than 0.
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
        """The current service time."""
        reading = self.monotonic()
        if self._origin is None or reading < self._last:
            self._origin, self._base = reading, self._now
        self._last = reading
        self._now = self._base + (reading - self._origin) * self._factor
        return self._now

    def reach(self, moment: float) -> None:
        """Start no earlier than at ``moment``. Call it before the first reading."""
        self._now = self._base = max(self._base, moment)

    async def sleep_until(self, moment: float) -> None:
        """Wait until the service's time is ``moment``, to within a `TICK`."""
        left = moment - self.now()
        if left > TICK:
            await anyio.sleep(left / self._factor)
