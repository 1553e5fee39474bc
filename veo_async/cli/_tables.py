"""Prompts in a table with a header, as spreadsheets, shells and data tools write it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from ..models import AspectRatio
from ._fields import FIELDS, field_of, nearest, shortened, unknown_field
from ._json_input import no_constant
from ._prompt_file import Lines, Notes, Problem, Read, Record, trouble

DELIMITERS = ",;\t|"

SEPARATOR = re.compile(r"sep=(.)\s*\Z", re.IGNORECASE)
"""The first line with which Excel names the delimiter."""

INDEX = re.compile(r"(unnamed: ?\d+)?\Z", re.IGNORECASE)
"""The name of a column that holds the numbers of rows, as pandas writes it."""

EMPTY = frozenset({"nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>", "nat", "undefined"})
"""The words with which programs write an empty cell."""

BROKEN = re.compile(r"#(REF|NAME|VALUE|DIV/0|NUM|NULL|SPILL)[!?]", re.IGNORECASE)
"""The words with which a spreadsheet writes a failed formula."""

WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
WORDS |= {"1.0": True, "0.0": False}


def has_header(text: str) -> bool:
    """Whether a text begins with a header of a table of prompts."""
    for line in text.splitlines()[:3]:
        if line.strip() and not _is_preface(line):
            names = [field_of(name) for name in _cells(line, _delimiter(line))]
            return bool({"prompt", "video_id"} & set(names)) and all(
                name in FIELDS or not name for name in names
            )
    return False


def rows(lines: Lines, notes: Notes) -> Read:
    """The rows below a header. A cell may contain line breaks."""
    delimiter, number, header = None, 0, ""
    for number, header in lines:  # noqa: B007 - used below
        if found := SEPARATOR.match(header.strip("\r\n")):
            delimiter = found[1]
        elif header.strip() and not _is_preface(header):
            break
    else:
        return
    delimiter = delimiter or _delimiter(header)
    names = _cells(header, delimiter)
    names[0] = "" if INDEX.match(names[0]) else names[0]
    columns = [field_of(name) for name in names]
    problem = trouble(header) or _wrong_header(names, columns)
    if problem:
        yield Problem(number, problem, is_fatal=True)
        return
    if not columns[0]:
        notes["the first column has no name and was left out"] += 1
    reader = csv.reader((line for _, line in lines), delimiter=delimiter, strict=True)
    yield from _below(columns, reader, number, notes)


def _is_preface(line: str) -> bool:
    """Whether a line before the header is none: a comment, or the type that PowerShell writes."""
    return line.startswith("#") or SEPARATOR.match(line.strip("\r\n")) is not None


def _delimiter(header: str) -> str:
    """The delimiter by which a header has the most known names, and then the most cells."""

    def fit(delimiter: str) -> tuple[int, int]:
        names = _cells(header, delimiter)
        return sum(field_of(name) in FIELDS for name in names), len(names)

    return max(DELIMITERS, key=fit)


def _cells(header: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        cells = header.split(delimiter)
    return [cell.strip().strip("“”'") for cell in cells]


def _wrong_header(names: Sequence[str], columns: Sequence[str]) -> str | None:
    """The problem of a header. Names may be missing at its end, and at its first column."""
    named = [(name, column) for name, column in zip(names, columns, strict=True) if name]
    unknown = [name for name, column in named if column not in FIELDS]
    known = [column for _, column in named if column in FIELDS]
    if not {"prompt", "video_id"} & {*known, *map(nearest, unknown)}:
        has = shortened(", ".join(names))
        return (
            f"the header names no column prompt (it has: {has}). The first line of a table names "
            "its columns, such as prompt,aspect_ratio"
        )
    if unknown:
        return "; ".join(map(unknown_field, unknown))
    twice = sorted({column for column in known if known.count(column) > 1})
    return f"the header names {', '.join(twice)} twice" if twice else None


def _below(columns: Sequence[str], reader: Any, header: int, notes: Notes) -> Read:
    while True:
        number = header + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            problem = f"not CSV: {exc}. A text with quotes needs them twice, and quotes around it"
            yield Problem(number, problem, is_fatal=True)
            return
        if not _is_no_row(columns, cells):
            yield _row(number, columns, cells, notes)


def _is_no_row(columns: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether a row is empty, the header again, or the rule of a Markdown table."""
    text = "".join(cells).strip()
    is_rule = len(columns) > 1 and re.fullmatch(r"[-: ]{3,}", text)
    is_header = [field_of(cell.strip()) for cell in cells] == list(columns)
    return not text or is_header or bool(is_rule)


