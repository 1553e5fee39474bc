"""The whole client with callbacks: deliveries wake it, polls tell it."""

from __future__ import annotations

import asyncio
import gc
import logging
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.support.deliveries import callbacks, delivered_to, faults, of, send, urls
from tests.support.service import (
    Body,
    Service,
    accepted,
    client,
    client_of,
    emulator,
    finished,
    looked,
)
from veo_async import (
    BadRequestError,
    Generation,
    InvalidRequestError,
    Outcome,
    PollPolicy,
    RetryPolicy,
    SubmissionUncertainError,
    Task,
    TaskRecord,
    TextToVideo,
    VeoClient,
    WaitTimeoutError,
)
from veo_async.callbacks import Callbacks, parse
from veo_async.callbacks._tokens import token_in
from veo_async.emulator import (
    Drop,
    Early,
    Emulator,
    Fault,
    Garble,
    Lag,
    Late,
    Never,
    Repeat,
    Seconds,
    Wire,
)

MINUTE = Seconds(mean=60.0, sigma=0.0)
EVEN = PollPolicy(jitter=0.0)


def service_for(receiver: Callbacks, **options: Any) -> Emulator:
    """A service that calls this receiver."""
    return emulator(callback_transport=delivered_to(receiver), **options)


def requests(service: Emulator) -> int:
    """Calls to the API, submits included."""
    kinds = ("submit", "retrieve", "retrieve_batch", "list")
    return sum(service.counters[kind] for kind in kinds)


def quantile(values: list[float], part: float) -> float:
    """The value below which this part of the values lies."""
    return sorted(values)[int(len(values) * part)]


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [0, 1])
async def test_five_hundred_at_once_with_lost_and_repeated_callbacks(seed: int) -> None:
    """With 30 % of the callbacks lost and 30 % repeated every video arrives, and once; those that
    were delivered are noticed within half a second, the others by the safety net within twenty,
    for 1.3 requests a video."""
    receiver = callbacks()
    service = service_for(
        receiver,
        seed=seed,
        wire=Wire(timings=True),
        pace=Seconds(mean=12.0, sigma=0.35),
        faults=[*faults(Never(), probability=0.3), *faults(Repeat(), probability=0.3)],
    )
    loop = asyncio.get_running_loop()

    async def one(veo: VeoClient, number: int) -> tuple[str, float]:
        result = await veo.text2video(f"video {number}")
        return result.task_id or "", loop.time()

    async with service, client_of(service, callbacks=receiver) as veo:
        ends = await asyncio.gather(*[one(veo, number) for number in range(500)])
        cost = requests(service)
        ahead = service.now() - loop.time()
        records = await veo.tasks.retrieve_many([task_id for task_id, _ in ends])

    done = {record.id: record.finished_at.timestamp() for record in records if record.finished_at}
    late = {task_id: at + ahead - done[task_id] for task_id, at in ends}
    called = {delivery.task_id for delivery in service.deliveries}
    delivered = [late[task_id] for task_id in late.keys() & called]
    dropped = [late[task_id] for task_id in late.keys() - called]
    assert len(late) == len(service.bill) == 500
    assert 120 <= len(dropped) <= 180
    assert len(service.deliveries) - len(called) > 80
    assert quantile(delivered, 0.5) <= 0.5
    assert quantile(dropped, 0.95) <= 20.0
    assert cost < 1.3 * 500


@pytest.mark.asyncio
async def test_a_forged_success_changes_nothing() -> None:
    """A sender who knows the real address and says ``success`` causes a poll, and no more: the
    caller gets the service's result, if there is one. A program that trusts the body is fooled."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    async with service, client_of(service, callbacks=receiver) as veo:
        task = await veo.submit(TextToVideo(prompt="a"))
        waiting = asyncio.create_task(task.result())
        await asyncio.sleep(10.0)
        forged = of(task.id)
        naive = parse(forged)

        answer = await send(receiver, urls(service)[0], forged)
        await asyncio.sleep(2.0)

        assert naive.success
        assert naive.video.video_url == "https://forged.example/1.mp4"
        assert answer.status == 204
        assert (task.state, waiting.done()) == ("pending", False)
        result = await waiting

    assert result.video.id != naive.video.id
    assert now() == pytest.approx(60.0, abs=1.0)


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


@pytest.mark.asyncio
async def test_a_forged_failure_changes_nothing() -> None:
    """Nor does one that says that the video failed."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    async with service, client_of(service, callbacks=receiver) as veo:
        task = await veo.submit(TextToVideo(prompt="a"))
        waiting = asyncio.create_task(task.result())
        await asyncio.sleep(10.0)

        await send(receiver, urls(service)[0], of(task.id, success=False, error={"code": "x"}))

        assert (await waiting).success


