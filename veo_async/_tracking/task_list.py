"""Queries of the account's task list. They are free, so a passing failure is retried."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import anyio

from .._base.backoff import backoff
from .._base.runtime import Runtime
from .._limits.limiter import Limiter
from .._wire import requests, task_queries
from .._wire.arguments import read_moment, read_task_id
from .._wire.replies import Answer, Failure, foreign, is_foreign
from ..errors import APIError, NoAPIError, UndecodableReplyError, VeoError
from ..models import TaskRecord
from ..policies import PollPolicy

R = TypeVar("R")

MAX_PAGES = 400
"""Pages of the account's list that one reading reads: 20,000 tasks."""


class TaskListClient:
    """Reads task records from the service."""

    def __init__(self, limiter: Limiter, policy: PollPolicy, runtime: Runtime) -> None:
        self._limiter = limiter
        self._policy = policy
        self._runtime = runtime
        self._user_id: str | None = None

    async def one(self, task_id: str) -> TaskRecord:
        """The record of this id."""
        body = requests.retrieve_body(task_id)
        return await self._ask(body, lambda answer: task_queries.read_one(answer, task_id))

    async def many(self, ids: Sequence[str], *, by: requests.By = "ids") -> list[TaskRecord]:
        """The records of these ids or trace ids, in any order; unknown ids are left out."""
        records: list[TaskRecord] = []
        for part in requests.chunks(ids):
            page = await self._ask(requests.batch_body(part, by=by), task_queries.read_page)
            records += page.records
        return records

    async def known(self, names: Sequence[str], *, by: requests.By = "ids") -> list[TaskRecord]:
        """The same records, as far as they can be read; this raises nothing."""
        try:
            return await self.many(names, by=by)
        except APIError as error:
            if len(names) == 1 or error.status_code not in (400, 404):
                return []
        except VeoError:
            return []
        # The service may refuse the whole query for one unknown name, so it is bisected.
        half = len(names) // 2
        return [*await self.known(names[:half], by=by), *await self.known(names[half:], by=by)]

    async def own_record(self, task_id: str) -> TaskRecord | None:
        """The record of a task of ours, if it can be read. It names the account's user: some lists
        show none of our tasks unless they are asked for this user."""
        found = await self.known([task_id])
        # An answer may contain other tasks, too.
        record = next((record for record in found if record.id == task_id), None)
        if record:
            self._user_id = self._user_id or record.user_id
        return record

    async def read_all(self, first: float, last: float, each: Callable[[TaskRecord], None]) -> bool:
        """Call ``each`` with every record of the account between two times; returns whether the
        list could be read to its end."""
        listing = task_queries.Listing()
        pages = self.pages(
            listing, created_at_min=first, created_at_max=last, user_id=self._user_id
        )
        number = 0
        try:
            async for page in pages:
                for record in page:
                    each(record)
                number += 1
                if number == MAX_PAGES:
                    return False
        except VeoError:
            return False
        return listing.is_complete

    async def pages(
        self,
        listing: task_queries.Listing,
        *,
        created_at_min: float | None,
        created_at_max: float | None,
        type: str | None = None,
        user_id: str | None = None,
    ) -> AsyncIterator[list[TaskRecord]]:
        """The account's tasks of a window, page by page, each record once."""
        while not listing.is_over:
            body = requests.list_body(
                offset=listing.offset,
                type=type,
                user_id=user_id,
                created_at_min=created_at_min,
                created_at_max=created_at_max,
            )
            yield listing.add(await self._ask(body, task_queries.read_page))

    async def foreign_error(self) -> NoAPIError | None:
        """The error if another host answers each of a few free queries; a gateway's page may come
        once or twice."""
        body = requests.list_body(
            offset=0, type=None, user_id=None, created_at_min=None, created_at_max=None
        )
        error = None
        for attempt in range(1, task_queries.ATTEMPTS):
            answer = await self._ask_once(body)
            if isinstance(answer, Failure) or not is_foreign(answer):
                return None
            error, u = foreign(answer), self._runtime.rng.random()
            await anyio.sleep(backoff(attempt, first=0.5, cap=8.0, u=u))
        return error

    async def _ask(self, body: dict[str, Any], read: Callable[[Answer], R]) -> R:
        """The service's answer to a query. A query that may succeed later is repeated."""
        for attempt in range(1, task_queries.ATTEMPTS):
            answer = await self._ask_once(body)
            if not task_queries.is_transient(answer):
                try:
                    return read(answer)
                except UndecodableReplyError:
                    if not task_queries.is_torn(answer):
                        raise
            u = self._runtime.rng.random()
            await anyio.sleep(backoff(attempt, first=0.5, cap=8.0, u=u))
        return read(await self._ask_once(body))

    async def _ask_once(self, body: dict[str, Any]) -> Answer:
        await self._limiter.enter("poll")
        try:
            return await self._limiter.post("poll", body, timeout=self._policy.timeout)
        finally:
            self._limiter.leave("poll")


