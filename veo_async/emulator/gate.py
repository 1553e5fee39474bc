"""Who is let in: the token, the rate, the balance, the rules about content."""

from __future__ import annotations

import re
from collections import deque
from email.utils import formatdate
from typing import Any

from .clock import Clock
from .errors import ServiceError
from .options import Account, Limits


class Window:
    """At most ``per_second`` calls in any second of the caller's time; ``None`` lets all pass."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._times: deque[float] = deque()

    def admits(self, now: float) -> bool:
        if self._per_second is None:
            return True
        span = max(1.0, 1.0 / self._per_second)
        while self._times and self._times[0] <= now - span:
            self._times.popleft()
        if len(self._times) >= max(1.0, self._per_second):
            return False
        self._times.append(now)
        return True


class Gate:
    """Refuses calls as the documents say, in the order: token, rate, content, balance, cap."""

    def __init__(self, account: Account, limits: Limits, clock: Clock) -> None:
        self._account, self._limits, self._clock = account, limits, clock
        self._moderation = re.compile(account.moderation) if account.moderation else None
        self._windows = {
            "videos": Window(limits.submits_per_second),
            "tasks": Window(limits.polls_per_second),
        }

    def identify(self, authorization: str | None) -> None:
        """Raises: ServiceError: no token, a wrong one, or one whose account is refused."""
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

    def pace(self, api: str) -> None:
        """Raises: ServiceError: too many calls to this API in the last second."""
        if not self._windows[api].admits(self._clock.monotonic()):
            raise self._too_many()

    def admit(self, body: dict[str, Any], bought: int, in_flight: int) -> None:
        """Raises: ServiceError: the content, the balance or the cap forbids this submit."""
        if self._moderation and self._moderation.search(body.get("prompt") or ""):
            raise ServiceError("content_refused")
        if self._account.balance is not None and bought >= self._account.balance:
            raise ServiceError("used_up")
        if self._limits.in_flight is not None and in_flight >= self._limits.in_flight:
            raise self._too_many()

    @property
    def capped(self) -> bool:
        return self._limits.in_flight is not None

    def _too_many(self) -> ServiceError:
        after = self._limits.retry_after
        if after is None:
            return ServiceError("too_many_requests")
        if isinstance(after, str):
            text = after
        elif self._limits.as_date:
            text = formatdate(self._clock.now() + after, usegmt=True)
        else:
            text = f"{after:g}"
        return ServiceError("too_many_requests", headers={"retry-after": text})
