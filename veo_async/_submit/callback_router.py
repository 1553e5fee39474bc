"""The callbacks of one client: which submit has which address, and who hears of a delivery."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from random import Random, SystemRandom

from .._base.lru import put
from .._reconcile.reconciler import Reconciler
from .._tracking.registry import TaskRegistry
from .._tracking.task import TrackedTask
from ..callbacks._registry import KNOWN, SPACING, CallbackHandle, CallbackRegistry, PollTimes
from ..callbacks._tokens import NONCE

logger = logging.getLogger("veo_async")

SILENT = 5
"""After how many videos in a row without a callback something must be wrong."""

QUIET = 60.0
"""And how many seconds must have passed since the last one: many may end in one poll."""


class CallbackRouter:
    """Gives addresses to submits, and passes deliveries on to the tracker, or, for a lost submit,
    to the reconciler. Without a ``desk`` there are no callbacks."""

    def __init__(
        self,
        desk: CallbackRegistry | None,
        tracker: TaskRegistry,
        reconciler: Reconciler,
        *,
        # Not the client's luck: copies of a process that forks would give out one address twice.
        rng: Random | None = None,
    ) -> None:
        self._desk = desk
        self._tracker = tracker
        self._reconciler = reconciler
        self._luck = rng or SystemRandom()
        # The latest tasks, also those that nobody holds: somebody may wait for one by its id.
        self._bound: dict[str, CallbackHandle] = {}
        self._silent = 0
        self._heard_at = float("-inf")
        self._warned = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def issue(self) -> CallbackHandle | None:
        """The callback of the next submit."""
        self._loop = asyncio.get_running_loop()
        return self._desk.issue(self._luck.randbytes(NONCE), self._hear) if self._desk else None

    def claim(self, url: str | None) -> CallbackHandle | None:
        """The callback of a submit of an earlier run, if it has one that is ours."""
        self._loop = asyncio.get_running_loop()
        return self._desk.claim(url, self._hear) if self._desk and url else None

    def bind(self, handle: CallbackHandle | None, tracked: TrackedTask) -> None:
        """The submit turned out to be this task, which keeps the ticket from now on."""
        if handle is None:
            return
        handle.task_id = tracked.task_id
        put(self._bound, tracked.task_id, handle, KNOWN)
        self.recall(tracked)
        if handle.called:
            now = _now()
            self._tracker.hint(handle.task_id, (now, now + SPACING))

    def recall(self, tracked: TrackedTask) -> None:
        """Somebody waits for a task by its id, which may have been submitted here."""
        handle = self._bound.get(tracked.task_id)
        if handle and handle not in tracked.handles and not self._in_vain():
            self._tracker.expect(tracked, handle)

    def _in_vain(self) -> bool:
        """Whether callbacks seem to come no more, so that polls must do until one does."""
        return self._silent >= SILENT and _now() > self._heard_at + QUIET

    def _hear(self, handle: CallbackHandle, wakes: PollTimes) -> bool:
        if self._closed or self._loop is None:
            return False
        if asyncio.get_running_loop() is self._loop:
            self._pass_on(handle, wakes)
            return True
        with suppress(RuntimeError):  # that loop is closed
            # The receiver is served in another thread.
            self._loop.call_soon_threadsafe(self._pass_on, handle, wakes)
            return True
        return False

    def _pass_on(self, handle: CallbackHandle, wakes: PollTimes) -> None:
        self._silent, self._heard_at = 0, _now()
        if handle.task_id is None:
            self._reconciler.hint(handle)
        else:
            self._tracker.hint(handle.task_id, wakes)

    def ended(self, tracked: TrackedTask) -> None:
        """A task is over. Where no callback comes, that is said once: it costs nothing but time,
        so nobody would notice."""
        handles, tracked.handles = tracked.handles, ()  # many may wait for one task
        if not handles or any(handle.called for handle in handles):
            return
        self._silent += 1
        if self._in_vain() and not self._warned:
            assert self._desk is not None  # it gave out the tickets
            self._warned = True
            logger.warning(
                "%d videos in a row have ended without a callback: can the service reach %s, and "
                "does that lead to the Callbacks? Until one comes, the client polls.",
                self._silent,
                self._desk.mint.public_url,
            )

    def close(self) -> None:
        """Nobody hears of deliveries any more: they are answered as those of another process."""
        self._closed = True


def _now() -> float:
    return asyncio.get_running_loop().time()
