"""The callbacks of one client: which submit has which address, and who hears of a delivery."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from random import Random, SystemRandom

from .._core.callbacks import KNOWN, NONCE, SPACING, Desk, Ticket, Wakes, remember
from .reconciler import Reconciler
from .tracked import Tracked
from .tracker import Tracker

logger = logging.getLogger("veo_async")

SILENT = 5
"""After how many videos without a single callback something must be wrong."""

NEVER = -1
"""There is nothing to say any more."""


class Hints:
    """Gives addresses to submits, and passes deliveries on to the tracker, or, for a lost submit,
    to the reconciler. Without a ``desk`` there are no callbacks."""

    def __init__(
        self,
        desk: Desk | None,
        tracker: Tracker,
        reconciler: Reconciler,
        *,
        # Not the client's luck: copies of a process that forks would give out one address twice.
        luck: Random | None = None,
    ) -> None:
        self._desk = desk
        self._tracker = tracker
        self._reconciler = reconciler
        self._luck = luck or SystemRandom()
        # The latest tasks, also those that nobody holds: somebody may wait for one by its id.
        self._bound: dict[str, Ticket] = {}
        self._silent = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def issue(self) -> Ticket | None:
        """The callback of the next submit."""
        self._loop = asyncio.get_running_loop()
        return self._desk.issue(self._luck.randbytes(NONCE), self._hear) if self._desk else None

    def claim(self, url: str | None) -> Ticket | None:
        """The callback of a submit of an earlier run, if it has one that is ours."""
        self._loop = asyncio.get_running_loop()
        return self._desk.claim(url, self._hear) if self._desk and url else None

    def bind(self, ticket: Ticket | None, tracked: Tracked) -> None:
        """The submit turned out to be this task, which keeps the ticket from now on."""
        if ticket is None:
            return
        ticket.task_id = tracked.task_id
        remember(self._bound, tracked.task_id, ticket, KNOWN)
        self._tracker.expect(tracked, ticket)
        if ticket.called:
            now = asyncio.get_running_loop().time()
            self._tracker.hint(ticket.task_id, (now, now + SPACING))

    def recall(self, tracked: Tracked) -> None:
        """Somebody waits for a task by its id, which may have been submitted here."""
        ticket = self._bound.get(tracked.task_id)
        if ticket and not tracked.tickets:
            self._tracker.expect(tracked, ticket)

    def _hear(self, ticket: Ticket, wakes: Wakes) -> bool:
        if self._closed or self._loop is None:
            return False
        if asyncio.get_running_loop() is self._loop:
            self._pass_on(ticket, wakes)
            return True
        with suppress(RuntimeError):  # that loop is closed
            # The receiver is served in another thread.
            self._loop.call_soon_threadsafe(self._pass_on, ticket, wakes)
            return True
        return False

    def _pass_on(self, ticket: Ticket, wakes: Wakes) -> None:
        if ticket.task_id is None:
            self._reconciler.hint(ticket)
        else:
            self._tracker.hint(ticket.task_id, wakes)

    def ended(self, tracked: Tracked) -> None:
        """A task is over. Where no callback ever came, say so, once: they cost nothing but time,
        so nobody would notice."""
        if self._silent < 0 or not tracked.tickets or self._desk is None:
            return
        tickets, tracked.tickets = tracked.tickets, ()  # many may wait for one task
        self._silent = NEVER if any(ticket.called for ticket in tickets) else self._silent + 1
        if self._silent == SILENT:
            logger.warning(
                "%d videos have ended and no callback came for any: can the service reach %s, and "
                "does that lead to the Callbacks? Until then results are found by slow polls.",
                SILENT,
                self._desk.mint.public_url,
            )
            self._silent = NEVER

    def close(self) -> None:
        """Nobody hears of deliveries any more: they are answered as those of another process."""
        self._closed = True
