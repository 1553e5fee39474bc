"""What a batch decides: what is recorded of a POST, when nothing more is bought, and what an
earlier run left.

Every POST may be bought by whoever sends it, so each is counted before it is sent, and given back
only by evidence that it bought nothing.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import (
    AccountError,
    APINotImplementedError,
    BadRequestError,
    DownloadError,
    InvalidRequestError,
    NoAPIError,
    RateLimitError,
    ServerError,
    SubmissionUncertainError,
    VeoError,
)
from ..models import Generation, Get1080p, VideoRequest
from . import journal_events as events
from . import submit as law
from .dialect import OTHER_SPELLING
from .journal_rows import FIRST, Item, Row, Step
from .likeness import chosen
from .lost import EARLY, Lost, Receipt
from .options import read_request

SECOND = "upscale"
"""The stage that makes the 1080p version."""

MANY = 1000
"""How many items are under way at most where nothing else is said."""

PASSING = (AccountError, NoAPIError, RateLimitError, ServerError)
"""Refusals that say nothing about the request itself, so a later run sends it again."""


def event_of(
    key: str,
    stage: str,
    verdict: law.Verdict,
    *,
    ended_at: float,
    other_spelling: bool,
    at_once: bool = False,
) -> events.StageEvent:
    """What the journal is told of a POST that was over at ``ended_at`` (Unix seconds).

    ``other_spelling`` tells whether another spelling of the action is tried after a refusal, and
    ``at_once`` whether only the id was answered, as was asked for.
    """
    match verdict:
        case law.Accepted(task_id, standing):
            if standing.generation:
                return events.Succeeded(key, stage, standing.generation)
            return events.Accepted(key, stage, task_id or "", at_once)
        case law.Uncertain():
            return events.Uncertain(key, stage, ended_at, verdict.trace_id)
        case law.Refused(error) if not (isinstance(error, PASSING) or other_spelling):
            return events.Refused(key, stage, error)
        case _:
            return events.Withdrawn(key, stage)


def may_respell(verdict: law.Verdict, action: str) -> bool:
    """Whether the law may try another spelling of ``action`` after this verdict."""
    if not isinstance(verdict, law.Refused) or action not in OTHER_SPELLING:
        return False
    return isinstance(verdict.error, BadRequestError | APINotImplementedError)


def may_be_billed(verdict: law.Verdict) -> bool:
    """Whether a POST with this end may be on the bill."""
    return isinstance(verdict, law.Accepted | law.Uncertain)


def account_trouble(error: BaseException) -> AccountError | None:
    """The error after which no further submit makes sense, without the task it was met at."""
    if not isinstance(error, AccountError):
        return None
    trouble = copy(error)
    trouble.task_id, trouble.may_have_cost = None, False
    return trouble


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many POSTs may be billed in this run.

    Attributes:
        limit: at most so many; ``None`` for no limit.
        open: POSTs whose answer is awaited.
        spent: POSTs that were accepted, or that may have been.
    """

    limit: int | None
    open: int = 0
    spent: int = 0

    @property
    def verdict(self) -> Literal["go", "wait", "stop"]:
        """Whether the next POST may be sent; ``wait`` for the answers that are open."""
        if self.limit is None or self.open + self.spent < self.limit:
            return "go"
        return "wait" if self.spent < self.limit else "stop"

    def begun(self) -> Allowance:
        """One more POST is sent."""
        return replace(self, open=self.open + 1)

    def ended(self, *, billed: bool) -> Allowance:
        """A POST is over; ``billed`` if it may be on the bill."""
        return replace(self, open=self.open - 1, spent=self.spent + billed)

    def given_back(self) -> Allowance:
        """A POST that may have been billed provably was not."""
        return replace(self, spent=self.spent - 1)

    def error(self) -> VeoError:
        """The error for a ``stop``."""
        return VeoError(
            f"max_submissions={self.limit} is reached, so nothing more was sent for this request. "
            "Run the same batch again with the journal and a higher limit to go on."
        )


# What an earlier run left.


