"""Tells the listener what happens. Whatever it does, the run goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import events
from .._core import submit as law
from .._core import telling
from .._core.journal_rows import FIRST, Item
from .._core.telling import Origin
from ..models import Outcome, VideoRequest

if TYPE_CHECKING:
    from .tracked import Tracked

logger = logging.getLogger("veo_async")


class Teller:
    """Makes events of what happens, and hands them to the listener, if there is one.

    Args:
        listener: who is told.
        wall: Unix time in seconds.
    """

    def __init__(
        self, listener: events.Listener | None = None, wall: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._listener = listener
        self._wall = wall
        self._has_raised = False

    def _tell(self, event: events.Event) -> None:
        assert self._listener is not None  # the methods below ask first
        try:
            self._listener(event)
        except (Exception, asyncio.CancelledError):
            # Once: what is told ten thousand times may raise ten thousand times.
            if not self._has_raised:
                logger.exception("on_event raised at %s; later errors are not shown", event.name)
            self._has_raised = True

    def submitted(self, origin: Origin, request: VideoRequest) -> None:
        """A POST is sent."""
        if self._listener:
            self._tell(events.Submitted(at=self._wall(), request=request, **origin.subject()))

    def concluded(self, origin: Origin, verdict: law.Verdict) -> None:
        """A POST is over."""
        if self._listener:
            self._tell(telling.of_verdict(origin, verdict, at=self._wall()))

    def adopted(self, origin: Origin, task_id: str) -> None:
        """A lost submit is this task."""
        if self._listener:
            at = self._wall()
            self._tell(
                events.Adopted(at=at, seconds=origin.age(at) or 0.0, **origin.subject(task_id))
            )

    def absent(self, origin: Origin) -> None:
        """A lost submit bought nothing."""
        if self._listener:
            at = self._wall()
            self._tell(events.Absent(at=at, seconds=origin.age(at) or 0.0, **origin.subject()))

    def ended(self, tracked: Tracked) -> None:
        """The end of a task is known; only the first who sees it tells."""
        if self._listener and not tracked.over.is_set():
            self._tell(
                telling.of_end(tracked.origin, tracked.task_id, tracked.standing, at=self._wall())
            )

    def throttled(self, seconds: float) -> None:
        """The service asked for a pause."""
        if self._listener:
            self._tell(events.Throttled(at=self._wall(), seconds=seconds))

    def downloaded(
        self, path: Path, since: float, *, task_id: str | None, origin: Origin = telling.UNKNOWN
    ) -> None:
        """A file was saved, which began at the Unix time ``since``."""
        if self._listener:
            at = self._wall()
            subject = origin.subject(task_id)
            self._tell(events.Downloaded(at=at, path=path, seconds=at - since, **subject))

    def begun(self, key: str, request: VideoRequest, item: Item) -> None:
        """An item of a batch is under way."""
        if self._listener:
            subject = Origin.of(request, key=key).subject()
            step = item.step(FIRST)
            self._tell(events.Begun(at=self._wall(), request=request, step=step, **subject))

    def item_ended(self, outcome: Outcome, since: float) -> None:
        """An item of a batch is over that began at the Unix time ``since``."""
        if self._listener:
            at, error, result = self._wall(), outcome.error, outcome.result
            task_id = result.task_id if result else getattr(error, "task_id", None)
            trace_id = result.trace_id if result else getattr(error, "trace_id", None)
            subject = Origin.of(outcome.request, key=outcome.key).subject(task_id)
            self._tell(
                events.Ended(
                    at=at, seconds=at - since, trace_id=trace_id, outcome=outcome, **subject
                )
            )
