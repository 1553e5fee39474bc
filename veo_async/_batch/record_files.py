"""The files of a batch's folder on the disk: listing, safe reading and atomic writing.

Every function blocks. Nothing in the folder is trusted: only regular files are read, no links are
followed, and no file is read beyond a limit.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .._base.file_lock import read_plain
from . import record
from .file_names import RECORD

STRANGERS = re.compile(
    r"""
    ^(\.|~\$)  # hidden files, such as macOS' companions; the locks of office programs
    | [ ]\([^)]*conflict[^)]*\)  # the copies of Dropbox, Nextcloud and others
    | \.sync-conflict-\d+-\d+  # those of Syncthing
    | ^(thumbs\.db|desktop\.ini)$
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""The names of files that an operating system or a sync program leaves in a folder. No name of an
item's files is like that: a slug has no dot, and nothing in parentheses."""


def names_in(folder: Path) -> list[str]:
    """The names of the regular files in a folder, sorted, without those that systems leave there.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(folder) as entries:
        names = (entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        return sorted(name for name in names if not STRANGERS.search(name))


def records_in(folder: Path, names: list[str]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Each JSON file among these names, with its fields; ``None`` if it is no record of ours."""
    for name in names:
        if name.endswith(RECORD):
            data = read_some(folder / name, record.LONGEST)
            yield name, record.read(data) if data else None


def read_some(path: Path, most: int) -> bytes | None:
    """A plain file's bytes; ``None`` if it is empty, longer than ``most``, or unreadable."""
    data = read_plain(path, most + 1)
    return data if 0 < len(data) <= most else None


def can_be_named(name: str) -> bool:
    """Whether the locale can encode a file's name: one such as ``C`` has ASCII only."""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file's content atomically; ``durable`` also if the power fails.

    Raises:
        OSError: it could not be written; the former content is unchanged.
    """
    with _part(path, data, durable=durable) as part:
        part.replace(path)


def write_new(path: Path, data: bytes) -> None:
    """Create a file with this content atomically.

    Raises:
        FileExistsError: it exists already, and is unchanged.
        OSError: it could not be written.
    """
    with _part(path, data, durable=True) as part:
        try:
            path.hardlink_to(part)  # unlike a rename, it never replaces a file
        except FileExistsError:
            raise
        except OSError:  # some file systems have no links
            with path.open("xb") as file:
                file.write(data)


@contextmanager
def _part(path: Path, data: bytes, *, durable: bool) -> Iterator[Path]:
    """A temporary file beside ``path`` with this content."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        yield part
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
