from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import anyio
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
    finished,
    looked,
    other_tasks,
    refused,
)
from veo_async import (
    APIError,
    BadRequestError,
    ClientClosedError,
    ConnectionFailedError,
    GenerationFailedError,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    SubmissionUncertainError,
    Task,
    TextToVideo,
    WaitTimeoutError,
)
from veo_async.emulator import Answer, Drop, Fault, Garble, Hang, Refuse, Seconds, Torn, Wire

MUG = TextToVideo(prompt="a mug")
UNSENT = httpx.ConnectError("nobody listens")
AT_ONCE = RetryPolicy(on_uncertain="raise")
BUSY = refused(429, "too_many_requests")


class Counter(Service):
    """Answers submits from a list, each after a second; tasks are finished at once."""

    def __init__(self, *answers: httpx.Response | Exception, seconds: float = 1.0) -> None:
        super().__init__(submit=self._sell, tasks=self._show)
        self.times: list[float] = []
        self._answers = list(answers)
        self._seconds = seconds

    async def _sell(self, body: Body) -> httpx.Response:
        self.times.append(now())
        await anyio.sleep(self._seconds)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _show(self, body: Body) -> httpx.Response:
        return looked(body, **{"task-1": finished()})


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


@pytest.mark.asyncio
async def test_a_submit_that_never_left_is_sent_again_with_backoff() -> None:
    """What provably did not reach the service may be sent again, each time after a longer pause."""
    shop = Counter(UNSENT, httpx.ConnectTimeout("no"), httpx.PoolTimeout("no"), accepted())
    async with client(shop) as veo:
        result = await veo.text2video("a mug")

    pauses = [later - earlier - 1.0 for earlier, later in pairwise(shop.times)]
    assert result.task_id == "task-1"
    assert [0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(pauses)] == [True] * 3


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "policy, sent", [(RetryPolicy(attempts=3), 3), (RetryPolicy(attempts=99, max_elapsed=4.0), 3)]
)
async def test_a_service_out_of_reach_is_given_up(policy: RetryPolicy, sent: int) -> None:
    """Sending again is bounded, in count and in time; then the error says that nothing was
    bought."""
    shop = Counter(*[UNSENT] * 99)
    async with client(shop, retry=policy) as veo:
        with pytest.raises(ConnectionFailedError, match="Nothing was bought") as error:
            await veo.text2video("a mug")

    assert len(shop.submits) == sent
    assert not error.value.may_have_cost
    assert isinstance(error.value.__cause__, httpx.ConnectError)
    assert not veo.unsettled


@pytest.mark.asyncio
async def test_a_429_is_waited_out_by_everybody() -> None:
    """One 429 with `Retry-After` holds all submits back for that time; each is then sent again."""
    busy = refused(429, "too_many_requests", **{"retry-after": "20"})
    shop = Counter(busy, *[accepted()] * 5)
    async with client(shop, rate_limit=RateLimit(adaptive=False)) as veo:
        first = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(2.0)
        others = [asyncio.create_task(veo.submit(MUG)) for _ in range(4)]
        await asyncio.gather(first, *others)

    assert shop.times == pytest.approx([0.0, *[21.0] * 5], abs=1e-3)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "policy, sent",
    [(RetryPolicy(rate_limit_attempts=3), 3), (RetryPolicy(max_elapsed=30.0), 6)],
)
async def test_a_429_without_a_time_is_bounded_too(policy: RetryPolicy, sent: int) -> None:
    """A service that is busy for ever is given up, after a count or a time."""
    shop = Counter(*[BUSY] * 99)
    async with client(shop, retry=policy) as veo:
        with pytest.raises(RateLimitError):
            await veo.submit(MUG)

    assert abs(len(shop.submits) - sent) <= 1
    assert not veo.unsettled


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "status, code",
    [(400, "bad_request"), (400, "api_not_implemented"), (401, "invalid_token"), (403, "used_up")],
)
async def test_a_refusal_is_raised_at_once(status: int, code: str) -> None:
    """A 4xx of the service's own is not asked again, and cost nothing."""
    shop = Counter(refused(status, code))
    async with client(shop) as veo:
        with pytest.raises(APIError) as error:
            await veo.text2video("a mug")

    assert (error.value.status_code, error.value.code) == (status, code)
    assert error.value.trace_id == "trace-9"
    assert not error.value.may_have_cost


