"""One POST that costs money, and who is told of it."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any

from .._base.signal import Signal
from .._events import EventContext
from .._reconcile.comparison import normalise
from .._tracking.task import TrackedTask
from ..callbacks._registry import CallbackHandle
from ..errors import SubmissionUncertainError
from ..models import Unsettled, VideoRequest
from . import retry
from .ledger import Ledger
from .verdict import Uncertain, Verdict


class Post:
    """One POST, under way or over.

    Attributes:
        request: what is sent; ``chosen`` is its body in the form in which requests are compared.
        sent_at, ended_at: when it was sent and when it was over, in Unix seconds.
        verdict: what its answer proved, once it is over.
        tracked: the task that it started, if it was accepted.
        abandoned: whether its caller is gone, so that nobody else will tell what came of it.
        ticket: its number in the queue of submits, by which it is counted as in flight.
        ledger: who is told of it, if anybody is.
        context: what the events about it name.
        offset: by how many seconds the service's clock ran ahead when it was sent, if known.
        callback: the submit's own callback, if it has one.
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
        ticket: int,
        ledger: Ledger | None,
        offset: float | None,
        callback: CallbackHandle | None,
    ) -> None:
        self.request = request
        self.callback = callback
        self.offset = offset
        self.ledger = ledger
        self.chosen = normalise(body)
        self.context = EventContext.of(request, key=ledger.key if ledger else None, sent_at=sent_at)
        self.sent_at = sent_at
        self.ended_at = sent_at
        self.ticket = ticket
        self.verdict: Verdict | None = None
        self.tracked: TrackedTask | None = None
        self.abandoned = False
        self.done = Signal()
        self.task: asyncio.Task[None] | None = None
        self.cut_at = inf
        self.is_expedited = False

    @property
    def callback_url(self) -> str | None:
        """The callback address that no other submit has."""
        return self.callback.url if self.callback else None

    def unsettled(self) -> Unsettled:
        error = None
        if isinstance(self.verdict, Uncertain):
            error = explain(self.verdict, self.request, self.sent_at)
        if self.tracked is None:
            return Unsettled(self.request, self.sent_at, error=error)
        return Unsettled(
            self.request,
            self.sent_at,
            task_id=self.tracked.task_id or None,
            result=self.tracked.status.generation,
        )


def explain(verdict: Uncertain, request: VideoRequest, sent_at: float) -> SubmissionUncertainError:
    """The error for a submit that may have been billed, with all that a person needs."""
    error = retry.uncertain(verdict)
    error.request, error.sent_at = request, sent_at
    return error
