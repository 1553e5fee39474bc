"""Who is let in: the token, the rate, the balance, the rules about content."""

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
    """At most ``per_second`` calls in any second of the caller's time; ``None`` lets all pass."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._times: deque[float] = deque()

    def has_room(self, now: float) -> bool:
        if self._per_second is None:
            return True
        span = max(1.0, 1.0 / self._per_second)
        while self._times and self._times[0] <= now - span:
            self._times.popleft()
        return len(self._times) < max(1.0, self._per_second)

    def note(self, now: float) -> None:
        if self._per_second is not None:
            self._times.append(now)


class Admission:
    """Refuses calls as the documents say, in the order: token, rate, content, balance, cap."""

    def __init__(self, account: Account, limits: Limits, clock: Clock, luck: Random) -> None:
        self._account, self._limits, self._clock, self._luck = account, limits, clock, luck
        self._moderation = re.compile(account.moderation) if account.moderation else None
        both = RateWindow(limits.per_second)
        self._windows = {
            "videos": (RateWindow(limits.submits_per_second), both),
            "tasks": (RateWindow(limits.polls_per_second), both),
        }

    def check_call(self, api: str, authorization: str | None) -> None:
        """Raises: ServiceError: the token is refused, or too many calls came in the last second."""
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
        """Raises: ServiceError: the content, the balance or the cap forbids this submit."""
        if self._moderation and self._moderation.search(body.get("prompt") or ""):
            raise ServiceError("content_refused")
        if self._account.balance is not None and bought >= self._account.balance:
            raise ServiceError("used_up")
        if self._limits.in_flight is not None and in_flight() >= self._limits.in_flight:
            raise self._too_many()

    def _too_many(self) -> ServiceError:
        after = self._limits.retry_after
        if after is None or self._luck.random() < self._limits.silent:
            return ServiceError("too_many_requests")
        if isinstance(after, str):
            text = after
        elif self._limits.as_date:
            text = formatdate(self._clock.now() + after, usegmt=True)
        else:
            text = f"{after:g}"
        return ServiceError("too_many_requests", headers={"retry-after": text})
