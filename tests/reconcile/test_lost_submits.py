"""Lost submits through the public face: found, sent again, or told as uncertain; never twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from email.utils import formatdate
from random import Random
from typing import Any

import httpx
import pytest

from tests.support.service import (
    NOW,
    Body,
    Service,
    accepted,
    client,
    client_of,
    emulator,
    inline,
    other_tasks,
    page,
    refused,
)
from veo_async import (
    ConnectionFailedError,
    Outcome,
    RateLimit,
    RetryPolicy,
    SubmissionUncertainError,
    Task,
    TextToVideo,
    VeoClient,
)
from veo_async._base.runtime import Runtime
from veo_async.emulator import (
    Answer,
    Drop,
    Emulator,
    Fault,
    Garble,
    Hang,
    Hide,
    Lag,
    Limits,
    Scramble,
    Seconds,
    Torn,
    Wire,
)

MUG = TextToVideo(prompt="a mug")
LOST = Drop(at="accepted")
NEVER = Drop(at="read")
NORMALISED = Wire(stored="normalised")
UNMARKED = RetryPolicy(marks="off")


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


def uncertain(outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes that nobody knows."""
    return [o for o in outcomes if isinstance(o.error, SubmissionUncertainError)]


async def check_at_rest(veo: VeoClient) -> None:
    """Nothing of ours goes on, and all that was borrowed is given back; only tasks that nobody
    waited for keep their places."""
    assert [lane.calls._value for lane in veo._limiter._lanes.values()] == [6, 2]
    assert veo._admission.in_flight == len(veo._tracker._in_flight)
    assert not any(tracked.waiters for tracked in veo._tracker._in_flight.values())
    assert not veo._reconciler._open
    await veo.aclose()
    assert not other_tasks()


# The evidence.


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", [Wire(), NORMALISED], ids=["as submitted", "normalised"])
@pytest.mark.parametrize("skew", [0.0, 300.0, -600.0])
@pytest.mark.parametrize(
    "effect",
    [
        pytest.param(LOST, id="cut"),
        pytest.param(Answer(code="api_error", at="accepted"), id="500 with a trace id"),
        pytest.param(Answer(at="accepted", status=502, body="Bad Gateway"), id="502"),
        pytest.param(Torn(), id="torn"),
        pytest.param(Garble(), id="garbled"),
        pytest.param(Hang(at="accepted"), id="hangs"),
    ],
)
async def test_what_was_accepted_is_adopted(effect: Any, skew: float, wire: Wire) -> None:
    """The video is bought once and delivered, in every way of losing the answer."""
    service = emulator(wire=wire, skew=skew)
    policy = RetryPolicy(submit_timeout=60.0)
    async with service, client_of(service, retry=policy) as veo:
        await veo.text2video("a cup")
        service.faults.add(Fault(effect=effect, count=1))
        result = await veo.text2video("a mug")

        assert [charge.request["prompt"] for charge in service.bill] == ["a cup", "a mug"]
        assert result.task_id == service.bill[1].task_id
        assert not veo.unsettled


@pytest.mark.asyncio
@pytest.mark.parametrize("unknown", ["empty", "not_found", "missing"])
async def test_the_trace_id_finds_what_the_list_does_not_show(unknown: Any) -> None:
    """The trace id of a failed answer is enough, before the list shows the task, and though other
    trace ids are unknown to the service."""
    service = emulator(wire=Wire(unknown=unknown))
    async with service, client_of(service) as veo:
        service.faults.add(
            Fault(effect=Answer(at="read"), nth=1),
            Fault(effect=Lag(seconds=3600.0)),
            Fault(effect=Answer(at="accepted"), nth=2),
        )
        requests = [TextToVideo(prompt=f"video {n}") for n in range(3)]
        tasks = [asyncio.create_task(veo.submit(request)) for request in requests]
        _, pending = await asyncio.wait(tasks, timeout=20.0)

        assert [task in pending for task in tasks] == [True, False, False]
        assert len(service.bill) == 2
        assert tasks[1].result().id in {charge.task_id for charge in service.bill}
        (never,) = pending
        assert never.cancel()
        await asyncio.wait(pending)


