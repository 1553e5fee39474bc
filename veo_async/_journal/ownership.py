"""One run owns a journal at a time, also where the locks of a file system do nothing.

SQLite's lock refuses a second run in nearly all cases. On some network file systems its calls
succeed and lock nothing, so the owner shows by a heartbeat that it lives:

==================================  ================================================================
at the start                        a run
==================================  ================================================================
no owner file                       creates it, which only one of several can, and opens the journal
an owner file that changes          is refused: its owner lives
an owner file without a beat for    takes it over; opens the journal if the file is still its own
`SILENT` seconds                    `SETTLE` seconds later
==================================  ================================================================

The file is removed when the journal is closed, so only a run after a crash waits. The owner reads
the file before each transaction. A suspended run that was taken for dead writes nothing after it
wakes up: SQLite would write its old pages over the new owner's.
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

READ_EVERY = 0.5
"""Seconds between two readings of another owner's file."""

SETTLE = 1.0
"""Seconds that a run waits after it took the file over, in case another run does so as well: the
longest time between the other one's last reading and its write."""


class Ownership:
    """The claim of one run to a journal.

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
        self._heart = Worker(self._beat, "veo_async journal heartbeat", is_listed=False)

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
        for _ in range(round(SILENT / READ_EVERY)):
            await anyio.sleep(READ_EVERY)
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
            except OSError:  # a run that takes the journal over is noticed before the next write
                continue

    async def stop(self) -> None:
        """Stop the heartbeat."""
        await self._heart.aclose()
