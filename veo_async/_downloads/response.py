"""What the answer to a fetch of a file means, and whether it is the file.

The law: a file counts only if its answers were a plain 200 and parts that fit behind it (see
`partial`), its length is the one that was said, it stays under the cap, and it starts as an MP4
does. A failed connection, a 5xx and a torn body may pass, so they are worth another try; all else
is final, except that another URL may be good. A GET costs nothing to repeat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._base.urls import AddressError, shown
from ..models import TaskRecord
from .resume import FTYP, PartialFile, content_range, mismatch, strong_validator

REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4: those with a Location
EXPIRED = frozenset({400, 401, 403, 404, 410})
"""What CDNs answer when a signed URL or the file has expired (Google's storage says 400)."""

TRANSIENT = frozenset({408, 425, 429})  # RFC 9110 and 6585: "repeat it later"

TRY_LATER = "Try again later."
CHECK_DISK = "See to the disk and the path, then download it again."
RETRIEVE = "A fresh URL comes from veo.tasks.retrieve({task_id})."


class NotRetryable(Exception):
    """This fetch cannot succeed by being repeated. It never crosses the face.

    Attributes:
        next_step: what the caller does next; ``{task_id}`` stands for the task's id.
    """

    def __init__(self, reason: str, next_step: str = RETRIEVE) -> None:
        super().__init__(reason)
        self.next_step = next_step


class UrlExpired(NotRetryable):
    """This URL gives no file any more; a fresh one may."""


class Retryable(Exception):
    """This fetch failed in a way that may pass. It never crosses the face."""


class Restart(Retryable):
    """The same, and nothing may be put behind the bytes that are partial."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The file is said to be elsewhere."""

    location: str


@dataclass(frozen=True, slots=True)
class Body:
    """The file follows, or its rest.

    Attributes:
        start: which byte of the file comes first.
        end: which byte comes behind the last one; ``None`` if nothing was said.
        length: of the whole file, if it was said.
        validator: see `PartialFile`.
    """

    start: int = 0
    end: int | None = None
    length: int | None = None
    validator: str | None = None


def judge_response(
    status: int, headers: Mapping[str, str], *, max_bytes: int, partial: PartialFile | None = None
) -> Redirect | Body:
    """What the status and the headers (by names in lower case) of an answer mean.

    ``partial`` is what `request_headers` asked the rest of.

    Raises:
        FileRefused: the file is not there, or not to be had like this.
        Stale: not from this URL any more.
        TryAgain: the failure may pass.
    """
    if status in REDIRECTS and (location := headers.get("location")):
        return Redirect(location)
    if status in EXPIRED:
        raise UrlExpired(f"HTTP {status}: this URL gives no file (any more).")
    if status >= 500 or status in TRANSIENT:
        raise Retryable(f"HTTP {status}.")
    rest_of = partial if partial and partial.can_resume else None
    if rest_of and status == 416:  # RFC 9110, section 15.5.17: there is nothing behind that byte
        raise Restart("HTTP 416: there is no rest of the file.")
    if rest_of and status == 206:
        return _rest(headers, max_bytes, rest_of)
    if status == 200:  # also in place of a part: the file has changed, or only comes as a whole
        return _whole(headers, max_bytes)
    raise NotRetryable(f"HTTP {status} is no answer with a file.")


def _check_coding(headers: Mapping[str, str]) -> None:
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", ""):
        raise NotRetryable("The answer is compressed although it was asked not to be.")


def _whole(headers: Mapping[str, str], max_bytes: int) -> Body:
    _check_coding(headers)
    said, validator = headers.get("content-length"), strong_validator(headers)
    if said is None:
        return Body(validator=validator)
    if not re.fullmatch("[0-9]{1,18}", said):
        raise Retryable("Content-Length is no number.")
    length = int(said)
    _check_cap(length, max_bytes)
    return Body(0, length, length, validator)


def _rest(headers: Mapping[str, str], max_bytes: int, partial: PartialFile) -> Body:
    _check_coding(headers)
    part = content_range(headers)
    problem = mismatch(partial, part, headers) if part else "its Content-Range makes no sense"
    if part is None or problem:
        raise Restart(f"HTTP 206, but {problem}.")
    length = part.length or partial.length
    _check_cap(length or 0, max_bytes)
    return Body(part.start, part.end, length, partial.validator)


def _check_cap(length: int, max_bytes: int) -> None:
    if length > max_bytes:
        raise NotRetryable(
            f"The file is larger than the limit of {max_bytes} bytes.",
            "If it is what you expect, fetch it from its URL by other means.",
        )


class BodyCheck:
    """Checks a body while it passes; it keeps the count and the first bytes, nothing else."""

    def __init__(self, body: Body, *, max_bytes: int) -> None:
        self._end = body.end
        self._length = body.length
        self._max_bytes = max_bytes
        self._count = body.start
        self._head: bytes | None = None if body.start else b""

    def take(self, chunk: bytes) -> None:
        """Take note of the next bytes, before they are written.

        Raises:
            FileRefused: they break the cap, or show that this is no MP4.
            StartAnew: there are more of them than was said.
        """
        self._count += len(chunk)
        _check_cap(self._count, self._max_bytes)
        if self._end is not None and self._count > self._end:
            raise Restart(f"More than the {self._end} bytes that were said.")
        if self._head is not None and len(self._head) < FTYP.stop:
            self._head = (self._head + chunk[: FTYP.stop])[: FTYP.stop]
            if len(self._head) == FTYP.stop:
                self._check_signature()

    def end(self) -> None:
        """The body is over.

        Raises:
            FileRefused: it was no MP4.
            TryAgain: it was shorter than was said.
        """
        if self._length is not None and self._count != self._length:
            raise Retryable(f"The body broke off after {self._count} of {self._length} bytes.")
        self._check_signature()

    def _check_signature(self) -> None:
        if self._head is not None and self._head[FTYP] != b"ftyp":
            raise NotRetryable("The answer is not an MP4 file.")


def fresh_url(records: Iterable[TaskRecord], video_id: str | None) -> str | None:
    """Where a video's file lies by now, by what the service says of its task."""
    for generation in (record.generation for record in records):
        videos = [video for video in generation.data if video.video_url] if generation else []
        if same := [video for video in videos if video_id in (None, video.id)]:
            return same[0].video_url
    return None


def failure_message(
    problem: NotRetryable | Retryable | AddressError, *, url: str, path: object, task_id: str | None
) -> str:
    """What happened to the file and what to do next, without the keys that a URL may hold."""
    task = "task_id" if task_id is None else repr(task_id)
    reason, step = str(problem), TRY_LATER
    if isinstance(problem, NotRetryable):
        step = problem.next_step.format(task_id=task)
    elif isinstance(problem, AddressError):
        reason, step = f"The address {problem}.", RETRIEVE.format(task_id=task)
    return f"{shown(url)} was not saved as {path}. {reason} {step}"
