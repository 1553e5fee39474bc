"""What is told to the ledger before a POST, so early that no open call waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .._reconcile.window import EARLY
from ..models import VideoRequest
from .verdict import Verdict


class Ledger(Protocol):
    """Is told of each POST of one request: before it is sent, and once it is over. All but the
    first are told in the very step in which it becomes known, and raise nothing. ``key`` is the
    item of a batch that the request is for."""

    @property
    def key(self) -> str:
        """The item."""
        ...

    @property
    def is_durable(self) -> bool:
        """Whether `before_post` waits for a disk."""
        ...

    async def before_post(
        self,
        request: VideoRequest,
        action: str,
        wall_clock: Callable[[], float],
        callback_url: str | None,
    ) -> None:
        """A POST is about to be sent, as soon as this returns; ``wall_clock`` gives Unix time.
        Whatever this raises keeps it from being sent."""

    def check(self) -> None:
        """What was announced is about to be sent now; whatever this raises keeps it from that."""

    def not_posted(self) -> None:
        """It was not sent after all."""

    def after_post(self, verdict: Verdict, ended_at: float, *, at_once: bool) -> None:
        """It is over, whoever is still there to hear of it; ``at_once`` if the service answered
        with an id alone, as it was asked to."""

    def left_open(self, until: float) -> None:
        """It goes on when nothing can be told any more; its answer is awaited ``until`` then, in
        Unix seconds."""

    def adopted(self, task_id: str) -> None:
        """The lost submit is this task."""

    def absent(self) -> None:
        """The lost submit provably bought nothing."""


class Intent:
    """A POST that is about to be sent. `declare` is done while others have their turn."""

    def __init__(
        self,
        ledger: Ledger,
        request: VideoRequest,
        action: str,
        callback_url: str | None,
        wall_clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._request = request
        self._action = action
        self._callback_url = callback_url
        self._wall = wall_clock
        self._declared: float | None = None

    @property
    def is_slow(self) -> bool:
        """Whether to declare it takes long enough to do it ahead of its turn."""
        return self._ledger.is_durable

    async def declare(self) -> None:
        """Tell the ledger that it will be sent now.

        Raises:
            VeoError: it may not be sent.
        """
        await self._ledger.before_post(self._request, self._action, self._wall, self._callback_url)
        self._declared = self._wall()

    async def renew(self) -> None:
        """Its turn has come: tell the ledger anew, if that was too long ago.

        Raises:
            VeoError: it may not be sent, perhaps since something happened to another one.
        """
        try:
            self._ledger.check()
        except BaseException:
            self.withdraw()
            raise
        if self._declared is not None and self._wall() - self._declared > EARLY:
            self.withdraw()
            await self.declare()

    def withdraw(self) -> None:
        """It is not sent after all."""
        if self._declared is not None:
            self._declared = None
            self._ledger.not_posted()
