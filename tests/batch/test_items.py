"""Cases that are hard to reach through a whole batch: the earlier runs of one item."""

from __future__ import annotations

import asyncio
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from veo_async._batch.item_resume import EarlierRuns
from veo_async._reconcile.window import KEEP

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

    assert journal.asked == [(NOW - KEEP, inf)]
