from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.io.journals import (
    GENERATION,
    REQUEST,
    accepted,
    failed,
    inline,
    intended,
    opened,
    states,
    succeeded,
    withdrawn,
    wreck,
)
from veo_async._core.journal_events import Retried
from veo_async._io.journal import PACE, Journal
from veo_async._io.seams import in_thread
from veo_async.errors import JournalError

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal lies."""
    return tmp_path / "run.db"


class Gate:
    """A ``run_sync`` that counts, and that holds writes up until they are let through."""

    def __init__(self, *, open: bool = True) -> None:
        self.batches: list[int] = []
        self.failure: BaseException | None = None
        self.way = anyio.Event()
        if open:
            self.way.set()

    async def __call__(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Run it, once the way is free."""
        if function.__name__ != "apply":
            return function(*args)
        self.batches.append(len(args[0]))
        await self.way.wait()
        if self.failure:
            raise self.failure
        return function(*args)


async def turns(count: int = 5) -> None:
    """Let everything that is ready go on."""
    for _ in range(count):
        await asyncio.sleep(0)


# Durable.


@pytest.mark.parametrize("run_sync", [inline, in_thread])
async def test_what_was_recorded_survives_a_crash(path: Path, run_sync: Any) -> None:
    """Once `record` returns, a copy of the files says so; also from a worker thread."""
    journal = await opened(path, run_sync=run_sync)
    await journal.record(intended("k"))
    first = states(wreck(path, path.parent / "1"))
    await journal.record(accepted("k"))
    second = states(wreck(path, path.parent / "2"))
    await journal.aclose()

    assert first == {("k", "generate"): "intended 1"}
    assert second == {("k", "generate"): "accepted 1"}


async def test_a_later_run_goes_on(path: Path) -> None:
    """The same path opens the same journal, with the time of each event."""
    async with await opened(path) as journal:
        await journal.record(intended("k"))
        await journal.record(accepted("k"))
        assert (journal.bought, journal.path) == (0, path)

    async with await opened(path) as journal:
        item = await journal.get("k")
        assert item is not None
        row = item.stages["generate"]
        assert (journal.bought, row.request, row.at) == (1, REQUEST, 1000.0)
        await journal.record(succeeded("k"))
        item = await journal.get("k")
        assert item is not None
        assert item.stages["generate"].generation == GENERATION
        assert await journal.get("nobody") is None
        assert list(await journal.get_many(iter(["nobody", "k"]))) == ["k"]
        assert list(await journal.rows()) == ["k"]
        assert [r.key for r in await journal.sent_between(0, 99)] == ["k"]


async def test_many_callers_share_few_transactions(path: Path) -> None:
    """A thousand concurrent items with three events each take as many commits as one item."""
    gate = Gate()
    journal = await opened(path, run_sync=gate)

    async def one(key: str) -> None:
        for event in (intended(key), accepted(key, key), succeeded(key)):
            await journal.record(event)

    await asyncio.gather(*(one(str(n)) for n in range(1000)))
    await journal.aclose()

    assert gate.batches == [1000, 1000, 1000]


async def test_ends_of_tasks_that_come_one_by_one_share_a_commit(path: Path) -> None:
    """They keep their distance from the commit before; the first one waits for nobody."""
    gate = Gate()
    loop = asyncio.get_running_loop()
    journal = await opened(path, run_sync=gate)
    for n in range(20):
        await journal.record(intended(str(n)))
        await journal.record(accepted(str(n), str(n)))
    before = loop.time()

    tasks = []
    for n in range(20):
        tasks.append(asyncio.create_task(journal.record(succeeded(str(n)))))
        await asyncio.sleep(PACE / 25)
    await asyncio.gather(*tasks)

    assert before == 0.0
    assert loop.time() == pytest.approx(PACE)
    assert gate.batches == [1] * 40 + [20]
    await journal.aclose()


async def test_what_concerns_a_post_is_written_at_once(path: Path) -> None:
    """It takes those along that could wait."""
    gate = Gate()
    journal = await opened(path, run_sync=gate)
    for event in (intended("0"), accepted("0", "t")):
        await journal.record(event)
    waiting = asyncio.create_task(journal.record(succeeded("0")))
    await turns()

    journal.note(intended("1"))
    await waiting

    assert asyncio.get_running_loop().time() == 0.0
    assert gate.batches == [1, 1, 2]
    await journal.aclose()


