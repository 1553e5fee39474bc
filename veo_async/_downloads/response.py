"""The response to a fetch of a file, and the check that its body is the file.

The law: a file counts only if it came in a plain 200, continued by parts that fit (see `resume`),
if its length is the announced one and below the limit, and if it starts as a video does. Without an
announced length its boxes must end where the body does. A failed connection, a 5xx and a torn body
may pass, so the fetch is retried; all other failures are final, except that another URL may work,
and that the file of a task may be about to appear. A GET costs nothing to repeat.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._base.urls import AddressError, shown
from ..models import TaskRecord
from .container import SIGNATURE, Boxes, is_video
from .resume import PartialFile, content_range, mismatch, strong_validator

REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4: those with a Location
EXPIRED = frozenset({400, 401, 403, 404, 410})
"""Answers of CDNs when a signed URL or the file has expired (Google's storage says 400)."""

UNCHANGED = frozenset(
    {"", "identity", "none", "aws-chunked", "binary", "chunked", "8bit", "7bit", "utf-8", "utf8"}
)
"""Content codings that change no byte. Stores replay the ones with which a file was uploaded."""

TRANSIENT = frozenset({408, 425, 429})  # RFC 9110 and 6585: "repeat it later"

TRY_LATER = "Try again later."
CHECK_DISK = "See to the disk and the path, then download it again."
RETRIEVE = "A fresh URL comes from veo.tasks.retrieve({task_id})."


class NotRetryable(Exception):
    """A failure that a repetition does not cure. It never reaches the user as it is.

    Attributes:
        next_step: the user's next step; ``{task_id}`` stands for the task's id.
    """

    def __init__(self, reason: str, next_step: str = RETRIEVE) -> None:
        super().__init__(reason)
        self.next_step = next_step


class UrlExpired(NotRetryable):
    """This URL has expired; a fresh one may work."""


class Retryable(Exception):
    """A failure that may pass. It never reaches the user as it is."""


class Restart(Retryable):
    """A failure that may pass, after which the present bytes must not be resumed."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The answer redirects to another URL."""

    location: str


@dataclass(frozen=True, slots=True)
class Body:
    """The file follows, or its rest.

    Attributes:
        start: the number of the first byte in the file.
        end: the number after that of the last byte; ``None`` if unknown.
        length: the length of the whole file, if known.
        validator: see `PartialFile`.
    """

    start: int = 0
    end: int | None = None
    length: int | None = None
    validator: str | None = None


def judge_response(
    status: int, headers: Mapping[str, str], *, max_bytes: int, partial: PartialFile | None = None
) -> Redirect | Body:
    """Judge the status and the headers (by names in lower case) of an answer.

    ``partial`` is the file whose rest `request_headers` requested.

    Raises:
        NotRetryable: the answer is final, and is no file.
        UrlExpired: a fresh URL may work.
        Retryable: the failure may pass.
    """
    if status in REDIRECTS and (location := headers.get("location")):
        return Redirect(location)
    if status in EXPIRED:
        raise UrlExpired(f"HTTP {status}: this URL gives no file (any more).")
    if status >= 500 or status in TRANSIENT:
        raise Retryable(f"HTTP {status}.")
    rest_of = partial if partial and partial.can_resume else None
    if rest_of and status == 416:  # RFC 9110, section 15.5.17: no byte follows
        raise Restart("HTTP 416: there is no rest of the file.")
    if rest_of and status == 206:
        return _rest(headers, max_bytes, rest_of)
    if status == 200:  # also instead of a part: the file has changed, or cannot be resumed
        return _whole(headers, max_bytes)
    raise NotRetryable(f"HTTP {status} is no answer with a file.")


def _check_coding(headers: Mapping[str, str]) -> None:
    codings = headers.get("content-encoding", "").lower().split(",")
    changed = [coding.strip() for coding in codings if coding.strip() not in UNCHANGED]
    if changed:
        raise NotRetryable(
            f"The host compressed the file ({shown_word(changed[0])}) without being asked to.",
            f"{RETRIEVE} A browser may save it as well.",
        )


def shown_word(word: str) -> str:
    """A word from the network, as a message shows it."""
    return word if re.fullmatch("[a-z0-9._-]{1,30}", word) else "in an unknown way"


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
    """Checks a body as it arrives; keeps the count and the first bytes, nothing else."""

    def __init__(self, body: Body, *, max_bytes: int) -> None:
        self._end = body.end
        self._length = body.length
        self._max_bytes = max_bytes
        self._count = body.start
        self._head: bytes | None = None if body.start else b""
        self._boxes = Boxes()

    def take(self, chunk: bytes) -> None:
        """Check the next bytes, before they are written.

        Raises:
            NotRetryable: they exceed the limit, or are not those of an MP4.
            Restart: they exceed the announced length.
        """
        self._count += len(chunk)
        _check_cap(self._count, self._max_bytes)
        if self._end is not None and self._count > self._end:
            raise Restart(f"More than the {self._end} bytes that were said.")
        self._boxes.take(chunk)
        if self._head is not None and len(self._head) < SIGNATURE:
            self._head = (self._head + chunk[:SIGNATURE])[:SIGNATURE]
            if len(self._head) == SIGNATURE:
                self._check_signature()

    def end(self) -> None:
        """Check the end of the body.

        Raises:
            NotRetryable: it was no MP4.
            Retryable: it was shorter than announced, or than its boxes say.
        """
        if self._length is not None and self._count != self._length:
            raise Retryable(f"The body broke off after {self._count} of {self._length} bytes.")
        self._check_signature()
        if self._length is None and not self._boxes.is_whole:
            raise Retryable(f"The body broke off after {self._count} bytes, inside of the file.")

    def _check_signature(self) -> None:
        if self._head is not None and not is_video(self._head):
            raise NotRetryable("The answer is not an MP4 file.")


def fresh_url(records: Iterable[TaskRecord], video_id: str | None) -> str | None:
    """The present URL of a video's file, by the records of its task."""
    for generation in (record.generation for record in records):
        videos = [video for video in generation.data if video.video_url] if generation else []
        if same := [video for video in videos if video_id in (None, video.id)]:
            return same[0].video_url
    return None


def failure_message(
    problem: NotRetryable | Retryable | AddressError, *, url: str, path: object, task_id: str | None
) -> str:
    """The message of a failed fetch and the next step, without the keys that a URL may contain."""
    task = "task_id" if task_id is None else repr(task_id)
    reason, step = str(problem), TRY_LATER
    if isinstance(problem, NotRetryable):
        step = problem.next_step.format(task_id=task)
    elif isinstance(problem, AddressError):
        reason, step = f"The address {problem}.", RETRIEVE.format(task_id=task)
    return f"{shown(url)} was not saved as {path}. {reason} {step}"
