"""The run of a batch: reads the input as far as there is room, and yields the outcomes.

An item counts towards ``max_in_flight`` from when it is read until its outcome is consumed. So a
slow consumer slows the reading; items under way continue at their own pace.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from itertools import count

import anyio

from .._base.signal import Signal
from .._journal.journal import Journal
from .._journal.rows import Item
from .._submit.post import Post
from .._submit.unsettled import UnsettledSubmits
from ..models import Outcome, VideoRequest
from .item import ItemRunner
from .options import Entry
from .reader import PORTION, Portion, Reader

logger = logging.getLogger("veo_async")


class Run(AsyncIterator[Outcome]):
    """A batch under way: the iterator over its outcomes, in the order in which they are ready."""

    def __init__(
        self,
        reader: Reader,
        runner: ItemRunner,
        journal: Journal | None,
        unsettled: UnsettledSubmits,
        *,
        max_in_flight: int,
        timeout: float,
        posts: list[Post] | None,
    ) -> None:
        self._reader = reader
        self._runner = runner
        self._journal = journal
        self._unsettled = unsettled
        self._timeout = timeout
        self._posts = posts
        self._free = anyio.Semaphore(max_in_flight)
        self._deferred: deque[tuple[int, str, VideoRequest]] = deque()
        self._numbers = count(1)
        self._under_way: set[asyncio.Task[None]] = set()
        self._ready: deque[tuple[Entry, Outcome]] = deque()
        self._error: Exception | None = None
        self._changed = Signal()
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(self._wake)

    # The consumer.

    async def __anext__(self) -> Outcome:
        while not self._ready:
            if self._reading.done() and not self._under_way:
                error, self._error = self._error, None
                if error:
                    raise error
                if self._journal:
                    await self._journal.flush()
                raise StopAsyncIteration
            await self._changed.wait()
        _, outcome = self._ready.popleft()
        self._free.release()
        return outcome

    def _wake(self, _: object) -> None:
        self._changed.pulse()

    # The input.

    async def _read(self) -> None:
        reader = self._reader
        try:
            while not (reader.is_over or reader.mismatch):
                await self._take(await self._next_portion())
            self._error = self._error or reader.mismatch or reader.error
        except Exception as exc:  # noqa: BLE001 - it is raised where the outcomes are consumed
            self._error = self._error or exc

    async def _next_portion(self) -> Portion:
        await self._free.acquire()
        room = 1
        while self._journal and room < PORTION and self._free.value:
            self._free.acquire_nowait()
            room += 1
        portion: Portion = []
        try:
            portion = await self._reader.read(room)
        finally:
            for _ in range(room - len(portion)):
                self._free.release()
        return portion

    async def _take(self, portion: Portion) -> None:
        """Start known items at once, and new ones as soon as they may be submitted."""
        for key, request, item in portion:
            number = next(self._numbers)
            if item:
                item.check(request)
                self._start(number, key, request, item)
            else:
                self._deferred.append((number, key, request))
                self._free.release()
        while self._deferred and self._reader.may_buy:
            await self._free.acquire()
            number, key, request = self._deferred.popleft()
            self._start(number, key, request, Item(key))

    # The items.

    def _start(self, number: int, key: str, request: VideoRequest, item: Item) -> None:
        posts = [] if self._posts is None else self._posts
        deadline = anyio.current_time() + self._timeout
        entry = Entry(key, request, item, deadline, posts, number=number)
        task = asyncio.create_task(self._run_item(entry))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        task.add_done_callback(self._wake)

    async def _run_item(self, entry: Entry) -> None:
        try:
            outcome = await self._runner.run(entry)
        except BaseException:
            self._keep_posts(entry)
            raise
        self._ready.append((entry, outcome))
        if self._runner.journal_error and not self._error:
            self._error = self._runner.journal_error
            self._reading.cancel()  # nothing more can be bought, so nothing more is read

    def _keep_posts(self, entry: Entry) -> None:
        """Keep the POSTs of an item whose outcome is not consumed. A journal has them already."""
        if not self._journal and self._posts is None:
            self._unsettled.add(entry.posts)

    # The end.

    async def aclose(self) -> None:
        """Start nothing more, let open POSTs finish, and leave the rest to a later run.

        A second cancellation stops at once.
        """
        tasks = [task for task in (self._reading, *self._under_way) if not task.done()]
        for task in tasks:
            if not task.cancelling():  # the end of the loop cancels all of them, and once is enough
                task.cancel()
        try:
            await _end_of(tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await _end_of(tasks)
            raise
        finally:
            for entry, _ in self._ready:
                self._keep_posts(entry)
            if tasks and self._journal:
                logger.warning(
                    "the batch was left before its end: run it again with the journal %s to "
                    "resume it",
                    self._journal.path,
                )


async def _end_of(tasks: list[asyncio.Task[None]]) -> None:
    if tasks:
        with anyio.CancelScope(shield=True):
            await asyncio.wait(tasks)
