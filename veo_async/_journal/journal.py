"""The journal: records each event of a batch before anybody relies on it.

All events that are queued while one transaction is written go into the next one: a thousand
waiting callers share a few commits. An event about a POST is written within `GROUP` seconds. A
task's result can be retrieved again, so it may wait up to `PACE` seconds, or until the next urgent
commit. A queued event is recorded even if its caller is cancelled meanwhile. The writer is a task
of its own, which exists exactly while events are queued, since a cancelled caller must not cancel
a commit. The end of the program, which cancels all tasks it can list, does not cancel the writer
either: `aclose` waits until the queued events are written.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Self

from .._base.runtime import RunSync
from .._base.signal import Signal
from .._base.worker import Worker, uninterrupted
from ..errors import JournalError
from .buyer import Buyer
from .cache import ItemCache, apply_all
from .events import Accepted, Event, Intended
from .owner_file import OwnerFile
from .ownership import Ownership
from .rows import ENDS, Item, Row
from .sqlite import JournalDatabase

logger = logging.getLogger("veo_async")

GROUP = 0.01
"""Seconds from the start of a commit to the start of the next one, so that concurrent callers share
one. A commit costs about as much CPU as the rest of a video's work."""

PACE = 0.5
"""The same while no queued event is urgent."""


@dataclass(slots=True, eq=False)
class _Entry:
    """One queued event. ``awaited`` tells whether a caller waits for its error."""

    event: Event
    at: float
    awaited: bool
    failed: Callable[[], object] = tuple
    error: JournalError | None = None


@dataclass(slots=True, eq=False)
class _Transaction:
    entries: list[_Entry] = field(default_factory=list)
    done: Signal = field(default_factory=Signal)


