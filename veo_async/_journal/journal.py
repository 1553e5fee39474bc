"""The journal: what a batch did, durable before anybody relies on it.

All events that are queued while one transaction is written go into the next one: a thousand
waiting callers share a few commits. What concerns a POST is written within `GROUP`. How a task
ended the service knows too, so that may wait for `PACE`, or goes with what may not.
An event that was queued is recorded whether or not its caller stays to hear of it. The writer is a
task of its own, which exists exactly while something is queued, since a cancelled caller must not
cut a commit.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from .._base.runtime import RunSync
from .._base.signal import Signal
from .._base.worker import Worker
from ..errors import JournalError
from .cache import Book, entered
from .events import Accepted, Event, Intended
from .rows import ENDS, Item, Row
from .sqlite import JournalFile

logger = logging.getLogger("veo_async")

GROUP = 0.01
"""Seconds from the beginning of a commit to that of the next one, so that those who are at work at
the same time share one. A commit costs as much CPU as much of a video's other work."""

PACE = 0.5
"""The same while only events are queued that are in no hurry."""


@dataclass(slots=True, eq=False)
class _Entry:
    """One queued event. ``heard`` tells whether somebody waits to be told of an error."""

    event: Event
    at: float
    heard: bool
    error: JournalError | None = None


@dataclass(slots=True, eq=False)
class _Transaction:
    entries: list[_Entry] = field(default_factory=list)
    over: Signal = field(default_factory=Signal)


