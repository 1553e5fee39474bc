"""The virtual event loop keeps the law that stands at the top of its module."""

from __future__ import annotations

import asyncio
import gc
import math
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import Queue
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from veo_async.testing import _virtual_loop
from veo_async.testing._virtual_loop import DeadlockError, VirtualEventLoop

DAY = 86_400.0
IMPATIENT = partial(VirtualEventLoop, patience=0.02)


def now() -> float:
    """Return the time of the running loop."""
    return asyncio.get_running_loop().time()


def slowly(answer: str) -> str:
    """Do the work of a thread, long enough for a loop that does not wait to run away."""
    time.sleep(0.01)  # real on purpose: a thread at work is the thing under test
    return answer


@contextmanager
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect two real sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def run(
    main: Coroutine[Any, Any, Any], loop: Callable[[], asyncio.AbstractEventLoop] = VirtualEventLoop
) -> Any:
    """Run a coroutine on a loop of its own, and close that."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


# --- time ---


@pytest.mark.asyncio
async def test_hours_pass_in_milliseconds() -> None:
    """A sleep takes its time on the loop's clock, and next to none on the wall."""
    started = time.monotonic()

    await asyncio.sleep(100 * 3600)
    await anyio.sleep(100 * 3600)

    assert now() == 200 * 3600
    assert anyio.current_time() == 200 * 3600
    assert time.monotonic() - started < 10


@pytest.mark.asyncio
async def test_time_begins_at_zero() -> None:
    """A fresh loop's clock reads 0, so that times in a test are plain numbers."""
    assert now() == 0.0


@pytest.mark.asyncio
async def test_timers_fire_in_the_order_of_their_times() -> None:
    """A later timer never overtakes an earlier one, and each sees its own time."""
    seen: list[tuple[str, float]] = []

    async def wake(name: str, after: float) -> None:
        await asyncio.sleep(after)
        seen.append((name, now()))

    await asyncio.gather(wake("c", 7200), wake("a", 0.5), wake("b", 60), wake("b'", 60))

    assert seen == [("a", 0.5), ("b", 60), ("b'", 60), ("c", 7200)]


@pytest.mark.asyncio
async def test_what_is_ready_goes_before_any_timer() -> None:
    """Time does not move while a callback is ready, however many follow one another."""
    for _ in range(1000):
        await asyncio.sleep(0)

    assert now() == 0.0


@pytest.mark.asyncio
async def test_a_timer_far_from_zero_is_still_met() -> None:
    """Near the horizon, where a nanosecond is less than a step of a float, timers come due."""
    await asyncio.sleep(29 * DAY + 0.1)
    for _ in range(100):
        await asyncio.sleep(0.1)

    assert now() == pytest.approx(29 * DAY + 10.1)


@pytest.mark.asyncio
async def test_a_deadline_is_met_on_the_virtual_clock() -> None:
    """``asyncio.timeout`` and ``anyio.fail_after`` end a wait at their own time."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3600):
            await asyncio.Event().wait()
    with pytest.raises(TimeoutError), anyio.fail_after(60):
        await anyio.sleep_forever()

    assert now() == 3660


@pytest.mark.asyncio
async def test_a_deadline_that_is_not_reached_costs_no_time() -> None:
    """A timer that was cancelled is not jumped to."""
    async with asyncio.timeout(3600):
        await asyncio.sleep(1)
    with anyio.fail_after(3600):
        await anyio.sleep(1)

    assert now() == 2


@pytest.mark.asyncio
async def test_a_timer_at_infinity_is_no_timer() -> None:
    """It can be set and cancelled like any other, and is never jumped to."""
    handle = asyncio.get_running_loop().call_later(math.inf, pytest.fail, "never")

    await asyncio.sleep(5)
    handle.cancel()

    assert handle.cancelled()
    assert now() == 5


# --- threads ---


@pytest.mark.asyncio
async def test_a_worker_thread_takes_no_virtual_time() -> None:
    """Time stands still while a thread of asyncio's or of anyio's owes an answer."""
    timer = asyncio.create_task(asyncio.sleep(3600))
    limiter = anyio.CapacityLimiter(1)

    answers = [
        await asyncio.to_thread(slowly, "asyncio"),
        await anyio.to_thread.run_sync(slowly, "anyio"),
        await anyio.to_thread.run_sync(slowly, "anyio's idle one", limiter=limiter),
    ]

    assert answers == ["asyncio", "anyio", "anyio's idle one"]
    assert now() == 0.0
    await timer
    assert now() == 3600


@pytest.mark.asyncio
async def test_an_executor_of_the_callers_takes_no_virtual_time() -> None:
    """The rule holds for every executor, not for the loop's own alone."""
    timer = asyncio.create_task(asyncio.sleep(3600))

    with ThreadPoolExecutor(1) as executor:
        answer = await asyncio.get_running_loop().run_in_executor(executor, slowly, "mine")

    assert (answer, now()) == ("mine", 0.0)
    await timer


