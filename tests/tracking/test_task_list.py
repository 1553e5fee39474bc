from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.support.service import (
    Body,
    Service,
    asked_ids,
    client,
    client_of,
    emulator,
    finished,
    page,
    refused,
)
from veo_async import (
    APIError,
    ClientClosedError,
    ConnectionFailedError,
    GenerationFailedError,
    InvalidRequestError,
    RateLimitError,
    ServerError,
    TaskNotFoundError,
    TextToVideo,
    UndecodableReplyError,
)
from veo_async.emulator import Emulator, Fault, Scramble, Seconds, Wire

MUG = TextToVideo(prompt="a mug")


class Script(Service):
    """Answers questions from a list, and then all of them in the same way."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        super().__init__(tasks=self._answer)
        self._answers = list(answers)

    async def _answer(self, body: Body) -> httpx.Response:
        if not self._answers:
            ids = asked_ids(body)
            records = [{"id": task_id, "response": finished(task_id)} for task_id in ids]
            return (
                page(*reversed(records)) if "ids" in body else httpx.Response(200, json=records[0])
            )
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def sold(service: Emulator, count: int) -> list[str]:
    """Submit so many, a second apart, and return their ids, oldest first."""
    async with client_of(service) as veo:
        for _ in range(count):
            await veo.submit(MUG)
            await asyncio.sleep(1.0)
    return [charge.task_id for charge in service.bill]


@pytest.mark.asyncio
async def test_a_record_is_as_the_service_has_it_now() -> None:
    """`retrieve` shows a running task, a finished one and a failed one."""
    service = emulator(pace=Seconds(mean=10.0, sigma=0.0))
    async with service, client_of(service) as veo:
        [task_id] = await sold(service, 1)
        early = await veo.tasks.retrieve(task_id)
        await asyncio.sleep(10.0)
        late = await veo.tasks.retrieve(task_id)

    assert (early.id, early.state, early.generation) == (task_id, "pending", None)
    assert (late.state, late.type) == ("succeeded", "videos")
    assert late.generation is not None
    assert late.generation.task_id == task_id
    assert late.request is not None
    assert late.request["prompt"] == "a mug"


@pytest.mark.asyncio
@pytest.mark.parametrize("unknown", ["empty", "not_found", "missing"])
async def test_an_unknown_id_is_told_apart(unknown: Any) -> None:
    """In each of the service's wordings `retrieve` raises and `retrieve_many` leaves the id out."""
    service = emulator(wire=Wire(unknown=unknown))
    async with service, client_of(service) as veo:
        known = await sold(service, 2)
        with pytest.raises(TaskNotFoundError) as error:
            await veo.tasks.retrieve("no-such-task")
        if unknown != "not_found":
            records = await veo.tasks.retrieve_many([known[0], "no-such-task", known[1]])
            assert [record.id for record in records] == known

    assert error.value.task_id == "no-such-task"


@pytest.mark.asyncio
async def test_many_records_come_in_the_order_asked_for() -> None:
    """Ids are asked for in portions of fifty with an explicit limit; the answer's order does not
    matter, and an id that is given twice comes once."""
    service = Script()
    ids = [f"n{number}" for number in range(120)]
    async with client(service) as veo:
        records = await veo.tasks.retrieve_many([*ids, "n0", "n77"])
        none = await veo.tasks.retrieve_many([])

    assert [record.id for record in records] == ids
    assert [len(body["ids"]) for body in service.questions] == [50, 50, 20]
    assert [body["limit"] for body in service.questions] == [50, 50, 20]
    assert none == []


@pytest.mark.asyncio
@pytest.mark.parametrize("task_id", ["", "  ", None, 7, "\ud800"])
async def test_an_id_that_cannot_be_one_is_not_sent(task_id: Any) -> None:
    """It is refused before any question."""
    service = Script()
    async with client(service) as veo:
        with pytest.raises(InvalidRequestError) as error:
            await veo.tasks.retrieve(task_id)
        with pytest.raises(InvalidRequestError):
            await veo.tasks.retrieve_many(["t1", task_id])
        with pytest.raises(InvalidRequestError):
            await veo.wait(task_id)

    assert error.value.field == "task_id"
    assert not service.questions


