from __future__ import annotations

import threading
import time

import pytest

from veo_async._base.runtime import Runtime


@pytest.mark.asyncio
async def test_blocking_work_is_done_in_another_thread() -> None:
    """Unless somebody else is handed over, a worker thread holds the event loop free."""
    assert await Runtime().run_sync(threading.get_ident) != threading.get_ident()


def test_wall_time_is_the_machine_s() -> None:
    """Unix seconds, and random numbers that differ from one client to the next."""
    assert Runtime().wall_clock() == pytest.approx(time.time(), abs=60.0)
    assert Runtime().rng.random() != Runtime().rng.random()
