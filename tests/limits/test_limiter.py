from __future__ import annotations

import asyncio
from typing import Any, cast

import anyio
import httpx
import pytest

from tests.support.service import (
    Body,
    Service,
    accepted,
    asked_ids,
    client,
    client_of,
    emulator,
    finished,
    looked,
    still_runtime,
)
from veo_async import (
    ClientClosedError,
    PollPolicy,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    TextToVideo,
)
from veo_async._events import EventEmitter
from veo_async._limits.limiter import Limiter
from veo_async._wire.http import API
from veo_async._wire.replies import Answer, Failure, Reply
from veo_async._wire.requests import Lane
from veo_async.emulator import Limits, Seconds

MUG = TextToVideo(prompt="a mug")
GOOD = Reply(200, {}, b"{}")


def busy(retry_after: float | None = None) -> Reply:
    """A 429."""
    return Reply(429, {}, b"", retry_after)


def limiter(**options: Any) -> Limiter:
    """A limiter by itself."""
    return Limiter(cast("API", None), RateLimit(**options), still_runtime(), EventEmitter())


def hear(limit: Limiter, answer: Answer, *, lane: Lane = "poll", sent: float | None = None) -> None:
    """An answer comes to a call that was just sent."""
    limit.note(answer, lane=lane, sent=now() if sent is None else sent)


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


async def times_of(limit: Limiter, count: int, *, lane: Lane = "submit") -> list[float]:
    """When each of so many calls may go, all of which are short."""
    times: list[float] = []

    async def call() -> None:
        await limit.enter(lane)
        times.append(now())
        limit.leave(lane)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(call)
    return times


@pytest.mark.asyncio
@pytest.mark.parametrize("concurrency", [1, 2, 3, 8])
async def test_never_more_open_calls_than_allowed(concurrency: int) -> None:
    """Open calls, polls and questions included, never outnumber `concurrency`."""

    async def sell(body: Body) -> httpx.Response:
        await anyio.sleep(1.0)
        return accepted(body["prompt"])

    async def show(body: Body) -> httpx.Response:
        await anyio.sleep(3.0)
        return looked(body, **{key: finished(key) for key in asked_ids(body)})

    service = Service(submit=sell, tasks=show)
    limit, poll = RateLimit(concurrency=concurrency), PollPolicy(batch_size=2)
    async with (
        client(service, rate_limit=limit, poll=poll) as veo,
        anyio.create_task_group() as group,
    ):
        for number in range(20):
            group.start_soon(veo.tasks.retrieve, f"other-{number}")
        outcomes = await veo.generate_many([TextToVideo(prompt=f"p{n}") for n in range(20)])

    assert all(outcome.result for outcome in outcomes)
    assert service.most_open == concurrency


@pytest.mark.asyncio
async def test_submits_do_not_starve_polls_nor_polls_submits() -> None:
    """Each kind has slots of its own, so calls of one kind that hang do not stop the other."""
    limit = limiter(concurrency=4)
    for _ in range(3):
        await limit.enter("submit")
    with anyio.fail_after(1.0):
        await limit.enter("poll")
        limit.leave("submit")
        await limit.enter("submit")


@pytest.mark.asyncio
async def test_a_single_slot_is_shared() -> None:
    """With one open call in all, submits and polls take turns."""
    limit = limiter(concurrency=1)
    await limit.enter("submit")
    with anyio.move_on_after(1.0) as waited:
        await limit.enter("poll")
    limit.leave("submit")

    assert waited.cancelled_caught
    with anyio.fail_after(1.0):
        await limit.enter("poll")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "burst, times",
    [(1, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]), (3, [0.0, 0.0, 0.0, 0.5, 1.0, 1.5])],
)
async def test_calls_keep_the_rate(burst: int, times: list[float]) -> None:
    """After a burst, calls are spaced by the rate."""
    limit = limiter(per_second=2.0, burst=burst)

    assert await times_of(limit, 6) == pytest.approx(times, abs=1e-3)


@pytest.mark.asyncio
async def test_the_rate_is_of_both_kinds_together() -> None:
    """Polls and submits draw on one rate, and while both queue, both go on."""
    limit = limiter(per_second=1.0)
    times: dict[Lane, list[float]] = {}

    async def many(lane: Lane) -> None:
        times[lane] = await times_of(limit, 10, lane=lane)

    async with anyio.create_task_group() as group:
        group.start_soon(many, "submit")
        group.start_soon(many, "poll")

    both = sorted(times["submit"] + times["poll"])
    assert both == pytest.approx(list(range(20)), abs=1e-3)
    assert min(times["poll"][4], times["submit"][4]) <= 10.0


