"""Failures that are not final, and tasks that are over without a video."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.support.service import Body, Service, accepted, asked_ids, client, finished, page
from veo_async import (
    GenerationFailedError,
    PollPolicy,
    TaskNotFoundError,
    TextToVideo,
    VeoClient,
    WaitTimeoutError,
)
from veo_async._wire.task_status import LATE_VIDEO
from veo_async.events import Event, Failed, Finished

pytestmark = pytest.mark.asyncio

MUG = TextToVideo(prompt="a mug")
ERROR = {"success": False, "error": {"code": "api_error", "message": "fetch failed"}}
LATEST = 30.0
"""Seconds after which any change is noticed: the longest delay between two polls, and some."""


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


class Stage(Service):
    """A service with one task, whose record changes with time. A query takes half a second.

    Attributes:
        record: the fields of its record; ``None`` if the service does not know it.
        instead: the body of each answer to a query of one id, in place of the record.
    """

    def __init__(self, **record: Any) -> None:
        super().__init__(submit=self._accept, tasks=self._show)
        self.record: Body | None = record
        self.instead: bytes | None = None

    async def _accept(self, body: Body) -> httpx.Response:
        return accepted("t0")

    async def _show(self, body: Body) -> httpx.Response:
        await asyncio.sleep(0.5)
        if self.instead is not None:
            return httpx.Response(200, content=self.instead)
        records = [{"id": key} | self.record for key in asked_ids(body) if self.record is not None]
        if body["action"] == "retrieve":
            return httpx.Response(200, json=records[0] if records else {})
        return page(*records)

    def becomes(self, seconds: float, **record: Any) -> None:
        """Change the record after so many seconds."""
        asyncio.get_running_loop().call_later(seconds, setattr, self, "record", record)


async def failure_of(veo: VeoClient, **options: Any) -> GenerationFailedError:
    """The failure with which a wait ends."""
    with pytest.raises(GenerationFailedError) as caught:
        await veo.wait("t0", **options)
    return caught.value


@pytest.mark.parametrize(
    "record",
    [
        {"finished_at": None, "response": ERROR},
        {"finished_at": None, "response": json.dumps(ERROR)},
        {"finished_at": None, "response": {"status": "failed"}},
        {"response": ERROR | {"finished_at": None}},
        {"response": {"success": False, "error": "temporary"}},
        {"response": {"success": True, "status": "running"} | {"data": finished()["data"]}},
    ],
)
async def test_a_provisional_end_ends_no_wait(record: Body) -> None:
    """The service tries another provider, and the wait gets the video of that one."""
    stage = Stage(**record)
    async with client(stage) as veo:
        stage.becomes(300.0, finished_at=1.0, response=finished("t0"))
        result = await veo.wait("t0")

        assert result.task_id == "t0"
        assert 300.0 < now() < 300.0 + LATEST


@pytest.mark.parametrize(
    "response",
    [
        None,
        {"success": True, "data": []},
        {"status": "succeeded", "data": [{"id": "v"}]},
        {"success": True, "status": "running", "data": finished()["data"]},
    ],
)
async def test_a_task_that_is_over_without_a_video_fails_soon(response: Any) -> None:
    """The wait ends a few minutes after this client first saw it so, whatever the service's clock
    says; the error has the record's trace id."""
    stage = Stage()
    async with client(stage) as veo:
        stage.becomes(600.0, finished_at=10.0, trace_id="record-trace", response=response)
        error = await failure_of(veo)

        assert 600.0 + LATE_VIDEO < now() < 600.0 + LATE_VIDEO + 2 * LATEST

    assert (error.task_id, error.trace_id) == ("t0", "record-trace")
    assert "ended the task without a video" in str(error)


@pytest.mark.parametrize(
    "response",
    [
        {"success": False, "error": None},
        {"state": "FAILURE"},
        {"success": False, "error": "temporary"},
        *({"state": word} for word in ("filtered", "timeout", "fail", "blocked")),
    ],
)
async def test_a_task_that_is_over_and_called_failed_fails_at_once(response: Any) -> None:
    """Nothing more will come of it."""
    async with client(Stage(finished_at=1.0, response=response)) as veo:
        await failure_of(veo)

        assert now() < LATEST