UNCERTAIN = {
    "5xx": Answer(at="accepted", status=500),
    "gateway": Answer(at="accepted", status=502, body="<html>"),
    "not JSON": Garble(),
    "cut before it was read": Drop(at="unread"),
    "cut after it was billed": Drop(at="accepted", reset=True),
    "torn": Torn(),
    "hangs": Hang(at="accepted"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("effect", UNCERTAIN.values(), ids=UNCERTAIN.keys())
async def test_an_uncertain_submit_is_never_sent_again(effect: Any) -> None:
    """Whatever may have been billed is raised with all that is needed to look it up, and sent
    once."""
    service = emulator()
    service.faults.add(Fault(effect=effect))
    policy = RetryPolicy(on_uncertain="raise", submit_timeout=60.0)
    async with service, client_of(service, retry=policy) as veo:
        with pytest.raises(SubmissionUncertainError) as error:
            await veo.text2video("a mug")

    assert error.value.request == MUG
    assert error.value.sent_at == pytest.approx(NOW, abs=1.0)
    assert error.value.may_have_cost
    assert service.counters["submit"] <= 1
    assert len(service.bill) <= 1
    assert not veo.unsettled  # the error has told


@pytest.mark.asyncio
async def test_an_uncertain_submit_bears_its_trace_id() -> None:
    """The trace id of a failed answer is what the vendor's support asks for."""
    async with client(Counter(refused(500, "api_error")), retry=AT_ONCE) as veo:
        with pytest.raises(SubmissionUncertainError) as error:
            await veo.submit(MUG)

    assert error.value.trace_id == "trace-9"


@pytest.mark.asyncio
async def test_an_uncertain_submit_is_sent_again_only_on_demand() -> None:
    """`on_uncertain="resend"` takes the risk of paying twice, a bounded number of times."""
    shop = Counter(*[httpx.ReadError("cut")] * 99)
    policy = RetryPolicy(on_uncertain="resend", attempts=3)
    async with client(shop, retry=policy) as veo:
        with pytest.raises(SubmissionUncertainError) as error:
            await veo.submit(MUG)
        lucky = Counter(httpx.ReadError("cut"), accepted())
        async with client(lucky, retry=policy) as other:
            task = await other.submit(MUG)

    assert len(shop.submits) == 3
    assert isinstance(error.value.__cause__, httpx.ReadError)
    assert task.id == "task-1"


@pytest.mark.asyncio
async def test_a_refused_connection_of_the_emulator_is_survived() -> None:
    """The emulator's own refusals, silent ones too, cost a retry and no money."""
    service = emulator(pace=Seconds(mean=10.0))
    service.faults.add(
        Fault(effect=Refuse(), count=2), Fault(effect=Refuse(silent=True), nth=3, count=1)
    )
    async with service, client_of(service) as veo:
        await veo.text2video("a mug")

    assert len(service.bill) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ["place", "slot", "rate", "backoff"])
async def test_time_that_runs_out_in_a_queue_costs_nothing(what: str) -> None:
    """A deadline before the POST raises `WaitTimeoutError` without an id, and gives all back."""
    shop = Counter(*[accepted()] * 3, seconds=30.0)
    limit = RateLimit(concurrency=2, in_flight=1 if what == "place" else 5)
    if what == "rate":
        shop = Counter(*[accepted()] * 3, seconds=0.0)
        limit = RateLimit(per_second=0.01)
    if what == "backoff":
        shop = Counter(*[UNSENT] * 99, seconds=0.0)
    async with client(shop, rate_limit=limit) as veo:
        first = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(0.1)
        with pytest.raises(WaitTimeoutError, match="nothing was bought") as error:
            await veo.text2video("another", timeout=3.0)
        at = now()
        await asyncio.wait([first])

    assert at == pytest.approx(3.1)
    assert error.value.task_id is None
    assert not error.value.may_have_cost
    assert [body["prompt"] for body in shop.submits if what != "backoff"].count("another") == 0


@pytest.mark.asyncio
async def test_no_time_at_all_sends_nothing() -> None:
    """A timeout of 0 is over before anything is sent."""
    shop = Counter(accepted())
    limit = RateLimit(in_flight=1)
    async with client(shop, rate_limit=limit) as veo:
        for _ in range(2):
            with pytest.raises(WaitTimeoutError):
                await veo.text2video("a mug", timeout=0)

    assert not shop.submits
    assert veo._admission.in_flight == 0


@pytest.mark.asyncio
async def test_time_that_runs_out_in_the_post_waits_for_its_answer() -> None:
    """A caller that is late stays up to `settle` seconds for the id, and gets it in the error."""
    shop = Counter(accepted(), seconds=8.0)
    async with client(shop) as veo:
        with pytest.raises(WaitTimeoutError) as error:
            await veo.text2video("a mug", timeout=5.0)

        assert now() == pytest.approx(8.0)

    assert error.value.task_id == "task-1"
    assert error.value.may_have_cost


@pytest.mark.asyncio
async def test_a_post_that_is_too_late_is_uncertain_and_kept() -> None:
    """Without an answer in that time nobody knows; when it comes, it is in `unsettled`."""
    shop = Counter(accepted(), seconds=60.0)
    async with client(shop, rate_limit=RateLimit(in_flight=1), retry=AT_ONCE) as veo:
        with pytest.raises(SubmissionUncertainError, match="unsettled") as error:
            await veo.text2video("a mug", timeout=5.0)
        at = now()
        await asyncio.sleep(60.0)

        assert at == pytest.approx(15.0)
        assert error.value.request == MUG
        assert [item.task_id for item in veo.unsettled] == ["task-1"]
        await veo.wait("task-1")
        assert not veo.unsettled
        assert veo._admission.in_flight == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(12))
