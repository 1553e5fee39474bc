"""Cases that are hard to reach through a whole batch: the earlier runs of one item."""

from __future__ import annotations

import asyncio
from math import inf
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from veo_async._batch.item_resume import EarlierRuns
from veo_async._reconcile.window import NEAR, WIDE

NOW = 1_753_435_158.0


class FakeJournal:
    """Notes the stretches of time for which its rows are read."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []

    async def sent_between(self, since: float, until: float) -> tuple[()]:
        await asyncio.sleep(0)
        self.asked.append((since, until))
        return ()


def deps_of(**deps: Any) -> Any:
    """The dependencies that a test needs, and no others."""
    wall_clock = SimpleNamespace(wall_clock=lambda: NOW)
    reconciler = SimpleNamespace(own=list, answered_at_once=list)
    return SimpleNamespace(runtime=wall_clock, reconciler=reconciler, **deps)


@pytest.mark.asyncio
async def test_what_is_owned_already_is_not_read_again() -> None:
    """The journal is read once for each stretch of time, for any number of lost submits in it."""
    journal: Any = FakeJournal()
    earlier = EarlierRuns(deps_of(), journal)

    await earlier.own_since(NOW - 5_000)
    await earlier.own_since(NOW - 5_000)
    await earlier.own_since(NOW - 4_000)
    await earlier.own_since(NOW - 9_000)

    assert [until for _, until in journal.asked] == [inf, journal.asked[0][0]]


@pytest.mark.asyncio
async def test_what_is_being_read_is_not_read_again() -> None:
    """Submits that are lost together wait for one reading of the journal."""
    journal: Any = FakeJournal()
    earlier = EarlierRuns(deps_of(), journal)

    await asyncio.gather(*[earlier.own_since(NOW) for _ in range(3)])

    assert len(journal.asked) == 1


@pytest.mark.asyncio
async def test_what_seems_to_be_sent_in_the_future_is_owned_too() -> None:
    """A clock that was set back hides no task of an earlier run: else another item could adopt
    it."""
    journal: Any = FakeJournal()
    earlier = EarlierRuns(deps_of(), journal)

    await earlier.own_since(NOW)

    assert journal.asked == [(NOW - WIDE - NEAR, inf)]


@pytest.mark.asyncio
@pytest.mark.parametrize("tracked", [None, SimpleNamespace(task_id="")])
async def test_a_submit_left_open_that_ends_without_an_id_is_not_adopted(tracked: Any) -> None:
    """A POST that an earlier run of this client left open may end without a task id. Then there is
    nothing to adopt, and its end is already recorded."""
    post = SimpleNamespace(done=anyio.Event(), tracked=tracked)
    submitter = SimpleNamespace(unsettled=SimpleNamespace(find=lambda is_of, since: post))
    deps = deps_of(submitter=submitter)
    earlier = EarlierRuns(deps, cast("Any", FakeJournal()))
    entry: Any = SimpleNamespace(deadline=anyio.current_time() + 60.0)
    row: Any = SimpleNamespace(sent_at=None)
    ledger: Any = SimpleNamespace(is_same=lambda post: True)  # it would fail to adopt

    asyncio.get_running_loop().call_later(5.0, post.done.set)
    found = await earlier._of_this_client(entry, row, ledger)

    assert found is tracked
