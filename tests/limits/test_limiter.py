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
    refused,
    still_runtime,
)
from veo_async import (
    ClientClosedError,
    PollPolicy,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    TextToVideo,
    WaitTimeoutError,
)
from veo_async._events import EventEmitter
from veo_async._limits.adaptive import MOST_AHEAD
from veo_async._limits.limiter import Limiter
from veo_async._limits.slots import Place
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


class Crowd:
    """Submits that all come at once, and whose calls stay open.

    Attributes:
        prepared, sent: how many are that far.
    """

    def __init__(self, limit: Limiter, *, seconds: float = 0.0) -> None:
        self.prepared = 0
        self.sent = 0
        self._limit = limit
        self._seconds = seconds
        self._places: list[Place] = []

    async def submit(self) -> None:
        """One of them."""
        place, _ = await self._limit.enter_submit(self._limit.ticket(), self._prepare, is_slow=True)
        self.sent += 1
        self._places.append(place)

    def end(self, count: int) -> None:
        """So many of them are over."""
        for _ in range(count):
            self._limit.leave("submit")
            self._places.pop().release()

    async def _prepare(self) -> None:
        await asyncio.sleep(self._seconds)
        self.prepared += 1


async def polls(limit: Limiter, count: int, *, per_second: float) -> None:
    """As many good answers as show that the service is fast."""
    for _ in range(count):
        await limit.enter("poll")
        limit.leave("poll")
        await asyncio.sleep(1.0 / per_second)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "per_second, ahead", [(5, 0), (50, 5), (200, 20), (1000, MOST_AHEAD), (3000, MOST_AHEAD)]
)
async def test_a_few_submits_get_ready_while_all_calls_are_open(
    per_second: int, ahead: int
) -> None:
    """As many as a fast service has turns for in a moment. They go as soon as a call is free, and
    others get ready in their stead."""
    limit = limiter(concurrency=8)
    await polls(limit, per_second, per_second=per_second)
    crowd = Crowd(limit)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(crowd.submit)
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0001)
        first = crowd.prepared, crowd.sent, limit.places.held
        crowd.end(3)
        await asyncio.sleep(0.0001)
        then = crowd.prepared, crowd.sent, limit.places.held
        group.cancel_scope.cancel()
    crowd.end(6)

    assert first[1] == 6
    assert first[0] == pytest.approx(6 + ahead, abs=1)
    assert first[0] <= 6 + MOST_AHEAD
    assert first[2] == first[0]
    assert then[1:] == (9, then[0] - 3)
    assert 3 <= then[0] - first[0] <= 4  # what was sent meanwhile counts as well
    assert then[0] <= 9 + MOST_AHEAD
    assert (limit._past, limit.places.held) == (0, 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("lane", ["poll", "submit"])
async def test_nobody_gets_ready_once_something_was_refused(lane: Lane) -> None:
    """What is past the line stays so; nobody follows before the calls are not enough for them."""
    limit = limiter(concurrency=8)
    await polls(limit, 200, per_second=200)
    crowd = Crowd(limit)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(crowd.submit)
        await asyncio.sleep(0.0001)
        ready = crowd.prepared
        hear(limit, busy(1.0), lane=lane)
        crowd.end(6)
        await asyncio.sleep(20.0)
        then = crowd.prepared, crowd.sent
        crowd.end(6)
        await asyncio.sleep(20.0)
        last = crowd.prepared, crowd.sent
        group.cancel_scope.cancel()

    assert ready > 20
    assert then == (ready, 12)
    assert last == (ready, 18)


@pytest.mark.asyncio
async def test_who_has_nothing_to_prepare_comes_only_when_a_call_is_near() -> None:
    """To hold a place for longer would keep it from others."""
    limit = limiter(concurrency=8)
    await polls(limit, 200, per_second=200)
    tasks = [asyncio.create_task(limit.enter_submit(limit.ticket())) for _ in range(20)]
    await asyncio.sleep(1.0)

    assert sum(task.done() for task in tasks) == limit.places.held == limit._past == 6
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.asyncio
@pytest.mark.parametrize("closed", [False, True])
async def test_who_waits_for_those_before_him_hears_of_the_end(*, closed: bool) -> None:
    """A closed limiter lets nobody wait for calls that hang."""
    limit = limiter(concurrency=2)
    crowd = Crowd(limit)
    tasks = [asyncio.create_task(crowd.submit()) for _ in range(5)]
    await asyncio.sleep(1.0)
    if closed:
        limit.close()
    crowd.end(1)
    await asyncio.sleep(1.0)

    done = [task for task in tasks if task.done()]
    assert len(done) == (5 if closed else 2)
    failures = [task.exception() for task in done]
    assert [type(failure) for failure in failures[1:]] == (
        [ClientClosedError] * 4 if closed else [type(None)]
    )
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    crowd.end(crowd.sent - 1)
    assert (limit._past, limit.places.held, len(limit._line)) == (0, 0, 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["first", "last", "all", "every other"])
@pytest.mark.parametrize("turn", range(12))
@pytest.mark.parametrize("what", ["calls", "rate", "places", "preparation"])
async def test_a_waiter_that_is_cancelled_anywhere_gives_back_its_count(
    what: str, turn: int, how: str
) -> None:
    """In the line, behind those before it, before a full house, in its preparation, before an open
    call and before its turn in the rate: the others go on, and nothing is held in the end."""
    options: dict[str, dict[str, Any]] = {"rate": {"per_second": 1.0}, "places": {"in_flight": 2}}
    limit = limiter(concurrency=4, **options.get(what, {}))
    crowd = Crowd(limit, seconds=0.5 if what == "preparation" else 0.0)
    tasks = [asyncio.create_task(crowd.submit()) for _ in range(12)]
    for _ in range(turn):
        await asyncio.sleep(0.0)
    if turn > 8:
        await asyncio.sleep(turn / 10)

    chosen = {"first": tasks[:1], "last": tasks[6:], "all": tasks, "every other": tasks[::2]}[how]
    gone = [task for task in chosen if not task.done()]
    for task in gone:
        task.cancel()
    while not all(task.done() for task in tasks):
        await asyncio.sleep(1.0)
        crowd.end(len(crowd._places))
    crowd.end(len(crowd._places))

    assert crowd.sent == 12 - sum(task.cancelled() for task in tasks)
    assert all(task in gone for task in tasks if task.cancelled())
    assert (limit._past, limit.places.held, len(limit._line)) == (0, 0, 0)
    assert [lane.calls._value for lane in limit._lanes.values()] == [3, 1]


@pytest.mark.asyncio
async def test_a_preparation_that_fails_gives_back_its_count() -> None:
    """The next one goes in its stead."""
    limit = limiter(concurrency=2, in_flight=1)

    async def fail() -> None:
        await asyncio.sleep(0.1)
        raise ValueError("the disk is full")

    for _ in range(3):
        with pytest.raises(ValueError, match="the disk is full"):
            await limit.enter_submit(limit.ticket(), fail)
    await limit.enter_submit(limit.ticket())

    assert (limit._past, limit.places.held) == (1, 1)


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
async def test_places_in_flight_are_kept_by_the_service_s_own_count() -> None:
    """With `in_flight=3` the service never sees a fourth unfinished task, so it refuses none."""
    service = emulator(limits=Limits(in_flight=3), pace=Seconds(mean=30.0))
    async with service, client_of(service, rate_limit=RateLimit(in_flight=3)) as veo:
        outcomes = await veo.generate_many([TextToVideo(prompt=f"p{n}") for n in range(12)])

    assert [outcome.error for outcome in outcomes] == [None] * 12
    assert service.counters[429] == 0
    assert len(service.bill) == 12


@pytest.mark.asyncio
async def test_who_queues_for_a_place_has_the_holders_polled() -> None:
    """A loop that submits and never waits goes on: the tasks that hold the places are watched for
    it, and nobody is watched once nobody queues."""
    service = emulator(limits=Limits(in_flight=3), pace=Seconds(mean=30.0))
    async with service, client_of(service, rate_limit=RateLimit(in_flight=3)) as veo:
        for number in range(10):
            await veo.submit(TextToVideo(prompt=f"p{number}"))
        polls = service.counters["retrieve_batch"] + service.counters["retrieve"]
        await asyncio.sleep(300.0)

    assert len(service.bill) == 10
    assert service.counters[429] == 0
    assert polls == service.counters["retrieve_batch"] + service.counters["retrieve"] > 0


@pytest.mark.asyncio
async def test_a_learned_cap_has_the_holders_polled_too() -> None:
    """A loop that submits and never waits goes on when only the service limits what is in flight:
    the client learns it, and watches for a place."""
    service = emulator(limits=Limits(in_flight=3), pace=Seconds(mean=30.0))
    async with service, client_of(service) as veo:
        for number in range(20):
            await veo.submit(TextToVideo(prompt=f"p{number}"))
        polls = service.counters["retrieve_batch"] + service.counters["retrieve"]
        await asyncio.sleep(300.0)

    assert len(service.bill) == 20
    assert service.counters[429] <= 12
    assert polls == service.counters["retrieve_batch"] + service.counters["retrieve"] > 0


@pytest.mark.asyncio
async def test_tasks_that_are_only_waited_for_are_in_flight() -> None:
    """Tasks that another client submitted take places while they are waited for, so that the
    service refuses no submit; whoever stops waiting gives the place back."""
    service = emulator(limits=Limits(in_flight=3), pace=Seconds(mean=60.0, sigma=0.0))
    async with service:
        async with client_of(service) as first:
            ids = [(await first.submit(TextToVideo(prompt=f"p{n}"))).id for n in range(3)]
        async with client_of(service, rate_limit=RateLimit(in_flight=3)) as veo:
            waiting = [asyncio.create_task(veo.wait(task_id)) for task_id in ids[:2]]
            with pytest.raises(WaitTimeoutError):
                await veo.wait(ids[2], timeout=1.0)
            held = veo._limiter.places.held
            waiting.append(asyncio.create_task(veo.wait(ids[2])))
            await asyncio.sleep(1.0)
            more = await veo.generate_many([TextToVideo(prompt=f"q{n}") for n in range(3)])
            await asyncio.gather(*waiting)

            assert veo._limiter.places.held == 0

    assert held == 2
    assert [outcome.error for outcome in more] == [None] * 3
    assert service.counters[429] == 0


@pytest.mark.asyncio
async def test_a_task_that_is_waited_for_and_submitted_holds_one_place() -> None:
    """If the service answers a submit with the id of a task that is waited for already, that keeps
    its place until it is over, whoever stops waiting."""

    async def sell(body: Body) -> httpx.Response:
        return accepted("the-same")

    async def show(body: Body) -> httpx.Response:
        return looked(body, **({"the-same": finished("the-same")} if now() > 60.0 else {}))

    async with client(Service(submit=sell, tasks=show)) as veo:
        waiting = asyncio.create_task(veo.wait("the-same", timeout=10.0))
        await asyncio.sleep(1.0)
        await veo.submit(MUG)
        await asyncio.wait([waiting])
        held = veo._limiter.places.held
        await veo.wait("the-same")

        assert isinstance(waiting.exception(), WaitTimeoutError)
        assert (held, veo._limiter.places.held) == (1, 0)


@pytest.mark.asyncio
async def test_tasks_that_nobody_asks_for_are_forgotten() -> None:
    """A program that submits for ever and never waits keeps an hour of its tasks in mind."""
    service = emulator()
    async with service, client_of(service) as veo:
        for number in range(5 * 60):
            await veo.submit(TextToVideo(prompt=f"p{number}"))
            await asyncio.sleep(60.0)

        assert 59 <= len(veo._tracker._kept) == veo._limiter.places.held <= 61


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [0.5, 3.0, 40.0, 200.0])
async def test_a_cancelled_crowd_leaves_nothing_behind(seconds: float) -> None:
    """Whoever is cancelled in the line, before a learned cap, in a pause or while it is sent gives
    everything back, and the next ones go on."""
    service = emulator(limits=Limits(in_flight=3, silent=0.5), pace=Seconds(mean=30.0))
    async with service, client_of(service) as veo:
        crowd = asyncio.create_task(
            veo.generate_many([TextToVideo(prompt=f"p{n}") for n in range(30)])
        )
        await asyncio.sleep(seconds)
        crowd.cancel()
        await asyncio.wait([crowd])
        left = [veo.wait(item.task_id or "") for item in veo.unsettled]
        await asyncio.gather(*left)
        more = await veo.generate_many([TextToVideo(prompt=f"q{n}") for n in range(5)])

        assert [outcome.error for outcome in more] == [None] * 5
        assert veo._limiter.places.held == 0
        assert [lane.calls._value for lane in veo._limiter._lanes.values()] == [6, 2]
        assert len(veo._limiter._line) == 0


