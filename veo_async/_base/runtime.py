"""Wall time and luck, handed over so that a run can be repeated exactly.

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
class Seams:
    """The outside things that are not the network.

    Attributes:
        wall: Unix time in seconds.
        luck: the one source of chance.
        run_sync: how blocking work is run.
    """

    wall: Callable[[], float] = time.time
    luck: Random = field(default_factory=Random)
    run_sync: RunSync = in_thread

    def steadied(self) -> Seams:
        """The same, with a wall clock that goes as steadily as the monotonic one.

        A wall clock that is set while a submit is under way would look for it at the wrong time.
        """
        return replace(self, wall=_Steady(self.wall))


class _Steady:
    """Reads a wall clock once, and goes on from there by the event loop's time."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._ahead: float | None = None

    def __call__(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._ahead is None:
            self._ahead = self._wall() - now
        return self._ahead + now
