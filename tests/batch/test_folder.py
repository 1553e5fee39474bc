from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from veo_async import Outcome, TextToVideo
from veo_async._batch import record
from veo_async._batch.folder import Folder
from veo_async._batch.record_files import read_some

MUG, RAIN = TextToVideo(prompt="A mug"), TextToVideo(prompt="Rain")


def stem(folder: Path, key: str, number: int, request: Any = MUG, saved: str | None = None) -> str:
    """The stem that a run of its own gives to an item."""
    return Folder(folder).stem(key, number, request, saved=saved)


def names(folder: Path) -> list[str]:
    """The files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_name_belongs_to_its_item_in_every_run(tmp_path: Path) -> None:
    """The claim is in the folder before the video. A run with another order of the input, or
    without a journal, finds the same name."""
    folder = tmp_path / "a" / "out"

    assert stem(folder, "k", 7) == "0007-a-mug"
    assert stem(folder, "k", 8, RAIN) == "0007-a-mug"
    assert names(folder) == ["0007-a-mug.json"]


@pytest.mark.parametrize(
    "there",
    ["0007-a-mug.mp4", "0007-A-Mug.MP4", "0007-a-mug-1080p.mp4", "0007-a-mug.json"],
)
def test_a_name_of_another_item_is_not_taken(tmp_path: Path, there: str) -> None:
    """Also if it differs in case only, which some file systems ignore."""
    (tmp_path / there).write_bytes(b"theirs")

    assert stem(tmp_path, "k", 7).startswith("0007-a-mug~")
    assert (tmp_path / there).read_bytes() == b"theirs"


def test_a_locale_without_the_letters_gets_an_ascii_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that the locale cannot encode is replaced by one in ASCII, so that a paid video has
    one; two such names of one item number stay apart."""
    monkeypatch.setattr("os.fsencode", lambda name: name.encode("ascii"))
    rain, cafe = TextToVideo(prompt="雨の夜"), TextToVideo(prompt="Café in the rain")

    assert stem(tmp_path, "a", 1, rain) == "0001-video"
    assert stem(tmp_path, "b", 2, cafe) == "0002-cafe-in-the-rain"
    assert stem(tmp_path, "c", 1, rain).startswith("0001-video~")


def test_two_items_with_one_number_and_one_prompt_keep_apart(tmp_path: Path) -> None:
    """Two runs of different inputs may share a folder."""
    first, second = stem(tmp_path, "a", 7), stem(tmp_path, "b", 7)

    assert first != second
    assert (stem(tmp_path, "a", 1), stem(tmp_path, "b", 1)) == (first, second)


def test_a_video_whose_record_is_gone_keeps_its_name(tmp_path: Path) -> None:
    """The journal knows the name. It is not used if another item has it now, or if the video is
    gone as well."""
    (tmp_path / "0003-a-mug.mp4").write_bytes(b"video")

    assert stem(tmp_path, "k", 7, saved="0003-a-mug.mp4") == "0003-a-mug"
    assert stem(tmp_path, "other", 7, saved="0099-gone.mp4") == "0007-a-mug"
    (tmp_path / "0003-a-mug.json").write_bytes(record.claim("new", number=3, request=MUG))
    assert stem(tmp_path, "k", 8, saved="0003-a-mug.mp4") == "0008-a-mug"


def test_the_claim_of_other_tasks_is_another_items(tmp_path: Path) -> None:
    """Even with the same key: another process may be about to save its video there."""
    here, there = Folder(tmp_path), Folder(tmp_path)

    first = here.stem("k", 1, MUG, saved=None, tasks=["t1"])
    second = there.stem("k", 1, MUG, saved=None, tasks=["t2"])

    assert first != second
    assert Folder(tmp_path).stem("k", 9, MUG, saved=None, tasks=["t2", "t3"]) == second


@pytest.mark.parametrize("key", ['["k"]', "null", '"other"'])
def test_an_edited_record_reserves_no_other_name(tmp_path: Path, key: str) -> None:
    """A record without a valid key, or under a foreign file name, reserves no name for an item."""
    (tmp_path / "0001-a-mug.json").write_text(f'{{"veo_async": 1, "key": {key}}}')
    (tmp_path / "index.json").write_text('{"veo_async": 1, "key": "k"}')

    assert stem(tmp_path, "k", 1).startswith("0001-a-mug~")


