"""Cancellation at every turn of the event loop, and in every way that Python knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio
import httpx
import pytest

from tests.support.service import (
    Body,
    Service,
    accepted,
    client,
    client_of,
    emulator,
    finished,
    looked,
    other_tasks,
    refused,
)
from tests.support.stepping import Shop, SteppingLoop, on_a_stepping_loop
from veo_async import (
    BadRequestError,
    RateLimit,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
)
from veo_async.emulator import Drop, Fault, Seconds
from veo_async.testing._virtual_loop import VirtualEventLoop

pytestmark = pytest.mark.slow

LIMIT = RateLimit(concurrency=2, in_flight=2)
AT_ONCE = RetryPolicy(on_uncertain="raise")


def known_ids(veo: VeoClient, ends: list[object]) -> set[str | None]:
    """All task ids that the caller was told of, in one way or another."""
    told = {item.task_id for item in veo.unsettled}
    for end in ends:
        told.add(getattr(end, "task_id", None))
        told.add(getattr(getattr(end, "result", None), "task_id", None))
        told.add(getattr(getattr(end, "error", None), "task_id", None))
    return told


def ends_of(task: asyncio.Task[Any]) -> list[object]:
    """What the caller got: a result, an error, or several of them."""
    end = None if task.cancelled() else task.exception() or task.result()
    return end if isinstance(end, list) else [end]


async def check_nothing_is_lost(veo: VeoClient, shop: Shop, ends: list[object], most: int) -> None:
    """The law of money, and everything that was borrowed is given back."""
    assert len(shop.submits) == len(shop.bill) <= most
    assert set(shop.bill) <= known_ids(veo, ends)
    for item in veo.unsettled:
        assert item.task_id is not None
        assert (await veo.wait(item.task_id)).task_id == item.task_id
    assert not veo.unsettled
    assert veo._admission.in_flight == 0
    assert [lane.calls._value for lane in veo._limiter._lanes.values()] == [1, 1]
    await veo.aclose()
    assert not other_tasks()
    assert not veo._tracker._in_flight
    assert len(veo._tracker.queue.agenda) == 0


def job_of(veo: VeoClient, job: str) -> Coroutine[Any, Any, Any]:
    """One video, or three."""
    if job == "one":
        return veo.text2video("a mug")
    return veo.generate_many([TextToVideo(prompt=prompt) for prompt in "abc"])


MOST = {"one": 1, "three": 3}


def run_cancelled_at(turn: int, job: str, *, times: int) -> bool:
    """Run the job, cancel it at this turn of the loop, and check; whether it came so far."""
    shop = Shop()
    came_so_far = False

    async def main(loop: SteppingLoop) -> None:
        veo = client(shop, rate_limit=LIMIT)
        task = asyncio.create_task(job_of(veo, job))

        def cancel() -> None:
            nonlocal came_so_far
            came_so_far = not task.done()
            task.cancel()
            if times > 1:
                loop.call_later(0.05, task.cancel)

        loop.call_at_turn(turn, cancel)
        await asyncio.wait([task])
        await asyncio.sleep(2.0)  # a POST outlives a caller that was cancelled twice
        await check_nothing_is_lost(veo, shop, ends_of(task), MOST[job])

    on_a_stepping_loop(main)
    return came_so_far


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("job", ["one", "three"])
def test_cancelled_at_any_turn_loses_nothing(job: str, times: int) -> None:
    """Whenever a call is cancelled, once or twice: what was billed is known by its id, nothing is
    sent twice, and all slots, places and tasks are given back."""
    turn = 1

    while run_cancelled_at(turn, job, times=times):
        turn += 1

    assert turn > 15  # so many turns of the loop take one video from submit to result


def run_closed_at(turn: int, job: str) -> bool:
    """Run the job, close the client at this turn, and check; whether it came so far."""
    shop = Shop()
    came_so_far = False

    async def main(loop: SteppingLoop) -> None:
        nonlocal came_so_far
        veo = client(shop, rate_limit=LIMIT)
        task = asyncio.create_task(job_of(veo, job))
        now = asyncio.Event()
        loop.call_at_turn(turn, now.set)
        told = asyncio.create_task(now.wait())
        await asyncio.wait([task, told], return_when="FIRST_COMPLETED")
        came_so_far = not task.done()

        await veo.aclose()

        left = [one for one in other_tasks() - {task, told} if "_submit/sender" in repr(one)]
        await asyncio.wait([task])
        told.cancel()
        await asyncio.wait([told])
        assert left == []
        assert not other_tasks()
        assert set(shop.bill) <= known_ids(veo, ends_of(task))
        assert len(shop.submits) == len(shop.bill) <= MOST[job]

    on_a_stepping_loop(main)
    return came_so_far


@pytest.mark.parametrize("job", ["one", "three"])
def test_closed_at_any_turn_loses_nothing(job: str) -> None:
    """Whenever the client is closed: an open submit settles, whoever waits hears the id of what
    was billed, and no task of ours is left."""
    turn = 1

    while run_closed_at(turn, job):
        turn += 1

    assert turn > 15  # so many turns of the loop take one video from submit to result


def run_ended_at(turn: int, job: str) -> bool:
    """Let the program end at this turn while the job runs beside it, and check afterwards."""
    shop = Shop()
    kept: list[VeoClient] = []
    tasks: list[asyncio.Task[Any]] = []

    async def main(loop: SteppingLoop) -> None:
        kept.append(client(shop, rate_limit=LIMIT))
        tasks.append(asyncio.create_task(job_of(kept[0], job)))
        now = asyncio.Event()
        loop.call_at_turn(turn, now.set)
        ended = asyncio.create_task(now.wait())
        await asyncio.wait([*tasks, ended], return_when="FIRST_COMPLETED")

    on_a_stepping_loop(main)
    assert set(shop.bill) <= known_ids(kept[0], ends_of(tasks[0]))
    assert len(shop.submits) == len(shop.bill) <= MOST[job]
    return tasks[0].cancelled()


@pytest.mark.parametrize("job", ["one", "three"])
def test_the_end_of_the_program_at_any_turn_loses_nothing(job: str) -> None:
    """`asyncio.run` cancels all tasks at its end; a POST that has begun settles all the same."""
    turn = 1

    while run_ended_at(turn, job):
        turn += 1

    assert turn > 15  # so many turns of the loop take one video from submit to result


def silent() -> Service:
    """A service that never answers a submit."""

    async def keep(body: Body) -> httpx.Response:
        await asyncio.sleep(10**6)
        raise AssertionError

    return Service(submit=keep)


async def cancelled(task: asyncio.Task[Any], *, times: int) -> None:
    """Cancel a caller so often, a second apart."""
    for _ in range(times):
        await asyncio.sleep(1.0)
        task.cancel()


@pytest.mark.asyncio
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("closes_first", [False, True])
async def test_the_end_waits_for_a_submit_unless_its_caller_is_in_a_hurry(
    times: int, closes_first: bool
) -> None:
    """Who is cancelled a second time while the submit settles wants to be gone: then the client
    closes at once too. What was sent is told as uncertain in either case."""
    veo = client(silent())
    task = asyncio.create_task(veo.text2video("a mug"))
    await asyncio.sleep(1.0)
    closing = asyncio.create_task(veo.aclose()) if closes_first else None
    await cancelled(task, times=times)
    began = asyncio.get_running_loop().time()

    await (closing or veo.aclose())

    took = asyncio.get_running_loop().time() - began
    assert (took < 1.0) is (times == 2)
    assert [type(item.error) for item in veo.unsettled] == [SubmissionUncertainError]
    await asyncio.wait([task])


@pytest.mark.parametrize("times, most", [(0, 11.0), (1, 2.0)])
def test_the_second_ctrl_c_does_not_wait(times: int, most: float) -> None:
    """The program's end cancels everybody: who was cancelled before is cancelled a second time,
    and a submit of theirs is cut; a submit of the others settles."""
    loops: list[asyncio.AbstractEventLoop] = []
    kept: list[VeoClient] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        kept.append(client(silent()))
        task = asyncio.create_task(kept[0].text2video("a mug"))
        await asyncio.sleep(1.0)
        await cancelled(task, times=times)

    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        runner.run(main())

    assert loops[0].time() == pytest.approx(most, abs=0.6)
    assert [type(item.error) for item in kept[0].unsettled] == [SubmissionUncertainError]


def run_lost_and_cancelled_at(turn: int) -> bool:
    """Lose the answer to a billed submit, and cancel its caller at this turn, also while the task
    list is searched for it; whether it came so far."""
    came_so_far = False

    async def main(loop: SteppingLoop) -> None:
        nonlocal came_so_far
        service = emulator(pace=Seconds(mean=20.0, sigma=0.0))
        service.faults.add(Fault(effect=Drop(at="accepted"), nth=1))
        async with service, client_of(service, rate_limit=LIMIT) as veo:
            task = asyncio.create_task(veo.text2video("a mug"))
            loop.call_at_turn(turn, task.cancel)
            await asyncio.wait([task])
            came_so_far = task.cancelled()
            known = known_ids(veo, ends_of(task))
            await asyncio.sleep(600.0)

            assert len(service.bill) == service.counters["submit"] <= 1
            lost = [item for item in veo.unsettled if item.error]
            assert lost or {charge.task_id for charge in service.bill} <= known
            for item in veo.unsettled:
                if item.task_id:
                    await veo.wait(item.task_id)
            assert veo._admission.in_flight == 0
            assert [lane.calls._value for lane in veo._limiter._lanes.values()] == [1, 1]

    on_a_stepping_loop(main)
    return came_so_far


def test_cancelled_while_a_lost_submit_is_looked_for() -> None:
    """Whenever the caller of a lost submit goes: it is told as uncertain or known by its id, never
    sent again, and its place is given back once."""
    turn = 1

    while run_lost_and_cancelled_at(turn):
        turn += 1

    assert turn > 40


async def by_timeout(work: Coroutine[Any, Any, Any]) -> None:
    """The standard library's timeout."""
    async with asyncio.timeout(0.7):
        await work


