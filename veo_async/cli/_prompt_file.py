"""A file of prompts as records: the fields of each prompt, and the line on which it begins.

The whole input is copied first. So it can be checked to its end and read a second time, also if it
comes from a pipe or changes meanwhile. The memory in use does not grow with the input, but for a
JSON document that is not one object a line.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from . import _encodings

Form = Literal["jsonl", "json", "csv", "lines", "paragraphs"]

SUFFIXES: Mapping[str, Form] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
}
"""The form of a file, by its suffix. The beginning of the file decides as well."""

IN_MEMORY = 8 << 20
"""Bytes of the input that are kept in memory; a larger input is kept in a temporary file."""

HEAD = 64 << 10
"""Bytes by which the form and the encoding of an input are recognised."""

LONGEST = 1 << 20
"""Characters of one line: more than any prompt has, and few enough to be read at once."""

ESCAPED = re.compile("[\udc80-\udcff]")
"""The code points that `surrogateescape` uses for bytes that are not UTF-8."""

MARK = "\ufeff"
"""A mark of the encoding, which also stands inside of files that were put together."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of one line.

    Attributes:
        is_fatal: whether the file as a whole cannot be trusted, so that nothing of it is bought,
            also where wrong lines are left out.
    """

    line: int
    text: str
    is_fatal: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one line, or of one row of a table."""

    line: int
    fields: dict[str, Any]


Read = Iterator[Record | Problem]
Lines = Iterator[tuple[int, str]]
"""The lines of a text with their numbers."""

Notes = Counter[str]
"""The number of places in which an input was read in a way that its writer should know of."""


class UnreadableError(ValueError):
    """The input is no text, or its encoding is unknown. The message says what to do."""


@contextlib.contextmanager
def spooled(source: str) -> Iterator[IO[bytes]]:
    """A copy of a file, or of standard input if that is ``-``.

    Raises:
        OSError: it cannot be read.
        ValueError: the name is not valid, or standard input is closed.
    """
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
        if source == "-":
            if sys.stdin is None:  # closed before this process started
                raise ValueError("standard input is closed")
            shutil.copyfileobj(sys.stdin.buffer, spool)
        else:
            with Path(source).expanduser().open("rb") as file:
                shutil.copyfileobj(file, spool)
        yield spool


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A copied input, and how it is read.

    Attributes:
        encoding: the name of a codec.
        form: the form of its content.
        is_guess: whether the form was recognised, not named.
    """

    spool: IO[bytes]
    encoding: str
    form: Form
    is_guess: bool = False

    def records(self, notes: Notes) -> Read:
        """The records, from the beginning. Blank lines are skipped.

        Args:
            notes: is filled while the records are read.
        """
        from . import _json_input, _lines, _tables

        match self.form:
            case "csv":
                return _tables.rows(self.lines(), notes)
            case "json":
                return _json_input.document(self._text(_json_input.LARGEST + 1))
            case "jsonl":
                return _json_input.each(self.lines())
            case _:
                survey = _lines.survey(self.lines())
                return _lines.prompts(
                    self.lines(), survey, self.form, notes, is_guess=self.is_guess
                )

    def lines(self) -> Lines:
        """Each line with its number. Only `LONGEST` characters of a longer line are returned."""
        number = 0
        with self._reading() as text:
            while line := text.readline(LONGEST):
                number += 1
                yield number, line.lstrip(MARK)
                while len(line) == LONGEST and not line.endswith("\n"):
                    line = text.readline(LONGEST)

    def _text(self, most: int) -> str:
        with self._reading() as text:
            return text.read(most)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[io.TextIOWrapper]:
        self.spool.seek(0)
        text = io.TextIOWrapper(self.spool, self.encoding, errors="surrogateescape")
        try:
            yield text
        except UnicodeError as exc:
            raise UnreadableError(f"it is not {self.encoding}, or it is cut: {exc}") from None
        finally:
            if not self.spool.closed:  # it is closed if the reader was stopped
                text.detach()


def opened(
    source: str, spool: IO[bytes], *, form: Form | None = None, encoding: str | None = None
) -> PromptFile:
    """The copied input of a source, with the form and the encoding that a person named, or else
    with those that are recognised.

    Raises:
        UnreadableError: it is no text, or the encoding is not known.
    """
    spool.seek(0)
    head = spool.read(HEAD)
    kind = _encodings.binary_kind(head)
    if kind:
        raise UnreadableError(f"it is {kind}, not text. Save it as CSV (UTF-8) and use that file")
    chosen = _codec(encoding) if encoding else _encodings.encoding_of(head)
    if chosen is None:
        raise UnreadableError("it is not text. Name its encoding with --encoding, if it is")
    beginning = codecs.getincrementaldecoder(chosen)("replace").decode(head)
    return PromptFile(spool, chosen, form or _form(source, beginning), is_guess=form is None)


def _codec(name: str) -> str:
    try:
        codec = codecs.lookup(name)
        with contextlib.suppress(UnicodeError):
            bytes(4).decode(name)  # a LookupError for a codec that makes no text
    except LookupError:
        raise UnreadableError(f"the encoding {name!r} of --encoding is not known") from None
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def _form(source: str, beginning: str) -> Form:
    """The form of an input: by its beginning where that is plain, else by its suffix."""
    from . import _json_input, _tables

    known = SUFFIXES.get(Path(source).suffix.lower())
    text = beginning.lstrip(MARK).lstrip()
    if text and (known == "jsonl" or _json_input.is_begun_by(text)):
        return "jsonl" if _json_input.is_line_by_line(text) else "json"
    if known == "csv" or _tables.has_header(text):
        return "csv"
    return "lines"


def trouble(line: str) -> str | None:
    """The problem of a line that cannot be read, if it is one."""
    return f"longer than {LONGEST} characters" if len(line) == LONGEST else not_utf8(line)


def not_utf8(text: str) -> str | None:
    """The problem of a text that is in another encoding, if it is."""
    bad = ESCAPED.search(text)
    if bad is None:
        return None
    start = text.rfind("\n", 0, bad.start()) + 1
    byte, place = ord(bad[0]) - 0xDC00, bad.start() - start + 1
    return (
        f"not UTF-8: byte 0x{byte:02x} at character {place}. Save the file as UTF-8, or name its "
        "encoding, such as --encoding cp1252 for a file of Excel on Windows"
    )
