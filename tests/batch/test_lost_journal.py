"""A folder of a batch whose journal is gone: its records say what was bought."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import client_of, emulator
from veo_async import DownloadError, JournalError, Outcome, TextToVideo, VeoClient
from veo_async._batch.input_check import MOST_SHOWN, Purchases
from veo_async.emulator import Fail, Fault, Seconds, VideoFormat

pytestmark = pytest.mark.asyncio

PACE = Seconds(mean=10.0)
TINY = VideoFormat(seconds=0.4, fps=5, short_side=64)


def asked(*keys: str) -> list[tuple[str, TextToVideo]]:
    """Requests under their prompts."""
    return [(key, TextToVideo(prompt=key)) for key in keys]


async def run(veo: VeoClient, requests: Any, **options: Any) -> list[Outcome]:
    """All outcomes of a batch."""
    async with veo.batch(requests, **options) as outcomes:
        return [outcome async for outcome in outcomes]


async def one_by_one(*keys: str) -> AsyncIterator[tuple[str, TextToVideo]]:
    """An input that comes slowly."""
    for pair in asked(*keys):
        yield pair


@pytest.mark.parametrize("journal", ["gone", "new"])
async def test_what_the_records_name_is_not_bought_again(tmp_path: Path, journal: str) -> None:
    """Neither the finished item nor the failed one. The error names their tasks and the next
    step, and the preview says the same. Nothing of that portion of the input is sent."""
    out, path = tmp_path / "out", tmp_path / "run.db"
    async with emulator(pace=PACE, video=TINY) as service, client_of(service) as veo:
        service.faults.add(Fault(effect=Fail(), nth=2))
        first = await run(veo, asked("mug", "cup"), journal=path, download_to=out)
        path.unlink()
        path = path if journal == "gone" else tmp_path / "new.db"

        with pytest.raises(JournalError, match="The records in the folder") as caught:
            await run(veo, asked("new", "mug", "cup"), journal=path, download_to=out)
        preview = await veo.batch(asked("mug"), journal=path, download_to=out).preview()

        assert [outcome.state for outcome in first] == ["succeeded", "failed"]
        tasks = {charge.task_id for charge in service.bill}
        assert len(tasks) == 2
        assert all(task in str(caught.value) for task in tasks)
        assert (caught.value.key, caught.value.path) == ("mug", str(path))
        assert "Nothing was sent for these items" in str(caught.value)
        assert "pass extend=True" in str(caught.value)
        assert isinstance(preview.error, JournalError)


async def test_the_user_may_buy_them_again(tmp_path: Path) -> None:
    """``extend=True`` says so, and so does a batch without a journal, which never knows what was
    bought before."""
    out, path = tmp_path / "out", tmp_path / "run.db"
    async with emulator(pace=PACE, video=TINY) as service, client_of(service) as veo:
        await run(veo, asked("mug"), download_to=out)
        await run(veo, asked("mug"), download_to=out)
        extending: dict[str, Any] = {"journal": path, "download_to": out, "extend": True}
        preview = await veo.batch(asked("mug"), **extending).preview()
        await run(veo, asked("mug"), **extending)
        again = await run(veo, asked("mug"), journal=path, download_to=out)

        assert (preview.start, preview.error) == (1, None)
        assert [outcome.state for outcome in again] == ["succeeded"]
        assert len(service.bill) == 3


async def test_what_the_journal_knows_is_not_looked_up(tmp_path: Path) -> None:
    """A batch that is resumed has records of its own. Other batches may share its folder."""
    out, path = tmp_path / "out", tmp_path / "run.db"
    async with emulator(pace=PACE, video=TINY) as service, client_of(service) as veo:
        await run(veo, asked("mug"), journal=path, download_to=out)
        await run(veo, asked("other"), journal=tmp_path / "other.db", download_to=out)
        again = await run(veo, asked("mug", "new"), journal=path, download_to=out)

    assert [outcome.state for outcome in again] == ["succeeded"] * 2
    assert len(service.bill) == 3


async def test_an_item_that_was_never_sent_is_bought_later(tmp_path: Path) -> None:
    """Its record names no task."""
    options: dict[str, Any] = {"journal": tmp_path / "run.db", "download_to": tmp_path / "out"}
    async with emulator(pace=PACE, video=TINY) as service, client_of(service) as veo:
        first = await run(veo, asked("mug", "cup"), max_submissions=1, **options)
        second = await run(veo, asked("mug", "cup"), **options)

    assert sorted(outcome.state for outcome in first) == ["failed", "succeeded"]
    assert [outcome.state for outcome in second] == ["succeeded"] * 2
    assert len(service.bill) == 2


async def test_a_slow_input_is_checked_request_by_request(tmp_path: Path) -> None:
    """The requests before a recorded one are new, and are bought; those after it are not."""
    out = tmp_path / "out"
    async with emulator(pace=PACE, video=TINY) as service, client_of(service) as veo:
        await run(veo, asked("mug"), download_to=out)
        with pytest.raises(JournalError, match="'mug'"):
            await run(
                veo,
                one_by_one("new", "mug", "later"),
                journal=tmp_path / "run.db",
                download_to=out,
            )

    assert [charge.request["prompt"] for charge in service.bill] == ["mug", "new"]


async def test_a_folder_that_cannot_be_read_stops_the_batch(tmp_path: Path) -> None:
    """It may hold records of what is asked for."""
    out = tmp_path / "out"
    out.touch()
    async with emulator(pace=PACE) as service, client_of(service) as veo:
        with pytest.raises(DownloadError, match="Nothing can be saved in the folder"):
            await run(veo, asked("mug"), journal=tmp_path / "run.db", download_to=out)

    assert not service.bill


async def test_an_error_names_some_of_many() -> None:
    """It stays readable."""
    keys = [f"k{number}" for number in range(MOST_SHOWN + 2)]
    purchases = Purchases(dict.fromkeys(keys, "task t"), folder="out", journal="run.db")

    error = purchases.error(["new", *keys])

    assert purchases.error(["new"]) is None
    assert error
    assert error.message.count("task t") == MOST_SHOWN
    assert "; and 2 more)" in error.message
