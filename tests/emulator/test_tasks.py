"""``POST /veo/tasks``, seen by a caller."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from veo_async.emulator import Hide, Lag, Scramble, Wire

from .calls import Caller, calling, error_of


async def accepted(caller: Caller, number: int) -> list[str]:
    """Submit this number of tasks, a second apart."""
    ids = []
    for _ in range(number):
        ids.append(await caller.task_id())
        await anyio.sleep(1)
    return ids


def ids_of(page: Any) -> list[str]:
    """The ids on a page."""
    return [item.get("id") for item in page["items"]]


@pytest.mark.asyncio
async def test_a_batch_has_the_named_tasks() -> None:
    """``ids`` and ``trace_ids`` name tasks; each id is answered by its record."""
    async with calling() as caller:
        ids = await accepted(caller, 3)
        traces = [charge.trace_id for charge in caller.emulator.bill]

        by_id = (await caller.tasks(action="retrieve_batch", ids=ids[:2])).json()
        by_trace = (await caller.tasks(action="retrieve_batch", trace_ids=traces[1:])).json()

        assert ids_of(by_id) == ids[:2]
        assert ids_of(by_trace) == ids[1:]
        assert by_id["count"] == 2


@pytest.mark.asyncio
async def test_pages_of_a_batch() -> None:
    """A page has twelve items without ``limit``, at most fifty with it; ``count`` counts all."""
    async with calling() as caller:
        ids = [await caller.task_id() for _ in range(60)]

        default = (await caller.tasks(action="retrieve_batch", ids=ids)).json()
        largest = (await caller.tasks(action="retrieve_batch", ids=ids, limit=1000)).json()
        rest = (await caller.tasks(action="retrieve_batch", ids=ids, limit=50, offset=50)).json()

        assert [len(page["items"]) for page in (default, largest, rest)] == [12, 50, 10]
        assert ids_of(largest) + ids_of(rest) == ids
        assert default["count"] == 60


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "unknown, items, count, single",
    [("empty", [None, "known"], 2, (200, {})), ("missing", ["known"], 1, (200, {}))],
)
async def test_unknown_ids(unknown: Any, items: Any, count: int, single: Any) -> None:
    """An unknown id is ``{}``, or missing from the items of a batch."""
    async with calling(wire=Wire(unknown=unknown)) as caller:
        known = await caller.task_id()

        page = (await caller.tasks(action="retrieve_batch", ids=["nobody's", known])).json()
        one = await caller.tasks(action="retrieve", id="nobody's")

        assert ids_of(page) == [known if item == "known" else item for item in items]
        assert page["count"] == count
        assert (one.status_code, one.json()) == single


@pytest.mark.asyncio
async def test_unknown_ids_as_404() -> None:
    """If an unknown id is a 404, a single one fails the whole batch."""
    async with calling(wire=Wire(unknown="not_found")) as caller:
        known = await caller.task_id()

        batch = await caller.tasks(action="retrieve_batch", ids=[known, "nobody's"])

        assert error_of(batch) == (404, "not_found")
        assert error_of(await caller.tasks(action="retrieve", trace_id="x")) == (404, "not_found")


@pytest.mark.asyncio
async def test_the_account_is_listed_newest_first() -> None:
    """Without ids the account's tasks are listed, page by page."""
    async with calling() as caller:
        ids = await accepted(caller, 14)

        first = (await caller.tasks(action="retrieve_batch")).json()
        second = (await caller.tasks(action="retrieve_batch", offset=12, limit=12)).json()

        assert ids_of(first) + ids_of(second) == ids[::-1]
        assert first["count"] == second["count"] == 14
        assert caller.emulator.counters["list"] == 2
        assert caller.emulator.counters["retrieve_batch"] == 0


@pytest.mark.asyncio
async def test_the_window_of_a_listing_includes_its_ends() -> None:
    """``created_at_min`` and ``created_at_max`` are Unix seconds on the service's own clock."""
    async with calling(skew=100) as caller:
        ids = await accepted(caller, 5)
        start = (await caller.record(ids[0]))["created_at"]

        page = await caller.tasks(
            action="retrieve_batch", created_at_min=start + 1, created_at_max=start + 3
        )

        assert ids_of(page.json()) == [ids[3], ids[2], ids[1]]


