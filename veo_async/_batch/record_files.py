"""The folder of a batch on the disk: its files, and the records that lie beside them.

Every function blocks. Nothing in the folder is trusted: only its own regular files are read, none
that a link leads to, and none to an end that is not in sight.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .._base.file_lock import read_plain
from . import record

SUFFIX = ".json"
"""What the name of a record ends with."""


def names_in(folder: Path) -> list[str]:
    """The names of the regular files in a folder, sorted.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))


def records_in(folder: Path, names: list[str]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Each record among these files, by its name; ``None`` for one that is no record of ours."""
    for name in names:
        if name.endswith(SUFFIX):
            data = read_some(folder / name, record.LONGEST)
            yield name, record.read(data) if data else None


def read_some(path: Path, most: int) -> bytes | None:
    """A plain file's bytes; ``None`` if it has none, or more than ``most``, or cannot be read."""
    data = read_plain(path, most + 1)
    return data if 0 < len(data) <= most else None


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Give a file this content, in one step for all who look; ``durable`` also through a power cut.

    Raises:
        OSError: it could not be written; what was there before is still there.
    """
    with _part(path, data, durable=durable) as part:
        part.replace(path)


def write_new(path: Path, data: bytes) -> None:
    """Create a file with this content, in one step for all who look.

    Raises:
        FileExistsError: there is one already, which stays as it is.
        OSError: it could not be written.
    """
    with _part(path, data, durable=True) as part:
        try:
            path.hardlink_to(part)  # unlike a rename, it never replaces what is there
        except FileExistsError:
            raise
        except OSError:  # some file systems have no links
            with path.open("xb") as file:
                file.write(data)


@contextmanager
def _part(path: Path, data: bytes, *, durable: bool) -> Iterator[Path]:
    """A file beside ``path`` with this content; it is gone afterwards."""
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
