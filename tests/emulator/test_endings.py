"""Records of tasks that fail for the time being, or end in another form."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx
import pytest

from veo_async.emulator import (
    Ending,
    Fail,
    Immediate,
    Looks,
    Provisional,
    Seconds,
    Wire,
    endings,
)

from .calls import calling

MINUTE = Seconds(mean=60, sigma=0)
ERROR = {"code": "api_error", "message": "fetch failed"}


@pytest.mark.asyncio
async def test_a_provisional_failure_that_succeeds() -> None:
    """`Provisional`: the record fails beside ``finished_at: null`` after some seconds, and the task
    ends with its video. It is on the bill from its acceptance, once."""
    async with calling(pace=MINUTE) as caller:
        caller.fault(Provisional(seconds=10), count=1)
        task_id = await caller.task_id()

        before = await caller.record(task_id)
        await anyio.sleep(10)
        failing = await caller.record(task_id)
        listed = (await caller.tasks(action="retrieve_batch")).json()["items"]
        await anyio.sleep(50)
        after = await caller.record(task_id)

        assert "response" not in before
        assert failing["finished_at"] is None
        assert failing["response"] == {"success": False, "error": ERROR}
        assert listed == [failing]
        assert after["finished_at"] == after["created_at"] + 60
        assert after["response"]["success"] is True
        assert [charge.task_id for charge in caller.emulator.bill] == [task_id]


@pytest.mark.asyncio
async def test_a_provisional_failure_that_stays() -> None:
    """With `Fail` the task fails for good: the record then has a ``finished_at``."""
    async with calling(pace=Looks(1)) as caller:
        caller.fault(Provisional(code="busy", message="later"))
        caller.fault(Fail(code="timeout"))
        task_id = await caller.task_id()

        failing, failed = [await caller.record(task_id) for _ in range(2)]

        assert failing["response"]["error"] == {"code": "busy", "message": "later"}
        assert failing["finished_at"] is None
        assert failed["response"]["error"]["code"] == "timeout"
        assert failed["finished_at"] is not None


@pytest.mark.asyncio
async def test_a_share_of_the_tasks_fails_provisionally() -> None:
    """A rule selects the tasks, as for every effect."""
    async with calling(pace=MINUTE) as caller:
        caller.fault(Provisional(), probability=0.3)
        for _ in range(40):
            await caller.task_id()

        page = (await caller.tasks(action="retrieve_batch", limit=50)).json()

        failing = [item for item in page["items"] if "response" in item]
        assert 4 < len(failing) < 20
        assert len(caller.emulator.bill) == 40


@pytest.mark.asyncio
async def test_the_error_of_a_record_has_no_trace_id() -> None:
    """The record's own trace id is that of the task; a callback and a synchronous answer name it in
    the error body."""
    posted: list[bytes] = []

    def receive(request: httpx.Request) -> httpx.Response:
        posted.append(request.content)
        return httpx.Response(204)

    transport = httpx.MockTransport(receive)
    async with calling(pace=Immediate(), callback_transport=transport) as caller:
        caller.fault(Fail())
        url = "https://example.com/hook"
        record = await caller.record(await caller.task_id(callback_url=url))
        await anyio.sleep(1)
        answer = await caller.submit()

        first, second = caller.emulator.bill
        assert record["response"] == {"success": False, "error": ERROR}
        assert record["trace_id"] == first.trace_id
        assert json.loads(posted[0])["trace_id"] == first.trace_id
        assert answer.json()["trace_id"] == second.trace_id


def has_video(response: Any) -> bool:
    """True if a response of any form contains the URL of a file."""
    return "video_url" in json.dumps(response)


@pytest.mark.asyncio
@pytest.mark.parametrize("video", [True, False])
async def test_every_ending(video: bool) -> None:
    """`endings` has forms with and without a video; each is billed once, at its acceptance."""
    async with calling(pace=Immediate()) as caller:
        for ending in endings(video=video).values():
            caller.emulator.faults.clear()
            caller.fault(ending)
            record = await caller.record(await caller.task_id())

            assert has_video(record["response"]) is video
            assert "request" in record

        assert len(caller.emulator.bill) == len(endings(video=video))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name, response",
    [
        ("empty", {"success": True, "data": []}),
        ("null_error", {"success": False, "error": None}),
        ("text_error", {"success": False, "error": "temporary"}),
        ("filtered", {"data": [{"state": "filtered"}]}),
        ("FAILURE", {"data": [{"state": "FAILURE"}]}),
        ("failed_status", {"status": "failed"}),
        ("nothing", {}),
    ],
)
async def test_endings_without_a_video(name: str, response: dict[str, Any]) -> None:
    """The forms of an end without a video, without their ids and times."""
    async with calling(pace=Immediate()) as caller:
        caller.fault(endings(video=False)[name])
        record = await caller.record(await caller.task_id())

        seen = {key: value for key, value in record["response"].items() if "_id" not in key}
        for entry in seen.get("data", []):
            del entry["id"], entry["created_at"], entry["complete_at"]
        assert seen == response
        assert ("finished_at" in record) is (name != "failed_status")


@pytest.mark.asyncio
async def test_the_places_of_finished_at() -> None:
    """``finished_at`` and ``elapsed`` stand in the record, in its response, or nowhere."""
    async with calling(pace=MINUTE, wire=Wire(timings=True)) as caller:
        seen = []
        for place in ("record", "response", "absent"):
            caller.emulator.faults.clear()
            caller.fault(Ending(finished_at=place))
            task_id = await caller.task_id()
            await anyio.sleep(60)
            record = await caller.record(task_id)
            seen.append([record.get("elapsed"), record["response"].get("elapsed")])

        assert seen == [[60.0, None], [None, 60.0], [None, None]]


@pytest.mark.asyncio
async def test_a_response_as_text() -> None:
    """``as_text``: the record contains the response as a JSON text; the answer is a document."""
    async with calling(pace=Immediate()) as caller:
        caller.fault(endings(video=True)["text"])

        answer = (await caller.submit()).json()
        record = await caller.record(answer["task_id"])

        assert json.loads(record["response"]) == answer


@pytest.mark.asyncio
async def test_a_failed_task_in_another_form() -> None:
    """`Ending` changes the error body of a failed task, too."""
    async with calling(pace=Immediate()) as caller:
        caller.fault(Fail())
        caller.fault(Ending(fields={"status": "FAILURE"}, without=frozenset({"success"})))

        record = await caller.record(await caller.task_id())

        assert record["response"] == {"error": ERROR, "status": "FAILURE"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "pending, response",
    [
        ("unstructured", {"success": False, "error": "temporary"}),
        ("preview", {"success": True, "status": "running"}),
    ],
)
async def test_pending_records_that_look_finished(pending: Any, response: dict[str, Any]) -> None:
    """A pending record may show an error that is not final, or the URL of a preview."""
    async with calling(pace=MINUTE, wire=Wire(pending=pending, timings=True)) as caller:
        record = await caller.record(await caller.task_id())

        data = record["response"].pop("data", [{"state": "running", "video_url": ""}])
        assert record["response"] == response
        assert record["finished_at"] is None
        assert data[0]["state"] == "running"
