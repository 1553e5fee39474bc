"""The clock, the random numbers and the worker threads, handed over so that a run can be repeated.

Monotonic time is the event loop's (``anyio.current_time``), so a loop with virtual time needs
nothing from here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Protocol

import anyio.to_thread


class RunSync(Protocol):
    """Runs a blocking function where it does not hold up the event loop."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]:
        """Call ``function`` with ``args``, and return what it returns."""
        ...


async def in_thread(function: Callable[..., Any], /, *args: Any) -> Any:
    """Run a blocking function in a worker thread."""
    return await anyio.to_thread.run_sync(function, *args)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The things besides the network and the disk that a `VeoClient` takes from the machine.

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

        If the machine's clock were set while a submit is open, a lost submit would be looked for at
        the wrong time.
        """
        return replace(self, wall_clock=_Steady(self.wall_clock))


class _Steady:
    """A wall clock that is read once and then continues by the event loop's time."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall = wall_clock
        self._ahead: float | None = None

    def __call__(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._ahead is None:
            self._ahead = self._wall() - now
        return self._ahead + now
