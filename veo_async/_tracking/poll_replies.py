"""Reading the answer to a poll (``POST /veo/tasks``), and deciding what follows.

One rejected id must not affect its neighbours: a refused batch is bisected until the guilty id is
alone. One bad poll must not fail a paid wait: only many bad polls in a row, or two clear refusals
of the token, end the waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._base.backoff import backoff
from .._wire.replies import Answer, Failure, Reply, api_error, error_body, gist, parse_object
from .._wire.task_queries import is_unknown
from .._wire.task_status import TaskStatus, advance, read_status
from ..errors import AccountError, APIError, InsufficientBalanceError, NoAPIError
from ..models._results import read_id
from ..policies import PollPolicy

ACCOUNT_STRIKES = 2
"""The number of consecutive polls that must blame the account before it is believed: a single one
was seen to be a passing fault of a gateway."""

BAD_POLL_DELAY = 1.0
BAD_POLL_CAP = 30.0
"""The first and the longest backoff between bad polls, in seconds. Ten of them last about three
minutes."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """The service answered. It does not know the ids that are not in ``statuses``, or not yet."""

    statuses: Mapping[str, TaskStatus]


@dataclass(frozen=True, slots=True)
class Bisect:
    """The batch was refused because of one of its ids: poll it again in halves."""


@dataclass(frozen=True, slots=True)
class IdRejected:
    """A poll of a single id was refused. Only the waiters of this id are notified."""

    error: APIError


@dataclass(frozen=True, slots=True)
class Throttled:
    """429: the limiter pauses all calls. It is neither a good nor a bad poll."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A poll without a usable answer: a cut connection, a timeout, a 5xx, unreadable bytes."""

    detail: str


@dataclass(frozen=True, slots=True)
class AccountTrouble:
    """The token or the base URL is refused."""

    error: APIError


Reading = Statuses | Bisect | IdRejected | Throttled | Unusable | AccountTrouble


def read_poll(answer: Answer, ids: Sequence[str]) -> Reading:
    """Read the answer to `poll_body`."""
    if isinstance(answer, Failure):
        return Unusable(answer.detail)
    if 200 <= answer.status < 300:
        return _read_items(answer, ids)
    if answer.status == 429:
        return Throttled()
    alone = ids[0] if len(ids) == 1 else None
    error = api_error(answer, task_id=alone, may_have_cost=True)
    # Polls are free, so an error about the balance says nothing about a poll.
    blames_account = isinstance(error, NoAPIError | AccountError)
    if blames_account and not isinstance(error, InsufficientBalanceError):
        return AccountTrouble(error)
    if answer.status not in (400, 404) or error_body(parse_object(answer)) is None:
        return Unusable(gist(answer))
    if answer.status == 404 or alone is None:
        return _unknown(ids)
    return IdRejected(error)


def _read_items(reply: Reply, ids: Sequence[str]) -> Reading:
    fields = parse_object(reply) or {}
    items = fields.get("items")
    if items is None and is_unknown(reply):
        # An empty answer to a whole batch blames none of its ids.
        return _unknown(ids) if len(ids) == 1 or fields else Unusable(gist(reply))
    if items is None and len(ids) == 1 and ("id" in fields or "response" in fields):
        items = [{"id": ids[0]} | fields]
    if not isinstance(items, list):
        return Unusable(gist(reply))
    return Statuses(_statuses(items, frozenset(ids)))


def _unknown(ids: Sequence[str]) -> Reading:
    """The service does not know one of these ids (yet)."""
    return Statuses({}) if len(ids) == 1 else Bisect()


def _statuses(items: list[Any], asked: frozenset[str]) -> dict[str, TaskStatus]:
    """The statuses by id. Items may come in any order, repeat, or be of other tasks (the vendor's
    tasks guide)."""
    found: dict[str, TaskStatus] = {}
    for item in items:
        task_id = read_id(item.get("id")) if isinstance(item, dict) else None
        if task_id in asked:
            event = read_status(item, task_id=task_id)
            found[task_id] = advance(found[task_id], event) if task_id in found else event
    return found


@dataclass(frozen=True, slots=True)
class Health:
    """The streak of bad polls.

    Attributes:
        bad: the number of consecutive bad polls.
        accused: the number of consecutive polls, up to the latest, that blamed the account.
        since: when the latest of them was noted, in monotonic seconds.
    """

    bad: int = 0
    accused: int = 0
    since: float = float("-inf")


def examine(health: Health, reading: Reading, *, started: float, now: float) -> Health:
    """The health after one more reading.

    Polls that were open together when the service failed count as one failure: a poll that
    ``started`` before the latest failure was noted is not counted.
    """
    if isinstance(reading, Statuses | Bisect | IdRejected):
        return Health()
    if isinstance(reading, Throttled) or started < health.since:
        return health
    if isinstance(reading, AccountTrouble):
        return Health(bad=health.bad + 1, accused=health.accused + 1, since=now)
    return Health(bad=health.bad + 1, since=now)


def is_hopeless(health: Health, policy: PollPolicy) -> bool:
    """True if all waits must end now."""
    return health.bad >= policy.max_failed_polls or health.accused >= ACCOUNT_STRIKES


def poll_backoff(health: Health, *, u: float) -> float:
    """Seconds without polls after a bad poll."""
    if not health.bad:
        return 0.0
    return backoff(health.bad, first=BAD_POLL_DELAY, cap=BAD_POLL_CAP, u=u)
