from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

import anyio
import httpx
import pytest

from tests.support.service import NOW, Body, Service, accepted, client, other_tasks, page, refused
from veo_async import PollPolicy, RetryPolicy, SubmissionUncertainError, TextToVideo, VeoClient
from veo_async._reconcile import reconciler
from veo_async._reconcile.decision import Absent, Adopt, CannotTell, Conclusion
from veo_async._reconcile.marks import mark_in
from veo_async._reconcile.window import AcceptedSubmit, LostSubmit
from veo_async._tracking import task_list
from veo_async.callbacks._registry import CallbackHandle

MUG = TextToVideo(prompt="a mug")
CHOSEN = {"action": "text2video", "model": "veo3-fast", "prompt": "a mug"}
KIND = ("text2video", False)
CUT = httpx.ReadError("cut")


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


def row(task_id: str, at: float = 0.0, **request: Any) -> Body:
    """A record of the list that was made so many seconds after the test began."""
    return {"id": task_id, "created_at": NOW + at, "request": {**CHOSEN, **request}}


class Account(Service):
    """Loses every submit, and shows these records; each answer tells the time."""

    def __init__(self, *records: Body, dated: bool = True) -> None:
        super().__init__(submit=self._lose, tasks=self._show)
        self.records = list(records)
        self.ahead = 0.0
        self._dated = dated

    async def _lose(self, body: Body) -> httpx.Response:
        raise CUT

    async def _show(self, body: Body) -> httpx.Response:
        if "ids" in body or "trace_ids" in body:
            return page()
        offset = body.get("offset", 0)
        answer = page(*self.records[offset : offset + body["limit"]])
        if self._dated:
            answer.headers["date"] = formatdate(NOW + now() + self.ahead, usegmt=True)
        return answer


async def resolved(veo: VeoClient, lost: LostSubmit | None = None) -> Conclusion:
    """The conclusion about a submit that was lost a moment ago."""
    lost = lost or LostSubmit(CHOSEN, NOW + now(), NOW + now())
    return await veo._reconciler.resolve(lost, deadline=float("inf"))


@pytest.mark.asyncio
async def test_a_clock_that_was_never_seen_proves_nothing() -> None:
    """Without any ``Date`` the times of records say nothing, even where one is equal."""
    service = Account(row("t"), dated=False)
    async with client(service) as veo:
        with pytest.raises(SubmissionUncertainError, match="clock was never seen"):
            await veo.submit(MUG)

    assert len(service.submits) == 1


@pytest.mark.asyncio
async def test_a_list_is_judged_by_the_times_that_it_was_asked_for() -> None:
    """The first answer tells the clock, but what was asked for was asked by another: so that
    look proves nothing, and the next one asks for the right times."""
    service = Account(row("t", 7200.0))
    service.ahead = 7200.0
    async with client(service) as veo:
        assert await resolved(veo) == Adopt("t")

    assert [round(q["created_at_min"] - NOW) for q in service.questions[::2]] == [-5, 7196]


