"""The ledger: it is told of each POST of one request before it is sent, and once it is over."""

from __future__ import annotations

from typing import Protocol

from .._reconcile.decision import Absent, Adopt
from ..models import VideoRequest
from .retry import Step
from .verdict import Verdict


class Ledger(Protocol):
    """The record of one request. All but `announce` are called in the very step in which something
    becomes known, and raise nothing."""

    @property
    def key(self) -> str | None:
        """The item of a batch that the request is for."""
        ...

    @property
    def is_durable(self) -> bool:
        """Whether `announce` waits for a disk."""
        ...

    async def announce(self, request: VideoRequest, action: str, callback_url: str | None) -> None:
        """Announce a POST that is about to be sent, perhaps ahead of its turn. A second call, when
        its turn has come, confirms it.

        Raises:
            VeoError: it may not be sent.
        """

    def cancel(self) -> None:
        """The announced POST is not sent. Without one this does nothing."""

    def concluded(
        self, verdict: Verdict, step: Step | None, *, ended_at: float, at_once: bool
    ) -> None:
        """The POST is over.

        Args:
            verdict: what its answer proves.
            step: what follows; ``None`` if it was accepted.
            ended_at: when it was over, in Unix seconds.
            at_once: whether the service answered with an id alone, as it was asked to.
        """

    def reconciled(self, conclusion: Adopt | Absent) -> None:
        """A lost submit is this task, or provably bought nothing."""


class NullLedger:
    """The ledger of a request that belongs to no batch: it records nothing."""

    key = None
    is_durable = False

    async def announce(self, request: VideoRequest, action: str, callback_url: str | None) -> None:
        """See `Ledger.announce`."""

    def cancel(self) -> None:
        """See `Ledger.cancel`."""

    def concluded(
        self, verdict: Verdict, step: Step | None, *, ended_at: float, at_once: bool
    ) -> None:
        """See `Ledger.concluded`."""

    def reconciled(self, conclusion: Adopt | Absent) -> None:
        """See `Ledger.reconciled`."""
