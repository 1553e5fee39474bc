from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx
import pytest

from tests.journal.journals import states, wreck
from tests.support.service import (
    NOW,
    Body,
    Service,
    accepted,
    asked_ids,
    client,
    finished,
    looked,
    refused,
)
from veo_async import ClientClosedError, Outcome, RateLimit, TextToVideo, VeoClient
from veo_async import WaitTimeoutError as Late
from veo_async._base.runtime import Runtime
from veo_async._journal.journal import GROUP
from veo_async._journal.rows import FIRST, Row
from veo_async._journal.sqlite import JournalDatabase
from veo_async._limits.adaptive import MOST_AHEAD
from veo_async._reconcile.window import EARLY
from veo_async.errors import JournalError

pytestmark = pytest.mark.asyncio

MUG = TextToVideo(prompt="a mug")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal lies."""
    return tmp_path / "run.db"


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


def prompts(count: int) -> list[TextToVideo]:
    """So many requests."""
    return [TextToVideo(prompt=f"p{number}") for number in range(count)]


class Shop(Service):
    """Accepts every submit after a time, but for those that it refuses first; each task is finished
    once somebody asks."""

    def __init__(self, *, seconds: float, busy: int = 0, retry_after: str = "7") -> None:
        super().__init__(submit=self._sell, tasks=self._show)
        self.times: dict[str, list[float]] = {}
        self.answered = 0
        self._seconds, self._busy, self._retry_after = seconds, busy, retry_after

    async def _sell(self, body: Body) -> httpx.Response:
        self.times.setdefault(body["prompt"], []).append(now())
        self._busy -= 1
        busy = self._busy >= 0
        await anyio.sleep(self._seconds)
        self.answered += 1
        if busy:
            return refused(429, "too_many_requests", **{"retry-after": self._retry_after})
        return accepted(f"task of {body['prompt']}")

    async def _show(self, body: Body) -> httpx.Response:
        return looked(body, **{key: finished(key) for key in asked_ids(body)})


RunSync = Callable[..., Awaitable[Any]]


async def write_at_once(function: Callable[..., Any], /, *args: Any) -> Any:
    """A fast disk."""
    return function(*args)


async def write_slowly(function: Callable[..., Any], /, *args: Any) -> Any:
    """A slow disk, and a thread that nobody can stop."""
    if function.__name__ == "write":
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.3)
    return function(*args)


def buyer(shop: Shop, *, run_sync: RunSync = write_at_once, **limit: Any) -> VeoClient:
    """A client with these limits."""
    runtime = Runtime(wall_clock=lambda: NOW, rng=Random(1), run_sync=run_sync)
    return client(shop, rate_limit=RateLimit(**limit), runtime=runtime)


async def outcomes_of(veo: VeoClient, requests: Any, **options: Any) -> list[Outcome]:
    """All outcomes of a batch."""
    async with veo.batch(requests, **options) as outcomes:
        return [outcome async for outcome in outcomes]


def rows_of(path: Path) -> dict[str, Row]:
    """The rows of the first stage by prompt."""
    file = JournalDatabase(path)
    file.open()
    items = file.items().values()
    file.close()
    return {getattr(item.request, "prompt", ""): item.stages[FIRST] for item in items}


def held(veo: VeoClient) -> tuple[Any, ...]:
    """Open submits, generations in flight, submits in the queue, and free calls."""
    admission = veo._admission
    free = [lane.calls._value for lane in veo._limiter._lanes.values()]
    return len(admission._open), admission.in_flight, len(admission._queue), free


@pytest.mark.parametrize("run_sync", [write_at_once, write_slowly])
async def test_an_intent_does_not_grow_old_in_a_pause(path: Path, run_sync: RunSync) -> None:
    """After a pause its row says when it was really sent; but for a head start, which the search
    for a lost submit allows for."""
    shop = Shop(seconds=0.5, busy=1)
    async with buyer(shop, run_sync=run_sync, per_second=1.0) as veo:
        outcomes = await outcomes_of(veo, prompts(6), journal=path)
    rows = rows_of(path)

    assert [outcome.error for outcome in outcomes] == [None] * 6
    assert [len(times) for times in shop.times.values()] == [2, 1, 1, 1, 1, 1]
    for prompt, times in shop.times.items():
        sent_at = (rows[prompt].sent_at or 0.0) - NOW
        assert 0.0 <= times[-1] - sent_at <= EARLY + (0.7 if run_sync is write_slowly else GROUP)
    assert held(veo) == (0, 0, 0, [6, 2])


async def test_a_short_wait_is_announced_once(path: Path) -> None:
    """A commit for each wait would cost more than it tells."""
    written: list[str] = []

    async def watched(function: Callable[..., Any], /, *args: Any) -> Any:
        if function.__name__ == "write":
            written.extend(row.state for row in args[0])
        return function(*args)

    shop = Shop(seconds=0.1)
    async with buyer(shop, run_sync=watched, per_second=4.0, concurrency=4) as veo:
        outcomes = await outcomes_of(veo, prompts(10), journal=path)

    assert [outcome.error for outcome in outcomes] == [None] * 10
    assert written.count("intended") == 10
    assert written.count("withdrawn") == 0


async def test_who_waits_for_an_allowance_is_announced_after_that(path: Path) -> None:
    """With ``max_submissions`` an item waits until others turn out to have bought nothing, perhaps
    for minutes. Its POST is looked for around the time that its row names."""

    async def sell(body: Body) -> httpx.Response:
        times.append(now())
        await anyio.sleep(100.0)
        return refused(400, "bad_request") if len(times) == 1 else accepted("t1")

    async def show(body: Body) -> httpx.Response:
        return looked(body, t1=finished("t1"))

    times: list[float] = []
    runtime = Runtime(wall_clock=lambda: NOW, rng=Random(1), run_sync=write_at_once)
    async with client(Service(submit=sell, tasks=show), runtime=runtime) as veo:
        await outcomes_of(veo, prompts(2), journal=path, max_submissions=1)
    sent = [(row.sent_at or 0.0) - NOW for row in rows_of(path).values()]

    assert times == pytest.approx([0.0, 100.0], abs=GROUP)
    assert sent == pytest.approx(times, abs=EARLY)


MOMENTS = [0.0, 0.05, 0.25, 0.31, 0.5, 0.61, 0.9, 1.05, 1.2, 2.0, 4.0, 7.8, 8.2, 8.6, 9.0]


@pytest.mark.parametrize("seconds", MOMENTS)
@pytest.mark.parametrize("run_sync", [write_at_once, write_slowly])
async def test_a_cancelled_batch_withdraws_what_it_announced(
    path: Path, run_sync: RunSync, seconds: float
) -> None:
    """Wherever its items are: in the line, in the journal's queue, before an open call, in a pause
    or at the renewal after it. What was sent is recorded as what it came to, so no later run has
    anything to look for, and everything that was held is given back."""
    shop = Shop(seconds=0.3, busy=1)
    async with buyer(shop, run_sync=run_sync, per_second=1.0) as veo:
        batch = asyncio.create_task(outcomes_of(veo, prompts(12), journal=path))
        await asyncio.sleep(seconds)
        batch.cancel()
        await asyncio.wait([batch])
        open_, in_flight, queued, free = held(veo)
        left = rows_of(path)
        posted = set(shop.times)
        more = await outcomes_of(veo, prompts(12), journal=path)

    assert batch.cancelled()
    assert (open_, queued, free) == (0, 0, [6, 2])
    assert in_flight <= len(posted)
    assert {row.state for row in left.values()} <= {"withdrawn", "accepted", "succeeded"}
    assert {name for name, row in left.items() if row.state != "withdrawn"} <= posted
    assert [outcome.error for outcome in more] == [None] * 12
    assert held(veo) == (0, 0, 0, [6, 2])
    assert [len(times) for times in shop.times.values()] == [2] + [1] * 11


@pytest.mark.parametrize("timeout", [0.2, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("run_sync", [write_at_once, write_slowly])
async def test_a_deadline_before_its_turn_withdraws_an_intent(
    path: Path, run_sync: RunSync, timeout: float
) -> None:
    """It is told as too late, and as costing nothing."""
    shop = Shop(seconds=0.1)
    async with buyer(shop, run_sync=run_sync, per_second=0.5) as veo:
        outcomes = await outcomes_of(veo, prompts(6), journal=path, timeout=timeout)
        open_, in_flight, queued, free = held(veo)
    late = [outcome for outcome in outcomes if outcome.request.prompt not in shop.times]  # type: ignore[union-attr]
    rows = rows_of(path)

    assert len(late) == 6 - len(shop.times) >= 4
    assert {type(outcome.error) for outcome in late} == {Late}
    assert not any(outcome.error.may_have_cost for outcome in late if outcome.error)
    assert {row.state for name, row in rows.items() if name not in shop.times} == {"withdrawn"}
    assert (open_, queued, free) == (0, 0, [6, 2])
    assert in_flight <= len(shop.times)


@pytest.mark.parametrize("settling", [True, False])
@pytest.mark.parametrize("run_sync", [write_at_once, write_slowly])
async def test_a_closed_client_withdraws_its_intents(
    path: Path, run_sync: RunSync, *, settling: bool
) -> None:
    """Whether their turn comes while open POSTs settle, or after them."""
    shop = Shop(seconds=10.0 if settling else 0.1)
    veo = buyer(shop, run_sync=run_sync, per_second=0.5)
    batch = asyncio.create_task(outcomes_of(veo, prompts(6), journal=path))
    await asyncio.sleep(1.0)
    await veo.aclose()
    outcomes = await batch

    assert len(shop.times) == 1
    closed = [outcome for outcome in outcomes if isinstance(outcome.error, ClientClosedError)]
    assert len(closed) >= 5
    rows = rows_of(path)
    assert rows.pop("p0").state in ("accepted", "succeeded")
    assert {row.state for row in rows.values()} <= {"withdrawn"}
    assert held(veo)[0] == 0


@pytest.mark.parametrize("seconds, calls, ahead", [(0.02, 4, range(10, MOST_AHEAD)), (3.0, 4, [0])])
async def test_a_fast_service_waits_for_no_disk(
    path: Path, seconds: float, calls: int, ahead: Sequence[int]
) -> None:
    """While all calls are open a few intents are durable ahead; a service that takes its time has
    none to wait for."""
    announced: set[str] = set()
    most: list[int] = []

    async def watched(function: Callable[..., Any], /, *args: Any) -> Any:
        result = function(*args)
        if function.__name__ == "write":
            announced.update(row.key for row in args[0] if row.state == "intended")
            most.append(len(announced) - shop.answered - calls)
        return result

    shop = Shop(seconds=seconds)
    async with buyer(shop, run_sync=watched, concurrency=calls * 4 // 3) as veo:
        outcomes = await outcomes_of(veo, prompts(300), journal=path)

    assert [outcome.error for outcome in outcomes] == [None] * 300
    assert max(most) in ahead


# What happened to others.


class Exhausted(Service):
    """Accepts so many submits, each after a moment, and calls the balance used up from then on."""

    def __init__(self, *, most: float = inf) -> None:
        super().__init__(submit=self._sell, tasks=self._show)
        self.sent: list[float] = []
        self.first_refusal = inf
        self._most = most

    async def _sell(self, body: Body) -> httpx.Response:
        number = len(self.sent)
        self.sent.append(now())
        await asyncio.sleep(0.02)
        if number < self._most:
            return accepted(f"task-{number}")
        self.first_refusal = min(self.first_refusal, now())
        return refused(403, "used_up")

    async def _show(self, body: Body) -> httpx.Response:
        return looked(body, **{key: finished(key) for key in asked_ids(body)})


def with_clock(service: Service, **limit: Any) -> VeoClient:
    """A client of a process whose clock goes with the event loop."""
    loop = asyncio.get_running_loop()
    clock = Runtime(wall_clock=lambda: NOW + loop.time(), rng=Random(1), run_sync=write_at_once)
    return client(service, runtime=clock, rate_limit=RateLimit(**limit))


async def test_nothing_is_sent_after_an_error_of_the_account(path: Path) -> None:
    """Not even what was announced before, of which there is more than calls are open."""
    service = Exhausted(most=200)

    async with with_clock(service) as veo:
        ends = await outcomes_of(veo, prompts(600), journal=path)

    assert len(ends) == 600
    assert sum(outcome.error is None for outcome in ends) == 200
    assert not [at for at in service.sent if at > service.first_refusal]


async def test_nothing_is_sent_once_a_write_failed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was announced by then may be durable; what comes of it could not be recorded."""
    service, write, failed_at = Exhausted(), JournalDatabase.write, [inf]

    def fail(file: JournalDatabase, rows: Sequence[Row]) -> None:
        if len(service.sent) > 200:
            failed_at[0] = min(failed_at[0], now())
            raise JournalError("The disk is full.")
        write(file, rows)

    monkeypatch.setattr(JournalDatabase, "write", fail)
    async with with_clock(service) as veo:
        with pytest.raises(JournalError, match="disk is full"):
            await outcomes_of(veo, prompts(600), journal=path)

    assert 200 < len(service.sent) < 220
    assert not [at for at in service.sent if at > failed_at[0]]


@pytest.mark.parametrize(
    "limit", [{"per_second": 1.0, "concurrency": 32}, {"per_second": 4.0, "burst": 4}]
)
async def test_what_is_not_due_is_not_announced(path: Path, limit: dict[str, Any]) -> None:
    """Where the rate holds submits back, a kill leaves one intent at most that was never sent."""
    service = Exhausted()
    async with with_clock(service, **limit) as veo:
        batch = asyncio.create_task(outcomes_of(veo, prompts(60), journal=path))
        await asyncio.sleep(6.6)
        found = list(states(wreck(path, path.parent / "left")).values())
        sent = len(service.sent)
        batch.cancel()
        await asyncio.wait([batch])

    assert sent >= 6
    assert len(found) <= sent + 1
