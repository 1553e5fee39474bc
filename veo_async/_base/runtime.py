"""The clock, the random numbers and the worker threads, passed in so that a run can be repeated.

Monotonic time is the event loop's (``anyio.current_time``), so a loop with virtual time needs no
clock of this module. A client lives on one loop: its connections, its tasks and its clock are that
loop's.
"""

from __future__ import annotations

import asyncio
import os
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


NO_LOOP = (
    "Nothing was sent, and nothing was bought. Under trio, run this part of the program with "
    "asyncio (with anyio: backend='asyncio'). In a fork of the process, call asyncio.run first."
)

FORKED = (
    "Nothing was sent here, and nothing was bought. Make the clients of a fork in the fork: its "
    "copy of this one would send again what the parent sends."
)


@dataclass(slots=True)
class _Home:
    loop: asyncio.AbstractEventLoop | None = None
    process: int = 0

    @property
    def is_forked(self) -> bool:
        """Whether this is a copy in a fork of the client's process."""
        return self.loop is not None and self.process != os.getpid()


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
        """Bind to the running event loop and to this process, unless that was done before.

        Raises:
            InvalidRequestError: it is bound to another loop or process, whose connections and tasks
                cannot be used from here; or no event loop of asyncio runs.
        """
        home = self._home
        if home.is_forked:
            problem = (
                "A VeoClient belongs to the process of its first use, and this is a fork of it."
            )
            raise InvalidRequestError(problem, advice=FORKED)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            problem = "A VeoClient runs on asyncio, and no event loop of asyncio runs here."
            raise InvalidRequestError(problem, advice=NO_LOOP) from None
        if home.loop is None:
            home.loop, home.process = loop, os.getpid()
        if loop is not home.loop:
            problem = "A VeoClient belongs to the event loop of its first use, not to this one."
            raise InvalidRequestError(problem, advice=ONE_LOOP)

    @property
    def is_over(self) -> bool:
        """Whether nothing here has to be closed: the event loop is closed, and all that was on it
        has ended with it; or this is a fork, and all that is open belongs to the parent."""
        home = self._home
        return home.loop is not None and (home.is_forked or home.loop.is_closed())


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
