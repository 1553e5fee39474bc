"""The progress of a batch on standard error: a live view on a terminal, else a line at times."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ._batch_progress import BatchProgress
from ._screen import Screen
from ._text import plain

BEAT = 5.0
"""Seconds between two plain lines."""

SHOWN = 6
"""How many of the items are shown that move."""

WORDS = {
    "succeeded": "done",
    "failed": "failed",
    "uncertain": "uncertain",
    "pending": "still running",
    "left": "left to do",
}
"""The states in which items end, in the order in which they are told."""

STYLES = {"done": "green", "failed": "red", "uncertain": "magenta", "still running": "yellow"}
STYLES |= {"looking": "magenta", "downloading": "green", "submitting": "yellow"}

DOING = ("downloading", "looking", "making", "submitting", "waiting")


class BatchView:
    """Draws a progress."""

    def __init__(self, progress: BatchProgress) -> None:
        self._progress = progress

    def counts(self) -> Iterator[tuple[str, int]]:
        """What there is to count, each with its word."""
        ended, doing = self._progress.ended, self._progress.doing()
        yield from ((word, ended[state]) for state, word in WORDS.items() if ended[state])
        yield from ((word, doing[word]) for word in DOING if doing[word])

    def facts(self) -> Iterator[str]:
        """How fast it goes, what holds it up, and how long it may take."""
        progress = self._progress
        if progress.per_minute is not None:
            yield f"{progress.per_minute:.1f} a minute"
        if progress.pauses:
            wait = f", everybody waits {progress.pause:.0f} s" if progress.pause else ""
            yield f"429: {progress.pauses} times{wait}"
        if progress.seconds_left is not None and progress.done < progress.total:
            yield f"about {span(progress.seconds_left)} left"

    def line(self) -> str:
        """All of it on one line."""
        said = [f"{number} {word}" for word, number in self.counts()]
        return ", ".join([f"{self._progress.done} of {self._progress.total}", *said, *self.facts()])

    def __rich__(self) -> RenderableType:
        return Group(self._bar(), self._counted(), *self._moving())

    def _bar(self) -> Table:
        progress = self._progress
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        bar = ProgressBar(total=max(progress.total, 1), completed=progress.done)
        grid.add_row(bar, Text(f"{progress.done}/{progress.total}  {span(progress.seconds)}"))
        return grid

    def _counted(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for word, number in self.counts():
            text.append(f"{number} {word}  ", STYLES.get(word, ""))
        return text.append("  ".join(self.facts()), "dim")

    def _moving(self) -> Iterator[RenderableType]:
        grid = Table.grid(padding=(0, 2))
        for _ in range(3):
            grid.add_column(no_wrap=True, overflow="ellipsis")
        for item in self._progress.newest(SHOWN):
            age = self._progress.clock() - item.since
            label = Text(plain(item.label[:200]))
            grid.add_row(Text(item.doing, STYLES.get(item.doing, "cyan")), f"{age:5.0f} s", label)
        yield grid


def span(seconds: float) -> str:
    """A length of time for people."""
    return str(timedelta(seconds=round(seconds)))


@contextlib.asynccontextmanager
async def batch_view(screen: Screen, progress: BatchProgress) -> AsyncIterator[None]:
    """Show a batch while the block runs, and its last state after that."""
    shown = BatchView(progress)
    if screen.is_live:
        live = Live(shown, console=screen.console, redirect_stdout=False, refresh_per_second=5)
        with screen.holding(), live:
            yield
        return
    beat = asyncio.create_task(_beat(screen, shown))
    try:
        yield
    finally:
        beat.cancel()
        screen.note(f"veo-async: {shown.line()}")


async def _beat(screen: Screen, shown: BatchView) -> None:
    while True:
        await asyncio.sleep(BEAT)
        screen.note(f"veo-async: {shown.line()}")
