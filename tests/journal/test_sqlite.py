from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from errno import EAGAIN, EDQUOT, EIO, ENOLCK, ENOTSUP, EROFS, ESTALE
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.journal.journals import (
    GENERATION,
    REQUEST,
    accepted,
    apply,
    failed,
    finish,
    intended,
    states,
    succeeded,
    withdrawn,
    wreck,
)
from veo_async._journal import serialization as stored
from veo_async._journal import sqlite as sqlite_module
from veo_async._journal.events import (
    Accepted,
    Event,
    Failed,
    Intended,
    Refused,
    Retried,
    Saved,
    Succeeded,
    Uncertain,
    Withdrawn,
)
from veo_async._journal.rows import FIRST, Row
from veo_async._journal.sqlite import ROWS_A_STATEMENT, JournalDatabase
from veo_async._journal.states import TRANSITIONS, download_stage
from veo_async.errors import BadRequestError, GenerationFailedError, JournalError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "run.db"


@pytest.fixture
def file(path: Path) -> Iterator[JournalDatabase]:
    """An open journal."""
    file = JournalDatabase(path)
    file.open()
    yield file
    file.close()


def statements(file: JournalDatabase, act: Callable[[], object]) -> list[str]:
    """The SQL that an act runs."""
    seen: list[str] = []
    assert file._db is not None
    file._db.set_trace_callback(seen.append)
    act()
    file._db.set_trace_callback(None)
    return seen


# The file.


@pytest.mark.parametrize("former", ["missing", "empty", "half made"])
def test_a_journal_is_made_where_there_is_nothing(path: Path, former: str) -> None:
    """No file, a file of no bytes, and what a crash in the making leaves."""
    if former != "missing":
        path.touch()
    if former == "half made":
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE attempt (key TEXT)")
            db.execute("DROP TABLE attempt")
    file = JournalDatabase(path)

    assert file.open() == 0
    finish(file, "k")
    file.close()

    assert states(path) == {("k", "generate"): "succeeded 1"}


def test_it_survives_a_power_cut(file: JournalDatabase) -> None:
    """A rollback journal with ``synchronous=FULL`` (2), and nobody else in the file."""
    assert file._db is not None
    for pragma, value in {"journal_mode": "delete", "synchronous": 2, "fullfsync": 1}.items():
        assert file._db.execute(f"PRAGMA {pragma}").fetchone() == (value,)
    assert file._db.execute("PRAGMA locking_mode").fetchone() == ("exclusive",)


def another_database(path: Path) -> None:
    """Somebody else's."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (a)")


def another_version(path: Path) -> None:
    """A later one."""
    file = JournalDatabase(path)
    file.open()
    assert file._db is not None
    file._db.execute("PRAGMA user_version = 3")
    file.close()


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda path: path.write_text("prompt,model\n" * 400), "it is something else"),
        (another_database, "another application"),
        (another_version, "has version 3, and this library reads version 2"),
        (lambda path: path.mkdir(), "is a folder"),
    ],
)
def test_what_is_no_journal_of_this_version_stays_as_it_is(
    path: Path, make: Callable[[Path], object], said: str
) -> None:
    """The error names the file and says what to do; not a byte is changed."""
    make(path)
    before = path.read_bytes() if path.is_file() else b""

    with pytest.raises(JournalError, match=said) as caught:
        JournalDatabase(path).open()

    assert caught.value.path == str(path)
    assert str(path) in str(caught.value)
    assert not caught.value.may_have_cost
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.parametrize("parent", ["missing", "a file"])
def test_the_folder_must_exist(tmp_path: Path, parent: str) -> None:
    """A misspelled folder is not created, and a file is no folder."""
    folder = tmp_path / "folder"
    if parent == "a file":
        folder.touch()

    with pytest.raises(JournalError, match="Create the folder"):
        JournalDatabase(folder / "run.db").open()


def test_a_path_that_cannot_be_looked_at_is_an_error_of_ours(tmp_path: Path) -> None:
    """Such as a name that is too long for the file system."""
    with pytest.raises(JournalError, match="cannot be opened"):
        JournalDatabase(tmp_path / ("x" * 5000)).open()


def test_a_damaged_journal_is_an_error_of_ours(path: Path) -> None:
    """It opens or it says that it is damaged; it never answers nonsense."""
    file = JournalDatabase(path)
    file.open()
    finish(file, *map(str, range(50)))
    file.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)

    broken = JournalDatabase(path)
    with pytest.raises(JournalError, match="is damaged"):
        broken.open()
    broken.close()


def test_a_name_that_sqlite_has_a_meaning_for_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal in memory would be lost."""
    monkeypatch.chdir(tmp_path)
    file = JournalDatabase(":memory:")
    file.open()
    finish(file, "k")
    file.close()

    assert [p.name for p in tmp_path.iterdir()] == [":memory:"]