@pytest.mark.asyncio
async def test_a_list_without_an_end_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One snapshot reads so many pages, and beyond them nothing is known."""
    monkeypatch.setattr(task_list, "MAX_PAGES", 3)
    service = Account(*[row(f"t{n}", prompt=f"{n}") for n in range(1000)])
    async with client(service) as veo:
        decision = await resolved(veo)

    assert decision == CannotTell("the task list could not be read to its end")
    assert max(question["offset"] for question in service.questions) == 100


@pytest.mark.asyncio
@pytest.mark.parametrize("status, apart", [(404, True), (400, True), (403, False), (None, False)])
async def test_an_unknown_trace_id_spoils_no_other(status: int | None, apart: bool) -> None:
    """A service that refuses all trace ids for an unknown one is asked for them apart; and what
    becomes of that question, the list is read."""

    async def show(body: Body) -> httpx.Response:
        asked = body.get("trace_ids")
        if asked is None:
            return await service._show(body)
        if status is None:
            raise CUT
        if asked != ["b"]:
            return refused(status, "not_found")
        return page({**row("t", prompt="translated"), "trace_id": "b"})

    service = Account()
    service._tasks = show
    async with client(service, poll=PollPolicy(timeout=1.0)) as veo:
        tasks = [
            asyncio.create_task(resolved(veo, LostSubmit(CHOSEN, NOW, NOW, trace_id=trace)))
            for trace in "abc"
        ]
        await asyncio.sleep(30.0)
        done = [task.result() for task in tasks if task.done()]
        await asyncio.wait([task for task in tasks if not task.cancel()] or tasks)

    assert done == ([Adopt("t")] if apart else [])
    assert any("trace_ids" not in question for question in service.questions)


@pytest.mark.asyncio
async def test_a_record_is_given_away_once() -> None:
    """Two that are lost together get two records, and a third one gets none of them."""
    service = Account(row("t"), row("u"))
    async with client(service) as veo:
        first, second = await asyncio.gather(resolved(veo), resolved(veo))
        lost = asyncio.create_task(resolved(veo))
        await asyncio.sleep(60.0)

        assert {first, second} == {Adopt("t"), Adopt("u")}
        assert not lost.done()
        lost.cancel()
        await asyncio.wait([lost])


@pytest.mark.asyncio
async def test_what_an_earlier_run_bought_is_not_given_away_and_adoption_is_told_at_once() -> None:
    """The tasks of earlier runs are ours; and who gets a record hears of it in the same step."""
    service, told = Account(row("t"), row("u")), list[str]()
    async with client(service) as veo:
        veo._reconciler.own([AcceptedSubmit("t", KIND, NOW, NOW)])
        lost = LostSubmit(CHOSEN, NOW, NOW)
        decision = await veo._reconciler.resolve(lost, deadline=1e9, adopted=told.append)

    assert decision == Adopt("u")
    assert told == ["u"]


@pytest.mark.asyncio
async def test_a_list_that_breaks_off_is_not_read_to_its_end() -> None:
    """A page that cannot be had leaves open what it would show; what was read still counts."""
    service = Account(*[row(f"t{n}", prompt=f"{n}") for n in range(60)])

    async def show(body: Body) -> httpx.Response:
        return refused(403, None) if body.get("offset") else await service._show(body)

    service._tasks = show
    async with client(service) as veo:
        decision = await resolved(veo)
        service.records[0] = row("mine")
        found = await resolved(veo, LostSubmit(CHOSEN, NOW, NOW + now()))

    assert decision == CannotTell("the task list could not be read to its end")
    assert found == Adopt("mine")


@pytest.mark.asyncio
async def test_nothing_is_adopted_for_a_caller_that_left_during_a_search() -> None:
    """The record stays free for the next one that is equal."""
    service = Account(row("t"))
    async with client(service) as veo:
        veo._api.clock_offset = 0.0
        gone = asyncio.create_task(resolved(veo))
        stays = asyncio.create_task(resolved(veo))
        await asyncio.sleep(0.5)
        show = service._show

        async def slow(body: Body) -> httpx.Response:
            gone.cancel()
            await anyio.sleep(0.5)
            return await show(body)

        service._tasks = slow

        assert await stays == Adopt("t")
        assert gone.cancelled()
    assert not other_tasks()


@pytest.mark.asyncio
async def test_a_task_that_is_waited_for_by_its_id_is_not_adopted() -> None:
    """A task whose id is waited for is owned, whichever process bought it."""
    service = Account(row("t"))
    async with client(service) as veo:
        waiter = asyncio.create_task(veo.wait("t"))
        await asyncio.sleep(0.1)
        lost = asyncio.create_task(resolved(veo))
        await asyncio.sleep(100.0)

        assert not lost.done()
        for task in (waiter, lost):
            task.cancel()
        await asyncio.wait([waiter, lost])


@pytest.mark.asyncio
async def test_what_is_old_is_forgotten() -> None:
    """Accepted submits, and ids that are waited for, are kept as far as a snapshot reaches back."""

    async def accept(body: Body) -> httpx.Response:
        return accepted(f"task-{now()}")

    service = Service(submit=accept, tasks=Account()._show)
    async with client(service) as veo:
        for _ in range(20):
            await veo.submit(MUG)
            veo._reconciler.attached(f"id-{now()}")
            await asyncio.sleep(1000.0)

        kept = [round(submit.begun - NOW) for submit in veo._reconciler._accepted]
        assert kept == [17000, 18000, 19000]  # the first of them is the last control before
        assert len(veo._reconciler._attached) == len(veo._reconciler._accepted) == 2


@pytest.mark.asyncio
async def test_what_happens_now_is_kept_beside_a_lost_submit_of_the_future() -> None:
    """While an earlier run's submit is sought that a clock, set back since, puts hours ahead, new
    tasks are accepted and waited for as ever, and are known to be ours; old ones are forgotten at
    the end of a search."""

    async def accept(body: Body) -> httpx.Response:
        return accepted(f"task-{now()}")

    service = Service(submit=accept, tasks=Account()._show)
    async with client(service) as veo:
        for _ in range(2):
            await veo.submit(MUG)
            await asyncio.sleep(900.0)
        then = NOW + now() + 7200.0
        lost = asyncio.create_task(resolved(veo, LostSubmit(CHOSEN, then, then, asked=NOW + now())))
        await asyncio.sleep(1.0)
        await veo.submit(MUG)
        veo._reconciler.attached("id")
        await asyncio.sleep(900.0)

        kept = [submit.task_id for submit in veo._reconciler._ours()]
        assert kept == ["task-900.0", "task-1801.0"]
        assert veo._reconciler._older.among({"task-0.0", "id", "other"}) == {"task-0.0"}
        assert "id" in veo._reconciler._attached
        lost.cancel()
        await asyncio.wait([lost])


@pytest.mark.asyncio
async def test_what_was_bought_long_ago_is_still_not_given_away() -> None:
    """A submit of an earlier run may be searched for at any time: a task that this client bought in
    its window was never the lost one's, however long ago that was."""

    async def accept(body: Body) -> httpx.Response:
        return accepted(f"task-{now():.0f}")

    account = Account(row("task-0"))
    account._submit = accept
    async with client(account) as veo:
        for _ in range(4):
            await veo.submit(MUG)
            await asyncio.sleep(2000.0)
        assert len(veo._reconciler._accepted) == 1

        conclusion = await resolved(veo, LostSubmit(CHOSEN, NOW, NOW + 1, asked=NOW + now()))

    assert not isinstance(conclusion, Adopt)


