from __future__ import annotations

import asyncio
from math import inf

import pytest

from veo_async._base.signal import Signal


def now() -> float:
    """Virtual seconds."""
    return asyncio.get_running_loop().time()


@pytest.mark.asyncio
async def test_who_waits_goes_on_when_it_happens() -> None:
    """All of them, at that moment, in the order in which they came."""
    signal, came = Signal(), list[int]()

    async def wait(number: int) -> bool:
        happened = await signal.wait(until=now() + 10.0)
        came.append(number)
        return happened

    waiting = [asyncio.create_task(wait(number)) for number in range(5)]
    asyncio.get_running_loop().call_later(3.0, signal.set)

    assert await asyncio.gather(*waiting) == [True] * 5
    assert came == list(range(5))
    assert now() == 3.0


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [5.0, 0.0, -1.0])
async def test_a_deadline_ends_the_wait(seconds: float) -> None:
    """Also one that is over already; the others go on waiting."""
    signal = Signal()
    patient = asyncio.create_task(signal.wait())

    assert not await signal.wait(until=now() + seconds)
    assert now() == max(seconds, 0.0)
    assert not patient.done()
    signal.set()
    assert await patient


@pytest.mark.asyncio
@pytest.mark.parametrize("by", [inf, 0.0])
async def test_what_has_happened_is_not_waited_for(by: float) -> None:
    """The wait is over at once, whatever its deadline, until it is said that nothing has happened
    yet."""
    signal = Signal()
    signal.set()
    signal.set()

    assert signal.is_set()
    assert await signal.wait(until=by)
    signal.clear()
    assert not signal.is_set()
    assert not await signal.wait(until=1.0)


@pytest.mark.asyncio
async def test_it_may_happen_in_the_moment_of_the_deadline() -> None:
    """Whichever comes first ends the wait; the other finds it over."""
    signal = Signal()
    loop = asyncio.get_running_loop()
    loop.call_at(5.0, signal.set)

    assert await signal.wait(until=5.0)

    signal.clear()
    waiting = asyncio.create_task(signal.wait(until=8.0))
    loop.call_at(8.0, lambda: loop.call_soon(signal.set))
    await asyncio.sleep(5.0)
    assert await waiting == signal.is_set()


@pytest.mark.asyncio
async def test_a_wait_that_is_cancelled_leaves_nothing() -> None:
    """Neither a waiter nor a timer; the others are not disturbed."""
    signal = Signal()
    first, second = (asyncio.create_task(signal.wait(until=1e6)) for _ in range(2))
    await asyncio.sleep(1.0)

    first.cancel()
    await asyncio.wait([first])
    signal.set()

    assert first.cancelled()
    assert await second
    assert not signal._waiters
    timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    assert all(timer.cancelled() for timer in timers if timer.when() == 1e6)
    assert now() == 1.0


@pytest.mark.asyncio
async def test_a_wait_that_is_cancelled_when_it_happens_is_cancelled() -> None:
    """The cancellation is not lost, whichever of the two came first in that moment."""
    for is_first in (True, False):
        signal = Signal()
        waiting = asyncio.create_task(signal.wait())
        await asyncio.sleep(0)

        if is_first:
            signal.set()
        waiting.cancel()
        signal.set()
        await asyncio.wait([waiting])

        assert waiting.cancelled()


@pytest.mark.asyncio
async def test_a_pulse_wakes_only_those_who_wait_now() -> None:
    """In the order in which they came. It leaves the signal unset, so later waiters wait for the
    next pulse, also one that begins its wait in the step of this one."""
    signal, came = Signal(), list[int]()

    async def wait_twice(number: int) -> None:
        for round_ in (0, 1):
            assert await signal.wait(until=100.0)
            came.append(10 * round_ + number)

    signal.pulse()  # nobody waits
    waiting = [asyncio.create_task(wait_twice(number)) for number in range(3)]
    await asyncio.sleep(1.0)

    signal.pulse()
    late = asyncio.create_task(signal.wait(until=2.0))
    await asyncio.sleep(0.5)

    assert came == [0, 1, 2]
    assert not signal.is_set()
    assert not await late
    signal.pulse()
    await asyncio.gather(*waiting)
    assert came == [0, 1, 2, 10, 11, 12]


@pytest.mark.asyncio
async def test_a_pulse_in_the_moment_of_the_deadline_is_one_of_both() -> None:
    """The first of the two decides what the waiter is told; neither is an error."""
    loop, signal = asyncio.get_running_loop(), Signal()

    loop.call_at(5.0, signal.pulse)
    before = await signal.wait(until=5.0)
    waiting = asyncio.create_task(signal.wait(until=8.0))
    await asyncio.sleep(0)
    loop.call_at(8.0, signal.pulse)
    after = await waiting

    assert (before, after) == (True, False)
