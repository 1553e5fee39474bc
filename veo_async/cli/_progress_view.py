"""The view of the progress on standard error: live on a terminal, else in plain lines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ._progress import Item, Progress
from ._screen import Screen
from ._text import plain

BEAT_OF_FEW, BEAT_OF_MANY = 30.0, 5.0
"""Seconds between two plain lines that say how many are done."""

FRAME = 0.2
"""Seconds between two frames of the live view."""

MOST_SHOWN = 6
"""The number of active items below the bar."""

MOST_OF_LABEL = 400
"""Characters of a label that are drawn at most."""

LEAST_LABEL = 12
"""Cells of a label below which the details move to lines of their own."""

WIDEST_STEP = len("downloading")

WORDS = {"succeeded": "done", "pending": "still running", "left": "left to do"}
"""The words for the final states of many items, where they differ from the state."""

COUNTED = [
    *("succeeded", "failed", "uncertain", "pending", "left"),
    *("downloading", "looking", "making", "submitting", "waiting"),
]
"""The final states and the steps of many items, in the order in which they are shown."""

STYLES = {"succeeded": "green", "downloading": "green", "failed": "red", "not saved": "red"}
STYLES |= {"uncertain": "magenta", "looking": "magenta", "pending": "yellow"}
STYLES |= {"submitting": "yellow"}


T = TypeVar("T")


class View:
    """Draws a few items as the rows of a table, and many items as a bar with counts."""

    def __init__(self, progress: Progress, *, is_many: bool) -> None:
        self._progress, self.is_many = progress, is_many

    def __rich__(self) -> RenderableType:
        return Group(self._bar(), self._counted(), self._newest()) if self.is_many else self._rows()

    def line(self) -> str:
        """The progress on one plain line."""
        progress = self._progress
        if not self.is_many:
            now = f"{progress.seconds:6.1f}s"
            return f"{now}  {progress.done} of {progress.total} done, still waiting"
        counts = [f"{number} {WORDS.get(name, name)}" for name, number in self._counts()]
        done = f"veo-async: {progress.done} of {progress.total}"
        return ", ".join([done, *counts, *self._facts()])

    def _rows(self) -> Rows:
        progress = self._progress
        rows = [(Text("video"), Text("state"), "seconds", Text())] if progress.total > 1 else []
        for item in dict.fromkeys(progress.items.values()):  # an item may have two keys
            seconds = (item.ended if item.state else progress.clock()) - item.started
            state = Text(word_of(item), style=STYLES.get(item.state, "cyan"))
            detail = Text(plain(item.detail), style="dim", overflow="fold")
            rows.append((Text(plain(item.label)), state, f"{seconds:.1f}", detail))
        return Rows(rows)

    def _bar(self) -> Table:
        progress = self._progress
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        bar = ProgressBar(total=max(progress.total, 1), completed=progress.done)
        grid.add_row(bar, Text(f"{progress.done}/{progress.total}  {span(progress.seconds)}"))
        return grid

    def _counted(self) -> Text:
        text = Text()
        for name, number in self._counts():
            text.append(f"{number} {WORDS.get(name, name)}  ", STYLES.get(name, ""))
        return text.append("  ".join(self._facts()), "dim")

    def _newest(self) -> Group:
        return Group(*map(self._active, self._progress.newest(MOST_SHOWN)))

    def _active(self, item: Item) -> Text:
        age = self._progress.clock() - item.since
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"{item.step:<{WIDEST_STEP}}", STYLES.get(item.step, "cyan"))
        return line.append(f"  {age:5.0f} s  ").append(plain(item.label[:MOST_OF_LABEL]))

    def _counts(self) -> Iterator[tuple[str, int]]:
        counts = self._progress.ended + self._progress.steps()
        yield from ((name, counts[name]) for name in COUNTED if counts[name])

    def _facts(self) -> Iterator[str]:
        """The speed, the pauses and the time left."""
        progress = self._progress
        if progress.per_minute is not None:
            yield f"{progress.per_minute:.1f} a minute"
        if progress.pauses:
            wait = f", everybody waits {progress.pause:.0f} s" if progress.pause else ""
            yield f"429: {progress.pauses} times{wait}"
        if progress.seconds_left is not None and progress.steps().total():
            yield f"about {span(progress.seconds_left)} left"


@dataclass(frozen=True)
class Rows:
    """Rows of label, state, seconds and detail. Only labels shrink, to the width when drawn."""

    rows: list[tuple[Text, Text, str, Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        labels, states, ages, details = (
            max((cell_len(str(row[column])) for row in self.rows), default=0) for column in range(4)
        )
        room = options.max_width - states - ages - 2 * len("  ")
        beside = room - details - len("  ")
        is_below = details > 0 and beside < min(labels, LEAST_LABEL)
        width = min(labels, beside if details and not is_below else room)
        for label, state, age, detail in self.rows:
            shown = label.copy()
            shown.truncate(max(width, 1), overflow="ellipsis", pad=True)
            padded = state.copy()
            padded.truncate(states, pad=True)
            line = Text("  ").join([shown, padded, Text(f"{age:>{ages}}")])
            if is_below:
                yield line
                if detail:
                    yield detail
            else:
                yield Text.assemble(line, "  ", detail) if detail else line


def word_of(item: Item) -> str:
    """The word in a row for the state or the step of an item."""
    return item.state or ("running" if item.step == "making" else item.step)


def span(seconds: float) -> str:
    """A duration for people."""
    return str(timedelta(seconds=round(seconds)))


def progress_of_few(screen: Screen) -> Progress:
    """The progress of a few items. Where no table is drawn, each change is a plain line."""

    def print_change(item: Item, seconds: float) -> None:
        detail = f" ({item.detail})" if item.detail else ""
        text = f"{seconds:6.1f}s  {item.label}: {word_of(item)}{detail}"
        screen.note(text, STYLES.get(item.state, ""))

    clock = asyncio.get_running_loop().time
    return Progress(clock) if screen.is_live else Progress(clock, on_change=print_change)


@contextlib.asynccontextmanager
async def shown(
    screen: Screen, progress: Progress, *, is_many: bool = False
) -> AsyncIterator[None]:
    """Show the progress while the block runs. Many items in plain lines end with their counts."""
    view = View(progress, is_many=is_many)
    if not screen.is_live:
        try:
            async with _every(BEAT_OF_MANY if is_many else BEAT_OF_FEW, view.line, screen.note):
                yield
        finally:
            if is_many:
                screen.note(view.line())
        return
    # A line of another thread draws the live view again, so it holds a frame that never changes.
    live = Live(view.__rich__(), console=screen.console, redirect_stdout=False, auto_refresh=False)
    with screen.holding(), live:
        try:
            async with _every(FRAME, view.__rich__, partial(live.update, refresh=True)):
                yield
        finally:
            live.update(view.__rich__())


@contextlib.asynccontextmanager
async def _every(
    seconds: float, draw: Callable[[], T], show: Callable[[T], object]
) -> AsyncIterator[None]:
    """Show the progress again and again. It is read where it changes: on the event loop."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(seconds)
            show(draw())

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
