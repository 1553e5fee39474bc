"""One POST that costs money."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any, TypeVar

from .._base.runtime import JUMP
from .._base.signal import Signal
from .._events import EventContext
from .._reconcile.marks import mark_in
from .._tracking.task import TrackedTask
from ..callbacks._registry import CallbackHandle
from ..errors import SubmissionUncertainError, VeoError
from ..models import Unsettled, VideoRequest
from .ledger import Ledger
from .retry import Attempts, Step, uncertain
from .verdict import Uncertain, Verdict

E = TypeVar("E", bound=VeoError)


class Post:
    """One POST, under way or over.

    Attributes:
        request: what is sent; ``chosen`` is its body.
        sent_at, ended_at: when it was sent and when it was over, in Unix seconds.
        earliest: when it was sent at the earliest: see `over`.
        attempts: what the submit had been through when this was sent.
        verdict: what its answer proved, once it is over.
        step: what follows, once it is over; ``None`` if it was accepted.
        tracked: the task that it started, if it was accepted.
        abandoned: whether its caller has left, so that only `unsettled` reports its outcome.
        ticket: its number in the queue of submits, by which it is counted as in flight.
        ledger: records what becomes of it.
        context: what the events about it name.
        offset: by how many seconds the service's clock ran ahead when it was sent, if known.
        callback: the submit's own callback, if it has one.
        is_held: whether the answer is held until the video is ready.
        done: set once it is over and its verdict is known.
        cancel_at: when it is cancelled, in monotonic seconds.
        is_expedited: whether its caller was cancelled a second time: the end of the client, or of
            the program, does not wait for it.
    """

    def __init__(
        self,
        request: VideoRequest,
        body: dict[str, Any],
        attempts: Attempts,
        *,
        sent_at: float,
        begun: float,
        ticket: int,
        ledger: Ledger,
        offset: float | None,
        callback: CallbackHandle | None,
        is_held: bool,
    ) -> None:
        self.request = request
        self.callback = callback
        self.is_held = is_held
        self.offset = offset
        self.ledger = ledger
        self.chosen = body
        self.context = EventContext.of(request, key=ledger.key, sent_at=sent_at)
        self.sent_at = self.earliest = sent_at
        self._begun = begun
        self.ended_at = sent_at
        self.ticket = ticket
        self.attempts = attempts
        self.verdict: Verdict | None = None
        self.step: Step | None = None
        self.tracked: TrackedTask | None = None
        self.abandoned = False
        self.done = Signal()
        self.task: asyncio.Task[None] | None = None
        self.cancel_at = inf
        self.is_expedited = False

    @property
    def mark(self) -> str | None:
        """The mark by which its record is recognised."""
        return mark_in(self.attempts.own_url)

    def over(self, at: float, now: float) -> None:
        """It was over ``at`` (Unix seconds), ``now`` (monotonic). If the wall clock was set back
        meanwhile, it began ``earliest`` by the clock as it is now."""
        began = at - (now - self._begun)
        self.ended_at = max(at, self.sent_at)
        if began < self.sent_at - JUMP:
            self.earliest = began

    def unsettled(self) -> Unsettled:
        """The facts about it for a caller that has left."""
        error = None
        if isinstance(self.verdict, Uncertain):
            error = self.identified(uncertain(self.verdict))
        if self.tracked is None:
            return Unsettled(self.request, self.sent_at, error=error)
        return Unsettled(
            self.request,
            self.sent_at,
            task_id=self.tracked.task_id or None,
            result=self.tracked.status.generation,
        )

    def identified(self, error: E) -> E:
        """The error with the request and the time by which a person finds the submit, unless it
        names another one."""
        if isinstance(error, SubmissionUncertainError) and error.sent_at is None:
            error.request, error.sent_at = self.request, self.sent_at
        return error
