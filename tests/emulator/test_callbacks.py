"""Callbacks to a receiver in the same process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import pytest

from tests.samples import SAMPLES
from veo_async.emulator import (
    Early,
    Emulator,
    Fail,
    Garble,
    Immediate,
    Late,
    Looks,
    Never,
    Repeat,
    Seconds,
    Wire,
)

from .calls import ASYNC, calling
from .test_samples import shape

URL = "https://example.com/hook?x=1"


@dataclass
class Receiver:
    """Records the calls to it and their times."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    calls: list[httpx.Request] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def transport(self) -> httpx.MockTransport:
        """The transport of the emulator's callbacks to it."""
        return httpx.MockTransport(self._receive)

    async def _receive(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        self.times.append(anyio.current_time())
        return httpx.Response(self.status, headers=self.headers)


def options(receiver: Receiver, **more: Any) -> dict[str, Any]:
    """An emulator whose tasks take a minute and whose callbacks go to this receiver."""
    pace = Seconds(mean=60, sigma=0)
    return {"pace": pace, "callback_transport": receiver.transport(), **more}


@pytest.mark.asyncio
async def test_the_result_is_posted_when_it_is_finished() -> None:
    """The body is that of a synchronous answer, JSON, to the URL that was given."""
    receiver = Receiver()
    async with calling(**options(receiver)) as caller:
        answer = await caller.submit(callback_url=URL)
        at_once = len(receiver.calls)
        await anyio.sleep(61)

        (call,) = receiver.calls
        assert at_once == 0
        assert receiver.times == [pytest.approx(60)]
        assert (call.method, str(call.url)) == ("POST", URL)
        assert call.headers["content-type"] == "application/json"
        document = httpx.Response(200, content=call.content).json()
        assert document["task_id"] == answer.json()["task_id"]
        assert document == (await caller.record(document["task_id"]))["response"]
        assert sorted(shape(document)) == sorted(shape(SAMPLES["callback_result"].json()))
        assert caller.emulator.counters["callback"] == 1


@pytest.mark.asyncio
async def test_a_failure_is_posted_with_its_task_id() -> None:
    """The body always contains the task id: a receiver has nothing else to match it by."""
    receiver = Receiver()
    async with calling(**options(receiver, pace=Immediate())) as caller:
        caller.fault(Fail())
        task_id = (await caller.submit(callback_url=URL)).json()["task_id"]
        await anyio.sleep(1)

        document = httpx.Response(200, content=receiver.calls[0].content).json()
        assert document["task_id"] == task_id
        assert document["success"] is False
        assert document["error"]["code"] == "api_error"


@pytest.mark.asyncio
async def test_with_async_and_a_callback_url_it_is_posted_too() -> None:
    """Both hold: the answer is the id, at once, and the callback follows."""
    receiver = Receiver()
    async with calling(**options(receiver)) as caller:
        answer = await caller.submit(**{"async": True, "callback_url": URL})
        answered_at = anyio.current_time()
        await anyio.sleep(61)

        assert list(answer.json()) == ["task_id"]
        assert answered_at == 0
        assert receiver.times == [pytest.approx(60)]


@pytest.mark.asyncio
async def test_with_looks_it_is_posted_immediately() -> None:
    """A callback does not poll, so the task finishes immediately."""
    receiver = Receiver()
    async with calling(**options(receiver, pace=Looks(5))) as caller:
        task_id = (await caller.submit(callback_url=URL)).json()["task_id"]
        await anyio.sleep(0.1)

        assert len(receiver.calls) == 1
        assert "response" in await caller.record(task_id)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "effects, times",
    [
        ([Late(seconds=30)], [90]),
        ([Repeat(times=3, every=5)], [60, 65, 70]),
        ([Late(seconds=1), Repeat()], [61, 62]),
        ([Never()], []),
        ([Early()], [0]),
    ],
)
@pytest.mark.parametrize("on", ["submit", "callback"])
async def test_odd_deliveries(effects: list[Any], times: list[float], on: str) -> None:
    """Late, repeated, early and lost callbacks, by a rule on the submit or on the callback."""
    receiver = Receiver()
    async with calling(**options(receiver)) as caller:
        for effect in effects:
            caller.fault(effect, on=on)
        await caller.submit(callback_url=URL)
        await anyio.sleep(120)

        assert receiver.times == [pytest.approx(time) for time in times]