@pytest.mark.asyncio
async def test_one_id_instead_of_several_is_one_id() -> None:
    """A text alone is not taken for a list of its letters."""
    service = Script()
    async with client(service) as veo:
        (record,) = await veo.tasks.retrieve_many("task-7")

    assert record.id == "task-7"


@pytest.mark.asyncio
async def test_all_tasks_are_listed_page_by_page() -> None:
    """The list is read to its end, newest first, one page at a time as it is consumed."""
    service = emulator()
    async with service, client_of(service) as veo:
        ids = await sold(service, 120)
        listed: list[str | None] = []
        async for record in veo.tasks.list():
            listed.append(record.id)
            if len(listed) == 1:
                first = service.counters["list"]

    assert listed == ids[::-1]
    assert first == 1
    assert service.counters["list"] == 4


@pytest.mark.asyncio
async def test_a_list_that_is_left_early_is_not_read_on() -> None:
    """A reader that stops sends no more queries."""
    service = emulator()
    async with service, client_of(service) as veo:
        await sold(service, 60)
        records = veo.tasks.list()
        async for _ in records:
            break
        await records.aclose()  # type: ignore[attr-defined]  # it is a generator

    assert service.counters["list"] == 1


@pytest.mark.asyncio
async def test_pages_that_shift_show_each_task_once() -> None:
    """Tasks that are created while the list is read push others to the next page: each comes
    once, and none is missed."""
    service = emulator()
    async with service, client_of(service) as veo:
        ids = await sold(service, 100)
        listed: list[str | None] = []
        async for record in veo.tasks.list():
            listed.append(record.id)
            if len(listed) % 20 == 0 and len(listed) < 100:
                await veo.submit(MUG)

    assert len(set(listed)) == len(listed)
    assert set(ids) <= set(listed)


@pytest.mark.asyncio
async def test_a_page_that_repeats_a_task_shows_it_once() -> None:
    """Items may come shuffled and twice (the vendor's tasks guide)."""
    service = emulator()
    service.faults.add(Fault(effect=Scramble(repeat=5), on="list"))
    async with service, client_of(service) as veo:
        ids = await sold(service, 30)
        listed = [record.id async for record in veo.tasks.list()]

    assert sorted(map(str, listed)) == sorted(ids)


@pytest.mark.asyncio
async def test_a_service_that_ignores_the_offset_ends_the_list() -> None:
    """Three pages in a row with nothing new are the end, so no answer makes the list endless."""
    same = [{"id": "t1"}, {"id": "t2"}, {"no": "record"}, 7]
    service = Script(*[httpx.Response(200, json={"items": same})] * 9)
    async with client(service) as veo:
        listed = [record.id async for record in veo.tasks.list()]

    assert listed == ["t1", "t2"]
    assert len(service.questions) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize("as_datetime", [False, True])
async def test_a_window_bounds_the_list(as_datetime: bool) -> None:
    """Times are Unix seconds or aware datetimes, both ends included."""
    service = emulator()
    async with service, client_of(service) as veo:
        ids = await sold(service, 10)
        low = service.bill[3].at
        high = low + 2.5
        window: dict[str, Any] = {"created_at_min": low, "created_at_max": high}
        if as_datetime:
            window = {name: datetime.fromtimestamp(t, UTC) for name, t in window.items()}
        listed = [record.id async for record in veo.tasks.list(**window)]

    assert listed == ids[3:6][::-1]


@pytest.mark.asyncio
async def test_a_moment_without_a_zone_is_refused() -> None:
    """A naive datetime names no moment; nothing is sent."""
    service = Script()
    async with client(service) as veo:
        with pytest.raises(InvalidRequestError, match="time zone") as error:
            async for _ in veo.tasks.list(created_at_min=datetime(2025, 7, 25)):  # noqa: DTZ001 - the point
                pass

    assert error.value.field == "created_at"
    assert not service.questions