async def test_all_that_queue_while_one_is_written_go_into_the_next(path: Path) -> None:
    """One writer at a time."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    tasks = [asyncio.create_task(journal.record(intended("0")))]
    await turns()
    for n in range(1, 6):
        tasks.append(asyncio.create_task(journal.record(intended(str(n)))))
        await turns()

    gate.way.set()
    await asyncio.gather(*tasks)
    await journal.record(withdrawn("0"))
    await journal.aclose()

    assert gate.batches == [1, 5, 1]


async def test_an_illegal_event_is_its_own_callers_affair(path: Path) -> None:
    """It raises, it changes nothing, and those who share the transaction do not hear of it."""
    async with await opened(path) as journal:
        ends = await asyncio.gather(
            journal.record(intended("a")),
            journal.record(accepted("b", "t7")),
            journal.record(Retried("a")),
            journal.record(intended("c")),
            return_exceptions=True,
        )
        rows = await journal.rows()

    assert ends[0] is ends[3] is None
    assert list(rows) == ["a", "c"]
    lost, retried = ends[1], ends[2]
    assert isinstance(lost, JournalError)
    assert (lost.key, lost.path, lost.task_id) == ("b", str(path), "t7")
    assert "veo.wait('t7')" in str(lost)  # it was paid for, whatever the journal says
    assert isinstance(retried, JournalError)
    assert (retried.key, retried.task_id, retried.may_have_cost) == ("a", None, False)


async def test_the_writer_does_not_keep_its_first_callers_context(path: Path) -> None:
    """What lies in a caller's context must not live on in a task of ours."""
    secret: contextvars.ContextVar[str] = contextvars.ContextVar("secret")
    secret.set("x")
    seen: list[str | None] = []

    async def look(function: Callable[..., Any], /, *args: Any) -> Any:
        seen.append(secret.get(None))
        return function(*args)

    async with await opened(path, run_sync=look) as journal:
        await journal.record(intended("k"))

    assert seen == ["x", None, "x"]  # open and close run in the caller's own task


# Without waiting.


async def test_a_note_is_recorded_without_waiting(path: Path) -> None:
    """From a callback, in order with what others record."""
    gate = Gate()
    async with await opened(path, run_sync=gate) as journal:
        asyncio.get_running_loop().call_soon(journal.note, intended("k"))
        await turns(1)
        journal.note(accepted("k"))
        await journal.flush()
        await journal.flush()
        rows = await journal.rows()

    assert rows["k"].stages["generate"].state == "accepted"
    assert gate.batches == [2]


async def test_flush_waits_for_what_is_queued_and_for_no_more(path: Path) -> None:
    """Others may go on noting for ever."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    journal.note(intended("0"))
    await turns()
    journal.note(intended("1"))
    flushing = asyncio.create_task(journal.flush())
    await turns()
    gate.way.set()
    await turns(3)
    gate.way = anyio.Event()
    journal.note(intended("2"))
    await flushing

    assert states(wreck(path, path.parent / "1")).keys() == {("0", "generate"), ("1", "generate")}
    gate.way.set()
    await journal.aclose()


@pytest.mark.parametrize("end", ["flush", "aclose"])
async def test_an_error_nobody_heard_of_is_told_once(
    path: Path, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    """By the next `flush` or by `aclose`, and in a warning with the task id."""
    journal = await opened(path)
    journal.note(accepted("a", "t1"))
    journal.note(accepted("b", "t2"))

    with caplog.at_level(logging.WARNING, logger="veo_async"), pytest.raises(JournalError) as told:
        await getattr(journal, end)()
    await journal.aclose()

    assert told.value.key == "a"
    assert [("t1" in text, "t2" in text) for text in caplog.messages] == [
        (True, False),
        (False, True),
    ]


# Cancellation.


@pytest.mark.parametrize("wait", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("how", ["native", "anyio"])
async def test_a_cancelled_caller_disturbs_nobody(path: Path, wait: int, how: str) -> None:
    """Wherever it is cancelled: its event is recorded as a whole or was never queued, and those
    who share its transaction are told the truth."""
    async with await opened(path, run_sync=in_thread) as journal:
        scope = anyio.CancelScope()

        async def cancelled() -> None:
            with scope:
                await journal.record(intended("gone"))
                await journal.record(accepted("gone"))

        before = asyncio.create_task(journal.record(intended("before")))
        victim = asyncio.create_task(cancelled())
        after = asyncio.create_task(journal.record(intended("after")))
        await turns(wait)
        if how == "native":
            victim.cancel()
        else:
            scope.cancel()
        with suppress(asyncio.CancelledError):
            await victim
        await asyncio.gather(before, after)
        await journal.flush()
        rows = await journal.rows()

    assert rows.keys() - {"gone"} == {"before", "after"}
    gone = rows.get("gone")
    assert gone is None or gone.stages["generate"].state in ("intended", "accepted")
    if wait >= 1 and how == "native":
        assert gone is not None  # it was queued, so it is recorded


async def test_a_cancelled_callers_error_is_not_lost(path: Path) -> None:
    """The caller is gone before the commit; `flush` tells what became of its event."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    task = asyncio.create_task(journal.record(accepted("k", "t1")))
    await turns()
    task.cancel()
    await turns()
    gate.way.set()

    with pytest.raises(JournalError, match="t1"):
        await journal.flush()
    await journal.aclose()
    assert task.cancelled()