@pytest.mark.asyncio
async def test_a_deployment_may_have_smaller_pages() -> None:
    """`Wire.page` limits a page of the listing; a query by ids still answers all of them."""
    async with calling(wire=Wire(page=2)) as caller:
        ids = await accepted(caller, 3)

        page = await caller.tasks(action="retrieve_batch", limit=50)
        named = await caller.tasks(action="retrieve_batch", ids=ids, limit=50)

        assert ids_of(page.json()) == [ids[2], ids[1]]
        assert sorted(ids_of(named.json())) == sorted(ids)


@pytest.mark.asyncio
async def test_the_type_of_a_listing() -> None:
    """All tasks have the type ``videos``; another type has none."""
    async with calling(wire=Wire(count="page")) as caller:
        await accepted(caller, 3)

        videos = await caller.tasks(action="retrieve_batch", type="videos", limit=2)
        images = await caller.tasks(action="retrieve_batch", type="images")
        odd = await caller.tasks(action="retrieve_batch", type={"a": 1})

        assert odd.json() == {"items": [], "count": 0}
        assert videos.json()["count"] == 2
        assert images.json() == {"items": [], "count": 0}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "query, message",
    [
        ({"action": "generate"}, "action is invalid."),
        ({"action": 7}, "action is invalid."),
        ({"action": "retrieve"}, "id is required."),
        ({"action": "retrieve_batch", "ids": "abc"}, "ids is invalid."),
        ({"action": "retrieve_batch", "trace_ids": [7]}, "trace_ids is invalid."),
        ({"action": "retrieve_batch", "limit": 0}, "limit is invalid."),
        ({"action": "retrieve_batch", "limit": True}, "limit is invalid."),
        ({"action": "retrieve_batch", "offset": -1}, "offset is invalid."),
        ({"action": "retrieve_batch", "created_at_min": "now"}, "created_at_min is invalid."),
        ({"action": "retrieve_batch", "created_at_max": 10**400}, "created_at_max is invalid."),
    ],
)
async def test_wrong_queries(query: Any, message: str) -> None:
    """An invalid query is ``bad_request``, and the message names the parameter."""
    async with calling() as caller:
        answer = await caller.tasks(**query)

        assert error_of(answer) == (400, "bad_request")
        assert answer.json()["error"]["message"] == message


@pytest.mark.asyncio
async def test_an_id_that_is_no_text_is_unknown() -> None:
    """An id may be any JSON value; no task has it."""
    async with calling() as caller:
        assert (await caller.tasks(action="retrieve", id={"a": 1})).json() == {}


@pytest.mark.asyncio
async def test_a_hidden_task_is_unknown_at_first() -> None:
    """`Hide`: no query finds the task until the given time has passed."""
    async with calling() as caller:
        caller.fault(Hide(seconds=5))
        task_id = await caller.task_id()

        before = await caller.record(task_id), await caller.tasks(action="retrieve_batch")
        await anyio.sleep(5)
        after = await caller.record(task_id), await caller.tasks(action="retrieve_batch")

        assert before[0] == {}
        assert before[1].json()["items"] == []
        assert after[0]["id"] == task_id
        assert ids_of(after[1].json()) == [task_id]


@pytest.mark.asyncio
async def test_a_lagging_list() -> None:
    """`Lag`: a query by id finds the task before listings contain it."""
    async with calling() as caller:
        caller.fault(Lag(seconds=5))
        task_id = await caller.task_id()

        by_id = await caller.record(task_id)
        listed = (await caller.tasks(action="retrieve_batch")).json()

        assert by_id["id"] == task_id
        assert listed == {"items": [], "count": 0}


@pytest.mark.asyncio
async def test_scrambled_pages() -> None:
    """`Scramble` changes the order of the items, repeats some and omits some."""
    async with calling() as caller:
        ids = await accepted(caller, 10)
        caller.fault(Scramble(repeat=2, omit=3), on="tasks")

        items = ids_of((await caller.tasks(action="retrieve_batch", ids=ids)).json())
        single = await caller.record(ids[0])

        assert len(items) == 9
        assert len(set(items)) == 7
        assert items != sorted(items, key=ids.index)
        assert single["id"] == ids[0]
