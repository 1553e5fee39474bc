from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from veo_async.emulator import (
    Ending,
    Fail,
    Immediate,
    Looks,
    Provisional,
    Seconds,
    Unreadable,
    Wire,
)

from .calls import calling


@pytest.mark.asyncio
async def test_another_emulator_continues(tmp_path: Path) -> None:
    """An emulator in another process knows the accepted tasks with their durations and outcomes.
    It gives new tasks other ids."""
    file = tmp_path / "ledger.jsonl"
    async with calling(pace=Seconds(mean=100.0, sigma=0.0), ledger=file) as caller:
        first = await caller.task_id()
        caller.fault(Fail(), on="submit")
        second = await caller.task_id(prompt="Ein Käfer 🐞")
        await anyio.sleep(60)
        at = caller.emulator.now()
        bill = caller.emulator.bill

    async with calling(pace=Seconds(mean=100.0, sigma=0.0), ledger=file, epoch=at) as caller:
        assert caller.emulator.bill == bill
        assert "response" not in await caller.record(first)
        await anyio.sleep(41)
        assert (await caller.record(first))["response"]["success"] is True
        assert (await caller.record(second))["response"]["error"]["code"] == "api_error"
        assert len({first, second, await caller.task_id()}) == 3


@pytest.mark.asyncio
async def test_effects_on_tasks_are_kept(tmp_path: Path) -> None:
    """A task keeps its user, its provisional failure, its ending and the form of its entry."""
    file = tmp_path / "ledger.jsonl"
    wire = Wire(sync_records=False)
    async with calling(pace=Looks(1), ledger=file, wire=wire) as caller:
        for effect in (Provisional(), Ending(without=frozenset({"state"})), Unreadable()):
            caller.fault(effect)
        await caller.submit()
        task_id = await caller.task_id()
        page = (await caller.tasks(action="retrieve_batch")).json()

    async with calling(pace=Looks(1), ledger=file) as caller:
        assert (await caller.tasks(action="retrieve_batch")).json() == page
        records = [await caller.record(task_id) for _ in range(2)]
        assert page["items"][0] == records[0] | {"id": None}
        assert records[0]["response"]["success"] is False
        assert "state" not in records[1]["response"]["data"][0]


@pytest.mark.asyncio
async def test_the_1080p_version_of_a_kept_video(tmp_path: Path) -> None:
    """A kept video has a 1080p version, which is kept as well."""
    file = tmp_path / "ledger.jsonl"
    async with calling(pace=Immediate(), ledger=file) as caller:
        first = await caller.task_id()
        video_id = (await caller.record(first))["response"]["data"][0]["id"]

    async with calling(pace=Immediate(), ledger=file) as caller:
        again = await caller.task_id(action="get_1080p", video_id=video_id)

    async with calling(pace=Immediate(), ledger=file) as caller:
        video = (await caller.record(again))["response"]["data"][0]
        source = (await caller.record(first))["response"]["data"][0]
        assert video["id"] == source["id"] == video_id
        assert video["created_at"] == source["created_at"]


@pytest.mark.asyncio
async def test_half_of_a_line(tmp_path: Path) -> None:
    """A line that a process could not complete is dropped: its submit was not answered either."""
    file = tmp_path / "ledger.jsonl"
    async with calling(ledger=file) as caller:
        first = await caller.task_id()
    with file.open("ab") as broken:
        broken.write(b'{"id": "x')

    async with calling(ledger=file) as caller:
        second = await caller.task_id()

    async with calling(ledger=file) as caller:
        assert [charge.task_id for charge in caller.emulator.bill] == [first, second]


@pytest.mark.asyncio
async def test_reset_forgets_the_ledger(tmp_path: Path) -> None:
    """After a reset, earlier tasks do not come back."""
    file = tmp_path / "ledger.jsonl"
    async with calling(ledger=file) as caller:
        await caller.task_id()
        caller.emulator.reset()
        kept = await caller.task_id()

    async with calling(ledger=file) as caller:
        assert [charge.task_id for charge in caller.emulator.bill] == [kept]


@pytest.mark.asyncio
async def test_time_does_not_run_backwards(tmp_path: Path) -> None:
    """No task of the ledger is in the future, also if the clock of the new process is behind."""
    file = tmp_path / "ledger.jsonl"
    async with calling(ledger=file, epoch=2e9) as caller:
        await caller.task_id()

    async with calling(ledger=file, epoch=1e9) as caller:
        assert caller.emulator.now() >= 2e9
