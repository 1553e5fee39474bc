"""The arithmetic of the rate: spacing, and the one pause that everybody keeps after a 429.

Spacing is GCRA, the generic cell rate algorithm: one number, the theoretical arrival time of the
next request, holds all that has to be remembered.

How fast the service lets requests go is measured, not guessed: when it refuses one, as many as it
let pass in the second before are its limit. The learned rate stays a little below that, and goes
beyond it only after a while that grows each time the service refuses at the same rate again.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from .._base.backoff import backoff
from ..policies import RateLimit

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""The pause after a 429 that does not say how long to wait, in seconds: from, to."""

BRAKE = 0.95
"""The part of the measured rate that is left after a 429: what was measured is right to within
one request a second where the service counts in seconds."""

FIRST_HOLD = 2.0
LONGEST_HOLD = 60.0
"""Seconds for which a learned rate stays as it is: from, to, doubled while it proves right."""

RECOVERY = 0.05
"""Requests a second that a good answer wins back once that time is over. At any rate this is a
twentieth a second at first; it grows with the seconds for which the service does not refuse."""

SLOWEST = 0.5
FREE = 500.0
"""The learned rate in requests a second: it is never below the first, and beyond the second it
limits nothing."""

FIRST_STEP = 0.1
"""Seconds from the first request after a pause to the second; from each to the next it is half as
long. So a crowd that waited does not come back as one, whenever its answers come."""

SECOND = 1.0
KEPT = 4096


@dataclass(frozen=True, slots=True)
class RateState:
    """How fast requests may go.

    Attributes:
        interval: seconds between two requests by the caller's own limit; 0 is no limit.
        slack: by how many seconds a request may be early, which is what a burst is.
        adaptive: whether a 429 changes the rate.
        arrival: the theoretical arrival time of the next request, in monotonic seconds.
        paused_since, paused_until: the last pause; nobody sends before its end.
        strikes: pauses in a row without a good answer between them.
        silences: those of them for which the service did not say how long.
        steps: how many requests went since the pause.
        learned: requests a second as the 429s taught; ``None`` until there was one.
        ceiling: the rate at which the last 429 came.
        hold: for how long the learned rate stays as it is after a 429.
        raise_at: when it may grow again.
    """

    interval: float
    slack: float
    adaptive: bool = True
    arrival: float = float("-inf")
    paused_since: float = float("-inf")
    paused_until: float = float("-inf")
    strikes: int = 0
    silences: int = 0
    steps: int = 0
    learned: float | None = None
    ceiling: float = 0.0
    hold: float = FIRST_HOLD
    raise_at: float = float("-inf")

    @classmethod
    def of(cls, limit: RateLimit) -> RateState:
        """The pace before anything was sent."""
        interval = 1.0 / limit.per_second if limit.per_second else 0.0
        return cls(interval, slack=interval * (limit.burst - 1), adaptive=limit.adaptive)


def delay(pace: RateState, now: float) -> float:
    """Seconds until the next request may go; 0 if it may go now."""
    return max(pace.arrival - pace.slack - now, pace.paused_until - now, 0.0)


def take(pace: RateState, now: float) -> RateState:
    """The pace after a request that goes now."""
    spacing = pace.interval
    if pace.adaptive:
        step = FIRST_STEP * 0.5**pace.steps if pace.strikes or pace.learned else 0.0
        spacing = max(spacing, 1.0 / pace.learned if pace.learned else 0.0, step)
    if not spacing:
        return pace  # nothing limits, so there is nothing to remember
    arrival = max(pace.arrival, now) + spacing
    return replace(pace, arrival=arrival, steps=min(pace.steps + 1, 64))


def belongs_to_the_pause(pace: RateState, sent: float) -> bool:
    """Whether a request that was sent then was under way when the pause began: refusals of such
    requests are one event."""
    return sent <= pace.paused_since


def paused(
    pace: RateState, *, sent: float, now: float, retry_after: float | None, u: float
) -> RateState:
    """The pace after a 429 to a request that was sent at ``sent``.

    One to a request that was under way when the pause began can lengthen the pause, as far as its
    own ``retry_after`` reaches, and is no reason for another.
    """
    if belongs_to_the_pause(pace, sent):
        return replace(pace, paused_until=max(pace.paused_until, now + (retry_after or 0.0)))
    # "At once" is no answer to the one who was just refused.
    silences = pace.silences + (not retry_after)
    pause = retry_after or backoff(silences, first=FIRST_PAUSE, cap=LONGEST_PAUSE, u=u)
    until = max(pace.paused_until, now + pause)
    # What was saved up before must not go as a burst after it.
    return replace(
        pace,
        paused_since=now,
        paused_until=until,
        arrival=max(pace.arrival, until + pace.slack),
        strikes=pace.strikes + 1,
        silences=silences,
        steps=0,
    )


def slowed(pace: RateState, *, speed: float, now: float) -> RateState:
    """The pace once the rate is known to be the reason of a 429; ``speed`` is how many requests
    the service let pass in the second before. If it was none, no slower rate would have done:
    that is what pauses are for."""
    if not speed:
        return pace
    learned = max(min(speed, pace.learned or speed) * BRAKE, SLOWEST)
    confirmed = 0.8 * pace.ceiling <= speed <= 1.25 * pace.ceiling
    hold = min(pace.hold * 2.0, LONGEST_HOLD) if confirmed else FIRST_HOLD
    return replace(pace, learned=learned, ceiling=speed, hold=hold, raise_at=now + hold)


def corrected(pace: RateState, *, speed: float) -> RateState:
    """The pace once some of those that seemed to have passed are refused too."""
    learned = max(min(pace.learned or speed, speed * BRAKE), SLOWEST)
    return replace(pace, learned=learned, ceiling=min(pace.ceiling, speed))


def succeeded(pace: RateState, now: float, *, in_use: bool = True) -> RateState:
    """The pace after a good answer; ``in_use`` says whether requests went about as fast as the
    learned rate allows."""
    if pace.learned is None or now < pace.raise_at or not in_use:
        return replace(pace, strikes=0, silences=0) if pace.strikes else pace
    learned = pace.learned + RECOVERY * (1.0 + now - pace.raise_at)
    return replace(pace, strikes=0, silences=0, learned=learned if learned < FREE else None)


class Traffic:
    """When requests were sent that the service did not refuse: so many let it pass."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def sent(self, now: float) -> None:
        """A request goes now."""
        self._times.append(now)
        if len(self._times) > KEPT:
            del self._times[: KEPT // 2]

    def refused(self, sent: float) -> None:
        """The last one that went before it was sent, a moment later, did not pass."""
        index = bisect_right(self._times, sent) - 1
        if index >= 0:
            del self._times[index]

    def speed(self, at: float) -> int:
        """How many passed in the second up to then."""
        return bisect_right(self._times, at) - bisect_right(self._times, at - SECOND)
