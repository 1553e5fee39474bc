from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import pytest

from tests.support.service import other_tasks
from veo_async._base.worker import Worker, uninterrupted

whose: ContextVar[str] = ContextVar("whose", default="nobody's")


class Work:
    """Work for a worker, with its runs and its failures."""

    def __init__(self, step: Callable[[], Awaitable[None]] | None = None) -> None:
        self._step = step
        self.runs = 0
        self.failures = list[BaseException]()
        self.worker = Worker(self._run, "some work", on_failure=self.failures.append)

    async def _run(self) -> None:
        self.runs += 1
        if self._step:
            await self._step()


async def turns(count: int = 5) -> None:
    """Let the event loop take some turns."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_worker_is_one_task_while_it_is_needed() -> None:
    """It starts with the first call of `ensure`, and ends when the work is done."""
    work = Work(lambda: asyncio.sleep(1.0))

    work.worker.ensure()
    work.worker.ensure()

    assert [task.get_name() for task in other_tasks()] == ["some work"]
    await work.worker.join()
    assert not other_tasks()
    assert (work.runs, work.failures) == (1, [])


@pytest.mark.asyncio
async def test_a_worker_starts_again() -> None:
    """After its end the next `ensure` starts it."""
    work = Work()
    work.worker.ensure()
    await work.worker.join()

    work.worker.ensure()
    await work.worker.join()

    assert work.runs == 2


@pytest.mark.asyncio
async def test_the_caller_s_context_does_not_live_on() -> None:
    """Neither the work nor the callback at its end sees the context variables of its caller."""
    seen = list[str]()

    async def look() -> None:
        seen.append(whose.get())
        raise ValueError

    whose.set("the caller's")
    worker = Worker(look, "look", on_failure=lambda _: seen.append(whose.get()))
    worker.ensure()
    await worker.join()

    assert seen == ["nobody's", "nobody's"]


@pytest.mark.asyncio
async def test_an_error_is_reported_once_and_the_worker_can_start_again() -> None:
    """The error that ended a run reaches the callback."""
    fault = ValueError("a fault of ours")

    async def fail() -> None:
        raise fault

    work = Work(fail)
    work.worker.ensure()
    await work.worker.join()
    assert work.failures == [fault]

    work.worker.ensure()
    await work.worker.join()

    assert work.failures == [fault, fault]


@pytest.mark.asyncio
async def test_without_a_callback_the_event_loop_hears_of_an_error() -> None:
    """An error is never silent; a cancellation is no error."""
    fault, heard = ValueError("a fault of ours"), list[object]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: heard.append(context["exception"])
    )

    async def fail() -> None:
        raise fault

    worker = Worker(fail, "fails")
    worker.ensure()
    await worker.aclose()
    assert heard == []

    worker.ensure()
    await worker.join()

    assert heard == [fault]


@pytest.mark.asyncio
@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_a_cancelled_worker_reports_it(steps: int) -> None:
    """It reports the cancellation also if it had not taken its first step."""
    work = Work(lambda: asyncio.sleep(9.0))
    work.worker.ensure()
    await turns(steps)

    (task,) = other_tasks()
    task.cancel()
    await work.worker.join()

    assert work.runs == bool(steps)
    assert [type(cause) for cause in work.failures] == [asyncio.CancelledError]


@pytest.mark.asyncio
async def test_a_worker_may_be_closed_twice() -> None:
    """Closing waits for the end; closing one that does not run does nothing."""
    work = Work(lambda: asyncio.sleep(9.0))
    await work.worker.aclose()
    work.worker.ensure()
    await turns()

    await work.worker.aclose()
    assert not other_tasks()
    await work.worker.aclose()

    assert len(work.failures) == 1
    assert asyncio.get_running_loop().time() < 1.0


@pytest.mark.asyncio
@pytest.mark.parametrize("steps", range(4))
async def test_work_that_comes_while_a_run_ends_is_done(steps: int) -> None:
    """A run begins after it, whether it comes before the first step, while the run waits, in its
    last step, or before its end was noticed."""
    begun, needed_at = list[int](), 0
    clock = iter(range(100))

    async def run() -> None:
        begun.append(next(clock))
        await asyncio.sleep(0)

    worker = Worker(run, "work")
    worker.ensure()
    await turns(steps)
    needed_at = next(clock)
    worker.ensure()
    await worker.join()

    assert begun[-1] > needed_at


@pytest.mark.asyncio
async def test_work_that_comes_while_a_worker_fails_shares_the_failure() -> None:
    """Until its callback has run the worker counts as running, so no new task is started for work
    whose waiters hear of the failure."""
    work: Work

    async def fail() -> None:
        asyncio.get_running_loop().call_soon(work.worker.ensure)
        raise ValueError

    work = Work(fail)
    work.worker.ensure()
    await turns()

    assert (work.runs, len(work.failures)) == (1, 1)
    assert not other_tasks()


@pytest.mark.asyncio
async def test_an_unlisted_worker_outlives_a_sweep() -> None:
    """The end of a program cancels all tasks that the event loop lists."""
    worker = Worker(lambda: asyncio.sleep(1.0), "some work", is_listed=False)

    worker.ensure()

    assert not other_tasks()
    await worker.join()
    assert asyncio.get_running_loop().time() == 1.0


@pytest.mark.asyncio
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_an_uninterrupted_wait_reaches_its_end(times: int) -> None:
    """However often its caller is cancelled. The cancellation is raised at the end, and reported at
    once."""
    worker, told = Worker(lambda: asyncio.sleep(9.0), "some work"), list[float]()
    loop = asyncio.get_running_loop()
    worker.ensure()

    waiting = asyncio.create_task(
        uninterrupted(worker.join, when_cancelled=lambda: told.append(loop.time()))
    )
    for _ in range(times):
        await asyncio.sleep(1.0)
        waiting.cancel()
    await asyncio.wait([waiting])

    assert waiting.cancelled()
    assert told == [1.0, 2.0, 3.0][:times]
    assert loop.time() == 9.0


@pytest.mark.asyncio
async def test_an_uninterrupted_wait_ends_although_it_is_cancelled_in_each_turn() -> None:
    """Each cancellation would start the work again if it ran in the caller's task."""
    worker = Worker(lambda: turns(9), "some work", is_listed=False)
    worker.ensure()

    waiting = asyncio.create_task(uninterrupted(worker.join))
    while not waiting.done():
        waiting.cancel()
        await asyncio.sleep(0)

    assert waiting.cancelled()


@pytest.mark.asyncio
async def test_an_error_of_uninterrupted_work_is_raised() -> None:
    """Unless there is a cancellation to raise."""

    async def fail() -> None:
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        await uninterrupted(fail)
