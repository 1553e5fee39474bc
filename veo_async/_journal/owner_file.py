"""The file that names the owner of a journal, where the locks of a file system do nothing.

It lies beside the journal while that is open. It holds the random id of its owner and the number of
its heartbeats. `ownership` defines when it is written, and by which run.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from .._base.file_lock import REASONS, read_plain
from ..errors import JournalError

SUFFIX = "-owner"
"""The end of its name, after that of the journal."""

IN_USE = (
    "it is in use: one journal serves one batch of one process at a time. Wait until that one is "
    "over, or use another journal"
)
"""Why a journal with a living owner is refused."""

SEE_TO_IT = "see to that file, and run the same call again"

_ID = 16
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class OwnerFile:
    """The file, as one owner uses it. Every method blocks.

    Each beat replaces the same bytes in one write, so no reader ever sees half of it.
    """

    def __init__(self, journal: str | os.PathLike[str]) -> None:
        self._journal = Path(journal).absolute()
        self.path = self._journal.with_name(f"{self._journal.name}{SUFFIX}")
        self._id = secrets.token_hex(_ID // 2).encode()
        self._beats = 0

    def read(self) -> bytes:
        """Its content; empty if there is none."""
        return read_plain(self.path, 64)

    def create(self) -> bool:
        """Become the owner if there is no file. Returns whether there was none."""
        try:
            self._write(os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return False
        return True

    def take(self) -> None:
        """Become the owner in place of a dead one."""
        self._write(os.O_CREAT)

    def beat(self) -> None:
        """Show that this owner is alive.

        Raises:
            JournalError: another one is the owner.
            OSError: the file cannot be written.
        """
        self.check()
        self._beats += 1
        self._write(0)

    def check(self) -> None:
        """Make sure that the journal still has this owner.

        Raises:
            JournalError: another one took it over, or removed the file.
        """
        if not self._is_ours():
            problem = (
                f"The journal {self._journal} was opened by another run as well, or its file "
                f"{self.path.name} was removed, so this run buys nothing more. Wait until the "
                "other one is over, and run the same call again."
            )
            raise JournalError(problem, path=str(self._journal))

    def in_use(self) -> JournalError:
        """The error for a journal whose owner is alive."""
        problem = (
            f"The journal {self._journal} cannot be opened, because {IN_USE}. Nothing was sent."
        )
        return JournalError(problem, path=str(self._journal))

    def unusable(self, cause: OSError) -> JournalError:
        """The error for a journal whose owner's file cannot be read or written."""
        problem = (
            f"The journal {self._journal} cannot be opened, because its file {self.path.name} "
            f"cannot be read or written ({cause}): {REASONS.get(cause.errno or 0, SEE_TO_IT)}. "
            "Nothing was sent."
        )
        return JournalError(problem, path=str(self._journal))

    def release(self) -> None:
        """Give the journal up. Another owner's file stays."""
        with suppress(OSError):
            if self._is_ours():
                self.path.unlink()

    def _is_ours(self) -> bool:
        return self.read()[:_ID] == self._id

    def _write(self, flags: int) -> None:
        # Closed each time: a network file system shows it to other machines only then.
        number = os.open(self.path, os.O_WRONLY | _NO_LINK | flags, 0o666)
        try:
            os.write(number, b"%s %010d\n" % (self._id, self._beats))
        finally:
            os.close(number)
