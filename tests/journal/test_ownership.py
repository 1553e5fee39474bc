"""A journal has one owner, also where the locks of the file system do nothing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from tests.journal.journals import accepted, intended, opened, states, wreck
from tests.support.service import client_of, emulator
from veo_async import TextToVideo
from veo_async._journal.owner_file import OwnerFile
from veo_async._journal.ownership import BEAT, SETTLE, SILENT
from veo_async.emulator import Seconds
from veo_async.errors import JournalError

pytestmark = pytest.mark.asyncio

ASKED = [(f"k{number}", TextToVideo(prompt=f"p{number}")) for number in range(4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "run.db"


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite as on a file system whose locks succeed and do nothing."""
    connect: Any = sqlite3.connect

    def without(path: Path, **options: Any) -> Any:
        return connect(f"file:{path}?vfs=unix-none", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", without)


def now() -> float:
    """The event loop's time."""
    return asyncio.get_running_loop().time()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("later", [0.0, 0.01, 3.0, 30.0])
@pytest.mark.usefixtures("no_locks")
async def test_a_double_start_buys_once(path: Path, later: float) -> None:
    """However much later the second run starts, it is refused before it sends anything, and the
    first one continues."""
    async with emulator(pace=Seconds(mean=60.0)) as service, client_of(service) as veo:

        async def run(after: float) -> list[str]:
            await asyncio.sleep(after)
            async with veo.batch(ASKED, journal=path) as outcomes:
                return [outcome.state async for outcome in outcomes]

        first, second = await asyncio.gather(run(0.0), run(later), return_exceptions=True)

    assert first == ["succeeded"] * 4
    assert isinstance(second, JournalError)
    assert "in use" in str(second)
    assert "Nothing was sent" in str(second)
    assert len(service.bill) == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.usefixtures("no_locks")
async def test_two_heirs_of_a_dead_owner_are_one(path: Path, tmp_path: Path) -> None:
    """Both start after a crash, at the same moment. One of them continues."""
    async with await opened(path) as journal:
        await journal.record(intended("k"))
        left = wreck(path, tmp_path / "killed")

    async def run() -> bool:
        async with await opened(left) as journal:
            await asyncio.sleep(60.0)
            return await journal.get("k") is not None

    ends = await asyncio.gather(run(), run(), return_exceptions=True)

    assert sorted(isinstance(end, JournalError) for end in ends) == [False, True]


async def test_an_ordinary_start_waits_for_nobody(path: Path) -> None:
    """Neither the first one, nor one after an orderly end."""
    for _ in range(2):
        async with await opened(path) as journal:
            await journal.record(intended("k")) if await journal.get("k") is None else None

    assert now() < 0.1
    assert [file.name for file in path.parent.iterdir()] == ["run.db"]


async def test_a_start_after_a_crash_waits_for_a_heartbeat(path: Path, tmp_path: Path) -> None:
    """None comes, so the journal is its own."""
    async with await opened(path) as journal:
        await journal.record(intended("k"))
        left = wreck(path, tmp_path / "killed")
    began = now()

    async with await opened(left) as heir:
        assert now() - began == pytest.approx(SILENT + SETTLE)
        await heir.record(accepted("k"))

    assert states(left) == {("k", "generate"): "accepted 1"}


@pytest.mark.parametrize("how", ["taken", "removed"])
async def test_an_owner_that_was_taken_for_dead_writes_no_more(path: Path, how: str) -> None:
    """It wakes up, and another run has taken the journal over. It leaves the other one's pages
    alone, and the error names the task that it would have recorded."""
    async with await opened(path) as journal:
        await journal.record(intended("k"))
        if how == "taken":
            OwnerFile(path).take()
        else:
            OwnerFile(path).path.unlink()

        with pytest.raises(JournalError, match="opened by another run") as caught:
            await journal.record(accepted("k", "t7"))
        with pytest.raises(JournalError, match="Nothing more is submitted"):
            await journal.record(intended("l"))

    assert caught.value.task_id == "t7"
    assert states(path) == {("k", "generate"): "intended 1"}
    assert OwnerFile(path).path.exists() == (how == "taken")


async def test_a_lost_journal_is_noticed_without_a_write(path: Path) -> None:
    """By the next heartbeat: a POST that was allowed is not sent."""
    async with await opened(path) as journal:
        journal.check("k")
        OwnerFile(path).take()
        await asyncio.sleep(BEAT + 0.1)

        with pytest.raises(JournalError, match="opened by another run"):
            journal.check("k")


async def test_a_heartbeat_that_cannot_be_written_stops_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal's own writes report a full disk. A run that takes the journal over is noticed
    all the same."""

    def full(self: OwnerFile) -> None:
        raise OSError("No space left")

    async with await opened(path) as journal:
        monkeypatch.setattr(OwnerFile, "beat", full)
        await asyncio.sleep(3 * BEAT)

        await journal.record(intended("k"))
        OwnerFile(path).take()
        with pytest.raises(JournalError, match="opened by another run"):
            await journal.record(accepted("k"))


async def test_a_refused_start_takes_nothing_away(path: Path) -> None:
    """Neither the owner's file, nor its lock, however long there was no heartbeat."""
    async with await opened(path) as journal:
        await journal._ownership.stop()

        with pytest.raises(JournalError, match="in use"):
            await opened(path)
        await journal.record(intended("k"))

    assert states(path) == {("k", "generate"): "intended 1"}


@pytest.mark.parametrize("trouble", ["a folder", "a link", "a full disk"])
async def test_an_owner_file_that_cannot_be_written_is_an_error_of_the_journal(
    path: Path, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a batch ends with an error that says what to do, and nothing is sent."""

    def full(*_: object) -> int:
        raise OSError(ENOSPC, "No space left on device")

    other = path.with_name("run.db-owner")
    if trouble == "a folder":
        other.mkdir()
    elif trouble == "a link":
        other.symlink_to(path.with_name("elsewhere"))
    else:
        monkeypatch.setattr(os, "write", full)

    with pytest.raises(JournalError, match=r"run\.db-owner cannot be read or written"):
        await opened(path)
