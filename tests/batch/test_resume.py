from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest

from tests.journal.journals import states, wreck
from tests.support.service import NOW, client_of, emulator, inline
from veo_async import (
    BadRequestError,
    DownloadError,
    GenerationFailedError,
    Get1080p,
    InsufficientBalanceError,
    InvalidRequestError,
    JournalError,
    Outcome,
    RateLimit,
    RetryPolicy,
    SubmissionLimitError,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
    VeoError,
    WaitTimeoutError,
)
from veo_async._base.runtime import Runtime
from veo_async._journal.events import Event
from veo_async._journal.journal import GROUP, Journal
from veo_async._journal.journal import PACE as JOURNAL_PACE
from veo_async._journal.rows import FIRST, Row
from veo_async._journal.sqlite import JournalDatabase
from veo_async.emulator import (
    Answer,
    Drop,
    Emulator,
    Fail,
    Fault,
    Hang,
    Seconds,
    Torn,
    VideoFormat,
    Wire,
)

pytestmark = pytest.mark.asyncio

PACE = Seconds(mean=60.0)


def prompts(*texts: str) -> list[TextToVideo]:
    """Requests for these prompts."""
    return [TextToVideo(prompt=text) for text in texts]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "run.db"


async def outcomes_of(veo: VeoClient, requests: Any, **options: Any) -> list[Outcome]:
    """All outcomes of a batch."""
    async with veo.batch(requests, **options) as outcomes:
        return [outcome async for outcome in outcomes]


async def once(service: Emulator, requests: Any, **options: Any) -> list[Outcome]:
    """All outcomes of a batch of a process of its own."""
    client = {name: options.pop(name) for name in ("retry", "rate_limit") if name in options}
    loop = asyncio.get_running_loop()
    clock = Runtime(wall_clock=lambda: NOW + loop.time(), rng=Random(1), run_sync=inline)
    async with client_of(service, runtime=clock, **client) as veo:
        return await outcomes_of(veo, requests, **options)


def errors(outcomes: list[Outcome]) -> list[type | None]:
    """The classes of their errors."""
    return [type(outcome.error) if outcome.error else None for outcome in outcomes]


# The proof.


@pytest.mark.slow
async def test_five_hundred_against_a_bad_service(path: Path) -> None:
    """Lost answers, 5xx after acceptance, 429, dropped polls and failures: 500 outcomes, each
    bought once, none uncertain. Running the batch again costs nothing."""
    service = emulator(pace=PACE)
    service.faults.add(
        Fault(effect=Drop(at="accepted"), probability=0.1),
        Fault(effect=Answer(at="accepted"), probability=0.1),
        Fault(effect=Answer(code="too_many_requests"), probability=0.1),
        Fault(effect=Drop(), on="tasks", probability=0.05),
        Fault(effect=Fail(), probability=0.05),
    )
    requests = prompts(*[f"p{max(number, 49)}" for number in range(500)])
    async with service:
        outcomes = await once(service, requests, journal=path)
        calls = service.counters.copy()
        again = await once(service, requests, journal=path)

    assert len({outcome.key for outcome in outcomes}) == len(service.bill) == 500
    assert set(errors(outcomes)) == {None, GenerationFailedError}
    assert Counter(errors(again)) == Counter(errors(outcomes))
    assert service.counters == calls


async def test_a_later_run_knows_how_the_service_answered_an_earlier_one(path: Path) -> None:
    """If any run saw the service answer with an id at once, a later run proves an absence without
    waiting for a quarter of an hour."""
    cut = Fault(effect=Drop(at="read"), nth=2)
    service = emulator(pace=PACE, faults=[cut])
    requests = prompts("a", "b")
    async with service:
        first = await once(service, requests, journal=path, retry=RetryPolicy(on_uncertain="raise"))
        began = asyncio.get_running_loop().time()
        second = await once(service, requests, journal=path)

    assert errors(first).count(SubmissionUncertainError) == 1
    assert errors(second) == [None, None]
    assert len(service.bill) == 2
    assert asyncio.get_running_loop().time() - began < 300.0