async def test_a_video_that_comes_late_is_handed_over() -> None:
    """The count starts again if the task goes on meanwhile."""
    stage = Stage(finished_at=1.0, response={"success": True})
    async with client(stage) as veo:
        stage.becomes(LATE_VIDEO - 60.0, finished_at=None)
        stage.becomes(LATE_VIDEO, finished_at=1.0, response={"success": True})
        stage.becomes(2 * LATE_VIDEO - 60.0, finished_at=1.0, response=finished("t0"))

        assert (await veo.wait("t0")).task_id == "t0"


async def test_the_trace_id_of_a_failure_is_in_its_event() -> None:
    """The contract's normal form has it in the record alone."""
    events: list[Event] = []
    stage = Stage(trace_id="record-trace", response=ERROR)
    async with client(stage, on_event=events.append) as veo:
        task = await veo.submit(MUG)
        with pytest.raises(GenerationFailedError) as caught:
            await task.result()

    [failed] = [event for event in events if isinstance(event, Failed)]
    assert caught.value.trace_id == failed.trace_id == failed.error.trace_id == "record-trace"


async def test_a_wait_after_a_failure_asks_again() -> None:
    """A failure holds only as long as the service says so: for `wait` and for the handle. The
    same failure is one event, however often it is asked for."""
    events: list[Event] = []
    stage = Stage(response=ERROR)
    async with client(stage, on_event=events.append) as veo:
        task = await veo.submit(MUG)
        for _ in range(2):
            with pytest.raises(GenerationFailedError):
                await task.result()
        first = task.state
        await failure_of(veo)
        stage.record = {"response": finished("t0")}

        result = await veo.wait("t0")
        same = await task.result()

    assert (first, task.state) == ("failed", "succeeded")
    assert result == same
    assert sum(isinstance(event, Failed) for event in events) == 1
    assert any(isinstance(event, Finished) for event in events)


async def test_a_task_that_failed_may_go_on() -> None:
    """A wait that finds it running is a wait like any other, and so is its failure after that."""
    events: list[Event] = []
    stage = Stage(response=ERROR)
    async with client(stage, on_event=events.append) as veo:
        task = await veo.submit(MUG)
        with pytest.raises(GenerationFailedError):
            await task.result()
        with pytest.raises(WaitTimeoutError):
            await task.result(timeout=0)
        unasked = task.state
        stage.record = {}
        with pytest.raises(WaitTimeoutError):
            await task.result(timeout=60)
        running = task.state
        stage.record = {"response": ERROR}
        with pytest.raises(GenerationFailedError):
            await task.result()

    assert (unasked, running, task.state) == ("failed", "pending", "failed")
    assert sum(isinstance(event, Failed) for event in events) == 2


async def test_a_failure_stands_when_the_service_forgets_the_task() -> None:
    """A record may have been removed: it says nothing else, and no wait ends as not found."""
    stage = Stage(response=ERROR)
    async with client(stage) as veo:
        task = await veo.submit(MUG)
        with pytest.raises(GenerationFailedError):
            await task.result()
        stage.record = None

        with pytest.raises(GenerationFailedError, match="fetch failed"):
            await task.result()


@pytest.mark.parametrize(
    "answer", [b"null", b" null\n", b"{}", b'{"success":false,"error":{"code":"not_found"}}']
)
async def test_an_id_that_the_service_does_not_know_is_pending_for_a_while(answer: bytes) -> None:
    """However it says so; and also if it knew the task before."""
    stage = Stage()
    async with client(stage, poll=PollPolicy(not_found_grace=60.0)) as veo:
        task = await veo.submit(MUG)
        with pytest.raises(WaitTimeoutError):
            await task.result(timeout=600.0)
        stage.instead = answer
        with pytest.raises(WaitTimeoutError):
            await task.result(timeout=30.0)
        stage.instead = None
        stage.record = {"response": finished("t0")}

        assert (await task.result()).task_id == "t0"


async def test_a_bought_task_that_is_unknown_may_have_cost() -> None:
    """No error about a task that a submit of ours bought says that nothing was paid, whoever asks.
    An id that is merely asked for may be a typing error."""
    stage = Stage()
    stage.record = None
    async with client(stage) as veo:
        task = await veo.submit(MUG)
        ends: list[TaskNotFoundError] = []
        for ask in (task.result, task.result, task.refresh, lambda: veo.wait("other")):
            with pytest.raises(TaskNotFoundError) as caught:
                await ask()
            ends.append(caught.value)
        with pytest.raises(TaskNotFoundError) as caught:
            await veo.wait("t0")
        ends.append(caught.value)

    assert [end.may_have_cost for end in ends] == [True, True, True, False, True]
    assert all("so it was paid for" in str(end) for end in ends if end.may_have_cost)
