"""The row of one task: every command prints the same fields.

With ``--json`` a row is one object on one line, with exactly the fields of `Row`. Later versions
may add fields, but rename none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from ..errors import state_after
from ..models import Generation, Outcome, TaskRecord, VideoRequest
from ..models._outcomes import cost_fields, error_fields, video_fields
from ._exits import message_of
from ._text import plain


@dataclass(frozen=True, kw_only=True)
class Row:
    """One task, or the attempt to start one.

    Attributes:
        key: the item's key in its batch.
        task_id, trace_id: the service's ids, if they are known.
        state: ``succeeded``, ``failed``, ``pending`` (it goes on at the service) or ``uncertain``.
        action, model, prompt: the request, if it is known.
        created_at, finished_at: the times in the service's task list, in ISO 8601 with a zone.
        videos: the videos of the task, as in `Outcome.to_dict`.
        cost: the price that the service said, as in `Outcome.to_dict`, if it said one.
        files: the paths of the saved files.
        error: the error, as in `Outcome.to_dict`, if there is one.
    """

    key: str | None = None
    task_id: str | None = None
    trace_id: str | None = None
    state: str
    action: str | None = None
    model: str | None = None
    prompt: str | None = None
    created_at: str | None = None
    finished_at: str | None = None
    videos: Sequence[Mapping[str, str | None]] = ()
    cost: Mapping[str, str | float | None] | None = None
    files: Sequence[str] = ()
    error: Mapping[str, Any] | None = None

    def as_json(self) -> str:
        """One line of ASCII: no character in it can break the line or move the cursor."""
        return json.dumps(asdict(self))

    def as_text(self) -> str:
        """A few lines for a person, with the known values only."""
        return "\n".join(f"{name:<9}  {plain(value)}" for name, value in self._facts() if value)

    def as_line(self) -> str:
        """One line of a table for a person. The prompt is last, because it may be long or wide."""
        when = self.created_at or ""
        cells = (f"{self.task_id or '':<36}", f"{self.state:<9}", f"{when:<25}")
        asked = (f"{self.action or '':<17}", self.model or "", self.prompt or "")
        return "  ".join(plain(cell) for cell in (*cells, *asked)).rstrip()

    def _facts(self) -> Iterator[tuple[str, str]]:
        yield "state", self.state
        yield "task_id", self.task_id or ""
        for video in self.videos:
            yield "video_id", video["id"] or ""
            yield "video_url", video["video_url"] or ""
        if self.cost and self.cost["amount"] is not None:
            yield "cost", f"{self.cost['amount']:g} {self.cost['currency'] or ''}".rstrip()
        yield from (("file", file) for file in self.files)
        yield "error", self.error["message"] if self.error else ""


def of_result(generation: Generation) -> Row:
    """The row of a task that succeeded."""
    return Row(
        task_id=generation.task_id,
        trace_id=generation.trace_id,
        state="succeeded",
        videos=[video_fields(video) for video in generation.data],
        cost=cost_fields(generation),
    )


def of_error(error: Exception, task_id: str | None = None) -> Row:
    """The row of a task without a result."""
    return Row(
        task_id=getattr(error, "task_id", None) or task_id,
        trace_id=getattr(error, "trace_id", None),
        state=state_after(error),
        videos=[video_fields(video) for video in getattr(error, "videos", ())],
        error=error_row(error),
    )


def of_outcome(outcome: Outcome) -> Row:
    """The row of an item of a batch."""
    row = Row(**outcome.to_dict())
    return replace(row, error=error_row(outcome.error)) if outcome.error else row


def with_request(row: Row, request: VideoRequest) -> Row:
    """The row with the fields of its request."""
    prompt = getattr(request, "prompt", None)
    return replace(row, action=request.action, model=request.model, prompt=prompt)


def of_record(record: TaskRecord) -> Row:
    """The row of a record of the task list."""
    request = record.request or {}
    videos = record.generation.data if record.generation else ()
    return Row(
        task_id=record.id,
        trace_id=record.trace_id,
        state=record.state,
        created_at=_time(record.created_at),
        finished_at=_time(record.finished_at),
        videos=[video_fields(video) for video in videos],
        cost=cost_fields(record.generation),
        error=error_row(record.error) if record.error else None,
        action=_text(request.get("action")),
        model=_text(request.get("model")),
        prompt=_text(request.get("prompt")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def error_row(error: Exception) -> dict[str, Any]:
    """The fields of an error, with a message that names commands in place of methods."""
    return {**error_fields(error), "message": message_of(error)}
