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

SLOWEST = 5.0
"""The widest spacing that repeated 429s lead to, in seconds."""

BRAKE = 2.0
"""What a 429 multiplies the spacing by."""

FIRST_SPACING = 0.05
"""The spacing after the first 429, in seconds: 20 requests a second."""

RECOVERY = 0.98
"""What a good answer multiplies the spacing by: 35 of them win back what one 429 took."""

FREE = 0.005
"""Spacing below this is no spacing: 200 requests a second."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast requests may go.

    Attributes:
        interval: seconds between two requests by the caller's own limit; 0 is no limit.
        slack: by how many seconds a request may be early, which is what a burst is.
        adaptive: whether a 429 changes the spacing.
        arrival: the theoretical arrival time of the next request, in monotonic seconds.
        paused_until: nobody sends before this time.
        strikes: pauses in a row without a good answer between them.
        learned: seconds between two requests as the 429s taught.
    """

    interval: float
    slack: float
    adaptive: bool = True
    arrival: float = float("-inf")
    paused_until: float = float("-inf")
    strikes: int = 0
    learned: float = 0.0

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
    spacing = max(pace.interval, pace.learned)
    return replace(pace, arrival=max(pace.arrival, now) + spacing) if spacing else pace


def throttled(pace: Pace, *, now: float, retry_after: float | None, u: float) -> Pace:
    """The pace after a 429.

    Answers to requests that were under way together belong to one refusal: while the pause
    lasts, a further 429 can lengthen it, but slows nothing down again.
    """
    if now < pace.paused_until:
        return replace(pace, paused_until=max(pace.paused_until, now + (retry_after or 0.0)))
    strikes = pace.strikes + 1
    pause = backoff(strikes, first=FIRST_PAUSE, cap=LONGEST_PAUSE, u=u)
    learned = min(max(pace.learned * BRAKE, FIRST_SPACING), SLOWEST) if pace.adaptive else 0.0
    until = now + (retry_after or pause)  # "at once" is no answer to the one who was just refused
    return replace(pace, paused_until=until, strikes=strikes, learned=learned)


def succeeded(pace: Pace) -> Pace:
    """The pace after a good answer."""
    if not (pace.strikes or pace.learned):
        return pace
    learned = pace.learned * RECOVERY
    return replace(pace, strikes=0, learned=learned if learned >= FREE else 0.0)