@pytest.mark.asyncio
async def test_the_first_submit_of_all_may_be_lost() -> None:
    """Without any other task of ours an equal record in the window is enough."""
    service = emulator(faults=[Fault(effect=LOST, count=1)])
    async with service, client_of(service) as veo:
        task = await veo.submit(MUG)

        assert task.id == service.bill[0].task_id
        assert now() < 10.0


@pytest.mark.asyncio
@pytest.mark.parametrize("spelling", ["get_1080p", "get1080p"])
@pytest.mark.parametrize("wire", ["as_submitted", "normalised"])
async def test_an_upscale_is_found_under_either_spelling(spelling: str, wire: Any) -> None:
    """Which spelling was sent, and which is stored, does not matter."""
    service = emulator(wire=Wire(spellings=frozenset({spelling}), stored=wire))
    async with service, client_of(service) as veo:
        video = (await veo.text2video("a mug")).video
        assert video is not None
        assert video.id is not None
        service.faults.add(Fault(effect=LOST, action=spelling, count=1))
        result = await veo.get_1080p(video.id)

        assert result.task_id == service.bill[1].task_id
        assert len(service.bill) == 2


# Absence.


@pytest.mark.asyncio
async def test_what_is_absent_is_sent_again_once() -> None:
    """Two complete readings agree, a grace period apart, after the listing must have caught up: it
    is absent, and is sent again."""
    service = emulator()
    async with service, client_of(service) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=NEVER, count=1))
        lost = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(0.5)
        await veo.submit(TextToVideo(prompt="rain"))
        task = await lost

        assert 150.0 <= now() <= 160.0
        assert task.id == service.bill[2].task_id
        assert len(service.bill) == 3
        assert service.counters["submit"] == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("hidden", [Lag(seconds=60.0), Hide(seconds=60.0)])
async def test_a_later_task_in_the_list_does_not_prove_that_an_earlier_one_is_absent(
    hidden: Any,
) -> None:
    """A single task may be listed late, while those that came after it are there already."""
    service = emulator()
    async with service, client_of(service) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=LOST, count=1))
        service.faults.add(Fault(effect=hidden, count=1))
        lost = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(0.5)
        await veo.submit(TextToVideo(prompt="rain"))
        task = await lost

        assert task.id == service.bill[1].task_id
        assert len(service.bill) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("skew", [0.0, 600.0])
async def test_a_lone_submit_that_is_absent_is_not_sent_again(skew: float) -> None:
    """Without any task of ours near in time an empty list may be one that shows none of ours."""
    service = emulator(faults=[Fault(effect=NEVER, count=1)], skew=skew)
    async with service, client_of(service) as veo:
        text = await told_uncertain(veo, service, sent=1)

        assert "shows that the list would show it" in text
        assert service.counters["list"] <= 25  # searches ever further apart, for 15 minutes
        assert not service.bill


@pytest.mark.asyncio
async def test_sending_again_is_bounded() -> None:
    """A service that cuts every submit gets ``attempts`` of them. Each was provably absent, so
    the error says that nothing was bought."""
    service = emulator()
    policy = RetryPolicy(attempts=3, max_elapsed=1e6)
    async with service, client_of(service, retry=policy) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=NEVER))
        with pytest.raises(ConnectionFailedError, match=r"was not accepted.*Nothing was bought"):
            await veo.submit(MUG)

        assert service.counters["submit"] == 4
        assert len(service.bill) == 1