@pytest.mark.asyncio
async def test_a_cancelled_waiter_gives_everything_back() -> None:
    """Who stops waiting, for a slot or for its turn, leaves the slot and the rate to the others."""
    limit = limiter(concurrency=2, per_second=1.0)
    assert await times_of(limit, 1) == [0.0]

    for _ in range(5):
        with anyio.move_on_after(0.1):
            await times_of(limit, 3)

    assert await times_of(limit, 3) == pytest.approx([1.0, 2.0, 3.0], abs=1e-3)


@pytest.mark.asyncio
async def test_one_429_pauses_everybody() -> None:
    """After one 429 no call of either kind goes before its `Retry-After` is over; those that were
    refused together share that pause, and it is not added up."""
    limit = limiter(adaptive=False)
    for _ in range(5):
        hear(limit, busy(7.0))

    submits = await times_of(limit, 2)
    polls = await times_of(limit, 1, lane="poll")

    assert submits + polls == pytest.approx([7.0, 7.0, 7.0], abs=1e-3)


@pytest.mark.asyncio
async def test_a_429_lengthens_a_pause_that_somebody_sleeps_through() -> None:
    """Who already waits for its turn heeds a 429 that comes meanwhile."""
    limit = limiter(adaptive=False)
    hear(limit, busy(2.0))
    sleeping = asyncio.create_task(times_of(limit, 1))
    await asyncio.sleep(1.0)
    hear(limit, busy(4.0))

    assert await sleeping == pytest.approx([5.0], abs=1e-3)


@pytest.mark.asyncio
async def test_a_429_without_a_time_backs_off() -> None:
    """Pauses without `Retry-After` grow from one to the next, until an answer is good."""
    limit = limiter(adaptive=False)
    pauses: list[float] = []
    for _ in range(4):
        hear(limit, busy())
        [went] = await times_of(limit, 1)
        pauses.append(went - sum(pauses))
    hear(limit, GOOD)
    hear(limit, busy())
    [went] = await times_of(limit, 1)

    assert pauses == sorted(pauses)
    assert 0.5 <= pauses[0] <= 1.0
    assert 4.0 <= pauses[3] <= 8.0
    assert went - sum(pauses) <= 1.0


@pytest.mark.asyncio
async def test_the_pace_recovers_step_by_step() -> None:
    """A 429 spaces the calls that follow as those before it went; good answers narrow the space
    after a while, as far as the rate is used, and neither an error nor a lost answer does."""
    limit = limiter()

    async def gap() -> float:
        times = await times_of(limit, 12)
        return times[-1] - times[-2]

    for _ in range(20):
        await times_of(limit, 1)
        hear(limit, GOOD)
        await asyncio.sleep(0.1)
    await times_of(limit, 1)
    hear(limit, busy(1.0))
    gaps = [await gap()]
    hear(limit, Failure("httpx", ()))
    hear(limit, Reply(500, {}, b""))
    gaps.append(await gap())
    for answers in (20, 5000):
        for _ in range(answers):
            hear(limit, GOOD)
        gaps.append(await gap())

    assert gaps[0] == pytest.approx(0.1, rel=0.2)
    assert gaps[0] == pytest.approx(gaps[1])
    assert gaps[1] > gaps[2] > gaps[3]


@pytest.mark.asyncio
async def test_a_closed_limiter_lets_nothing_go() -> None:
    """After the end no call goes, and its slot is not lost."""
    limit = limiter(concurrency=1)
    limit.close()

    for _ in range(2):
        with pytest.raises(ClientClosedError):
            await limit.enter("poll")


@pytest.mark.asyncio
async def test_submits_outlast_a_service_that_is_busy() -> None:
    """A service with a limit that we were not told of refuses some submits, loses none and bills
    each once."""
    service = emulator(limits=Limits(submits_per_second=2.0, retry_after=1.0), pace=Seconds(mean=9))
    async with service, client_of(service) as veo:
        outcomes = await veo.generate_many([TextToVideo(prompt=f"p{n}") for n in range(20)])

    assert [outcome.error for outcome in outcomes] == [None] * 20
    assert len(service.bill) == 20
    assert 0 < service.counters[429] < 30


@pytest.mark.asyncio
async def test_patience_with_a_busy_service_is_bounded() -> None:
    """A submit that is answered with nothing but 429 raises `RateLimitError` in the end."""
    service = emulator(limits=Limits(in_flight=0, retry_after=2.0))
    policy = RetryPolicy(rate_limit_attempts=4)
    async with service, client_of(service, retry=policy) as veo:
        with pytest.raises(RateLimitError) as error:
            await veo.text2video("a mug")

        assert 6.0 <= now() <= 8.0

    assert error.value.retry_after == 2.0
    assert not error.value.may_have_cost
    assert service.counters["submit"] == 4
