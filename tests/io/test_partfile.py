from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from veo_async._io.partfile import PartFile


def make(folder: Path) -> PartFile:
    """A file in the making."""
    return PartFile(folder / "x.mp4", folder / "x.mp4.part")


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Until the commit the target is what it was; afterwards it is the new file."""
    target = tmp_path / "x.mp4"
    target.write_bytes(b"old")
    part = make(tmp_path)

    part.begin()
    part.write(b"ne")
    part.write(b"w")
    before = target.read_bytes()
    part.commit()
    part.discard()

    assert before == b"old"
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_discarded_file_is_gone_and_stays_gone(tmp_path: Path) -> None:
    """A call that a cancelled caller left behind, and that runs late, does nothing."""
    part = make(tmp_path)
    part.begin()
    part.write(b"half")

    part.discard()
    part.discard()

    for late in (part.begin, lambda: part.write(b"more"), part.commit):
        with pytest.raises(ValueError, match=r"discarded|over"):
            late()
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_file_belongs_to_one_writer(tmp_path: Path) -> None:
    """A name that is taken is refused, and the loser does not remove the winner's file."""
    winner, loser = make(tmp_path), make(tmp_path)
    winner.begin()
    winner.write(b"whole")

    with pytest.raises(FileExistsError):
        loser.begin()
    loser.discard()
    winner.commit()

    assert (tmp_path / "x.mp4").read_bytes() == b"whole"


def test_folders_are_created_and_never_replaced(tmp_path: Path) -> None:
    """Missing folders come into being; a folder at the target's name is refused."""
    part = PartFile(tmp_path / "a" / "b" / "x.mp4", tmp_path / "a" / "b" / "x.part")

    part.begin()
    part.discard()

    with pytest.raises(IsADirectoryError):
        PartFile(tmp_path / "a", tmp_path / "a.part").begin()
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_folder_that_cannot_be_synced_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Some platforms cannot open or sync a folder; the rename counts all the same."""
    part = make(tmp_path)
    part.begin()
    real = os.fsync
    asked: list[int] = []

    def refuse(*args: object) -> None:
        raise OSError(errno.EINVAL, "not for folders")

    def refuse_the_second(fd: int) -> None:
        asked.append(fd)
        refuse() if len(asked) > 1 else real(fd)

    monkeypatch.setattr(os, call, refuse if call == "open" else refuse_the_second)
    part.commit()

    assert (tmp_path / "x.mp4").exists()
