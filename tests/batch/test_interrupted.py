"""Items that somebody cancels although their batch continues, and batches that are cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.support.service import client, client_of, emulator, other_tasks
from tests.support.stepping import Shop, SteppingLoop, in_steps, on_a_stepping_loop
from veo_async import (
    Outcome,
    PollingError,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
    VeoError,
)
from veo_async._base.runtime import Runtime
from veo_async._journal.sqlite import JournalDatabase
from veo_async.emulator import Drop, Fault, Hang, Seconds, VideoFormat, Wire
from veo_async.events import Event

REQUESTS = [TextToVideo(prompt=prompt) for prompt in "abc"]
LONG = 5_000.0
"""Seconds after which a consumer that waits for nothing is found out."""


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
    error; each billed task is known by its id; and a later run buys the rest, once."""
    turn, swept = 1, list[str]()

    while run_swept_at(turn, whom, tmp_path / f"{turn}.db" if recorded else None, swept):
        turn += 1

    assert turn > 50
    assert len(swept) > 50


def sweep() -> None:
    """Cancel all items."""
    for task in filter(is_item, asyncio.all_tasks()):
        task.cancel()


async def swept(veo: VeoClient, *, after: float, **options: Any) -> list[Outcome]:
    """The outcomes of a batch of one request whose item is cancelled after so many seconds."""
    asyncio.get_running_loop().call_later(after, sweep)
    async with veo.batch(REQUESTS[:1], **options) as outcomes:
        return [outcome async for outcome in outcomes]


def run_cancelled_at(turns: list[int], path: Path) -> bool:
    """Cancel a batch at these turns, each counted from the one before, and run it again at once;
    whether it came so far."""
    shop, came_so_far = Shop(), False

    async def main(loop: SteppingLoop) -> None:
        nonlocal came_so_far
        veo = stepping_client(shop)
        consumer = asyncio.create_task(batch_of(veo, [], path))

        def cancel() -> None:
            consumer.cancel()
            if left := turns[1:]:
                turns[:] = left
                loop.call_at_turn(max(left[0], 1), cancel)

        loop.call_at_turn(turns[0], cancel)
        await asyncio.wait([consumer], timeout=LONG)
        came_so_far = consumer.cancelled()
        ends: list[Outcome] = []
        await batch_of(veo, ends, path)

        assert [end.state for end in ends] == ["succeeded"] * len(REQUESTS)
        assert set(shop.bill) == ids_in(path)
        assert len(shop.submits) == len(shop.bill) == len(REQUESTS)
        await veo.aclose()
        assert not other_tasks()

    on_a_stepping_loop(main)
    return came_so_far


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_batch_that_is_cancelled_several_times(tmp_path: Path, times: int) -> None:
    """However often and at whichever turns its consumer is cancelled: the journal is closed, so
    that this process can open it again at once, and a later run buys nothing twice."""
    rng, turn = Random(times), 1

    while run_cancelled_at(
        [turn, *(rng.randrange(1, 12) for _ in range(times - 1))], tmp_path / f"{turn}.db"
    ):
        turn += 1

    assert turn > 60


@pytest.mark.asyncio
async def test_an_item_that_was_cancelled_before_it_sent_anything(tmp_path: Path) -> None:
    """Its error says that nothing was bought, or names the task of an earlier run. A listener hears
    of its end, once."""
    heard: list[Event] = []

    def on_event(event: Event) -> None:
        heard.append(event)
        asyncio.get_running_loop().call_soon(sweep)  # before the item's first step

    path = tmp_path / "run.db"
    async with client(Shop(), on_event=on_event) as veo:
        [outcome] = await swept(veo, after=LONG, journal=path)
    async with client(Shop()) as veo:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(swept(veo, after=LONG, journal=path), 1.1)
    async with client(Shop(), on_event=on_event) as veo:
        [resumed] = await swept(veo, after=LONG, journal=path)

    assert resumed.error
    assert resumed.error.task_id == "task-1"
    assert str(outcome.error) == (
        f"The item {outcome.key!r} was cancelled before its end. Nothing was accepted, so nothing "
        "was bought."
    )
    assert outcome.state == "failed"
    assert [event.name for event in heard] == ["begun", "ended"] * 2


