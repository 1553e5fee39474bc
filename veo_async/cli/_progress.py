"""Progress on standard error: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ._screen import Screen
from ._text import plain

HEARTBEAT = 30.0
"""Seconds between two plain lines while nothing changes, so that a log shows it is alive."""

STYLES = {
    "succeeded": "green",
    "not saved": "red",
    "failed": "red",
    "uncertain": "magenta",
    "pending": "yellow",
}
"""The colours of the states in which a row can end."""


@dataclass(slots=True, eq=False)
class Line:
    """One video on its way."""

    label: str
    started: float
    state: str = "waiting"
    detail: str = ""
    ended: float | None = None


class Progress:
    """The videos of one command, in the order in which they were added."""

    def __init__(self, screen: Screen, clock: Callable[[], float]) -> None:
        self._screen, self._clock = screen, clock
        self._started = clock()
        self._lines: list[Line] = []

    def add(self, label: str) -> Line:
        """One more video."""
        line = Line(label, self._clock())
        self._lines.append(line)
        return line

    def show(self, line: Line, state: str, detail: str = "") -> None:
        """A video's state has changed."""
        line.state, line.detail = state, detail or line.detail
        if not self._screen.is_live:
            text = f"{line.label}: {state}" + (f" ({line.detail})" if line.detail else "")
            self._say(text, STYLES.get(state, ""))

    def end(self, line: Line, state: str, detail: str = "") -> None:
        """A video has ended."""
        line.ended = self._clock()
        self.show(line, state, detail)

    def seconds(self, line: Line) -> float:
        """How long this one has taken so far, or took."""
        return (self._clock() if line.ended is None else line.ended) - line.started

    def _say(self, text: str, style: str = "") -> None:
        self._screen.note(f"{self._clock() - self._started:6.1f}s  {text}", style)

    async def beat(self) -> None:
        """Say from time to time how many are still open."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            ended = sum(line.ended is not None for line in self._lines)
            self._say(f"{ended} of {len(self._lines)} done, still waiting")

    def __rich__(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, expand=True, show_header=len(self._lines) > 1)
        table.add_column("video", ratio=3, no_wrap=True, overflow="ellipsis")
        table.add_column("state", no_wrap=True)
        table.add_column("seconds", justify="right", no_wrap=True)
        table.add_column("", ratio=2, no_wrap=True, overflow="ellipsis")
        for line in self._lines:
            table.add_row(
                Text(plain(line.label)),
                Text(line.state, style=STYLES.get(line.state, "cyan")),
                f"{self.seconds(line):.1f}",
                Text(plain(line.detail), style="dim"),
            )
        return Group(table)


@contextlib.asynccontextmanager
async def progress(screen: Screen) -> AsyncIterator[Progress]:
    """Show progress while the block runs."""
    shown = Progress(screen, asyncio.get_running_loop().time)
    if screen.is_live:
        live = Live(shown, console=screen.console, redirect_stdout=False, refresh_per_second=8)
        with screen.holding(), live:
            yield shown
        return
    beat = asyncio.create_task(shown.beat())
    try:
        yield shown
    finally:
        beat.cancel()
