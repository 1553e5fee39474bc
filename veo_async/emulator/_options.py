"""The options of an emulated deployment, as frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field

SPELLINGS = frozenset({"get_1080p", "get1080p"})
"""The API guide writes the first, the vendor's OpenAPI document the second."""

Request = dict[str, Any]
Form = Literal[
    "as_submitted",
    "normalised",
    "rewritten",
    "rehosted",
    "translated",
    "nfc",
    "escaped",
    "unmarked",
    "remarked",
]
"""The forms of a stored request; `Wire` explains them."""

Pending = Literal["absent", "null", "empty", "processing", "preview", "unstructured"]

USER = "ad7afe47-cea9-4cda-980f-2ad8810e51cf"
"""The user of the first tasks of an old ledger; those of tokens are derived from it. Invented."""

EPOCH = 1_753_430_400.0
"""The default start of the emulated clock, in Unix seconds: the day of the API guide's examples
(2025-07-25 16:00:00 in the service's zone), so that a run can be repeated exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The behaviour of a deployment where the vendor's documents leave it open.

    Args:
        spellings: the accepted spellings of the 1080p action.
        unknown_action: the error code for any other action.
        models: the known model names; ``None`` accepts every name.
        honour_async: answer ``async: true`` immediately; if false, it is ignored.
        callback_url: the accepted callback addresses: all; only the service's own (the vendor's
            host, or ``/health`` of the host that the submit was sent to); all, but not together
            with ``async: true``; or none. Another one is answered with 400.
        listed: the tasks that a list without ``user_id`` contains: of all tokens, of the caller's
            token, of all other tokens, or none. A list with the ``user_id`` of a record contains
            that user's tasks. ``always_empty`` contains nothing in either case.
        sync_records: record the tasks of synchronous submits. If false, no query finds them.
        trace_header: send the header ``x-trace-id`` with every answer of the API: the trace id of
            the submitted task or of the error body; a query that succeeds has one of its own.
        pending: the form of a record without a result: without ``response``, with a null one, with
            an empty one, with one whose ``data`` says ``processing`` and that lacks ``success``,
            with a ``preview`` (a running word beside ``success`` and a URL), or with an
            ``unstructured`` error that is not final.
        unknown: the answer for an unknown id: ``{}``, a 404, or a batch without an item for it (a
            single ``retrieve`` is then answered ``{}``).
        stored: the form in which ``request`` is stored: a word, a set of words, or a function of
            the submitted request. The bill always contains the submitted one. The words:
            ``as_submitted``;
            ``normalised``: defaults added, nulls removed, the other spelling of the 1080p action,
            without ``async``;
            ``rewritten``: the forced model of ``ingredients2video``, and ``1080p`` for the 1080p
            action, in a record of the type ``upsample``;
            ``rehosted``: images under addresses of the service;
            ``translated``: a prompt without characters other than ASCII;
            ``nfc``: texts in Unicode's form NFC;
            ``escaped``: texts escaped for HTML (``&amp;``);
            ``unmarked``: without ``callback_url``;
            ``remarked``: with the vendor's address as ``callback_url``, if there was any.
        longest: the number of characters of each text in ``request`` that are stored; the rest is
            cut off. ``None`` stores all. Several of the vendor's services cut at 1,000.
        timings: include ``finished_at`` (null until the end) and ``elapsed`` in records.
        page: the maximum number of records on a page of a listing, also if ``limit`` is larger.
        count: the meaning of ``count``: all records that matched, or the items on this page.
        callback_attempts: the maximum number of attempts for a callback while the receiver answers
            with 5xx or not at all.
        url_lifetime: seconds of service time for which the URL of a file is valid after it was
            answered; later it is answered with 403. ``None`` never expires. Every answer contains
            a fresh URL.

    Raises:
        ValueError: ``stored`` contains an unknown word.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    spellings: frozenset[str] = SPELLINGS
    unknown_action: Literal["bad_request", "api_not_implemented"] = "bad_request"
    models: frozenset[str] | None = None
    honour_async: bool = True
    callback_url: Literal["accepted", "own_host", "without_async", "refused"] = "accepted"
    listed: Literal["all", "own", "others", "none", "always_empty"] = "all"
    sync_records: bool = True
    trace_header: bool = True
    pending: Pending = "absent"
    unknown: Literal["empty", "not_found", "missing"] = "empty"
    stored: Form | AbstractSet[Form] | Callable[[Request], Mapping[str, Any]] = "as_submitted"
    longest: Annotated[int, Field(ge=0)] | None = None
    timings: bool = False
    page: Annotated[int, Field(ge=1)] = 50
    count: Literal["total", "page"] = "total"
    callback_attempts: Annotated[int, Field(ge=1, le=100)] = 1
    url_lifetime: float | None = None

    def __post_init__(self) -> None:
        if unknown := self.forms - set(get_args(Form)):
            raise ValueError(f"unknown stored forms: {', '.join(sorted(unknown))}")

    @property
    def forms(self) -> frozenset[str]:
        """The words of ``stored``; none for a function."""
        if callable(self.stored):
            return frozenset()
        return frozenset({self.stored} if isinstance(self.stored, str) else self.stored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of the service; a call above one of them is answered with 429.

    ``None`` is no limit. A rate below one call a second is counted over a longer time: 0.5 allows
    one call in any two seconds.

    Args:
        submits_per_second: calls to ``/veo/videos`` in any second of the caller's time.
        polls_per_second: calls to ``/veo/tasks`` in any second of the caller's time.
        per_second: calls to both together in any second of the caller's time.
        in_flight: accepted and unfinished tasks.
        retry_after: the ``Retry-After`` header in seconds, or any text that is sent as it is;
            ``None`` omits the header.
        as_date: send ``Retry-After`` as an HTTP date on the service's clock.
        silent: the part of these answers, between 0 and 1, that lack the header at random.
    """

    submits_per_second: float | None = None
    polls_per_second: float | None = None
    per_second: float | None = None
    in_flight: int | None = None
    retry_after: float | str | None = 1.0
    as_date: bool = False
    silent: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The tokens, the balance and the moderation of the emulated account.

    Args:
        token: the only accepted token; ``None`` accepts every token that is not empty.
        refused: tokens that are refused, each with its error code, such as
            ``{"old": "token_expired", "other": "token_mismatched"}``.
        balance: the number of videos that can be bought; ``None`` is unlimited.
        moderation: a regular expression; a prompt that contains a match is refused with 403.
        failure: the part of the accepted tasks that fail at random, between 0 and 1.
    """

    token: str | None = field(default=None, repr=False)
    refused: Mapping[str, str] = field(default_factory=dict, repr=False)
    balance: int | None = None
    moderation: str | None = None
    failure: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFormat:
    """The format of the rendered files. Small values make quick tests.

    Args:
        seconds: the length of a video in seconds.
        fps: frames per second.
        short_side: the shorter side, in pixels, of a video without ``resolution``. ``1080p`` has
            one and a half times as many, ``4k`` three times as many.
    """

    seconds: float = 8.0
    fps: int = 24
    short_side: int = 720