@pytest.mark.asyncio
async def test_a_long_post_that_is_lost_still_knows_what_was_accepted_meanwhile() -> None:
    """An answer may be awaited for hours: what was accepted since is ours all that time."""
    long = 7200.0
    service = Account(row("t", 1.0))
    async with client(service, retry=RetryPolicy(submit_timeout=long)) as veo:
        mine = AcceptedSubmit("t", KIND, NOW + 1, NOW + 2)
        veo._reconciler.accepted(mine, at_once=True)
        await asyncio.sleep(long)
        later = AcceptedSubmit("u", KIND, NOW + now(), NOW + now())
        veo._reconciler.accepted(later, at_once=True)
        lost = asyncio.create_task(resolved(veo, LostSubmit(CHOSEN, NOW, NOW + long)))
        await asyncio.sleep(100.0)

        assert not (lost.done() and isinstance(lost.result(), Adopt))
        lost.cancel()
        await asyncio.wait([lost])


Ending = Callable[[VeoClient], Awaitable[object]]


async def _fail(veo: VeoClient) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    veo._reconciler._queries.many = broken  # type: ignore[method-assign,assignment]


async def _cancel(veo: VeoClient) -> None:
    assert veo._reconciler._searching._task is not None
    veo._reconciler._searching._task.cancel()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "end, reason",
    [
        pytest.param(_fail, "the search itself failed (ZeroDivisionError())", id="a bug"),
        pytest.param(_cancel, "the search was cancelled", id="cancelled by somebody"),
        pytest.param(VeoClient.aclose, "the client was closed", id="closed"),
    ],
)
async def test_everybody_hears_of_the_end_of_the_search(end: Ending, reason: str) -> None:
    """No caller waits for a snapshot that will never come."""
    service = Account()
    async with client(service) as veo:
        tasks = [asyncio.create_task(resolved(veo)) for _ in range(3)]
        await asyncio.sleep(0.5)
        await end(veo)
        await asyncio.wait(tasks, timeout=2.0)

        assert [task.result() for task in tasks] == [CannotTell(reason)] * 3
        assert not veo._reconciler._open
    assert not other_tasks()