@pytest.mark.asyncio
async def test_a_list_that_lags_needs_patience() -> None:
    """A record that is listed a minute late is found then, with and without later tasks."""
    for later in (False, True):
        service = emulator(faults=[Fault(effect=Lag(seconds=60.0))])
        async with service, client_of(service) as veo:
            await veo.submit(TextToVideo(prompt="a cup"))
            service.faults.add(Fault(effect=LOST, count=1))
            lost = asyncio.create_task(veo.submit(MUG))
            await asyncio.sleep(2.0)
            if later:
                await veo.submit(TextToVideo(prompt="rain"))

            assert (await lost).id == service.bill[1].task_id
            assert len(service.bill) == 2 + later


@pytest.mark.asyncio
async def test_a_task_that_is_hidden_is_found_when_it_appears() -> None:
    """A task that no question shows for half a minute is not bought again."""
    service = emulator()
    async with service, client_of(service) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=LOST, count=1), Fault(effect=Hide(seconds=30.0), count=1))
        lost = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(2.0)
        await veo.submit(TextToVideo(prompt="rain"))

        assert (await lost).id == service.bill[1].task_id
        assert len(service.bill) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["async", "sync"])
async def test_a_service_that_answers_late_is_given_long(mode: Any) -> None:
    """If no id was ever answered at once, proof of absence takes longer than any generation."""
    service = emulator(wire=Wire(honour_async=False))
    async with service, client_of(service, mode=mode, retry=UNMARKED, timeout=9000.0) as veo:
        await veo.text2video("a cup")
        service.faults.add(Fault(effect=NEVER, count=1))
        began = now()
        result = await veo.text2video("a mug")

        assert now() - began >= 5400.0
        assert result.task_id == service.bill[1].task_id
        assert len(service.bill) == 2


# Nobody can tell.


async def told_uncertain(veo: VeoClient, service: Emulator, *, sent: int) -> str:
    """Lose a submit for good; returns what the error says."""
    with pytest.raises(SubmissionUncertainError) as error:
        await veo.submit(MUG)
    assert error.value.may_have_cost
    assert error.value.request == MUG
    assert service.counters["submit"] == sent
    await check_at_rest(veo)
    return str(error.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("effect", [LOST, NEVER], ids=["accepted", "never arrived"])
async def test_a_list_that_cannot_be_read_proves_nothing(effect: Any) -> None:
    """While the list is out of reach nothing is sent again."""
    service = emulator(
        faults=[Fault(effect=effect, count=1), Fault(effect=Answer(at="read"), on="tasks")]
    )
    async with service, client_of(service) as veo:
        text = await told_uncertain(veo, service, sent=1)

        assert "clock was never seen" in text or "could not be read" in text
        assert now() <= 1200.0


@pytest.mark.asyncio
@pytest.mark.parametrize("date_skew", [200.0, -3600.0])
@pytest.mark.parametrize("effect", [LOST, NEVER], ids=["accepted", "never arrived"])
@pytest.mark.parametrize("retry", [RetryPolicy(), UNMARKED], ids=["marked", "unmarked"])
async def test_the_clock_of_the_records_is_learned_from_a_task_of_ours(
    date_skew: float, effect: Any, retry: RetryPolicy
) -> None:
    """The list may time its records by another clock than the ``Date`` of its answers. A task of
    ours tells by which, so a lost submit is found, or is sent again."""
    service = emulator(date_skew=date_skew)
    async with service, client_of(service, retry=retry) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=effect, count=1))

        assert (await veo.submit(MUG)).id == service.bill[1].task_id
        assert len(service.bill) == 2


@pytest.mark.asyncio
async def test_a_clock_that_moves_against_the_records_proves_nothing() -> None:
    """``Date`` has jumped since the only task of ours was accepted, or this machine's clock has:
    the lost one may be anywhere."""
    service = emulator(date_skew=200.0)
    async with service, client_of(service) as veo:
        cup = await veo.submit(TextToVideo(prompt="a cup"))
        service._service._date_skew = 500.0
        await veo.tasks.retrieve(cup.id)
        service.faults.add(Fault(effect=NEVER, count=1))

        text = await told_uncertain(veo, service, sent=2)

    assert "not in the list at their times" in text
    assert len(service.bill) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("marks", ["auto", "off"])
