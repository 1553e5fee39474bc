"""A journal is read as it was written, or refused: nothing in between buys anything twice."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.journal.journals import accepted, apply, finish, intended, wreck
from tests.support.service import client_of, emulator
from veo_async import TextToVideo
from veo_async._journal.rows import FIRST, Row
from veo_async._journal.seal import seal_of
from veo_async._journal.sqlite import JournalDatabase
from veo_async.emulator import Seconds
from veo_async.errors import JournalError

KEYS = [f"k{number}" for number in range(12)]
PAGE = 4096

Known = dict[str, tuple[str, str | None]]


def known(file: JournalDatabase) -> Known:
    """The state of each item of a journal."""
    stages = {key: item.stages[FIRST] for key, item in file.items().items()}
    return {key: (row.state, row.task_id) for key, row in stages.items()}


def read(path: Path) -> Known | None:
    """A new owner's reading of the table and by the index; ``None`` if it is refused."""
    file = JournalDatabase(path)
    try:
        file.open()
        found = known(file)
        assert set(file.items([*KEYS, "new"])) == set(found)
    except JournalError:
        return None
    else:
        return found
    finally:
        file.close()


@pytest.fixture
def killed(tmp_path: Path) -> tuple[Path, Known]:
    """The files that a killed process left, and what it had recorded."""
    file = JournalDatabase(tmp_path / "run.db")
    file.open()
    for key in KEYS:
        apply(file, intended(key, prompt=key * 40))
    apply(file, *[accepted(key, f"task of {key}") for key in KEYS[::2]])
    left, said = wreck(tmp_path / "run.db", tmp_path / "killed"), known(file)
    file.close()
    return left, said


def test_the_file_alone_is_the_journal(killed: tuple[Path, Known], tmp_path: Path) -> None:
    """A process was killed, and only the one file was copied or mounted: it has all that was
    recorded."""
    path, said = killed
    shutil.copy(path, tmp_path / "copy.db")

    assert path.with_name("run.db-journal").exists()
    assert not path.with_name("run.db-wal").exists()
    assert read(tmp_path / "copy.db") == said


@pytest.mark.parametrize("name, refused", [("run.db", 20), ("run.db-journal", 0)])
def test_a_flipped_bit_loses_no_purchase(
    killed: tuple[Path, Known], tmp_path: Path, name: str, refused: int
) -> None:
    """Wherever it is, the journal is read whole or is refused. No other error is raised."""
    path, said = killed
    data, rng, ends = path.with_name(name).read_bytes(), Random(5), Counter[bool]()

    for number in range(150):
        bit = rng.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        there = wreck(path, tmp_path / str(number))
        there.with_name(name).write_bytes(flipped)
        found = read(there)
        assert found in (said, None)
        ends[found is None] += 1

    assert ends[False] >= 50
    assert ends[True] >= refused


@pytest.mark.parametrize("name, whole", [("run.db", False), ("run.db-journal", True)])
def test_a_cut_file_loses_no_purchase(
    killed: tuple[Path, Known], tmp_path: Path, name: str, *, whole: bool
) -> None:
    """A journal that was truncated anywhere is refused. The rollback journal is not needed after a
    commit."""
    path, said = killed
    data = path.with_name(name).read_bytes()

    for length in range(1, len(data), 331):
        there = wreck(path, tmp_path / str(length))
        there.with_name(name).write_bytes(data[:length])
        assert read(there) == (said if whole else None)


def test_a_commit_that_was_never_confirmed_may_be_lost_in_part(tmp_path: Path) -> None:
    """The process was killed within a commit, and its rollback journal was lost. Each page is old
    or new. The journal is refused, or each item is as it was before or after that commit."""
    path, rng, refused = tmp_path / "run.db", Random(2), 0
    file = JournalDatabase(path)
    file.open()
    apply(file, *[intended(key, prompt=key * 600) for key in KEYS])
    old, before = known(file), pages(path)
    apply(file, *map(accepted, KEYS), intended("new", prompt="n" * 9000))
    new, after = known(file), pages(path)
    file.close()

    for number in range(60):
        mixed = [
            one if rng.random() < 0.5 else other
            for one, other in zip([*before, *[bytes(PAGE)] * len(after)], after, strict=False)
        ]
        there = tmp_path / f"{number}.db"
        there.write_bytes(b"".join(mixed))
        found = read(there)
        refused += found is None
        for key, state in old.items():
            assert found is None or found[key] in (state, new[key])

    assert refused > 20


def pages(path: Path) -> list[bytes]:
    """The pages of a database."""
    data = path.read_bytes()
    return [data[start : start + PAGE] for start in range(0, len(data), PAGE)]


