"""Routes the callbacks of one client: an address for each submit, and each delivery to its task."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from random import Random, SystemRandom

from .._base.lru import put
from .._reconcile.reconciler import Reconciler
from .._tracking.task import TrackedTask
from .._tracking.tracker import Tracker
from ..callbacks._registry import KNOWN, SPACING, CallbackHandle, CallbackRegistry, PollTimes
from ..callbacks._tokens import NONCE

logger = logging.getLogger("veo_async")

SILENT = 5
"""Videos in a row without a callback after which something must be wrong."""

QUIET = 60.0
"""Seconds that must have passed since the last callback as well: many may end in one poll."""


class CallbackRouter:
    """Gives addresses to submits, and passes deliveries on to the tracker, or, for a lost submit,
    to the reconciler. Without a ``registry`` there are no callbacks."""

    def __init__(
        self,
        registry: CallbackRegistry | None,
        tracker: Tracker,
        reconciler: Reconciler,
        *,
        # Not the client's rng: copies of a process that forks would give out one address twice.
        rng: Random | None = None,
    ) -> None:
        self._registry = registry
        self._tracker = tracker
        self._reconciler = reconciler
        self._rng = rng or SystemRandom()
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
        return self._registry.issue(self._rng.randbytes(NONCE), self) if self._registry else None

    def claim(self, url: str | None) -> CallbackHandle | None:
        """The callback of a submit of an earlier run, if it has one that is ours."""
        self._loop = asyncio.get_running_loop()
        return self._registry.claim(url, self) if self._registry and url else None

    def bind(self, handle: CallbackHandle | None, tracked: TrackedTask) -> None:
        """The submit is this task, which keeps the handle from now on."""
        if handle is None:
            return
        handle.task_id = tracked.task_id
        put(self._bound, tracked.task_id, handle, KNOWN)
        self.recall(tracked)
        if handle.called:
            now = _now()
            self._tracker.hint(handle.task_id, (now, now + SPACING))

    def recall(self, tracked: TrackedTask) -> None:
        """A caller waits for a task by its id; it may have been submitted here."""
        handle = self._bound.get(tracked.task_id)
        if handle and handle not in tracked.handles and not self._in_vain():
            self._tracker.expect(tracked, handle)

    def _in_vain(self) -> bool:
        """Whether callbacks seem to have stopped, so that only polls count until one comes."""
        return self._silent >= SILENT and _now() > self._heard_at + QUIET

    def notify(self, handle: CallbackHandle, times: PollTimes) -> bool:
        """A delivery came, perhaps in another thread; see `Listener`."""
        if self._closed or self._loop is None:
            return False
        if asyncio.get_running_loop() is self._loop:
            self._pass_on(handle, times)
            return True
        with suppress(RuntimeError):  # that loop is closed
            # The receiver is served in another thread.
            self._loop.call_soon_threadsafe(self._pass_on, handle, times)
            return True
        return False

    def _pass_on(self, handle: CallbackHandle, times: PollTimes) -> None:
        self._silent, self._heard_at = 0, _now()
        if handle.task_id is None:
            self._reconciler.hint(handle)
        else:
            self._tracker.hint(handle.task_id, times)

    def ended(self, tracked: TrackedTask) -> None:
        """A task is over. Missing callbacks are logged once: they cost nothing but time, so nobody
        would notice."""
        handles, tracked.handles = tracked.handles, ()  # many may wait for one task
        if not handles or any(handle.called for handle in handles):
            return
        self._silent += 1
        if self._in_vain() and not self._warned:
            assert self._registry is not None  # it gave out the tickets
            self._warned = True
            logger.warning(
                "%d videos in a row have ended without a callback: can the service reach %s, and "
                "does that lead to the Callbacks? Until one comes, the client polls.",
                self._silent,
                self._registry.signer.public_url,
            )

    def close(self) -> None:
        """Take no deliveries any more: they are answered as those of another process."""
        self._closed = True
        if self._registry:
            self._registry.forget(self)


def _now() -> float:
    return asyncio.get_running_loop().time()