async def test_a_clock_that_disagrees_is_allowed_for_by_the_first_submit(marks: Any) -> None:
    """An equal record some minutes away may be that of the first submit or not; with its mark it
    is."""
    service = emulator(date_skew=600.0, faults=[Fault(effect=LOST, count=1)])
    async with service, client_of(service, retry=RetryPolicy(marks=marks)) as veo:
        if marks == "off":
            text = await told_uncertain(veo, service, sent=1)
            assert "shows that the list would show it" in text
        else:
            assert (await veo.submit(MUG)).id == service.bill[0].task_id


@pytest.mark.asyncio
@pytest.mark.parametrize("effect", [LOST, NEVER], ids=["accepted", "never arrived"])
@pytest.mark.parametrize("retry", [RetryPolicy(), UNMARKED], ids=["marked", "unmarked"])
async def test_a_normalised_list_without_a_control_proves_no_absence(
    effect: Any, retry: RetryPolicy
) -> None:
    """Fields that the service added to a request may be another request's own. A mark is found."""
    service = emulator(wire=NORMALISED)
    async with service:
        async with client_of(service) as other:
            stranger = await other.submit(TextToVideo(prompt="a mug", aspect_ratio="16:9"))
        service.faults.add(Fault(effect=effect, count=1))
        async with client_of(service, retry=retry) as veo:
            if effect == LOST and retry != UNMARKED:
                assert (await veo.submit(MUG)).id == service.bill[1].task_id
            else:
                await told_uncertain(veo, service, sent=2)

    assert stranger.id == service.bill[0].task_id
    assert len(service.bill) == 1 + (effect == LOST)


@pytest.mark.asyncio
async def test_a_page_that_omits_our_own_proves_nothing() -> None:
    """A list that lacks a task of ours may lack the lost one."""
    service = emulator()
    async with service, client_of(service) as veo:
        for number in range(3):
            await veo.submit(TextToVideo(prompt=f"video {number}"))
        service.faults.add(Fault(effect=LOST, count=1), Fault(effect=Scramble(omit=2), on="list"))
        (end,) = await asyncio.gather(veo.submit(MUG), return_exceptions=True)

    assert len(service.bill) == 4
    assert isinstance(end, SubmissionUncertainError) or (
        isinstance(end, Task) and end.id == service.bill[3].task_id
    )


# Equal requests.


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", [Wire(), NORMALISED], ids=["as submitted", "normalised"])
@pytest.mark.parametrize("seed", range(6))
async def test_equal_requests_are_each_bought_once(seed: int, wire: Wire) -> None:
    """Of twenty equal requests half lose their answers: each has a task of its own in the end."""
    service = emulator(seed=seed, wire=wire, faults=[Fault(effect=LOST, probability=0.5)])
    async with service, client_of(service) as veo:
        outcomes = await veo.generate_many([MUG] * 20)

        assert not uncertain(outcomes)
        assert {o.result.task_id for o in outcomes if o.result} == {
            charge.task_id for charge in service.bill
        }
        assert len(service.bill) == 20
        await check_at_rest(veo)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(4))
async def test_what_defaults_make_equal_is_bought_once_each(seed: int) -> None:
    """A default that one request spells out makes two requests equal in the list: still no task
    is given to two of them, nor taken from one whose answer is under way."""
    service = emulator(
        seed=seed,
        wire=NORMALISED,
        faults=[
            Fault(effect=LOST, probability=0.3),
            Fault(effect=Hang(at="accepted", seconds=20.0), probability=0.3),
        ],
    )
    spelled = TextToVideo(prompt="a mug", aspect_ratio="16:9")
    async with service, client_of(service) as veo:
        outcomes = await veo.generate_many([MUG, spelled] * 8)

    results = [o.result.task_id for o in outcomes if o.result]
    assert len(results) == len(set(results))
    assert len(results) + len(uncertain(outcomes)) == 16
    assert len(service.bill) == 16


