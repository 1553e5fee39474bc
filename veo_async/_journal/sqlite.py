"""The journal's file: one SQLite database, and every call that blocks on it.

One process owns it: in ``locking_mode=EXCLUSIVE`` SQLite keeps its lock on the file from the
first read until it is closed, and the operating system drops the lock of a process that died,
however it died. Do not open a journal that is in use by other means than SQLite: on POSIX systems
a process loses all its locks on a file when it closes any descriptor of it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from itertools import chain
from operator import attrgetter
from pathlib import Path
from threading import Lock
from typing import Any

from ..errors import JournalError
from .rows import FIRST, NOTHING_BOUGHT, Item, Row, items
from .states import checked_key

APPLICATION_ID = int.from_bytes(b"veoj", "big")
"""The mark of a journal among SQLite databases."""

VERSION = 1
"""The version of the schema."""

_SCHEMA = f"""
    CREATE TABLE attempt (
        key TEXT NOT NULL,
        stage TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        state TEXT NOT NULL,
        at REAL NOT NULL,
        sent_at REAL,
        request TEXT,
        facts TEXT NOT NULL,
        outcome TEXT,
        PRIMARY KEY (key, stage, attempt)
    );
    CREATE INDEX attempt_sent_at ON attempt (sent_at);
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
"""

_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    # FULL syncs the log in every commit, so that a commit survives a power cut; NORMAL does not.
    # It costs one fsync for each commit, which all waiting callers share.
    "PRAGMA synchronous = FULL",
    # On macOS a plain fsync stops at the drive's cache. Elsewhere these two do nothing.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
)

_COLUMNS = "key, stage, attempt, state, at, sent_at, request, facts, outcome"
_ROWS = f"SELECT {_COLUMNS} FROM attempt"  # noqa: S608 - nothing in it comes from outside
_PUT = f"INSERT INTO attempt ({_COLUMNS}) VALUES "  # noqa: S608 - likewise
_AGAIN = """
    ON CONFLICT (key, stage, attempt) DO UPDATE SET
        state = excluded.state, at = excluded.at, sent_at = excluded.sent_at,
        request = excluded.request, facts = excluded.facts, outcome = excluded.outcome
"""

_VALUES = attrgetter(*(field.name for field in fields(Row)))
"""The values of a row, in the order of `_COLUMNS`."""

ROWS_A_STATEMENT = 100
"""Rows that one statement writes; each has nine values, and every SQLite takes 999. Around each
statement the threads compete for the interpreter, which costs more than a row."""

KEYS_A_QUERY = 500
"""Keys that one query names; every SQLite takes twice as many values."""

_REASONS: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: "it is in use: one journal serves one batch of one process at a time. "
    "Wait until that one is over, or use another journal",
    sqlite3.SQLITE_READONLY: "it may not be written. Make the file and its folder writable",
    sqlite3.SQLITE_FULL: "the disk is full. Free some space and run the same call again",
    sqlite3.SQLITE_IOERR: "the disk failed or is full. See to it and run the same call again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or created. See to the file and its folder",
    sqlite3.SQLITE_NOTADB: "it is something else. Name another file",
    sqlite3.SQLITE_CORRUPT: "it is damaged. Keep it, look your tasks up with veo.tasks.list(), "
    "and begin a new journal",
}
"""By SQLite's primary error code: the cause, and the next step of the user."""