class Tasks:
    """The account's task list, as ``veo.tasks``. Reading it is free, and failures that may pass are
    retried."""

    __module__ = "veo_async"

    def __init__(self, asked: TaskListClient) -> None:
        self._queries = asked

    async def retrieve(self, task_id: str) -> TaskRecord:
        """Read the record of one task.

        Args:
            task_id: the task's id.

        Raises:
            InvalidRequestError: ``task_id`` is no id.
            TaskNotFoundError: the service does not know this id.
            APIError: the service refused to answer.
            RateLimitError: the service answered 429, also to the retries.
            ConnectionFailedError: the service could not be reached.
            ClientClosedError: the client was closed.
        """
        return await self._queries.one(read_task_id(task_id))

    async def retrieve_many(self, task_ids: Iterable[str]) -> list[TaskRecord]:
        """Read the records of several tasks, in the order of the ids.

        An id that the service does not know is left out. An id that is given twice has one record.

        Args:
            task_ids: the tasks' ids, any number of them.

        Raises:
            InvalidRequestError: one of them is no id.
            APIError: the service refused to answer.
            RateLimitError: the service answered 429, also to the retries.
            ConnectionFailedError: the service could not be reached.
            ClientClosedError: the client was closed.
        """
        # A single string is iterable too, but its letters are no ids.
        ids = [task_ids] if isinstance(task_ids, str) else task_ids
        wanted = list(dict.fromkeys(map(read_task_id, ids)))
        found = {record.id: record for record in await self._queries.many(wanted)}
        return [found[task_id] for task_id in wanted if task_id in found]

    async def list(
        self,
        *,
        created_at_min: float | datetime | None = None,
        created_at_max: float | datetime | None = None,
        type: str | None = None,
    ) -> AsyncIterator[TaskRecord]:
        """The account's tasks, newest first, read page by page as they are consumed.

        ::

            async for record in veo.tasks.list(created_at_min=time.time() - 3600):
                print(record.id, record.state)

        Args:
            created_at_min: only tasks since then: Unix seconds, or an aware ``datetime``.
            created_at_max: only tasks until then: Unix seconds, or an aware ``datetime``.
            type: only tasks with this label, such as ``videos``. The service's labels are not
                reliable, so leave it out to look for a submit that may have been paid for.

        Raises:
            InvalidRequestError: a time is neither Unix seconds nor an aware ``datetime``.
            APIError: the service refused to answer.
            RateLimitError: the service answered 429, also to the retries.
            ConnectionFailedError: the service could not be reached.
            ClientClosedError: the client was closed.
        """
        first, last = read_moment(created_at_min), read_moment(created_at_max)
        pages = self._queries.pages(
            task_queries.Listing(), created_at_min=first, created_at_max=last, type=type
        )
        async for page in pages:
            for record in page:
                yield record
