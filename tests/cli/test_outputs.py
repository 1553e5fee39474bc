"""Where files go."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from veo_async import Generation, Video
from veo_async.cli._outputs import destinations, file_at, prepare_folder, refuse_unwritable


def test_what_can_be_written(tmp_path: Path) -> None:
    """A new file, an old one, a folder, and a file in folders that are not there yet: all fine."""
    old = tmp_path / "old.mp4"
    old.write_bytes(b"")

    for path in (old, tmp_path, tmp_path / "new.mp4", tmp_path / "a" / "b" / "new.mp4"):
        refuse_unwritable(path)

    assert sorted(tmp_path.iterdir()) == [old]


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the way is named before anything is paid for."""
    file = tmp_path / "file"
    file.write_bytes(b"")

    with pytest.raises(typer.BadParameter, match="file is not a folder"):
        prepare_folder(file)
    with pytest.raises(typer.BadParameter, match="Not a directory"):
        refuse_unwritable(file / "new.mp4")
    with pytest.raises(typer.BadParameter, match="too long"):
        refuse_unwritable(tmp_path / ("x" * 300))
    with pytest.raises(typer.BadParameter, match="too long"):
        prepare_folder(tmp_path / ("x" * 300))
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(typer.BadParameter, match="cannot be written to"):
        refuse_unwritable(tmp_path / "new.mp4")


def test_prepare_folder(tmp_path: Path) -> None:
    """A folder is made with those above it, and may be there already."""
    prepare_folder(tmp_path / "a" / "b")
    prepare_folder(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()


def test_places(tmp_path: Path) -> None:
    """A file is taken as it is, a folder gets files named by the task, made safe; every video of
    the result has a place, and one without an address has none."""
    videos = [
        Video(video_url="https://cdn.example/1"),
        Video(),
        Video(video_url="https://cdn.example/2"),
    ]
    result = Generation(success=True, task_id="../A 1", data=tuple(videos))

    in_folder = [path.name for _, path in destinations(result, tmp_path)]
    as_file = [path.name for _, path in destinations(result, tmp_path / "mug.mp4")]

    assert in_folder == ["a-1.mp4", "a-1-2.mp4"]
    assert as_file == ["mug.mp4", "mug-2.mp4"]
    assert file_at(tmp_path, None) == tmp_path / "video.mp4"