@pytest.mark.asyncio
async def test_a_record_under_way_is_not_taken() -> None:
    """The task of an equal submit whose answer is slow stays its own, though a lost one sees it."""
    service = emulator()
    async with service, client_of(service) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=Hang(at="accepted", seconds=50.0), count=1))
        slow = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(1.0)
        service.faults.add(Fault(effect=NEVER, count=1))
        lost = asyncio.create_task(veo.submit(MUG))
        first, second = await slow, await lost

    assert first.id != second.id
    assert len(service.bill) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("gap", [0.0, 3.0, 10.0, 30.0])
async def test_equal_requests_that_are_lost_one_after_another(gap: float) -> None:
    """Each takes the oldest record, so that none is left with one that is too old for it."""
    service = emulator(faults=[Fault(effect=Lag(seconds=60.0))])
    async with service, client_of(service) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=LOST, count=4))
        lost = list[asyncio.Task[Task]]()
        for _ in range(4):
            lost.append(asyncio.create_task(veo.submit(MUG)))
            await asyncio.sleep(gap)
        tasks = await asyncio.gather(*lost)

    assert len(service.bill) == 5
    assert {task.id for task in tasks} == {charge.task_id for charge in service.bill[1:]}


@pytest.mark.asyncio
@pytest.mark.parametrize("prompt", ["a mug", "a cup"])
async def test_two_clients_of_one_account_never_adopt_each_others_tasks(prompt: str) -> None:
    """Another's task has another mark, however equal its request is; so the lost one is absent."""
    service = emulator(faults=[Fault(effect=NEVER, nth=3)])
    async with service, client_of(service) as one, client_of(service) as two:
        await two.submit(TextToVideo(prompt="rain"))
        await one.submit(TextToVideo(prompt=prompt))
        mine = await two.submit(MUG)

    assert mine.id == service.bill[2].task_id
    assert len(service.bill) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("prompt, swapped", [("a mug", True), ("a cup", False)])
async def test_unmarked_submits_of_two_clients_differ_by_content_alone(
    prompt: str, *, swapped: bool
) -> None:
    """Equal ones may be swapped, others never. Another's task may be the lost one in another form,
    so nothing is sent again beside it."""
    service = emulator(faults=[Fault(effect=NEVER, nth=3)])
    options = {"retry": UNMARKED}
    async with service, client_of(service, **options) as one, client_of(service, **options) as two:
        await two.submit(TextToVideo(prompt="rain"))
        other = await one.submit(TextToVideo(prompt=prompt))
        (mine,) = await asyncio.gather(two.submit(MUG), return_exceptions=True)

    assert isinstance(mine, Task if swapped else SubmissionUncertainError)
    assert isinstance(mine, SubmissionUncertainError) or mine.id == other.id
    assert len(service.bill) == 2


# Many.


def requests_500() -> list[TextToVideo]:
    """500 requests of which 50 are equal."""
    return [TextToVideo(prompt="equal" if n % 10 == 0 else f"video {n}") for n in range(500)]


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("skew", [0.0, 300.0])
@pytest.mark.parametrize("wire", [Wire(), NORMALISED], ids=["as submitted", "normalised"])
@pytest.mark.parametrize("seed", range(3))
async def test_five_hundred_on_a_bad_day(seed: int, wire: Wire, skew: float) -> None:
    """A tenth is lost, a tenth answered with 500 after it was accepted, a tenth with 429, polls
    are cut and generations fail: 500 outcomes, each bought once, none uncertain."""
    service = emulator(
        seed=seed,
        wire=wire,
        skew=skew,
        failure=0.05,
        faults=[
            Fault(effect=Answer(code="too_many_requests", at="read"), probability=0.1),
            Fault(effect=LOST, probability=0.1),
            Fault(effect=Answer(at="accepted"), probability=0.1),
            Fault(effect=Drop(at="read"), on="tasks", probability=0.05),
        ],
    )
    async with service, client_of(service, rate_limit=RateLimit(in_flight=100)) as veo:
        outcomes = await veo.generate_many(requests_500())

        assert not uncertain(outcomes)
        await check_at_rest(veo)
    kinds = Counter(type(o.error).__name__ for o in outcomes)
    assert set(kinds) == {"NoneType", "GenerationFailedError"}
    ids = [o.result.task_id if o.result else getattr(o.error, "task_id", None) for o in outcomes]
    prompts = {charge.task_id: charge.request["prompt"] for charge in service.bill}
    assert len(service.bill) == len(set(ids)) == 500
    assert [prompts[task_id or ""] for task_id in ids] == [r.prompt for r in requests_500()]


