"""Files that belong to one process until it closes them or dies.

Without locks (on Windows, on some network file systems) a file belongs to the process that created
it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from errno import (
    EACCES,
    EAGAIN,
    EDQUOT,
    EEXIST,
    EIO,
    EISDIR,
    ELOOP,
    ENOLCK,
    ENOSPC,
    ENOSYS,
    ENOTSUP,
    EPERM,
    EROFS,
    ESTALE,
)
from pathlib import Path
from typing import BinaryIO

LOCKS = sys.platform != "win32"
"""Whether a file that a dead process left can be opened by another one."""

NO_LOCKS = "this file system gives no locks: put the journal on a local disk"

REASONS: Mapping[int, str] = {
    EACCES: "it may not be written. Make the file and its folder writable",
    EPERM: "it may not be written. Make the file and its folder writable",
    EROFS: "its file system is read-only. Name a file on another one",
    ENOSPC: "the disk is full. Free some space and run the same call again",
    EDQUOT: "your quota on the disk is used up. Free some space and run the same call again",
    ENOLCK: NO_LOCKS,
    ENOTSUP: NO_LOCKS,
    ENOSYS: NO_LOCKS,
    EIO: "the disk failed. See to it and run the same call again",
    ESTALE: "its network drive was mounted anew. Put the journal on a local disk",
}
"""By the number of an error of the system: the cause, and the next step of the user."""

_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""The names are predictable, so a link of that name is not followed, and a pipe not waited for."""

_FLAGS = os.O_RDWR | os.O_CREAT | _PLAIN


def open_exclusive(path: Path) -> BinaryIO | None:
    """Open the file, or create it, for this process alone; its content stays. ``None`` if another
    process has it, or if it is no regular file."""
    try:
        number, is_new = _opened(path)
    except OSError as exc:
        if exc.errno in (EEXIST, EISDIR, ELOOP):
            return None
        raise
    if LOCKS and not _is_ours(number, path, is_new=is_new):
        os.close(number)
        return None
    return os.fdopen(number, "r+b")


def _opened(path: Path) -> tuple[int, bool]:
    """The file's descriptor, and whether the file is new."""
    try:
        return os.open(path, _FLAGS | os.O_EXCL, 0o666), True
    except FileExistsError:
        if not LOCKS:
            raise
    return os.open(path, _FLAGS, 0o666), False


def is_locked(file: BinaryIO) -> bool:
    """Whether an exclusive file is locked: its file system may have no locks."""
    try:
        _lock(file.fileno())
    except OSError:
        return False
    return LOCKS


def refuses_locks(beside: Path) -> bool:
    """Whether the file system of a file gives no locks at all. SQLite takes that for a lock of
    another process. Another file is tried, since a process loses its locks on one that it closes.
    """
    probe = beside.with_name(f"{beside.name}-probe")
    try:
        number = os.open(probe, _FLAGS, 0o666)
        try:
            if LOCKS:
                import fcntl

                fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(number)
            probe.unlink()
    except OSError as exc:
        return REASONS.get(exc.errno or 0) == NO_LOCKS
    return False


def _lock(number: int) -> None:
    if LOCKS:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_ours(number: int, path: Path, *, is_new: bool) -> bool:
    """Lock the open file. Returns whether it is ours: locked, and still the file of that name. Its
    former owner may have renamed or removed it meanwhile, and a file with a second name may
    belong to anybody."""
    try:
        _lock(number)
    except OSError as exc:  # other errors than "it is locked" mean that there are no locks here
        return is_new and exc.errno not in (EACCES, EAGAIN)
    try:
        here, there = os.fstat(number), path.lstat()
    except OSError:
        return False
    return os.path.samestat(here, there) and stat.S_ISREG(here.st_mode) and here.st_nlink == 1


def read_plain(path: Path, most: int) -> bytes:
    """The first bytes of a file; none if it is no regular file, or cannot be read."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | _PLAIN), "rb") as file:
            return file.read(most) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError:
        return b""


def write_plain(path: Path, data: bytes) -> None:
    """Write a new file in place of the one of that name."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(data)
