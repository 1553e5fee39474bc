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
    TextToVideo,
    WaitTimeoutError,
)
from veo_async._base.signal import Signal
from veo_async._events import EventEmitter
from veo_async._limits.adaptive import MOST_AHEAD
from veo_async._limits.admission import Admission
from veo_async._limits.limiter import Limiter
from veo_async._wire.http import API
from veo_async._wire.replies import Reply
from veo_async._wire.requests import Lane
from veo_async.emulator import Limits, Seconds

MUG = TextToVideo(prompt="a mug")
GOOD = Reply(200, {}, b"{}")


class Followed:
    """The followed tasks of a client without a poller.

    Attributes:
        in_flight: their number.
        ended: the signal for the end of one of them, while they are watched.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.ended: Signal | None = None

    def watch(self, ended: Signal) -> None:
        """Note that somebody queues for room."""
        self.ended = ended

    def unwatch(self) -> None:
        """Note that nobody queues for room."""
        self.ended = None


def admission(tasks: Followed | None = None, **options: Any) -> Admission:
    """The queue of submits by itself."""
    limiter = Limiter(cast("API", None), RateLimit(**options), still_runtime(), EventEmitter())
    return Admission(limiter, tasks or Followed())


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


class Crowd:
    """Submits that all come at once, and whose calls stay open.

    Attributes:
        prepared, sent: the number of submits that are that far.
    """

    def __init__(self, gate: Admission, *, seconds: float = 0.0) -> None:
        self.prepared = 0
        self.sent = 0
        self._gate = gate
        self._seconds = seconds
        self._open = list[int]()

    async def submit(self) -> None:
        """One submit."""
        ticket = self._gate.ticket()
        await self._gate.enter(ticket, self._prepare, is_slow=True)
        self.sent += 1
        self._open.append(ticket)

    def end(self, count: int) -> None:
        """End this many submits."""
        for _ in range(count):
            self._gate.leave(self._open.pop())

    async def _prepare(self) -> None:
        await asyncio.sleep(self._seconds)
        self.prepared += 1


async def polls(gate: Admission, count: int, *, per_second: float) -> None:
    """Make so many good polls that the service is known to be fast."""
    for _ in range(count):
        await gate._limiter.enter("poll")
        gate._limiter.leave("poll")
        await asyncio.sleep(1.0 / per_second)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "per_second, ahead", [(5, 0), (50, 5), (200, 20), (1000, MOST_AHEAD), (3000, MOST_AHEAD)]
)
async def test_a_few_submits_get_ready_while_all_calls_are_open(
    per_second: int, ahead: int
) -> None:
    """Their number is that of the turns that a fast service has in a moment. They are sent as soon
    as a call is free, and others prepare in their place."""
    gate = admission(concurrency=8)
    await polls(gate, per_second, per_second=per_second)
    crowd = Crowd(gate)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(crowd.submit)
        await asyncio.sleep(0.0)
        await asyncio.sleep(0.0001)
        first = crowd.prepared, crowd.sent, gate.in_flight
        crowd.end(3)
        await asyncio.sleep(0.0001)
        then = crowd.prepared, crowd.sent, gate.in_flight
        group.cancel_scope.cancel()
    crowd.end(6)

    assert first[1] == 6
    assert first[0] == pytest.approx(6 + ahead, abs=1)
    assert first[0] <= 6 + MOST_AHEAD
    assert first[2] == first[0]
    assert then[1:] == (9, then[0] - 3)
    assert 3 <= then[0] - first[0] <= 4  # what was sent meanwhile counts as well
    assert then[0] <= 9 + MOST_AHEAD
    assert gate.in_flight == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("lane", ["poll", "submit"])
async def test_no_submit_prepares_early_once_something_was_refused(lane: Lane) -> None:
    """Submits that are past the queue stay there; others follow only when calls are free again."""
    gate = admission(concurrency=8)
    await polls(gate, 200, per_second=200)
    crowd = Crowd(gate)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(crowd.submit)
        await asyncio.sleep(0.0001)
        ready = crowd.prepared
        gate._limiter.note(Reply(429, {}, b"", 1.0), lane=lane, sent=now(), running=6)
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
async def test_a_submit_without_preparation_stays_in_the_queue_until_a_call_is_free() -> None:
    """It would count as in flight for longer, and keep others waiting."""
    gate = admission(concurrency=8)
    await polls(gate, 200, per_second=200)
    tasks = [asyncio.create_task(gate.enter(gate.ticket())) for _ in range(20)]
    await asyncio.sleep(1.0)

    assert sum(task.done() for task in tasks) == gate.in_flight == 6
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.asyncio
@pytest.mark.parametrize("closed", [False, True])
async def test_a_submit_behind_open_calls_hears_of_the_end(*, closed: bool) -> None:
    """After the client is closed no submit waits for calls that hang."""
    gate = admission(concurrency=2)
    crowd = Crowd(gate)
    tasks = [asyncio.create_task(crowd.submit()) for _ in range(5)]
    await asyncio.sleep(1.0)
    if closed:
        gate.close()
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
    assert (gate.in_flight, len(gate._queue)) == (0, 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["first", "last", "all", "every other"])
@pytest.mark.parametrize("turn", range(12))
@pytest.mark.parametrize("what", ["calls", "rate", "places", "preparation"])
async def test_a_waiter_that_is_cancelled_anywhere_gives_back_its_count(
    what: str, turn: int, how: str
) -> None:
    """It is cancelled in the queue, before room in flight, in its preparation, before an open call
    or before its turn in the rate: the others proceed, and nothing is counted in the end."""
    options: dict[str, dict[str, Any]] = {"rate": {"per_second": 1.0}, "places": {"in_flight": 2}}
    gate = admission(concurrency=4, **options.get(what, {}))
    crowd = Crowd(gate, seconds=0.5 if what == "preparation" else 0.0)
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
        crowd.end(len(crowd._open))
    crowd.end(len(crowd._open))

    assert crowd.sent == 12 - sum(task.cancelled() for task in tasks)
    assert all(task in gone for task in tasks if task.cancelled())
    assert (gate.in_flight, len(gate._queue)) == (0, 0)
    assert [lane.calls._value for lane in gate._limiter._lanes.values()] == [3, 1]


@pytest.mark.asyncio
async def test_a_preparation_that_fails_gives_back_its_count() -> None:
    """The next submit is sent in its place."""
    gate = admission(concurrency=2, in_flight=1)

    async def fail() -> None:
        await asyncio.sleep(0.1)
        raise ValueError("the disk is full")

    for _ in range(3):
        with pytest.raises(ValueError, match="the disk is full"):
            await gate.enter(gate.ticket(), fail)
    await gate.enter(gate.ticket())

    assert gate.in_flight == 1


@pytest.mark.asyncio
async def test_the_limit_in_flight_holds_by_the_service_s_own_count() -> None:
    """With `in_flight=3` the service never sees a fourth unfinished task, so it refuses none."""
    service = emulator(limits=Limits(in_flight=3), pace=Seconds(mean=30.0))
    async with service, client_of(service, rate_limit=RateLimit(in_flight=3)) as veo:
        outcomes = await veo.generate_many([TextToVideo(prompt=f"p{n}") for n in range(12)])

    assert [outcome.error for outcome in outcomes] == [None] * 12
    assert service.counters[429] == 0
    assert len(service.bill) == 12


@pytest.mark.asyncio
async def test_tasks_in_flight_are_polled_while_a_submit_queues_for_room() -> None:
    """A loop that submits and never waits proceeds, since the tasks in flight are polled for it. No
    task is polled once nobody queues."""
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
async def test_tasks_in_flight_are_polled_under_a_learned_cap_too() -> None:
    """A loop that submits and never waits proceeds also when only the service limits the number in
    flight: the client learns the cap, and polls for room."""
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
    """Tasks that another client submitted are in flight while they are waited for, so that the
    service refuses no submit. They no longer count when their waiters have left."""
    service = emulator(limits=Limits(in_flight=3), pace=Seconds(mean=60.0, sigma=0.0))
    async with service:
        async with client_of(service) as first:
            ids = [(await first.submit(TextToVideo(prompt=f"p{n}"))).id for n in range(3)]
        async with client_of(service, rate_limit=RateLimit(in_flight=3)) as veo:
            waiting = [asyncio.create_task(veo.wait(task_id)) for task_id in ids[:2]]
            with pytest.raises(WaitTimeoutError):
                await veo.wait(ids[2], timeout=1.0)
            held = veo._admission.in_flight
            waiting.append(asyncio.create_task(veo.wait(ids[2])))
            await asyncio.sleep(1.0)
            more = await veo.generate_many([TextToVideo(prompt=f"q{n}") for n in range(3)])
            await asyncio.gather(*waiting)

            assert veo._admission.in_flight == 0

    assert held == 2
    assert [outcome.error for outcome in more] == [None] * 3
    assert service.counters[429] == 0


@pytest.mark.asyncio
async def test_a_task_that_is_waited_for_and_submitted_counts_once() -> None:
    """If the service answers a submit with the id of a task that is waited for already, the task
    counts once, until its waiter leaves."""

    async def sell(body: Body) -> httpx.Response:
        return accepted("the-same")

    async def show(body: Body) -> httpx.Response:
        return looked(body, **({"the-same": finished("the-same")} if now() > 60.0 else {}))

    async with client(Service(submit=sell, tasks=show)) as veo:
        waiting = asyncio.create_task(veo.wait("the-same", timeout=10.0))
        await asyncio.sleep(1.0)
        await veo.submit(MUG)
        held = veo._admission.in_flight
        await asyncio.wait([waiting])
        left = veo._admission.in_flight
        await veo.wait("the-same")

        assert isinstance(waiting.exception(), WaitTimeoutError)
        assert (held, left, veo._admission.in_flight) == (1, 0, 0)


@pytest.mark.asyncio
async def test_tasks_that_nobody_asks_for_are_forgotten() -> None:
    """A program that submits for ever and never waits remembers an hour of its tasks."""
    service = emulator()
    async with service, client_of(service) as veo:
        for number in range(5 * 60):
            await veo.submit(TextToVideo(prompt=f"p{number}"))
            await asyncio.sleep(60.0)

        assert 59 <= len(veo._tracker._in_flight) == veo._admission.in_flight <= 61


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [0.5, 3.0, 40.0, 200.0])
async def test_a_cancelled_crowd_leaves_nothing_behind(seconds: float) -> None:
    """Submits are cancelled in the queue, before a learned cap, in a pause or while they are sent:
    nothing stays counted, and the next ones are sent."""
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
        assert veo._admission.in_flight == 0
        assert [lane.calls._value for lane in veo._limiter._lanes.values()] == [6, 2]
        assert len(veo._admission._queue) == 0


@pytest.mark.asyncio
async def test_a_submit_whose_turn_came_too_late_leaves_no_polling() -> None:
    """A submit is cancelled in the very step in which it passes the queue: no task is polled for it
    afterwards."""
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
async def test_a_submit_that_queues_behind_an_open_one_is_sent() -> None:
    """The room may be taken by a submit that is not yet accepted. Its task is polled then too,
    though nobody waits for it."""
    service = emulator(pace=Seconds(mean=30.0))
    async with service, client_of(service, rate_limit=RateLimit(in_flight=1)) as veo:
        submits = [veo.submit(TextToVideo(prompt=f"p{number}")) for number in range(4)]
        with anyio.fail_after(600.0):
            await asyncio.gather(*submits)

    assert len(service.bill) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("end", ["failed", "unknown", "polling", "refused", "finished"])
async def test_there_is_room_again_after_every_end(end: str) -> None:
    """There is room after a failure, an unknown id, hopeless polls, a refusal or a result that came
    at once."""
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
async def test_one_task_counts_once() -> None:
    """If the service answers one id twice, one generation is in flight."""

    async def sell(body: Body) -> httpx.Response:
        return accepted("the-same")

    async def show(body: Body) -> httpx.Response:
        return looked(body, **{"the-same": finished("the-same")})

    async with client(Service(submit=sell, tasks=show), rate_limit=RateLimit(in_flight=2)) as veo:
        await veo.generate_many([TextToVideo(prompt=f"p{n}") for n in range(5)])

        assert veo._admission.in_flight == 0


@pytest.mark.asyncio
async def test_a_generation_is_counted_once() -> None:
    """It is an open submit, a lost one or a task: never two of them, and never none meanwhile."""
    tasks = Followed()
    gate = admission(tasks)
    first, lost, refused_ = (gate.ticket() for _ in range(3))
    for ticket in (first, lost, refused_):
        await gate.enter(ticket)
    counts = [gate.in_flight]

    gate.leave(first)
    tasks.in_flight += 1
    gate.accepted(first)
    gate.leave(lost, is_lost=True)
    counts.append(gate.in_flight)
    gate.leave(refused_)
    counts.append(gate.in_flight)
    tasks.in_flight += 1
    gate.accepted(lost)
    gate.resolved(lost)
    counts.append(gate.in_flight)

    assert counts == [3, 3, 2, 2]


@pytest.mark.asyncio
async def test_submits_that_were_sent_before_a_time_may_run() -> None:
    """Tasks run, and so may open and lost submits that were sent before. A submit that was sent at
    that moment, or is not sent yet, does not count."""
    tasks = Followed()
    gate = admission(tasks, concurrency=8, per_second=1.0)
    tickets = [gate.ticket() for _ in range(3)]
    for ticket in tickets[:2]:
        await gate.enter(ticket)
    not_sent = asyncio.create_task(gate.enter(tickets[2]))
    await asyncio.sleep(0)
    gate.leave(tickets[0], is_lost=True)
    tasks.in_flight = 5

    assert gate.in_flight == 8
    assert [gate._running(time) for time in (0.0, 0.5, 1.0, 1.5)] == [5, 6, 6, 7]
    not_sent.cancel()
    await asyncio.wait([not_sent])


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ["a task", "an open submit", "a lost submit"])
async def test_the_first_in_the_queue_is_sent_as_soon_as_there_is_room(what: str) -> None:
    """The end of a task, of an open submit or of a search makes room in that moment. The tasks are
    watched exactly while somebody waits for room."""
    tasks = Followed()
    gate = admission(tasks, in_flight=1)
    first = gate.ticket()
    if what == "a task":
        tasks.in_flight = 1
    else:
        await gate.enter(first)
    if what == "a lost submit":
        gate.leave(first, is_lost=True)
    waiting = asyncio.create_task(gate.enter(gate.ticket()))
    await asyncio.sleep(3.0)
    assert not waiting.done()
    assert tasks.ended

    if what == "a task":
        tasks.in_flight = 0
        tasks.ended.set()
    elif what == "an open submit":
        gate.leave(first)
    else:
        gate.resolved(first)

    assert await waiting == 3.0
    assert tasks.ended is None
    assert gate.in_flight == 1
