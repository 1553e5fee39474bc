"""The journal's file: one SQLite database, and every call that blocks on it.

The file alone is the journal. A commit is complete once its pages are synced in the file itself, so
a copy of the one file, made after any kill, has all that was committed. During a commit a rollback
journal lies beside it. If a kill interrupts the commit and the rollback journal is lost, some pages
are old and some are new. No POST was sent for such a commit, since it was never confirmed. `PRAGMA
integrity_check` finds a half changed tree, and the rows' seals find a half written row. So each
purchase is read as it was written, or the file is refused. A write-ahead log would cost half the
syncs, but its loss would lose purchases without a trace.

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

from .._base.file_lock import NO_LOCKS, REASONS, refuses_locks
from ..errors import JournalError
from . import seal
from .buyer import Buyer
from .owner_file import IN_USE, OwnerFile
from .rows import FIRST, NOTHING_BOUGHT, Item, Row, items
from .serialization import KEEP
from .states import checked_key

APPLICATION_ID = int.from_bytes(b"veoj", "big")
"""The mark of a journal among SQLite databases."""

VERSION = 2
"""The version of the schema."""

_SCHEMA = """
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
"""
"""The schema of version 1. `_UPGRADE` makes version 2 of it."""

_UPGRADE = f"""
    ALTER TABLE attempt ADD COLUMN seal INTEGER;
    CREATE TABLE buyer (account TEXT, address TEXT);
    INSERT INTO buyer VALUES (NULL, NULL);
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
"""  # noqa: S608 - both are numbers of ours

_SETTINGS = (
    # While the file is open in exclusive mode, the rollback journal stays and its header is zeroed,
    # which is faster than to make it anew for each commit.
    "PRAGMA journal_mode = DELETE",
    # FULL syncs the file in every commit, so that a commit survives a power cut; NORMAL does not.
    # All waiting callers share it.
    "PRAGMA synchronous = FULL",
    # On macOS a plain fsync stops at the drive's cache. Elsewhere these two do nothing.
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
)

_COLUMNS = "key, stage, attempt, state, at, sent_at, request, facts, outcome"
_ROWS = f"SELECT {_COLUMNS}, seal FROM attempt"  # noqa: S608 - nothing in it comes from outside
_PUT = f"INSERT INTO attempt ({_COLUMNS}, seal) VALUES "  # noqa: S608 - likewise
_AGAIN = """
    ON CONFLICT (key, stage, attempt) DO UPDATE SET
        state = excluded.state, at = excluded.at, sent_at = excluded.sent_at,
        request = excluded.request, facts = excluded.facts, outcome = excluded.outcome,
        seal = excluded.seal
"""

_VALUES = attrgetter(*(field.name for field in fields(Row)))
"""The values of a row, in the order of `_COLUMNS`."""

LEAST_PAGE = 512
"""Bytes of the shortest database that has something in it."""

ROWS_A_STATEMENT = 99
"""Rows that one statement writes; each has ten values, and every SQLite takes 999. Around each
statement the threads compete for the interpreter, which costs more than a row."""

KEYS_A_QUERY = 500
"""Keys that one query names; every SQLite takes twice as many values."""

_DAMAGED = f"it is damaged. {KEEP}"

_REASONS: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: IN_USE,
    sqlite3.SQLITE_READONLY: "it may not be written. Make the file and its folder writable",
    sqlite3.SQLITE_FULL: "the disk is full. Free some space and run the same call again",
    sqlite3.SQLITE_IOERR: "the disk failed or is full. See to it and run the same call again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or created. See to the file and its folder",
    sqlite3.SQLITE_NOTADB: "it is something else. Name another file",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_ERROR: _DAMAGED,  # there is no such table or column
}
"""By SQLite's primary error code: the cause, and the next step of the user."""

_LOCK_ERRORS = frozenset(
    {
        sqlite3.SQLITE_IOERR_LOCK,
        sqlite3.SQLITE_IOERR_RDLOCK,
        sqlite3.SQLITE_IOERR_UNLOCK,
        sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOLFS,
    }
)
"""The extended codes of a file system whose locks fail."""