async def test_the_end_of_a_task_is_durable_soon_after_its_outcome(path: Path) -> None:
    """It is written within the journal's own pace, and at the latest at the end of the batch. A run
    that is killed before knows the task, and retrieves its end again."""
    service, wrecks = emulator(pace=Seconds(mean=60.0, sigma=0.0)), []
    requests = prompts(*"abcdef")
    async with service, client_of(service, rate_limit=RateLimit(in_flight=2)) as veo:
        async with veo.batch(requests, journal=path) as outcomes:
            async for outcome in outcomes:
                slot, folder = (outcome.key, FIRST), path.parent / outcome.key
                wrecks.append(wreck(path, folder / "at once"))
                assert states(wrecks[-1])[slot] in ("accepted 1", "succeeded 1")
                if len(wrecks) < len(requests):
                    await asyncio.sleep(JOURNAL_PACE + GROUP)
                    assert states(wreck(path, folder / "later"))[slot] == "succeeded 1"
        again = await outcomes_of(veo, requests[:1], journal=wrecks[0])

    assert set(states(path).values()) == {"succeeded 1"}
    assert "accepted 1" in states(wrecks[0]).values()
    assert errors(again) == [None]
    assert len(service.bill) == 6


# The run.


async def test_outcomes_come_as_they_are_ready_and_are_read_lazily() -> None:
    """At most ``max_in_flight`` are read before an outcome is consumed; any input will do."""
    read: list[int] = []

    def endless() -> Iterator[TextToVideo]:
        for number in range(10**6):
            read.append(number)
            yield TextToVideo(prompt=f"p{number}")

    async def later() -> AsyncIterator[tuple[str, TextToVideo]]:
        for number in range(3):
            await asyncio.sleep(100.0)
            yield f"k{number}", TextToVideo(prompt="p")

    service = emulator(pace=PACE)
    async with service, client_of(service) as veo:
        async with veo.batch(endless(), max_in_flight=5) as outcomes:
            async for _ in outcomes:
                await asyncio.sleep(600.0)
                break
        ends = await outcomes_of(veo, later())

        assert len(read) <= 6
        assert [outcome.key for outcome in ends] == ["k0", "k1", "k2"]
        assert len(service.bill) == len(read) + 3


async def test_an_error_of_the_callers_arrives_as_itself() -> None:
    """It is not wrapped in a group, and the started tasks are kept."""
    service = emulator(pace=PACE)
    async with service, client_of(service) as veo:
        mine = VeoError("mine")

        async def body() -> None:
            async with veo.batch(prompts(*"abc")) as outcomes:
                async for _ in outcomes:
                    raise mine

        with pytest.raises(VeoError) as caught:
            await body()

        assert caught.value is mine
        assert caught.value.__context__ is None
        unsettled = {item.task_id for item in veo.unsettled}
        assert len(unsettled) == len(service.bill) - 1


async def test_an_error_of_the_input_is_raised_after_the_items_under_way() -> None:
    """An exception of the input, a repeated key or an invalid request is raised once, at the
    end."""

    def broken(last: Any) -> Iterator[Any]:
        yield "k", TextToVideo(prompt="a")
        if isinstance(last, Exception):
            raise last
        yield last

    service = emulator(pace=PACE)
    async with service, client_of(service) as veo:
        for last, match in [
            (ZeroDivisionError("x"), "x"),
            (InvalidRequestError("prompt: must not be empty."), r"empty\. It was not sent\.$"),
            (("k", TextToVideo(prompt="b")), "'k' comes twice"),
            ("text", "request"),
        ]:
            async with veo.batch(broken(last)) as outcomes:
                assert (await anext(outcomes)).result
                with pytest.raises((ZeroDivisionError, InvalidRequestError), match=match):
                    await anext(outcomes)
                with pytest.raises(StopAsyncIteration):
                    await anext(outcomes)

    assert len(service.bill) == 4


