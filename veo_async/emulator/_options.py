"""What can be chosen about an emulated deployment, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SPELLINGS = frozenset({"get_1080p", "get1080p"})
"""The API guide writes the first, the vendor's OpenAPI document the second."""

EPOCH = 1_753_430_400.0
"""Where an emulated clock starts unless told otherwise: the day of the API guide's examples
(2025-07-25 16:00:00 in the service's zone), so that a run can be repeated to the letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How a deployment speaks where the vendor's documents leave it open.

    Args:
        spellings: how the 1080p action may be spelled.
        unknown_action: the code that answers any other action.
        models: the model names that are known; ``None`` accepts every name.
        honour_async: whether ``async: true`` is answered at once; otherwise it is ignored.
        pending: how a record without a result looks: no ``response``, a null one, an empty one,
            or one whose ``data`` says ``processing`` and that lacks ``success``.
        unknown: how an unknown id is answered: as ``{}``, with 404, or by being missing from the
            items of a batch (a single ``retrieve`` is then ``{}``).
        stored: whether ``request`` is stored as it came, or normalised: defaults added, nulls
            dropped, the other spelling of the action, without ``async``.
        longest: how many characters of a text in ``request`` are stored; the rest is cut off.
            ``None`` stores them whole. Several of the vendor's services cut at 1,000.
        timings: whether records bear ``finished_at`` and ``elapsed``.
        page: the most records on a page of a list, whatever ``limit`` asks for.
        count: whether ``count`` speaks of all that matched, or of the items on this page.
        callback_attempts: how often a callback is tried, in all, while the receiver answers with
            5xx or not at all.
        url_lifetime: for how many seconds of service time the URL of a file is good, from when it
            was answered; then it is 403. ``None`` is for ever. Every answer bears a fresh one.
    """

    spellings: frozenset[str] = SPELLINGS
    unknown_action: Literal["bad_request", "api_not_implemented"] = "bad_request"
    models: frozenset[str] | None = None
    honour_async: bool = True
    pending: Literal["absent", "null", "empty", "processing"] = "absent"
    unknown: Literal["empty", "not_found", "missing"] = "empty"
    stored: Literal["as_submitted", "normalised"] = "as_submitted"
    longest: int | None = None
    timings: bool = False
    page: int = 50
    count: Literal["total", "page"] = "total"
    callback_attempts: int = 1
    url_lifetime: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the service answers with 429.

    Args:
        submits_per_second: calls to ``/veo/videos`` in any second of the caller's time.
        polls_per_second: the same for ``/veo/tasks``.
        per_second: the same for both together.
        in_flight: accepted and unfinished tasks.
        retry_after: the ``Retry-After`` header in seconds, or any text to send as it is; ``None``
            leaves the header out.
        as_date: whether ``Retry-After`` is an HTTP date on the service's clock.
        silent: the part of these answers, between 0 and 1, that lack the header by chance.
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
    """Who may call, and for how much.

    Args:
        token: the one token that is accepted; ``None`` accepts every one that is not empty.
        refused: tokens that are answered with an error code, such as
            ``{"old": "token_expired", "other": "token_mismatched"}``.
        balance: how many more videos can be bought; ``None`` is without end.
        moderation: a regular expression; a prompt in which it is found is refused with 403.
        failure: the part of the accepted tasks that fail, between 0 and 1.
    """

    token: str | None = field(default=None, repr=False)
    refused: Mapping[str, str] = field(default_factory=dict, repr=False)
    balance: int | None = None
    moderation: str | None = None
    failure: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFormat:
    """What the rendered files look like.

    Args:
        seconds: length.
        fps: frames a second.
        short_side: the shorter side in pixels of a video without ``resolution``; ``1080p`` has
            one and a half of it, ``4k`` three times as many. Small values make quick tests.
    """

    seconds: float = 8.0
    fps: int = 24
    short_side: int = 720
