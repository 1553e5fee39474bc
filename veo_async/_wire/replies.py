"""Replies: decoded by total functions, so that any bytes give a value or one of our errors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from .._base.redaction import without_callbacks
from ..errors import (
    APIError,
    APINotImplementedError,
    BadRequestError,
    ConnectionFailedError,
    ContentRefusedError,
    DisabledError,
    InsufficientBalanceError,
    InvalidTokenError,
    NoAPIError,
    NoTokenError,
    RateLimitError,
    ServerError,
    TokenExpiredError,
    TokenMismatchedError,
    UndecodableReplyError,
    VeoError,
)

EXCERPT = 300
"""Bytes of an unreadable answer that an error shows."""

MESSAGE = 2_000
"""Characters of the service's own message that an error keeps."""

LONGEST_PAUSE = 120.0
"""The longest ``Retry-After`` that is believed, in seconds: no documented limit is longer."""

DEPTH = 200
"""Levels to which JSON may nest: the limit of the parser, and of the fallback."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer that was read to its end; `received` makes it.

    Attributes:
        status: the HTTP status.
        headers: the header fields; names are lower case.
        body: the whole body, not compressed.
        retry_after: seconds to wait as ``Retry-After`` asks, within 0 and `LONGEST_PAUSE`;
            ``None`` without that header.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came, or none that HTTP could parse.

    Attributes:
        family: the family of the exception: ``httpx``, ``aiohttp``, or ``unknown``.
        error: the qualified names of the exception's class and its bases, nearest first.
        cause: the same for the exception that it was raised from.
        detail: the description for a person.
        exception: the exception itself, to raise ours from.
    """

    family: str
    error: tuple[str, ...]
    cause: tuple[str, ...] = ()
    detail: str = "no answer"
    exception: BaseException | None = field(default=None, compare=False)


Answer = Reply | Failure


class Unreadable(ValueError):
    """These bytes are not the expected JSON."""


def parse(body: bytes) -> Any:
    """The JSON value in ``body``.

    Raises:
        Unreadable: it is not JSON, or nests too deep, or holds an absurd number.
    """
    try:
        return from_json(body)
    except ValueError:
        pass
    # Halves of surrogate pairs are legal JSON, and appear where a text was cut inside an emoji.
    try:
        return _without_surrogates(json.loads(body), DEPTH)
    except (ValueError, RecursionError) as exc:
        raise Unreadable(str(exc)[:EXCERPT]) from None


def _without_surrogates(value: Any, depth: int) -> Any:
    if depth == 0:
        raise Unreadable("nests too deep")
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(item, depth - 1) for item in value]
    if isinstance(value, dict):
        return {
            _without_surrogates(key, depth): _without_surrogates(item, depth - 1)
            for key, item in value.items()
        }
    return value


def parse_object(reply: Reply) -> dict[str, Any] | None:
    """The JSON object in a reply, or ``None`` if its body is none."""
    try:
        value = parse(reply.body)
    except Unreadable:
        return None
    return value if isinstance(value, dict) else None


def excerpt(body: bytes) -> str:
    """The beginning of an answer, readable and on one line."""
    text = body[:EXCERPT].decode(errors="replace")
    shown = without_callbacks("".join(c if c.isprintable() else " " for c in text)).strip()
    return f"{shown}..." if len(body) > EXCERPT else shown or "(empty)"


def gist(reply: Reply) -> str:
    """The status and the message of an answer that proves nothing, for an error to quote."""
    error = parse_error(parse_object(reply) or {})
    return f"HTTP {reply.status}: {error.message or excerpt(reply.body)}"


def undecodable(reply: Reply) -> UndecodableReplyError:
    """The error for an answer in an unexpected form."""
    shown = excerpt(reply.body)
    return UndecodableReplyError(
        f"The service's answer could not be read: {shown}", status_code=reply.status, body=shown
    )


