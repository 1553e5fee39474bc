"""What the answer to a fetch of a file means, and whether it is the file.

The law: a file counts only if its answer was a plain 200, its length is the one that was said,
it stays under the cap, and it starts as an MP4 does. A failed connection, a 5xx and a torn body
may pass, so they are worth another try; all else is final. A GET costs nothing to repeat.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .addresses import AddressError, shown

REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4: those with a Location
STALE = frozenset({403, 404, 410})  # what CDNs answer when a signed URL or the file has expired
PASSING = frozenset({408, 425, 429})  # RFC 9110 and 6585: "repeat it later"

FTYP = slice(4, 8)
"""Where an MP4 says ``ftyp``: ISO/IEC 14496-12, section 4.3, demands that box at the start."""

NAME_MAX = 255
"""Bytes in a file's name on the common file systems."""

TRY_LATER = "Try again later."
CHECK_DISK = "See to the disk and the path, then download it again."
RETRIEVE = "A fresh URL comes from veo.tasks.retrieve({task_id})."


class FileRefused(Exception):
    """This fetch cannot succeed by being repeated. It never crosses the face.

    Attributes:
        next_step: what the caller does next; ``{task_id}`` stands for the task's id.
    """

    def __init__(self, reason: str, next_step: str = RETRIEVE) -> None:
        super().__init__(reason)
        self.next_step = next_step


class TryAgain(Exception):
    """This fetch failed in a way that may pass. It never crosses the face."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The file is said to be elsewhere."""

    location: str


@dataclass(frozen=True, slots=True)
class Body:
    """The file follows; ``length`` is what was said about it, in bytes."""

    length: int | None


def judge_answer(status: int, headers: Mapping[str, str], *, max_bytes: int) -> Redirect | Body:
    """What the status and the headers (by names in lower case) of an answer mean.

    Raises:
        FileRefused: the file is not there, or not to be had like this.
        TryAgain: the failure may pass.
    """
    if status in REDIRECTS and (location := headers.get("location")):
        return Redirect(location)
    if status in STALE:
        raise FileRefused(f"HTTP {status}: this URL gives no file (any more).")
    if status >= 500 or status in PASSING:
        raise TryAgain(f"HTTP {status}.")
    if status != 200:
        raise FileRefused(f"HTTP {status} is no answer with a file.")
    return _judge_body(headers, max_bytes)


def _judge_body(headers: Mapping[str, str], max_bytes: int) -> Body:
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", ""):
        raise FileRefused("The answer is compressed although it was asked not to be.")
    said = headers.get("content-length")
    if said is None:
        return Body(None)
    if not re.fullmatch("[0-9]{1,18}", said):
        raise TryAgain("Content-Length is no number.")
    _check_cap(int(said), max_bytes)
    return Body(int(said))


def _check_cap(length: int, max_bytes: int) -> None:
    if length > max_bytes:
        raise FileRefused(
            f"The file is larger than the limit of {max_bytes} bytes.",
            "If it is what you expect, fetch it from its URL by other means.",
        )


class Reception:
    """Checks a body while it passes; it keeps the count and the first bytes, nothing else."""

    def __init__(self, body: Body, *, max_bytes: int) -> None:
        self._said = body.length
        self._max_bytes = max_bytes
        self._count = 0
        self._head = b""

    def take(self, chunk: bytes) -> None:
        """Take note of the next bytes, before they are written.

        Raises:
            FileRefused: they break the cap, or show that this is no MP4.
            TryAgain: there are more of them than was said.
        """
        self._count += len(chunk)
        _check_cap(self._count, self._max_bytes)
        if self._said is not None and self._count > self._said:
            raise TryAgain(f"More than the {self._said} bytes that were said.")
        if len(self._head) < FTYP.stop:
            self._head = (self._head + chunk[: FTYP.stop])[: FTYP.stop]
            if len(self._head) == FTYP.stop:
                self._check_signature()

    def end(self) -> None:
        """The body is over.

        Raises:
            FileRefused: it was no MP4.
            TryAgain: it was shorter than was said.
        """
        if self._said is not None and self._count != self._said:
            raise TryAgain(f"The body broke off after {self._count} of {self._said} bytes.")
        self._check_signature()

    def _check_signature(self) -> None:
        if self._head[FTYP] != b"ftyp":
            raise FileRefused("The answer is not an MP4 file.")


def part_name(target: str, salt: int) -> str:
    """The name of an unfinished file beside its target, no longer than file systems allow.

    ``salt``, 32 bits of luck, keeps two fetches to one target apart.
    """
    tail = f".{salt:08x}.part"
    head = target.encode(errors="ignore")[: NAME_MAX - len(tail)]
    return head.decode(errors="ignore") + tail


def failure_message(
    problem: FileRefused | TryAgain | AddressError, *, url: str, path: object, task_id: str | None
) -> str:
    """What happened to the file and what to do next, without the keys that a URL may hold."""
    task = "task_id" if task_id is None else repr(task_id)
    reason, step = str(problem), TRY_LATER
    if isinstance(problem, FileRefused):
        step = problem.next_step.format(task_id=task)
    elif isinstance(problem, AddressError):
        reason, step = f"The address {problem}.", RETRIEVE.format(task_id=task)
    return f"{shown(url)} was not saved as {path}. {reason} {step}"
