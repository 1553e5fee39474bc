"""What is told to the ledger before a POST, so early that no open call waits for it."""

from __future__ import annotations

from collections.abc import Callable

from .._core.lost import EARLY
from ..models import VideoRequest
from .post import Ledger


class Intent:
    """A POST that is about to be sent. `declare` is done while others have their turn."""

    def __init__(
        self,
        ledger: Ledger,
        request: VideoRequest,
        action: str,
        callback_url: str | None,
        wall: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._request = request
        self._action = action
        self._callback_url = callback_url
        self._wall = wall
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
