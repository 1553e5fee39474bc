"""A batch as OpenTelemetry spans: one for each item, with one for each of its steps below it.

``VeoClient(on_event=Spans())`` is all that it takes. What a batch under way has not ended is kept
here by its key; single calls have no key, and their steps are spans of their own.
"""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from veo_async.events import Begun, Ended, Event, ItemEvent, Throttled


class Spans:
    """Draws each event that took time as a span."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer or trace.get_tracer("veo_async")
        self._items: dict[str | None, Span] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case Begun():
                span = self._tracer.start_span("veo item", start_time=nanoseconds(event.at))
                self._items[event.key] = span
            case Ended():
                self._end(self._items.pop(event.key), event, event.outcome.error)
            case ItemEvent():
                self._step(event)
            case Throttled():
                for span in self._items.values():
                    span.add_event("throttled", {"veo.pause": event.seconds}, nanoseconds(event.at))

    def _step(self, event: ItemEvent) -> None:
        seconds = getattr(event, "seconds", None)
        if seconds is None:
            return
        item = self._items.get(event.key)
        span = self._tracer.start_span(
            f"veo {event.name}",
            context=trace.set_span_in_context(item) if item else None,
            start_time=nanoseconds(event.at - seconds),
        )
        self._end(span, event, getattr(event, "error", None))

    def _end(self, span: Span, event: ItemEvent, error: Exception | None) -> None:
        for name in ("key", "action", "model", "task_id", "trace_id"):
            value = getattr(event, name)
            if value is not None:
                span.set_attribute(f"veo.{name}", value)
        if error:
            span.set_status(Status(StatusCode.ERROR, str(error)))
        span.end(nanoseconds(event.at))


def nanoseconds(moment: float) -> int:
    """OpenTelemetry's times."""
    return int(moment * 1e9)