READ_ONLY = """
import os, sys
from pathlib import Path
from veo_async._journal.sqlite import ROWS_A_STATEMENT, JournalDatabase
from veo_async.errors import JournalError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # permissions do not bind the superuser
try:
    JournalDatabase(sys.argv[1]).open()
except JournalError as exc:
    print(exc)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_written_is_refused_at_once(what: str) -> None:
    """Before anything can be submitted: a read-only journal, or one in a read-only folder, where
    its log cannot be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        path = folder / "run.db"
        file = JournalDatabase(path)
        file.open()
        finish(file, "k")
        file.close()
        path.chmod(0o444 if what == "file" else 0o666)
        folder.chmod(0o777 if what == "file" else 0o555)

        said = python(READ_ONLY, path)
        folder.chmod(0o700)

        assert "Make the file and its folder writable" in said
        assert states(path) == {("k", "generate"): "succeeded 1"}


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_place_that_may_not_be_written_is_told_before_the_disk_is_blamed(
    path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """SQLite itself would speak of an I/O error."""
    path.touch()
    place = path if what == "file" else path.parent
    monkeypatch.setattr(os, "access", lambda asked, mode: asked != place)

    with pytest.raises(JournalError, match="Make the file and its folder writable"):
        JournalDatabase(path).open()


# The lock.


def python(program: str, *args: object) -> str:
    """The output of another process."""
    command = [sys.executable, "-c", program, *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_owner_in_this_process_is_refused(path: Path, file: JournalDatabase) -> None:
    """Also again and again, and the first is not disturbed."""
    for _ in range(3):
        second = JournalDatabase(path)
        with pytest.raises(JournalError, match="it is in use"):
            second.open()
        second.close()

    finish(file, "k")
    assert list(file.items()) == ["k"]


OWNER = """
import sys
from veo_async._journal.sqlite import JournalDatabase
from veo_async.errors import JournalError
from tests.journal.journals import accepted, apply, intended
file = JournalDatabase(sys.argv[1])
try:
    file.open()
except JournalError as exc:
    print(exc, flush=True)
else:
    apply(file, intended("killed"), accepted("killed", "t9"))
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_second_process_is_refused_and_a_dead_one_is_not_waited_for(path: Path) -> None:
    """The lock is the operating system's: SIGKILL leaves none behind, and the journal says what
    was last committed."""
    command = [sys.executable, "-c", OWNER, str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "open\n"

        with pytest.raises(JournalError, match="it is in use"):
            JournalDatabase(path).open()
        second = python(OWNER, path)
        owner.send_signal(signal.SIGKILL)
        owner.wait()

    assert "it is in use: one journal serves one batch" in second
    heir = JournalDatabase(path)
    assert heir.open() == 1
    row = heir.items()["killed"].stages["generate"]
    heir.close()
    assert (row.step, row.task_id, row.request) == ("wait", "t9", REQUEST)


@pytest.mark.slow
def test_a_refused_owner_takes_no_lock_away(path: Path, file: JournalDatabase) -> None:
    """POSIX drops a process's locks when any handle on the file is closed; SQLite knows that."""
    second = JournalDatabase(path)
    with pytest.raises(JournalError):
        second.open()
    second.close()

    assert "it is in use" in python(OWNER, path)


def test_closed_is_closed(path: Path) -> None:
    """Also for an `open` that comes late, as one of a cancelled caller may."""
    file = JournalDatabase(path)
    file.close()
    file.close()

    with pytest.raises(JournalError, match="is closed"):
        file.open()
    with pytest.raises(JournalError, match="is closed"):
        file.write([Row("k", FIRST, 1, "intended", 1.0)])
    with pytest.raises(JournalError, match="is closed"):
        file.items()
    assert not path.exists()


def test_closing_leaves_one_file(path: Path, file: JournalDatabase) -> None:
    """The rollback journal is removed."""
    finish(file, "k")
    file.close()

    assert list(path.parent.iterdir()) == [path]


# Events.


def test_an_illegal_event_disturbs_no_other(file: JournalDatabase) -> None:
    """Each event of a transaction is judged by itself, after those before it."""
    events: list[Event] = [
        intended("a"),
        accepted("b"),  # never intended
        accepted("a", "t1"),
        intended("a"),  # under way
        Retried("nobody"),
        intended("\ud800"),
        Retried("\ud800"),
        withdrawn("c\0"),
        intended("c\0"),
    ]
    errors = apply(file, *events)

    assert [error is None for error in errors] == [True, False, True, *[False] * 5, True]
    assert list(file.items()) == ["a", "c\0"]
    assert file.items(["a"])["a"].stages["generate"].task_id == "t1"


@pytest.mark.parametrize("others", [1, ROWS_A_STATEMENT])
def test_a_failed_write_changes_nothing(file: JournalDatabase, others: int) -> None:
    """A full disk in the midst of a transaction, of one statement or of several, takes all of it
    back, and what comes after is written once there is room."""
    finish(file, "before")
    assert file._db is not None
    (pages,) = file._db.execute("PRAGMA page_count").fetchone()
    file._db.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(JournalError, match=r"the disk is full\. Free some space"):
        apply(file, *map(intended, map(str, range(others))), intended("b", prompt="x" * 50_000))
    during = list(file.items())
    file._db.execute("PRAGMA max_page_count = 100000")
    finish(file, "after")

    assert during == ["before"]
    assert list(file.items()) == ["before", "after"]


@pytest.mark.parametrize(
    "rows, statements_run",
    [
        (1, ["INSERT"]),
        (ROWS_A_STATEMENT, ["INSERT"]),
        (ROWS_A_STATEMENT + 1, ["BEGIN", "INSERT", "INSERT", "COMMIT"]),
        (3 * ROWS_A_STATEMENT, ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]),
    ],
)
def test_rows_share_statements_and_one_commit(
    file: JournalDatabase, rows: int, statements_run: list[str]
) -> None:
    """As many rows as every SQLite takes go into one statement, which is a transaction by itself;
    several statements are one transaction."""
    written = [Row(str(n), FIRST, 1, "intended", 1.0, float(n), "{}") for n in range(rows)]

    run = statements(file, lambda: file.write(written))

    assert [sql.split()[0] for sql in run] == statements_run
    assert [row for item in file.items().values() for row in item.stages.values()] == written


def test_a_row_takes_the_place_of_the_same_attempt(file: JournalDatabase) -> None:
    """Every column of it; another attempt, another stage and another item stay."""
    first = Row("a", FIRST, 1, "intended", 1.0, 2.0, '{"a": 1}', '{"b": 2}')
    beside = [
        Row("a", "upscale", 1, "intended", 1.0, 2.5),
        Row("b", FIRST, 1, "intended", 1.0, 2.6),
    ]
    again = Row("a", FIRST, 1, "succeeded", 9.0, 8.0, '{"a": 2}', '{"b": 3}', '{"c": 4}')
    next_attempt = Row("a", FIRST, 2, "withdrawn", 9.0, 9.5)

    file.write([first, *beside])
    file.write([again, next_attempt])

    assert file.sent_between(0.0, 99.0) == (*beside, again, next_attempt)
    assert list(file.items()) == ["a", "b"]


def test_a_retry_keeps_what_the_failed_attempt_bought(path: Path, file: JournalDatabase) -> None:
    """Its task stays ours, or it could be taken for a later submit that was lost."""
    events: list[Event] = [
        *(intended("a", sent_at=10.0), accepted("a", "t1"), failed("a", "t1")),
        Retried("a"),
        *(intended("a", sent_at=20.0), accepted("a", "t2")),
        *(intended("b", sent_at=30.0), withdrawn("b")),
        *(intended("c", sent_at=15.0), accepted("c", "t3"), succeeded("c")),
    ]
    assert not any(apply(file, *events))

    sent = file.sent_between(10.0, 20.0)
    row = file.items()["a"].stages["generate"]

    assert [(r.key, r.task_id, r.attempt) for r in sent] == [
        ("a", "t1", 1),
        ("c", "t3", 1),
        ("a", "t2", 2),
    ]
    assert (row.attempt, row.state, row.task_id) == (2, "accepted", "t2")
    assert file.sent_between(31.0, 99.0) == ()
    file.close()
    heir = JournalDatabase(path)
    assert heir.open() == 2  # a and c; nothing was bought for b
    heir.close()


def test_items_come_in_the_order_in_which_they_were_begun(file: JournalDatabase) -> None:
    """Later events change nothing."""
    apply(file, *map(intended, "cab"))
    apply(file, *map(accepted, "abc"))

    assert list(file.items()) == ["c", "a", "b"]
    assert list(file.items(["b", "nobody", "c"])) == ["b", "c"]


@pytest.mark.parametrize("rows", [10, 1000])
def test_a_resume_reads_everything_at_once_and_decodes_nothing(
    file: JournalDatabase, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """One statement, however many rows there are; JSON is decoded where it is asked for."""
    finish(file, *map(str, range(rows)))
    decoded: list[str] = []
    loads = stored.load_object

    def decode(text: str) -> dict[str, Any]:
        decoded.append(text)
        return loads(text)

    monkeypatch.setattr(stored, "load_object", decode)

    run = statements(file, file.items)
    items = file.items()
    before = len(decoded)
    generation = items["3"].stages["generate"].generation

    assert (len(run), before, len(items)) == (1, 0, rows)
    assert (generation, len(decoded)) == (GENERATION, 1)


def test_the_window_of_a_search_is_found_by_an_index(file: JournalDatabase) -> None:
    """A snapshot of the listing comes every few seconds, with ten thousand rows."""
    assert file._db is not None
    query = "EXPLAIN QUERY PLAN SELECT * FROM attempt WHERE sent_at BETWEEN 1 AND 2"
    assert "USING INDEX attempt_sent_at" in str(file._db.execute(query).fetchall())


# Crashes.

KEYS = ["a", "b"]
STAGES = {"generate": "submit", download_stage("generate", 0): "download"}


def any_event(key: str, stage: str) -> list[Event]:
    """One of each."""
    return [
        Intended(key, stage, REQUEST, 10.0),
        Accepted(key, stage, "t"),
        Withdrawn(key, stage),
        Refused(key, stage, BadRequestError("no")),
        Uncertain(key, stage, 12.0),
        Succeeded(key, stage, GENERATION),
        Failed(key, stage, GenerationFailedError("no", task_id="t")),
        Saved(key, stage, "a.mp4", 7),
        Retried(key),
    ]


EVENTS = [event for key in KEYS for stage in STAGES for event in any_event(key, stage)]
Model = dict[tuple[str, str], tuple[str, int]]


def follow(model: Model, event: Event) -> bool:
    """Change the model as the literal table says; whether the event was legal."""
    if isinstance(event, Retried):
        again = [
            (key, stage)
            for key, stage in model
            if key == event.key and "retried" in TRANSITIONS[STAGES[stage]][model[key, stage][0]]
        ]
        for place in again:
            model[place] = ("withdrawn", model[place][1] + 1)
        return bool(again)
    place = (event.key, event.stage)
    state, attempt = model.get(place, ("new", 1))
    after = TRANSITIONS[STAGES[event.stage]][state].get(event.name)
    if after:
        model[place] = (after, attempt)
    return after is not None


def shown(model: Model) -> dict[tuple[str, str], str]:
    """The model as `states` shows a file."""
    return {place: f"{state} {attempt}" for place, (state, attempt) in model.items()}


class Crashes(RuleBasedStateMachine):
    """Transactions of any events, and crashes between them, within them, and with a torn log.
    A copy of the files opens and says what was committed, neither more nor less."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.numbers = itertools.count()
        self.path = self.folder / "run.db"
        self.model: Model = {}
        self.history = [shown(self.model)]
        self.file = JournalDatabase(self.path)
        self.file.open()

    def crash(self) -> Path:
        return wreck(self.path, self.folder / str(next(self.numbers)))

    @rule(
        batch=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=6),
        most=st.sampled_from([1, 2, ROWS_A_STATEMENT]),
    )
    def commit(self, batch: list[Event], most: int) -> None:
        wrecks: list[Path] = []

        def on_statement(sql: str) -> None:
            if sql.startswith(("COMMIT", "INSERT")):
                wrecks.append(self.crash())

        legal = [follow(self.model, event) for event in batch]
        assert self.file._db is not None
        self.file._db.set_trace_callback(on_statement)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sqlite_module, "ROWS_A_STATEMENT", most)
            errors = apply(self.file, *batch)
        self.file._db.set_trace_callback(None)

        assert [error is None for error in errors] == legal
        assert bool(wrecks) == any(legal)
        for at in {*wrecks[:1], *wrecks[-1:]}:
            assert states(at) == self.history[-1]
        self.history.append(shown(self.model))

    @rule()
    def hand_over(self) -> None:
        """The owner dies, and the next one goes on with what it left."""
        path = self.crash()
        self.file.close()
        self.path = path
        self.file = JournalDatabase(path)
        self.file.open()

    @rule(rng=st.randoms(use_true_random=False))
    def tear(self, rng: random.Random) -> None:
        """The power fails while the log is written: what follows the tear was never committed."""
        path = self.crash()
        log = path.with_name("run.db-wal")
        if log.exists():
            os.truncate(log, rng.randrange(log.stat().st_size + 1))
            assert states(path) in self.history

    @invariant()
    def agree(self) -> None:
        assert states(self.crash()) == self.history[-1]

    def teardown(self) -> None:
        self.file.close()
        shutil.rmtree(self.folder)


TestCrashes = pytest.mark.slow(Crashes.TestCase)
TestCrashes.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)


class Broken:
    """A database on a file system that fails with this code of SQLite."""

    def __init__(self, code: int) -> None:
        self._code = code

    def execute(self, *_: object) -> None:
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = self._code
        raise error

    def close(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize(
    "code, number, words",
    [
        (sqlite3.SQLITE_BUSY, ENOLCK, "gives no locks: put the journal on a local disk"),
        (sqlite3.SQLITE_BUSY, ENOTSUP, "gives no locks: put the journal on a local disk"),
        (sqlite3.SQLITE_BUSY, EAGAIN, "it is in use"),
        (sqlite3.SQLITE_BUSY, 0, "it is in use"),
        (sqlite3.SQLITE_IOERR_LOCK, 0, "gives no locks: put the journal on a local disk"),
        (sqlite3.SQLITE_IOERR_RDLOCK, 0, "gives no locks: put the journal on a local disk"),
        (sqlite3.SQLITE_IOERR_WRITE, 0, "the disk failed or is full"),
    ],
)
def test_locks_and_their_errors_are_told_apart(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, number: int, words: str
) -> None:
    """A file system without locks, which SQLite calls busy or a failing disk, is named as such."""

    def lock(*_: object) -> None:
        if number:
            raise OSError(number, os.strerror(number))

    path.touch()
    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: Broken(code))
    monkeypatch.setattr("fcntl.lockf", lock)

    with pytest.raises(JournalError, match=words):
        JournalDatabase(path).open()

    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "number, words",
    [
        (ESTALE, "its network drive was mounted anew"),
        (EDQUOT, "your quota"),
        (EROFS, "read-only"),
        (EIO, "the disk failed"),
    ],
)
def test_a_drive_that_is_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """What SQLite calls a failing disk is named by the number that the system has for it."""

    def gone(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    database = JournalDatabase(path)
    database.open()
    broken = Broken(sqlite3.SQLITE_IOERR_READ)
    monkeypatch.setattr(database, "_db", broken)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", gone)

        with pytest.raises(JournalError, match=words):
            database.items()


def test_a_system_without_such_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has other locks than SQLite's, a busy journal is in use."""
    monkeypatch.setattr("veo_async._base.file_lock.LOCKS", False)
    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: Broken(sqlite3.SQLITE_BUSY))

    with pytest.raises(JournalError, match="it is in use"):
        JournalDatabase(path).open()