def lost_in(row: Row, *, now: float, submit_timeout: float) -> Lost:
    """The submit that an earlier run may have sent.

    Where the journal does not say when the POST was over, its process died, or left it open. The
    POST cannot have been open for longer than its answer is awaited, nor beyond ``now``. A window
    that is too long costs time; one that is too short buys twice.
    """
    request, facts = row.request, row.facts
    assert request is not None  # a stage that buys has one
    begun = row.at if row.sent_at is None else row.sent_at
    ended = facts.get("ended_at", min(now, begun + EARLY + submit_timeout))
    return Lost(
        chosen(request),
        begun,
        max(begun, ended),
        facts.get("trace_id"),
        facts.get("offset"),
        asked=now,
        callback_url=own_callback(row),
    )


def own_callback(row: Row) -> str | None:
    """The callback address that this very submit was given; not one that the caller chose, which
    may be that of many."""
    chosen_url = row.request.callback_url if row.request else None
    return None if chosen_url else row.facts.get("callback_url")


def receipt_of(row: Row) -> Receipt | None:
    """The task that an attempt bought, if it is known."""
    request, facts = row.request, row.facts
    task_id = facts.get("task_id")
    if not task_id or request is None or row.sent_at is None:
        return None
    ended = facts.get("ended_at", row.at)
    answered = bool(facts.get("at_once"))
    return Receipt(
        task_id, chosen(request), row.sent_at, ended, facts.get("offset"), answered=answered
    )


def answered_at_once(row: Row) -> bool | None:
    """Whether the answer to this attempt was the id alone, as was asked for by a callback address
    of our own (``True``) or without one (``False``); ``None`` if that is not known."""
    return own_callback(row) is not None if row.facts.get("at_once") else None


def uncertain_of(row: Row, *, reason: str | None = None) -> SubmissionUncertainError:
    """The error for a submit of an earlier run that may have been billed; ``reason`` is why the
    task list cannot tell, if it was asked."""
    asked = f" The task list cannot tell either: {reason}." if reason else ""
    return SubmissionUncertainError(
        f"An earlier run may have sent the item {row.key!r} (stage {row.stage}), and the journal "
        f"does not know what came of it.{asked}",
        request=row.request,
        sent_at=row.sent_at,
        trace_id=row.facts.get("trace_id"),
    )


# The input and the stages.


def step_of(item: Item, request: VideoRequest, *, upscale: bool, retry_failed: bool) -> Step:
    """What a run does first about an item that costs money or time; `finished` is free."""
    stages = [FIRST, SECOND] if upscale and not isinstance(request, Get1080p) else [FIRST]
    for stage in stages:
        step = item.step(stage)
        if step == "stays" and retry_failed:
            return "start"
        if step != "finished":
            return step
    return "finished"


def read_entry(entry: object) -> tuple[str | None, VideoRequest]:
    """A request with the caller's key, if there is one.

    Raises:
        InvalidRequestError: it is neither a request nor a pair of a key and a request.
    """
    if not isinstance(entry, tuple):
        return None, read_request(entry)
    if len(entry) != 2 or not isinstance(entry[0], str) or not entry[0]:
        problem = f"A pair must be a key (a text) and a request, not {entry!r}. It was not sent."
        raise InvalidRequestError(problem, field="key")
    return entry[0], read_request(entry[1])


def read_count(name: str, value: object, *, least: int) -> int | None:
    """A number of things, at least so many; ``None`` if none is given.

    Raises:
        InvalidRequestError: it is less, or no whole number.
    """
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        problem = (
            f"{name} must be a whole number, {least} or more, not {value!r}. Nothing was sent."
        )
        raise InvalidRequestError(problem, field=name)
    return value


def upscaling(request: VideoRequest, generation: Generation) -> Get1080p | None:
    """The request for the 1080p version of a result; ``None`` if it is one.

    Raises:
        InvalidRequestError: the result has no video with an id.
    """
    if isinstance(request, Get1080p):
        return None
    video_id = generation.video.id
    if not video_id:
        problem = "The video has no id, so there is no 1080p version of it. It stays paid for."
        raise InvalidRequestError(problem, field="video")
    return Get1080p(video_id=video_id, model=request.model)


def unexpected(error: Exception) -> VeoError:
    """A fault of our own as a value: it must not lose the others' videos."""
    told = VeoError(f"An unexpected {type(error).__name__}: {error}", may_have_cost=True)
    told.__cause__ = error
    return told


def unwritable(error: OSError, folder: object) -> DownloadError:
    """The error for a folder in which nothing can be written down."""
    return DownloadError(
        f"Nothing can be saved in the folder {folder} ({error}): see to it, and run the same batch "
        "again.",
        path=folder,
    )