@pytest.mark.parametrize("recorded", [False, True])
async def test_an_input_that_cannot_be_iterated_leaves_no_lock(
    path: Path, *, recorded: bool
) -> None:
    """Its error is raised where the batch is entered, and the journal can be opened again."""

    class Broken:
        def __iter__(self) -> Iterator[TextToVideo]:
            raise ZeroDivisionError

    options = {"journal": path} if recorded else {}
    service = emulator(pace=PACE)
    async with service, client_of(service) as veo:
        with pytest.raises(ZeroDivisionError):
            await outcomes_of(veo, Broken(), **options)
        ends = await outcomes_of(veo, prompts("a"), **options)

    assert errors(ends) == [None]


async def test_no_more_is_submitted_than_was_allowed() -> None:
    """Lost submits count, refused ones do not; the others say that nothing was bought."""
    service = emulator(pace=PACE)
    service.faults.add(
        Fault(effect=Answer(code="bad_request"), nth=1), Fault(effect=Drop(at="accepted"), nth=2)
    )
    policy = RetryPolicy(on_uncertain="raise")
    async with service:
        ends = await once(service, prompts(*"abcdefgh"), max_submissions=3, retry=policy)
        none = await once(service, prompts("a"), max_submissions=0)

    kinds = Counter(errors([*ends, *none]))
    assert kinds == {
        None: 2,
        SubmissionUncertainError: 1,
        BadRequestError: 1,
        SubmissionLimitError: 5,
    }
    assert len(service.bill) == 3
    assert not any(o.error.may_have_cost for o in ends if type(o.error) is SubmissionLimitError)


async def test_a_submit_that_bought_nothing_is_not_counted() -> None:
    """A lost submit that provably bought nothing is sent again within the same limit."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Drop(at="read"), nth=2))
    async with service:
        ends = await once(service, prompts("a", "b"), max_submissions=2)

    assert errors(ends) == [None, None]
    assert service.counters["submit"] == 3


async def test_an_empty_account_stops_the_rest(path: Path) -> None:
    """Paid tasks are awaited; the other outcomes have the error, and a later run buys them."""
    service = emulator(pace=PACE, balance=3)
    limit = RateLimit(concurrency=1)
    async with service:
        ends = await once(service, prompts(*"abcdefgh"), journal=path, rate_limit=limit)

    assert Counter(errors(ends)) == {None: 3, InsufficientBalanceError: 5}
    assert service.counters["submit"] == 4
    assert Counter(states(path).values()) == {"succeeded 1": 3, "withdrawn 1": 1}


# Resume.


async def test_a_later_run_continues(path: Path) -> None:
    """Finished items cost nothing, known tasks are waited for, and new requests are bought."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Fail(), nth=2))
    requests = [(name, TextToVideo(prompt=name)) for name in "abc"]
    async with service:
        late = await once(service, requests, journal=path, timeout=1.0)
        ends = await once(service, requests, journal=path)
        calls = service.counters.copy()
        again = await once(service, [*requests, ("d", TextToVideo(prompt="d"))], journal=path)

    assert set(errors(late)) == {WaitTimeoutError}
    assert Counter(errors(ends)) == {None: 2, GenerationFailedError: 1}
    assert Counter(errors(again)) == {None: 3, GenerationFailedError: 1}
    assert service.counters["submit"] == calls["submit"] + 1
    assert len(service.bill) == 4


async def test_a_failed_item_is_tried_again_on_request_only(path: Path) -> None:
    """It is a new attempt beside the failed one."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Fail(), nth=1))
    async with service:
        first = await once(service, prompts("a"), journal=path)
        same = await once(service, prompts("a"), journal=path)
        retried = await once(service, prompts("a"), journal=path, retry_failed=True)

    assert errors([*first, *same, *retried]) == [GenerationFailedError] * 2 + [None]
    assert len(service.bill) == 2


@pytest.mark.parametrize("effect", [Drop(at="accepted"), Drop(at="read")])
async def test_a_submit_without_a_known_outcome_is_reconciled(
    path: Path, effect: Drop, tmp_path: Path
) -> None:
    """Accepted or not, it is bought once, however late the batch is resumed. With ``resend`` it may
    be bought twice."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=effect, nth=1))
    policy = RetryPolicy(on_uncertain="raise")
    async with service:
        first = await once(service, prompts("a", "b"), journal=path, retry=policy)
        still = await once(service, prompts("a", "b"), journal=path, retry=policy)
        copied = wreck(path, tmp_path / "copy")
        await asyncio.sleep(90000.0)
        found = await once(service, prompts("a", "b"), journal=path)
        bought = len(service.bill)
        resend = RetryPolicy(on_uncertain="resend")
        again = await once(service, prompts("a", "b"), journal=copied, retry=resend)

    unknown = {SubmissionUncertainError: 1, None: 1}
    assert Counter(errors(first)) == Counter(errors(still)) == unknown
    assert errors([*found, *again]) == [None] * 4
    assert (bought, len(service.bill)) == (2, 3)


