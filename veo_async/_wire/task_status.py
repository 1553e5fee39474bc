"""The status of a task, and its transitions.

The law: a task is ``pending`` until it ``succeeded`` or ``failed``, and both ends are final. Poll
answers, callbacks and synchronous answers are all events of this one table. An unknown word leaves
the task pending: a paid video must never be given up for a new word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import GenerationFailedError
from ..models import Generation, State, TaskRecord
from ..models._results import read_entries, read_id, read_text
from .replies import parse_error


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """The status of a task.

    Attributes:
        state: its state in the table.
        generation: the result, once it succeeded.
        error: the reason for having no result, once it failed.
        warning: an oddity of the answer, to be logged; it changes nothing.
    """

    state: State
    generation: Generation | None = None
    error: GenerationFailedError | None = None
    warning: str | None = None


PENDING = TaskStatus("pending")

TRANSITIONS: Mapping[State, Mapping[State, State]] = {
    "pending": {"pending": "pending", "succeeded": "succeeded", "failed": "failed"},
    "succeeded": {},
    "failed": {},
}
"""``{state: {event: next}}``. A missing key is an event that came too late: nothing changes."""


def advance(status: TaskStatus, event: TaskStatus) -> TaskStatus:
    """The status after an event: the event's, unless the task had already ended."""
    return event if event.state in TRANSITIONS[status.state] else status


RUNNING_WORDS = frozenset(
    {"pending", "queued", "submitted", "processing", "running", "in_progress"}
)
FAILED_WORDS = frozenset({"failed", "error", "cancelled", "canceled", "expired", "rejected"})
"""Words of ``state`` as seen in the vendor's public clients, and their usual relatives."""

_Entry = Literal["ready", "running", "failed", "unclear"]


def _entry(video: Mapping[str, Any]) -> _Entry:
    word = (read_text(video.get("state")) or "").lower()
    if word in RUNNING_WORDS:
        return "running"
    if word in FAILED_WORDS:
        return "failed"
    return "ready" if read_text(video.get("video_url")) else "unclear"


def read_response(response: object, *, task_id: str | None) -> TaskStatus:
    """The status by a ``response``: a record's field, a callback or a whole answer.

    ``response`` absent, null, empty or without ``success`` is pending (vendor's public clients).
    ``success: true`` needs a ``video_url`` to count; without one the task stays pending, with a
    warning. Among several videos one that is ready is enough once none is running: the failed
    ones stay visible in ``data``.
    """
    if not isinstance(response, dict) or not response:
        return PENDING
    # Only a finished task becomes a model: most polls find most tasks running.
    entries = {_entry(video) for video in read_entries(response.get("data"))}
    if entries == {"failed"} or _is_failed(response):
        return _failed(response, _generation(response, task_id))
    success = response.get("success")
    if success is not True or "running" in entries:
        if success is True or success is None:
            return PENDING
        return TaskStatus("pending", warning=f"success is {success!r}"[:100])
    if "ready" in entries:
        return TaskStatus("succeeded", generation=_generation(response, task_id))
    return TaskStatus("pending", warning="success is true, but there is no video_url yet")


def _generation(response: Mapping[str, Any], task_id: str | None) -> Generation:
    # The id that was queried wins: it is the one to wait for again.
    fields = {**response, "task_id": task_id or response.get("task_id")}
    return Generation.model_validate(fields)


def _is_failed(response: Mapping[str, Any]) -> bool:
    word = response.get("state")
    if isinstance(word, str) and word.lower() in FAILED_WORDS:
        return True
    return response.get("success") is False and bool(response.get("error"))


def _failed(response: Mapping[str, Any], generation: Generation) -> TaskStatus:
    reported = parse_error(response)
    error = GenerationFailedError(
        reported.message or "the service gave no reason",
        task_id=generation.task_id,
        code=reported.code,
        trace_id=generation.trace_id,
        videos=tuple(video for video in generation.data if video.video_url),
    )
    return TaskStatus("failed", error=error)


def read_record(item: object) -> TaskRecord | None:
    """The record in ``item``, or ``None`` if it is no record (an unknown id may give ``{}``)."""
    if not isinstance(item, dict) or not (task_id := read_id(item.get("id"))):
        return None
    record = TaskRecord.model_validate({**item, "id": task_id})
    status = read_response(record.response, task_id=record.id)
    return record.with_status(status.state, status.generation, status.error)
