"""The cost of a thousand waiting coroutines, by the service's own counters."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

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
    other_tasks,
)
from veo_async import PollPolicy, RateLimit, TextToVideo, VeoClient, WaitTimeoutError
from veo_async.emulator import Emulator, Pace, Plan, Seconds

pytestmark = pytest.mark.slow

MANY = [TextToVideo(prompt=f"video {number}") for number in range(1000)]
QUESTIONS = ("retrieve", "retrieve_batch", "list")


def calls(service: Emulator) -> int:
    """Requests to the API, submits included."""
    return service.counters["submit"] + sum(service.counters[kind] for kind in QUESTIONS)


@pytest.mark.asyncio
@pytest.mark.parametrize("pace", [Seconds(), Seconds(mean=12.0)], ids=["minutes", "twelve seconds"])
async def test_a_thousand_waiting_coroutines_share_their_polls(pace: Pace) -> None:
    """A thousand calls at once cost at most 1.3 requests a video in all, the submit included;
    each is bought once, and all get their own video."""
    service = emulator(pace=pace)
    async with service, client_of(service) as veo:
        tasks = [asyncio.create_task(veo.text2video(request.prompt)) for request in MANY]
        await asyncio.wait(tasks)
        at_the_end = calls(service)
        await asyncio.sleep(3600.0)

        assert calls(service) == at_the_end
        assert [task.get_name() for task in other_tasks()] == []

    bought = {charge.task_id: charge.request["prompt"] for charge in service.bill}
    assert [bought[task.result().task_id or ""] for task in tasks] == [r.prompt for r in MANY]
    assert len(service.bill) == 1000
    assert calls(service) <= 1300


@pytest.mark.asyncio
async def test_a_thousand_by_id_cost_polls_only() -> None:
    """Another client may wait for the same thousand tasks by their ids, for at most 0.3 requests
    a video, and a thousand coroutines more for the same ids cost nothing."""
    service = emulator(pace=Seconds(mean=60.0))
    async with service:
        async with client_of(service) as first:
            ids = [(await first.submit(request)).id for request in MANY]
        before = calls(service)
        async with client_of(service) as veo:
            results = await asyncio.gather(*[veo.wait(task_id) for task_id in ids * 2])

    assert [result.task_id for result in results] == ids * 2
    assert calls(service) - before <= 300


@pytest.mark.asyncio
async def test_many_that_give_up_and_come_back_cost_little() -> None:
    """Waits that end every ten seconds and begin again are no reason to poll more often."""
    service = emulator(pace=Seconds(mean=60.0))
    async with service, client_of(service) as veo:
        tasks = [await veo.submit(request) for request in MANY[:200]]
        ends: Counter[str] = Counter()
        while ends["done"] < len(tasks):
            ends.clear()
            for end in await asyncio.gather(
                *[task.result(timeout=10.0) for task in tasks], return_exceptions=True
            ):
                assert not isinstance(end, BaseException) or isinstance(end, WaitTimeoutError)
                ends["late" if isinstance(end, BaseException) else "done"] += 1

    assert calls(service) <= 1.3 * len(tasks)


@pytest.mark.asyncio
async def test_a_thousand_with_few_in_flight() -> None:
    """With a hundred in flight the polls are still shared: they cost half a request a video."""
    service = emulator(pace=Seconds(mean=30.0))
    async with service, client_of(service, rate_limit=RateLimit(in_flight=100)) as veo:
        outcomes = await veo.generate_many(MANY)

    assert all(outcome.result for outcome in outcomes)
    assert len(service.bill) == 1000
    assert calls(service) <= 1500


class Forgetful(Service):
    """Makes any number of videos, each in two minutes, and keeps nothing of what is over."""

    def __init__(self) -> None:
        super().__init__(submit=self._accept, tasks=self._tell)
        self._ready: dict[str, float] = {}
        self._count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.submits.clear()
        self.questions.clear()
        return await super().handle_async_request(request)

    async def _accept(self, body: Body) -> httpx.Response:
        self._count += 1
        self._ready[f"task-{self._count}"] = asyncio.get_running_loop().time() + 120.0
        return accepted(f"task-{self._count}")

    async def _tell(self, body: Body) -> httpx.Response:
        now = asyncio.get_running_loop().time()
        ready = [task_id for task_id in asked_ids(body) if self._ready[task_id] <= now]
        for task_id in ready:
            del self._ready[task_id]
        return looked(body, **{task_id: finished(task_id) for task_id in ready})


async def prompts() -> AsyncIterator[TextToVideo]:
    """Requests without an end."""
    number = 0
    while True:
        number += 1
        yield TextToVideo(prompt=f"video {number}")


@pytest.mark.asyncio
@pytest.mark.parametrize("journal", [False, True])
async def test_finished_items_take_no_objects(journal: bool, tmp_path: Path) -> None:
    """Of a video whose outcome was consumed nothing stays but some bytes in tables that know keys
    and ids again: a run of 1,600 holds as many objects as one of 600."""
    objects: list[int] = []
    path = tmp_path / "run.db" if journal else None
    async with (
        client(Forgetful()) as veo,
        veo.batch(prompts(), journal=path, max_in_flight=20) as outcomes,
    ):
        count = 0
        async for _ in outcomes:
            count += 1
            if count in (600, 1600):
                gc.collect()
                objects.append(len(gc.get_objects()))
            if count == 1600:
                break

    assert objects[1] - objects[0] < 200


@dataclass(frozen=True, kw_only=True)
class Noted(Seconds):
    """Remembers the durations."""

    planned: list[float] = field(default_factory=list)

    def plan(self, request: Mapping[str, Any], rng: Random) -> Plan:
        plan = super().plan(request, rng)
        self.planned.append(plan.seconds)
        return plan


@pytest.mark.asyncio
@pytest.mark.parametrize("mean, within, each", [(12.0, 2.5, 1.6), (120.0, 8.0, 2.6)])
async def test_more_tasks_are_noticed_as_soon(mean: float, within: float, each: float) -> None:
    """The budget of polls follows the work: where a poll has only ten ids, a thousand tasks take
    five times the polls, and 95 in 100 are noticed as soon as with fifty."""
    pace, told = Noted(mean=mean), dict[str, float]()
    service = emulator(pace=pace, seed=1)

    async def make(veo: VeoClient, prompt: str) -> None:
        told[(await veo.text2video(prompt)).task_id or ""] = service.now()

    async with service, client_of(service, poll=PollPolicy(batch_size=10)) as veo:
        await asyncio.gather(*[make(veo, request.prompt) for request in MANY])

    delays = sorted(
        told[charge.task_id] - charge.at - seconds
        for charge, seconds in zip(service.bill, pace.planned, strict=True)
    )
    assert len(delays) == 1000
    assert delays[950] <= within
    assert calls(service) <= each * 1000
