"""Tasks that belong to the emulator, not to a caller: referenced, and ended with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Background:
    """Starts tasks and ends them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """End all of them soon. Those of a loop that is closed have ended with it."""
        for task in list(self._tasks):
            if task.get_loop().is_closed():
                self._tasks.discard(task)
            else:
                task.cancel()

    async def aclose(self) -> None:
        """End all of them now."""
        self.cancel()
        loop = asyncio.get_running_loop()
        ours = [task for task in self._tasks if task.get_loop() is loop]
        if ours:
            await asyncio.wait(ours)


class PerLoop(Generic[T]):
    """Something that belongs to one event loop: made anew when another one runs."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: tuple[asyncio.AbstractEventLoop, T] | None = None

    def get(self) -> T:
        loop = asyncio.get_running_loop()
        if self._made is None or self._made[0] is not loop:
            self._made = loop, self._make()
        return self._made[1]

    def take(self) -> T | None:
        """Give up what belongs to the running loop, if there is any."""
        made, self._made = self._made, None
        return made[1] if made and made[0] is asyncio.get_running_loop() else None
