"""The answers to queries about tasks. Queries are free, so they may be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import TaskNotFoundError
from ..models import TaskRecord
from .replies import (
    Answer,
    Failure,
    Reply,
    api_error,
    error_body,
    parse_object,
    undecodable,
    unreachable,
)
from .task_status import read_record

ATTEMPTS = 4
"""Attempts at a query before its failure is raised."""


def is_transient(answer: Answer) -> bool:
    """Whether a repetition may help: no answer, a 429 or a 5xx."""
    return isinstance(answer, Failure) or answer.status == 429 or answer.status >= 500


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        records: its records.
        size: the number of its entries, including those that are no records.
    """

    records: list[TaskRecord]
    size: int

    @property
    def is_readable(self) -> bool:
        """Whether every entry is a record. An unreadable one may be any task of the account."""
        return len(self.records) == self.size


def read_page(answer: Answer) -> Page:
    """A page of records.

    Raises:
        VeoError: the service refused, could not be reached, or answered something else.
    """
    fields = _fields(answer)
    items = fields.get("items")
    if not isinstance(items, list):
        raise undecodable(_reply(answer))
    return Page([record for item in items if (record := read_record(item))], len(items))


def read_one(answer: Answer, task_id: str) -> TaskRecord:
    """The record with this id.

    Raises:
        TaskNotFoundError: the service does not know this id.
        VeoError: the service refused, could not be reached, or answered something else.
    """
    unknown = TaskNotFoundError(f"The service does not know task {task_id}.", task_id=task_id)
    if isinstance(answer, Reply) and answer.status == 404:
        error = error_body(parse_object(answer))
        if error and error.code != "no_api":
            raise unknown
    fields = _fields(answer)
    record = read_record(fields)
    if record is None:
        raise undecodable(_reply(answer)) if fields else unknown
    if record.id != task_id:  # somebody else's task must not end a wait for this one
        raise undecodable(_reply(answer))
    return record


def _fields(answer: Answer) -> dict[str, Any]:
    reply = _reply(answer)
    if not 200 <= reply.status < 300:
        raise api_error(reply) if reply.status >= 400 else undecodable(reply)
    fields = parse_object(reply)
    if fields is None:
        raise undecodable(reply)
    return fields


def _reply(answer: Answer) -> Reply:
    if isinstance(answer, Failure):
        raise unreachable(answer)
    return answer
