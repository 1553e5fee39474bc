"""One run owns a journal at a time, also where the locks of a file system do nothing.

SQLite's lock refuses a second run in nearly all cases. On some network file systems its calls
succeed and lock nothing, so the owner shows by a heartbeat that it lives:

==================================  ================================================================
at the start                        a run
==================================  ================================================================
no owner file                       creates it, which only one of several can, and goes on at once
an owner file that changes          is refused: its owner lives
an owner file without a beat for    takes it over; goes on if it is still its own `SETTLE` later
`SILENT` seconds
==================================  ================================================================

The file is removed when the journal is closed, so only a run after a crash waits. Before each
transaction the owner reads it: a run that was taken for dead, and woke up, writes no more, since
SQLite would write its old pages over the new owner's.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from .._base.runtime import RunSync
from .._base.worker import Worker
from ..errors import JournalError
from .owner_file import OwnerFile

BEAT = 2.0
"""Seconds between two beats."""

SILENT = 5.0
"""Seconds without a beat after which an owner counts as dead: two beats, and one second for a slow
disk."""

LOOK = 0.5
"""Seconds between two looks at another owner's file."""

SETTLE = 1.0
"""Seconds after which no run that took the file over at the same moment has yet to write it."""


class Ownership:
    """Who owns a journal.

    Args:
        file: the owner's file.
        run_sync: runs the blocking calls.
        on_loss: is called when another run took the journal over.
    """

    def __init__(
        self, file: OwnerFile, run_sync: RunSync, on_loss: Callable[[JournalError], None]
    ) -> None:
        self._file = file
        self._run_sync = run_sync
        self._on_loss = on_loss
        self._is_new = False
        self._heart = Worker(self._beat, "veo_async journal's heartbeat")

    async def seek(self) -> None:
        """Wait until the journal has no living owner.

        Raises:
            JournalError: it has one.
            OSError: the file cannot be created.
        """
        self._is_new = await self._run_sync(self._file.create)
        if self._is_new:
            return
        before = await self._run_sync(self._file.read)
        for _ in range(round(SILENT / LOOK)):
            await anyio.sleep(LOOK)
            if await self._run_sync(self._file.read) != before:
                raise self._file.in_use()

    async def take(self) -> None:
        """Become the owner, and show it by a heartbeat from now on.

        Raises:
            JournalError: another run did so at the same moment.
        """
        if not self._is_new:
            await self._run_sync(self._file.take)
            await anyio.sleep(SETTLE)
            await self._run_sync(self._file.check)
        self._heart.ensure()

    async def _beat(self) -> None:
        while True:
            await anyio.sleep(BEAT)
            try:
                await self._run_sync(self._file.beat)
            except JournalError as exc:
                self._on_loss(exc)
                return
            except OSError:  # whoever takes the silence for death is noticed before the next write
                continue

    async def stop(self) -> None:
        """Stop the heartbeat."""
        await self._heart.aclose()
