"""Questions about tasks and their answers. They are free, so they may be asked again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import TaskNotFoundError
from ..models import TaskRecord
from .reply import Answer, Failure, Reply, api_error, error_body, parse_object, undecodable
from .submit import unreachable
from .tasks import read_record

PAGE = 50
"""Records a page: the vendor recommends at most 50 ids a call, and its default is 12."""

ATTEMPTS = 4
"""How often a question is asked before its failure is told."""


def list_body(
    *, offset: int, type: str | None, created_at_min: float | None, created_at_max: float | None
) -> dict[str, Any]:
    """The question for one page of the account's tasks; times are Unix seconds."""
    window = {"type": type, "created_at_min": created_at_min, "created_at_max": created_at_max}
    chosen = {name: value for name, value in window.items() if value is not None}
    return {"action": "retrieve_batch", "offset": offset, "limit": PAGE} | chosen


By = Literal["ids", "trace_ids"]


def batch_body(ids: Sequence[str], *, by: By = "ids") -> dict[str, Any]:
    """The question for these ids. ``limit`` is explicit since the page default is 12."""
    return {"action": "retrieve_batch", by: list(ids), "limit": len(ids)}


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in portions that one question may hold."""
    for start in range(0, len(ids), PAGE):
        yield ids[start : start + PAGE]


def is_passing(answer: Answer) -> bool:
    """Whether asking again may help: no answer, a 429 or a 5xx."""
    return isinstance(answer, Failure) or answer.status == 429 or answer.status >= 500


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        records: its records.
        size: how many entries it had, also those that are no records.
    """

    records: list[TaskRecord]
    size: int

    @property
    def is_readable(self) -> bool:
        """Whether every entry is a record. One that is none may be any task of the account."""
        return len(self.records) == self.size


def read_page(answer: Answer, *, now: float) -> Page:
    """A page of records.

    Raises:
        VeoError: the service refused, could not be reached, or answered something else.
    """
    fields = _fields(answer, now=now)
    items = fields.get("items")
    if not isinstance(items, list):
        raise undecodable(_reply(answer))
    return Page([record for item in items if (record := read_record(item))], len(items))


def read_one(answer: Answer, task_id: str, *, now: float) -> TaskRecord:
    """The record that was asked for.

    Raises:
        TaskNotFoundError: the service does not know this id.
        VeoError: the service refused, could not be reached, or answered something else.
    """
    unknown = TaskNotFoundError(f"The service does not know task {task_id}.", task_id=task_id)
    if isinstance(answer, Reply) and answer.status == 404:
        said = error_body(parse_object(answer))
        if said and said.code != "no_api":
            raise unknown
    fields = _fields(answer, now=now)
    record = read_record(fields)
    if record is None:
        raise undecodable(_reply(answer)) if fields else unknown
    if record.id != task_id:  # somebody else's task must not end a wait for this one
        raise undecodable(_reply(answer))
    return record


def _fields(answer: Answer, *, now: float) -> dict[str, Any]:
    reply = _reply(answer)
    if not 200 <= reply.status < 300:
        raise api_error(reply, now=now) if reply.status >= 400 else undecodable(reply)
    fields = parse_object(reply)
    if fields is None:
        raise undecodable(reply)
    return fields


def _reply(answer: Answer) -> Reply:
    if isinstance(answer, Failure):
        raise unreachable(answer)
    return answer
