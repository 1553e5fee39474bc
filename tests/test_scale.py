"""What a thousand waiting coroutines cost, by the service's own counters."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.support.service import client_of, emulator, other_tasks
from veo_async import RateLimit, TextToVideo, WaitTimeoutError
from veo_async.emulator import Emulator, Pace, Seconds

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
    """Waits that end every ten seconds and begin anew are no reason to poll more often."""
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
async def test_a_thousand_within_few_places() -> None:
    """With a hundred places the polls are still shared: they cost half a request a video."""
    service = emulator(pace=Seconds(mean=30.0))
    async with service, client_of(service, rate_limit=RateLimit(in_flight=100)) as veo:
        outcomes = await veo.generate_many(MANY)

    assert all(outcome.result for outcome in outcomes)
    assert len(service.bill) == 1000
    assert calls(service) <= 1500