@pytest.mark.asyncio
async def test_one_look_serves_all() -> None:
    """A hundred that are lost together are found by as many questions as one."""
    service = emulator(faults=[Fault(effect=LOST)])
    async with service, client_of(service) as veo:
        tasks = await asyncio.gather(
            *[veo.submit(TextToVideo(prompt=f"video {n}")) for n in range(100)]
        )

        assert {task.id for task in tasks} == {charge.task_id for charge in service.bill}
        assert len(service.bill) == 100
        assert service.counters["list"] <= 12
        assert not service.counters["retrieve_batch"]
        await check_at_rest(veo)


@pytest.mark.asyncio
async def test_equal_ones_leave_each_other_their_records_where_the_clocks_disagree() -> None:
    """That one was given the other's task by a coincidence in time is no sign that the clocks
    agree, so nothing is concluded from it: what nobody can tell is not sent again."""
    service = emulator(date_skew=-60.0)
    async with service, client_of(service) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        await asyncio.sleep(1000.0)
        service.faults.add(Fault(effect=LOST, count=2))
        tasks = []
        for pause in (3.0, 37.0, 0.0):
            tasks.append(asyncio.create_task(veo.submit(MUG)))
            await asyncio.sleep(pause)
            if pause == 37.0:
                service.faults.add(Fault(effect=NEVER, count=1))
        ends = await asyncio.gather(*tasks, return_exceptions=True)

    mugs = [charge for charge in service.bill if charge.request["prompt"] == "a mug"]
    assert len(mugs) <= 3
    assert sum(isinstance(end, Task) for end in ends) <= len(mugs)


@pytest.mark.asyncio
async def test_who_took_an_equal_ones_task_leaves_it_its_own_that_is_listed_later() -> None:
    """A slow POST and a quick one for the same are lost: the slow one is given the quick one's
    task, which is listed first, and its own, which is too old for the quick one's window, is the
    other's then. Each has one, and each was bought once."""
    service = emulator()

    class Slow(httpx.AsyncBaseTransport):
        """Delays the second submit on its way, and the ends of the lost ones."""

        failure_family = "httpx"

        def __init__(self) -> None:
            self._inner, self._count = service.transport(), 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            number = 0
            if request.url.path == "/veo/videos":
                self._count += 1
                number = self._count
            await asyncio.sleep(130.0 if number == 2 else 0.0)
            try:
                return await self._inner.handle_async_request(request)
            except httpx.HTTPError:
                await asyncio.sleep({2: 35.0, 3: 8.0}.get(number, 0.0))
                raise

        async def aclose(self) -> None:
            await self._inner.aclose()

    async with service, client(Slow()) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        await asyncio.sleep(500.0)
        service.faults.add(Fault(effect=Lag(seconds=60), nth=1), Fault(effect=LOST, count=2))
        slow = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(162.0)
        quick = asyncio.create_task(veo.submit(MUG))
        ids = [(await slow).id, (await quick).id]

    mugs = [charge.task_id for charge in service.bill if charge.request["prompt"] == "a mug"]
    assert sorted(ids) == sorted(mugs)
    assert len(mugs) == 2


