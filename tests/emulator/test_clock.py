from __future__ import annotations

import anyio
import pytest

from veo_async.emulator._clock import Clock


def test_it_starts_at_the_epoch_and_runs_with_the_factor() -> None:
    """Service time is the epoch plus the factor times the caller's time since the first reading."""
    readings = iter([5.0, 6.0])
    clock = Clock(factor=60, epoch=1000.0, monotonic=lambda: next(readings))

    assert [clock.now(), clock.now()] == [1000.0, 1060.0]


def test_it_never_runs_backwards() -> None:
    """Under another event loop, whose time starts again, it continues from where it was."""
    readings = iter([5.0, 9.0, 0.0, 1.0])
    clock = Clock(epoch=100.0, monotonic=lambda: next(readings))

    assert [clock.now() for _ in range(4)] == [100.0, 104.0, 104.0, 105.0]


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_factor_that_stops_time_is_refused(factor: float) -> None:
    """The clock must run forward, or nothing would ever be finished."""
    with pytest.raises(ValueError, match="clock_factor"):
        Clock(factor=factor, epoch=0.0)


@pytest.mark.asyncio
async def test_sleeping_takes_the_callers_time() -> None:
    """A minute of service time at factor 60 is a second for the caller."""
    clock = Clock(factor=60, epoch=0.0)
    clock.now()

    await clock.sleep_until(60.0)
    await clock.sleep_until(10.0)

    assert anyio.current_time() == pytest.approx(1.0)
    assert clock.now() == pytest.approx(60.0)