@pytest.mark.asyncio
async def test_many_threads_and_timers_keep_apart() -> None:
    """Timers between calls to threads give the same times on every run."""

    async def work(number: int) -> float:
        await asyncio.sleep(number)
        await anyio.to_thread.run_sync(slowly, "")
        await asyncio.to_thread(slowly, "")
        await asyncio.sleep(number)
        return now()

    assert await asyncio.gather(*map(work, range(8))) == [2 * number for number in range(8)]


@pytest.mark.asyncio
async def test_an_idle_thread_that_is_sent_home_holds_no_time() -> None:
    """A worker of anyio's that ends after long idleness owes nothing, so time continues."""
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(anyio.to_thread.run_sync, slowly, "")

    await asyncio.sleep(3600)
    await anyio.to_thread.run_sync(slowly, "")  # prunes the three others
    await asyncio.sleep(3600)

    assert now() == 7200


@pytest.mark.asyncio
async def test_a_thread_that_becomes_idle_unheard_holds_no_time() -> None:
    """A worker of anyio's marks its call as done after it woke the loop, and wakes it no more."""

    class LateWorker(threading.Thread):
        loop = asyncio.get_running_loop()
        queue: Queue[str] = Queue()

        def run(self) -> None:
            slowly(self.queue.get())
            self.queue.task_done()

    LateWorker.queue.put("")
    worker = LateWorker()
    worker.start()
    await asyncio.sleep(3600)
    worker.join()

    assert now() == 3600


@pytest.mark.asyncio
async def test_a_call_that_was_given_up_holds_no_time() -> None:
    """Nobody awaits the answer of a cancelled call, so time need not stand still for it."""
    release = threading.Event()
    call = asyncio.create_task(asyncio.to_thread(release.wait))
    await asyncio.sleep(0)

    call.cancel()
    await asyncio.sleep(3600)

    assert now() == 3600
    release.set()


@pytest.mark.asyncio
async def test_a_thread_may_call_back_into_the_loop() -> None:
    """A coroutine that a worker thread asks for runs while the thread waits for it."""

    async def answer() -> str:
        await asyncio.sleep(0)
        return "from the loop"

    assert await anyio.to_thread.run_sync(anyio.from_thread.run, answer) == "from the loop"