async def by_wait_for(work: Coroutine[Any, Any, Any]) -> None:
    """Its older relative."""
    await asyncio.wait_for(work, 0.7)


async def by_fail_after(work: Coroutine[Any, Any, Any]) -> None:
    """The timeout of anyio."""
    with anyio.fail_after(0.7):
        await work


async def by_scope(work: Coroutine[Any, Any, Any]) -> None:
    """A scope of anyio's that somebody cancels."""
    with anyio.CancelScope() as scope:
        asyncio.get_running_loop().call_later(0.7, scope.cancel)
        await work


async def by_cancelling_at(work: Coroutine[Any, Any, Any], *times: float) -> None:
    """A task that is cancelled natively, at each of these times."""
    task = asyncio.create_task(work)
    for moment in times:
        asyncio.get_running_loop().call_later(moment, task.cancel)
    await asyncio.wait([task])


async def by_cancel(work: Coroutine[Any, Any, Any]) -> None:
    """Once."""
    await by_cancelling_at(work, 0.7)


async def by_cancelling_twice(work: Coroutine[Any, Any, Any]) -> None:
    """As an impatient user presses Ctrl-C."""
    await by_cancelling_at(work, 0.7, 0.8)


async def by_cancelling_twice_at_once(work: Coroutine[Any, Any, Any]) -> None:
    """In one turn of the loop."""
    await by_cancelling_at(work, 0.7, 0.7)