@pytest.mark.asyncio
async def test_the_body_decides_nothing_about_whom_it_wakes() -> None:
    """A delivery to the token of one task that speaks of another wakes the first."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE, faults=faults(Never()))
    async with service, client_of(service, callbacks=receiver) as veo:
        one, two = [await veo.submit(TextToVideo(prompt=prompt)) for prompt in "ab"]
        await asyncio.sleep(61.0)
        waits = [asyncio.create_task(task.result()) for task in (one, two)]
        await asyncio.sleep(0.0)

        await send(receiver, urls(service)[0], of(two.id))
        result = await waits[0]

        assert result.task_id == one.id
        assert now() == pytest.approx(61.0, abs=0.5)
        waits[1].cancel()


@pytest.mark.slow
@pytest.mark.asyncio
async def test_one_url_ten_thousand_times_is_a_poll_in_five_seconds() -> None:
    """Replays of a real address cost a poll in five seconds while the task runs, and none once it
    is over or nobody waits for it."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    async with service, client_of(service, callbacks=receiver) as veo:
        task = await veo.submit(TextToVideo(prompt="a"))
        url = urls(service)[0]

        async def replay(times: int) -> None:
            for _ in range(times):
                assert (await send(receiver, url, of(task.id))).status == 204
                await asyncio.sleep(0.005)

        await replay(1000)
        unwatched = requests(service)
        waiting = asyncio.create_task(task.result())
        await replay(8000)
        watched = requests(service)
        await waiting
        over = requests(service)
        await replay(1000)

        assert unwatched == 1
        assert watched - unwatched <= 40 / 5 + 2
        assert requests(service) == over


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_burst_shares_its_polls() -> None:
    """A thousand deliveries in one moment are confirmed by as many polls as batches of fifty, and
    within the budget of polls a second."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    once = PollPolicy(callback_interval=45.0)
    async with service, client_of(service, callbacks=receiver, poll=once) as veo:
        waits = [veo.text2video(f"{number}") for number in range(1000)]
        results = await asyncio.gather(*waits)

    assert len({result.task_id for result in results}) == 1000
    asked = requests(service) - 1000
    assert asked <= 2 * 1000 / 50 + 2  # the safety net looks once within a minute
    assert now() < 60.0 + 1000 / 50 / 10 + 1.0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "effect, at",
    [
        pytest.param(Late(seconds=15.0), 75.0, id="late"),
        pytest.param(Repeat(times=3), 60.0, id="repeated"),
        pytest.param(Never(), 80.0, id="never"),
        pytest.param(Garble(body="<html>"), 80.0, id="garbled"),
        pytest.param(Early(), 0.0, id="before the answer to the submit"),
    ],
)
async def test_odd_deliveries(effect: Any, at: float) -> None:
    """Whenever a callback comes, or not, the result comes once, and no later than the net says."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE, faults=faults(effect))
    async with service, client_of(service, callbacks=receiver) as veo:
        result = await veo.text2video("a")
        asked = requests(service)
        ended = now()
        await asyncio.sleep(600.0)

    assert result.success
    assert min(at, 60.0) - 1.0 <= ended <= at + 6.0
    assert requests(service) == asked


@pytest.mark.asyncio
async def test_polls_are_slower_while_callbacks_are_on() -> None:
    """The first look is `PollPolicy.callback_interval` after the submit, and so is each other."""
    looks: list[float] = []

    async def submit(body: Body) -> httpx.Response:
        return accepted()

    async def tasks(body: Body) -> httpx.Response:
        looks.append(now())
        return looked(body)

    service = Service(submit=submit, tasks=tasks)
    async with client(service, callbacks=callbacks(), poll=EVEN) as veo:
        with pytest.raises(WaitTimeoutError):
            await veo.text2video("a", timeout=100.0)

    assert looks == pytest.approx([20.0, 40.0, 60.0, 80.0], abs=0.5)


