"""Resume: the present bytes of an incomplete file, and the conditions for continuing after them.

The law: bytes are appended to the present ones only if the host confirms, by a strong validator,
that they are of the very same file, and if they belong exactly there. Otherwise the fetch starts
again. The notes beside the file tell a later run what to trust: the file's identity, its validator,
and the number of bytes that are durable. Bytes beyond that may be lost in a power cut.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from .container import SIGNATURE, is_video

NAME_MAX = 255
"""Bytes in a file's name on the common file systems."""

NOTES_MAX = 4096
"""Bytes of notes that are read; ours are much shorter."""

STRONG = 60.0
"""Seconds by which ``Last-Modified`` must lie before ``Date`` to be a strong validator. RFC 9110,
section 8.8.2.2, asks for one second if one clock set both, which is unknown for a CDN."""

PROGRESS = 1024**2
"""Bytes between two failures that count as progress: a long file on a bad connection."""

_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,256}"')  # RFC 9110, section 8.8.3, in ASCII; no W/
_DATE = re.compile(r"[A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Identifies a file independently of its URL: the task and the stage that produced it.

    The video's id would not do: the 1080p version has that of its source.
    """

    task_id: str
    stage: str


@dataclass(frozen=True, slots=True)
class PartialFile:
    """The first bytes of a file.

    Attributes:
        count: the number of bytes.
        validator: the strong validator by which the host knows the same file; ``None`` for none.
        length: the length of the whole file, if known.
    """

    count: int = 0
    validator: str | None = None
    length: int | None = None

    @property
    def can_resume(self) -> bool:
        """Whether the rest alone may be requested: the present bytes must have the signature."""
        return self.validator is not None and self.count >= SIGNATURE

    def made_progress(self, since: PartialFile) -> bool:
        """Whether so many bytes have come ``since`` then that another failure starts the count of
        attempts again. The size of a file bounds how often that happens."""
        return self.can_resume and self.count >= since.count + PROGRESS

    def without_validator(self) -> PartialFile:
        """The same bytes, which must not be resumed."""
        return replace(self, validator=None)


@dataclass(frozen=True, slots=True)
class Leftover:
    """An incomplete file that was found on the disk: its size, its first bytes, and its notes."""

    size: int
    head: bytes
    notes: bytes


@dataclass(frozen=True, slots=True)
class ContentRange:
    """The bytes in an answer with a part of a file: from ``start`` up to but without ``end``.
    ``length`` is that of the whole file, if known."""

    start: int
    end: int
    length: int | None


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """The validator that an ``If-Range`` may compare (RFC 9110, section 13.1.5): a strong ETag;
    without any ETag, a ``Last-Modified`` that is old enough."""
    etag = headers.get("etag")
    if etag is not None:
        return etag if _ETAG.fullmatch(etag) else None
    modified, now = headers.get("last-modified", ""), headers.get("date", "")
    if not _DATE.fullmatch(modified):
        return None
    try:
        age = parsedate_to_datetime(now) - parsedate_to_datetime(modified)
    except (ValueError, TypeError):  # no date, or one without a zone
        return None
    return modified if age.total_seconds() >= STRONG else None


def request_headers(partial: PartialFile) -> dict[str, str]:
    """The headers that request the rest alone, if it is still the same file; else all of it."""
    if not partial.can_resume:
        return {}
    return {"range": f"bytes={partial.count}-", "if-range": partial.validator or ""}


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """The range that a 206 announces; ``None`` if it is missing or contradicts itself."""
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    if match is None:
        return None
    first, last, whole = match.groups()
    part = ContentRange(int(first), int(last) + 1, None if whole == "*" else int(whole))
    said = headers.get("content-length")
    fits = said is None or said == str(part.end - part.start)
    inside = part.length is None or part.end <= part.length
    return part if part.start < part.end and fits and inside else None


def mismatch(partial: PartialFile, part: ContentRange, headers: Mapping[str, str]) -> str | None:
    """The reason why a part does not continue the present bytes; ``None`` if it does."""
    if part.start != partial.count:
        return f"the part begins at byte {part.start} instead of {partial.count}"
    if (part.length or partial.length) is None:
        return "nothing says how long the file is"
    if None not in (part.length, partial.length) and part.length != partial.length:
        return f"the file has {part.length} bytes now instead of {partial.length}"
    said = (headers.get("etag"), headers.get("last-modified"))
    if any(said) and partial.validator not in said:
        return "the file has changed"
    return None


def notes_for(identity: FileIdentity | None, partial: PartialFile, count: int) -> bytes | None:
    """The notes on the first ``count`` bytes of a file, for a later run; ``None`` if no later run
    could resume them."""
    if identity is None or not replace(partial, count=count).can_resume:
        return None
    facts = {
        "task_id": identity.task_id,
        "stage": identity.stage,
        "validator": partial.validator,
        "length": partial.length,
        "count": count,
    }
    return json.dumps(facts).encode()


def resumable(found: Leftover, identity: FileIdentity | None) -> PartialFile:
    """The bytes on the disk that may be resumed. Notes that are damaged, or of another file, mean
    none."""
    try:
        facts = json.loads(found.notes)
        partial = PartialFile(facts["count"], facts["validator"], facts["length"])
        of = FileIdentity(facts["task_id"], facts["stage"])
        fits = of == identity and _is_sound(partial) and partial.count <= found.size
    except (ValueError, LookupError, TypeError, RecursionError):
        return PartialFile()
    return partial if fits and is_video(found.head) else PartialFile()


def _is_sound(partial: PartialFile) -> bool:
    validator, length = partial.validator, partial.length
    if not isinstance(validator, str) or not _is_count(partial.count):
        return False
    known = _ETAG.fullmatch(validator) or _DATE.fullmatch(validator)
    # A complete file has no rest that a host could answer with.
    unfinished = length is None or (_is_count(length) and partial.count < length)
    return bool(known) and partial.count >= SIGNATURE and unfinished


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def part_name(target: str, number: int, *, notes: bool = False) -> str:
    """The name of an incomplete file beside its target, or of its notes, in the length that file
    systems allow.

    A later run resumes number 0 only; the others are for processes that find it locked. Two targets
    may get the same shortened name: one process at a time locks its ``.part``, and the notes
    contain the file's identity.
    """
    tail = (f".{number}.part" if number else ".part") + (".notes" if notes else "")
    head = target.encode(errors="ignore")[: NAME_MAX - len(tail)]
    return head.decode(errors="ignore") + tail
