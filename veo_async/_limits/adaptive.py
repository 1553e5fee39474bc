"""What a 429 teaches: of the rate, or of the cap on generations in flight.

The service does not say which of them was exceeded. A poll takes no place, so a 429 to a poll is
about the rate. One to a submit is about the rate if requests went nearly as fast as ever passed
before it, and faster than what was learned since; else about the cap.

A wrong verdict does not last. The pause that follows leaves the rate unused: if the cap was the
reason, the next submit is refused at a rate that cannot be. And a cap that was blamed wrongly is
disproved by the first probes.
"""

from __future__ import annotations

from math import inf
from typing import Literal

from .._wire.requests import Lane
from ..policies import RateLimit
from . import in_flight_cap, rate

AS_FAST = 0.8
"""From this part of the fastest rate that passed, the rate may be the reason of a 429; one
request a second less may be too, since a second holds whole ones."""

COARSE = 5
"""Below so many requests a second what was measured may be wrong by a fifth and more, so that
even who keeps the learned rate may be too fast."""

IN_USE = 0.5
"""From this part of the learned rate, good answers show that it could be higher. An unused limit
is kept: it would be wrong to forget it while something else is what limits."""

SURPRISE = 0.8
"""What is left of that fastest rate when the cap did not foretell a refusal: if it was the rate
after all, the service's limit is lower by now."""

AHEAD = 0.1
MOST_AHEAD = 32
"""Submits may get ready before their turn as far as it comes within so many seconds, and no more of
them than this."""


class AdaptiveLimits:
    """How fast and how many: the caller's own limits, and those that were learned."""

    def __init__(self, limit: RateLimit) -> None:
        self.pace = rate.RateState.of(limit)
        self.cap = in_flight_cap.Cap()
        self._most = limit.in_flight
        self._traffic = rate.Traffic()
        self._proven = 0.0
        self._blamed: Literal["rate", "cap"] | None = None

    def delay(self, now: float) -> float:
        """Seconds until the next request may go; 0 if it may go now."""
        return rate.delay(self.pace, now)

    def take(self, now: float) -> None:
        """A request goes now."""
        self.pace = rate.take(self.pace, now)
        self._traffic.sent(now)

    def room(self, *, held: int, running: int, now: float) -> float:
        """Seconds until there is room for one more submit: see `cap.room`."""
        if self._most is not None and held >= self._most:
            return inf
        return in_flight_cap.room(self.cap, held=held, running=running, now=now)

    def ahead(self, now: float) -> int:
        """How many submits may get ready before their turn comes.

        None where the service answers slowly, or has refused something: what was made ready would
        be old, or would be in vain.
        """
        refused = self.pace.strikes or self.pace.learned or self.cap.learned
        return 0 if refused else min(int(self._traffic.speed(now) * AHEAD), MOST_AHEAD)

    def refused(
        self,
        lane: Lane,
        *,
        sent: float,
        now: float,
        running: int,
        retry_after: float | None,
        u: float,
    ) -> None:
        """A request that was ``sent`` then was answered with 429.

        Args:
            lane: what it was.
            sent, now: monotonic seconds.
            running: generations that are accepted and unfinished.
            retry_after: what the service asked for, in seconds.
            u: luck in [0, 1).
        """
        old = rate.belongs_to_the_pause(self.pace, sent)
        self.pace = rate.paused(self.pace, sent=sent, now=now, retry_after=retry_after, u=u)
        self._traffic.refused(sent)
        if not self.pace.adaptive:
            return
        speed = self._traffic.speed(sent)
        if not old:
            self._blamed = self._blame(lane, speed, running, now)
            self._learn(speed, running, now)
        elif self._blamed == "rate" and self.pace.learned:
            # Those that went together with the first one did not pass either.
            self.pace = rate.corrected(self.pace, speed=speed)

    def _blame(self, lane: Lane, speed: int, running: int, now: float) -> Literal["rate", "cap"]:
        if lane == "poll":
            return "rate"
        if speed < AS_FAST * self._proven and not 0 < speed >= self._proven - 1:
            return "cap"
        obeyed = now < self.pace.raise_at and speed >= COARSE
        return "cap" if obeyed and in_flight_cap.foretold(self.cap, running) else "rate"

    def _learn(self, speed: int, running: int, now: float) -> None:
        if self._blamed == "rate":
            self._proven = speed or self._proven
            self.pace = rate.slowed(self.pace, speed=speed, now=now)
            return
        if not in_flight_cap.foretold(self.cap, running):
            self._proven *= SURPRISE
        self.cap = in_flight_cap.refused(self.cap, running=running, now=now)

    def answered(self, *, sent: float, now: float) -> None:
        """A request that was ``sent`` then got a good answer."""
        speed = self._traffic.speed(sent)
        self._proven = max(self._proven, speed)
        in_use = speed >= IN_USE * (self.pace.learned or 0.0)
        self.pace = rate.succeeded(self.pace, now, in_use=in_use)

    def accepted(self, *, running: int, now: float) -> None:
        """A submit was accepted; so many are running now, itself included."""
        self.cap = in_flight_cap.accepted(self.cap, running=running, now=now)
