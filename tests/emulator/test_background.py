from __future__ import annotations

import asyncio

import pytest

from veo_async.emulator._background import Background, PerLoop


def run_in_a_loop_that_is_dropped(background: Background) -> None:
    """Leave a task behind in a loop that is closed without ending it."""
    loop = asyncio.new_event_loop()

    async def start() -> None:
        task = background.start(asyncio.Event().wait())
        task._log_destroy_pending = False  # type: ignore[attr-defined]

    loop.run_until_complete(start())
    loop.close()


@pytest.mark.asyncio
async def test_it_ends_what_it_started() -> None:
    """After `aclose` every task is done, and a second `aclose` has nothing to do."""
    background = Background()
    task = background.start(asyncio.sleep(1000))

    await background.aclose()
    await background.aclose()

    assert task.cancelled()


def test_tasks_of_a_closed_loop_are_forgotten() -> None:
    """A fixture may be closed under another loop than the one that it was used in."""
    background = Background()
    run_in_a_loop_that_is_dropped(background)

    background.cancel()

    assert background._tasks == set()


def test_each_event_loop_gets_its_own() -> None:
    """Clients and semaphores must not be used in another event loop than their own."""
    made = PerLoop(object)

    async def twice() -> tuple[object, object]:
        return made.get(), made.get()

    one, same = asyncio.run(twice())
    other, _ = asyncio.run(twice())

    assert one is same
    assert one is not other


@pytest.mark.asyncio
async def test_take_works_only_in_its_own_loop() -> None:
    """`take` returns the object of the running loop, once."""
    made = PerLoop(object)
    thing = made.get()
    elsewhere = PerLoop(object)

    async def make() -> None:
        elsewhere.get()

    await asyncio.to_thread(asyncio.run, make())

    assert made.take() is thing
    assert made.take() is None
    assert elsewhere.take() is None