@pytest.mark.parametrize("harm", ["none", "missing", "flipped", "cut"])
def test_a_commit_is_rolled_back_as_a_whole_or_not_at_all(tmp_path: Path, harm: str) -> None:
    """The rollback journal is needed, and is missing or damaged: the file is refused."""
    file = JournalDatabase(tmp_path / "run.db")
    file.open()
    apply(file, *[intended(key, prompt=key * 200) for key in KEYS])
    said, left = known(file), list[Path]()

    def on_statement(sql: str) -> None:
        if sql.startswith("COMMIT"):
            left.append(wreck(tmp_path / "run.db", tmp_path / "killed"))

    assert file._db is not None
    file._db.execute("PRAGMA cache_size = 5")  # so pages are written before the commit
    file._db.set_trace_callback(on_statement)
    rows = [Row(f"n{n}", FIRST, 1, "intended", 1.0, 1.0, '{"a": 1}' * 40) for n in range(300)]
    file.write(rows)
    file.close()
    journal = left[0].with_name("run.db-journal")
    data = journal.read_bytes()
    match harm:
        case "missing":
            journal.unlink()
        case "flipped":
            checksum = 512 + 4 + PAGE  # of the first page, after the header and the page's number
            flipped = bytes([data[checksum] ^ 1])
            journal.write_bytes(data[:checksum] + flipped + data[checksum + 1 :])
        case "cut":
            journal.write_bytes(data[:5000])

    assert read(left[0]) == (said if harm == "none" else None)


# The errors.