@pytest.mark.asyncio
async def test_nobody_is_polled_for_whose_turn_came_too_late() -> None:
    """Who is cancelled in the moment in which the line lets him go leaves no polling behind."""
    service = emulator(pace=Seconds(mean=3000.0))
    async with service, client_of(service, rate_limit=RateLimit(in_flight=1)) as veo:
        await veo.submit(MUG)
        first, second = (asyncio.create_task(veo.submit(MUG)) for _ in range(2))
        await asyncio.sleep(60.0)
        first.cancel()
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([first, second])
        await asyncio.sleep(60.0)
        polls = service.counters["retrieve"]
        await asyncio.sleep(1200.0)

        assert service.counters["retrieve"] == polls > 0


@pytest.mark.asyncio
async def test_who_queues_behind_an_open_submit_is_served() -> None:
    """A place may be taken by a submit that is not yet accepted; its task is polled then too,
    though nobody waits for it."""
    service = emulator(pace=Seconds(mean=30.0))
    async with service, client_of(service, rate_limit=RateLimit(in_flight=1)) as veo:
        submits = [veo.submit(TextToVideo(prompt=f"p{number}")) for number in range(4)]
        with anyio.fail_after(600.0):
            await asyncio.gather(*submits)

    assert len(service.bill) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("end", ["failed", "unknown", "polling", "refused", "finished"])