def _torn(cells: Sequence[str]) -> str | None:
    """The problem of a cell that begins with a typographic quote and ends in another cell."""
    for cell in cells:
        if cell.lstrip().startswith("“") and "”" not in cell:
            return f'{shortened(cell)!r}: typographic quotes do not quote a cell; use "'
    return None


def _row(number: int, columns: Sequence[str], cells: list[str], notes: Notes) -> Record | Problem:
    """A row. Empty cells at its end may be missing."""
    problem = trouble("\n".join(cells)) or _torn(cells) or _surplus(columns, cells)
    if problem:
        return Problem(number, problem)
    try:
        given = dict(_values(columns, cells, notes))
    except ValueError as exc:
        return Problem(number, str(exc))
    return Record(number, given)


def _surplus(columns: Sequence[str], cells: Sequence[str]) -> str | None:
    """The problem of cells without a column, which mostly are the rest of a text with a comma."""
    width = max(position for position, name in enumerate(columns, start=1) if name)
    if not any(cell.strip() for cell in cells[width:]):
        return None
    return (
        f"{len(cells)} cells, where the header has {width}. A text that contains the delimiter "
        'needs quotes around it: "a mug, red"'
    )


def _values(
    columns: Sequence[str], cells: Sequence[str], notes: Notes
) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(columns, cells, strict=False):
        text = cell.strip()
        if not name or not text:
            continue
        if text.lower() in EMPTY or BROKEN.match(text):
            raise ValueError(f"{name}: {text!r} stands for an empty or a failed cell of a table")
        yield name, _value(name, text, notes)


def _value(name: str, text: str, notes: Notes) -> Any:
    """The value of a cell: some fields are not texts."""
    match name:
        case "image_urls":
            return _list(text) if text.startswith("[") else text
        case "translation":
            if text.lower() not in WORDS:
                raise ValueError(f"translation: must be true or false, not {text!r}")
            return WORDS[text.lower()]
        case "extra_body":
            return json.loads(text, parse_constant=no_constant)
        case "aspect_ratio":
            ratio = ratio_of(text)
            if ratio != text:
                notes[f"aspect_ratio {text} was read as {ratio}"] += 1
            return ratio
    return text


def _list(text: str) -> Any:
    try:
        return json.loads(text.replace("'", '"'))
    except ValueError:
        return text


CLOCK = re.compile(r"0?(\d{1,2}):0?(\d{1,2})(?::00)?(?:\.0+)?\s*([AaPp])?\.?[Mm]?\.?\Z")
MINUTES = 24 * 60


def ratio_of(text: str) -> str:
    """The shape that a cell means. A spreadsheet takes ``16:9`` for a time of the day, and shows it
    as ``16:09``, ``4:09 PM`` or as a part of a day."""
    ratios = get_args(AspectRatio)
    tidy = re.sub(r"\s*[x\u00d7X/\u2236\uff1a]\s*", ":", text)
    hours, minutes = -1, -1
    if found := CLOCK.match(tidy):
        hours, minutes = int(found[1]), int(found[2])
        hours += 12 if (found[3] or "").lower() == "p" and hours < 12 else 0
    elif re.fullmatch(r"0?[.,]\d{3,}", text):
        hours, minutes = divmod(round(float(text.replace(",", ".")) * MINUTES), 60)
    ratio = f"{hours}:{minutes}"
    return ratio if ratio in ratios else text
