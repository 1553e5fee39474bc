"""The service in a process of its own, so that its work is not counted as the client's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random
from typing import Any, Literal, Self

from veo_async.emulator import Emulator, Plan, Seconds

SPAWN = get_context("spawn")
"""A fork would inherit the parent's memory and imports."""

SAMPLE = 0.1
"""Seconds between two readings of the process's CPU time."""

STOP = 10.0
"""Seconds for the process to end by itself."""


@dataclass(frozen=True)
class Seen:
    """What the service saw since it was reset. Moments are ``time.monotonic()``, which is one
    clock for all processes of a machine.

    Attributes:
        counters: requests by kind and answers by status, as `Emulator.counters` has them.
        finished: when each accepted task was or will be finished.
        durations: what the tasks took, in the order in which they were accepted.
        cpu: readings of the clock and of the process's CPU seconds.
    """

    counters: Mapping[str | int, int]
    finished: Mapping[str, float]
    durations: tuple[float, ...]
    cpu: tuple[tuple[float, float], ...]


@dataclass(frozen=True, kw_only=True)
class Noted(Seconds):
    """A pace that remembers what it planned, in the order in which tasks are accepted."""

    planned: list[float] = field(default_factory=list)

    def plan(self, request: Mapping[str, Any], luck: Random) -> Plan:
        """Plan as `Seconds` does."""
        plan = super().plan(request, luck)
        self.planned.append(plan.seconds)
        return plan


class Service:
    """The process, seen from the run.

    Args:
        mean, sigma: the log-normal distribution of the durations, see `Seconds`.
        seed: the same seed gives the nth accepted task the same duration, after each `reset`.
    """

    def __init__(self, *, mean: float, sigma: float, seed: int) -> None:
        self._line, theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=_serve, args=(theirs, mean, sigma, seed), daemon=True)
        self._process.start()
        theirs.close()  # so that the end of the process is the end of the line
        self.base_url: str = self._line.recv()

    def reset(self) -> None:
        """Forget what was seen."""
        self._asked("reset")

    def seen(self) -> Seen:
        """Say what was seen since."""
        return self._asked("see")

    def _asked(self, order: Literal["reset", "see"]) -> Seen:
        self._line.send(order)
        seen: Seen = self._line.recv()
        return seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._line.close()
        self._process.join(STOP)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(line: Connection[Any, Any], mean: float, sigma: float, seed: int) -> None:
    with suppress(EOFError, KeyboardInterrupt):  # whoever measures is gone
        asyncio.run(_serving(line, Noted(mean=mean, sigma=sigma), seed))


async def _serving(line: Connection[Any, Any], pace: Noted, seed: int) -> None:
    epoch = time.time()
    emulator = Emulator(epoch=epoch, pace=pace, seed=seed)
    emulator.now()  # its clock starts with the first reading
    offset = time.monotonic() - epoch
    cpu: list[tuple[float, float]] = []
    async with emulator, emulator.serve() as base_url, asyncio.TaskGroup() as group:
        sampling = group.create_task(_sample(cpu))
        line.send(base_url)
        try:
            while True:
                order = await asyncio.to_thread(line.recv)
                cpu.append(_reading())
                if order == "reset":
                    _reset(emulator, pace, cpu)
                line.send(_seen(emulator, pace, cpu, offset))
        except EOFError:
            sampling.cancel()


async def _sample(cpu: list[tuple[float, float]]) -> None:
    while True:
        cpu.append(_reading())
        await asyncio.sleep(SAMPLE)


def _reading() -> tuple[float, float]:
    return time.monotonic(), time.process_time()


def _reset(emulator: Emulator, pace: Noted, cpu: list[tuple[float, float]]) -> None:
    emulator.reset()
    pace.planned.clear()
    del cpu[:-1]


def _seen(emulator: Emulator, pace: Noted, cpu: list[tuple[float, float]], offset: float) -> Seen:
    tasks = zip(emulator.bill, pace.planned, strict=True)
    return Seen(
        counters=dict(emulator.counters),
        finished={charge.task_id: charge.at + seconds + offset for charge, seconds in tasks},
        durations=tuple(pace.planned),
        cpu=tuple(cpu),
    )