# Going away meanwhile.


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5, 20.0])
async def test_whoever_is_cancelled_while_it_is_looked_for_finds_it_in_unsettled(
    seconds: float,
) -> None:
    """Nothing is sent again; its place is given back; it is told as uncertain."""
    service = emulator(faults=[Fault(effect=NEVER, count=1)])
    async with service, client_of(service, rate_limit=RateLimit(in_flight=1)) as veo:
        lost = asyncio.create_task(veo.text2video("a mug"))
        await asyncio.sleep(seconds)
        lost.cancel()
        await asyncio.wait([lost])
        await asyncio.sleep(2000.0)

        assert lost.cancelled()
        (item,) = veo.unsettled
        assert (item.request, item.task_id) == (MUG, None)
        assert item.error is not None
        assert service.counters["submit"] == 1
        await check_at_rest(veo)


@pytest.mark.asyncio
async def test_whoever_goes_in_the_turn_of_the_adoption_leaves_the_id() -> None:
    """The id is kept by the step that gives the record away."""
    service = emulator(faults=[Fault(effect=LOST, count=1)])
    async with service, client_of(service, rate_limit=RateLimit(in_flight=1)) as veo:
        lost = asyncio.create_task(veo.text2video("a mug"))
        await asyncio.sleep(0.5)
        (entry,) = veo._reconciler._open
        told = entry.adopted
        assert told is not None

        def adopted(task_id: str) -> None:
            told(task_id)
            lost.cancel()

        entry.adopted = adopted
        await asyncio.wait([lost])

        assert lost.cancelled()
        (item,) = veo.unsettled
        assert item.task_id == service.bill[0].task_id
        await veo.wait(item.task_id)
        assert not veo.unsettled
        await check_at_rest(veo)


@pytest.mark.asyncio
async def test_what_was_absent_is_not_told_as_uncertain_later() -> None:
    """Once it provably bought nothing, a cancelled caller leaves nothing but the second submit."""
    service = emulator(pace=Seconds(mean=600.0, sigma=0.0))
    async with service, client_of(service) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=NEVER, count=1))
        lost = asyncio.create_task(veo.text2video("a mug"))
        await asyncio.sleep(200.0)
        lost.cancel()
        await asyncio.wait([lost])

        (item,) = veo.unsettled
        assert item.task_id == service.bill[1].task_id


@pytest.mark.asyncio
async def test_a_timeout_while_it_is_looked_for_tells_that_it_is_uncertain() -> None:
    """The time to wait ends the search; the error says that money may have been spent."""
    service = emulator(faults=[Fault(effect=NEVER, count=1)])
    async with service, client_of(service, rate_limit=RateLimit(in_flight=1)) as veo:
        with pytest.raises(SubmissionUncertainError, match="time to wait was over"):
            await veo.text2video("a mug", timeout=60.0)

        assert now() == pytest.approx(60.0, abs=0.1)
        await asyncio.sleep(2000.0)
        assert service.counters["submit"] == 1
        await check_at_rest(veo)


@pytest.mark.asyncio
@pytest.mark.parametrize("effect", [NEVER, Hang(at="accepted")], ids=["looking", "under way"])
async def test_closing_ends_the_search(effect: Any) -> None:
    """Its caller is notified at once, and no task runs afterwards; also for a POST that only the
    close cancels."""
    service = emulator(faults=[Fault(effect=effect, count=1)])
    async with service:
        veo = client_of(service)
        lost = asyncio.create_task(veo.text2video("a mug"))
        await asyncio.sleep(20.0)
        await veo.aclose()
        before = now()
        with pytest.raises(SubmissionUncertainError, match="was closed"):
            await lost

        assert now() == before
        assert not other_tasks()


