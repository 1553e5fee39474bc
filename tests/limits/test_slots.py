from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

import pytest

from veo_async._limits.queue import Line
from veo_async._limits.slots import Places


async def in_line(line: Line, ticket: int, came: list[int]) -> None:
    """Wait for the lock, and note whose turn it was; it is kept."""
    await line.enter(ticket)
    came.append(ticket)


@pytest.mark.asyncio
async def test_nobody_is_woken_before_it_may_go_on() -> None:
    """The first in the line stays until its own condition holds, and those behind it with it, also
    if theirs holds already."""
    line, came, is_open = Line(), list[int](), list[bool]()
    first, second = line.ticket(), line.ticket()

    async def pass_through(ticket: int, may: Callable[[], bool]) -> None:
        await line.enter(ticket, may)
        came.append(ticket)
        line.leave()

    waiting = [
        asyncio.create_task(pass_through(first, lambda: bool(is_open))),
        asyncio.create_task(pass_through(second, lambda: True)),
    ]
    await asyncio.sleep(1.0)
    line.advance()
    await asyncio.sleep(1.0)
    assert (came, len(line)) == ([], 2)

    is_open.append(True)
    line.advance()
    await asyncio.wait(waiting)

    assert (came, len(line)) == ([first, second], 0)


@pytest.mark.asyncio
async def test_who_may_not_go_on_and_leaves_holds_up_nobody() -> None:
    """The next one's condition counts then, at once."""
    line = Line()
    stuck = asyncio.create_task(line.enter(line.ticket(), lambda: False))
    free = asyncio.create_task(line.enter(line.ticket()))
    await asyncio.sleep(1.0)
    assert not free.done()

    stuck.cancel()
    await asyncio.sleep(1.0)

    assert free.done()
    assert len(line) == 1


@pytest.mark.asyncio
async def test_the_line_keeps_the_order_of_the_tickets() -> None:
    """Who comes back with an earlier ticket goes before all who came later."""
    line, came = Line(), list[int]()
    first, second, third = (line.ticket() for _ in range(3))
    await line.enter(first)
    waiting = [asyncio.create_task(in_line(line, ticket, came)) for ticket in (third, second)]
    await asyncio.sleep(1.0)
    again = asyncio.create_task(in_line(line, first, came))
    await asyncio.sleep(1.0)

    assert len(line) == 4
    for _ in range(3):
        line.leave()
        await asyncio.sleep(1.0)
    line.leave()

    assert came == [first, second, third]
    assert len(line) == 0
    await asyncio.gather(*waiting, again)


@pytest.mark.asyncio
@pytest.mark.parametrize("turn", ["before", "at"])
async def test_who_leaves_the_line_holds_nobody_up(turn: str) -> None:
    """A waiter that is cancelled, even in the very step of its turn, leaves that to the next."""
    line, came = Line(), list[int]()
    tickets = [line.ticket() for _ in range(3)]
    await line.enter(tickets[0])
    waiting = [asyncio.create_task(in_line(line, ticket, came)) for ticket in tickets[1:]]
    await asyncio.sleep(1.0)

    if turn == "at":
        line.leave()
    waiting[0].cancel()
    await asyncio.sleep(1.0)
    if turn == "before":
        line.leave()
    await asyncio.sleep(1.0)

    assert waiting[0].cancelled()
    assert came == [tickets[2]]
    line.leave()
    assert len(line) == 0


@pytest.mark.asyncio
async def test_places_are_counted_once() -> None:
    """A place is an open submit's, then its task's, and free however often it is released."""
    places = Places()
    open_since_5, kept = places.take(), places.take()
    open_since_5.sent(5.0)
    kept.sent(1.0)

    kept.keep()
    kept.keep()

    assert places.held == 2
    assert [places.running(5.0), places.running(5.1)] == [1, 2]
    for place in (open_since_5, kept, kept):
        place.release()
    kept.keep()
    assert places.held == 0


@pytest.mark.asyncio
async def test_a_task_of_an_earlier_run_counts() -> None:
    """It is in flight, whether or not there was room for it, and nothing was accepted just now."""
    told = list[str]()
    places = Places(lambda: told.append("accepted"))

    guest = places.count()
    places.take().keep()

    assert (places.held, places.running(-inf)) == (2, 2)
    assert told == ["accepted"]
    guest.release()
    assert places.held == 1


@pytest.mark.asyncio
async def test_who_waits_for_room_hears_of_changes() -> None:
    """A place that is released wakes at once; without any change patience ends the wait."""
    places = Places()
    place = places.take()
    loop = asyncio.get_running_loop()
    loop.call_later(3.0, place.release)

    await places.changes(10.0)
    woken = loop.time()
    await places.changes(10.0)

    assert (woken, loop.time()) == pytest.approx((3.0, 13.0))