@pytest.mark.asyncio
async def test_a_service_that_calls_before_its_record_shows_the_result() -> None:
    """A poll that a callback caused too early is repeated five seconds later."""
    looks: list[float] = []
    receiver = callbacks()

    async def submit(body: Body) -> httpx.Response:
        return accepted()

    async def tasks(body: Body) -> httpx.Response:
        looks.append(now())
        return looked(body, **({"task-1": finished()} if now() > 31.0 else {}))

    service = Service(submit=submit, tasks=tasks)
    async with client(service, callbacks=receiver, poll=EVEN) as veo:
        waiting = asyncio.create_task(veo.text2video("a"))
        await asyncio.sleep(30.0)
        await send(receiver, service.submits[0]["callback_url"], of("task-1"))
        await waiting

    assert looks == pytest.approx([20.0, 30.0, 35.0], abs=0.5)


@pytest.mark.asyncio
async def test_a_delivery_while_its_task_is_being_asked_about() -> None:
    """The answer under way may have been made before, so there is another look right after it."""
    looks: list[float] = []
    receiver = callbacks()

    async def submit(body: Body) -> httpx.Response:
        return accepted()

    async def tasks(body: Body) -> httpx.Response:
        looks.append(now())
        answer = looked(body, **({"task-1": finished()} if now() > 20.5 else {}))
        await asyncio.sleep(2.0)
        return answer

    service = Service(submit=submit, tasks=tasks)
    async with client(service, callbacks=receiver, poll=EVEN) as veo:
        waiting = asyncio.create_task(veo.text2video("a"))
        await asyncio.sleep(21.0)
        await send(receiver, service.submits[0]["callback_url"], of("task-1"))
        await waiting

    assert looks == pytest.approx([20.0, 22.0], abs=0.5)


@pytest.mark.asyncio
async def test_a_wait_that_had_trouble_still_hears_of_callbacks() -> None:
    """Waiting again after trouble is waiting for the same task, with the same address."""
    receiver = callbacks()
    service = service_for(
        receiver, pace=MINUTE, faults=[Fault(effect=Drop(), on="tasks", count=30)]
    )
    async with service, client_of(service, callbacks=receiver) as veo:
        task = await veo.submit(TextToVideo(prompt="a"))
        veo._tracker.attach(task.id).trouble = WaitTimeoutError("trouble", task_id=task.id)
        service.faults.clear()

        await task.result()

    assert now() == pytest.approx(60.0, abs=1.0)


