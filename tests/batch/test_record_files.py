"""The folder of a batch: a video and a record for each item, under lasting names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.batch.test_resume import once
from tests.support.service import emulator
from veo_async import DownloadError, GenerationFailedError, TextToVideo, VeoError
from veo_async.emulator import Answer, Fail, Fault, VideoFormat

pytestmark = pytest.mark.asyncio

FORMAT = VideoFormat(seconds=1, fps=2, short_side=64)
ASKED = [("mug", TextToVideo(prompt="A coffee mug")), ("rain", TextToVideo(prompt="Rain!"))]


def names(folder: Path) -> list[str]:
    """The files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def record(folder: Path, name: str) -> Any:
    """A record."""
    return json.loads((folder / name).read_text(encoding="utf-8"))


async def test_each_item_has_its_videos_and_a_record(tmp_path: Path) -> None:
    """Named by the number in the input and by the prompt; both stages' tasks are in the record."""
    folder = tmp_path / "out"
    async with emulator(video=FORMAT) as service:
        ends = await once(service, ASKED, download_to=folder, upscale=True)

    assert names(folder) == [
        "0001-a-coffee-mug-1080p.mp4",
        "0001-a-coffee-mug.json",
        "0001-a-coffee-mug.mp4",
        "0002-rain-1080p.mp4",
        "0002-rain.json",
        "0002-rain.mp4",
    ]
    (mug,) = [end for end in ends if end.key == "mug"]
    mug_record = record(folder, "0001-a-coffee-mug.json")
    assert mug.result
    assert (mug_record["key"], mug_record["state"], mug_record["trace_id"]) == (
        "mug",
        "succeeded",
        mug.result.trace_id,
    )
    assert mug_record["files"] == [file.name for file in mug.files]
    assert len(set(mug_record["task_ids"])) == 2


async def test_names_last_over_resumes(tmp_path: Path) -> None:
    """The input is reordered, the folder is moved, the records are deleted: nothing is fetched
    again, and no file changes its name."""
    folder, options = tmp_path / "out", {"journal": tmp_path / "run.db"}
    async with emulator(video=FORMAT) as service:
        await once(service, ASKED, download_to=folder, **options)
        before, fetched = names(folder), service.counters["file"]
        texts = [record(folder, name) for name in before if name.endswith(".json")]
        await once(service, ASKED[::-1], download_to=folder, **options)
        again = [record(folder, name) for name in names(folder) if name.endswith(".json")]
        moved = folder.rename(tmp_path / "moved")
        await once(service, ASKED[::-1], download_to=moved, **options)
        for path in moved.glob("*.json"):
            path.unlink()
        await once(service, ASKED[::-1], download_to=moved, **options)

        assert service.counters["file"] == fetched == 2
    assert names(moved) == before
    assert [text["key"] for text in again] == [text["key"] for text in texts]


async def test_a_failed_item_has_a_record_too(tmp_path: Path) -> None:
    """With the reason and the task id; a later run that succeeds replaces it."""
    folder, journal = tmp_path / "out", tmp_path / "run.db"
    async with emulator(video=FORMAT) as service:
        service.faults.add(Fault(effect=Fail(), action="text2video", nth=1))
        (end,) = await once(service, ASKED[:1], download_to=folder, journal=journal)
        failed = record(folder, "0001-a-coffee-mug.json")
        (done,) = await once(
            service, ASKED[:1], download_to=folder, journal=journal, retry_failed=True
        )

    assert isinstance(end.error, GenerationFailedError)
    assert (failed["state"], failed["task_id"]) == ("failed", end.error.task_id)
    assert failed["error"]["message"] == str(end.error)
    assert done.error is None
    assert record(folder, "0001-a-coffee-mug.json")["state"] == "succeeded"


async def test_one_folder_may_serve_two_batches(tmp_path: Path) -> None:
    """Their items have the same numbers and prompts; neither overwrites the other's."""
    folder = tmp_path / "out"
    async with emulator(video=FORMAT) as service:
        (one,) = await once(service, ASKED[:1], download_to=folder)
        first = one.files[0].read_bytes()
        (two,) = await once(service, [("other", ASKED[0][1])], download_to=folder)

    assert one.files[0] != two.files[0]
    assert one.files[0].read_bytes() == first
    assert len(names(folder)) == 4


async def test_an_item_that_was_bought_twice_is_kept_twice(tmp_path: Path) -> None:
    """A run without any journal buys again, and so does one with another journal and `extend`.
    Neither video replaces the other, and each journal finds its own."""
    folder = tmp_path / "out"
    async with emulator(video=FORMAT) as service:
        (one,) = await once(service, ASKED[:1], download_to=folder, journal=tmp_path / "a.db")
        first = one.files[0].read_bytes()
        (two,) = await once(
            service, ASKED[:1], download_to=folder, journal=tmp_path / "b.db", extend=True
        )
        (three,) = await once(service, ASKED[:1], download_to=folder)
        before, fetched = names(folder), service.counters["file"]
        again = [
            await once(service, ASKED[:1], download_to=folder, journal=tmp_path / name)
            for name in ("a.db", "b.db")
        ]

        assert service.counters["file"] == fetched == 3
    assert [end.files for (end,) in again] == [one.files, two.files]
    assert len({one.files, two.files, three.files}) == 3
    assert one.files[0].read_bytes() == first
    assert names(folder) == before


async def test_no_fault_of_the_folder_loses_an_outcome(tmp_path: Path) -> None:
    """Also an unexpected one, such as a path with a null byte."""
    async with emulator(video=FORMAT) as service:
        ends = await once(service, ASKED[:1], download_to=tmp_path / "o\0ut")

    assert [bool(end.result and end.error) for end in ends] == [True]


@pytest.mark.parametrize("is_bought", [True, False])
async def test_a_folder_that_cannot_be_written_is_an_error_of_the_item(
    tmp_path: Path, is_bought: bool
) -> None:
    """The result is not lost, and the outcome has the first error of the item."""
    (tmp_path / "out").write_bytes(b"a file")
    async with emulator(video=FORMAT) as service:
        if not is_bought:
            service.faults.add(Fault(effect=Answer(status=400), action="text2video"))
        (end,) = await once(service, ASKED[:1], download_to=tmp_path / "out")

    assert bool(end.result) == is_bought
    assert isinstance(end.error, DownloadError if is_bought else VeoError)
    assert isinstance(end.error, DownloadError) == is_bought
