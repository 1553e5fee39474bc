"""``retry_failed`` asks about a failed task before it buys another one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.journal.journals import states
from tests.support.service import (
    NOW,
    Body,
    Service,
    accepted,
    asked_ids,
    client,
    finished,
    inline,
    page,
    refused,
)
from veo_async import (
    Generation,
    GenerationFailedError,
    Outcome,
    PollingError,
    TextToVideo,
    WaitTimeoutError,
)
from veo_async._base.runtime import Runtime

pytestmark = pytest.mark.asyncio

REQUESTS = [("k", TextToVideo(prompt="a mug"))]
FAILED = {"success": False, "error": {"code": "api_error", "message": "fetch failed"}}
SLOT = ("k", "generate")


class Shop(Service):
    """Accepts submits as ``t1``, ``t2``, and so on.

    Attributes:
        responses: what the service knows of each task; it does not know the others.
        down: whether queries are answered 502.
    """

    def __init__(self) -> None:
        super().__init__(submit=self._accept, tasks=self._show)
        self.responses: dict[str, Body | None] = {}
        self.down = False

    async def _accept(self, body: Body) -> httpx.Response:
        task_id = f"t{len(self.submits)}"
        self.responses[task_id] = FAILED if task_id == "t1" else finished(task_id)
        return accepted(task_id)

    async def _show(self, body: Body) -> httpx.Response:
        if self.down:
            return httpx.Response(502)
        known = [key for key in asked_ids(body) if key in self.responses]
        records = [{"id": key, "response": self.responses[key]} for key in known]
        if body["action"] == "retrieve":
            return httpx.Response(200, json=records[0] if records else {})
        return page(*records)


async def run(shop: Service, path: Path, **options: Any) -> Outcome:
    """The outcome of the item in a process of its own."""
    loop = asyncio.get_running_loop()
    clock = Runtime(wall_clock=lambda: NOW + loop.time(), rng=Random(1), run_sync=inline)
    async with (
        client(shop, runtime=clock) as veo,
        veo.batch(REQUESTS, journal=path, **options) as outcomes,
    ):
        [outcome] = [outcome async for outcome in outcomes]
    return outcome


def result_of(task_id: str) -> Generation:
    """The result of that task."""
    return Generation.model_validate(finished(task_id))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "run.db"


async def test_a_task_that_succeeded_after_all_is_not_bought_again(path: Path) -> None:
    """Its result is the item's, also in all later runs."""
    shop = Shop()
    first = await run(shop, path)
    shop.responses["t1"] = finished("t1")

    unasked = await run(shop, path)
    retried = await run(shop, path, retry_failed=True)
    later = await run(shop, path)

    assert isinstance(first.error, GenerationFailedError)
    assert isinstance(unasked.error, GenerationFailedError)
    assert retried.result == later.result == result_of("t1")
    assert len(shop.submits) == 1
    assert states(path)[SLOT] == "succeeded 1"


async def test_a_task_that_goes_on_after_all_is_waited_for(path: Path) -> None:
    """It is not bought again while it runs; a later run waits for it as for any task."""
    shop = Shop()
    await run(shop, path)
    shop.responses["t1"] = None

    late = await run(shop, path, retry_failed=True, timeout=60.0)
    running = states(path)[SLOT]
    asyncio.get_running_loop().call_later(60.0, shop.responses.update, {"t1": finished("t1")})
    ended = await run(shop, path)

    assert isinstance(late.error, WaitTimeoutError)
    assert running == "accepted 1"
    assert ended.result == result_of("t1")
    assert len(shop.submits) == 1


async def test_a_task_that_is_waited_for_again_may_fail_again(path: Path) -> None:
    """Only then is it bought again."""
    shop = Shop()
    await run(shop, path)
    shop.responses["t1"] = None
    asyncio.get_running_loop().call_later(60.0, shop.responses.update, {"t1": FAILED})

    retried = await run(shop, path, retry_failed=True)

    assert retried.result == result_of("t2")
    assert len(shop.submits) == 2


@pytest.mark.parametrize("knows", [True, False])
async def test_a_task_that_still_failed_is_bought_again(path: Path, *, knows: bool) -> None:
    """Also if the service has removed its record: then its last word stands."""
    shop = Shop()
    await run(shop, path)
    if not knows:
        del shop.responses["t1"]

    retried = await run(shop, path, retry_failed=True)

    assert retried.result == result_of("t2")
    assert len(shop.submits) == 2
    assert states(path)[SLOT] == "succeeded 2"


async def test_nothing_is_bought_again_while_nobody_can_be_asked(path: Path) -> None:
    """The failed task stays failed in the journal, and the next run asks again."""
    shop = Shop()
    await run(shop, path)
    shop.down = True

    mute = await run(shop, path, retry_failed=True)
    brief = await run(shop, path, retry_failed=True, timeout=1.0)
    kept = states(path)[SLOT]
    shop.down = False
    retried = await run(shop, path, retry_failed=True)

    assert isinstance(mute.error, PollingError)
    assert isinstance(brief.error, WaitTimeoutError)
    assert kept == "failed 1"
    assert retried.result == result_of("t2")
    assert len(shop.submits) == 2


async def test_the_same_client_asks_again_too(path: Path) -> None:
    """Its own memory of the failed task does not count."""
    shop = Shop()
    async with client(shop) as veo:
        ends: list[Outcome] = []
        for retry in (False, True):
            async with veo.batch(REQUESTS, journal=path, retry_failed=retry) as outcomes:
                ends += [outcome async for outcome in outcomes]
            shop.responses["t1"] = finished("t1")

    assert isinstance(ends[0].error, GenerationFailedError)
    assert ends[1].result == result_of("t1")
    assert len(shop.submits) == 1


async def test_a_refused_item_is_sent_again_at_once(path: Path) -> None:
    """There is no task to ask about."""
    shop = Shop()
    accept = shop._accept

    async def refuse(body: Body) -> httpx.Response:
        return refused(400, "bad_request")

    shop._submit = refuse
    await run(shop, path)
    shop._submit = accept
    retried = await run(shop, path, retry_failed=True)

    assert retried.result == result_of("t2")
    assert states(path)[SLOT] == "succeeded 2"