@pytest.mark.asyncio
@pytest.mark.parametrize("on", ["submit", "callback"])
async def test_an_early_callback_comes_before_the_answer(on: str) -> None:
    """`Early`: the end of the task and its callback come before the answer to the submit."""
    receiver = Receiver()
    async with calling(**options(receiver)) as caller:
        caller.fault(Early(), on=on)

        task_id = (await caller.submit(callback_url=URL)).json()["task_id"]

        assert len(receiver.calls) == 1
        assert (await caller.record(task_id))["response"]["success"] is True


@pytest.mark.asyncio
async def test_a_garbled_callback() -> None:
    """`Garble` on the callback does not change the answer to the submit."""
    receiver = Receiver()
    async with calling(**options(receiver)) as caller:
        caller.fault(Garble(body="{", media_type="application/json"), on="callback")
        answer = await caller.submit(callback_url=URL)
        await anyio.sleep(61)

        assert list(answer.json()) == ["task_id"]
        assert receiver.calls[0].content == b"{"


@pytest.mark.asyncio
async def test_the_receivers_answer_does_not_matter() -> None:
    """A receiver that fails gets no second callback, and the task still finishes."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    failing = Receiver(status=500)
    for transport in (failing.transport(), httpx.MockTransport(refuse)):
        async with calling(pace=Immediate(), callback_transport=transport) as caller:
            task_id = (await caller.submit(callback_url=URL)).json()["task_id"]
            await anyio.sleep(3600)

            assert (await caller.record(task_id))["response"]["success"] is True
    assert len(failing.calls) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "headers, times",
    [({"retry-after": "7"}, [0, 7, 14]), ({}, [0, 30, 60]), ({"retry-after": "soon"}, [0, 30, 60])],
)
async def test_a_deployment_that_tries_again(headers: dict[str, str], times: list[float]) -> None:
    """`Wire.callback_attempts` repeats a callback after a 5xx, and honours ``Retry-After``."""
    receiver = Receiver(status=503, headers=headers)
    wire = Wire(callback_attempts=3)
    async with calling(**options(receiver, pace=Immediate(), wire=wire)) as caller:
        await caller.submit(callback_url=URL)
        await anyio.sleep(3600)

        assert receiver.times == [pytest.approx(time) for time in times]
        assert [call.status for call in caller.emulator.deliveries] == [503] * 3


@pytest.mark.asyncio
async def test_no_second_attempt_after_an_answer() -> None:
    """A 2xx and a 4xx are final; after no answer at all there is a second attempt."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    taken, refused = Receiver(), Receiver(status=404)
    transports = taken.transport(), refused.transport(), httpx.MockTransport(refuse)
    statuses = []
    for transport in transports:
        wire = Wire(callback_attempts=2)
        async with calling(pace=Immediate(), callback_transport=transport, wire=wire) as caller:
            task_id = (await caller.submit(callback_url=URL)).json()["task_id"]
            await anyio.sleep(3600)
            statuses.append([call.status for call in caller.emulator.deliveries])
            assert {call.task_id for call in caller.emulator.deliveries} == {task_id}
            caller.emulator.reset()
            assert caller.emulator.deliveries == []

    assert statuses == [[204], [404], [None, None]]


@pytest.mark.asyncio
async def test_a_reset_or_a_close_ends_scheduled_callbacks() -> None:
    """After `reset`, `close` or `aclose` no callback of an older task is sent."""
    receiver = Receiver()
    async with calling(**options(receiver)) as caller:
        await caller.submit(callback_url=URL)
        await anyio.sleep(1)
        caller.emulator.reset()
        await caller.submit(callback_url=URL)
        await anyio.sleep(1)
        caller.emulator.close()
        await caller.submit(callback_url=URL)
        await anyio.sleep(1)
    await anyio.sleep(3600)

    assert receiver.calls == []


@pytest.mark.asyncio
async def test_a_close_in_mid_delivery() -> None:
    """Closing ends a delivery that hangs."""

    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    emulator = Emulator(pace=Immediate(), callback_transport=httpx.MockTransport(hang))
    async with httpx.AsyncClient(
        transport=emulator.transport(), base_url=emulator.base_url
    ) as http:
        http.headers["authorization"] = "Bearer any"
        await http.post("/veo/videos", json={**ASYNC, "callback_url": URL})
        await anyio.sleep(1)

        with anyio.fail_after(5):
            await emulator.aclose()
