from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.journal.journals import (
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
from veo_async._base.runtime import in_thread
from veo_async._journal import cache as cache_module
from veo_async._journal.events import Event, Retried, Saved
from veo_async._journal.journal import GROUP, PACE, Journal
from veo_async._journal.rows import FIRST
from veo_async._journal.states import download_stage
from veo_async.errors import JournalError

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "run.db"


class Gate:
    """A ``run_sync`` that counts calls, and that delays those of one kind until they may pass.

    Attributes:
        batches: how many rows each commit wrote.
        times: when each began, in virtual seconds.
        read: the keys of each reading.
        failure: what the calls of that kind raise, before their work or, if it is ``late``, after.
    """

    def __init__(self, *, open: bool = True, at: str = "write") -> None:
        self.batches: list[int] = []
        self.times: list[float] = []
        self.read: list[list[str] | None] = []
        self.failure: BaseException | None = None
        self.late = False
        self.way = anyio.Event()
        self._at = at
        if open:
            self.way.set()

    async def __call__(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Run it, once the way is free."""
        name = function.__name__
        if name == "items":
            self.read.append(*args)
        if name == "write":
            self.batches.append(len(args[0]))
            self.times.append(now())
        if name != self._at:
            return function(*args)
        await self.way.wait()
        if self.failure and not self.late:
            raise self.failure
        result = function(*args)
        if self.failure:
            raise self.failure
        return result


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


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


async def test_commits_keep_their_distance_and_an_isolated_one_waits_for_nobody(path: Path) -> None:
    """Those who are at work at the same time share one."""
    gate = Gate()
    journal = await opened(path, run_sync=gate)
    for n in range(3):
        await journal.record(intended(str(n)))
    await asyncio.sleep(GROUP)
    tasks = []
    for n in range(3, 18):
        tasks.append(asyncio.create_task(journal.record(intended(str(n)))))
        await asyncio.sleep(0.15 * GROUP)
    await asyncio.gather(*tasks)
    await journal.aclose()

    assert gate.times == pytest.approx([n * GROUP for n in range(7)])
    assert gate.batches == [1, 1, 1, 1, 6, 7, 1]


async def test_a_slow_disk_sets_its_own_distance(path: Path) -> None:
    """A commit that takes longer than the distance is followed at once."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    first = asyncio.create_task(journal.record(intended("0")))
    await asyncio.sleep(10 * GROUP)
    second = asyncio.create_task(journal.record(intended("1")))
    await asyncio.sleep(GROUP / 2)
    gate.way.set()
    await asyncio.gather(first, second)
    await journal.aclose()

    assert gate.times == pytest.approx([0.0, 10.5 * GROUP])


async def test_what_is_in_no_hurry_shares_a_commit(path: Path) -> None:
    """The ends of tasks that come one by one keep a longer distance; an isolated one is written at
    once."""
    gate = Gate()
    journal = await opened(path, run_sync=gate)
    for n in range(20):
        journal.note(intended(str(n)))
        journal.note(accepted(str(n), str(n)))
    await journal.flush()

    for n in range(18):
        journal.note(succeeded(str(n)), hurried=False)
        await asyncio.sleep(PACE / 20)
    shown = states(wreck(path, path.parent / "before")).values()
    await asyncio.sleep(PACE / 5)
    journal.note(succeeded("18"), hurried=False)
    await asyncio.sleep(2 * PACE)
    journal.note(succeeded("19"), hurried=False)
    await turns(20)

    assert set(shown) == {"accepted 1"}
    assert gate.times == pytest.approx([0.0, PACE, 2 * PACE, now()])
    assert gate.batches == [20, 18, 1, 1]
    assert set(states(wreck(path, path.parent / "after")).values()) == {"succeeded 1"}
    await journal.aclose()


@pytest.mark.parametrize("what", ["note", "record", "flush", "aclose"])
async def test_what_is_in_a_hurry_takes_the_others_along(path: Path, what: str) -> None:
    """An event about a POST, and a flush, wait for no more than the shorter interval. Later
    events may wait again."""
    gate = Gate()
    journal = await opened(path, run_sync=gate)
    for event in (intended("0"), accepted("0", "t")):
        journal.note(event)
    await journal.flush()
    journal.note(succeeded("0"), hurried=False)
    await asyncio.sleep(GROUP / 2)

    if what in ("note", "record"):
        waits = getattr(journal, what)(intended("1"))
        if waits:
            await waits
    else:
        await getattr(journal, what)()
    await asyncio.sleep(2 * GROUP)
    if what != "aclose":
        journal.note(intended("2"), hurried=False)
        await asyncio.sleep(PACE / 2)
        shared = len(gate.times)
        await journal.aclose()
        assert shared == 2

    assert gate.times[:2] == pytest.approx([0.0, GROUP])
    assert gate.batches[:2] == [1, 1 if what in ("flush", "aclose") else 2]


async def test_all_that_queue_while_one_is_written_go_into_the_next(path: Path) -> None:
    """One writer at a time."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)
    tasks = [asyncio.create_task(journal.record(intended("0")))]
    await asyncio.sleep(PACE)
    for n in range(1, 6):
        tasks.append(asyncio.create_task(journal.record(intended(str(n)))))
        await asyncio.sleep(PACE)

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
    """Variables of a caller's context must not live on in a task of ours."""
    secret: contextvars.ContextVar[str] = contextvars.ContextVar("secret")
    secret.set("x")
    seen: list[str | None] = []

    async def look(function: Callable[..., Any], /, *args: Any) -> Any:
        seen.append(secret.get(None))
        return function(*args)

    async with await opened(path, run_sync=look) as journal:
        await journal.record(intended("k"))

    assert seen == ["x", "x", "x", None, None, "x"]  # open and close run in the caller's own task


# What is known of the items.


async def test_an_item_is_read_before_the_first_event_only(path: Path) -> None:
    """All that a transaction needs in one go. What is over is forgotten, and read once more when
    something happens to it all the same."""
    async with await opened(path) as journal:
        for event in (intended("old"), accepted("old"), intended("failed"), accepted("failed")):
            await journal.record(event)
        await journal.record(failed("failed"))
    gate = Gate()

    async with await opened(path, run_sync=gate) as journal:
        batches: list[list[Event]] = [
            [succeeded("old"), Retried("failed"), intended("new")],
            [intended("failed"), accepted("new")],
            [Saved("old", download_stage(FIRST, 0), "a.mp4", 7)],
        ]
        for batch in batches:
            await asyncio.gather(*(journal.record(event) for event in batch))

    assert gate.read == [["old", "failed", "new"], ["old"]]
    assert states(path) == {
        ("old", "generate"): "succeeded 1",
        ("old", "download:generate:0"): "saved 1",
        ("failed", "generate"): "intended 2",
        ("new", "generate"): "accepted 1",
    }


async def test_what_a_batch_reads_before_it_begins_is_not_read_again(path: Path) -> None:
    """But for what is over, of which nothing more is expected."""
    async with await opened(path) as journal:
        for event in (intended("on"), intended("over"), accepted("over"), succeeded("over")):
            await journal.record(event)
    gate = Gate()

    async with await opened(path, run_sync=gate) as journal:
        await journal.get_many(["on", "over", "new"])
        saved = Saved("over", download_stage(FIRST, 0), "a.mp4", 7)
        batch = (accepted("on"), intended("new"), saved)
        await asyncio.gather(*(journal.record(event) for event in batch))

    assert gate.read == [["on", "over", "new"], ["over"]]
    assert sorted(states(path).values()) == ["accepted 1", "intended 1", "saved 1", "succeeded 1"]


async def test_a_crowd_of_items_is_more_than_the_book_keeps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event is judged by those recorded before it, also after the cache forgot the item."""
    monkeypatch.setattr(cache_module, "MOST_KEPT", 3)
    async with await opened(path) as journal:
        for step in (intended, accepted, succeeded):
            for first in range(0, 10, 5):
                events = [step(str(n)) for n in range(first, first + 5)]
                await asyncio.gather(*map(journal.record, events))
                await journal.get_many(["later", "0"])

    assert list(states(path).values()) == ["succeeded 1"] * 10


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
    assert gate.batches == [1]  # both are of one row


async def test_flush_waits_for_what_is_queued_and_for_no_more(path: Path) -> None:
    """Others may go on noting for ever."""
    gate = Gate(open=False)
    journal = await opened(path, run_sync=gate)

    async def others() -> None:
        for n in itertools.count(2):
            journal.note(intended(str(n)))
            await asyncio.sleep(GROUP / 3)

    journal.note(intended("0"))
    await asyncio.sleep(GROUP)
    journal.note(intended("1"))
    flushing = asyncio.create_task(journal.flush())
    await turns()
    noting = asyncio.create_task(others())
    await asyncio.sleep(10 * GROUP)
    was_done = flushing.done()
    gate.way.set()
    await flushing

    assert not was_done
    assert now() <= 12 * GROUP
    shown = states(wreck(path, path.parent / "1"))
    assert {("0", "generate"), ("1", "generate")} <= shown.keys()
    await asyncio.sleep(2 * GROUP)
    noting.cancel()
    await asyncio.wait([noting])
    await journal.aclose()
    assert shown.keys() < states(path).keys()


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
    gate = Gate(open=False, at="items")
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
    assert journal._writer._task is not None

    journal._writer._task.cancel()
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
    assert journal._writer._task is not None
    journal._writer._task.cancel()

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
    """The queued events are written all the same, and the lock is released."""
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


@pytest.mark.parametrize("second", range(6))
@pytest.mark.parametrize("first", range(1, 12))
async def test_a_close_that_is_cancelled_twice_leaves_no_lock(
    path: Path, first: int, second: int
) -> None:
    """At whichever turns the cancellations come, the file is free again, so that the next batch in
    this process can open it."""
    journal = await opened(path)
    journal.note(intended("a"))
    closing = asyncio.create_task(journal.aclose())
    for count in (first, second):
        await turns(count)
        closing.cancel()
    with suppress(asyncio.CancelledError):
        await closing

    await (await opened(path)).aclose()


# Failure.


def fill(journal: Journal) -> Callable[[], object]:
    """Let the disk be full; returns what frees it."""
    db = journal._database._db
    assert db is not None
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: db.execute("PRAGMA max_page_count = 1000000")


LONG = "x" * 50_000


async def test_a_full_disk_stops_all_submits(path: Path) -> None:
    """Every caller of an intent gets the error, also those queued behind it, and from then on.
    Earlier purchases are recorded as soon as there is room."""
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
    gate = Gate()
    journal = await opened(path, run_sync=gate)
    await journal.record(intended("k"))
    gate.way = anyio.Event()
    gate.failure = sqlite3.OperationalError("database or disk is full")
    first = asyncio.create_task(journal.record(intended("a")))
    await asyncio.sleep(PACE)
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
    assert "Nothing more is submitted" in texts[1]
    assert "Nothing more is submitted" not in texts[2] + texts[3]
    assert all("database or disk is full" in text for text in texts)
    assert "veo.wait('t1')" in texts[3]
    assert gate.batches == [1, 1, 1]


@pytest.mark.parametrize("late", [False, True])
async def test_after_a_failed_write_the_file_is_asked_what_it_says(path: Path, late: bool) -> None:
    """It may have been recorded or not, whatever was said of it. What was bought is recorded by
    what is there."""
    gate = Gate()
    async with await opened(path, run_sync=gate) as journal:
        await journal.record(intended("k"))
        gate.failure, gate.late = sqlite3.OperationalError("disk I/O error"), late
        with pytest.raises(JournalError, match="disk I/O error"):
            await journal.record(accepted("k", "t1"))
        gate.failure = None

        if not late:
            with pytest.raises(JournalError, match="'succeeded' is no legal event for 'new'"):
                await journal.record(succeeded("other"))
            await journal.record(accepted("k", "t1"))
        await journal.record(succeeded("k"))

    assert states(path) == {("k", "generate"): "succeeded 1"}
    assert ["k"] in gate.read[1:]


async def test_a_reading_that_fails_is_a_failed_write(path: Path) -> None:
    """An item that cannot be read cannot be continued."""
    gate = Gate(at="items")
    journal = await opened(path, run_sync=gate)
    gate.failure = sqlite3.OperationalError("disk I/O error")

    with pytest.raises(JournalError, match="disk I/O error"):
        await journal.record(intended("a"))
    gate.failure = None
    with pytest.raises(JournalError, match="Nothing more is submitted"):
        await journal.record(intended("a"))
    await journal.aclose()

    assert states(path) == {}


async def test_any_failure_of_a_write_is_one_of_ours(path: Path) -> None:
    """After any exception of the machine no caller may believe that it is recorded."""
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
