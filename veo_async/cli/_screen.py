"""The two streams: results on standard output, all other lines on standard error."""

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
from ._streams import discard, standard_error
from ._text import plain

if TYPE_CHECKING:
    from ._options import Shared
    from ._rows import Row


class Screen:
    """The output of one command.

    One console writes all lines on standard error, so that they appear above a live view.

    Attributes:
        is_read: whether standard output could be written to so far.
    """

    def __init__(self, options: Shared) -> None:
        file = standard_error()
        self.console = Console(file=file, markup=False, highlight=False, emoji=False)
        self.is_live = file.isatty() and not self.console.is_dumb_terminal
        # Then a person sees the live view, and needs no list of files on standard output.
        self.is_one_terminal = self.is_live and sys.stdout.isatty()
        self._options = options
        self._rows = 0
        self._held: list[str] | None = None
        self.is_read = True

    def result(self, row: Row) -> None:
        """Print one result."""
        text = row.as_json() if self._options.json else row.as_text()
        if self._rows and not self._options.json:
            self.print("")
        self._rows += 1
        self.print(text)
        if not self.is_read:  # it may have been paid for, and is nowhere else
            for line in text.splitlines():
                self.note(line)

    def listed(self, row: Row) -> None:
        """Print one row of a list.

        Raises:
            BrokenPipeError: nobody reads it, and it cost nothing.
        """
        self.print(row.as_json() if self._options.json else row.as_line())
        if not self.is_read:
            raise BrokenPipeError

    def failure(self, row: Row) -> None:
        """Print a result that is an error, for programs. People read the error on standard error;
        the row is printed for them only if some videos are finished all the same."""
        if self._options.json or row.videos:
            self.result(row)

    def print(self, line: str) -> None:
        """Print a line of a result. Its text is escaped already. The work goes on if it cannot be
        printed: it may be paid for."""
        if self._held is not None:
            self._held.append(line)
            return
        try:
            print(line, flush=True)
        except (OSError, ValueError):
            self.is_read = False
            discard(sys.stdout)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Delay results until the block ends, if a live view uses the same terminal."""
        held: list[str] = []
        self._held = held if sys.stdout.isatty() else None
        try:
            yield
        finally:
            self._held = None
            for line in held:
                self.print(line)

    def note(self, text: str, style: str = "") -> None:
        """Print a line on standard error. The text may be anything; it is escaped here."""
        self.console.print(Text(plain(text), style=style), soft_wrap=True)

    def error(self, error: BaseException) -> int:
        """Print an error on one line, and return its exit code."""
        if self._options.debug:
            trace = "".join(traceback.format_exception(error))
            for line in trace.splitlines():
                self.note(line)
        self.note(f"veo-async: error: {message_of(error)}", "red")
        return code_of(error)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Print the library's warnings; with ``--debug`` its whole log."""
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
