"""asyncio tasks that belong to the emulator, not to a caller: they end with the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Background:
    """Starts asyncio tasks, keeps a reference to each, and ends them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task. It runs in an empty context: nothing of the caller's reaches it."""
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """Cancel all tasks without waiting. Tasks of a closed loop have ended with it."""
        for task in list(self._tasks):
            if task.get_loop().is_closed():
                self._tasks.discard(task)
            else:
                task.cancel()

    async def aclose(self) -> None:
        """Cancel all tasks, and wait for those of the running loop."""
        self.cancel()
        loop = asyncio.get_running_loop()
        ours = [task for task in self._tasks if task.get_loop() is loop]
        if ours:
            await asyncio.wait(ours)


class PerLoop(Generic[T]):
    """An object that belongs to one event loop; another loop gets another one."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: tuple[asyncio.AbstractEventLoop, T] | None = None

    def get(self) -> T:
        """The object of the running loop, which is made if there is none."""
        loop = asyncio.get_running_loop()
        if self._made is None or self._made[0] is not loop:
            self._made = loop, self._make()
        return self._made[1]

    def take(self) -> T | None:
        """Hand over the object of the running loop, if there is one, and forget it."""
        made, self._made = self._made, None
        return made[1] if made and made[0] is asyncio.get_running_loop() else None
