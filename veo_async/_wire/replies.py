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
from .._base.urls import shown
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
from ..models._results import read_id

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
        unrecognised_address: the address that answered, while no answer in the service's own form
            has ever come from it: see `is_own_form`.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after: float | None = None
    unrecognised_address: str | None = None


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


def as_utf8(body: bytes) -> bytes:
    """The body in UTF-8 where it is in UTF-16 or UTF-32, in which `parse` would read it: the token
    is looked for in UTF-8."""
    encoding = json.detect_encoding(body)
    if encoding.startswith("utf-8"):
        return body
    return body.decode(encoding, "replace").encode()


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
    return f"HTTP {reply.status}: {error.message or excerpt(reply.body)}{_whence(reply)}"


def _whence(reply: Reply) -> str:
    return f" (from {reply.unrecognised_address})" if reply.unrecognised_address else ""


def trace_of(reply: Reply, fields: Mapping[str, Any] | None) -> str | None:
    """The trace id of an answer whose body is ``fields``: the body's own, else that of the header
    ``x-trace-id``, which is there also where the body cannot be read (vendor's public clients)."""
    header = reply.headers.get("x-trace-id", "")
    return read_id((fields or {}).get("trace_id")) or read_id(header.partition(",")[0])


def undecodable(reply: Reply) -> APIError:
    """The error for an answer in an unexpected form."""
    if is_foreign(reply):
        return foreign(reply)
    text, fields = excerpt(reply.body), parse_object(reply)
    return UndecodableReplyError(
        f"The service's answer could not be read: {text}{_whence(reply)}",
        status_code=reply.status,
        trace_id=trace_of(reply, fields),
        body=text,
    )


# Answers from another host.

GATEWAY_STATUSES = frozenset({408, 409, 425, 499})
"""Words about time and order, not about the request: it may have been accepted before them. 499 is
a gateway's (the vendor's notes on its server)."""

MOVED = frozenset({301, 302, 307, 308})
"""Redirects of a request that was not carried out. After 303 it may have been (RFC 9110, 15.4)."""

OWN_WORDS = frozenset(
    {"error", "items", "request", "response", "success", "task_id", "trace_id"},
)
"""Names of which each answer of the service has one."""


def is_own_form(reply: Reply) -> bool:
    """Whether an answer has the service's own form. In doubt it has: later answers are then judged
    with more caution."""
    fields = parse_object(reply)
    return fields is not None and not OWN_WORDS.isdisjoint(fields)


def is_foreign(reply: Reply) -> bool:
    """Whether another host answered, with no sign that it passed the request on: a wrong base URL,
    a proxy's page, a login page or a redirect.

    This is believed only of an address that has never answered as the service does. A 5xx is the
    word of a gateway, which may have passed the request on. A 2xx must be a page, since a torn
    answer may be the service's own.
    """
    status = reply.status
    if reply.unrecognised_address is None or status in GATEWAY_STATUSES or status == 429:
        return False
    if 200 <= status < 300:
        kind = reply.headers.get("content-type", "").lower()
        return kind.startswith("text/html") or reply.body.lstrip().startswith(b"<")
    is_about_address = status in MOVED or status in (404, 405)
    return is_about_address or (400 <= status < 500 and parse_object(reply) is None)


def foreign(reply: Reply, **facts: Any) -> NoAPIError:
    """The error for such an answer."""
    kind, text = reply.headers.get("content-type", "no content type"), excerpt(reply.body)
    where, location = "", reply.headers.get("location", "")
    if "://" in location:
        where = f", a redirect to {shown(location)}"
    error = NoAPIError(
        f"POST {reply.unrecognised_address} was answered with HTTP {reply.status}{where} "
        f"({excerpt(kind.encode())}: {text}). No answer in the service's own form has ever come "
        "from there: is base_url right?",
        **{"status_code": reply.status, "trace_id": trace_of(reply, None), "body": text} | facts,
    )
    error.advice = (
        "Nothing is known to have been bought; check base_url, and what stands in between, such as "
        "a proxy or a login page."
    )
    return error


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
    402: InsufficientBalanceError,
    403: ContentRefusedError,
    422: BadRequestError,
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
        # ``{"code", "message"}`` and ``{"detail"}`` (vendor's public clients).
        error = {"code": fields.get("code"), "message": fields.get("message")}
        error["message"] = error["message"] or _detail(fields.get("detail"))
    return ErrorBody(
        _word(error.get("code")), _word(error.get("message")), read_id(fields.get("trace_id"))
    )


def _detail(detail: object) -> str | None:
    """The text of a ``detail``, which may list each wrong field as an object (FastAPI)."""
    if detail is None or isinstance(detail, str):
        return detail
    return json.dumps(detail, ensure_ascii=False)


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
    if is_foreign(reply):
        return foreign(reply, task_id=task_id, may_have_cost=may_have_cost)
    fields = parse_object(reply)
    error = parse_error(fields or {})
    known = BY_CODE.get(error.code or "", BY_STATUS.get(reply.status, APIError))
    cls = ServerError if reply.status >= 500 else known
    facts: dict[str, Any] = {
        "status_code": reply.status,
        "code": error.code,
        "trace_id": trace_of(reply, fields),
        "body": excerpt(reply.body) if fields is None else fields,
        "task_id": task_id,
        "may_have_cost": may_have_cost,
    }
    if cls is RateLimitError:
        facts["retry_after"] = reply.retry_after
    message = error.message or f"The service answered: {excerpt(reply.body)}"
    return cls(message + _whence(reply), **facts)


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
    if fields.get("id") not in (None, ""):  # as a record calls it
        return True
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
