"""What is partial of a file that is not whole yet, and when a fetch may go on behind it.

The law: bytes are put behind those that are partial only if the host says, by a strong validator,
that they are of the very same file, and exactly where they belong. Everything else starts anew.
What a later run may trust is written down beside the file: which file it is, its validator, and
up to which byte it is known to be on the disk. Bytes beyond that may be lost in a power cut.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

FTYP = slice(4, 8)
"""Where an MP4 says ``ftyp``: ISO/IEC 14496-12, section 4.3, demands that box at the start."""

NAME_MAX = 255
"""Bytes in a file's name on the common file systems."""

NOTES_MAX = 4096
"""Bytes of notes that are read; those that we write are much shorter."""

STRONG = 60.0
"""Seconds by which ``Last-Modified`` must lie before ``Date`` to be a strong validator. RFC 9110,
section 8.8.2.2, asks for one second if one clock set both; nobody knows that of a CDN."""

PROGRESS = 1024**2
"""Bytes after which a fetch that fails once more has got on: a long file on a bad line."""

_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,256}"')  # RFC 9110, section 8.8.3, in ASCII; no W/
_DATE = re.compile(r"[A-Za-z]{3}, [0-9]{2} [A-Za-z]{3} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file it is, whatever its URL: a task's, and at which stage of its item.

    The id of the video would not do: the 1080p version bears that of its source.
    """

    task_id: str
    stage: str


@dataclass(frozen=True, slots=True)
class PartialFile:
    """The first bytes of a file.

    Attributes:
        count: how many there are.
        validator: what tells that the host still has the same file; ``None`` if nothing does.
        length: of the whole file, if that was said.
    """

    count: int = 0
    validator: str | None = None
    length: int | None = None

    @property
    def can_resume(self) -> bool:
        """Whether the rest alone may be asked for. The signature must be among what is partial."""
        return self.validator is not None and self.count >= FTYP.stop

    def made_progress(self, since: PartialFile) -> bool:
        """Whether so much has come ``since`` then that failing again is no sign of standing
        still. The size of a file bounds how often that is so."""
        return self.can_resume and self.count >= since.count + PROGRESS

    def without_validator(self) -> PartialFile:
        """The same, after something showed that nothing may be put behind it."""
        return replace(self, validator=None)


@dataclass(frozen=True, slots=True)
class Leftover:
    """What lies on the disk of a file: its size, its first bytes, and the notes beside it."""

    size: int
    head: bytes
    notes: bytes


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Which bytes an answer with a part of a file bears: ``start``, up to but without ``end``.
    ``length`` is that of the whole, if it was said."""

    start: int
    end: int
    length: int | None


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """What an ``If-Range`` may compare (RFC 9110, section 13.1.5): a strong ETag; without any
    ETag, a ``Last-Modified`` that is old enough to be one."""
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
    """The headers that ask for the rest alone, if it is still the same file; else for all."""
    if not partial.can_resume:
        return {}
    return {"range": f"bytes={partial.count}-", "if-range": partial.validator or ""}


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """Which bytes a 206 says that it bears; ``None`` if it says nothing that makes sense."""
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
    """Why a part does not go behind what is partial; ``None`` if it does."""
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
    """What is written beside the first ``count`` bytes of a file, for a later run; ``None`` if no
    later run could go on with them."""
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
    """What of the bytes on the disk may be gone on with. Any notes have a meaning: at worst, that
    there is nothing."""
    try:
        facts = json.loads(found.notes)
        partial = PartialFile(facts["count"], facts["validator"], facts["length"])
        of = FileIdentity(facts["task_id"], facts["stage"])
        fits = of == identity and _is_sound(partial) and partial.count <= found.size
    except (ValueError, LookupError, TypeError, RecursionError):
        return PartialFile()
    return partial if fits and found.head[FTYP] == b"ftyp" else PartialFile()


def _is_sound(partial: PartialFile) -> bool:
    validator, length = partial.validator, partial.length
    if not isinstance(validator, str) or not _is_count(partial.count):
        return False
    known = _ETAG.fullmatch(validator) or _DATE.fullmatch(validator)
    # Of a whole file there is no rest that a host could answer with.
    unfinished = length is None or (_is_count(length) and partial.count < length)
    return bool(known) and partial.count >= FTYP.stop and unfinished


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def part_name(target: str, number: int, *, notes: bool = False) -> str:
    """The name of an unfinished file beside its target, or of the notes on it, no longer than file
    systems allow.

    Number 0 is the only one that a later run goes on with; the others are for whoever finds it in
    use. A name that had to be cut gets no other file's: its ``.part`` is claimed by one at a time,
    and the notes say whose it is.
    """
    tail = (f".{number}.part" if number else ".part") + (".notes" if notes else "")
    head = target.encode(errors="ignore")[: NAME_MAX - len(tail)]
    return head.decode(errors="ignore") + tail