@pytest.mark.asyncio
async def test_an_item_that_was_cancelled_while_its_task_runs() -> None:
    """Its error names the task, which continues at the service, and for which anybody can wait."""
    async with emulator(pace=Seconds(mean=60.0)) as service, client_of(service) as veo:
        [outcome] = await swept(veo, after=20.0)
        [charge] = service.bill
        result = await veo.wait(charge.task_id)

    assert isinstance(outcome.error, PollingError)
    assert "was cancelled" in str(outcome.error)
    assert outcome.state == "pending"
    assert outcome.error.task_id == result.task_id


@pytest.mark.asyncio
@pytest.mark.parametrize("effect, after", [(Hang(at="accepted"), 1.0), (Drop(at="accepted"), 5.0)])
async def test_an_item_that_was_cancelled_with_a_submit_of_unknown_outcome(
    effect: Any, after: float
) -> None:
    """Its error says that the submit may have been billed, and names its request and its time."""
    service = emulator(faults=[Fault(effect=effect, nth=1)], wire=Wire(listed="always_empty"))
    async with service, client_of(service, retry=RetryPolicy(marks="off")) as veo:
        [outcome] = await swept(veo, after=after)

    assert isinstance(outcome.error, SubmissionUncertainError)
    assert outcome.error.request == REQUESTS[0]
    assert outcome.error.sent_at


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds, state", [(1.0, "uncertain"), (400.0, "pending")])
async def test_an_item_of_an_earlier_run_that_was_cancelled(
    tmp_path: Path, seconds: float, state: str
) -> None:
    """Its error names what the journal, or the task list by then, knows of the earlier submit."""
    path, once = tmp_path / "run.db", RetryPolicy(on_uncertain="raise")
    service = emulator(pace=Seconds(mean=900.0), faults=[Fault(effect=Drop(at="accepted"), nth=1)])
    async with service:
        async with client_of(service, retry=once) as veo:
            await swept(veo, after=LONG, journal=path)
        async with client_of(service) as veo:
            [outcome] = await swept(veo, after=seconds, journal=path)
        async with client_of(service) as veo:
            [later] = await swept(veo, after=1.0, journal=path) if state == "pending" else [None]

    assert outcome.state == state
    assert outcome.error
    assert outcome.error.may_have_cost
    assert later is None or later.error.task_id == outcome.error.task_id  # type: ignore[union-attr]


@pytest.mark.asyncio
async def test_an_item_that_was_cancelled_while_its_file_is_fetched(tmp_path: Path) -> None:
    """Its outcome has the result, and its error names the task."""
    tiny = VideoFormat(seconds=0.2, fps=5, short_side=64)
    service = emulator(pace=Seconds(mean=10.0), video=tiny)
    service.faults.add(Fault(effect=Hang(), on="file"))
    async with service, client_of(service) as veo:
        [outcome] = await swept(veo, after=60.0, download_to=tmp_path)

    assert outcome.result
    assert outcome.error
    assert outcome.error.task_id == outcome.result.task_id == service.bill[0].task_id


@pytest.mark.asyncio
async def test_an_item_that_something_else_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that is no error of a program ends the item, and its consumer does not wait."""

    class Odd(BaseException):
        """As tools raise that stop a test."""

    async with client(Shop()) as veo:

        async def broken(*_: Any, **__: Any) -> None:
            raise Odd

        monkeypatch.setattr(veo._submitter, "submit", broken)
        [outcome] = await swept(veo, after=LONG)

    assert "was ended by Odd" in str(outcome.error)
    assert isinstance(outcome.error, VeoError)
    assert isinstance(outcome.error.__cause__, Odd)


@pytest.mark.asyncio
@pytest.mark.parametrize("turns, bought", [(0, 0), (3, 1)])
async def test_a_cancelled_reading_of_many_loses_no_video(turns: int, bought: int) -> None:
    """`generate_many` has no outcomes then; what it bought is in `unsettled`."""
    shop = Shop()
    async with client(shop) as veo:
        many = asyncio.create_task(veo.generate_many(REQUESTS))
        await asyncio.sleep(0)
        [reading] = other_tasks() - {many}
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(VeoError, match="reading of the batch's input was cancelled"):
            await many

        assert [item.task_id for item in veo.unsettled] == shop.bill
    assert len(shop.bill) == bought
