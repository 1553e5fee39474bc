"""The law of money: what a submit's answer proves, and what may follow.

A ``POST /veo/videos`` ends in exactly one of four ways:

=========  ============================================  =====================================
verdict    evidence                                      what follows
=========  ============================================  =====================================
accepted   an id, or a finished result                   track it
not sent   positive evidence that no byte of the         send again, bounded by count and time
           request reached the service
refused    without an id: 429; a 4xx with a JSON         429: wait and send again, bounded;
           object, except those about time and order;    the rest: raise at once
           a 2xx that says ``success: false`` with an
           error; a 3xx or 4xx from an address that
           has never answered as the service does
uncertain  everything else                               never simply send again
=========  ============================================  =====================================

There is no idempotency key, so a request that may have been accepted may have been billed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from .. import events
from .._events import EventContext
from .._wire.replies import (
    GATEWAY_STATUSES,
    Answer,
    Failure,
    Reply,
    api_error,
    gist,
    is_foreign,
    names_task,
    parse_object,
    trace_of,
)
from .._wire.task_status import TaskStatus, read_response
from ..errors import (
    APIError,
)
from ..models._results import read_id

NOT_SENT: Mapping[str, tuple[str, frozenset[str]]] = {
    # httpcore 1.0, all places that raise these (read in its source):
    # ConnectError, ConnectTimeout: `connect_tcp` and `start_tls` of the network backend alone, so
    #   a refused certificate is one. A cut after the handshake is a ReadError or a
    #   RemoteProtocolError, and a WriteError is swallowed to read the answer first.
    # PoolTimeout: while a request waits for its connection.
    # ProxyError: a CONNECT that was not answered with 2xx, or a SOCKS proxy that refused. A CONNECT
    #   that is cut or not answered raises what any cut request raises, so it is uncertain.
    # With http2=True, which is never our default, httpcore sends a request again whose stream the
    # server's GOAWAY left out: not processed, by RFC 9113, 6.8, although bytes of it were read.
    "httpx": (
        "error",
        frozenset(
            {"httpx.ConnectError", "httpx.ConnectTimeout", "httpx.PoolTimeout", "httpx.ProxyError"}
        ),
    ),
    # httpx_aiohttp maps "accepted, then dropped" to httpx.ConnectTimeout too, so only the aiohttp
    # exception beneath proves anything. aiohttp 3.14, all places that raise these:
    # ClientConnectorError and its children (name, TLS, certificate, proxy): the connector, before
    #   it has a connection to give. A cut raises the parent, ClientOSError.
    # ConnectionTimeoutError: around `connector.connect` alone.
    # ClientHttpProxyError: the connector, for a CONNECT that was not answered with 200.
    # A POST is never sent again by aiohttp itself (it is not among its IDEMPOTENT_METHODS); a
    # session with middlewares that do so must not be used.
    "aiohttp": (
        "cause",
        frozenset(
            {
                "aiohttp.client_exceptions.ClientConnectorError",
                "aiohttp.client_exceptions.ConnectionTimeoutError",
                "aiohttp.client_exceptions.ClientHttpProxyError",
            }
        ),
    ),
}
"""For each family of exceptions: which exception to read, and the classes that prove that nothing
was sent. A family that is not in the table proves nothing."""

WARNING = 500
"""Characters of a refusal beside an id that a warning shows."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service took the request. ``status`` is terminal if the answer was the result."""

    task_id: str | None
    status: TaskStatus
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request reached the service."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Refused:
    """The service said no, and did not bill."""

    error: APIError


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may have been accepted and billed.

    Attributes:
        foreign_address: the address, if another host seems to have answered there: see
            `is_foreign`. A gateway of the service may send such a page, too, so the task list is
            queried there.
    """

    detail: str
    trace_id: str | None = None
    cause: BaseException | None = None
    foreign_address: str | None = None


Verdict = Accepted | NotSent | Refused | Uncertain


def judge(answer: Answer, *, is_held: bool = False) -> Verdict:
    """What the answer to a submit proves; ``is_held`` if it was held until the video was ready."""
    if isinstance(answer, Failure):
        return _judge_failure(answer)
    fields = parse_object(answer)
    # First: a task that has an id was accepted, whatever else its answer says.
    if accepted := _acceptance(answer, fields):
        return accepted
    # An id that cannot be used is no proof of a refusal.
    # Nor is a failure that a held answer reports: a generation that failed may be billed.
    is_end = is_held and answer.status < 300
    if _is_refusal(answer, fields) and not (names_task(fields) or is_end):
        return Refused(api_error(answer))
    foreign = answer.unrecognised_address if is_foreign(answer) else None
    return Uncertain(gist(answer), trace_id=trace_of(answer, fields), foreign_address=foreign)


def _judge_failure(failure: Failure) -> Verdict:
    where, proofs = NOT_SENT.get(failure.family, ("error", frozenset[str]()))
    names = failure.cause if where == "cause" else failure.error
    if proofs.isdisjoint(names):
        return Uncertain(failure.detail, cause=failure.exception)
    return NotSent(failure)


def _is_refusal(reply: Reply, fields: dict[str, Any] | None) -> bool:
    is_success = 200 <= reply.status < 300
    if reply.status == 429 or (is_foreign(reply) and not is_success):
        return True
    if fields is None or reply.status in GATEWAY_STATUSES:
        return False
    if is_success:
        # A video beside the error was made, and so it was billed.
        is_made = bool(fields.get("data"))
        return fields.get("success") is False and bool(fields.get("error")) and not is_made
    return 400 <= reply.status < 500


def _acceptance(reply: Reply, fields: dict[str, Any] | None) -> Accepted | None:
    known = read_id(fields.get("task_id") if fields else None)
    trace_id = trace_of(reply, fields)
    if not 200 <= reply.status < 300:
        # Something failed, or was refused, after the id was given: the task list knows its status.
        # That is not `PENDING` itself, which shows that the service answers at once.
        warning = f"the answer to its submit was {gist(reply)}"[:WARNING]
        return Accepted(known, TaskStatus("pending", warning=warning), trace_id) if known else None
    if fields and trace_id:
        fields = fields | {"trace_id": trace_id}
    status = read_response(fields, task_id=known)
    return Accepted(known, status, trace_id) if known or status.state == "succeeded" else None


def event_of_verdict(context: EventContext, verdict: Verdict, *, at: float) -> events.ItemEvent:
    """The event for a POST that was over ``at`` (Unix seconds)."""
    subject, seconds = context.subject(), context.age(at) or 0.0
    match verdict:
        case Accepted(task_id, _, trace_id):
            subject = context.subject(task_id)
            return events.Accepted(at=at, seconds=seconds, trace_id=trace_id, **subject)
        case Refused(error):
            trace_id = error.trace_id
            return events.Refused(at=at, seconds=seconds, trace_id=trace_id, error=error, **subject)
        case NotSent(failure):
            return events.NotSent(at=at, seconds=seconds, reason=failure.detail, **subject)
        case Uncertain(detail, trace_id):
            return events.Uncertain(
                at=at, seconds=seconds, trace_id=trace_id, reason=detail, **subject
            )
        case _:
            assert_never(verdict)
