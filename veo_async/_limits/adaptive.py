"""Learning from 429s: about the rate, about the cap on generations in flight, and about polls.

The service does not say which of them was exceeded. A poll starts no generation, so a 429 to a
poll is about the rate, or about the rate of polls alone if as many polls as ever passed a second
had just passed. A 429 to a submit is about the rate if requests were sent nearly as fast as
the fastest rate that ever passed, and faster than the learned rate. Otherwise it is about the cap.

A wrong verdict does not last. If the rate was blamed for the cap, the pause leaves the rate unused,
so the next refusal comes at a speed that cannot be the reason. If the cap was blamed for the rate,
the first probes disprove it.
"""

from __future__ import annotations

from math import inf
from typing import Literal, TypeAlias

from .._wire.requests import Lane
from ..policies import RateLimit
from . import in_flight_cap, rate_and_pause

AS_FAST = 0.8
"""From this part of the fastest rate that passed, the rate may be the reason of a 429. One request
a second less than that rate may be, too, since requests in a second are whole numbers."""

COARSE = 5
"""Below this many requests a second a measurement may be wrong by a fifth and more, so a client
that keeps the learned rate may still be too fast."""

IN_USE = 0.5
"""From this part of the learned rate, good answers show that the rate could be higher. An unused
limit is kept: good answers prove nothing about it while something else limits the client."""

SURPRISE = 0.8
"""The part of the fastest rate that is kept when the cap did not predict a refusal: if the rate was
the reason after all, the service's limit is lower now."""

POLLS = 0.5
LEAST_POLLS = 10.0
"""The part of the requests a second that passed which polls may use, and the least that they may
before it is known."""

AHEAD = 0.1
MOST_AHEAD = 32
"""A submit may prepare before its turn if that comes within `AHEAD` seconds; at most `MOST_AHEAD`
submits may do so at once."""


Blame: TypeAlias = Literal["rate", "polls", "cap"]


class AdaptiveLimits:
    """The caller's own limits on rate and number in flight, and those that were learned."""

    def __init__(self, limit: RateLimit) -> None:
        self.pace = rate_and_pause.RateState.of(limit)
        self.polls = rate_and_pause.RateState(interval=0.0, slack=0.0, adaptive=limit.adaptive)
        self.cap = in_flight_cap.Cap()
        self._most = limit.in_flight
        self._traffic = rate_and_pause.Traffic()
        self._proven = 0.0
        self._polls_passed = rate_and_pause.Traffic()
        self._proven_polls = 0
        self._blamed: Blame | None = None

    def delay(self, now: float, lane: Lane = "submit") -> float:
        """Seconds until the next request of this lane may go; 0 if it may go now."""
        delay = rate_and_pause.delay(self.pace, now)
        return delay if lane == "submit" else max(delay, rate_and_pause.delay(self.polls, now))

    def take(self, now: float, lane: Lane = "submit") -> None:
        """Note that a request is sent now."""
        self.pace = rate_and_pause.take(self.pace, now)
        self._traffic.sent(now)
        if lane == "poll":
            self.polls = rate_and_pause.take(self.polls, now)
            self._polls_passed.sent(now)

    @property
    def polls_per_second(self) -> float:
        """The polls a second that the service was seen to allow beside the submits."""
        requests = self.pace.learned or self._proven
        most = max(POLLS * requests, LEAST_POLLS)
        return min(most, self.polls.learned or most)

    def room(self, *, held: int, running: int, now: float) -> float:
        """Seconds until one more submit has room in flight; see `in_flight_cap.room`."""
        if self._most is not None and held >= self._most:
            return inf
        return in_flight_cap.room(self.cap, held=held, running=running, now=now)

    def ahead(self, now: float) -> int:
        """The number of submits that may prepare before their turn.

        It is 0 if the service is slow or has refused something: the preparation would be outdated
        or useless when the turn comes.
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
        """Learn from a 429.

        Args:
            lane: the kind of the request.
            sent: when it was sent, in monotonic seconds.
            now: monotonic seconds.
            running: the number of accepted and unfinished generations.
            retry_after: the pause that the service asked for, in seconds.
            u: a random number in [0, 1).
        """
        old = rate_and_pause.belongs_to_the_pause(self.pace, sent)
        self.pace = rate_and_pause.pause(
            self.pace, sent=sent, now=now, retry_after=retry_after, u=u
        )
        self._traffic.refused(sent)
        if lane == "poll":
            self._polls_passed.refused(sent)
        if not self.pace.adaptive:
            return
        speed, polls = self._traffic.speed(sent), self._polls_passed.speed(sent)
        if not old:
            self._blamed = self._blame(lane, speed, polls, running, now)
            self._learn(speed, polls, running, now)
        # Requests that were sent together with the first refused one did not pass either.
        elif self._blamed == "polls" and lane == "poll":
            self.polls = rate_and_pause.correct(self.polls, speed=polls)
        elif self._blamed == "rate" and self.pace.learned:
            self.pace = rate_and_pause.correct(self.pace, speed=speed)

    def _blame(self, lane: Lane, speed: int, polls: int, running: int, now: float) -> Blame:
        if lane == "poll":
            return "polls" if 0 < polls >= self._proven_polls else "rate"
        if speed < AS_FAST * self._proven and not 0 < speed >= self._proven - 1:
            return "cap"
        obeyed = now < self.pace.raise_at and speed >= COARSE
        return "cap" if obeyed and in_flight_cap.foretold(self.cap, running) else "rate"

    def _learn(self, speed: int, polls: int, running: int, now: float) -> None:
        if self._blamed == "polls":
            self._proven_polls = polls
            self.polls = rate_and_pause.lower(self.polls, speed=polls, now=now)
            return
        if self._blamed == "rate":
            self._proven = speed or self._proven
            self.pace = rate_and_pause.lower(self.pace, speed=speed, now=now)
            return
        if not in_flight_cap.foretold(self.cap, running):
            self._proven *= SURPRISE
        self.cap = in_flight_cap.refused(self.cap, running=running, now=now)

    def answered(self, *, sent: float, now: float, lane: Lane = "submit") -> None:
        """Learn from a good answer to a request that was ``sent`` then."""
        if lane == "poll":
            polls = self._polls_passed.speed(sent)
            self._proven_polls = max(self._proven_polls, polls)
            in_use = polls >= IN_USE * (self.polls.learned or 0.0)
            self.polls = rate_and_pause.recover(self.polls, now, in_use=in_use)
        speed = self._traffic.speed(sent)
        self._proven = max(self._proven, speed)
        in_use = speed >= IN_USE * (self.pace.learned or 0.0)
        self.pace = rate_and_pause.recover(self.pace, now, in_use=in_use)

    def accepted(self, *, running: int, now: float) -> None:
        """Learn from an accepted submit; ``running`` includes it."""
        self.cap = in_flight_cap.accepted(self.cap, running=running, now=now)
