from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from veo_async._limits.queue import FairQueue


def always() -> bool:
    """The condition of a ticket that only waits for those before it."""
    return True


async def in_queue(queue: FairQueue, ticket: int, came: list[int]) -> None:
    """Wait for the turn, and note whose it was; it is kept."""
    await queue.enter(ticket, always)
    came.append(ticket)


@pytest.mark.asyncio
async def test_no_ticket_has_its_turn_before_its_condition_holds() -> None:
    """The first ticket stays until its own condition holds. The tickets behind it stay as well,
    also if theirs holds already."""
    queue, came, is_open = FairQueue(), list[int](), list[bool]()
    first, second = queue.ticket(), queue.ticket()

    async def pass_through(ticket: int, may: Callable[[], bool]) -> None:
        await queue.enter(ticket, may)
        came.append(ticket)
        queue.leave()

    waiting = [
        asyncio.create_task(pass_through(first, lambda: bool(is_open))),
        asyncio.create_task(pass_through(second, always)),
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
async def test_a_ticket_that_leaves_while_its_condition_fails_holds_up_no_other() -> None:
    """The condition of the next ticket counts immediately."""
    queue = FairQueue()
    stuck = asyncio.create_task(queue.enter(queue.ticket(), lambda: False))
    free = asyncio.create_task(queue.enter(queue.ticket(), always))
    await asyncio.sleep(1.0)
    assert not free.done()

    stuck.cancel()
    await asyncio.sleep(1.0)

    assert free.done()
    assert len(queue) == 1


@pytest.mark.asyncio
async def test_the_queue_keeps_the_order_of_the_tickets() -> None:
    """A submit that returns with an earlier ticket has its turn before all later ones."""
    queue, came = FairQueue(), list[int]()
    first, second, third = (queue.ticket() for _ in range(3))
    await queue.enter(first, always)
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
async def test_a_cancelled_ticket_holds_up_no_other(turn: str) -> None:
    """A waiter that is cancelled, even in the step of its turn, leaves its turn to the next."""
    queue, came = FairQueue(), list[int]()
    tickets = [queue.ticket() for _ in range(3)]
    await queue.enter(tickets[0], always)
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
