"""The clock, the random numbers and the worker threads, passed in so that a run can be repeated.

Monotonic time is the event loop's (``anyio.current_time``), so a loop with virtual time needs no
clock of this module. A client lives on one loop: its connections, its tasks and its clock are that
loop's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from math import inf
from random import Random
from typing import Any, Protocol, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar

from ..errors import InvalidRequestError

ONE_LOOP = (
    "Nothing was sent, and nothing was bought. Make one client per event loop: `async with "
    "VeoClient()` inside each asyncio.run, and in pytest-asyncio a fixture with the loop_scope of "
    "its tests."
)

JUMP = 1.0
"""Seconds by which the wall clock moves against the event loop's in a jump: more than a clock
drifts in a day, less than a person notices."""

T = TypeVar("T")


class RunSync(Protocol):
    """Runs a blocking function without blocking the event loop."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Awaitable[T]:
        """Call ``function`` with ``args``, and return its result."""
        ...


THREADS = 40
"""Worker threads of the library on one event loop: as many as anyio's own limit."""

_limiter: RunVar[CapacityLimiter] = RunVar("veo_async threads")


async def in_thread(function: Callable[..., T], /, *args: Any) -> T:
    """Run a blocking function in a worker thread. The limit is the library's own: callers may hold
    all threads of anyio's limit while they wait for this function, as a web framework's synchronous
    endpoints do."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(function, *args, limiter=limiter)


@dataclass(slots=True)
class _Home:
    loop: asyncio.AbstractEventLoop | None = None


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
    _home: _Home = field(default_factory=_Home, init=False, repr=False, compare=False)

    def of_one_client(self) -> Runtime:
        """A copy for one client: with a `SteadyClock`, and not yet bound to an event loop."""
        return replace(self, wall_clock=SteadyClock(self.wall_clock))

    def check_loop(self) -> None:
        """Bind to the running event loop, unless that was done before.

        Raises:
            InvalidRequestError: it is bound to another loop, whose connections and tasks cannot be
                used from this one.
        """
        loop = asyncio.get_running_loop()
        self._home.loop = self._home.loop or loop
        if loop is not self._home.loop:
            problem = "A VeoClient belongs to the event loop of its first use, not to this one."
            raise InvalidRequestError(problem, advice=ONE_LOOP)

    @property
    def is_over(self) -> bool:
        """Whether the event loop is closed: all that was on it has ended with it."""
        return self._home.loop is not None and self._home.loop.is_closed()


class SteadyClock:
    """A wall clock that runs as steadily as the event loop's until the two come apart by a jump.

    A wall clock that is set in small steps while a submit is open would make the search for a lost
    one read the wrong time. But the loop's clock stands still while the machine is suspended, and
    the wall clock may have been wrong before, so after a jump the wall clock is right again. One
    that merely stands still, as a test's may, was not set back.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall = wall_clock
        self._ahead = -inf
        self._last = -inf

    def __call__(self) -> float:
        """Unix time in seconds."""
        now, wall = asyncio.get_running_loop().time(), self._wall()
        if wall - now > self._ahead + JUMP or wall < self._last - JUMP:
            self._ahead = wall - now
        self._last = wall
        return self._ahead + now