class Journal:
    """An open journal; make one with `open`.

    A commit survives the death of the process and a power cut (``synchronous=FULL``: a few syncs of
    the disk for each commit, which all events in it share).

    After a failed write no further intent is taken, so that nothing is submitted that could not be
    recorded. The events of purchases are still recorded, if that is possible at all.
    """

    def __init__(
        self,
        file: JournalDatabase,
        owner: OwnerFile,
        *,
        run_sync: RunSync,
        wall_clock: Callable[[], float],
    ) -> None:
        self._database = file
        self._ownership = Ownership(owner, run_sync, self._lose)
        self._bought = 0
        self._run_sync = run_sync
        self._wall = wall_clock
        self._next = _Transaction()
        self._current: _Transaction | None = None
        self._writer = Worker(
            self._write, "veo_async journal", on_failure=self._writer_failed, is_listed=False
        )
        self._cache = ItemCache()
        self._began = -inf  # when the last commit began, by the event loop's time
        self._hurry = Signal()
        self._broken: str | None = None
        self._unreported: JournalError | None = None
        self._closed = Signal()

    @classmethod
    async def open(
        cls, path: str | os.PathLike[str], *, run_sync: RunSync, wall_clock: Callable[[], float]
    ) -> Self:
        """Open a journal, or create it. A file of no bytes counts as none.

        Args:
            path: the file, in a folder that exists.
            run_sync: runs the blocking calls.
            wall_clock: returns Unix time in seconds.

        Raises:
            JournalError: the file is no journal of this version, is in use, is damaged, or is not
                writable.
        """
        owner = OwnerFile(path)
        file = JournalDatabase(path, owner)
        journal = cls(file, owner, run_sync=run_sync, wall_clock=wall_clock)
        try:
            await run_sync(file.check_place)
            await journal._ownership.seek()
            journal._bought = await run_sync(file.open)
            await journal._ownership.take()
        except BaseException as exc:
            await uninterrupted(partial(_close, file, run_sync))
            if isinstance(exc, OSError):
                raise owner.unusable(exc) from exc
            raise
        return journal

    def mismatch(self, buyer: Buyer) -> JournalError | None:
        """The error for a run that buys with another account or at another address than the runs
        before it."""
        return self._database.buyer.difference(buyer, str(self.path))

    def claim(self, buyer: Buyer) -> None:
        """Record this buyer with the next event."""
        self._database.claim(buyer)

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    @property
    def bought(self) -> int:
        """The number of items that may have been bought when the journal was opened."""
        return self._bought

    # Writing.

    async def record(self, event: Event) -> None:
        """Record an event; once this returns, it is durable.

        Raises:
            JournalError: it is not recorded: it is illegal, or could not be written.
        """
        transaction, entry = self._enter(event, awaited=True, hurried=True)
        try:
            await transaction.done.wait()
        except BaseException:
            entry.awaited = False
            if transaction.done.is_set():
                self._keep_error(entry)
            raise
        if entry.error:
            raise entry.error

    def note(
        self, event: Event, *, hurried: bool = True, failed: Callable[[], object] = tuple
    ) -> None:
        """Queue an event without waiting; `flush` and `aclose` raise its error.

        Args:
            event: the event.
            hurried: whether it must be durable at once. A task's result need not: the service is
                queried again if it was not recorded.
            failed: called if the event cannot be written.

        Raises:
            JournalError: the journal is closed, or takes no further intents.
        """
        _, entry = self._enter(event, awaited=False, hurried=hurried)
        entry.failed = failed

    def check(self, key: str) -> None:
        """Make sure that events of this item can still be recorded, as far as is known.

        Raises:
            JournalError: a write failed.
        """
        if self._broken is not None:
            raise self._unrecordable(key)

    async def flush(self) -> None:
        """Wait until all events that are queued now are durable.

        Raises:
            JournalError: an event could not be recorded, and no caller has got the error yet.
        """
        queued = [t for t in (self._current, self._next) if t and t.entries]
        self._hurry.set()
        for transaction in queued:
            await transaction.done.wait()
        error, self._unreported = self._unreported, None
        if error:
            raise error

    def _enter(self, event: Event, *, awaited: bool, hurried: bool) -> tuple[_Transaction, _Entry]:
        entry = _Entry(event, self._wall(), awaited)
        if self._closed.is_set():
            raise self._explain(entry, f"The journal {self.path} is closed.")
        if refusal := self._refusal(entry):
            raise refusal
        self._next.entries.append(entry)
        if hurried:
            self._hurry.set()
        self._writer.ensure()
        return self._next, entry

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._next.entries:
            await self._hurry.wait(until=self._began + PACE)
            await self._closed.wait(until=self._began + GROUP)
            self._hurry.clear()
            self._began = loop.time()
            self._current, self._next = self._next, _Transaction()
            await self._commit(self._current)
        self._current = None

    def _writer_failed(self, cause: BaseException) -> None:
        """A writer that is cancelled, even before it began, fails all queued events, so that no
        caller waits forever."""
        for transaction in (self._current, self._next):
            if transaction:
                self._fail(transaction.entries, cause)
                self._finish(transaction)
        self._current, self._next = None, _Transaction()

    async def _commit(self, transaction: _Transaction) -> None:
        for entry in transaction.entries:
            entry.error = self._refusal(entry)
        admitted = [entry for entry in transaction.entries if entry.error is None]
        try:
            await self._write_down(admitted)
        except Exception as exc:  # noqa: BLE001 - after any error nobody may believe that it is recorded
            self._fail(admitted, exc)
        self._finish(transaction)

    async def _write_down(self, admitted: Sequence[_Entry]) -> None:
        events = [(entry.event, entry.at) for entry in admitted]
        if unknown := self._cache.missing(event for event, _ in events):
            self._cache.load(unknown, await self._run_sync(self._database.items, unknown))
        rows, errors = apply_all(self._cache, events)
        for entry, error in zip(admitted, errors, strict=True):
            entry.error = error and self._explain(entry, error.message)
        if rows:
            await self._run_sync(self._database.write, rows)
            self._cache.committed(row.key for row in rows)

    def _lose(self, cause: JournalError) -> None:
        """Another run took the journal over, so nothing is submitted any more."""
        self._broken = cause.message

    def _fail(self, entries: Iterable[_Entry], cause: BaseException) -> None:
        """A write failed, or may have failed."""
        problem = f"The journal {self.path} could not be written ({cause!r})."
        self._broken = cause.message if isinstance(cause, JournalError) else problem
        self._cache.clear()
        for entry in entries:
            entry.error = self._explain(entry, self._broken)
            entry.error.__cause__ = cause

    def _refusal(self, entry: _Entry) -> JournalError | None:
        """The error for an intent after a failed write."""
        if self._broken is None or not isinstance(entry.event, Intended):
            return None
        return self._unrecordable(entry.event.key)

    def _unrecordable(self, key: str) -> JournalError:
        problem = f"Nothing more is submitted in this run. {self._broken}"
        return JournalError(problem, path=str(self.path), key=key)

    def _explain(self, entry: _Entry, problem: str) -> JournalError:
        task_id = entry.event.task_id if isinstance(entry.event, Accepted) else None
        return JournalError(problem, path=str(self.path), key=entry.event.key, task_id=task_id)

    def _finish(self, transaction: _Transaction) -> None:
        for entry in transaction.entries:
            if not entry.awaited:
                self._keep_error(entry)
        transaction.done.set()

    def _keep_error(self, entry: _Entry) -> None:
        """Keep an error that no caller got, for `flush`."""
        if entry.error:
            logger.warning(
                "not recorded: %s of %r: %s", entry.event.name, entry.event.key, entry.error
            )
            self._unreported = self._unreported or entry.error
            entry.failed()

    # Reading: committed rows only.

    async def rows(self) -> dict[str, Item]:
        """All items by key, in the order in which they were begun."""
        return await self._run_sync(self._database.items, None)

    async def get(self, key: str) -> Item | None:
        """One item; ``None`` if the journal does not know its key."""
        return (await self._run_sync(self._database.items, [key])).get(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Item]:
        """The items with these keys, in one query; unknown keys are left out."""
        named = list(keys)
        found = await self._run_sync(self._database.items, named)
        self._cache.preload([key for key in named if _goes_on(found.get(key))], found)
        return found

    async def sent_between(self, since: float, until: float) -> tuple[Row, ...]:
        """All attempts, former ones included, whose POST was sent between two Unix times on this
        machine's clock; those with a ``task_id`` are the tasks of this journal."""
        return await self._run_sync(self._database.sent_between, since, until)

    # The end.

    async def aclose(self) -> None:
        """Write the queued events and close the file. It may be repeated.

        Raises:
            JournalError: an event could not be recorded, and no caller has got the error yet.
        """
        self._closed.set()
        try:
            await self.flush()
        finally:  # else the file stays locked
            await uninterrupted(self._close)

    async def _close(self) -> None:
        try:
            await self._writer.join()
            await self._ownership.stop()
        finally:
            await self._run_sync(self._database.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


async def _close(file: JournalDatabase, run_sync: RunSync) -> None:
    await run_sync(file.close)


def _goes_on(item: Item | None) -> bool:
    return item is None or any(row.step not in ENDS for row in item.stages.values())
