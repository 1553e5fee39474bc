"""The tasks that earlier runs of a journal bought, made known to the reconciler."""

from __future__ import annotations

from math import inf

import anyio

from .._journal.journal import Journal
from .._reconcile.window import NEAR, WIDE
from . import resume
from .options import BatchDeps


class OwnedTasks:
    """Makes the tasks of a journal known to the reconciler, as far back as a lost submit needs it:
    no two items may be given one task."""

    def __init__(self, parts: BatchDeps, journal: Journal) -> None:
        self._deps = parts
        self._journal = journal
        self._since = inf
        self._lock = anyio.Lock()

    async def since(self, sent_at: float) -> None:
        """Own all that was sent since a Unix time, and what may be taken for it.

        So is what seems to be sent in the future: this machine's clock may have been set back
        since. What this run sends the reconciler hears of by itself.
        """
        first = sent_at - WIDE - NEAR
        if first >= self._since:  # nearly always; the lock would cost a turn of the loop
            return
        async with self._lock:
            await self._reach(first)

    async def _reach(self, since: float) -> None:
        if since < self._since:  # else somebody else read it meanwhile
            await self._own(since, self._since)
            self._since = since

    async def _own(self, since: float, until: float) -> None:
        rows = await self._journal.sent_between(since, until)
        receipts = [resume.receipt_of(row) for row in rows]
        self._deps.reconciler.own(receipt for receipt in receipts if receipt)
        self._deps.reconciler.answered_at_once(map(resume.answered_at_once, rows))