@pytest.mark.parametrize("legal", [True, False])
async def test_a_caller_cancelled_after_the_commit_hides_no_error(
    path: Path, monkeypatch: pytest.MonkeyPatch, legal: bool
) -> None:
    """In the very moment between the commit and its being told."""
    journal = await opened(path)
    task = asyncio.create_task(journal.record(intended("k") if legal else accepted("k")))
    finish = journal._finish

    def finish_and_cancel(transaction: Any) -> None:
        finish(transaction)
        task.cancel()

    monkeypatch.setattr(journal, "_finish", finish_and_cancel)
    await asyncio.wait([task])
    told: JournalError | None = None
    try:
        await journal.flush()
    except JournalError as exc:
        told = exc
    rows = await journal.rows()
    await journal.aclose()

    assert task.cancelled()
    assert (told is None, list(rows)) == ((True, ["k"]) if legal else (False, []))


async def test_a_writer_that_is_cut_leaves_nobody_waiting(path: Path) -> None:
    """As when the event loop ends: all are told that it may not be recorded, and no intent is
    taken any more, since nobody knows what the thread did."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    first = asyncio.create_task(journal.record(intended("a")))
    await turns()
    second = asyncio.create_task(journal.record(accepted("a", "t1")))
    journal.note(withdrawn("a"))
    await turns()
    assert journal._writer is not None

    journal._writer.cancel()
    ends = await asyncio.gather(first, second, return_exceptions=True)

    assert [isinstance(end, JournalError) for end in ends] == [True, True]
    assert "t1" in str(ends[1])
    with pytest.raises(JournalError, match="Nothing more is submitted"):
        await journal.record(intended("b"))
    gate.way.set()
    with pytest.raises(JournalError, match="could not be written"):
        await journal.aclose()
    assert states(path) == {}


async def test_a_writer_that_is_cut_before_it_began_leaves_nobody_waiting(path: Path) -> None:
    """A task that is cancelled at once never runs; a later event gets a writer of its own."""
    journal = await opened(path)
    await journal.record(intended("a"))
    task = asyncio.create_task(journal.record(accepted("a", "t1")))
    await turns(1)
    assert journal._writer is not None
    journal._writer.cancel()

    with pytest.raises(JournalError, match="t1"):
        await task
    await journal.record(accepted("a", "t1"))
    await journal.aclose()
    assert states(path) == {("a", "generate"): "accepted 1"}


async def test_an_opening_that_is_cancelled_leaves_no_lock(path: Path) -> None:
    """The thread may go on; what it opens is closed again."""
    started, gone = anyio.Event(), anyio.Event()

    async def slow(function: Callable[..., Any], /, *args: Any) -> Any:
        result = function(*args)
        if function.__name__ == "open":
            started.set()
            await gone.wait()
        return result

    task = asyncio.create_task(opened(path, run_sync=slow))
    await started.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    async with await opened(path) as journal:
        await journal.record(intended("k"))
    assert task.cancelled()


async def test_a_close_that_is_cancelled_closes_after_the_last_commit(path: Path) -> None:
    """What is queued is written all the same, and the lock is gone."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    journal.note(intended("a"))
    await turns()
    journal.note(intended("b"))
    closing = asyncio.create_task(journal.aclose())
    await turns()
    closing.cancel()
    await turns()
    gate.way.set()
    with suppress(asyncio.CancelledError):
        await closing

    assert closing.cancelled()
    assert states(path).keys() == {("a", "generate"), ("b", "generate")}