@pytest.mark.asyncio
async def test_a_foreign_thread_wakes_the_loop() -> None:
    """With no timer set, the loop waits for ``call_soon_threadsafe`` of any thread at all."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    def call() -> None:
        slowly("")
        loop.call_soon_threadsafe(event.set)

    thread = threading.Thread(target=call)
    thread.start()
    await event.wait()
    thread.join()

    assert now() == 0.0


# --- sockets ---


@pytest.mark.asyncio
async def test_sockets_at_both_ends_of_one_loop() -> None:
    """Data that has arrived at a socket is read before any timer, and no time passes."""
    loop = asyncio.get_running_loop()
    timer = asyncio.create_task(asyncio.sleep(3600))

    with sockets() as (ours, theirs):
        reading = asyncio.create_task(loop.sock_recv(theirs, 100))
        await asyncio.sleep(0)
        await loop.sock_sendall(ours, b"ping")
        received = await reading

    assert (received, now()) == (b"ping", 0.0)
    await timer


def test_time_is_real_while_a_socket_is_watched() -> None:
    """A timer is not jumped to while a socket may speak: it comes due by the wall clock."""

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        with sockets() as (ours, theirs):
            reading = asyncio.create_task(loop.sock_recv(ours, 100))
            started = time.monotonic()
            await asyncio.sleep(0.01)
            slept = time.monotonic() - started
            threading.Timer(0.05, theirs.send, [b"!"]).start()
            async with asyncio.timeout(20):
                assert await reading == b"!"
            return slept, now()

    slept, virtual = run(main())

    assert slept >= 0.0099
    assert 0.03 <= virtual < 20  # the thread may have begun a little before the loop waits


def test_a_silent_socket_is_a_deadlock() -> None:
    """A watched socket that says nothing for ``patience`` ends the run, with timers or without."""

    async def main(timer: float) -> None:
        loop = asyncio.get_running_loop()
        with sockets() as (ours, _):
            async with asyncio.timeout(timer):
                await loop.sock_recv(ours, 100)

    with pytest.raises(DeadlockError, match="a socket or another file is watched"):
        run(main(math.inf), IMPATIENT)
    with pytest.raises(DeadlockError, match="a socket or another file is watched"):
        run(main(3600), IMPATIENT)


# --- deadlocks ---


def test_a_wait_for_nothing_is_a_deadlock() -> None:
    """If nothing can happen the run ends, and the message names the task that waits."""

    async def wait_for_godot() -> None:
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match=r"(?s)no timer is set .*wait_for_godot"):
        run(wait_for_godot(), IMPATIENT)


def test_sleeping_for_ever_is_a_deadlock() -> None:
    """``anyio.sleep_forever`` sets a timer at infinity, which is no hope either."""
    with pytest.raises(DeadlockError, match="no timer is set"):
        run(anyio.sleep_forever(), IMPATIENT)


def test_a_thread_without_an_answer_is_a_deadlock() -> None:
    """A thread that outlasts ``patience`` ends the run instead of hanging it."""
    release = threading.Event()

    async def main() -> None:
        await anyio.to_thread.run_sync(release.wait, abandon_on_cancel=True)

    with pytest.raises(DeadlockError, match="a worker thread owes an answer"):
        run(main(), IMPATIENT)
    release.set()


def test_a_circle_of_timers_is_a_deadlock() -> None:
    """A timer that renews itself for ever ends the run at the horizon."""

    async def poll_for_ever() -> None:
        while True:  # noqa: ASYNC110 - the circle is the thing under test
            await asyncio.sleep(600)

    with pytest.raises(DeadlockError, match="horizon of 86400 virtual seconds"):
        run(poll_for_ever(), partial(VirtualEventLoop, horizon=DAY))


@pytest.mark.asyncio
async def test_a_busy_wait_takes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that turns the loop until time has passed gets that, as on any other loop."""
    monkeypatch.setattr(_virtual_loop, "BUSY_TURNS", 100)

    while now() < 7200:
        timer = asyncio.create_task(asyncio.sleep(3600))
        while not timer.done():  # noqa: ASYNC110 - the busy wait is the thing under test
            await asyncio.sleep(0)

    assert now() == 7200


@pytest.mark.asyncio
async def test_a_cancelled_task_may_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """anyio delivers a cancellation at every turn; time passes for the task that resists it."""
    monkeypatch.setattr(_virtual_loop, "BUSY_TURNS", 100)
    cancelled = 0

    with anyio.move_on_after(1):
        timer = asyncio.create_task(asyncio.sleep(10))
        while not timer.done():
            try:
                await asyncio.wait([timer])
            except asyncio.CancelledError:
                cancelled += 1

    assert cancelled > 1
    assert now() == 10


def test_a_busy_wait_for_nothing_is_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with an error if no timer is set, if a socket is watched, or if a thread works."""
    monkeypatch.setattr(_virtual_loop, "BUSY_TURNS", 100)
    release = threading.Event()

    async def spin(meanwhile: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(meanwhile)
        async with asyncio.timeout(3600):
            while not task.cancelled():  # noqa: ASYNC110 - the busy wait is the thing under test
                await asyncio.sleep(0)

    async def listen() -> None:
        with sockets() as (ours, _):
            await asyncio.get_running_loop().sock_recv(ours, 100)

    async def spin_without_a_timer() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    with pytest.raises(DeadlockError, match="renew themselves for ever, 1000 times"):
        run(spin_without_a_timer())
    with pytest.raises(DeadlockError, match="renew themselves for ever, 1000 times"):
        run(spin(listen()))
    with pytest.raises(DeadlockError, match="renew themselves for ever, 1000 times"):
        run(spin(anyio.to_thread.run_sync(release.wait, abandon_on_cancel=True)))
    release.set()


def test_a_deadlock_leaves_the_loop_usable() -> None:
    """After the error the runner can cancel what is left, and closes without a warning."""
    cleaned: list[float] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(60)
            cleaned.append(now())

    with pytest.raises(DeadlockError):
        run(main(), IMPATIENT)

    assert cleaned == [60]
    gc.collect()


# --- how tests get their loop ---


@pytest.mark.asyncio
async def test_an_asynchronous_test_gets_the_virtual_loop() -> None:
    """Without a further mark, tests run on virtual time."""
    assert isinstance(asyncio.get_running_loop(), VirtualEventLoop)


@pytest.mark.asyncio
@pytest.mark.real_loop
async def test_a_marked_test_gets_a_real_loop() -> None:
    """With ``real_loop``, the loop is an ordinary one."""
    assert not isinstance(asyncio.get_running_loop(), VirtualEventLoop)