def sql(path: Path, statement: str) -> None:
    """Change a journal by other means."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)


@pytest.mark.parametrize(
    "statement, said",
    [
        ("UPDATE attempt SET state = 'withdrawn'", "not as it was written"),
        ("UPDATE attempt SET key = 'other'", "not as it was written"),
        ("UPDATE attempt SET key = x'00'", "not as it was written"),
        ("UPDATE attempt SET facts = '{}'", "not as it was written"),
        ("UPDATE attempt SET at = 'soon'", "not as it was written"),
        ("UPDATE attempt SET sent_at = NULL", "not as it was written"),
        ("UPDATE attempt SET seal = NULL", "not as it was written"),
        ("UPDATE attempt SET state = CAST(x'ff' AS TEXT)", "is damaged"),
        ("DROP TABLE attempt", "is damaged"),
        ("ALTER TABLE attempt DROP COLUMN outcome", "is damaged"),
    ],
)
def test_a_changed_row_is_refused(tmp_path: Path, statement: str, said: str) -> None:
    """The error names the journal, says that nothing was sent, and what to do."""
    path = tmp_path / "run.db"
    file = JournalDatabase(path)
    file.open()
    finish(file, "k")
    file.close()
    sql(path, statement)

    with pytest.raises(JournalError, match=said) as caught:
        JournalDatabase(path).open()

    assert caught.value.path == str(path)
    assert "Nothing was sent" in str(caught.value)
    assert "veo.tasks.list() or veo-async tasks" in str(caught.value)


@pytest.mark.parametrize(
    "row, said",
    [
        (Row("k", FIRST, 1, "archived", 1.0), "unknown state 'archived'"),
        (Row("k", FIRST, 1, "accepted", 1.0, 1.0, "{", "{}"), "cannot read: '{'"),
        (Row("k", FIRST, 1, "accepted", 1.0, 1.0, '{"action": 1}', "{}"), "cannot read"),
        (Row("k", FIRST, 1, "accepted", 1.0, 1.0, None, "[]"), "cannot read"),
        (Row("k", FIRST, 1, "succeeded", 1.0, 1.0, None, "{}", "[]"), "cannot read"),
        (Row("k", FIRST, 1, "succeeded", 1.0, 1.0), "nothing says how"),
        (Row("k", FIRST, 1, "failed", 1.0, 1.0, None, "{}", "{}"), "cannot read"),
        (Row("k", "download:generate:0", 1, "saved", 1.0, None, None, "{}", "{}"), "cannot read"),
    ],
)
def test_an_old_journal_is_upgraded_only_if_it_can_be_read(
    tmp_path: Path, row: Row, said: str
) -> None:
    """Its rows have no seals, so each is decoded before it gets one. The error names the item, and
    the file stays as it is."""
    path = old_journal(tmp_path, lambda db: db.execute(PUT, values(row)))
    before = path.read_bytes()

    with pytest.raises(JournalError, match=said) as caught:
        JournalDatabase(path).open()

    assert caught.value.key == "k"
    assert "The item 'k' of the journal is damaged" in str(caught.value)
    assert path.read_bytes() == before


PUT = "INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def values(row: Row) -> tuple[object, ...]:
    """The columns of a row of version 1."""
    place = row.key, row.stage, row.attempt, row.state, row.at, row.sent_at
    return *place, row.request_json, row.facts_json, row.outcome_json


def old_journal(folder: Path, change: Callable[[sqlite3.Connection], object]) -> Path:
    """A journal of version 1."""
    script = Path(__file__).with_name("journal-1.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(folder / "old.db")) as db:
        db.executescript(script)
        change(db)
        db.commit()
    return folder / "old.db"


def test_an_old_journal_is_upgraded_in_place(tmp_path: Path) -> None:
    """Also one whose log was not folded into it. Its rows stay as they are, and get their seals."""
    path = old_journal(tmp_path, lambda db: db.execute("PRAGMA journal_mode = WAL"))
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("UPDATE attempt SET at = 7 WHERE key = 'made'")
        db.commit()
        left = wreck(path, tmp_path / "killed")

    assert left.with_name("old.db-wal").stat().st_size
    for _ in range(2):
        file = JournalDatabase(left)
        assert file.open() == 4
        assert file.items()["made"].stages[FIRST].at == 7
        file.close()
    assert [file.name for file in left.parent.iterdir()] == ["old.db"]


@pytest.mark.parametrize("rows", [0, 4000])
def test_an_old_journal_of_any_size_is_upgraded(tmp_path: Path, rows: int) -> None:
    """No statement takes more values than SQLite allows."""

    def fill(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM attempt")
        lost = [
            Row(str(n), FIRST, 1, "intended", 1.0, 1.0, '{"action":"text2video","prompt":"a"}')
            for n in range(rows)
        ]
        db.executemany(PUT, map(values, lost))

    file = JournalDatabase(old_journal(tmp_path, fill))

    assert file.open() == rows
    file.close()


def test_every_column_is_in_the_seal() -> None:
    """No two rows that differ in one of them have the same; whole numbers are as SQLite returns
    them."""
    row = Row("k", FIRST, 1, "failed", 1.0, 2.0, "{}", "{}", "{}")
    others = [
        Row("l", FIRST, 1, "failed", 1.0, 2.0, "{}", "{}", "{}"),
        Row("k", "upscale", 1, "failed", 1.0, 2.0, "{}", "{}", "{}"),
        Row("k", FIRST, 2, "failed", 1.0, 2.0, "{}", "{}", "{}"),
        Row("k", FIRST, 1, "refused", 1.0, 2.0, "{}", "{}", "{}"),
        Row("k", FIRST, 1, "failed", 2.0, 2.0, "{}", "{}", "{}"),
        Row("k", FIRST, 1, "failed", 1.0, None, "{}", "{}", "{}"),
        Row("k", FIRST, 1, "failed", 1.0, 2.0, None, "{}", "{}"),
        Row("k", FIRST, 1, "failed", 1.0, 2.0, "{}{", "}", "{}"),
        Row("k", FIRST, 1, "failed", 1.0, 2.0, "{}", "{}", None),
    ]

    assert len({seal_of(one) for one in (row, *others)}) == 10
    assert seal_of(Row("k", FIRST, 1, "failed", 1, 2, "{}", "{}", "{}")) == seal_of(row)


@pytest.mark.asyncio
async def test_a_batch_with_a_damaged_journal_sends_nothing(tmp_path: Path) -> None:
    """It would buy again what it cannot read."""
    path, asked = tmp_path / "run.db", [(key, TextToVideo(prompt=key)) for key in KEYS]
    async with emulator(pace=Seconds(mean=10.0)) as service, client_of(service) as veo:
        async with veo.batch(asked, journal=path) as outcomes:
            assert [one.state async for one in outcomes] == ["succeeded"] * 12
        sql(path, "UPDATE attempt SET state = 'withdrawn' WHERE key = 'k7'")

        for again in (veo.batch(asked, journal=path), veo.batch(asked, journal=path, extend=True)):
            with pytest.raises(JournalError, match="damaged") as caught:
                await again.__aenter__()
            assert caught.value.key == "k7"
        with pytest.raises(JournalError, match="damaged"):
            await veo.batch(asked, journal=path).preview()

    assert len(service.bill) == 12


def test_an_old_journal_without_its_log_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """Version 1 had its newest rows, at first all of them, in ``run.db-wal``. A copy of the one
    file alone knows nothing of them."""
    path, alone = tmp_path / "run.db", tmp_path / "alone.db"
    script = Path(__file__).with_name("journal-1.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(script)
        shutil.copy(path, alone)

    with pytest.raises(JournalError, match=r"alone\.db-wal, is missing"):
        JournalDatabase(alone).open()