# Failure.


def fill(journal: Journal) -> Callable[[], object]:
    """Let the disk be full; returns what frees it."""
    db = journal._file._db
    assert db is not None
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: db.execute("PRAGMA max_page_count = 1000000")


LONG = "x" * 50_000


async def test_a_full_disk_stops_all_submits(path: Path) -> None:
    """Whoever awaits an intent hears that it is not recorded, also those who queue behind it, and
    for good. What was bought before is recorded as soon as there is room."""
    journal = await opened(path)
    await journal.record(intended("bought"))
    free = fill(journal)

    ends = await asyncio.gather(
        journal.record(intended("a", prompt=LONG)),
        journal.record(intended("b")),
        return_exceptions=True,
    )
    free()
    with pytest.raises(JournalError, match="Nothing more is submitted") as caught:
        await journal.record(intended("c"))
    with pytest.raises(JournalError, match="Nothing more is submitted"):
        journal.note(intended("d"))
    await journal.record(accepted("bought", "t1"))
    await journal.aclose()

    for end, key in zip(ends, "ab", strict=True):
        assert isinstance(end, JournalError)
        assert (end.key, end.path, end.may_have_cost) == (key, str(path), False)
        assert "the disk is full" in str(end)
    assert ends[0] is not ends[1]
    assert "the disk is full" in str(caught.value)
    assert states(path) == {("bought", "generate"): "accepted 1"}


async def test_intents_behind_a_failed_write_are_refused_and_the_rest_is_tried(path: Path) -> None:
    """They were queued before anybody knew; each is told the truth."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    gate.failure = sqlite3.OperationalError("database or disk is full")
    first = asyncio.create_task(journal.record(intended("a")))
    await turns()
    queued = [
        asyncio.create_task(journal.record(event))
        for event in (intended("b"), failed("never"), accepted("k", "t1"))
    ]
    await turns()
    gate.way.set()
    ends = await asyncio.gather(first, *queued, return_exceptions=True)
    gate.failure = None
    await journal.aclose()

    texts = [str(end) for end in ends]
    assert all(isinstance(end, JournalError) for end in ends)
    assert "database or disk is full" in texts[0]
    assert "Nothing more is submitted" in texts[1]
    assert "Nothing more is submitted" not in texts[2] + texts[3]
    assert "veo.wait('t1')" in texts[3]
    assert gate.batches == [1, 2]


async def test_any_failure_of_a_write_is_one_of_ours(path: Path) -> None:
    """Whatever the machine raises, nobody may think that it is recorded."""
    gate = Gate()
    journal = await opened(path, run_sync=gate)
    gate.failure = MemoryError("no room")

    with pytest.raises(JournalError, match="no room") as caught:
        await journal.record(intended("k"))
    await journal.aclose()

    assert isinstance(caught.value.__cause__, MemoryError)


async def test_a_second_owner_is_refused_and_the_first_goes_on(path: Path) -> None:
    """Two batches of one process cannot share a journal either."""
    async with await opened(path) as journal:
        with pytest.raises(JournalError, match="it is in use"):
            await opened(path)
        await journal.record(intended("k"))

    assert states(path) == {("k", "generate"): "intended 1"}


async def test_a_closed_journal_takes_nothing(path: Path) -> None:
    """It can be closed again, and whoever records later is told so."""
    journal = await opened(path)
    await journal.record(intended("k"))
    await journal.aclose()
    await journal.aclose()

    with pytest.raises(JournalError, match="is closed"):
        await journal.record(accepted("k", "t1"))
    with pytest.raises(JournalError, match=r"is closed.*veo\.wait\('t1'\)"):
        journal.note(accepted("k", "t1"))
    with pytest.raises(JournalError, match="is closed"):
        await journal.rows()
    assert list(path.parent.iterdir()) == [path]


async def test_an_abandoned_journal_leaves_a_file_that_opens(path: Path) -> None:
    """As after a crash of the event loop: nothing of ours runs, and the next owner goes on."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    gate.way.set()
    await journal.record(intended("k"))
    gate.way = anyio.Event()
    task = asyncio.create_task(journal.record(accepted("k")))
    await turns()

    assert states(wreck(path, path.parent / "crash")) == {("k", "generate"): "intended 1"}
    gate.way.set()
    await task
    await journal.aclose()
    gc.collect()  # no unclosed connection is left to warn of