async def by_task_group(work: Coroutine[Any, Any, Any]) -> None:
    """A neighbour's failure."""

    async def fail() -> None:
        await asyncio.sleep(0.7)
        raise RuntimeError("another task failed")

    async with anyio.create_task_group() as group:
        group.start_soon(fail)
        await work


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "cancel",
    [
        by_timeout,
        by_wait_for,
        by_fail_after,
        by_scope,
        by_cancel,
        by_cancelling_twice,
        by_cancelling_twice_at_once,
        by_task_group,
    ],
)
async def test_cancelled_within_its_post(
    cancel: Callable[[Coroutine[Any, Any, Any]], Coroutine[Any, Any, None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A POST that is billed already is not cut: the id is in `unsettled` and in a warning, and the
    next call gets its slot and its place."""
    shop = Shop()

    async with client(shop, rate_limit=RateLimit(concurrency=1, in_flight=1)) as veo:
        with suppress(TimeoutError, ExceptionGroup):
            await cancel(veo.text2video("a mug"))
        await asyncio.sleep(1.0)
        left = [(item.task_id, item.error) for item in veo.unsettled]
        following = await veo.text2video("another mug")

        assert (await veo.wait("task-1")).task_id == "task-1"
        assert not veo.unsettled

    assert left == [("task-1", None)]
    assert [(r.levelname, "veo.wait('task-1')" in r.message) for r in caplog.records] == [
        ("WARNING", True)
    ]
    assert shop.bill == ["task-1", following.task_id]
    assert len(shop.submits) == 2


@pytest.mark.asyncio
async def test_the_caller_stays_until_its_post_settles_but_not_for_ever() -> None:
    """A cancelled caller stays up to `settle` seconds; what comes later is still kept."""

    async def sell_slowly(body: Body) -> httpx.Response:
        await anyio.sleep(60.0)
        return accepted()

    async with client(Service(submit=sell_slowly), retry=RetryPolicy(shutdown_grace=5.0)) as veo:
        task = asyncio.create_task(veo.text2video("a mug"))
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait([task])
        gone_at = asyncio.get_running_loop().time()
        [waiting] = veo.unsettled
        await asyncio.sleep(60.0)
        [settled] = veo.unsettled

    assert gone_at == pytest.approx(6.0)
    assert (waiting.task_id, waiting.error) == (None, None)
    assert settled.task_id == "task-1"


@pytest.mark.asyncio
@pytest.mark.parametrize("task_id", ["task-1", None])
async def test_a_video_that_comes_after_its_caller_is_kept(
    task_id: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that holds the result keeps it in `unsettled`, also when it bears no id."""

    async def make(body: Body) -> httpx.Response:
        await anyio.sleep(60.0)
        return httpx.Response(200, json=finished(task_id))

    async with client(Service(submit=make), mode="sync") as veo:
        with anyio.move_on_after(1.0):
            await veo.text2video("a mug")
        await asyncio.sleep(60.0)

        [item] = veo.unsettled

    assert item.task_id == task_id
    assert item.result is not None
    assert item.result.video.video_url == "https://files.example/1.mp4"
    assert len(caplog.records) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 500])
async def test_a_refusal_after_the_caller_went_is_no_news(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Only what may have been paid for is kept: a refusal is forgotten, a 5xx is not."""

    async def refuse(body: Body) -> httpx.Response:
        await anyio.sleep(1.0)
        return refused(status, "bad_request" if status == 400 else "api_error")

    limit = RateLimit(concurrency=1, in_flight=1)
    async with client(Service(submit=refuse), rate_limit=limit, retry=AT_ONCE) as veo:
        with anyio.move_on_after(0.5):
            await veo.text2video("a mug")
        left = veo.unsettled
        with pytest.raises((BadRequestError, SubmissionUncertainError)):
            await veo.text2video("the slot and the place are free again")

    assert [type(item.error) for item in left] == [SubmissionUncertainError] * (status == 500)
    assert len(caplog.records) == len(left)


@pytest.mark.asyncio
async def test_uncertain_submits_of_a_run_that_is_cancelled_are_kept() -> None:
    """What `generate_many` would have told in its outcomes is in `unsettled` if it is cancelled:
    uncertain submits, accepted ones and finished ones."""

    async def sell(body: Body) -> httpx.Response:
        return {
            "lost": httpx.Response(502, text="<html>"),
            "refused": refused(400, "bad_request"),
            "running": accepted("task-r"),
            "done": httpx.Response(200, json=finished("task-d")),
        }[body["prompt"]]

    async def show(body: Body) -> httpx.Response:
        return looked(body)

    wanted = [TextToVideo(prompt=prompt) for prompt in ("lost", "refused", "running", "done")]
    async with client(Service(submit=sell, tasks=show), retry=AT_ONCE) as veo:
        with anyio.move_on_after(30.0):
            await veo.generate_many(wanted)
        left = {item.request.model_dump()["prompt"]: item for item in veo.unsettled}

    assert left.keys() == {"lost", "running", "done"}
    assert isinstance(left["lost"].error, SubmissionUncertainError)
    assert left["running"].task_id == "task-r"
    assert left["done"].result is not None


@pytest.mark.asyncio
async def test_a_cut_guard_cuts_its_post_only_after_it_had_time() -> None:
    """When all tasks are cancelled, and cancelled again, a POST still has `settle` seconds; then
    it is cut, and told as uncertain."""

    async def hang(body: Body) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    veo = client(Service(submit=hang), retry=AT_ONCE)
    with anyio.move_on_after(1.0):
        await veo.text2video("a mug")

    for _ in range(3):
        for task in other_tasks():
            task.cancel()
        await asyncio.sleep(3.0)
    waiting = veo.unsettled[0].error
    await asyncio.sleep(2.0)

    assert waiting is None
    assert "cancelled before its answer" in str(veo.unsettled[0].error)
    assert not other_tasks()
    await veo.aclose()