class JournalDatabase:
    """The database of one journal. Every method blocks, so call them in a worker thread.

    A cancelled caller may leave a call running in its thread. The lock admits one call at a time,
    and after `close` an `open` that comes later fails.

    Args:
        path: the file.
        owner: the owner's file, which is checked before each write and removed after the close.

    Attributes:
        buyer: what the items were bought with, as far as it is recorded and anything was bought.
    """

    def __init__(self, path: str | os.PathLike[str], owner: OwnerFile | None = None) -> None:
        self.path = Path(path).absolute()  # SQLite takes a bare ":memory:" for no file at all
        self.buyer = Buyer()
        self._owner = owner
        self._claim: Buyer | None = None
        self._lock = Lock()
        self._db: sqlite3.Connection | None = None
        self._closed = False

    def check_place(self) -> None:
        """Make sure that the file may be created and written where it is.

        Raises:
            JournalError: it may not.
        """
        with self._explained("be opened"):
            self._check_place()

    def open(self) -> int:
        """Open or create the file; returns the number of items that may have been bought.

        Raises:
            JournalError: the file is no journal of this version, is in use, is damaged, or is not
                writable.
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
                return self._audit(self._db)
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        """Close the file. It may be repeated."""
        with self._lock:
            self._closed = True
            self._close()
            if self._owner:
                self._owner.release()

    def _close(self) -> None:
        if self._db:
            self._db.close()  # SQLite removes the rollback journal
            self._db = None

    def claim(self, buyer: Buyer) -> None:
        """From the next write on, this buyer is the recorded one."""
        self._claim = buyer

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows in one durable transaction; each replaces the row of the same attempt.

        Raises:
            JournalError: nothing was written.
        """
        with self._lock, self._explained("be written"):
            if self._owner:
                self._owner.check()
            if len(rows) <= ROWS_A_STATEMENT and self._claim is None:
                _put(self._opened(), rows)  # a statement alone is a transaction
                return
            with self._transaction() as db:
                if self._claim:
                    values = self._claim.account, self._claim.address
                    db.execute("UPDATE buyer SET account = ?, address = ?", values)
                _put_all(db, rows)
            self._claim = None

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
        # Other files lie beside it. SQLite's own error would speak of a disk that failed.
        for place in (self.path.parent, self.path):
            if place.exists() and not os.access(place, os.W_OK):
                raise self._error("cannot be opened. Make the file and its folder writable.")

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = self._version(db)  # before any change: it may be another application's file
        for setting in _SETTINGS:
            db.execute(setting)
        # Takes the lock and proves that the file can be written.
        with self._transaction("EXCLUSIVE"):
            for script in (_SCHEMA, _UPGRADE)[version:]:
                for statement in script.split(";"):
                    db.execute(statement)
            if version == 1:
                _put_all(db, [seal.decodable(row) for row in _former_rows(db)])

    def _audit(self, db: sqlite3.Connection) -> int:
        """Read the whole file once, and count the items that may have been bought.

        Raises:
            JournalError: it is not as it was written.
        """
        ((problem,),) = db.execute("PRAGMA integrity_check(1)").fetchall()
        if problem != "ok":
            raise self._error(f"is damaged ({problem.splitlines()[-1]}). {KEEP}.")
        states: dict[str, str] = {}
        was_bought = False
        for columns in db.execute(f"{_ROWS} ORDER BY attempt"):
            row = seal.opened(columns)
            was_bought |= row.may_be_bought
            if row.stage == FIRST:
                states[row.key] = row.state
        ((account, address),) = db.execute("SELECT account, address FROM buyer").fetchall()
        self.buyer = Buyer(account, address) if was_bought else Buyer()
        return sum(state not in NOTHING_BOUGHT for state in states.values())

    def _version(self, db: sqlite3.Connection) -> int:
        """The version of the schema. 0 is an empty database: a new file, an empty one, or one whose
        owner died while it was created."""
        application, version, tables = (
            db.execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if (application, version, tables) == (0, 0, 0):
            if 0 < self.path.stat().st_size < LEAST_PAGE:  # SQLite takes it for an empty file
                raise self._error(f"cannot be opened: {_DAMAGED}.")
            if db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                # Version 1 had its rows in a write-ahead log; this version has none.
                raise self._error(
                    f"cannot be opened: its newest part, the file {self.path.name}-wal, is "
                    "missing. Nothing was sent. Put that file beside it, and run the same call "
                    "again."
                )
            return 0
        if application != APPLICATION_ID:
            raise self._error("is a database of another application. Name another file.")
        if version not in (1, VERSION):
            raise self._error(
                f"has version {version}, and this library reads version {VERSION}. Go on with "
                "the version of the library that made it, or begin a new journal."
            )
        return int(version)

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
        except (sqlite3.Error, OSError, MemoryError, UnicodeDecodeError) as exc:
            raise self._error(f"cannot {what} ({exc}): {_reason(exc, self.path)}.") from exc
        except JournalError as exc:
            exc.path = str(self.path)
            raise

    def _error(self, what: str) -> JournalError:
        return JournalError(f"The journal {self.path} {what}", path=str(self.path))


def _reason(error: Exception, path: Path) -> str:
    """The cause of an error, and the next step of the user."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, OSError):
        return REASONS.get(error.errno or 0, "see to the cause")
    if code is None:  # Python's own: a text that is no UTF-8, or a length that no memory holds
        return _DAMAGED
    if code in _LOCK_ERRORS or (code & 0xFF == sqlite3.SQLITE_BUSY and refuses_locks(path)):
        return NO_LOCKS
    if code & 0xFF == sqlite3.SQLITE_IOERR:
        try:
            path.stat()
        except OSError as exc:  # it has the number of the cause, which SQLite does not tell
            return REASONS.get(exc.errno or 0, _REASONS[sqlite3.SQLITE_IOERR])
    return _REASONS.get(code & 0xFF, "see to the cause")


def _put(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    places = ",".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(rows))
    values = chain.from_iterable((*_VALUES(row), seal.seal_of(row)) for row in rows)
    db.execute(f"{_PUT}{places}{_AGAIN}", tuple(values))


def _put_all(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        _put(db, rows[start : start + ROWS_A_STATEMENT])


def _former_rows(db: sqlite3.Connection) -> list[Row]:
    return [Row(*columns[:-1]) for columns in db.execute(_ROWS)]


def _select(db: sqlite3.Connection, query: str, *values: Any) -> list[Row]:
    return [seal.opened(columns) for columns in db.execute(query, values)]


def _rows_of(db: sqlite3.Connection, keys: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for start in range(0, len(keys), KEYS_A_QUERY):
        named = [checked_key(key) for key in keys[start : start + KEYS_A_QUERY]]
        places = ",".join("?" * len(named))
        rows += _select(db, f"{_ROWS} WHERE key IN ({places}) ORDER BY rowid", *named)
    return rows
