"""Emits the public events to the client's listener."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn, TypedDict

from . import events
from .models import VideoRequest

logger = logging.getLogger("veo_async")


class EventEmitter:
    """Hands events to the listener. An emitter without a listener is false, so that the caller can
    skip building the event.

    Args:
        listener: the callable that receives each event.
        wall_clock: returns Unix time in seconds.
    """

    def __init__(
        self, listener: events.Listener | None = None, wall_clock: Callable[[], float] = float
    ) -> None:
        self._listener = listener
        self.now = wall_clock
        self._has_raised = False
        self._held: list[events.Event] | None = None

    def __bool__(self) -> bool:
        return self._listener is not None

    def emit(self, event: events.Event) -> None:
        """Call the listener, or keep the event until the end of `held`.

        This raises nothing. An exception of the listener is logged, and the run continues. Its
        ``SystemExit`` ends the program in the next step of the event loop: the step that emits the
        event first records the purchase and notifies the waiters of the task.
        """
        if self._held is not None:
            self._held.append(event)
        elif self._listener is not None:
            self._call(self._listener, event)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep all events until the end of the block, which records their contents."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for event in held:
                self.emit(event)

    def _call(self, listener: events.Listener, event: events.Event) -> None:
        try:
            listener(event)
        except (SystemExit, KeyboardInterrupt) as exc:
            asyncio.get_running_loop().call_soon(_raise, exc)
        except BaseException:  # also a cancellation, and what test tools raise
            # Once: a listener that raises at each of ten thousand events would fill the log.
            if not self._has_raised:
                logger.exception("on_event raised at %s; later errors are not shown", event.name)
            self._has_raised = True


def _raise(error: BaseException) -> NoReturn:
    raise error


class Subject(TypedDict, total=False):
    """The fields of an event that name its video."""

    key: str | None
    action: str | None
    model: str | None
    task_id: str | None


@dataclass(frozen=True, slots=True)
class EventContext:
    """The video that an event is about, as far as it is known.

    Attributes:
        key: the item's key in its batch.
        action: the action of the request.
        model: the model of the request.
        sent_at: Unix time in seconds of its submit.
    """

    key: str | None = None
    action: str | None = None
    model: str | None = None
    sent_at: float | None = None

    @classmethod
    def of(
        cls, request: VideoRequest, *, key: str | None, sent_at: float | None = None
    ) -> EventContext:
        """The context of a request."""
        return cls(key, request.action, request.model, sent_at)

    def subject(self, task_id: str | None = None) -> Subject:
        """The fields of an event about this video."""
        return Subject(key=self.key, action=self.action, model=self.model, task_id=task_id or None)

    def age(self, at: float) -> float | None:
        """Seconds from its submit until ``at`` (Unix seconds); ``None`` if that is not known."""
        return None if self.sent_at is None else max(at - self.sent_at, 0.0)


UNKNOWN = EventContext()


def event_of_adoption(context: EventContext, task_id: str, *, at: float) -> events.Adopted:
    """The event for a lost submit that was found ``at`` (Unix seconds)."""
    seconds = context.age(at) or 0.0
    return events.Adopted(at=at, seconds=seconds, **context.subject(task_id))


def event_of_absence(context: EventContext, *, at: float) -> events.Absent:
    """The event for a lost submit that provably bought nothing, known ``at`` (Unix seconds)."""
    return events.Absent(at=at, seconds=context.age(at) or 0.0, **context.subject())