async def test_an_answer_in_the_last_moment_is_not_lost(turns: int) -> None:
    """If the answer comes just when the time to settle is over, the id is in the error or in
    `unsettled`."""

    async def sell(body: Body) -> httpx.Response:
        await anyio.sleep(15.0)
        for _ in range(turns):
            await asyncio.sleep(0)
        return accepted()

    async with client(Service(submit=sell), retry=AT_ONCE) as veo:
        with pytest.raises((WaitTimeoutError, SubmissionUncertainError)) as error:
            await veo.text2video("a mug", timeout=5.0)
        await asyncio.sleep(1.0)

        assert "task-1" in {error.value.task_id, *(item.task_id for item in veo.unsettled)}


@pytest.mark.asyncio
async def test_time_that_runs_out_in_the_wait_names_the_task() -> None:
    """The whole call has one time limit; the error says how to go on."""
    service = emulator(pace=Seconds(mean=100.0, sigma=0.0))
    async with service, client_of(service) as veo:
        with pytest.raises(WaitTimeoutError) as error:
            await veo.text2video("a mug", timeout=50.0)
        at = now()

        assert error.value.task_id == service.bill[0].task_id
        assert (await veo.wait(error.value.task_id)).task_id == error.value.task_id
    assert at == pytest.approx(50.0)


@pytest.mark.asyncio
async def test_sync_mode_never_asks_for_tasks() -> None:
    """With `mode="sync"` the answer is the result: no `async` is sent, and nothing is polled."""
    service = emulator(pace=Seconds(mean=100.0))
    async with service, client_of(service, mode="sync") as veo:
        task = await veo.submit(MUG)
        state = task.state
        result = await task.result()

    assert state == "succeeded"
    assert result.task_id == task.id == service.bill[0].task_id
    assert "async" not in service.bill[0].request
    assert service.counters["retrieve"] + service.counters["retrieve_batch"] == 0


@pytest.mark.asyncio
async def test_a_deployment_that_ignores_async_is_understood() -> None:
    """An answer that is the result is taken as it is."""
    service = emulator(pace=Seconds(mean=100.0), wire=Wire(honour_async=False))
    async with service, client_of(service, retry=RetryPolicy(marks="off")) as veo:
        result = await veo.text2video("a mug")

    assert result.success
    assert service.bill[0].request["async"] is True
    assert service.counters["retrieve"] + service.counters["retrieve_batch"] == 0


@pytest.mark.asyncio
async def test_a_synchronous_failure_is_a_refused_or_lost_submit() -> None:
    """A task that fails within its own submit's connection is billed or not: nobody can tell."""
    service = emulator(pace=Seconds(mean=10.0), failure=1.0)
    async with service, client_of(service, mode="sync", retry=AT_ONCE) as veo:
        with pytest.raises(SubmissionUncertainError) as error:
            await veo.text2video("a mug")

    assert error.value.trace_id == service.bill[0].trace_id


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_an_error_with_200_is_a_refusal_unless_the_answer_was_held(mode: Any) -> None:
    """A held answer comes at the end of a generation, which may be billed although it failed."""
    expected = SubmissionUncertainError if mode == "sync" else APIError
    shop = Counter(httpx.Response(200, json={"success": False, "error": {"message": "no"}}))
    async with client(shop, mode=mode, retry=AT_ONCE) as veo:
        with pytest.raises(expected) as error:
            await veo.text2video("a mug")

    assert getattr(error.value, "may_have_cost", False) is (mode == "sync")
    assert len(shop.submits) == 1


