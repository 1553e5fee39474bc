"""The arithmetic of the rate: spacing, and the one pause that everybody keeps after a 429.

Spacing is GCRA, the generic cell rate algorithm: one number, the theoretical arrival time of the
next request, holds all that has to be remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..policies import RateLimit
from .backoff import backoff

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""The pause after a 429 that does not say how long to wait, in seconds: from, to."""

BRAKE = 0.75
"""The part of the rate that is left after a 429."""

RECOVERY = 0.25
"""Requests a second that a good answer wins back: at a limit of 50 a second, a fiftieth of the
answers is then a 429; where a tenth of all answers is one by chance, nine a second still go."""

SLOWEST = 0.5
FREE = 500.0
"""The learned rate in requests a second: it is never below the first, and beyond the second it
limits nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast requests may go.

    Attributes:
        interval: seconds between two requests by the caller's own limit; 0 is no limit.
        slack: by how many seconds a request may be early, which is what a burst is.
        adaptive: whether a 429 changes the rate.
        arrival: the theoretical arrival time of the next request, in monotonic seconds.
        paused_until: nobody sends before this time.
        strikes: pauses in a row without a good answer between them.
        learned: requests a second as the 429s taught; ``None`` until there was one.
        second, sent: since when the present second runs, and how many requests went in it.
        speed: how many went in the second before.
    """

    interval: float
    slack: float
    adaptive: bool = True
    arrival: float = float("-inf")
    paused_until: float = float("-inf")
    strikes: int = 0
    learned: float | None = None
    second: float = float("-inf")
    sent: int = 0
    speed: int = 0

    @classmethod
    def of(cls, limit: RateLimit) -> Pace:
        """The pace before anything was sent."""
        interval = 1.0 / limit.per_second if limit.per_second else 0.0
        return cls(interval, slack=interval * (limit.burst - 1), adaptive=limit.adaptive)


def delay(pace: Pace, now: float) -> float:
    """Seconds until the next request may go; 0 if it may go now."""
    return max(pace.arrival - pace.slack - now, pace.paused_until - now, 0.0)


def take(pace: Pace, now: float) -> Pace:
    """The pace after a request that goes now."""
    if now >= pace.second + 1.0:
        speed = pace.sent if now < pace.second + 2.0 else 0
        pace = replace(pace, second=now, sent=0, speed=speed)
    spacing = max(pace.interval, 1.0 / pace.learned if pace.learned else 0.0)
    return replace(pace, arrival=max(pace.arrival, now) + spacing, sent=pace.sent + 1)


def throttled(pace: Pace, *, now: float, retry_after: float | None, u: float) -> Pace:
    """The pace after a 429.

    Answers to requests that were under way together belong to one refusal: while the pause
    lasts, a further 429 can lengthen it, but slows nothing down again.
    """
    if now < pace.paused_until:
        return replace(pace, paused_until=max(pace.paused_until, now + (retry_after or 0.0)))
    strikes = pace.strikes + 1
    pause = backoff(strikes, first=FIRST_PAUSE, cap=LONGEST_PAUSE, u=u)
    until = now + (retry_after or pause)  # "at once" is no answer to the one who was just refused
    pace = replace(pace, paused_until=until, strikes=strikes)
    if not pace.adaptive:
        return pace
    rate = pace.learned or float(max(pace.speed, pace.sent))
    return replace(pace, learned=max(rate * BRAKE, SLOWEST))


def succeeded(pace: Pace) -> Pace:
    """The pace after a good answer."""
    if not (pace.strikes or pace.learned):
        return pace
    learned = (pace.learned or FREE) + RECOVERY
    return replace(pace, strikes=0, learned=learned if learned < FREE else None)