class JournalDatabase:
    """The database of one journal. Every method blocks, so call them in a worker thread.

    A cancelled caller may leave a call running in its thread. The lock admits one call at a time,
    and after `close` an `open` that comes later fails.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()  # SQLite takes a bare ":memory:" for no file at all
        self._lock = Lock()
        self._db: sqlite3.Connection | None = None
        self._closed = False

    def open(self) -> int:
        """Open or create the file; returns the number of items that may have been bought.

        Raises:
            JournalError: the file is no journal of this version, is in use, or is not writable.
        """
        with self._lock, self._explained("be opened"):
            self._check_place()
            if self._closed:
                raise self._error("is closed.")
            self._db = sqlite3.connect(
                self.path, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(self._db)
                return _count_bought(self._db)
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        """Fold the log into the database and close it. It may be repeated."""
        with self._lock:
            self._closed = True
            self._close()

    def _close(self) -> None:
        if self._db:
            # With the last connection SQLite removes the log. If it cannot, the log stays, and the
            # next owner reads it.
            self._db.close()
            self._db = None

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows in one durable transaction; each replaces the row of the same attempt.

        Raises:
            JournalError: nothing was written.
        """
        with self._lock, self._explained("be written"):
            if len(rows) <= ROWS_A_STATEMENT:
                _put(self._opened(), rows)  # a statement alone is a transaction
                return
            with self._transaction() as db:
                for start in range(0, len(rows), ROWS_A_STATEMENT):
                    _put(db, rows[start : start + ROWS_A_STATEMENT])

    def items(self, keys: Iterable[str] | None = None) -> dict[str, Item]:
        """The items with these keys, in their order, or all items, in the order of their begin."""
        if keys is None:
            return items(self._read(lambda db: _select(db, f"{_ROWS} ORDER BY rowid")))
        named = list(keys)
        found = items(self._read(lambda db: _rows_of(db, named)))
        return {key: found[key] for key in named if key in found}

    def sent_between(self, since: float, until: float) -> tuple[Row, ...]:
        """All attempts, including former ones, whose POST was sent between two Unix times."""
        query = f"{_ROWS} WHERE sent_at BETWEEN ? AND ? ORDER BY sent_at"
        return tuple(self._read(lambda db: _select(db, query, since, until)))

    def _read(self, read: Callable[[sqlite3.Connection], list[Row]]) -> list[Row]:
        with self._lock, self._explained("be read"):
            return read(self._opened())

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise self._error("is closed.")
        return self._db

    def _check_place(self) -> None:
        if self.path.is_dir():
            raise self._error("is a folder. Name a file in it.")
        if not self.path.parent.is_dir():
            raise self._error("lies in a folder that does not exist. Create the folder first.")
        # The log lies beside the file. SQLite's own error would speak of a disk that failed.
        for place in (self.path.parent, self.path):
            if place.exists() and not os.access(place, os.W_OK):
                raise self._error("cannot be opened. Make the file and its folder writable.")

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        is_new = self._is_new(db)  # before any change: it may be another application's file
        for setting in _SETTINGS:
            db.execute(setting)
        # Takes the lock and proves that the file can be written.
        with self._transaction("EXCLUSIVE"):
            for statement in _SCHEMA.split(";") if is_new else ():
                db.execute(statement)

    def _is_new(self, db: sqlite3.Connection) -> bool:
        """Whether the database is empty: a new file, an empty one, or one whose owner died while it
        was created."""
        application, version, tables = (
            db.execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if (application, version, tables) == (0, 0, 0):
            return True
        if application != APPLICATION_ID:
            raise self._error("is a database of another application. Name another file.")
        if version != VERSION:
            raise self._error(
                f"has version {version}, and this library reads version {VERSION}. Go on with "
                "the version of the library that made it, or begin a new journal."
            )
        return False

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        db = self._opened()
        db.execute(f"BEGIN {kind}")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled it back by itself
                db.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Raise SQLite's errors as `JournalError`, with the next step of the user."""
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
            reason = _REASONS.get(code, "see to the cause")
            raise self._error(f"cannot {what} ({exc}): {reason}.") from exc

    def _error(self, what: str) -> JournalError:
        return JournalError(f"The journal {self.path} {what}", path=str(self.path))


def _put(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    places = ",".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(rows))
    db.execute(f"{_PUT}{places}{_AGAIN}", tuple(chain.from_iterable(map(_VALUES, rows))))


def _select(db: sqlite3.Connection, query: str, *values: Any) -> list[Row]:
    return [Row(*columns) for columns in db.execute(query, values)]


def _rows_of(db: sqlite3.Connection, keys: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for start in range(0, len(keys), KEYS_A_QUERY):
        named = [checked_key(key) for key in keys[start : start + KEYS_A_QUERY]]
        places = ",".join("?" * len(named))
        rows += _select(db, f"{_ROWS} WHERE key IN ({places}) ORDER BY rowid", *named)
    return rows


def _count_bought(db: sqlite3.Connection) -> int:
    states: dict[str, str] = dict(
        db.execute("SELECT key, state FROM attempt WHERE stage = ? ORDER BY attempt", (FIRST,))
    )
    return sum(state not in NOTHING_BOUGHT for state in states.values())
