"""One file in the making on the disk: a ``.part`` beside its target, renamed when it is whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO


class PartFile:
    """Every method blocks, so call them in a worker thread.

    A cancelled caller may leave a call running, or not yet begun, in its thread. The lock and the
    flag see to it that `discard` has the last word also then.

    Args:
        target: the final name; what is there stays as it is until `commit`.
        part: the name of the unfinished file, in the same folder.
    """

    def __init__(self, target: Path, part: Path) -> None:
        self._target = target
        self._part = part
        self._lock = Lock()
        self._file: BinaryIO | None = None
        self._discarded = False

    def begin(self) -> None:
        """Create the folders above and the empty file, which nobody else may have created."""
        with self._lock:
            if self._discarded:
                raise ValueError("discarded before it was begun")
            if self._target.is_dir():
                raise IsADirectoryError(f"{self._target} is a folder")
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("xb")

    def write(self, data: bytes) -> None:
        """Append."""
        with self._lock:
            self._open_file().write(data)

    def commit(self) -> None:
        """Make it durable and give it its final name, in one step for all who look."""
        with self._lock:
            with self._open_file() as file:
                file.flush()
                os.fsync(file.fileno())
            self._part.replace(self._target)
            self._file = None
        _sync_folder(self._target.parent)

    def discard(self) -> None:
        """Leave no unfinished file behind; after a `commit`, do nothing. It may be repeated."""
        with self._lock:
            self._discarded = True
            if self._file is None:
                return
            # A full disk may show itself once more in close; the first error is the one told.
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
            self._file = None

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("not begun, or over")
        return self._file


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Some platforms and file systems offer no such thing."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