async def test_a_place_comes_back_however_its_holder_ends(end: str) -> None:
    """A place is free again after a failure, an unknown id, hopeless polls, a refusal or a result
    that came at once."""
    bill: list[str] = []

    async def sell(body: Body) -> httpx.Response:
        bill.append(f"t{len(bill)}")
        if end == "refused":
            return refused(400, "bad_request")
        return httpx.Response(200, json=finished(bill[-1])) if end == "finished" else accepted()

    async def show(body: Body) -> httpx.Response:
        if end == "unknown":
            return httpx.Response(200, json={})
        if end == "polling":
            return httpx.Response(502)
        failure = {"success": False, "error": {"code": "api_error", "message": "no"}}
        return looked(body, **dict.fromkeys(asked_ids(body), failure))

    limit, poll = RateLimit(in_flight=1), PollPolicy(max_failed_polls=2)
    async with client(Service(submit=sell, tasks=show), rate_limit=limit, poll=poll) as veo:
        outcomes = await veo.generate_many([TextToVideo(prompt=f"p{n}") for n in range(3)])

    assert len(bill) == 3
    assert [outcome.result is not None for outcome in outcomes] == [end == "finished"] * 3


@pytest.mark.asyncio
async def test_one_task_holds_one_place() -> None:
    """If the service answers one id twice, the second place is free again at once."""

    async def sell(body: Body) -> httpx.Response:
        return accepted("the-same")

    async def show(body: Body) -> httpx.Response:
        return looked(body, **{"the-same": finished("the-same")})

    async with client(Service(submit=sell, tasks=show), rate_limit=RateLimit(in_flight=2)) as veo:
        await veo.generate_many([TextToVideo(prompt=f"p{n}") for n in range(5)])

        assert veo._limiter.places.held == 0


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