@pytest.mark.asyncio
async def test_a_result_without_an_id_is_a_result() -> None:
    """A finished answer that bears no task id gives its video; its task cannot be asked for."""
    shop = Counter(httpx.Response(200, json=finished(None)))
    async with client(shop, rate_limit=RateLimit(in_flight=1)) as veo:
        task = await veo.submit(MUG)
        result = await task.result()

        assert (task.id, task.state) == ("", "succeeded")
        assert veo._admission.in_flight == 0
    assert result.video.id == "video-1"
    assert result.task_id is None


@pytest.mark.asyncio
async def test_a_callback_url_makes_async_needless() -> None:
    """With `callback_url` the service answers at once by itself, so no `async` is sent; the task
    is waited for just the same."""
    shop = Counter(accepted())
    async with client(shop) as veo:
        result = await veo.text2video("a mug", callback_url="https://me.example/hook")

    assert "async" not in shop.submits[0]
    assert shop.submits[0]["callback_url"] == "https://me.example/hook"
    assert result.task_id == "task-1"


@pytest.mark.asyncio
@pytest.mark.parametrize("code", ["bad_request", "api_not_implemented"])
async def test_the_other_spelling_is_tried_once_and_remembered(code: Any) -> None:
    """`get_1080p` is sent as the API guide spells it; refused for that, as the other document
    does. What was accepted is sent from then on."""
    wire = Wire(spellings=frozenset({"get1080p"}), unknown_action=code)
    service = emulator(wire=wire, pace=Seconds(mean=10.0))
    async with service, client_of(service) as veo:
        video = (await veo.text2video("a mug")).video
        await veo.get_1080p(video.id or "")
        first = service.counters["submit"]
        await veo.get_1080p(video.id or "")

    assert (first, service.counters["submit"]) == (3, 4)
    assert [charge.request["action"] for charge in service.bill] == [
        "text2video",
        "get1080p",
        "get1080p",
    ]


@pytest.mark.asyncio
async def test_the_first_refusal_is_told_if_both_spellings_are_refused() -> None:
    """Then it was not the spelling; nothing was bought, and nothing is remembered."""
    service = emulator()
    async with service, client_of(service) as veo:
        for _ in range(2):
            with pytest.raises(BadRequestError, match="video_id"):
                await veo.get_1080p("no such video")

    assert service.counters["submit"] == 4
    assert not service.bill


class Call:
    """What a web server or a tracer knows of the request that it serves."""


CALL: ContextVar[Call] = ContextVar("call")


@pytest.mark.asyncio
async def test_the_caller_s_context_lasts_as_long_as_the_post() -> None:
    """What a web server or a tracer keeps in context variables is seen by the POST, and does not
    live on in tasks of ours: the shared polls do not see it, and nothing keeps it alive."""
    seen: list[Call | None] = []
    is_kept: list[bool] = []

    async def submit(_: Body) -> httpx.Response:
        seen.append(CALL.get(None))
        return accepted()

    async def poll(body: Body) -> httpx.Response:
        gc.collect()
        is_kept.append(kept() is not None)
        assert CALL.get(None) is None
        return looked(body, **{"task-1": finished()})

    async def serve() -> weakref.ref[Call]:
        call = Call()
        CALL.set(call)
        task = await veo.submit(TextToVideo(prompt="a mug"))
        assert seen.pop() is call
        tasks.append(task)
        return weakref.ref(call)

    tasks: list[Task] = []
    async with client(Service(submit=submit, tasks=poll)) as veo:
        kept = await asyncio.create_task(serve())
        await tasks[0].result()

    assert is_kept == [False]


@pytest.mark.asyncio
async def test_closing_waits_for_an_open_post() -> None:
    """A POST that answers within `settle` seconds gives its caller the id; its wait ends."""
    shop = Counter(accepted(), seconds=8.0)
    veo = client(shop)
    caller = asyncio.create_task(veo.text2video("a mug"))
    await asyncio.sleep(1.0)

    await veo.aclose()

    assert other_tasks() <= {caller}
    with pytest.raises(ClientClosedError) as error:
        await caller
    assert now() == pytest.approx(8.0)
    assert error.value.task_id == "task-1"
    assert error.value.may_have_cost
    assert not other_tasks()


