"""One POST that costs money, and who is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

from .._core import submit as law
from .._core.callbacks import Ticket
from .._core.likeness import comparable
from .._events import EventContext
from ..errors import SubmissionUncertainError
from ..models import Unsettled, VideoRequest
from .places import Place
from .tracked import Tracked
from .waiting import Signal


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
        wall: Callable[[], float],
        callback_url: str | None,
    ) -> None:
        """A POST is about to be sent, as soon as this returns; ``wall`` tells Unix time. Whatever
        this raises keeps it from being sent."""

    def check(self) -> None:
        """What was announced is about to be sent now; whatever this raises keeps it from that."""

    def not_posted(self) -> None:
        """It was not sent after all."""

    def after_post(self, verdict: law.Verdict, ended_at: float, *, at_once: bool) -> None:
        """It is over, whoever is still there to hear of it; ``at_once`` if the service answered
        with an id alone, as it was asked to."""

    def left_open(self, until: float) -> None:
        """It goes on when nothing can be told any more; its answer is awaited ``until`` then, in
        Unix seconds."""

    def adopted(self, task_id: str) -> None:
        """The lost submit is this task."""

    def absent(self) -> None:
        """The lost submit provably bought nothing."""


class Post:
    """One POST, under way or over.

    Attributes:
        request: what is sent; ``chosen`` is its body in the form in which requests are compared.
        sent_at, ended_at: when it was sent and when it was over, in Unix seconds.
        verdict: what its answer proved, once it is over.
        tracked: the task that it started, if it was accepted.
        abandoned: whether its caller is gone, so that nobody else will tell what came of it.
        place: its place in flight.
        ledger: who is told of it, if anybody is.
        context: what the events about it name.
        offset: by how many seconds the service's clock ran ahead when it was sent, if known.
        ticket: the submit's own callback, if it has one.
        over: set once it is over and its verdict is known.
        patience: when it is cut, in monotonic seconds.
        is_hurried: whether its caller was cancelled once more while it settled: the end of the
            client, or of the program, does not wait for it.
    """

    def __init__(
        self,
        request: VideoRequest,
        body: dict[str, Any],
        *,
        sent_at: float,
        place: Place,
        ledger: Ledger | None,
        offset: float | None,
        ticket: Ticket | None,
    ) -> None:
        self.request = request
        self.ticket = ticket
        self.offset = offset
        self.ledger = ledger
        self.chosen = comparable(body)
        self.context = EventContext.of(request, key=ledger.key if ledger else None, sent_at=sent_at)
        self.sent_at = sent_at
        self.ended_at = sent_at
        self.place = place
        self.verdict: law.Verdict | None = None
        self.tracked: Tracked | None = None
        self.abandoned = False
        self.over = Signal()
        self.task: asyncio.Task[None] | None = None
        self.patience = inf
        self.is_hurried = False

    @property
    def callback_url(self) -> str | None:
        """The callback address that no other submit has."""
        return self.ticket.url if self.ticket else None

    def unsettled(self) -> Unsettled:
        error = None
        if isinstance(self.verdict, law.Uncertain):
            error = explain(self.verdict, self.request, self.sent_at)
        if self.tracked is None:
            return Unsettled(self.request, self.sent_at, error=error)
        return Unsettled(
            self.request,
            self.sent_at,
            task_id=self.tracked.task_id or None,
            result=self.tracked.standing.generation,
        )


def explain(
    verdict: law.Uncertain, request: VideoRequest, sent_at: float
) -> SubmissionUncertainError:
    """The error for a submit that may have been billed, with all that a person needs."""
    error = law.uncertain(verdict)
    error.request, error.sent_at = request, sent_at
    return error