BY_CODE: Mapping[str, type[APIError]] = {
    "no_token": NoTokenError,
    "invalid_token": InvalidTokenError,
    "token_expired": TokenExpiredError,
    "token_mismatched": TokenMismatchedError,
    "disabled": DisabledError,
    "used_up": InsufficientBalanceError,
    "bad_request": BadRequestError,
    "api_not_implemented": APINotImplementedError,
    "no_api": NoAPIError,
    "too_many_requests": RateLimitError,
    "api_error": ServerError,
}
"""The codes of the API guide and of the vendor's OpenAPI document."""

BY_STATUS: Mapping[int, type[APIError]] = {
    400: BadRequestError,
    401: InvalidTokenError,
    403: ContentRefusedError,
    429: RateLimitError,
}
"""The error of a status where the code is unknown or missing."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error in the service's words: ``error`` may be an object, a bare string or null."""

    code: str | None
    message: str | None
    trace_id: str | None


def error_body(fields: Mapping[str, Any] | None) -> ErrorBody | None:
    """The error in an object, or ``None`` if it contains none."""
    if fields is None or not ("error" in fields or fields.get("success") is False):
        return None
    return parse_error(fields)


def parse_error(fields: Mapping[str, Any]) -> ErrorBody:
    """The error in an object that reports one, in any of its forms."""
    error = fields.get("error")
    if isinstance(error, str):
        error = {"code": error if error in BY_CODE else None, "message": error}
    if not isinstance(error, dict):
        error = {}
    return ErrorBody(
        _word(error.get("code")), _word(error.get("message")), _word(fields.get("trace_id"))
    )


def _word(value: object) -> str | None:
    return value[:MESSAGE] if isinstance(value, str) and value else None


def received(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> Reply:
    """An answer that came ``now`` (Unix seconds), with the pause that its headers ask for."""
    return Reply(status, headers, body, _retry_after(headers, now))


def api_error(reply: Reply, *, task_id: str | None = None, may_have_cost: bool = False) -> APIError:
    """The error for a reply with status 400 or above.

    A 5xx is always a `ServerError`, whatever its body says; below 500 the code decides, then the
    status.
    """
    fields = parse_object(reply)
    error = parse_error(fields or {})
    known = BY_CODE.get(error.code or "", BY_STATUS.get(reply.status, APIError))
    cls = ServerError if reply.status >= 500 else known
    facts: dict[str, Any] = {
        "status_code": reply.status,
        "code": error.code,
        "trace_id": error.trace_id,
        "body": excerpt(reply.body) if fields is None else fields,
        "task_id": task_id,
        "may_have_cost": may_have_cost,
    }
    if cls is RateLimitError:
        facts["retry_after"] = reply.retry_after
    return cls(error.message or f"The service answered: {excerpt(reply.body)}", **facts)


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """A date is compared with the answer's own ``Date``, so the clocks need not agree."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        due = _unix(value)
        if due is None:
            return None
        date = _unix(headers.get("date", ""))
        seconds = due - (now if date is None else date)
    return None if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_PAUSE)


def service_time(reply: Reply) -> float | None:
    """Unix time in seconds on the service's clock, from the ``Date`` header."""
    return _unix(reply.headers.get("date", ""))


@lru_cache(maxsize=8)  # every answer has a ``Date``, and it changes once a second
def _unix(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
        # Without a zone it is UTC, as all times of HTTP are (RFC 9110), not this machine's zone.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def names_task(fields: object) -> bool:
    """Whether an answer has a value where a task id may stand, also one that cannot be used."""
    if not isinstance(fields, dict):
        return False
    inside = (fields, *(fields.get(name) for name in ("data", "error", "response")))
    entries = (entry for part in inside for entry in (part if isinstance(part, list) else [part]))
    return any(
        entry.get(name) not in (None, "", [], {})
        for entry in entries
        if isinstance(entry, dict)
        for name in ("task_id", "taskId", "task_ids")
    )


def unreachable(failure: Failure) -> VeoError:
    """The error for a request that never left this machine."""
    return ConnectionFailedError(f"The service could not be reached: {failure.detail}.")