@pytest.mark.asyncio
async def test_a_closed_client_searches_for_nothing() -> None:
    """A call after the close gets its answer at once, and starts no task."""
    service = Account()
    veo = client(service)
    await veo.aclose()

    assert await resolved(veo) == CannotTell("the client was closed")
    assert not other_tasks()
    assert not service.questions


@pytest.mark.asyncio
async def test_a_sleep_of_the_machine_hides_no_record() -> None:
    """The service's clock may run far ahead after a sleep: a submit from before the sleep is
    searched for at its own time, even where tasks from after it are listed."""
    service = Account(row("t", 10.5))
    async with client(service) as veo:
        await asyncio.sleep(10.0)
        veo._reconciler.accepted(AcceptedSubmit("c", KIND, NOW + 9, NOW + 9, 0.0), at_once=True)
        lost = LostSubmit(CHOSEN, NOW + 10, NOW + 11, offset=0.0)
        service.ahead = 5000.0
        service.records.append(row("c", 9.0))
        await veo.tasks.retrieve_many(["x"])
        await asyncio.sleep(1.0)

        assert await resolved(veo, lost) == Adopt("t")


@pytest.mark.asyncio
async def test_searches_are_few() -> None:
    """Many that are lost one after another are searched for at most once a second together."""
    service = Account()
    async with client(service) as veo:
        tasks = list[asyncio.Task[Conclusion]]()
        for _ in range(300):
            tasks.append(asyncio.create_task(resolved(veo)))
            await asyncio.sleep(0.1)

        assert len(service.questions) <= 32
        assert json.dumps(service.questions[0])
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    assert not other_tasks()


def marked(number: int) -> str:
    """A callback address with a mark."""
    return f"https://api.acedata.cloud/health?ref=00000000-0000-4000-8000-{number:012}"