@pytest.mark.asyncio
async def test_every_kind_is_listed_unless_one_is_asked_for() -> None:
    """All tasks are listed unless one label is asked for: the service's labels are not reliable,
    and a search for a lost submit must see every task."""
    service = Script(*[page()] * 2)
    async with client(service) as veo:
        assert [record async for record in veo.tasks.list()] == []
        assert [record async for record in veo.tasks.list(type="videos")] == []

    assert [body.get("type") for body in service.questions] == [None, "videos"]
    assert {body["limit"] for body in service.questions} == {50}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "passing",
    [refused(500, "api_error"), refused(429, "too_many_requests"), httpx.ReadError("cut")],
    ids=str,
)
async def test_a_passing_failure_is_asked_again(passing: httpx.Response | Exception) -> None:
    """Questions are free, so a failure that may pass is repeated, with pauses."""
    service = Script(passing, passing, passing)
    async with client(service) as veo:
        record = await veo.tasks.retrieve("t1")

    assert record.id == "t1"
    assert len(service.questions) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer, expected, asked",
    [
        (refused(500, "api_error"), ServerError, 4),
        (refused(429, "too_many_requests"), RateLimitError, 4),
        (httpx.ReadError("cut"), ConnectionFailedError, 4),
        (refused(401, "invalid_token"), APIError, 1),
        (httpx.Response(200, text='{"items": [{"id'), UndecodableReplyError, 4),
        (httpx.Response(200, json={"items": "many"}), UndecodableReplyError, 1),
        (httpx.Response(302), UndecodableReplyError, 1),
    ],
)
async def test_a_failure_that_stays_is_told(
    answer: httpx.Response | Exception, expected: type[Exception], asked: int
) -> None:
    """After four times, or at once where asking again cannot help; no question costs money."""
    service = Script(*[answer] * 9)
    async with client(service) as veo:
        with pytest.raises(expected) as error:
            await veo.tasks.retrieve_many(["t1", "t2"])

    assert len(service.questions) == asked
    assert not getattr(error.value, "may_have_cost", None)


@pytest.mark.asyncio
async def test_a_closed_client_asks_nothing() -> None:
    """After `aclose` a question is refused at once."""
    service = Script()
    veo = client(service)
    await veo.aclose()

    with pytest.raises(ClientClosedError):
        await veo.tasks.retrieve("t1")
    with pytest.raises(ClientClosedError):
        await veo.tasks.retrieve_many(["t1"])
    with pytest.raises(ClientClosedError):
        async for _ in veo.tasks.list():
            pass
    assert asyncio.get_running_loop().time() == 0.0
    assert not service.questions


@pytest.mark.asyncio
async def test_a_refresh_is_remembered() -> None:
    """`refresh` asks now; its answer is the task's state, and ends all waits for it."""
    service = emulator(pace=Seconds(mean=10.0, sigma=0.0))
    async with service, client_of(service) as veo:
        task = await veo.submit(MUG)
        waiting = asyncio.create_task(task.result())
        first = (await task.refresh()).state, task.state
        await asyncio.sleep(10.0)
        second = (await task.refresh()).state, task.state
        generation = await waiting

    assert first == ("pending", "pending")
    assert second == ("succeeded", "succeeded")
    assert generation.task_id == task.id


@pytest.mark.asyncio
async def test_a_refresh_learns_of_a_failure_too() -> None:
    """A failed task says so, and its result raises the error that the record contains."""
    service = emulator(pace=Seconds(mean=10.0, sigma=0.0), failure=1.0)
    async with service, client_of(service) as veo:
        task = await veo.submit(MUG)
        await asyncio.sleep(10.0)
        record = await task.refresh()
        with pytest.raises(GenerationFailedError):
            await task.result()

    assert record.state == task.state == "failed"
    assert record.error is not None
    assert service.counters["retrieve_batch"] == 0