def test_a_name_that_another_process_takes_meanwhile_is_not_taken(tmp_path: Path) -> None:
    """It happens between the scan and the claim: the claim is atomic and replaces nothing."""
    here, there = Folder(tmp_path), Folder(tmp_path)
    here.stem("x", 1, RAIN, saved=None)
    there.stem("y", 2, RAIN, saved=None)

    assert here.stem("a", 7, MUG, saved=None) == "0007-a-mug"
    assert there.stem("b", 7, MUG, saved=None).startswith("0007-a-mug~")


def test_a_claim_needs_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have none; the claim is as exclusive there."""

    def none(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", none)
    first = Folder(tmp_path)
    assert first.stem("x", 1, RAIN, saved=None) == "0001-rain"
    second = Folder(tmp_path)
    second.stem("y", 2, RAIN, saved=None)

    assert first.stem("a", 7, MUG, saved=None) == "0007-a-mug"
    assert second.stem("b", 7, MUG, saved=None).startswith("0007-a-mug~")
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


def test_a_record_without_new_facts_is_not_written(tmp_path: Path) -> None:
    """Its time stays that of the end. A record with new facts replaces it atomically."""
    folder = Folder(tmp_path)
    outcome = Outcome("k", MUG)
    name = folder.stem("k", 1, MUG, saved=None)

    folder.write_record(outcome, name, number=1, results=(), at=100.0)
    folder.write_record(outcome, name, number=1, results=(), at=200.0)
    first = json.loads((tmp_path / "0001-a-mug.json").read_text())
    folder.write_record(outcome, name, number=2, results=(), at=300.0)
    second = json.loads((tmp_path / "0001-a-mug.json").read_text())

    assert (first["state"], first["ended_at"]) == ("succeeded", "1970-01-01T00:01:40+00:00")
    assert (second["number"], second["ended_at"]) == (2, "1970-01-01T00:05:00+00:00")
    assert names(tmp_path) == ["0001-a-mug.json"]


def test_a_record_that_cannot_be_written_leaves_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No unfinished file stays beside it."""
    folder = Folder(tmp_path)
    name = folder.stem("k", 1, MUG, saved=None)
    before = (tmp_path / "0001-a-mug.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError("No space left")

    monkeypatch.setattr("veo_async._batch.record_files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write_record(Outcome("k", MUG), name, number=1, results=(), at=0.0)

    assert (tmp_path / "0001-a-mug.json").read_bytes() == before
    assert names(tmp_path) == ["0001-a-mug.json"]


def test_nothing_that_a_link_leads_to_is_read(tmp_path: Path) -> None:
    """Neither a record outside of the folder, nor one that is longer than a record can be."""
    folder = tmp_path / "out"
    folder.mkdir()
    outside = tmp_path / "0001-a-mug.json"
    outside.write_bytes(record.claim("k", number=1, request=MUG))
    (folder / "0009-rain.json").symlink_to(outside)
    (folder / "0008-rain.json").write_bytes(
        record.claim("k", number=8, request=RAIN) + b" " * record.LONGEST
    )

    assert stem(folder, "k", 1) == "0001-a-mug"
    assert read_some(folder, 1) is None


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"task_ids": ["t2", "t1"]}, "task t1, t2"),
        ({"task_id": "t", "task_ids": ["t"], "state": "failed"}, "task t"),
        ({"task_id": "t", "state": "pending"}, "task t"),
        ({"state": "uncertain"}, "a submit whose outcome is unknown"),
        ({"state": "failed", "task_id": None, "task_ids": []}, None),
        ({"state": "failed", "task_id": 7, "task_ids": "t"}, None),
        ({"state": "failed", "task_id": ""}, None),
    ],
)
def test_a_record_says_what_was_bought(
    tmp_path: Path, fields: dict[str, Any], said: str | None
) -> None:
    """A record that names a task, also one that failed or still runs, and one of an uncertain
    submit."""
    text = json.dumps({"veo_async": 1, "key": "k", **fields})
    (tmp_path / "0001-a-mug.json").write_text(text)

    assert Folder(tmp_path).purchases() == ({"k": said} if said else {})


def test_a_folder_that_is_not_there_has_no_purchases(tmp_path: Path) -> None:
    """It is not created by the question."""
    assert Folder(tmp_path / "out").purchases() == {}
    assert not (tmp_path / "out").exists()
