"""A file of prompts as records: the fields of each prompt, and the line on which it begins.

The whole input is copied first. So it can be checked to its end and read a second time, also if it
comes from a pipe or changes meanwhile. The memory in use does not grow with the input.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

Form = Literal["jsonl", "csv", "lines"]
FORMS: Mapping[str, Form] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "lines",
}
"""The form of a file, by its suffix."""

IN_MEMORY = 8 << 20
"""Bytes of the input that are kept in memory; a larger input is kept in a temporary file."""

LONGEST = 1 << 20
"""Characters of one line: more than any prompt has, and few enough to be read at once."""

NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""The code points that `surrogateescape` uses for bytes that are not UTF-8."""

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""The first bytes of a file that a spreadsheet saved as "Unicode"."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of one line."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one line, or of one row of a table."""

    line: int
    fields: dict[str, Any]


Read = Iterator[Record | Problem]


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
            with Path(source).open("rb") as file:
                shutil.copyfileobj(file, spool)
        yield spool


def form_of(source: str, spool: IO[bytes]) -> Form:
    """The form of an input without ``--format``: by its suffix, else by its first bytes."""
    known = FORMS.get(Path(source).suffix.lower())
    if known:
        return known
    spool.seek(0)
    head = spool.read(1024).removeprefix(codecs.BOM_UTF8).lstrip()
    return "jsonl" if head.startswith(b"{") else "lines"


def records(spool: IO[bytes], form: Form) -> Read:
    """The records of an input, from its beginning. Blank lines are skipped."""
    spool.seek(0)
    encoding = "utf-16" if spool.read(2) in UTF16 else "utf-8-sig"
    spool.seek(0)
    text = io.TextIOWrapper(spool, encoding, errors="surrogateescape")
    try:
        lines = _lines(text)
        yield from _rows(lines) if form == "csv" else _each(lines, form)
    finally:
        if not spool.closed:  # it is closed if the reader was stopped
            text.detach()


def _lines(text: io.TextIOWrapper) -> Iterator[tuple[int, str]]:
    """Each line with its number. Only `LONGEST` characters of a longer line are returned."""
    number = 0
    while line := text.readline(LONGEST):
        number += 1
        yield number, line
        while len(line) == LONGEST and not line.endswith("\n"):
            line = text.readline(LONGEST)


def _trouble(line: str) -> str | None:
    if len(line) == LONGEST:
        return f"longer than {LONGEST} characters"
    bad = NOT_UTF8.search(line)
    if bad:
        byte = ord(bad[0]) - 0xDC00
        return f"not UTF-8: byte 0x{byte:02x} at character {bad.start() + 1}"
    return None


def _each(lines: Iterable[tuple[int, str]], form: Form) -> Read:
    for number, line in lines:
        text = line.strip()
        if not text:
            continue
        problem = _trouble(line)
        if problem:
            yield Problem(number, problem)
        elif form == "lines":
            yield Record(number, {"prompt": text})
        else:
            yield _object(number, text)


def _object(number: int, text: str) -> Record | Problem:
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as exc:
        return Problem(number, f"not JSON: {exc.msg} at character {exc.colno}")
    except (ValueError, RecursionError) as exc:
        return Problem(number, f"not JSON: {exc}")
    if not isinstance(value, dict):
        return Problem(number, "not a JSON object")
    return Record(number, value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object names one field twice")
    return fields


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


# Tables.


def _rows(lines: Iterable[tuple[int, str]]) -> Read:
    """The rows below a header. A cell may contain line breaks."""
    numbered = iter(lines)
    first = next(((number, line) for number, line in numbered if line.strip()), None)
    if first is None:
        return
    number, header = first
    delimiter = max(",;\t", key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
    problem = _trouble(header) or _wrong_header(names)
    if problem:
        yield Problem(number, problem)
        return
    reader = csv.reader((line for _, line in numbered), delimiter=delimiter, strict=True)
    yield from _below(names, reader, number)


def _wrong_header(names: list[str]) -> str | None:
    if not {"prompt", "video_id"} & set(names):
        return f"the header names no column prompt (it has: {', '.join(names)})"
    twice = sorted({name for name in names if names.count(name) > 1})
    return f"the header names {', '.join(twice)} twice" if twice else None


def _below(names: list[str], reader: Any, header: int) -> Read:
    while True:
        number = header + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield Problem(number, f"not CSV: {exc}")
            continue
        if any(cells):
            yield _row(number, names, cells)


def _row(number: int, names: list[str], cells: list[str]) -> Record | Problem:
    if len(cells) != len(names):
        return Problem(number, f"{len(cells)} cells, where the header has {len(names)}")
    problem = _trouble("\n".join(cells))
    if problem:
        return Problem(number, problem)
    try:
        given = zip(names, cells, strict=True)
        return Record(number, {name: _cell(name, cell) for name, cell in given if cell.strip()})
    except ValueError as exc:
        return Problem(number, str(exc))


WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _cell(name: str, cell: str) -> Any:
    """The value of a cell: some fields are not texts."""
    if name == "image_urls":
        return cell.split()
    if name == "translation":
        if cell.strip().lower() not in WORDS:
            raise ValueError(f"translation: must be true or false, not {cell!r}")
        return WORDS[cell.strip().lower()]
    if name == "extra_body":
        return json.loads(cell, parse_constant=_no_constant)
    return cell.strip()