async def test_a_resend_that_cannot_be_recorded_stops_the_batch(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The item is uncertain, for its first POST may be billed, and no other item is sent."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Drop(at="accepted"), nth=1))
    policy = RetryPolicy(on_uncertain="resend")
    record, calls = Journal.record, iter(range(9))

    async def refused_once(self: Journal, event: Event) -> None:
        if next(calls) == 1:
            raise JournalError("the disk is full", path=str(path))
        await record(self, event)

    monkeypatch.setattr(Journal, "record", refused_once)
    outcomes: list[Outcome] = []

    async def run(veo: VeoClient) -> None:
        requests = prompts("a", "b", "c")
        async with veo.batch(requests, journal=path, max_in_flight=1) as batch:
            async for outcome in batch:
                outcomes.append(outcome)  # noqa: PERF401 - those before the error count

    async with service, client_of(service, retry=policy) as veo:
        with pytest.raises(JournalError):
            await run(veo)

    assert errors(outcomes) == [SubmissionUncertainError]
    assert len(service.bill) == 1


async def test_a_lost_submit_without_any_task_of_ours_near_is_not_sent_again(path: Path) -> None:
    """An empty list proves nothing unless it is known to show tasks of this journal."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Drop(at="read"), nth=1))
    policy = RetryPolicy(on_uncertain="raise")
    async with service:
        await once(service, prompts("a"), journal=path, retry=policy)
        ends = await once(service, prompts("a"), journal=path)

    assert errors(ends) == [SubmissionUncertainError]
    assert not service.bill
    assert "Nothing was bought" not in str(ends[0].error)


async def test_a_submit_stays_uncertain_without_a_readable_list(path: Path) -> None:
    """Nothing is sent again."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Drop(at="accepted"), nth=1))
    policy = RetryPolicy(on_uncertain="raise")
    async with service:
        await once(service, prompts("a"), journal=path, retry=policy)
        service.faults.add(Fault(effect=Answer(), on="list"))
        ends = await once(service, prompts("a"), journal=path)

    assert errors(ends) == [SubmissionUncertainError]
    assert len(service.bill) == 1


async def test_another_input_buys_nothing(path: Path) -> None:
    """Neither another request under a known key nor an unknown list of requests is bought; the list
    is, with ``extend``."""
    service = emulator(pace=PACE)
    other = prompts(*"xyz")
    async with service:
        await once(service, prompts(*"abc"), journal=path)
        with pytest.raises(JournalError, match="extend=True"):
            await once(service, other, journal=path)
        many = [TextToVideo(prompt=f"m{number}") for number in range(1500)]
        with pytest.raises(JournalError, match="extend=True"):
            await once(service, many, journal=path)
        bought = len(service.bill)
        await once(service, other, journal=path, extend=True)

        key = path.with_name("keys.db")
        await once(service, [("k", TextToVideo(prompt="a"))], journal=key)
        with pytest.raises(JournalError, match="another request"):
            await once(service, [("k", TextToVideo(prompt="b"))], journal=key)

    assert (bought, len(service.bill)) == (3, 7)


async def test_the_other_spelling_is_in_the_journal_too(path: Path) -> None:
    """The first spelling's refusal is not the item's end."""
    service = emulator(pace=PACE)
    async with service:
        service.faults.add(Fault(effect=Answer(code="bad_request"), action="get_1080p"))
        ends = await once(service, prompts("a"), journal=path, upscale=True)

    assert errors(ends) == [None]
    assert Counter(states(path).values()) == {"succeeded 1": 2}


# Stages and files.


async def test_files_and_upscales_are_stages(path: Path, tmp_path: Path) -> None:
    """After a failed upscale or download only that stage is repeated; nothing is generated
    again."""
    service = emulator(pace=PACE, video=VideoFormat(seconds=1, fps=2, short_side=64))
    folder = tmp_path / "out"
    options: dict[str, Any] = {"journal": path, "download_to": folder, "upscale": True}
    asked = [("Clip", TextToVideo(prompt="a"))]
    async with service:
        service.faults.add(Fault(effect=Fail(), action="get_1080p", nth=1))
        (failed,) = await once(service, asked, **options)
        gone = Fault(effect=Answer(status=404), on="file")
        service.faults.add(gone)
        (unsaved,) = await once(service, asked, retry_failed=True, **{**options, "journal": path})
        service.faults.remove(gone)
        failed.files[0].unlink()
        (done,) = await once(service, asked, **options)
        fetched = service.counters["file"]
        (again,) = await once(service, asked, **options)

    assert isinstance(failed.error, GenerationFailedError)
    assert failed.result
    assert len(failed.files) == 1
    assert isinstance(unsaved.error, DownloadError)
    assert unsaved.result
    assert done.error is None
    assert [file.name.endswith("-1080p.mp4") for file in done.files] == [False, True]
    assert all(file.parent == folder and file.stat().st_size for file in done.files)
    assert again == done
    assert service.counters["file"] == fetched
    assert len(service.bill) == 3


# Stopping.


async def test_a_cancelled_batch_drains_and_says_how_to_resume(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing more is sent, the open POST is recorded, and the journal is closed."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Hang(at="accepted", seconds=5.0), nth=1))
    async with service:
        with anyio.move_on_after(1.0), caplog.at_level(logging.WARNING):
            await once(service, prompts("a"), journal=path)
        stopped = states(path)
        ends = await once(service, prompts("a"), journal=path)

    assert list(stopped.values()) == ["accepted 1"]
    assert "run it again with the journal" in caplog.text
    assert errors(ends) == [None]
    assert len(service.bill) == 1


async def test_a_second_cancellation_stops_at_once(path: Path) -> None:
    """An open POST is uncertain, and the next run reconciles it."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Hang(at="accepted", seconds=8.0), nth=1))
    async with service, client_of(service) as veo:
        task = asyncio.create_task(outcomes_of(veo, prompts("a"), journal=path))
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.sleep(1.0)
        began = asyncio.get_running_loop().time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().time() - began < 1.0
        assert list(states(path).values()) == ["uncertain 1"]
        ends = await outcomes_of(veo, prompts("a"), journal=path)

    assert errors(ends) == [None]
    assert len(service.bill) == 1


@pytest.mark.parametrize("hang", [30.0, 60.0, 200.0, 550.0])
async def test_a_submit_that_stays_open_after_its_batch_is_not_bought_again(
    path: Path, hang: float
) -> None:
    """Another process resumes the journal before the service accepts the POST of this client."""
    service = emulator(pace=PACE)
    service.faults.add(Fault(effect=Hang(at="read", seconds=hang), on="submit", nth=2))
    loop = asyncio.get_running_loop()
    clock = Runtime(wall_clock=lambda: NOW + loop.time(), rng=Random(2), run_sync=inline)
    async with service, client_of(service, runtime=clock) as first:
        with anyio.move_on_after(3.0):
            await outcomes_of(first, prompts("a", "b"), journal=path)
        ends = await once(service, prompts("a", "b"), journal=path)
        await asyncio.sleep(600.0)

    assert errors(ends) == [None, None]
    assert Counter(charge.request["prompt"] for charge in service.bill) == {"a": 1, "b": 1}


async def test_the_end_of_a_batch_says_nothing_of_the_posts_of_others(path: Path) -> None:
    """POSTs of another batch, which has its own journal, and of plain calls are not recorded."""
    service = emulator(pace=PACE)
    other = path.with_name("other.db")
    service.faults.add(Fault(effect=Hang(at="read", seconds=30.0), on="submit"))
    async with service, client_of(service) as veo:
        plain = asyncio.create_task(veo.text2video("plain"))
        other_batch = asyncio.create_task(outcomes_of(veo, prompts("a"), journal=other))
        await asyncio.sleep(10.0)
        with anyio.move_on_after(1.0):
            await outcomes_of(veo, [], journal=path)
        meanwhile = wreck(other, path.parent / "meanwhile")
        ends = await other_batch
        await plain

    assert list(states(meanwhile).values()) == ["intended 1"]
    assert errors(ends) == [None]
    assert len(service.bill) == 2


# When something else breaks.


async def test_a_file_that_cannot_be_recorded_is_saved_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcome is complete, and the error is raised at the end of the batch."""
    service = emulator(pace=PACE, video=VideoFormat(seconds=1, fps=2, short_side=64))
    write, ends = JournalDatabase.write, list[Outcome]()

    def fail(file: JournalDatabase, rows: Sequence[Row]) -> None:
        if any(row.state == "saved" for row in rows):
            raise JournalError("The disk is full.")
        write(file, rows)

    monkeypatch.setattr(JournalDatabase, "write", fail)

    async def run(veo: VeoClient) -> None:
        async with veo.batch(prompts("a"), journal=path, download_to=path.parent) as outcomes:
            ends.append(await anext(outcomes))
            await anext(outcomes)

    async with service, client_of(service) as veo:
        with pytest.raises(JournalError, match="disk is full"):
            await run(veo)

    assert [(end.state, end.error, len(end.files)) for end in ends] == [("succeeded", None, 1)]


@pytest.mark.parametrize("from_write,bought", [(1, 0), (2, 1)])
async def test_a_journal_that_cannot_be_written_ends_the_batch(
    path: Path, monkeypatch: pytest.MonkeyPatch, from_write: int, bought: int
) -> None:
    """Nothing is submitted without a recorded intent. Bought videos are outcomes all the same, and
    the error is raised after them."""
    service, writes, write = emulator(pace=PACE), [0], JournalDatabase.write
    limit = RateLimit(in_flight=1)

    def failing(self: JournalDatabase, rows: Sequence[Row]) -> None:
        writes[0] += 1
        if writes[0] >= from_write:
            raise JournalError("the disk is full")
        write(self, rows)

    monkeypatch.setattr(JournalDatabase, "write", failing)
    ends: list[Outcome] = []

    async def consume(veo: VeoClient) -> None:
        async with veo.batch(prompts(*"abc"), journal=path) as outcomes:
            async for outcome in outcomes:
                ends.append(outcome)  # noqa: PERF401 - those before the error count

    async with service, client_of(service, rate_limit=limit) as veo:
        with pytest.raises(JournalError, match="the disk is full"):
            await consume(veo)

    assert len(service.bill) == sum(outcome.result is not None for outcome in ends) == bought
    assert {type(outcome.error) for outcome in ends if not outcome.result} <= {JournalError}


async def test_a_cancelled_intent_is_withdrawn(path: Path) -> None:
    """The caller is cancelled during the write of its intent: the journal says that nothing was
    sent."""
    service = emulator(pace=PACE)

    async def slow(function: Any, /, *args: Any) -> Any:
        if function.__name__ == "write":
            await asyncio.sleep(1.0)
        return function(*args)

    clock = Runtime(wall_clock=lambda: NOW, rng=Random(1), run_sync=slow)
    async with service, client_of(service, runtime=clock) as veo:
        with anyio.move_on_after(0.5):
            await outcomes_of(veo, prompts("a"), journal=path)

    assert list(states(path).values()) == ["withdrawn 1"]
    assert not service.bill


async def test_a_1080p_version_is_not_upscaled_again(path: Path) -> None:
    """It is one already."""
    service = emulator(pace=PACE)
    async with service:
        (first,) = await once(service, prompts("a"), journal=path)
        assert first.result
        wanted = Get1080p(video_id=first.result.video.id or "")
        ends = await once(service, [wanted], upscale=True)

    assert errors(ends) == [None]
    assert len(service.bill) == 2


async def test_an_expired_url_is_retrieved_again(path: Path, tmp_path: Path) -> None:
    """A later run retrieves fresh URLs from the service, and buys nothing for that."""
    wire, tiny = Wire(url_lifetime=60.0), VideoFormat(seconds=1, fps=2, short_side=64)
    service = emulator(pace=PACE, video=tiny, wire=wire)
    options: dict[str, Any] = {"journal": path, "upscale": True}
    async with service:
        await once(service, prompts("a"), **options)
        await asyncio.sleep(600.0)
        (end,) = await once(service, prompts("a"), download_to=tmp_path / "out", **options)

    assert errors([end]) == [None]
    assert len(end.files) == len(service.bill) == 2
    assert service.counters[403] == 2


def names(folder: Path) -> set[str]:
    """The files in a folder, without the records of the items."""
    return {path.name for path in folder.iterdir() if path.suffix != ".json"}


async def test_a_video_that_cannot_be_fetched_is_not_lost(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcome has the URL and the task, and the other file is saved. The next run resumes the
    download."""
    monkeypatch.setattr("veo_async._downloads.downloader.MOST_TRIES", 4)
    tiny = VideoFormat(seconds=1, fps=2, short_side=64)
    service = emulator(pace=PACE, video=tiny)
    folder = tmp_path / "out"
    options: dict[str, Any] = {"journal": path, "upscale": True, "download_to": folder}
    async with service:
        service.faults.add(Fault(effect=Torn(fraction=0.4), on="file", count=4))
        (first,) = await once(service, [("k", TextToVideo(prompt="a"))], **options)
        left = names(folder)
        (again,) = await once(service, [("k", TextToVideo(prompt="a"))], **options)

    assert isinstance(first.error, DownloadError)
    assert first.result
    assert first.error.task_id == service.bill[0].task_id
    assert first.error.url
    assert service.bill[0].task_id in first.error.url
    assert left == {"0001-a.mp4.part", "0001-a.mp4.part.notes", "0001-a-1080p.mp4"}
    assert errors([again]) == [None]
    assert names(folder) == {"0001-a.mp4", "0001-a-1080p.mp4"}
    assert (service.counters[206], len(service.bill)) == (4, 2)


async def test_a_batch_that_is_left_keeps_a_partial_file(path: Path, tmp_path: Path) -> None:
    """The next run resumes in the middle of the file."""
    service = emulator(pace=PACE, video=VideoFormat(seconds=2, fps=24, short_side=360))
    service.faults.add(Fault(effect=Torn(fraction=0.5), on="file", count=1))
    service.faults.add(Fault(effect=Hang(), on="file", nth=2))
    folder = tmp_path / "out"
    asked = [("k", TextToVideo(prompt="a"))]
    async with service:
        with anyio.move_on_after(90.0):
            await once(service, asked, journal=path, download_to=folder)
        left = names(folder)
        (end,) = await once(service, asked, journal=path, download_to=folder)

    assert left == {"0001-a.mp4.part", "0001-a.mp4.part.notes"}
    assert errors([end]) == [None]
    assert end.files == (folder / "0001-a.mp4",)
    assert names(folder) == {"0001-a.mp4"}
    assert (service.counters[206], len(service.bill)) == (1, 1)


async def test_an_open_post_of_a_deleted_journal_belongs_to_no_other(path: Path) -> None:
    """A POST that this client left open for a deleted journal is not taken for a lost one of the
    new journal at the same path, even with the same key."""
    late = Fault(effect=Hang(at="accepted", seconds=5.0), on="submit", nth=1)
    lost = Fault(effect=Drop(at="accepted"), on="submit", nth=2)
    service = emulator(pace=PACE, faults=[late, lost])
    old, new = ([("key", request)] for request in prompts("old", "new"))
    async with service, client_of(service) as veo:
        with anyio.move_on_after(1.0):
            await outcomes_of(veo, old, journal=path)
        await inline(path.unlink)
        with anyio.move_on_after(0.5):
            await outcomes_of(veo, new, journal=path)
        [outcome] = await outcomes_of(veo, new, journal=path)

    assert [charge.request["prompt"] for charge in service.bill] == ["old", "new"]
    assert outcome.result
    assert outcome.result.task_id == service.bill[1].task_id
