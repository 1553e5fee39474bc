from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from veo_async._base import file_lock as claims
from veo_async._downloads.part_file import MAX_PARTS, PartFile
from veo_async._downloads.resume import Leftover, PartialFile


def nothing(found: Leftover) -> PartialFile:
    """Trust nothing that lies there."""
    return PartialFile()


def all_of(found: Leftover) -> PartialFile:
    """Trust all that lies there."""
    return PartialFile(found.size)


def noted(count: int) -> bytes:
    """Notes of a file that may be gone on with."""
    return b"%d bytes" % count


def begun(folder: Path) -> PartFile:
    """A file in the making."""
    part = PartFile(folder / "x.mp4")
    part.begin(nothing)
    return part


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in the folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Until the commit the target is what it was; afterwards it is the new file."""
    target = tmp_path / "x.mp4"
    target.write_bytes(b"old")
    part = begun(tmp_path)

    part.write(b"ne")
    part.write(b"w")
    before = target.read_bytes()
    part.commit()
    part.leave(noted)

    assert before == b"old"
    assert files(tmp_path) == {"x.mp4": b"new"}


def test_a_file_that_was_left_for_nobody_is_gone_and_stays_gone(tmp_path: Path) -> None:
    """A call that a cancelled caller left behind, and that runs late, does nothing."""
    part = begun(tmp_path)
    part.write(b"half")

    part.leave(None)
    part.leave(None)

    for late in (lambda: part.begin(nothing), lambda: part.write(b"more"), part.commit):
        with pytest.raises(ValueError, match=r"left before|over"):
            late()
    assert files(tmp_path) == {}


def test_what_is_left_is_gone_on_with(tmp_path: Path) -> None:
    """A later run finds the bytes, their head and the notes; what it does not trust is cut off."""
    part, seen = begun(tmp_path), list[Leftover]()
    part.write(b"0123456789")
    part.leave(noted)
    left = files(tmp_path)

    def read(found: Leftover) -> PartialFile:
        seen.append(found)
        return PartialFile(8)

    later = PartFile(tmp_path / "x.mp4")
    assert later.begin(read) == PartialFile(8)
    later.write(b"x")
    later.commit()

    assert left == {"x.mp4.part": b"0123456789", "x.mp4.part.notes": b"10 bytes"}
    assert seen == [Leftover(10, b"01234567", b"10 bytes")]
    assert files(tmp_path) == {"x.mp4": b"01234567x"}


def test_notes_speak_of_what_is_durable(tmp_path: Path) -> None:
    """They are written after the bytes, and never outlive them."""
    part = begun(tmp_path)
    part.write(b"0123456789")
    part.save(noted)
    part.write(b"more")
    saved = files(tmp_path)
    part.truncate(0)
    cut = files(tmp_path)
    part.write(b"other")
    part.leave(lambda count: None)

    assert saved == {"x.mp4.part": b"0123456789more", "x.mp4.part.notes": b"10 bytes"}
    assert cut == {"x.mp4.part": b""}
    assert files(tmp_path) == {}


@pytest.mark.parametrize("notes, stays", [(noted, True), (None, False)])
def test_what_was_found_and_not_touched_stays_as_it_was(
    tmp_path: Path, notes: object, stays: bool
) -> None:
    """A run that comes to nothing before its first byte loses nothing of an earlier one's, unless
    it has found out that the file cannot be had."""
    part = begun(tmp_path)
    part.write(b"0123456789")
    part.leave(noted)

    later = PartFile(tmp_path / "x.mp4")
    later.begin(all_of)
    later.leave((lambda count: None) if notes else None)

    assert bool(files(tmp_path)) is stays


def test_an_unfinished_file_belongs_to_one_writer(tmp_path: Path) -> None:
    """A process that finds it locked takes the next name, which no later run resumes."""
    winner, loser = begun(tmp_path), begun(tmp_path)
    winner.write(b"whole")
    loser.write(b"half")
    both = set(files(tmp_path))

    loser.leave(noted)
    winner.commit()

    assert both == {"x.mp4.part", "x.mp4.1.part"}
    assert (winner.is_lasting, loser.is_lasting) == (True, False)
    assert files(tmp_path) == {"x.mp4": b"whole"}


def test_another_process_is_left_alone_while_it_lives(tmp_path: Path) -> None:
    """Its lock is the operating system's, and gone with it, however it dies."""
    script = (
        "import sys, pathlib; from veo_async._downloads.part_file import PartFile;"
        "from veo_async._downloads.resume import PartialFile;"
        "part = PartFile(pathlib.Path(sys.argv[1])); part.begin(lambda found: PartialFile());"
        "part.write(b'theirs'); print('begun', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "x.mp4")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        ours = begun(tmp_path)
        ours.leave(None)
        during = files(tmp_path)
        other.kill()

    later = PartFile(tmp_path / "x.mp4")

    assert during == {"x.mp4.part": b"theirs"}
    assert later.begin(all_of) == PartialFile(6)
    later.leave(None)


def test_what_dead_processes_left_is_removed_with_the_commit(tmp_path: Path) -> None:
    """Leftovers of this target, with their notes; not those that are in use, and no other's."""
    for name in ("x.mp4.1.part", "x.mp4.2.part", "x.mp4.2.part.notes", "y.mp4.1.part"):
        (tmp_path / name).write_bytes(b"left")
    part = begun(tmp_path)
    used = claims.open_exclusive(tmp_path / "x.mp4.1.part")
    assert used is not None

    part.commit()
    used.close()

    assert set(files(tmp_path)) == {"x.mp4", "x.mp4.1.part", "y.mp4.1.part"}


@pytest.mark.parametrize("kind", ["folder", "link", "second name", "pipe"])
def test_what_is_no_unfinished_file_is_not_written_to(tmp_path: Path, kind: str) -> None:
    """A predictable name may be taken by anybody, also by a way to another file."""
    folder = tmp_path / "out"
    folder.mkdir()
    other, name = tmp_path / "precious", folder / "x.mp4.part"
    other.write_bytes(b"precious")
    if kind == "folder":
        name.mkdir()
    elif kind == "link":
        name.symlink_to(other)
    elif kind == "second name":
        name.hardlink_to(other)
    else:
        os.mkfifo(name)

    part = begun(folder)
    part.write(b"video")
    part.commit()

    assert not part.is_lasting
    assert other.read_bytes() == b"precious"
    assert (folder / "x.mp4").read_bytes() == b"video"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_are_no_notes_is_neither_read_nor_written_to(tmp_path: Path, kind: str) -> None:
    """Any other thing of their name leads nowhere and delays nothing."""
    folder = tmp_path / "out"
    folder.mkdir()
    other, name = tmp_path / "precious", folder / "x.mp4.part.notes"
    other.write_bytes(b"precious")
    seen: list[bytes] = []

    def read(found: Leftover) -> PartialFile:
        seen.append(found.notes)
        return PartialFile(found.size)

    if kind == "link":
        name.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(name)
    else:
        name.mkdir()
    part = PartFile(folder / "x.mp4")
    (folder / "x.mp4.part").write_bytes(b"0123456789")
    part.begin(read)
    part.write(b"more")
    part.leave(noted)
    left = name.read_bytes() if name.is_file() else None
    later = begun(folder)
    later.commit()

    assert seen == [b""]
    assert other.read_bytes() == b"precious"
    assert left == (None if kind == "folder" else b"14 bytes")
    assert (folder / "x.mp4").read_bytes() == b""
    assert not (folder / "x.mp4.part").exists()


def test_a_file_that_was_renamed_meanwhile_is_not_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its opening and its locking its owner may have finished it: it is the target now."""
    name, real = tmp_path / "x.part", os.open

    def slow(path: Path, *args: int) -> int:
        number = real(path, *args)
        path.rename(tmp_path / "x")
        return number

    monkeypatch.setattr(os, "open", slow)

    assert claims.open_exclusive(name) is None


def test_too_many_unfinished_files_are_an_error(tmp_path: Path) -> None:
    """There is no end of names."""
    for number in range(MAX_PARTS):
        (tmp_path / f"x.mp4.{number}.part".replace(".0.", ".")).mkdir()

    with pytest.raises(FileExistsError, match="too many"):
        begun(tmp_path)


def test_folders_are_created_and_never_replaced(tmp_path: Path) -> None:
    """Missing folders come into being; a folder at the target's name is refused."""
    part = begun(tmp_path / "a" / "b")

    part.leave(None)

    with pytest.raises(IsADirectoryError):
        PartFile(tmp_path / "a").begin(nothing)
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_may_not_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, not taken for a name that is in use."""

    def refuse(*args: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(PermissionError):
        begun(tmp_path)


def test_without_locks_a_file_is_its_creators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without locks nothing is resumed, and the next commit removes the leftover."""
    (tmp_path / "x.mp4.part").write_bytes(b"left")
    (tmp_path / "x.mp4.part.notes").write_bytes(b"notes")
    monkeypatch.setattr(claims, "LOCKS", False)

    given_up = begun(tmp_path)
    given_up.write(b"half")
    given_up.leave(noted)
    part = begun(tmp_path)
    part.write(b"whole")
    part.commit()

    assert not part.is_lasting
    assert files(tmp_path) == {"x.mp4": b"whole"}


def test_a_file_system_without_locks_saves_files_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems have none: a file is its creator's, and none is left for later."""

    def none(*_: object) -> None:
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr("fcntl.flock", none)
    given_up, part = begun(tmp_path), begun(tmp_path)
    given_up.write(b"half")
    given_up.leave(noted)
    part.write(b"whole")
    part.commit()

    assert not given_up.is_lasting
    assert files(tmp_path) == {"x.mp4": b"whole"}


@pytest.mark.parametrize("call", ["fsync", "unlink"])
def test_a_disk_that_fails_to_the_last_is_no_further_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A part that cannot be kept is removed; one that cannot be removed either stays."""
    part = begun(tmp_path)
    part.write(b"0123456789")

    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EIO, "the disk is ill")

    monkeypatch.setattr(os if call == "fsync" else Path, call, refuse)
    part.leave(noted if call == "fsync" else None)

    assert set(files(tmp_path)) == (set() if call == "fsync" else {"x.mp4.part"})


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_folder_that_cannot_be_synced_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Some platforms cannot open or sync a folder; the rename counts all the same."""
    part = begun(tmp_path)
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
