"""The lists, records, callbacks and headers of a deployment."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import anyio
import httpx
import pytest

from veo_async.emulator import (
    Answer,
    Drop,
    Garble,
    Hide,
    Immediate,
    Looks,
    Seconds,
    Torn,
    Unreadable,
    Wire,
)

from .calls import Caller, calling

OTHER = {"authorization": "Bearer other"}
MARK = "https://api.acedata.cloud/health?ref=1"


async def listed(caller: Caller, **query: Any) -> list[Any]:
    """The items of a list."""
    answer = await caller.tasks(action="retrieve_batch", **query)
    items: list[Any] = answer.json()["items"]
    return items


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "scope, without, own, others",
    [
        ("all", ["other", "any"], ["any"], ["other"]),
        ("own", ["any"], ["any"], ["other"]),
        ("others", ["other"], ["any"], ["other"]),
        ("none", [], ["any"], ["other"]),
        ("always_empty", [], [], []),
    ],
)
async def test_the_scope_of_a_list(
    scope: Any, without: list[str], own: list[str], others: list[str]
) -> None:
    """`Wire.listed` decides what a list without ``user_id`` contains; with it, the list contains
    that user's tasks. Each token has a user of its own. Queries by id find all tasks."""
    async with calling(wire=Wire(listed=scope)) as caller:
        first = await caller.task_id(prompt="any")
        await caller.http.post(
            "/veo/videos",
            json={"action": "text2video", "prompt": "other", "async": True},
            headers=OTHER,
        )
        users = [
            (await caller.record(charge.task_id))["user_id"] for charge in caller.emulator.bill
        ]
        queries: list[dict[str, Any]] = [{}, {"user_id": users[0]}, {"user_id": users[1]}]

        pages = [await listed(caller, **query) for query in queries]

        prompts = [[item["request"]["prompt"] for item in page] for page in pages]
        assert prompts == [without, own, others]
        assert len(set(users)) == 2
        assert (await caller.record(first))["id"] == first


@pytest.mark.asyncio
async def test_the_behaviour_may_change_while_it_runs() -> None:
    """`Emulator.wire` holds from then on; what is stored stays."""
    async with calling(wire=Wire(listed="always_empty")) as caller:
        await caller.task_id(callback_url=MARK)
        before = await listed(caller)
        caller.emulator.wire = Wire(stored="unmarked")
        await caller.task_id(callback_url=MARK)

        after = await listed(caller)

        assert before == []
        assert ["callback_url" in item["request"] for item in after] == [False, True]
        assert caller.emulator.wire == Wire(stored="unmarked")


@pytest.mark.asyncio
async def test_synchronous_calls_without_a_record() -> None:
    """``sync_records=False``: no query finds a synchronous task, which is billed like any other."""
    async with calling(pace=Immediate(), wire=Wire(sync_records=False)) as caller:
        synchronous = (await caller.submit()).json()
        asynchronous = await caller.task_id()

        by_trace = await caller.tasks(action="retrieve", trace_id=synchronous["trace_id"])

        assert await caller.record(synchronous["task_id"]) == {}
        assert by_trace.json() == {}
        assert [item["id"] for item in await listed(caller)] == [asynchronous]
        assert len(caller.emulator.bill) == 2
        assert (await caller.http.get(synchronous["data"][0]["video_url"])).status_code == 200


@pytest.mark.asyncio
async def test_late_records() -> None:
    """`Hide`: the answer names a task whose record is written some seconds later."""
    async with calling() as caller:
        caller.fault(Hide(seconds=5))
        task_id = await caller.task_id()

        before = await caller.record(task_id), await listed(caller)
        await anyio.sleep(5)
        after = await caller.record(task_id), await listed(caller)

        assert before == ({}, [])
        assert after[0]["id"] == task_id
        assert after[1] == [after[0]]


@pytest.mark.asyncio
@pytest.mark.parametrize("effect", [None, Garble(), Torn(declared=False)])
async def test_the_header_of_a_submit(effect: Any) -> None:
    """``x-trace-id`` is the trace id of the task, also where the body cannot be read."""
    async with calling() as caller:
        if effect:
            caller.fault(effect)

        answer = await caller.submit(**{"async": True})

        assert answer.headers["x-trace-id"] == caller.emulator.bill[0].trace_id


@pytest.mark.asyncio
async def test_the_header_of_a_body_that_ends_early() -> None:
    """A torn answer has its headers, and among them ``x-trace-id``."""
    async with calling() as caller:
        caller.fault(Torn())
        request = caller.http.build_request(
            "POST", "/veo/videos", json={"action": "text2video", "prompt": "A", "async": True}
        )

        answer = await caller.http.send(request, stream=True)

        assert answer.headers["x-trace-id"] == caller.emulator.bill[0].trace_id
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()


@pytest.mark.asyncio
async def test_the_header_of_refusals_and_queries() -> None:
    """A refusal has the trace id of its body; a query one of its own; a gateway's text none."""
    async with calling() as caller:
        refused = await caller.submit(action="none")
        caller.fault(Answer(at="accepted", status=500), nth=1)
        hidden = await caller.submit(**{"async": True})
        page = await caller.tasks(action="retrieve_batch")
        caller.fault(Answer(status=502, body="<html>"), on="list")
        gateway = await caller.tasks(action="retrieve_batch")

        assert refused.headers["x-trace-id"] == refused.json()["trace_id"]
        assert hidden.headers["x-trace-id"] == caller.emulator.bill[0].trace_id
        assert page.headers["x-trace-id"] not in {refused.json()["trace_id"], None}
        assert "x-trace-id" not in gateway.headers


