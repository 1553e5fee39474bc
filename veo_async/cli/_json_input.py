"""Prompts in JSON: an object a line, or a document with objects."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

from ._prompt_file import MARK, Lines, Problem, Read, Record, not_utf8, trouble

LARGEST = 256 << 20
"""Characters of one document, which is read at once. An object a line has no such limit."""

LIST = "prompts"
"""The field of an object that holds the list of prompts, where it is not the document itself."""

BEGINNING = re.compile(r'\{\s*["}]|\[\s*[\[{"\]]')


def is_begun_by(text: str) -> bool:
    """Whether a text begins like JSON. A prompt may begin with a bracket, too."""
    return BEGINNING.match(text) is not None


def is_line_by_line(text: str) -> bool:
    """Whether a text has an object a line: one of its first lines is whole, or the first is broken
    and no document that goes on in the next line."""
    lines = [line.strip() for line in text.splitlines()[:3]]
    return not lines[0].startswith("[") and (
        any(_is_object(line) for line in lines) or not _is_cut(lines)
    )


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_cut(lines: list[str]) -> bool:
    try:
        json.loads(lines[0])
    except json.JSONDecodeError as exc:
        return exc.pos >= len(lines[0]) and len(lines) > 1
    except (ValueError, RecursionError):
        pass
    return False


def each(lines: Lines) -> Read:
    """The records of a text with one JSON value a line."""
    for number, line in lines:
        text = line.strip()
        if not text:
            continue
        problem = trouble(line)
        if problem:
            yield Problem(number, problem)
            continue
        try:
            value = _loads(text.rstrip(","))  # of objects that were copied out of a list
        except ValueError as exc:
            yield Problem(number, f"not JSON: {exc}")
        else:
            yield from _records(number, value)


def document(text: str) -> Read:
    """The records of JSON values that may go on over several lines: in a list, or one by one.

    Args:
        text: the document; one that is longer than `LARGEST` is refused.
    """
    if len(text) > LARGEST:
        yield Problem(1, "too long for one document: write an object a line", is_fatal=True)
        return
    if problem := not_utf8(text):
        yield Problem(1, problem, is_fatal=True)
        return
    try:
        line, before = 1, 0
        for position, value in _values(text):
            line, before = line + text.count("\n", before, position), position
            yield from _records(line, value)
    except _SyntaxError as exc:
        yield Problem(exc.line, f"not JSON: {exc}", is_fatal=True)


class _SyntaxError(ValueError):
    def __init__(self, text: str, position: int, problem: object) -> None:
        super().__init__(str(problem))
        self.line = text.count("\n", 0, position) + 1


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """The values of a document with their positions. Those of a list come one by one."""
    at, lists = _after_space(text, 0), 0
    while at < len(text):
        if text[at] == "[":
            lists += 1
            if lists > 1 and text[_after_space(text, at + 1) :][:1] == '"':
                raise _SyntaxError(text, at, "a second list of texts, such as the row of a table")
            at = yield from _of_list(text, at)
        else:
            start = at
            value, at = _decoded(text, at)
            yield start, value
        at = _after_space(text, at)
        if text[at : at + 1] == ",":  # between objects that were copied out of a list
            at = _after_space(text, at + 1)


def _of_list(text: str, at: int) -> Generator[tuple[int, Any], None, int]:
    at = _after_space(text, at + 1)
    while text[at : at + 1] != "]":
        start = at
        value, at = _decoded(text, at)
        yield start, value
        at = _after_space(text, at)
        if text[at : at + 1] == ",":
            at = _after_space(text, at + 1)  # a comma before the end is a slip, and means nothing
        elif text[at : at + 1] != "]":
            raise _SyntaxError(text, at, "the list is cut, or a comma is missing")
    return at + 1


def _decoded(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as exc:
        raise _SyntaxError(text, exc.pos, f"{exc.msg} at character {exc.colno}") from None
    except (ValueError, RecursionError) as exc:
        raise _SyntaxError(text, at, exc) from None


def _after_space(text: str, at: int) -> int:
    while text[at : at + 1].isspace() or text[at : at + 1] == MARK:
        at += 1
    return at


def _records(line: int, value: Any) -> Read:
    """The records of one value: of itself, or of the list that it holds."""
    if isinstance(value, dict) and value.keys() == {LIST} and isinstance(value[LIST], list):
        yield from (_record(line, inner) for inner in value[LIST])
        return
    yield _record(line, value)


def _record(line: int, value: Any) -> Record | Problem:
    if isinstance(value, str):
        return Record(line, {"prompt": value})
    if isinstance(value, dict):
        return Record(line, value)
    return Problem(line, "not a JSON object")


def _loads(text: str) -> Any:
    try:
        return _DECODER.decode(text.lstrip(MARK))
    except json.JSONDecodeError as exc:
        raise ValueError(f"{exc.msg} at character {exc.colno}") from None
    except RecursionError as exc:
        raise ValueError(str(exc)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("an object names one field twice")
    return fields


def no_constant(name: str) -> Any:
    """Refuse the names that Python reads in place of a number.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=no_constant)
