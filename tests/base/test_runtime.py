from __future__ import annotations

import asyncio
import threading
import time

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from veo_async._base.runtime import JUMP, Runtime, SteadyClock
from veo_async.errors import InvalidRequestError
from veo_async.testing import VirtualEventLoop


@pytest.mark.asyncio
async def test_blocking_work_is_done_in_another_thread() -> None:
    """Unless somebody else is handed over, a worker thread holds the event loop free."""
    assert await Runtime().run_sync(threading.get_ident) != threading.get_ident()


@pytest.mark.asyncio
@pytest.mark.real_loop
async def test_callers_that_hold_all_threads_are_served() -> None:
    """Synchronous callers in anyio's threads, such as the endpoints of a web framework, may hold
    all of them while they wait for the library: it has threads of its own."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    held, results = int(limiter.total_tokens), []
    everybody = threading.Barrier(held)

    async def served() -> int:
        with anyio.fail_after(20):
            return await Runtime().run_sync(threading.get_ident)

    def endpoint() -> None:
        everybody.wait()  # all threads are held
        results.append(anyio.from_thread.run(served))

    async with anyio.create_task_group() as group:
        for _ in range(held):
            group.start_soon(anyio.to_thread.run_sync, endpoint)

    assert len(results) == held


def test_wall_time_is_the_machine_s() -> None:
    """Unix seconds, and random numbers that differ from one client to the next."""
    assert Runtime().wall_clock() == pytest.approx(time.time(), abs=60.0)
    assert Runtime().rng.random() != Runtime().rng.random()


# The clock of one client.


class Wall:
    """A wall clock that runs with the loop's, and can be set; and the clock that reads it."""

    def __init__(self) -> None:
        self.ahead = 1000.0
        self.clock = SteadyClock(self)

    def __call__(self) -> float:
        return self.ahead + asyncio.get_running_loop().time()


@pytest.mark.asyncio
@pytest.mark.parametrize("step", [JUMP / 2, -JUMP / 2])
async def test_small_steps_of_the_wall_clock_are_not_followed(step: float) -> None:
    """Times are compared with each other, so the clock runs as evenly as the event loop's."""
    wall = Wall()
    before = wall.clock()
    wall.ahead += step
    await asyncio.sleep(60.0)

    assert wall.clock() - before == 60.0


@pytest.mark.asyncio
@pytest.mark.parametrize("jump", [3600.0, -3600.0], ids=["suspended", "set back"])
async def test_a_jump_is_followed(jump: float) -> None:
    """The loop's clock stands still while the machine is suspended. After a jump in either
    direction the wall clock is right again, and runs evenly from there."""
    wall = Wall()
    before = wall.clock()
    wall.ahead += jump
    after = wall.clock()
    await asyncio.sleep(60.0)

    assert after - before == jump
    assert wall.clock() - after == 60.0


@pytest.mark.asyncio
async def test_a_wall_clock_that_stands_still_is_not_set_back() -> None:
    """A test may hand over a constant; a jump of it is followed all the same."""
    now = [1000.0]
    clock = SteadyClock(lambda: now[0])
    began = clock()
    await asyncio.sleep(60.0)
    later = clock()
    now[0] = 5000.0

    assert (began, later, clock()) == (1000.0, 1060.0, 5000.0)


# The event loop of one client.


def test_a_runtime_is_bound_to_one_loop() -> None:
    """The first one that is checked. From another one it is refused, also once the first is
    closed; the runtime of another client is free."""
    shared = Runtime()
    runtime, other = shared.of_one_client(), shared.of_one_client()

    async def check() -> None:
        runtime.check_loop()

    async def check_other() -> None:
        other.check_loop()

    with asyncio.Runner(loop_factory=VirtualEventLoop) as first:
        first.run(check())
        first.run(check())
        is_over_early = runtime.is_over
        with (
            asyncio.Runner(loop_factory=VirtualEventLoop) as second,
            pytest.raises(InvalidRequestError, match="belongs to the event loop of its first use"),
        ):
            second.run(check())
    with asyncio.Runner(loop_factory=VirtualEventLoop) as third:
        with pytest.raises(InvalidRequestError, match="one client per event loop"):
            third.run(check())
        third.run(check_other())
        is_over_elsewhere = other.is_over

    assert (is_over_early, runtime.is_over, is_over_elsewhere) == (False, True, False)
    assert not Runtime().is_over
