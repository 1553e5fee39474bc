"""Streams that nobody reads: a closed pipe, a closed terminal, or none from the start.

A run that is paid for goes on without them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, TextIO, cast


@contextlib.contextmanager
def opened() -> Iterator[None]:
    """Open the null device in place of each output stream that was closed before the start. Else a
    file of the run would get its descriptor, and the lines of any library that writes to it."""
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                nowhere = stack.enter_context(open(os.devnull, "w"))  # noqa: PTH123 - it has no path
                setattr(sys, name, nowhere)
                stack.callback(setattr, sys, name, None)
            # Another program on a shared terminal may have made it one that refuses a long line.
            with contextlib.suppress(OSError, ValueError):  # a test's stream has no descriptor
                os.set_blocking(getattr(sys, name).fileno(), True)
        yield


def discard(stream: IO[str]) -> None:
    """Discard the buffered and all further output of a stream that cannot be written to. Otherwise
    the interpreter fails when it exits. Python's documentation on SIGPIPE shows this way."""
    with contextlib.suppress(OSError, ValueError):  # a test's stream has no descriptor
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


class _Lenient:
    """A stream whose first failed write discards all further ones."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, call: Callable[..., object], *args: str) -> None:
        try:
            call(*args)
        except (OSError, ValueError):  # Python's word for a closed file is a ValueError
            discard(self._stream)


def standard_error() -> TextIO:
    """Standard error, where an error is no reason to stop."""
    return cast("TextIO", _Lenient(sys.stderr))