@pytest.mark.asyncio
async def test_a_deployment_without_the_header() -> None:
    """``trace_header=False`` sends none."""
    async with calling(wire=Wire(trace_header=False)) as caller:
        answers = [
            await caller.submit(**{"async": True}),
            await caller.submit(action="none"),
            await caller.tasks(action="retrieve_batch"),
        ]

        assert ["x-trace-id" in answer.headers for answer in answers] == [False] * 3


@pytest.mark.asyncio
async def test_pages_that_fail() -> None:
    """Rules on queries cut, fail and tear a part of the pages at random, and bill nothing."""
    async with calling(seed=5) as caller:
        await caller.task_id()
        caller.fault(Drop(), on="tasks", probability=0.05)
        caller.fault(Answer(status=500), on="tasks", probability=0.05)
        caller.fault(Torn(declared=False), on="tasks", probability=0.05)

        seen = Counter([await outcome(caller) for _ in range(400)])

        assert set(seen) == {"read", "cut", "500", "torn"}
        assert all(8 <= seen[word] <= 35 for word in ("cut", "500", "torn"))
        assert len(caller.emulator.bill) == 1


async def outcome(caller: Caller) -> str:
    """How the reading of a page ends, in one word."""
    try:
        answer = await caller.tasks(action="retrieve_batch")
        if answer.status_code == 500:
            return "500"
        return "read" if answer.json() else "empty"
    except json.JSONDecodeError:
        return "torn"
    except httpx.RemoteProtocolError:
        return "cut"


@pytest.mark.asyncio
@pytest.mark.parametrize("form", ["null_id", "number_id", "empty", "null", "record_id"])
async def test_unreadable_entries(form: Any) -> None:
    """`Unreadable` on a submit: the task's entries in lists have this form; its record by id is the
    usual one. On a list: the first entries of the page have it."""
    async with calling() as caller:
        caller.fault(Unreadable(form=form), nth=1)
        ids = [await caller.task_id() for _ in range(3)]
        good, first = await caller.record(ids[1]), await caller.record(ids[0])
        by_submit = await listed(caller)
        caller.fault(Unreadable(form=form, items=2), on="list")
        by_page = await listed(caller)

        forms = {
            "null_id": first | {"id": None},
            "number_id": first | {"id": int(first["_id"][:12], 16)},
            "empty": {},
            "null": None,
            "record_id": {"_id": first["_id"]},
        }
        assert first["id"] == ids[0]
        assert by_submit[1:] == [good, forms[form]]
        assert by_page[1] != good
        assert by_page[2] == by_submit[2]


@pytest.mark.asyncio
async def test_an_id_that_is_a_number_is_an_id() -> None:
    """A query by the number finds the task, and its record has the number."""
    async with calling() as caller:
        caller.fault(Unreadable(form="number_id"))
        task_id = await caller.task_id()
        (entry,) = await listed(caller)

        by_number = await caller.record(entry["id"])
        (by_text,) = await listed(caller, ids=[str(entry["id"])])

        assert by_number == by_text == entry
        assert (await caller.record(task_id))["id"] == task_id


@pytest.mark.asyncio
async def test_an_empty_item_has_no_other_form() -> None:
    """The item of an unknown id stays as it is."""
    async with calling() as caller:
        caller.fault(Unreadable(form="number_id"), on="tasks")

        assert await listed(caller, ids=["nobody's"]) == [{}]


@pytest.mark.asyncio
async def test_health() -> None:
    """``/health`` answers ``GET`` and ``POST`` without a token, and discards what is posted."""
    async with calling() as caller:
        caller.http.headers.pop("authorization")

        answers = [
            await caller.http.get("/health"),
            await caller.http.post("/health?ref=1", json={"success": True}),
        ]

        assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.asyncio
@pytest.mark.parametrize("address", [MARK, "http://127.0.0.1:1/health?ref=1"])
async def test_a_mark_calls_nobody(address: str) -> None:
    """A callback to the vendor's host or to its own ``/health`` is neither sent nor counted, and
    does not end the task. The record contains the address."""

    def unexpected(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    transport = httpx.MockTransport(unexpected)
    async with calling(pace=Looks(1), callback_transport=transport) as caller:
        answer = await caller.submit(**{"async": True, "callback_url": address})
        await anyio.sleep(60)
        task_id = answer.json()["task_id"]
        pending, done = [await caller.record(task_id) for _ in range(2)]

        assert list(answer.json()) == ["task_id"]
        assert "response" not in pending
        assert done["response"]["success"] is True
        assert done["request"]["callback_url"] == address
        assert caller.emulator.deliveries == []
        assert caller.emulator.counters["callback"] == 0


@pytest.mark.asyncio
async def test_a_mark_alone_is_answered_at_once() -> None:
    """A mark without ``async`` has the answer of every ``callback_url``."""
    async with calling(pace=Seconds(mean=60, sigma=0)) as caller:
        before = anyio.current_time()
        answer = await caller.submit(callback_url=MARK)

        assert list(answer.json()) == ["task_id"]
        assert anyio.current_time() == before
