"""Which event tells of what: a verdict on a POST, and the end of a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TypedDict, assert_never, cast

from .. import events
from ..errors import InvalidRequestError
from ..models import VideoRequest
from . import submit as law
from .tasks import Standing


class Subject(TypedDict, total=False):
    """The fields of an event that say of what it speaks."""

    key: str | None
    action: str | None
    model: str | None
    task_id: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a task comes from, as far as that is known.

    Attributes:
        key: the item of a batch.
        action, model: what was asked for.
        sent_at: when, in Unix seconds.
    """

    key: str | None = None
    action: str | None = None
    model: str | None = None
    sent_at: float | None = None

    @classmethod
    def of(cls, request: VideoRequest, *, key: str | None, sent_at: float | None = None) -> Origin:
        """The origin of what a request asks for."""
        return cls(key, request.action, request.model, sent_at)

    def subject(self, task_id: str | None = None) -> Subject:
        """The fields of an event about it."""
        return Subject(key=self.key, action=self.action, model=self.model, task_id=task_id or None)

    def age(self, at: float) -> float | None:
        """Seconds since it was sent."""
        return None if self.sent_at is None else max(at - self.sent_at, 0.0)


UNKNOWN = Origin()


def of_verdict(origin: Origin, verdict: law.Verdict, *, at: float) -> events.ItemEvent:
    """The event for what a POST came to that was over ``at`` (Unix seconds)."""
    subject, seconds = origin.subject(), origin.age(at) or 0.0
    match verdict:
        case law.Accepted(task_id, standing):
            trace_id = standing.generation.trace_id if standing.generation else None
            subject = origin.subject(task_id)
            return events.Accepted(at=at, seconds=seconds, trace_id=trace_id, **subject)
        case law.Refused(error):
            trace_id = error.trace_id
            return events.Refused(at=at, seconds=seconds, trace_id=trace_id, error=error, **subject)
        case law.NotSent(failure):
            return events.Unsent(at=at, seconds=seconds, reason=failure.detail, **subject)
        case law.Uncertain(detail, trace_id):
            return events.Uncertain(
                at=at, seconds=seconds, trace_id=trace_id, reason=detail, **subject
            )
        case _:
            assert_never(verdict)


def of_end(
    origin: Origin, task_id: str, standing: Standing, *, at: float
) -> events.Finished | events.Failed:
    """The event for the end of a task that was seen ``at`` (Unix seconds)."""
    subject, seconds = origin.subject(task_id), origin.age(at)
    if standing.error:
        trace_id = standing.error.trace_id
        return events.Failed(
            at=at, seconds=seconds, trace_id=trace_id, error=standing.error, **subject
        )
    assert standing.generation is not None  # a terminal standing has one or the other
    generation = standing.generation
    return events.Finished(
        at=at, seconds=seconds, trace_id=generation.trace_id, generation=generation, **subject
    )


def read_listener(listener: object) -> events.Listener | None:
    """Who is told of events; ``None`` for nobody.

    Raises:
        InvalidRequestError: it cannot be called, or would have to be awaited.
    """
    if listener is None:
        return None
    if not callable(listener) or iscoroutinefunction(listener):
        problem = (
            f"on_event must be a plain function of one event, not {listener!r}. It is called as "
            "things happen and is not awaited: on_event=queue.put_nowait makes a stream of them."
        )
        raise InvalidRequestError(problem, field="on_event")
    return cast("Callable[[events.Event], object]", listener)
