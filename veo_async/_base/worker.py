"""A task of our own that is alive while it is needed.

Several parts of the client have background work that starts with its first user and ends with its
last one: the polls, the search for lost submits, the writes of a journal. `Worker` is the one
place that starts, restarts and cancels such a task. `uninterrupted` awaits the end of such work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

import anyio


async def uninterrupted(
    work: Callable[[], Coroutine[Any, Any, object]],
    *,
    when_cancelled: Callable[[], object] = tuple,
) -> None:
    """Await work to its end, however often the caller is cancelled; then raise the cancellation.

    Args:
        work: runs in a task of its own, which the end of the program does not cancel.
        when_cancelled: called at each cancellation.
    """
    task = asyncio.get_running_loop().create_task(work())
    asyncio._unregister_task(task)  # noqa: SLF001 - documented for extensions
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as exc:
                cancelled = exc
                when_cancelled()
    if cancelled:
        raise cancelled
    task.result()


def _report(cause: BaseException) -> None:
    """Leave an error to the event loop's exception handler."""
    if isinstance(cause, Exception):
        raise cause


class Worker:
    """Runs a coroutine function in a task of its own, as often as it is needed.

    Args:
        run: the work; it returns as soon as there is nothing to do.
        name: the task's name.
        on_failure: is called with the reason when the task ends by an error or is cancelled, also
            when that happens before its first step. Nobody may be left waiting for it then. By
            default an error goes to the event loop's exception handler.
        is_listed: whether `asyncio.all_tasks` contains the task. The end of the program cancels
            all that it contains, so a task that must reach its end is left out. A task that is
            contained joins it.
    """

    def __init__(
        self,
        run: Callable[[], Coroutine[Any, Any, None]],
        name: str,
        *,
        on_failure: Callable[[BaseException], None] = _report,
        is_listed: bool = True,
    ) -> None:
        self._run = run
        self._name = name
        self._is_listed = is_listed
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None
        self._is_needed = False

    def ensure(self) -> None:
        """Have the work done: start the task unless it runs.

        A running task calls `run` once more before it ends, so work that arrives while a run is
        ending is not forgotten.
        """
        self._is_needed = True
        if self._task is None:
            # An empty context: the caller's context must not live on in our task.
            context = Context()
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._work(), name=self._name, context=context)
            self._task.add_done_callback(self._ended, context=context)
            if not self._is_listed:
                asyncio._unregister_task(self._task)  # noqa: SLF001 - documented for extensions

    async def _work(self) -> None:
        while self._is_needed:
            self._is_needed = False
            await self._run()

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Until here the task counts as running: a failure reaches also those who came meanwhile.
        self._task = None
        cause = asyncio.CancelledError() if task.cancelled() else task.exception()
        if cause:
            self._is_needed = False
            self._on_failure(cause)
        elif self._is_needed:
            self.ensure()  # for work that arrived after the last step of the task

    async def join(self) -> None:
        """Wait until the task has ended."""
        while self._task:
            await asyncio.wait([self._task])

    async def aclose(self) -> None:
        """Cancel the task and wait for its end; a later `ensure` would start another one."""
        while self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
