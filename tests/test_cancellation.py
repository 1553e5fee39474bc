"""Cancellation at every turn of the event loop, and in every way that Python knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import httpx
import pytest

from tests.support.service import (
    Body,
    Service,
    accepted,
    client,
    finished,
    looked,
    other_tasks,
)
from veo_async import RateLimit, TextToVideo, VeoClient, VeoError
from veo_async.testing import VirtualEventLoop

LIMIT = RateLimit(concurrency=2, in_flight=2)


class SteppingLoop(VirtualEventLoop):
    """A loop that calls back before one of its turns."""

    turn = 1
    at_turn = 0
    then: Callable[[], object] | None = None

    def _run_once(self) -> None:
        self.turn += 1
        if self.then and self.turn == self.at_turn:
            self.then()
        super()._run_once()  # type: ignore[misc]  # the typeshed does not show it


class Shop(Service):
    """Bills each submit in the middle of its call, and finishes each task at its second look."""

    def __init__(self) -> None:
        super().__init__(submit=self._sell, tasks=self._show)
        self.bill: list[str] = []
        self._looks: dict[str, int] = {}

    async def _sell(self, body: Body) -> httpx.Response:
        await anyio.sleep(0.5)
        self.bill.append(f"task-{len(self.bill) + 1}")
        task_id = self.bill[-1]
        await anyio.sleep(0.5)
        return accepted(task_id)

    async def _show(self, body: Body) -> httpx.Response:
        await anyio.sleep(0.1)
        seen = {key: finished(key) for key in self._looks}
        self._looks |= dict.fromkeys(body.get("ids", [body.get("id")]), 1)
        return looked(body, **seen)


def known_ids(veo: VeoClient, ends: list[object]) -> set[str | None]:
    """All task ids that the caller was told of, in one way or another."""
    told = {item.task_id for item in veo.unsettled}
    for end in ends:
        told.add(getattr(end, "task_id", None))
        told.add(getattr(getattr(end, "result", None), "task_id", None))
        told.add(getattr(getattr(end, "error", None), "task_id", None))
    return told


async def check_nothing_is_lost(veo: VeoClient, shop: Shop, ends: list[object], most: int) -> None:
    """The law of money, and everything that was borrowed is given back."""
    assert len(shop.submits) == len(shop.bill) <= most
    assert set(shop.bill) <= known_ids(veo, ends)
    for item in veo.unsettled:
        assert item.task_id is not None
        assert (await veo.wait(item.task_id)).task_id == item.task_id
    assert not veo.unsettled
    assert veo._limiter.in_flight is not None
    assert veo._limiter.in_flight.value == 2
    assert [lane.calls.value for lane in veo._limiter._lanes.values()] == [1, 1]
    await veo.aclose()
    assert not other_tasks()
    assert not veo._tracker._kept
    assert len(veo._tracker._agenda) == 0


def run_cancelled_at(turn: int, job: str, *, times: int) -> bool:
    """Run the job, cancel it at this turn of the loop, and check; whether it came so far."""
    shop = Shop()
    came_so_far = False

    async def main() -> None:
        nonlocal came_so_far
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppingLoop)
        veo = client(shop, rate_limit=LIMIT)
        jobs: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "one": lambda: veo.text2video("a mug"),
            "three": lambda: veo.generate_many([TextToVideo(prompt=p) for p in "abc"]),
        }
        task = asyncio.create_task(jobs[job]())

        def cancel() -> None:
            nonlocal came_so_far
            came_so_far = not task.done()
            task.cancel()
            if times > 1:
                loop.call_later(0.05, task.cancel)

        loop.at_turn, loop.then = loop.turn + turn, cancel
        await asyncio.wait([task])
        end = None if task.cancelled() else task.exception() or task.result()
        await asyncio.sleep(2.0)  # a POST outlives a caller that was cancelled twice
        ends = end if isinstance(end, list) else [end]
        await check_nothing_is_lost(veo, shop, ends, {"one": 1, "three": 3}[job])

    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        runner.run(main())
    return came_so_far


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("job", ["one", "three"])
def test_cancelled_at_any_turn_loses_nothing(job: str, times: int) -> None:
    """Whenever a call is cancelled, once or twice: what was billed is known by its id, nothing is
    sent twice, and all slots, places and tasks are given back."""
    turn = 1

    while run_cancelled_at(turn, job, times=times):
        turn += 1

    assert turn > 20
