"""The requests of a file of prompts, and the problems of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from ..errors import InvalidRequestError
from ..models import VideoRequest
from ._generate import REQUESTS
from ._prompt_file import Form, Problem, Record, records

MOST_SHOWN = 1000
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
        problems: the first `MOST_SHOWN` of them.
    """

    good: int = 0
    bad: int = 0
    problems: list[Problem] = field(default_factory=list)


class Prompts:
    """The requests of a file, which can be read several times.

    Args:
        spool: the file.
        form: its form.
        defaults: values for fields that a record leaves out.
    """

    def __init__(self, spool: IO[bytes], form: Form, defaults: Mapping[str, Any]) -> None:
        self._spool = spool
        self._form: Form = form
        self._defaults = defaults

    def check(self) -> InputCheck:
        """Read the file to its end, and collect its problems."""
        checked = InputCheck()
        for entry in self:
            if isinstance(entry, Prompt):
                checked.good += 1
                continue
            checked.bad += 1
            if len(checked.problems) < MOST_SHOWN:
                checked.problems.append(entry)
        return checked

    def requests(self) -> Iterator[VideoRequest | tuple[str, VideoRequest]]:
        """The valid requests, with their keys where the file has keys."""
        for entry in self:
            if isinstance(entry, Prompt):
                yield entry.request if entry.key is None else (entry.key, entry.request)

    def __iter__(self) -> Iterator[Prompt | Problem]:
        seen: dict[str, int] = {}
        for record in records(self._spool, self._form):
            entry = self._read(record) if isinstance(record, Record) else record
            if isinstance(entry, Prompt) and entry.key is not None:
                first = seen.setdefault(entry.key, entry.line)
                if first != entry.line:
                    entry = Problem(entry.line, f"key: {entry.key!r} is that of line {first}, too")
            yield entry

    def _read(self, record: Record) -> Prompt | Problem:
        try:
            fields = {name: value for name, value in record.fields.items() if value is not None}
            key = _key(fields.pop("key", None))
            return Prompt(record.line, key, self._request(fields))
        except InvalidRequestError as exc:
            return Problem(record.line, _shortened(exc.message))

    def _request(self, fields: dict[str, Any]) -> VideoRequest:
        action = fields.pop("action", None) or _implied(fields)
        kind = REQUESTS.get(action) if isinstance(action, str) else None
        if kind is None:
            raise InvalidRequestError(f"action: must be one of {', '.join(REQUESTS)}")
        defaults = {
            name: self._defaults[name] for name in self._defaults.keys() & kind.model_fields
        }
        return kind(**{**defaults, **fields})


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


def _shortened(message: str) -> str:
    """A message of the library without its class and its full stop."""
    for kind in REQUESTS.values():
        message = message.removeprefix(f"{kind.__name__}: ")
    return message.removesuffix(".")
