"""An incomplete file on the disk: a ``.part`` beside its target, renamed when it is complete.

A process that writes a ``.part`` holds its lock, which the operating system drops when the process
dies, however it dies. So a later run can resume a leftover, and no process touches the ``.part`` of
another: it takes the next name instead. Without file locks a ``.part`` belongs to the process that
created it, and a leftover is only removed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from errno import EEXIST
from itertools import count, takewhile
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from .._base import file_lock
from .container import SIGNATURE
from .resume import NOTES_MAX, Leftover, PartialFile, part_name

MAX_PARTS = 100
"""Parts that one target may have: so many processes may write it at a time."""

Notes = Callable[[int], bytes | None]
"""Computes the notes for so many bytes; ``None`` if no later run could resume them."""


class PartFile:
    """One incomplete file. Every method blocks, so call them in a worker thread.

    A cancelled caller may leave a call running, or not yet begun, in its thread. The lock and the
    flag ensure that `leave` has the last word even then.

    Args:
        target: the final path; a file there stays unchanged until `commit`.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._lock = Lock()
        self._file: BinaryIO | None = None
        self._number = 0
        self._is_locked = False
        self._is_unchanged = False
        self._left = False

    @property
    def is_lasting(self) -> bool:
        """Whether a later run could resume it."""
        return self._number == 0 and self._is_locked

    def begin(self, read: Callable[[Leftover], PartialFile]) -> PartialFile:
        """Create the folders above, and lock the leftover, or a new part; ``read`` computes which
        bytes of the leftover to keep, and the rest is truncated."""
        with self._lock:
            if self._left:
                raise ValueError("left before it was begun")
            if self._target.is_dir():
                raise IsADirectoryError(f"{self._target} is a folder")
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open_next()
            self._is_locked = file_lock.is_locked(self._file)
            kept = read(self._leftover(self._file)) if self.is_lasting else PartialFile()
            self._truncate(self._file, kept.count)
            self._is_unchanged = kept.count > 0
            return kept

    def truncate(self, count: int) -> None:
        """Keep the first ``count`` bytes only: all that the notes count, or none."""
        with self._lock:
            self._truncate(self._open_file(), count)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        with self._lock:
            file, self._is_unchanged = self._open_file(), False
            file.write(data)
            file.flush()

    def save(self, notes: Notes) -> None:
        """Make the bytes durable, and then the notes that count them."""
        with self._lock:
            self._save(self._open_file(), notes)

    def commit(self) -> None:
        """Make the file durable, and give it its final name in one atomic step. It may be repeated
        after an `OSError`."""
        with self._lock:
            file = self._open_file()
            if not file.closed:  # pragma: no branch - closed where Windows held it before
                os.fsync(file.fileno())
            _close_unlocked(file)
            self._forget(self._number)
            # Under the lock: another process could otherwise truncate it before the rename.
            self._part().replace(self._target)
            file.close()
            self._file = None
        _sync_folder(self._target.parent)
        self._sweep()

    def leave(self, notes: Notes | None) -> None:
        """Leave the part to a later run, with notes; without any, or if that fails, remove it.

        After a `commit` it does nothing. It may be repeated.
        """
        with self._lock:
            self._left = True
            file, self._file = self._file, None
            if file is None:
                return
            # A full disk may fail again here; the first error is the one that is raised.
            saved = notes is not None and self._is_unchanged
            with suppress(OSError):
                saved = saved or bool(notes and self.is_lasting and self._save(file, notes))
            with suppress(OSError):
                if not saved:
                    _close_unlocked(file)
                    self._remove(self._number)
            with suppress(OSError):
                file.close()

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("not begun, or over")
        return self._file

    def _part(self, number: int | None = None, *, notes: bool = False) -> Path:
        number = self._number if number is None else number
        return self._target.with_name(part_name(self._target.name, number, notes=notes))

    def _open_next(self) -> BinaryIO:
        for number in range(MAX_PARTS):
            file = file_lock.open_exclusive(self._part(number))
            if file:
                self._number = number
                return file
        raise FileExistsError(EEXIST, "too many unfinished files of that name")

    def _leftover(self, file: BinaryIO) -> Leftover:
        notes = file_lock.read_plain(self._part(notes=True), NOTES_MAX)
        return Leftover(os.fstat(file.fileno()).st_size, file.read(SIGNATURE), notes)

    def _truncate(self, file: BinaryIO, count: int) -> None:
        self._is_unchanged = False
        if count == 0 and os.path.lexists(self._part(notes=True)):
            # The notes must not outlive the bytes that they count, not even in a power cut.
            self._forget(self._number)
            _sync_folder(self._target.parent)
        file.seek(count)
        file.truncate()

    def _save(self, file: BinaryIO, notes: Notes) -> bool:
        text = notes(file.tell())
        if text is None:
            return False
        os.fsync(file.fileno())
        # Torn or missing notes only mean that the fetch starts again.
        file_lock.write_plain(self._part(notes=True), text)
        return True

    def _forget(self, number: int) -> None:
        with suppress(IsADirectoryError, PermissionError):  # a folder of that name is no notes
            self._part(number, notes=True).unlink(missing_ok=True)

    def _remove(self, number: int) -> None:
        self._forget(number)
        self._part(number).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove the parts of this target that dead processes have left."""
        numbers = (number for number in count() if number != self._number)
        for number in takewhile(lambda number: self._part(number).exists(), numbers):
            with suppress(OSError):
                if not file_lock.LOCKS:  # Windows refuses to remove what is in use
                    self._remove(number)
                elif file := file_lock.open_exclusive(self._part(number)):
                    self._remove(number)
                    file.close()


def _close_unlocked(file: BinaryIO) -> None:
    """Close a file that no lock protects: Windows neither renames nor removes open files."""
    if not file_lock.LOCKS:
        file.close()


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Some platforms and file systems do not support it."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
