"""The two streams: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ._exits import code_of, message_of
from ._text import plain

if TYPE_CHECKING:
    from ._options import Shared
    from ._rows import Row


class Screen:
    """What one command shows.

    Lines on standard error go through one console, so that they stand above a live view.
    """

    def __init__(self, options: Shared) -> None:
        self.console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self.is_live = sys.stderr.isatty() and not self.console.is_dumb_terminal
        # Where both streams are one terminal, what is drawn on it tells a person all there is.
        self.tells_all = self.is_live and sys.stdout.isatty()
        self._options = options
        self._rows = 0
        self._held: list[str] | None = None

    def result(self, row: Row) -> None:
        """One result on standard output."""
        if self._options.json:
            self.print(row.as_json())
            return
        if self._rows:
            self.print("")
        self._rows += 1
        self.print(row.as_text())

    def listed(self, row: Row) -> None:
        """One row of a list on standard output."""
        self.print(row.as_json() if self._options.json else row.as_line())

    def failure(self, row: Row) -> None:
        """One result that is an error: a line of standard error says that to a person, and a row
        says it to a program; videos that are ready all the same are shown to both."""
        if self._options.json or row.videos:
            self.result(row)

    def print(self, line: str) -> None:
        """A line of a result, harmless already."""
        if self._held is None:
            print(line, flush=True)
        else:
            self._held.append(line)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Keep results back from a terminal on which a live view is drawn meanwhile."""
        held: list[str] = []
        self._held = held if sys.stdout.isatty() else None
        try:
            yield
        finally:
            self._held = None
            for line in held:
                self.print(line)

    def note(self, text: str, style: str = "") -> None:
        """A line about what goes on, from any text."""
        self.console.print(Text(plain(text), style=style), soft_wrap=True)

    def error(self, error: BaseException) -> int:
        """One line that says what went wrong, and the exit code for it."""
        if self._options.debug:
            trace = "".join(traceback.format_exception(error))
            for line in trace.splitlines():
                self.note(line)
        self.note(f"veo-async: error: {message_of(error)}", "red")
        return code_of(error)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Show the library's warnings; with ``--debug`` all that it logs."""
        logger = logging.getLogger("veo_async")
        before = logger.level, logger.propagate
        handler = _Lines(self)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if self._options.debug else logging.WARNING)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.level, logger.propagate = before


class _Lines(logging.Handler):
    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        self._screen.note(f"veo-async: {level}: {record.getMessage()}", "yellow")
