"""An event loop on which time is real, but runs faster.

The waits of the law are long: a list has two minutes to catch up before a submit counts as absent.
Both processes live in a time of their own that runs so many times as fast, so none of these waits
is shortened or left out, and what a signal or a socket does is as real as ever.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from dataclasses import dataclass


class _Selector(selectors.DefaultSelector):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout and timeout / self._factor)


class BriskEventLoop(asyncio.SelectorEventLoop):
    """An ordinary event loop whose seconds are shorter."""

    def __init__(self, factor: float) -> None:
        super().__init__(_Selector(factor))
        self._factor = factor

    def time(self) -> float:
        return super().time() * self._factor


@dataclass(frozen=True)
class RateState:
    """How fast time runs, and since when (in real Unix seconds): the same in all processes."""

    factor: float
    since: float

    def wall_clock(self) -> float:
        """Unix time in brisk seconds."""
        return self.since + (time.time() - self.since) * self.factor

    def loop(self) -> asyncio.AbstractEventLoop:
        """A loop for `asyncio.Runner`."""
        return BriskEventLoop(self.factor)


def say(line: str) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