class Journal:
    """An open journal; make one with `open`.

    A commit survives the death of the process and a power cut (``synchronous=FULL``: one fsync
    for each commit, which all events in it share).

    After a failed write no intent is taken any more, so that nothing is submitted that could not
    be recorded. What was bought is still recorded, if that is possible at all.
    """

    def __init__(
        self, file: JournalFile, bought: int, *, run_sync: RunSync, wall_clock: Callable[[], float]
    ) -> None:
        self._file = file
        self._bought = bought
        self._run_sync = run_sync
        self._wall = wall_clock
        self._next = _Transaction()
        self._current: _Transaction | None = None
        self._writer = Worker(self._write, "veo_async journal", on_failure=self._cut)
        self._book = Book()
        self._began = -inf  # when the last commit began, by the event loop's time
        self._hurry = Signal()
        self._broken: str | None = None
        self._unheard: JournalError | None = None
        self._closed = False

    @classmethod
    async def open(
        cls, path: str | os.PathLike[str], *, run_sync: RunSync, wall_clock: Callable[[], float]
    ) -> Self:
        """Open a journal, or create it. A file of no bytes counts as none.

        Args:
            path: the file, in a folder that exists.
            run_sync: how blocking work is run.
            wall: Unix time in seconds.

        Raises:
            JournalError: it is no journal of this version, is in use, or cannot be written.
        """
        file = JournalFile(path)
        try:
            bought = await run_sync(file.open)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await run_sync(file.close)
            raise
        return cls(file, bought, run_sync=run_sync, wall_clock=wall_clock)

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def bought(self) -> int:
        """How many items may have been bought when it was opened."""
        return self._bought

    # Writing.

    async def record(self, event: Event) -> None:
        """Record an event; once this returns, it is durable.

        Raises:
            JournalError: it is not recorded: illegal, or it could not be written.
        """
        transaction, entry = self._enter(event, heard=True, hurried=True)
        try:
            await transaction.over.wait()
        except BaseException:
            entry.heard = False
            if transaction.over.is_set():
                self._overhear(entry)
            raise
        if entry.error:
            raise entry.error

    def note(self, event: Event, *, hurried: bool = True) -> None:
        """Queue an event without waiting; `flush` and `aclose` tell what went wrong with it.

        Args:
            hurried: whether it must be durable at once. How a task ended the service knows too, and
                is asked for it again if it was not recorded.

        Raises:
            JournalError: the journal is closed, or takes no intents any more.
        """
        self._enter(event, heard=False, hurried=hurried)

    def check(self, key: str) -> None:
        """Make sure that what happens to this item can still be recorded, as far as is known.

        Raises:
            JournalError: a write failed.
        """
        if self._broken is not None:
            raise self._unrecordable(key)

    async def flush(self) -> None:
        """Wait until all that is queued now is durable.

        Raises:
            JournalError: an event could not be recorded, and nobody has been told yet.
        """
        queued = [t for t in (self._current, self._next) if t and t.entries]
        self._hurry.set()
        for transaction in queued:
            await transaction.over.wait()
        error, self._unheard = self._unheard, None
        if error:
            raise error

    def _enter(self, event: Event, *, heard: bool, hurried: bool) -> tuple[_Transaction, _Entry]:
        entry = _Entry(event, self._wall(), heard)
        if self._closed:
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
            await anyio.sleep_until(self._began + GROUP)
            self._hurry.clear()
            self._began = loop.time()
            self._current, self._next = self._next, _Transaction()
            await self._commit(self._current)
        self._current = None

    def _cut(self, cause: BaseException) -> None:
        """Whoever cuts the writer, even before it began, cuts all that is queued: nobody may wait
        for ever."""
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
        except Exception as exc:  # noqa: BLE001 - whatever it is, nobody may think it is recorded
            self._fail(admitted, exc)
        self._finish(transaction)

    async def _write_down(self, admitted: Sequence[_Entry]) -> None:
        events = [(entry.event, entry.at) for entry in admitted]
        if unknown := self._book.unknown(event for event, _ in events):
            self._book.learn(unknown, await self._run_sync(self._file.items, unknown))
        rows, errors = entered(self._book, events)
        for entry, error in zip(admitted, errors, strict=True):
            entry.error = error and self._explain(entry, error.message)
        if rows:
            await self._run_sync(self._file.write, rows)
            self._book.close(row.key for row in rows)

    def _fail(self, entries: Iterable[_Entry], cause: BaseException) -> None:
        """A write failed, or nobody knows whether it did."""
        problem = f"The journal {self.path} could not be written ({cause!r})."
        self._broken = cause.message if isinstance(cause, JournalError) else problem
        self._book.clear()
        for entry in entries:
            entry.error = self._explain(entry, self._broken)
            entry.error.__cause__ = cause

    def _refusal(self, entry: _Entry) -> JournalError | None:
        """Why an intent is not taken any more."""
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
            if not entry.heard:
                self._overhear(entry)
        transaction.over.set()

    def _overhear(self, entry: _Entry) -> None:
        """Keep an error that nobody was told of."""
        if entry.error:
            logger.warning(
                "not recorded: %s of %r: %s", entry.event.name, entry.event.key, entry.error
            )
            self._unheard = self._unheard or entry.error

    # Reading: what was committed.

    async def rows(self) -> dict[str, Item]:
        """All items by key, in the order in which they were begun."""
        return await self._items(None)

    async def get(self, key: str) -> Item | None:
        """One item; ``None`` if the journal does not know its key."""
        return (await self._items([key])).get(key)

    async def get_many(self, keys: Iterable[str]) -> dict[str, Item]:
        """The items with these keys, in one go; unknown keys are left out."""
        named = list(keys)
        found = await self._items(named)
        self._book.offer([key for key in named if _goes_on(found.get(key))], found)
        return found

    async def _items(self, keys: list[str] | None) -> dict[str, Item]:
        found: dict[str, Item] = await self._run_sync(self._file.items, keys)
        return found

    async def sent_between(self, since: float, until: float) -> tuple[Row, ...]:
        """All attempts, former ones included, whose POST was sent between two Unix times on this
        machine's clock; those with a ``task_id`` are the tasks of this journal."""
        rows: tuple[Row, ...] = await self._run_sync(self._file.sent_between, since, until)
        return rows

    # The end.

    async def aclose(self) -> None:
        """Write what is queued, fold the log into the file and close it. It may be repeated.

        Raises:
            JournalError: an event could not be recorded, and nobody has been told yet.
        """
        self._closed = True
        try:
            await self.flush()
        finally:
            with anyio.CancelScope(shield=True):
                await self._writer.join()
                await self._run_sync(self._file.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _goes_on(item: Item | None) -> bool:
    return item is None or any(row.step not in ENDS for row in item.stages.values())
