"""The requests of a file of prompts, and the problems of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.fingerprints import Numbered
from ..errors import InvalidRequestError
from ..models import VideoRequest
from ._fields import FIELDS, addresses, field_of, shortened, unfit, unknown_field
from ._generate import REQUESTS
from ._prompt_file import Notes, Problem, PromptFile, Record

MOST_SHOWN = 50
"""Problems of one file that are shown; further ones are only counted."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request, with the line on which it begins."""

    line: int
    key: str | None
    request: VideoRequest


@dataclass(slots=True)
class InputCheck:
    """The result of checking a file.

    Attributes:
        good: the number of valid requests.
        bad: the number of problems.
        is_fatal: whether one of them makes the whole file doubtful.
        problems: the first `MOST_SHOWN` of them.
        first: the first request.
        notes: what the writer of the file should know of the way in which it was read.
    """

    good: int = 0
    bad: int = 0
    is_fatal: bool = False
    problems: list[Problem] = field(default_factory=list)
    first: VideoRequest | None = None
    notes: Notes = field(default_factory=Counter)


class Prompts:
    """The requests of a file, which can be read several times.

    Attributes:
        file: the file.

    Args:
        defaults: values for fields that a record leaves out.
    """

    def __init__(self, file: PromptFile, defaults: Mapping[str, Any]) -> None:
        self.file = file
        self._defaults = defaults

    def check(self) -> InputCheck:
        """Read the file to its end, and collect its problems.

        Raises:
            UnreadableError: its encoding is another one.
        """
        checked = InputCheck()
        for entry in self._entries(checked.notes):
            if isinstance(entry, Prompt):
                checked.good += 1
                checked.first = checked.first or entry.request
                continue
            checked.bad += 1
            checked.is_fatal = checked.is_fatal or entry.is_fatal
            if len(checked.problems) < MOST_SHOWN:
                checked.problems.append(entry)
        return checked

    def requests(
        self, lines: dict[int, int] | None = None
    ) -> Iterator[VideoRequest | tuple[str, VideoRequest]]:
        """The valid requests, with their keys where the file has keys.

        Args:
            lines: receives the line of each request, by the identity of the request.
        """
        for entry in self:
            if isinstance(entry, Prompt):
                if lines is not None:
                    lines[id(entry.request)] = entry.line
                yield entry.request if entry.key is None else (entry.key, entry.request)

    def __iter__(self) -> Iterator[Prompt | Problem]:
        return self._entries(Counter())

    def _entries(self, notes: Notes) -> Iterator[Prompt | Problem]:
        seen = Numbered()
        for record in self.file.records(notes):
            entry = self._read(record) if isinstance(record, Record) else record
            if isinstance(entry, Prompt) and entry.key is not None:
                first = seen.setdefault(entry.key, entry.line)
                if first != entry.line:
                    entry = Problem(entry.line, f"key: {entry.key!r} is that of line {first}, too")
            yield entry

    def _read(self, record: Record) -> Prompt | Problem:
        named = [(name, value) for name, value in _fields(record) if value is not None]
        fields = dict(named)
        try:
            _refuse_doubles([name for name, _ in named])
            key = _key(fields.pop("key", None))
            return Prompt(record.line, key, self._request(fields))
        except InvalidRequestError as exc:
            return Problem(record.line, _in_words_of_files(exc, fields))

    def _request(self, fields: dict[str, Any]) -> VideoRequest:
        for name in fields:
            if name not in FIELDS:
                raise InvalidRequestError(unknown_field(name), field=name)
        for name, value in fields.items():
            if problem := unfit(value):
                raise InvalidRequestError(f"{name}: {problem}")
        action = fields.get("action") or _implied(fields)
        kind = REQUESTS.get(action) if isinstance(action, str) else None
        if kind is None:
            raise InvalidRequestError(f"action: must be one of {', '.join(REQUESTS)}")
        defaults = {
            name: self._defaults[name] for name in self._defaults.keys() & kind.model_fields
        }
        return kind(**{**defaults, **fields, "action": action})


def _refuse_doubles(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequestError(f"{name}: is named twice")


def _fields(record: Record) -> Iterator[tuple[str, Any]]:
    """The fields of a record by the names of the wire, with addresses as a list."""
    for name, value in record.fields.items():
        known = field_of(name) if field_of(name) in FIELDS else name
        yield known, _addresses(value) if known == "image_urls" else value


def _addresses(value: Any) -> Any:
    if isinstance(value, str):
        return addresses(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [address for one in value for address in addresses(one)]
    return value


def _implied(fields: Mapping[str, Any]) -> str:
    """The action of a record without one, by its fields."""
    if "video_id" in fields:
        return "get_1080p"
    return "image2video" if "image_urls" in fields else "text2video"


def _key(key: object) -> str | None:
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    if key is None or (isinstance(key, str) and key.strip() and _is_text(key)):
        return key
    raise InvalidRequestError("key: must be a text that says something")


def _is_text(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _in_words_of_files(error: InvalidRequestError, fields: Mapping[str, Any]) -> str:
    """The message of an error of the library, with the value, for somebody who wrote a file."""
    message = error.message
    for kind in REQUESTS.values():
        message = message.removeprefix(f"{kind.__name__}: ")
    message = message.removesuffix(".").replace("Input should be a valid string", "must be a text")
    message = message.replace("Field required", "is missing").replace("Input should be", "must be")
    name = error.field or ""
    if name in fields and name in FIELDS:
        message += f" (it is {shortened(repr(fields[name]))})"
    return message
