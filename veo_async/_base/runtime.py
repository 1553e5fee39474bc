"""The clock, the random numbers and the worker threads, passed in so that a run can be repeated.

Monotonic time is the event loop's (``anyio.current_time``), so a loop with virtual time needs no
clock of this module.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Protocol, TypeVar

import anyio.to_thread

T = TypeVar("T")


class RunSync(Protocol):
    """Runs a blocking function without blocking the event loop."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Awaitable[T]:
        """Call ``function`` with ``args``, and return its result."""
        ...


async def in_thread(function: Callable[..., T], /, *args: Any) -> T:
    """Run a blocking function in a worker thread."""
    return await anyio.to_thread.run_sync(function, *args)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of the machine that a `VeoClient` uses, besides the network and the disk.

    Args:
        wall_clock: returns Unix time in seconds.
        rng: the source of all random numbers: the jitter of delays and backoffs.
        run_sync: awaits a blocking function with its arguments, in a worker thread by default.
            On a loop with virtual time it may call the function directly.
    """

    wall_clock: Callable[[], float] = time.time
    rng: Random = field(default_factory=Random)
    run_sync: RunSync = in_thread

    def with_steady_clock(self) -> Runtime:
        """The same, with a wall clock that runs as steadily as the event loop's.

        A wall clock that is set while a submit is open would make the search for a lost one read
        the wrong time.
        """
        return replace(self, wall_clock=_Steady(self.wall_clock))


class _Steady:
    """Reads a wall clock once, and then counts by the event loop's time."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall = wall_clock
        self._ahead: float | None = None

    def __call__(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._ahead is None:
            self._ahead = self._wall() - now
        return self._ahead + now
