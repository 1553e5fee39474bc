"""The service in a process of its own, so that its work is not counted as the client's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection as Line
from typing import Any, Literal, Self

from .backend import Backend
from .http import Connection

SPAWN = get_context("spawn")
"""A fork would inherit the parent's memory and imports."""

SAMPLE = 0.1
"""Seconds between two readings of the process's CPU time."""

STOP = 10.0
"""Seconds for the process to end by itself."""

BACKLOG = 4096
"""Connections that may wait to be accepted: the vendor's SDK opens a hundred at once."""


@dataclass(frozen=True)
class Seen:
    """What the service saw since it was reset. Moments are ``time.monotonic()``, which is one
    clock for all processes of a machine.

    Attributes:
        counters: requests by kind.
        finished: when each accepted task was or will be finished.
        durations: what the tasks took, in the order in which they were accepted.
        cpu: readings of the clock and of the process's CPU seconds.
    """

    counters: Mapping[str, int]
    finished: Mapping[str, float]
    durations: tuple[float, ...]
    cpu: tuple[tuple[float, float], ...]


class Service:
    """The process, seen from the run.

    Args:
        mean, sigma, seed: see `Backend`.
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


def _serve(line: Line[Any, Any], mean: float, sigma: float, seed: int) -> None:
    with suppress(EOFError, KeyboardInterrupt):  # whoever measures is gone
        asyncio.run(_serving(line, Backend(mean=mean, sigma=sigma, seed=seed)))


async def _serving(line: Line[Any, Any], backend: Backend) -> None:
    cpu: list[tuple[float, float]] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(backend), "127.0.0.1", 0, backlog=BACKLOG)
    async with server, asyncio.TaskGroup() as group:
        sampling = group.create_task(_sample(cpu))
        line.send("http://127.0.0.1:{1}".format(*server.sockets[0].getsockname()))
        try:
            while True:
                order = await asyncio.to_thread(line.recv)
                cpu.append(_reading())
                if order == "reset":
                    backend.reset()
                    del cpu[:-1]
                line.send(_seen(backend, cpu))
        except EOFError:
            sampling.cancel()


async def _sample(cpu: list[tuple[float, float]]) -> None:
    while True:
        cpu.append(_reading())
        await asyncio.sleep(SAMPLE)


def _reading() -> tuple[float, float]:
    return time.monotonic(), time.process_time()


def _seen(backend: Backend, cpu: list[tuple[float, float]]) -> Seen:
    return Seen(
        counters=dict(backend.counters),
        finished={task_id: task.finish_at for task_id, task in backend.tasks.items()},
        durations=tuple(backend.durations),
        cpu=tuple(cpu),
    )
