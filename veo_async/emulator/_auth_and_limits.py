"""Authentication and limits: the token, the rate, the content, the balance, the tasks in flight."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from random import Random
from typing import Any

from ._clock import Clock
from ._errors import ServiceError
from ._options import Account, Limits


class RateWindow:
    """Allows ``per_second`` calls in any second of the caller's time; ``None`` allows all."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._times: deque[float] = deque()

    def has_room(self, now: float) -> bool:
        """True if one more call is allowed now."""
        if self._per_second is None:
            return True
        span = max(1.0, 1.0 / self._per_second)
        while self._times and self._times[0] <= now - span:
            self._times.popleft()
        return len(self._times) < max(1.0, self._per_second)

    def note(self, now: float) -> None:
        """Count a call."""
        if self._per_second is not None:
            self._times.append(now)


class Admission:
    """Refuses calls as documented, in this order: token, rate, content, balance, in flight."""

    def __init__(self, account: Account, limits: Limits, clock: Clock, rng: Random) -> None:
        self._account, self._limits, self._clock, self._rng = account, limits, clock, rng
        self._moderation = re.compile(account.moderation) if account.moderation else None
        both = RateWindow(limits.per_second)
        self._windows = {
            "videos": (RateWindow(limits.submits_per_second), both),
            "tasks": (RateWindow(limits.polls_per_second), both),
        }

    def check_call(self, api: str, authorization: str | None) -> None:
        """Check the token and the rate of a call to ``videos`` or ``tasks``, and count it.

        Raises:
            ServiceError: the token is refused, or the rate is exceeded.
        """
        self._check_token(authorization)
        self._check_rate(api)

    def _check_token(self, authorization: str | None) -> None:
        if authorization is None or not authorization.strip():
            raise ServiceError("no_token")
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            raise ServiceError("invalid_token")
        if not token:
            raise ServiceError("no_token")
        if token in self._account.refused:
            raise ServiceError(self._account.refused[token])
        if self._account.token is not None and token != self._account.token:
            raise ServiceError("invalid_token")

    def _check_rate(self, api: str) -> None:
        now, windows = self._clock.monotonic(), self._windows[api]
        if not all(window.has_room(now) for window in windows):
            raise self._too_many()
        for window in windows:
            window.note(now)

    def check_submit(self, body: dict[str, Any], bought: int, in_flight: Callable[[], int]) -> None:
        """Check a valid submit against the account.

        Args:
            body: the submit.
            bought: the number of videos that were bought before.
            in_flight: counts the unfinished tasks; called only if they are limited.

        Raises:
            ServiceError: the prompt is refused, the balance is used up, or too many tasks are in
                flight.
        """
        if self._moderation and self._moderation.search(body.get("prompt") or ""):
            raise ServiceError("content_refused")
        if self._account.balance is not None and bought >= self._account.balance:
            raise ServiceError("used_up")
        if self._limits.in_flight is not None and in_flight() >= self._limits.in_flight:
            raise self._too_many()

    def _too_many(self) -> ServiceError:
        after = self._limits.retry_after
        if after is None or self._rng.random() < self._limits.silent:
            return ServiceError("too_many_requests")
        if isinstance(after, str):
            text = after
        elif self._limits.as_date:
            text = formatdate(self._clock.now() + after, usegmt=True)
        else:
            text = f"{after:g}"
        return ServiceError("too_many_requests", headers={"retry-after": text})