@pytest.mark.asyncio
async def test_closing_cuts_a_post_that_does_not_settle() -> None:
    """Then its caller hears that it is uncertain; it is not sent again."""
    shop = Counter(accepted(), seconds=1e6)
    veo = client(shop, retry=AT_ONCE)
    caller = asyncio.create_task(veo.text2video("a mug"))
    await asyncio.sleep(1.0)

    await veo.aclose()

    with pytest.raises(SubmissionUncertainError, match="cancelled before its answer"):
        await caller
    assert now() == pytest.approx(11.0)
    assert len(shop.submits) == 1
    assert not other_tasks()


@pytest.mark.asyncio
@pytest.mark.parametrize("queue", ["slot", "place"])
async def test_closing_sends_nothing_that_still_queues(queue: str) -> None:
    """Who waits for a slot or a place when the client is closed hears that nothing was sent."""
    shop = Counter(accepted("task-9"), seconds=2.0)
    limit = RateLimit(concurrency=2, in_flight=1 if queue == "place" else None)
    veo = client(shop, rate_limit=limit)
    callers = [asyncio.create_task(veo.submit(MUG)) for _ in range(5)]
    await asyncio.sleep(1.0)

    await veo.aclose()

    ends = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(end) for end in ends[1:]] == [ClientClosedError] * 4
    assert len(shop.submits) == 1
    assert not other_tasks()


@pytest.mark.asyncio
async def test_a_close_that_is_cancelled_can_be_done_again() -> None:
    """Cancelling `aclose` cuts no POST, ends the polling, and leaves the rest to the next call."""
    shop = Counter(accepted("never-finished"), seconds=5.0)
    veo = client(shop, rate_limit=RateLimit(in_flight=1))
    caller = asyncio.create_task(veo.submit(MUG))
    queued = asyncio.create_task(veo.submit(MUG))
    await asyncio.sleep(1.0)
    closing = asyncio.create_task(veo.aclose())
    await asyncio.sleep(1.0)
    closing.cancel()
    await asyncio.wait([closing])

    task = await caller
    with pytest.raises(ClientClosedError):
        await queued
    asked = len(shop.questions)
    await veo.aclose()

    assert task.id == "never-finished"
    assert asked == 0
    assert not other_tasks()


@pytest.mark.asyncio
async def test_an_error_of_our_own_after_a_post_loses_no_video(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was bought reaches its caller whatever fails while we take note of it."""

    def broken(*args: Any, **options: Any) -> None:
        raise ZeroDivisionError

    async with client(Counter(accepted())) as veo:
        monkeypatch.setattr(veo._reconciler, "accepted", broken)
        with anyio.fail_after(600.0):
            task = await veo.submit(MUG)

    assert task.id == "task-1"


@pytest.mark.asyncio
async def test_an_error_of_our_own_in_a_post_is_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks within a POST, its caller hears of it, and that it may have cost."""

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    async with client(Counter(), retry=AT_ONCE) as veo:
        monkeypatch.setattr(veo._api, "post", broken)
        with pytest.raises(SubmissionUncertainError) as error:
            await veo.submit(MUG)

    assert isinstance(error.value.__cause__, RuntimeError)


@pytest.mark.asyncio
async def test_a_failed_generation_says_so() -> None:
    """The end of an accepted task may be a failure; its error bears all that support asks for."""
    service = emulator(pace=Seconds(mean=10.0), failure=1.0)
    async with service, client_of(service) as veo:
        with pytest.raises(GenerationFailedError) as error:
            await veo.text2video("a mug")

    assert error.value.task_id == service.bill[0].task_id
    assert error.value.trace_id == service.bill[0].trace_id


@pytest.mark.asyncio
async def test_what_is_unsettled_stays_until_its_end_is_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A wait that fails or is late leaves the id in `unsettled`; one that brings the end, good or
    bad, takes it away."""
    failure = {"success": False, "error": {"code": "api_error", "message": "no"}}
    ends: dict[str, Body] = {}
    shop = Counter(accepted("a"), accepted("b"))

    async def show(body: Body) -> httpx.Response:
        return looked(body, **ends)

    shop._tasks = show
    async with client(shop) as veo:
        for _ in range(2):
            with anyio.move_on_after(0.5):
                await veo.text2video("a mug")
        with pytest.raises(WaitTimeoutError):
            await veo.wait("a", timeout=1.0)
        late = [item.task_id for item in veo.unsettled]
        ends |= {"a": failure, "b": finished("b")}
        with pytest.raises(GenerationFailedError):
            await veo.wait("a")
        failed = [item.task_id for item in veo.unsettled]
        await veo.wait("b")

        assert (late, failed, veo.unsettled) == (["a", "b"], ["b"], ())
    assert len(caplog.records) == 2