@pytest.mark.asyncio
@pytest.mark.parametrize("way", ["with marks", "equal", "different"])
async def test_no_more_than_a_portion_is_judged_in_one_turn_of_the_loop(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand submits may be lost at once, and the event loop does other things meanwhile."""
    monkeypatch.setattr(reconciler, "STEP", 7)
    rows, lost = [], []
    for number in range(60):
        prompt: Body = {"prompt": "a mug" if way == "equal" else f"{number}"}
        mark: Body = {"callback_url": marked(number)} if way == "with marks" else {}
        rows.append(row(f"t{number}", **prompt, **mark))
        name = mark_in(mark.get("callback_url"))
        lost.append(LostSubmit({**CHOSEN, **prompt}, NOW, NOW, mark=name))
    turns, adopted = 0, Counter[int]()

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with client(Account(*rows)) as veo:
        veo._api.clock_offset = 0.0
        tasks = [
            asyncio.create_task(
                veo._reconciler.resolve(
                    one, deadline=1e9, adopted=lambda _: adopted.update([turns])
                )
            )
            for one in lost
        ]
        await asyncio.sleep(0.9)
        ticker = asyncio.create_task(turn())
        ends = await asyncio.gather(*tasks)
        ticker.cancel()
        await asyncio.wait([ticker])

    assert {end.task_id for end in ends if isinstance(end, Adopt)} == {one["id"] for one in rows}
    assert max(adopted.values()) <= 7


@pytest.mark.asyncio
@pytest.mark.parametrize("url", [None, marked(0)], ids=["unmarked", "marked"])
async def test_the_last_task_of_a_kind_is_a_control_however_many_are_forgotten(
    url: str | None,
) -> None:
    """Where none of ours is nearer, it is asked for and recognised up to an hour later."""
    service = Account(row("last", callback_url=url))
    async with client(service) as veo:
        veo._api.clock_offset = 0.0
        mark = mark_in(url)
        veo._reconciler.accepted(AcceptedSubmit("last", KIND, NOW, NOW, 0.0, mark), at_once=True)
        await asyncio.sleep(2000.0)
        image = AcceptedSubmit("image", ("image2video", False), NOW + now(), NOW + now(), 0.0)
        service.records.append(row("image", now()))
        veo._reconciler.accepted(image, at_once=True)
        assert len(veo._reconciler._accepted) == 1
        at = NOW + now()
        lost = LostSubmit(CHOSEN, at, at, offset=0.0, mark=url and mark_in(marked(1)))

        assert await resolved(veo, lost) == Absent()


@pytest.mark.asyncio
async def test_a_submit_that_is_lost_during_a_reading_claims_its_record() -> None:
    """It is searched for from the next reading on, so the one before gives away no equal record:
    that may be its own, and the other's may lie in no other window."""
    service = Account(row("own", 90.0), row("other", 30.0), dated=False)
    async with client(service) as veo:
        veo._api.clock_offset = 0.0
        show, ends = service._show, list[asyncio.Task[Conclusion]]()

        async def slow(body: Body) -> httpx.Response:
            if len(ends) == 1:
                ends.append(asyncio.create_task(resolved(veo, LostSubmit(CHOSEN, NOW, NOW + 1))))
            await anyio.sleep(0.5)
            return await show(body)

        service._tasks = slow
        long = LostSubmit(CHOSEN, NOW, NOW + 100)
        ends.append(asyncio.create_task(resolved(veo, long)))
        await asyncio.sleep(2.0)

        assert [await end for end in ends] == [Adopt("own"), Adopt("other")]


@pytest.mark.asyncio
async def test_the_record_of_a_result_without_an_id_is_not_given_away() -> None:
    """It belongs to one of two equal submits, and there is one for each."""
    service = Account(row("t"))
    async with client(service) as veo:
        veo._api.clock_offset = 0.0
        nameless = AcceptedSubmit("", KIND, NOW, NOW, chosen=CHOSEN)
        veo._reconciler.accepted(nameless, at_once=False)
        lost = asyncio.create_task(resolved(veo))
        await asyncio.sleep(60.0)
        assert not lost.done()
        service.records.append(row("u"))

        assert isinstance(await lost, Adopt)


@pytest.mark.asyncio
@pytest.mark.parametrize("shown", [marked(1), marked(2), None])
async def test_a_delivery_names_a_task_that_its_own_mark_proves(shown: str | None) -> None:
    """A delivery makes the search begin, and the task that it names is read by its id. Anybody may
    have sent it, so only a record with the submit's own mark is adopted."""

    async def show(body: Body) -> httpx.Response:
        named = page(row("t", callback_url=shown), row("not asked for", callback_url=marked(1)))
        return named if body.get("ids") == ["t"] else page()

    service = Service(tasks=show)
    async with client(service) as veo:
        veo._api.clock_offset = 0.0
        handle, other = (CallbackHandle(marked(1), _Nobody()) for _ in range(2))
        lost = LostSubmit(CHOSEN, NOW, NOW + 100, mark=mark_in(marked(1)))
        resolving = asyncio.create_task(
            veo._reconciler.resolve(lost, deadline=200.0, callback=handle)
        )
        await asyncio.sleep(0.5)
        handle.claimed_task_id = "t"
        veo._reconciler.hint(other)
        await asyncio.sleep(0.1)
        asked = len(service.questions)
        veo._reconciler.hint(handle)
        await asyncio.sleep(0.1)

        assert not asked
        assert resolving.done() is (shown == marked(1))
        assert (await resolving == Adopt("t")) is (shown == marked(1))


class _Nobody:
    """A listener that hears nothing."""

    def notify(self, handle: CallbackHandle, times: tuple[float, ...]) -> bool:
        raise NotImplementedError


@pytest.mark.asyncio
async def test_nothing_is_decided_for_a_caller_that_left_during_a_search() -> None:
    """Its submit would be absent by that reading; and a marked one under way is no rival of an
    equal one without, where marks survive."""
    service = Account(row("control", prompt="x", callback_url=marked(0)))
    async with client(service) as veo:
        veo._api.clock_offset = 0.0
        control = AcceptedSubmit("control", KIND, NOW, NOW, 0.0, mark_in(marked(0)))
        veo._reconciler.accepted(control, at_once=True)
        veo._reconciler.answered_at_once([(KIND, False), None])
        open_ = LostSubmit(CHOSEN, NOW, float("inf"), mark=mark_in(marked(2)))
        veo._reconciler.sent("open", open_)
        show, stays = service._show, asyncio.create_task(resolved(veo))
        lost = LostSubmit(CHOSEN, NOW, NOW, mark=mark_in(marked(1)))
        gone = asyncio.create_task(resolved(veo, lost))

        async def slow(body: Body) -> httpx.Response:
            if now() > 145.0:
                gone.cancel()
                await anyio.sleep(0.5)
            return await show(body)

        service._tasks = slow

        assert await stays == Absent()
        assert gone.cancelled()


@pytest.mark.asyncio
async def test_a_record_that_was_not_asked_for_by_its_trace_id_is_left_out() -> None:
    """A service may ignore the query, and show anything."""

    async def show(body: Body) -> httpx.Response:
        return page({**row("s"), "trace_id": "other"}) if "trace_ids" in body else page()

    async with client(Service(tasks=show)) as veo:
        veo._api.clock_offset = 0.0
        lost = LostSubmit(CHOSEN, NOW, NOW, trace_id="mine")

        assert isinstance(await resolved(veo, lost), CannotTell)


@pytest.mark.asyncio
@pytest.mark.parametrize("at_once", [False, True])
async def test_each_action_shows_for_itself_that_it_is_answered_at_once(*, at_once: bool) -> None:
    """Another deployment may serve another action: one that ignores ``async`` lists a task when its
    video is ready."""
    held = ("get_1080p", False)
    control = row("control", action="get_1080p", callback_url=marked(0))
    service = Account(control, row("other", callback_url=marked(2)))
    async with client(service) as veo:
        veo._api.clock_offset = 0.0
        ours = AcceptedSubmit("control", held, NOW, NOW, 0.0, mark_in(marked(0)))
        veo._reconciler.accepted(ours, at_once=at_once)
        other = AcceptedSubmit("other", KIND, NOW, NOW, 0.0, mark_in(marked(2)))
        veo._reconciler.accepted(other, at_once=True)
        chosen = {"action": "get_1080p", "video_id": "v"}
        lost = LostSubmit(chosen, NOW, NOW, mark=mark_in(marked(1)))
        conclusion = await resolved(veo, lost)

    assert conclusion == Absent()
    assert (now() > 5400.0) is not at_once
