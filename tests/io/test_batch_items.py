"""What is hard to meet through a whole batch: the parts of an item by themselves."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from veo_async._io.batch_items import Maker, Options, Owned

NOW = 1_753_435_158.0
OPTIONS = Options(None, upscale=False, retry_failed=False, timeout=60.0, max_submissions=None)


class FakeJournal:
    """Notes for which times it is asked what was sent."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []

    async def sent_between(self, since: float, until: float) -> tuple[()]:
        self.asked.append((since, until))
        return ()


def parts_of(**parts: Any) -> Any:
    """The parts that a test needs, and no others."""
    wall = SimpleNamespace(wall=lambda: NOW)
    return SimpleNamespace(seams=wall, reconciler=SimpleNamespace(own=lambda rows: None), **parts)


@pytest.mark.asyncio
async def test_what_is_owned_already_is_not_read_again() -> None:
    """The journal is asked once for each stretch of time, however many submits were lost in it."""
    journal: Any = FakeJournal()
    owned = Owned(parts_of(), journal)

    await owned.around(NOW - 5_000, NOW - 4_900)
    await owned.around(NOW - 5_000, NOW - 4_900)
    await owned.around(NOW - 4_000, NOW - 3_900)

    assert len(journal.asked) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("tracked", [None, SimpleNamespace(task_id="")])
async def test_a_submit_left_open_that_ends_without_an_id_is_not_adopted(tracked: Any) -> None:
    """A POST that an earlier run of this client left open may end without a task id: there is
    nothing to adopt, and its end itself was recorded."""
    post = SimpleNamespace(over=anyio.Event(), tracked=tracked)
    left = SimpleNamespace(left=SimpleNamespace(find=lambda is_of: post))
    maker = Maker(parts_of(submits=left), OPTIONS, None)
    entry: Any = SimpleNamespace(deadline=anyio.current_time() + 60.0)
    ledger: Any = SimpleNamespace(is_of=lambda post: True)  # it would fail to adopt

    asyncio.get_running_loop().call_later(5.0, post.over.set)
    found = await maker._left_here(entry, ledger)

    assert found is tracked
