from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from veo_async._limits.queue import FairQueue


async def in_queue(queue: FairQueue, ticket: int, came: list[int]) -> None:
    """Wait for the lock, and note whose turn it was; it is kept."""
    await queue.enter(ticket)
    came.append(ticket)


@pytest.mark.asyncio
async def test_nobody_is_woken_before_it_may_go_on() -> None:
    """The first in the line stays until its own condition holds, and those behind it with it, also
    if theirs holds already."""
    queue, came, is_open = FairQueue(), list[int](), list[bool]()
    first, second = queue.ticket(), queue.ticket()

    async def pass_through(ticket: int, may: Callable[[], bool]) -> None:
        await queue.enter(ticket, may)
        came.append(ticket)
        queue.leave()

    waiting = [
        asyncio.create_task(pass_through(first, lambda: bool(is_open))),
        asyncio.create_task(pass_through(second, lambda: True)),
    ]
    await asyncio.sleep(1.0)
    queue.advance()
    await asyncio.sleep(1.0)
    assert (came, len(queue)) == ([], 2)

    is_open.append(True)
    queue.advance()
    await asyncio.wait(waiting)

    assert (came, len(queue)) == ([first, second], 0)


@pytest.mark.asyncio
async def test_who_may_not_go_on_and_leaves_holds_up_nobody() -> None:
    """The next one's condition counts then, at once."""
    queue = FairQueue()
    stuck = asyncio.create_task(queue.enter(queue.ticket(), lambda: False))
    free = asyncio.create_task(queue.enter(queue.ticket()))
    await asyncio.sleep(1.0)
    assert not free.done()

    stuck.cancel()
    await asyncio.sleep(1.0)

    assert free.done()
    assert len(queue) == 1


@pytest.mark.asyncio
async def test_the_line_keeps_the_order_of_the_tickets() -> None:
    """Who comes back with an earlier ticket goes before all who came later."""
    queue, came = FairQueue(), list[int]()
    first, second, third = (queue.ticket() for _ in range(3))
    await queue.enter(first)
    waiting = [asyncio.create_task(in_queue(queue, ticket, came)) for ticket in (third, second)]
    await asyncio.sleep(1.0)
    again = asyncio.create_task(in_queue(queue, first, came))
    await asyncio.sleep(1.0)

    assert len(queue) == 4
    for _ in range(3):
        queue.leave()
        await asyncio.sleep(1.0)
    queue.leave()

    assert came == [first, second, third]
    assert len(queue) == 0
    await asyncio.gather(*waiting, again)


@pytest.mark.asyncio
@pytest.mark.parametrize("turn", ["before", "at"])
async def test_who_leaves_the_line_holds_nobody_up(turn: str) -> None:
    """A waiter that is cancelled, even in the very step of its turn, leaves that to the next."""
    queue, came = FairQueue(), list[int]()
    tickets = [queue.ticket() for _ in range(3)]
    await queue.enter(tickets[0])
    waiting = [asyncio.create_task(in_queue(queue, ticket, came)) for ticket in tickets[1:]]
    await asyncio.sleep(1.0)

    if turn == "at":
        queue.leave()
    waiting[0].cancel()
    await asyncio.sleep(1.0)
    if turn == "before":
        queue.leave()
    await asyncio.sleep(1.0)

    assert waiting[0].cancelled()
    assert came == [tickets[2]]
    queue.leave()
    assert len(queue) == 0
