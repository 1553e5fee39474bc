"""What a poll of ``POST /veo/tasks`` says about the tasks that it asked for, and what follows.

One strange id must not spoil its neighbours, and one bad poll must not fail a paid wait: a batch
that is refused is halved until the guilty id is alone, and only many bad polls in a row, or two
clear words about the token, end the waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._base.backoff import backoff
from .._wire.replies import Answer, Failure, Reply, api_error, error_body, gist, parse_object
from .._wire.task_status import TaskStatus, advance, read_response
from ..errors import AccountError, APIError, InsufficientBalanceError, NoAPIError
from ..models import read_id
from ..policies import PollPolicy

ACCOUNT_STRIKES = 2
"""How many polls in a row must blame the account before it is believed: a single one has been
seen to be a passing fault of a gateway."""

BAD_POLL_DELAY = 1.0
BAD_POLL_CAP = 30.0
"""The backoff between bad polls, in seconds; ten of them last about three minutes."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """The service answered; ids that are not in ``statuses`` are unknown to it (yet)."""

    statuses: Mapping[str, TaskStatus]


@dataclass(frozen=True, slots=True)
class Bisect:
    """The batch was refused because of one of its ids: ask again in halves."""


@dataclass(frozen=True, slots=True)
class IdRejected:
    """This one id is refused; nobody else is concerned."""

    error: APIError


@dataclass(frozen=True, slots=True)
class Throttled:
    """429: the limiter pauses everybody; it counts neither for nor against the service."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A poll that says nothing: a cut, a timeout, a 5xx, unreadable bytes."""

    detail: str


@dataclass(frozen=True, slots=True)
class AccountTrouble:
    """The token or the address is refused."""

    error: APIError


Reading = Statuses | Bisect | IdRejected | Throttled | Unusable | AccountTrouble


def read_poll(answer: Answer, ids: Sequence[str]) -> Reading:
    """What the answer to `poll_body` says."""
    if isinstance(answer, Failure):
        return Unusable(answer.detail)
    if 200 <= answer.status < 300:
        return _read_items(answer, ids)
    if answer.status == 429:
        return Throttled()
    alone = ids[0] if len(ids) == 1 else None
    error = api_error(answer, task_id=alone, may_have_cost=True)
    # Reading is free, so a word about the balance says nothing about a poll.
    blames_account = isinstance(error, NoAPIError | AccountError)
    if blames_account and not isinstance(error, InsufficientBalanceError):
        return AccountTrouble(error)
    if answer.status not in (400, 404) or error_body(parse_object(answer)) is None:
        return Unusable(gist(answer))
    if alone is None:
        return Bisect()
    return Statuses({}) if answer.status == 404 else IdRejected(error)


def _read_items(reply: Reply, ids: Sequence[str]) -> Reading:
    fields = parse_object(reply)
    items = None if fields is None else fields.get("items")
    if len(ids) == 1 and items is None:
        items = _single(fields, ids[0])
    if not isinstance(items, list):
        return Unusable(gist(reply))
    return Statuses(_standings(items, frozenset(ids)))


def _single(fields: dict[str, Any] | None, task_id: str) -> list[Any] | None:
    """The record that a single retrieve answers; an unknown one may come back as ``{}``."""
    if not fields:
        return None if fields is None else []
    is_record = "id" in fields or "response" in fields
    return [{"id": task_id} | fields] if is_record else None


def _standings(items: list[Any], asked: frozenset[str]) -> dict[str, TaskStatus]:
    """Items may come in any order, repeat, or be none of ours (the vendor's tasks guide)."""
    found: dict[str, TaskStatus] = {}
    for item in items:
        task_id = read_id(item.get("id")) if isinstance(item, dict) else None
        if task_id in asked:
            event = read_response(item.get("response"), task_id=task_id)
            found[task_id] = advance(found[task_id], event) if task_id in found else event
    return found


@dataclass(frozen=True, slots=True)
class Health:
    """How the polls have fared lately.

    Attributes:
        bad: how many in a row were of no use.
        accused: how many in a row, up to the last one, blamed the account.
        since: when the last of them was noted, in monotonic seconds.
    """

    bad: int = 0
    accused: int = 0
    since: float = float("-inf")


def examine(health: Health, reading: Reading, *, started: float, now: float) -> Health:
    """The polls' health after one more reading.

    Polls that were under way together when the service failed are one failure: one that
    ``started`` before the last failure was noted does not count again.
    """
    if isinstance(reading, Statuses | Bisect | IdRejected):
        return Health()
    if isinstance(reading, Throttled) or started < health.since:
        return health
    if isinstance(reading, AccountTrouble):
        return Health(bad=health.bad + 1, accused=health.accused + 1, since=now)
    return Health(bad=health.bad + 1, since=now)


def is_hopeless(health: Health, policy: PollPolicy) -> bool:
    """Whether the waits must end now."""
    return health.bad >= policy.max_failed_polls or health.accused >= ACCOUNT_STRIKES


def poll_backoff(health: Health, *, u: float) -> float:
    """Seconds to leave the service alone after a bad poll."""
    if not health.bad:
        return 0.0
    return backoff(health.bad, first=BAD_POLL_DELAY, cap=BAD_POLL_CAP, u=u)
