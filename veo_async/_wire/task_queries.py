"""The answers to queries about tasks. Queries are free, so they may be repeated."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import TaskNotFoundError
from ..models import TaskRecord
from .replies import (
    Answer,
    Failure,
    Reply,
    api_error,
    error_body,
    is_own_form,
    parse_object,
    service_time,
    undecodable,
    unreachable,
)
from .task_status import read_record

ATTEMPTS = 4
"""Attempts at a query before its failure is raised."""

STALE = 3
"""Pages in a row without a new record after which a list is not read further."""


def is_transient(answer: Answer) -> bool:
    """Whether a repetition may help: no answer, a 429, a 5xx, or a firewall's 403."""
    if isinstance(answer, Failure) or answer.status == 429 or answer.status >= 500:
        return True
    return answer.status == 403 and not is_own_form(answer)


def is_torn(answer: Answer) -> bool:
    """Whether an answer was perhaps truncated on its way: it reports success, and is no JSON."""
    if isinstance(answer, Failure) or not 200 <= answer.status < 300:
        return False
    return parse_object(answer) is None


def is_unknown(reply: Reply) -> bool:
    """Whether a 200 says that the service does not know an id: null, ``{}``, or an error."""
    fields = parse_object(reply)
    if not fields:
        return fields == {} or reply.body.strip() == b"null"
    error = error_body(fields)
    return error is not None and error.code == "not_found" and "id" not in fields


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes:
        records: its records.
        unreadable: the number of its entries that are no records. Each may be any task.
        count: what the service says of the number of all matches.
    """

    records: list[TaskRecord]
    unreadable: int = 0
    count: int = 0


class Listing:
    """The pages of one list, in the order in which they come.

    A task that is created meanwhile pushes one that was read onto the next page, and a page itself
    may show a record twice (the vendor's tasks guide). So the list ends with an empty page. A
    service that ignores the offset shows nothing new any more: then it is not complete.

    Attributes:
        offset: the offset of the next page.
        is_over: whether there is no next page.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.is_over = False
        self._seen: set[str | None] = set()
        self._unreadable = 0
        self._count = 0
        self._stale = 0

    @property
    def is_complete(self) -> bool:
        """Whether every entry of the list was read, and is a record. Some services count all
        matches, others the entries of a page."""
        is_whole = self.is_over and self._stale < STALE and self._count <= len(self._seen)
        return is_whole and not self._unreadable

    def add(self, page: Page) -> list[TaskRecord]:
        """Add the next page; returns its records that are new."""
        ids = {record.id for record in page.records}
        fresh = {record.id: record for record in page.records if record.id not in self._seen}
        self._seen |= ids
        self.offset += len(ids) + page.unreadable
        self._unreadable += page.unreadable
        self._count = max(self._count, page.count)
        is_last = not (ids or page.unreadable)
        self._stale = 0 if fresh or is_last else self._stale + 1
        self.is_over = is_last or self._stale >= STALE
        return list(fresh.values())


def read_page(answer: Answer) -> Page:
    """A page of records.

    Raises:
        VeoError: the service refused, could not be reached, or answered something else.
    """
    reply = _ok(answer)
    fields = parse_object(reply) or {}
    items = fields.get("items")
    if not isinstance(items, list):
        raise undecodable(reply)
    now = service_time(reply)
    records = [record for item in items if (record := read_record(item, now=now))]
    count = fields.get("count")
    return Page(records, len(items) - len(records), count if isinstance(count, int) else 0)


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
    reply = _ok(answer)
    if is_unknown(reply):
        raise unknown
    record = read_record(parse_object(reply), now=service_time(reply))
    # Somebody else's task must not end a wait for this one.
    if record is None or record.id != task_id:
        raise undecodable(reply)
    return record


def _ok(answer: Answer) -> Reply:
    if isinstance(answer, Failure):
        raise unreachable(answer)
    if not 200 <= answer.status < 300:
        raise api_error(answer) if answer.status >= 400 else undecodable(answer)
    return answer
