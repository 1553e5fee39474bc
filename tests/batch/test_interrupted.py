"""Items that somebody cancels although their batch continues, and batches that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx
import pytest

from tests.journal.journals import states
from tests.support.service import Body, Service, accepted, client, client_of, emulator, other_tasks
from tests.support.stepping import Shop, SteppingLoop, on_a_stepping_loop
from veo_async import (
    Outcome,
    PollingError,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
    VeoError,
    WaitTimeoutError,
)
from veo_async._base.runtime import Runtime
from veo_async._journal.sqlite import JournalDatabase
from veo_async.emulator import Drop, Fault, Hang, Seconds, VideoFormat
from veo_async.events import Event

REQUESTS = [TextToVideo(prompt=prompt) for prompt in "abc"]
LONG = 5_000.0
"""Seconds after which a consumer that waits for nothing is found out."""


async def in_steps(function: Callable[..., Any], /, *args: Any) -> Any:
    """Run a blocking function as a thread does: after a turn of the loop, and a turn before it is
    noticed. What has begun is done, also if its caller is cancelled."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    done: asyncio.Future[Any] = loop.create_future()

    def work() -> None:
        try:
            result, error = function(*args), None
        except Exception as exc:  # noqa: BLE001 - it is the caller's
            result, error = None, exc
        if not done.done():
            done.set_exception(error) if error else done.set_result(result)

    loop.call_soon(work)
    return await done


def stepping_client(service: httpx.AsyncBaseTransport, **options: Any) -> VeoClient:
    """A client whose blocking calls take turns of the loop."""
    runtime = Runtime(
        wall_clock=lambda: 1_753_430_400.0 + asyncio.get_running_loop().time(),
        rng=Random(1),
        run_sync=in_steps,
    )
    return client(service, runtime=runtime, **options)


def is_item(task: asyncio.Task[Any]) -> bool:
    """Whether a task is an item of a batch."""
    return task.get_name().startswith("veo_async item")


def ids_in(path: Path | None) -> set[str]:
    """The ids in a journal."""
    if path is None or not path.exists():
        return set()
    file = JournalDatabase(path)
    file.open()
    try:
        rows = [row for item in file.items().values() for row in item.stages.values()]
        return {row.task_id for row in rows if row.task_id}
    finally:
        file.close()


def told_by(outcomes: list[Outcome]) -> set[str]:
    """The ids in these outcomes."""
    ids = {end.task_id for o in outcomes for end in (o.result, o.error) if end}
    return {task_id for task_id in ids if task_id}


async def batch_of(veo: VeoClient, ends: list[Outcome], path: Path | None) -> None:
    """Consume a batch; its outcomes are added to ``ends``."""
    async with veo.batch(REQUESTS, journal=path, max_in_flight=2) as outcomes:
        async for outcome in outcomes:
            ends.append(outcome)  # noqa: PERF401 - those before an error count


def run_swept_at(turn: int, whom: str, path: Path | None, swept: list[str]) -> bool:
    """Cancel the tasks of a batch, but not its consumer, at this turn; whether it came so far. The
    names of the tasks are added to ``swept``."""
    shop, ends = Shop(), list[Outcome]()
    came_so_far = False

    async def main(loop: SteppingLoop) -> None:
        veo = stepping_client(shop)
        consumer = asyncio.create_task(batch_of(veo, ends, path))
        spared = {consumer, asyncio.current_task()}

        def sweep() -> None:
            nonlocal came_so_far
            came_so_far = not consumer.done()
            for task in asyncio.all_tasks() - spared:
                if whom == "all" or is_item(task):
                    task.cancel()
                    swept.append(task.get_name())

        loop.call_at_turn(turn, sweep)
        await asyncio.wait([consumer], timeout=LONG)

        assert consumer.done()
        failed = consumer.exception()
        assert failed is None or isinstance(failed, VeoError)
        assert failed is None or whom == "all"
        assert failed or len(ends) == len(REQUESTS)
        unsettled = {item.task_id for item in veo.unsettled if item.task_id}
        assert set(shop.bill) <= told_by(ends) | unsettled | ids_in(path)
        asked = {body["prompt"] for body in shop.submits}
        for end in ends:
            if end.error:
                assert end.error.may_have_cost is (end.request.model_dump()["prompt"] in asked)
        if path:
            again: list[Outcome] = []
            await batch_of(veo, again, path)
            assert {end.state for end in again} == {"succeeded"}
            assert len(shop.bill) == len(REQUESTS)
        assert len(shop.submits) == len(shop.bill) <= len(REQUESTS)
        await veo.aclose()
        assert not other_tasks()

    on_a_stepping_loop(main)
    return came_so_far


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["items", "all"])
@pytest.mark.parametrize("recorded", [False, True])
def test_a_sweep_that_spares_the_consumer(tmp_path: Path, whom: str, *, recorded: bool) -> None:
    """At whichever turn the tasks of a batch are cancelled: its consumer gets all outcomes, or an
    error; whatever was billed is known by its id; and a later run buys the rest, once."""
    turn, swept = 1, list[str]()

    while run_swept_at(turn, whom, tmp_path / f"{turn}.db" if recorded else None, swept):
        turn += 1

    assert turn > 50
    assert len(swept) > 50