@pytest.mark.asyncio
@pytest.mark.parametrize("policy, sent", [("raise", 1), ("resend", 2)])
async def test_other_policies_do_not_look(policy: Any, sent: int) -> None:
    """``raise`` tells at once; ``resend`` sends again and may pay twice; neither reads the list."""
    service = emulator(faults=[Fault(effect=LOST, count=1)])
    async with service, client_of(service, retry=RetryPolicy(on_uncertain=policy)) as veo:
        (end,) = await asyncio.gather(veo.submit(MUG), return_exceptions=True)

        assert isinstance(end, SubmissionUncertainError) is (policy == "raise")
        assert len(service.bill) == sent
        assert not service.counters["list"]


@pytest.mark.asyncio
async def test_places_in_flight_are_kept_while_it_is_looked_for() -> None:
    """A lost submit may be running, so it holds its place; once it is adopted its task does."""
    service = emulator(
        pace=Seconds(mean=60.0, sigma=0.0),
        limits=Limits(in_flight=2),
        faults=[Fault(effect=LOST, probability=0.4)],
    )
    async with service, client_of(service, rate_limit=RateLimit(in_flight=2)) as veo:
        outcomes = await veo.generate_many([TextToVideo(prompt=f"video {n}") for n in range(12)])

        assert all(outcome.result for outcome in outcomes)
        assert len(service.bill) == 12
        assert not service.counters["429"]
        await check_at_rest(veo)


# A refused POST may leave a record, too.


REFUSED = {"success": False, "error": {"code": "too_many_requests", "message": "no"}}


class Recorder(Service):
    """Records every submit under its number: accepts the first, refuses the second with 429, and
    loses its answer to the third."""

    def __init__(self) -> None:
        super().__init__(submit=self._submit_one, tasks=self._show)
        self.records: list[Body] = []

    async def _submit_one(self, body: Body) -> httpx.Response:
        number = len(self.records) + 1
        response = REFUSED if number == 2 else None
        made = {"id": f"t{number}", "created_at": NOW + now(), "request": body}
        self.records.append({**made, "response": response})
        if number == 2:
            return refused(429, "too_many_requests")
        if number == 3:
            raise httpx.ReadError("cut")
        return accepted(f"t{number}")

    async def _show(self, body: Body) -> httpx.Response:
        ids = body.get("ids")
        shown = [] if body.get("offset") else self.records
        answer = page(*(one for one in shown if ids is None or one["id"] in ids))
        answer.headers["date"] = formatdate(NOW + now(), usegmt=True)
        return answer


@pytest.mark.asyncio
@pytest.mark.parametrize("policy", [RetryPolicy(), UNMARKED], ids=["marked", "unmarked"])
async def test_the_record_of_a_refused_post_is_not_that_of_the_next_one(
    policy: RetryPolicy,
) -> None:
    """A refused submit may have a task id that no answer names. Its record has the same mark and
    the same choices as the POST that follows, which was paid for."""
    service = Recorder()
    async with client(service, retry=policy) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        task = await veo.submit(MUG)

    assert task.id == "t3"
    assert len(service.submits) == 3


# This machine's clock is set during a search.


@pytest.mark.asyncio
@pytest.mark.parametrize("jump", [-200.0, 125.0, 600.0])
async def test_a_clock_that_is_set_during_a_search_loses_no_record(jump: float) -> None:
    """No answer had shown the service's clock when the submit was sent, so its times were those of
    the former clock; and the list takes a while to show it."""
    loop = asyncio.get_running_loop()
    late = [Fault(effect=LOST, nth=2), Fault(effect=Lag(seconds=100.0), nth=2)]
    runtime = Runtime(
        wall_clock=lambda: NOW + loop.time() - (jump if loop.time() < 10.0 else 0.0),
        rng=Random(1),
        run_sync=inline,
    )
    service = emulator(faults=late)
    async with service, client_of(service, runtime=runtime) as veo:
        tasks = await asyncio.gather(veo.submit(TextToVideo(prompt="a cup")), veo.submit(MUG))

    assert [task.id for task in tasks] == [charge.task_id for charge in service.bill]
