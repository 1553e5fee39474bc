"""Wall time and luck, handed over so that a run can be repeated exactly.

Monotonic time is the event loop's (``anyio.current_time``), so a loop with virtual time needs
nothing from here.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import anyio.to_thread


class RunSync(Protocol):
    """Runs a blocking function where it does not hold up the event loop."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]:
        """Call ``function`` with ``args``, and return what it returns."""


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
