"""The signals that end a command in order: to abort an open submit may lose a paid video."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

ENDING = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]

ECHO = 0.5
"""Seconds in which a second signal is the same one. ``timeout``, process managers and a shell on a
closed terminal send to the process and to its group, so that it arrives twice."""


@dataclass(slots=True)
class Interruption:
    """Cancels the work at the first signal. A second one exits immediately.

    Attributes:
        notice: tells a person that the first signal was heard, where that is worth a word.
    """

    notice: Callable[[], object] | None
    _task: asyncio.Task[int] | None = None
    _first: float | None = None

    async def watch(self, work: Coroutine[Any, Any, int]) -> int:
        """Await the work; a signal cancels it."""
        self._task = asyncio.current_task()
        return await work

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals while the block runs, in the main thread only. A signal that was
        ignored before stays ignored: SIGHUP under ``nohup``, SIGINT in a script's background."""
        with contextlib.ExitStack() as stack:
            if threading.current_thread() is threading.main_thread():
                for number in ENDING:
                    before = signal.getsignal(number)
                    if before not in (signal.SIG_IGN, None):  # None: a handler that is not Python's
                        signal.signal(number, self._handle)
                        stack.callback(signal.signal, number, before)
            yield

    def _handle(self, number: int, _: FrameType | None) -> None:
        task = self._task
        if task is None or task.done():
            raise KeyboardInterrupt
        loop = task.get_loop()
        if self._first is None:
            self._first = loop.time()
            if self.notice:
                loop.call_soon_threadsafe(self.notice)
            loop.call_soon_threadsafe(task.cancel)
        # A closed terminal is no second decision of a person.
        elif number != getattr(signal, "SIGHUP", None) and loop.time() >= self._first + ECHO:
            raise KeyboardInterrupt
