from __future__ import annotations

import threading
import time

import pytest

from veo_async._base.runtime import Seams


@pytest.mark.asyncio
async def test_blocking_work_is_done_in_another_thread() -> None:
    """Unless somebody else is handed over, a worker thread holds the event loop free."""
    assert await Seams().run_sync(threading.get_ident) != threading.get_ident()


def test_wall_time_is_the_machine_s() -> None:
    """Unix seconds, and luck that differs from one client to the next."""
    assert Seams().wall() == pytest.approx(time.time(), abs=60.0)
    assert Seams().luck.random() != Seams().luck.random()
