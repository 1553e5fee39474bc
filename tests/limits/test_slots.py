"""A slot belongs to a task that somebody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.support.service import Body, Service, accepted, asked_ids, client, page
from veo_async import RateLimit, TextToVideo, VeoClient, VeoError, WaitTimeoutError
from veo_async._tracking.registry import FORGOTTEN

pytestmark = pytest.mark.asyncio

LIMIT = RateLimit(in_flight=4)
Use = Callable[[VeoClient, TextToVideo], Awaitable[object]]


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


class Endless(Service):
    """A service whose tasks never end.

    Args:
        seconds: the duration of each submit.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(submit=self._accept, tasks=self._show)
        self._seconds = seconds

    async def _accept(self, body: Body) -> httpx.Response:
        task_id = f"t{len(self.submits)}"
        await asyncio.sleep(self._seconds)
        return accepted(task_id)

    async def _show(self, body: Body) -> httpx.Response:
        records = [{"id": key, "response": None} for key in asked_ids(body)]
        return httpx.Response(200, json=records[0]) if len(records) == 1 else page(*records)


async def late(veo: VeoClient, request: TextToVideo) -> None:
    """A caller whose time is over."""
    task = await veo.submit(request)
    with pytest.raises(WaitTimeoutError):
        await task.result(timeout=60.0)


async def cancelled(veo: VeoClient, request: TextToVideo) -> None:
    """A caller that is cancelled while it waits."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(veo.text2video(request.prompt), 60.0)


async def cancelled_early(veo: VeoClient, request: TextToVideo) -> None:
    """A caller that is cancelled while its request is sent."""
    calling = asyncio.create_task(veo.text2video(request.prompt))
    await asyncio.sleep(1.0)
    calling.cancel()
    await asyncio.wait([calling])


async def in_a_batch(veo: VeoClient, request: TextToVideo) -> None:
    """An item of a batch whose time is over."""
    async with veo.batch([request], timeout=60.0) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome.error, VeoError)


@pytest.mark.parametrize("use", [late, cancelled, in_a_batch], ids=lambda use: use.__name__)
async def test_tasks_that_nobody_waits_for_any_more_hold_no_slot(use: Use) -> None:
    """Four tasks that never end keep twenty submits from nothing: each wait that ends gives its
    slot to the next submit."""
    service = Endless()
    async with client(service, rate_limit=LIMIT) as veo:
        for number in range(20):
            await use(veo, TextToVideo(prompt=f"p{number}"))

        assert len(service.submits) == 20
        assert veo._admission.in_flight == 0
        assert now() < 20 * 70.0


@pytest.mark.parametrize("seconds", [1.0, 5.0, 30.0])
async def test_a_caller_that_leaves_during_its_submit_holds_no_slot(seconds: float) -> None:
    """The answer comes in the step of the cancellation, within the grace, or later."""
    service = Endless(seconds)
    async with client(service, rate_limit=LIMIT) as veo:
        for number in range(8):
            await cancelled_early(veo, TextToVideo(prompt=f"p{number}"))
        await asyncio.sleep(60.0)

        assert len(service.submits) == 8
        assert len(veo.unsettled) == 8
        assert veo._admission.in_flight == 0


async def test_a_submitted_task_holds_its_slot_until_it_is_waited_for() -> None:
    """It counts from its submit; the end of a wait that comes before its own gives the slot back,
    and another wait takes it again."""
    service = Endless()
    async with client(service, rate_limit=LIMIT) as veo:
        tasks = [await veo.submit(TextToVideo(prompt=f"p{number}")) for number in range(4)]
        fifth = asyncio.create_task(veo.submit(TextToVideo(prompt="p4")))
        await asyncio.sleep(600.0)
        before = len(service.submits)
        with pytest.raises(WaitTimeoutError):
            await tasks[0].result(timeout=1.0)
        await fifth
        again = asyncio.create_task(tasks[0].result())
        await asyncio.sleep(1.0)

        assert (before, len(service.submits)) == (4, 5)
        assert veo._admission.in_flight == 5
        again.cancel()


async def test_a_slot_stays_while_one_of_two_still_waits() -> None:
    """A waiter that leaves gives nothing away that another one needs."""
    async with client(Endless(), rate_limit=LIMIT) as veo:
        task = await veo.submit(TextToVideo(prompt="p"))
        other = asyncio.create_task(veo.wait(task.id))
        with pytest.raises(WaitTimeoutError):
            await task.result(timeout=1.0)
        both = veo._admission.in_flight
        other.cancel()
        await asyncio.wait([other])

        assert (both, veo._admission.in_flight) == (1, 0)


async def test_tasks_that_nobody_ever_waits_for_hold_their_slots_for_an_hour() -> None:
    """A program that only submits is held up by tasks that never end, and not for good."""
    service = Endless()
    async with client(service, rate_limit=LIMIT) as veo:
        for number in range(12):
            await veo.submit(TextToVideo(prompt=f"p{number}"))

        assert 2 * FORGOTTEN <= now() < 2 * FORGOTTEN + 120.0
        assert len(service.submits) == 12