@pytest.mark.asyncio
async def test_whoever_waits_by_the_id_hears_of_callbacks() -> None:
    """A web application answers with the id, keeps no handle, and waits in another request."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    slow = PollPolicy(callback_interval=300.0)
    async with service, client_of(service, callbacks=receiver, poll=slow) as veo:
        task_id = (await veo.submit(TextToVideo(prompt="a"))).id
        await asyncio.sleep(5.0)
        veo._tracker._in_flight.clear()  # nor does anybody else keep it
        gc.collect()
        await asyncio.gather(veo.wait(task_id), veo.wait(task_id))

    assert now() == pytest.approx(60.0, abs=0.5)
    assert requests(service) == 3  # the submit, a look at once, and one when the callback came


@pytest.mark.asyncio
async def test_callbacks_that_never_come_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong public URL costs nothing but time, so nobody would notice it otherwise. The client
    polls as ever from then on, until a callback comes."""
    receiver = callbacks()
    there: list[httpx.ASGITransport] = []

    class Elsewhere(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if there:
                return await there[0].handle_async_request(request)
            return httpx.Response(404)

    service = emulator(pace=MINUTE, callback_transport=Elsewhere())
    slow = PollPolicy(callback_interval=300.0)
    times: list[float] = []
    async with service, client_of(service, callbacks=receiver, poll=slow) as veo:

        async def make(count: int) -> None:
            for _ in range(count):
                began = now()
                task = await veo.submit(TextToVideo(prompt="a"))
                await asyncio.gather(*[task.result() for _ in range(10)])
                times.append(now() - began)

        await make(4)
        before = list(caplog.records)
        await make(6)
        there.append(delivered_to(receiver))
        await make(2)

    assert not before
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "can the service reach https://app.example/veo/callbacks" in caplog.text
    assert all(time > 200.0 for time in times[:5])
    assert all(time < 90.0 for time in times[5:10])
    assert times[10:] == pytest.approx([60.0, 60.0], abs=0.5)


@pytest.mark.asyncio
async def test_a_few_lost_callbacks_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """If some come, missing ones are no reason to warn, also many in one moment."""
    receiver = callbacks()
    service = service_for(receiver, pace=Seconds(mean=10.0, sigma=0.0))
    async with service, client_of(service, callbacks=receiver) as veo:
        for lost in (4, 4, 20):
            await veo.text2video("a")
            service.faults.add(*faults(Never(), count=lost))
            await asyncio.gather(*[veo.text2video("a") for _ in range(lost)])

    assert not caplog.records


# Whose address it is.


@pytest.mark.asyncio
async def test_every_submit_has_an_address_of_its_own() -> None:
    """Equal requests too; ``async`` is not needed beside it; and what the caller gave is changed
    nowhere."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    requests_ = [TextToVideo(prompt="a")] * 3
    async with service, client_of(service, callbacks=receiver) as veo:
        outcomes = await veo.generate_many(requests_)

    assert len(set(urls(service))) == 3
    assert all("async" not in charge.request for charge in service.bill)
    assert [outcome.request for outcome in outcomes] == requests_


@pytest.mark.asyncio
async def test_a_caller_s_own_callback_stays() -> None:
    """It is sent as it is, and is polled for as ever."""
    own = "https://me.example/hook"
    receiver = callbacks()
    service = emulator(
        pace=MINUTE, callback_transport=httpx.MockTransport(lambda _: httpx.Response(204))
    )
    async with service, client_of(service, callbacks=receiver) as veo:
        await veo.text2video("a", callback_url=own)

    assert urls(service) == [own]


def test_held_connections_and_callbacks_exclude_each_other() -> None:
    """With a callback the service answers at once, so ``mode="sync"`` would be a lie."""
    with pytest.raises(InvalidRequestError) as caught:
        VeoClient("any-token", mode="sync", callbacks=callbacks())

    assert caught.value.field == "callbacks"


def test_callbacks_are_callbacks() -> None:
    """A URL in their place is refused by name."""
    with pytest.raises(InvalidRequestError) as caught:
        VeoClient("any-token", callbacks="https://me.example")  # type: ignore[arg-type]

    assert caught.value.field == "callbacks"


@pytest.mark.asyncio
async def test_several_clients_share_one_receiver() -> None:
    """Each hears of its own submits; and one client after another may use it."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    async with service:
        async with (
            client_of(service, callbacks=receiver) as one,
            client_of(service, callbacks=receiver) as two,
        ):
            await asyncio.gather(one.text2video("a"), two.text2video("b"))
        together = now()
        async with client_of(service, callbacks=receiver) as three:
            await three.text2video("c")

    assert [delivery.status for delivery in service.deliveries] == [204] * 3
    assert [together, now()] == pytest.approx([60.0, 120.0], abs=2.0)


@pytest.mark.asyncio
async def test_a_later_client_takes_over_from_one_that_is_closed(tmp_path: Path) -> None:
    """Both share the receiver: the run that is resumed hears of what the earlier one submitted."""
    path = tmp_path / "run.db"
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    async with service:
        first = client_of(service, callbacks=receiver)
        await run(first, path, timeout=10.0)
        slow = PollPolicy(callback_interval=300.0)
        outcome = await run(client_of(service, callbacks=receiver, poll=slow), path)

    assert outcome.result is not None
    assert [delivery.status for delivery in service.deliveries] == [204]
    assert now() == pytest.approx(60.0, abs=0.5)
    assert first.unsettled == ()


@pytest.mark.asyncio
async def test_a_delivery_that_overlaps_the_close_is_not_taken() -> None:
    """A receiver in another thread may have found the client's submit just before the client
    closed. The delivery is answered like one for another process, so that it is sent again."""
    veo = client(Service(), callbacks=callbacks())
    handle = veo._callback_router.issue()
    assert handle

    await veo.aclose()

    assert not veo._callback_router.notify(handle, (0.0,))


@pytest.mark.asyncio
async def test_after_the_client_is_closed() -> None:
    """A delivery for its unfinished tasks is answered with 503: a later process may want it. So is
    one that came before the client was made; both are harmless."""
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    before = await send(receiver, receiver.registry.signer.url(bytes(16)))
    async with service:
        veo = client_of(service, callbacks=receiver)
        task = await veo.submit(TextToVideo(prompt="a"))
        await veo.aclose()
        await asyncio.sleep(61.0)

    assert before.status == 503
    assert [delivery.status for delivery in service.deliveries] == [503]
    assert task.state == "pending"


@pytest.mark.asyncio
async def test_of_several_processes_the_right_one_is_met_in_the_end() -> None:
    """Two processes behind one public URL, and a service that tries again: what the wrong one
    answers makes it do so, and meet the right one."""
    receivers = [callbacks(), callbacks()]
    met: list[int] = []

    class Balancer(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            met.append(len(met) % 2)
            return await delivered_to(receivers[met[-1]]).handle_async_request(request)

    service = emulator(
        pace=Seconds(mean=61.0, sigma=0.0),
        wire=Wire(callback_attempts=3),
        callback_transport=Balancer(),
    )
    slow = PollPolicy(callback_interval=3600.0)
    async with service, client_of(service, callbacks=receivers[1], poll=slow) as veo:
        await veo.text2video("a")

    assert met == [0, 1]
    assert [delivery.status for delivery in service.deliveries] == [503, 204]
    assert now() == pytest.approx(61.0 + 30.0, abs=1.0)


@pytest.mark.asyncio
async def test_of_several_processes_one_hands_over_to_the_other() -> None:
    """With ``on_unknown`` the one that is met passes it on, and the service is answered at once."""
    owner = callbacks()

    async def relay(token: str, body: bytes) -> bool:
        return owner.hand_over(token, body)

    service = service_for(callbacks(on_unknown=relay), pace=MINUTE)
    async with service, client_of(service, callbacks=owner) as veo:
        await veo.text2video("a")

    assert [delivery.status for delivery in service.deliveries] == [204]
    assert now() == pytest.approx(60.0, abs=1.0)


class Elsewhere:
    """A client on an event loop of its own, in another thread."""

    def __init__(self, receiver: Callbacks, *, closes: bool) -> None:
        self.service = Service(submit=self._accept, tasks=self._finish)
        self.ended: Future[Generation | None] = Future()
        self.submitted: Future[str] = Future()
        self._receiver, self._closes = receiver, closes
        self.task: Task | None = None
        self.thread = Thread(target=asyncio.run, args=(self._run(),))
        self.thread.start()

    async def _accept(self, body: Body) -> httpx.Response:
        return accepted()

    async def _finish(self, body: Body) -> httpx.Response:
        return looked(body, **{"task-1": finished()})

    async def _run(self) -> None:
        slow = PollPolicy(callback_interval=60.0)
        veo = client(self.service, callbacks=self._receiver, poll=slow)
        self.task = await veo.submit(TextToVideo(prompt="a"))
        self.submitted.set_result(self.service.submits[0]["callback_url"])
        if self._closes:
            self.ended.set_result(await self.task.result())
            await veo.aclose()
        else:
            self.ended.set_result(None)


@pytest.mark.real_loop
@pytest.mark.asyncio
async def test_a_receiver_in_another_thread() -> None:
    """The server of a synchronous application may serve it: the client hears on its own loop."""
    receiver = callbacks()
    elsewhere = Elsewhere(receiver, closes=True)
    url = await asyncio.wrap_future(elsewhere.submitted)

    answer = await send(receiver, url, of("task-1"))
    result = await asyncio.wait_for(asyncio.wrap_future(elsewhere.ended), 10)
    await asyncio.to_thread(elsewhere.thread.join, 10)

    assert answer.status == 204
    assert result is not None
    assert result.task_id == "task-1"


@pytest.mark.real_loop
@pytest.mark.asyncio
async def test_a_loop_that_is_closed_hears_nothing() -> None:
    """A client that was left open when its loop ended is like one that was closed."""
    receiver = callbacks()
    elsewhere = Elsewhere(receiver, closes=False)
    await asyncio.to_thread(elsewhere.thread.join, 10)

    answer = await send(receiver, elsewhere.submitted.result(), of("task-1"))

    assert elsewhere.task is not None
    assert answer.status == 503
    assert not receiver.registry._handles  # nothing keeps the client in memory


# A submit whose answer was lost.


class Told(httpx.AsyncBaseTransport):
    """A way to the service that notes the addresses, also of what is never accepted."""

    failure_family = "httpx"

    def __init__(self, service: Emulator) -> None:
        self._inner = service.transport()
        self.told: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/veo/videos":
            self.told.append(httpx.Response(200, content=request.content).json()["callback_url"])
        return await self._inner.handle_async_request(request)


@pytest.mark.asyncio
async def test_a_lost_submit_is_known_by_its_address() -> None:
    """Of two clients that send equal requests in the same moment, each finds its own task; nothing
    but the address tells them apart."""
    receivers = [callbacks(), callbacks()]
    service = emulator(
        pace=MINUTE,
        callback_transport=httpx.MockTransport(lambda _: httpx.Response(503)),
        faults=[Fault(effect=Drop(at="accepted"))],
    )
    async with (
        service,
        client_of(service, callbacks=receivers[0]) as one,
        client_of(service, callbacks=receivers[1]) as two,
    ):
        results = await asyncio.gather(two.text2video("a"), one.text2video("a"))

        owner = {charge.task_id: charge.request["callback_url"] for charge in service.bill}
        assert len(owner) == 2
        for result, receiver in zip(results, reversed(receivers), strict=True):
            nonce = receiver.registry.signer.nonce_of(owner[result.task_id or ""])
            assert nonce in receiver.registry._handles


@pytest.mark.asyncio
async def test_a_delivery_finds_a_lost_submit_before_the_list_does() -> None:
    """The list lags and the answer was lost, but the callback came: its task id is looked at, and
    the record proves by its address that it is ours. At once: nobody waits for the next look."""
    receiver = callbacks()
    service = service_for(
        receiver,
        pace=MINUTE,
        faults=[Fault(effect=Drop(at="accepted"), count=1), Fault(effect=Lag(seconds=3000.0))],
    )
    async with service, client_of(service, callbacks=receiver) as veo:
        result = await veo.text2video("a")

    assert [charge.task_id for charge in service.bill] == [result.task_id]
    assert now() == pytest.approx(60.0, abs=0.5)


@pytest.mark.asyncio
async def test_of_many_lost_submits_each_is_found_by_its_delivery() -> None:
    """Equal ones too: a delivery to one says nothing about the others."""
    receiver = callbacks()
    service = service_for(
        receiver,
        pace=Seconds(mean=20.0, sigma=0.3),
        faults=[Fault(effect=Drop(at="accepted"), count=8), Fault(effect=Lag(seconds=3000.0))],
    )
    async with service, client_of(service, callbacks=receiver) as veo:
        results = await asyncio.gather(*[veo.text2video("a") for _ in range(8)])

    assert {result.task_id for result in results} == {charge.task_id for charge in service.bill}
    assert len(service.bill) == 8
    assert now() < 60.0


@pytest.mark.asyncio
async def test_all_posts_of_one_submit_bear_one_address() -> None:
    """The first was accepted after all, although the list was late to show it; when the answer to
    the second is lost too, its record is known as this submit's, and is not bought again."""
    receiver = callbacks()
    service = service_for(receiver, pace=Seconds(mean=600.0, sigma=0.0))
    lost = [
        Fault(effect=Drop(at="accepted"), nth=1),
        Fault(effect=Lag(seconds=160.0), nth=1),
        Fault(effect=Drop(at="read"), nth=2),
    ]
    async with service, client_of(service, callbacks=receiver) as veo:
        await veo.submit(TextToVideo(prompt="another, which is seen"))
        service.faults.add(*lost)
        task = await veo.submit(TextToVideo(prompt="a"))

    assert service.counters["submit"] == 3
    assert [charge.task_id for charge in service.bill][1:] == [task.id]


@pytest.mark.asyncio
async def test_an_early_delivery_is_kept_for_a_lost_submit() -> None:
    """It may come before the POST has failed."""
    receiver = callbacks()
    service = service_for(
        receiver,
        faults=[
            Fault(effect=Early(), count=1),
            Fault(effect=Drop(at="accepted"), count=1),
            Fault(effect=Lag(seconds=3000.0)),
        ],
    )
    async with service, client_of(service, callbacks=receiver) as veo:
        result = await veo.text2video("a")

    assert [charge.task_id for charge in service.bill] == [result.task_id]
    assert now() < 10.0


@pytest.mark.asyncio
async def test_a_forged_delivery_gives_a_lost_submit_no_other_task() -> None:
    """A sender who knows the address and names another task of the account makes the client
    retrieve it, and its record proves that it is not the lost one."""
    receiver = callbacks()
    service = service_for(
        receiver,
        pace=Seconds(mean=600.0, sigma=0.0),
        faults=[Fault(effect=Drop(at="read"), nth=2)],
    )
    wire = Told(service)
    async with service, client(wire, callbacks=receiver) as veo:
        other = await veo.submit(TextToVideo(prompt="another"))
        lost = asyncio.create_task(veo.submit(TextToVideo(prompt="a")))
        await asyncio.sleep(2.0)
        for number in range(30):
            await send(receiver, wire.told[1], of(other.id if number % 2 else "no-such-task"))
            await asyncio.sleep(5.0)
        task = await lost

    assert len(wire.told) == 3
    assert task.id not in ("", other.id)
    assert urls(service) == [wire.told[0], wire.told[2]]


@pytest.mark.asyncio
async def test_a_forged_delivery_proves_nothing_about_the_list() -> None:
    """The list lacks a task of ours, so it may lack the lost one too. That somebody names that
    task, and that it is found by its id, does not make the list whole."""
    receiver = callbacks()
    service = service_for(
        receiver,
        pace=Seconds(mean=600.0, sigma=0.0),
        faults=[Fault(effect=Lag(seconds=3000.0)), Fault(effect=Drop(at="read"), nth=2)],
    )
    wire = Told(service)
    async with service, client(wire, callbacks=receiver) as veo:
        other = await veo.submit(TextToVideo(prompt="another"))
        lost = asyncio.create_task(veo.submit(TextToVideo(prompt="a")))
        await asyncio.sleep(2.0)
        for _ in range(60):
            await send(receiver, wire.told[1], of(other.id))
            await asyncio.sleep(5.0)

        with pytest.raises(SubmissionUncertainError, match="not in the list"):
            await lost


# In a journal.


async def run(veo: VeoClient, path: Path, **options: Any) -> Outcome:
    """One run of a batch of one request; ends the client."""
    async with veo, veo.batch([TextToVideo(prompt="a")], journal=path, **options) as outcomes:
        (outcome,) = [outcome async for outcome in outcomes]
        return outcome


RAISE = RetryPolicy(on_uncertain="raise")


@pytest.mark.asyncio
@pytest.mark.parametrize("again", [True, False], ids=["with callbacks", "without"])
async def test_a_later_run_knows_a_lost_submit_by_its_address(tmp_path: Path, again: bool) -> None:
    """The address is in the journal, so a later process finds its task among equal ones, whether
    or not it has callbacks itself."""
    path = tmp_path / "run.db"
    service = emulator(
        pace=MINUTE,
        callback_transport=httpx.MockTransport(lambda _: httpx.Response(503)),
        faults=[Fault(effect=Drop(at="accepted"), nth=2)],
    )
    async with service:
        async with client_of(service, callbacks=callbacks()) as stranger:
            await stranger.submit(TextToVideo(prompt="a"))
        first = await run(client_of(service, callbacks=callbacks(), retry=RAISE), path)
        later = {"callbacks": callbacks()} if again else {}
        second = await run(client_of(service, **later), path)

    assert isinstance(first.error, SubmissionUncertainError)
    assert second.result is not None
    assert second.result.task_id == service.bill[1].task_id
    assert len(service.bill) == 2


@pytest.mark.asyncio
async def test_a_delivery_before_the_run_is_resumed(tmp_path: Path) -> None:
    """It is told to come again, but what it said is remembered: the task is found although the
    list does not show it."""
    path = tmp_path / "run.db"
    receiver = callbacks()
    service = service_for(
        receiver,
        pace=Seconds(mean=5.0, sigma=0.0),
        faults=[Fault(effect=Drop(at="accepted")), Fault(effect=Lag(seconds=3000.0))],
    )
    async with service:
        await run(client_of(service, callbacks=callbacks(), retry=RAISE), path)
        await asyncio.sleep(10.0)
        outcome = await run(client_of(service, callbacks=receiver), path)

    assert [delivery.status for delivery in service.deliveries] == [503]
    assert outcome.result is not None
    assert len(service.bill) == 1
    assert now() < 20.0


@pytest.mark.asyncio
async def test_a_later_run_hears_of_what_an_earlier_one_submitted(tmp_path: Path) -> None:
    """A task that is only waited for is looked at at once, and then when its callback comes."""
    path = tmp_path / "run.db"
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE)
    async with service:
        await run(client_of(service, callbacks=callbacks()), path, timeout=10.0)
        before = requests(service)
        outcome = await run(client_of(service, callbacks=receiver), path)

    assert outcome.result is not None
    assert requests(service) - before <= 4
    assert now() == pytest.approx(60.0, abs=0.5)


@pytest.mark.asyncio
async def test_a_later_run_sends_again_with_the_same_address(tmp_path: Path) -> None:
    """If the earlier POST was accepted after all, its record is still this item's."""
    path = tmp_path / "run.db"
    receiver = callbacks()
    service = service_for(receiver, faults=[Fault(effect=Drop(at="read"), count=1)])
    first, second = Told(service), Told(service)
    async with service:
        await run(client(first, callbacks=callbacks(), retry=RAISE), path)
        veo = client(second, callbacks=receiver)
        await veo.submit(TextToVideo(prompt="a cup"))  # it shows what the list shows
        outcome = await run(veo, path)

    assert outcome.result is not None
    cup, again = urls(service)
    assert (first.told, second.told) == ([again], [cup, again])


@pytest.mark.asyncio
async def test_a_run_that_moved_is_the_same_run(tmp_path: Path) -> None:
    """Another public URL or secret, or another callback of the caller's own, makes no other
    videos of the same requests."""
    path = tmp_path / "run.db"
    service = emulator(callback_transport=httpx.MockTransport(lambda _: httpx.Response(204)))
    moved = Callbacks("https://moved.example/hook", "another secret, as long")
    async with service:
        await run(client_of(service, callbacks=callbacks()), path, timeout=10.0)
        await run(client_of(service, callbacks=moved), path, timeout=10.0)
        async with client_of(service) as veo:
            own = TextToVideo(prompt="a", callback_url="https://me.example/hook")
            async with veo.batch([own], journal=path) as outcomes:
                (outcome,) = [outcome async for outcome in outcomes]

    assert outcome.result is not None
    assert len(service.bill) == 1


# What is shown.


@pytest.mark.asyncio
async def test_nobody_is_told_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """Not by errors that quote the service, nor by anything that is printed or logged here."""
    caplog.set_level(logging.DEBUG)
    receiver = callbacks()
    told: list[str] = []

    async def quote(body: Body) -> httpx.Response:
        told.append(body["callback_url"])
        error = {"code": "bad_request", "message": f"{told[-1]} is invalid."}
        return httpx.Response(400, json={"error": error, "request": body})

    async with client(Service(submit=quote), callbacks=receiver) as veo:
        with pytest.raises(BadRequestError) as refused:
            await veo.text2video("a")
        shown = f"{veo!r} {receiver!r} {refused.value!r} {refused.value} {vars(refused.value)}"
    await send(receiver, told[0])
    await send(receiver, told[0] + "x")

    assert token_in(told[0]) not in shown
    assert token_in(told[0]) not in caplog.text


@pytest.mark.asyncio
async def test_what_is_left_of_a_submit_shows_no_token(caplog: pytest.LogCaptureFixture) -> None:
    """An uncertain submit, the handle of a task and the record of the list have it in none of
    their texts; the record's request itself is what the service stored."""
    caplog.set_level(logging.DEBUG, logger="veo_async")
    receiver = callbacks()
    service = service_for(receiver, pace=MINUTE, faults=[Fault(effect=Drop(at="accepted"), nth=2)])
    async with service, client_of(service, callbacks=receiver, retry=RAISE) as veo:
        task = await veo.submit(TextToVideo(prompt="a"))
        with pytest.raises(SubmissionUncertainError) as uncertain:
            await veo.submit(TextToVideo(prompt="b"))
        records: list[TaskRecord] = [record async for record in veo.tasks.list()]
        left = veo.unsettled
    shown = f"{task!r} {uncertain.value!r} {uncertain.value.request!r} {records!r} {left!r}"

    assert len(records) == 2
    assert (records[1].request or {})["callback_url"] == urls(service)[0]
    for url in urls(service):
        assert token_in(url) not in shown
        assert token_in(url) not in caplog.text
