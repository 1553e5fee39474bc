"""The arithmetic of the rate: spacing between requests, and one pause for all after a 429.

Spacing is GCRA, the generic cell rate algorithm: its whole state is one number, the theoretical
arrival time of the next request.

The service's rate is measured, not guessed: when it refuses a request, the number that passed in
the second before is its limit. The learned rate stays a little below that limit. It exceeds it only
after a hold, which grows each time the service refuses at the same rate again.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from .._base.backoff import backoff
from ..policies import RateLimit

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""The first and the longest pause, in seconds, after a 429 that does not say how long to wait."""

BRAKE = 0.95
"""The part of the measured rate that is kept after a 429: the measurement is exact to within one
request a second if the service counts in seconds."""

FIRST_HOLD = 2.0
LONGEST_HOLD = 60.0
"""The first and the longest hold: seconds for which a learned rate stays as it is. The hold doubles
each time the rate proves right."""

RECOVERY = 0.05
"""Requests a second by which a good answer raises the rate after the hold. So at any rate it first
grows by a twentieth a second; the raise grows with the seconds without a refusal."""

SLOWEST = 0.5
FREE = 500.0
"""Bounds of the learned rate in requests a second: it is never below `SLOWEST`, and it is dropped
beyond `FREE`."""

FIRST_STEP = 0.1
"""Seconds from the first request after a pause to the second; each further step is half as long. So
requests that waited for the end of a pause are not sent all at once."""

SECOND = 1.0
KEPT = 4096


@dataclass(frozen=True, slots=True)
class RateState:
    """The state of the rate. All times are monotonic seconds.

    Attributes:
        interval: seconds between two requests by the caller's own limit; 0 is no limit.
        slack: by how many seconds a request may be early, which allows a burst.
        adaptive: whether a 429 changes the rate.
        arrival: the theoretical arrival time of the next request.
        paused_since, paused_until: the latest pause; no request is sent before its end.
        strikes: consecutive pauses without a good answer between them.
        silences: those of them for which the service did not say how long to wait.
        steps: requests that were sent since the pause.
        learned: requests a second, learned from 429s; ``None`` before the first one.
        ceiling: the rate at which the latest 429 came.
        hold: seconds for which the learned rate stays as it is after a 429.
        raise_at: when the learned rate may grow again.
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
        """The state before the first request."""
        interval = 1.0 / limit.per_second if limit.per_second else 0.0
        return cls(interval, slack=interval * (limit.burst - 1), adaptive=limit.adaptive)


def delay(state: RateState, now: float) -> float:
    """Seconds until the next request may be sent; 0 if it may be sent now."""
    return max(state.arrival - state.slack - now, state.paused_until - now, 0.0)


def take(state: RateState, now: float) -> RateState:
    """The state after a request that is sent now."""
    spacing = state.interval
    if state.adaptive:
        step = FIRST_STEP * 0.5**state.steps if state.strikes or state.learned else 0.0
        spacing = max(spacing, 1.0 / state.learned if state.learned else 0.0, step)
    if not spacing:
        return state  # without a limit there is nothing to remember
    arrival = max(state.arrival, now) + spacing
    return replace(state, arrival=arrival, steps=min(state.steps + 1, 64))


def belongs_to_the_pause(state: RateState, sent: float) -> bool:
    """True if a request that was ``sent`` then was under way when the pause began. The refusals of
    all such requests are one event."""
    return sent <= state.paused_since


def pause(
    state: RateState, *, sent: float, now: float, retry_after: float | None, u: float
) -> RateState:
    """The state after a 429 to a request that was ``sent`` then.

    If the request was under way when the pause began, the 429 starts no new pause. It can only
    lengthen the current one, as far as its own ``retry_after`` reaches.
    """
    if belongs_to_the_pause(state, sent):
        return replace(state, paused_until=max(state.paused_until, now + (retry_after or 0.0)))
    # "Retry at once" is no usable answer to a request that was just refused.
    silences = state.silences + (not retry_after)
    seconds = retry_after or backoff(silences, first=FIRST_PAUSE, cap=LONGEST_PAUSE, u=u)
    until = max(state.paused_until, now + seconds)
    # The slack that was saved before the pause must not allow a burst after it.
    return replace(
        state,
        paused_since=now,
        paused_until=until,
        arrival=max(state.arrival, until + state.slack),
        strikes=state.strikes + 1,
        silences=silences,
        steps=0,
    )


def lower(state: RateState, *, speed: float, now: float) -> RateState:
    """The state after a 429 that is blamed on the rate.

    ``speed`` is the number of requests that passed in the second before. If it is 0, no lower rate
    would have helped, and the pause has to.
    """
    if not speed:
        return state
    learned = max(min(speed, state.learned or speed) * BRAKE, SLOWEST)
    confirmed = 0.8 * state.ceiling <= speed <= 1.25 * state.ceiling
    hold = min(state.hold * 2.0, LONGEST_HOLD) if confirmed else FIRST_HOLD
    return replace(state, learned=learned, ceiling=speed, hold=hold, raise_at=now + hold)


def correct(state: RateState, *, speed: float) -> RateState:
    """The state after the refusal of a request that was counted as passed."""
    learned = max(min(state.learned or speed, speed * BRAKE), SLOWEST)
    return replace(state, learned=learned, ceiling=min(state.ceiling, speed))


def recover(state: RateState, now: float, *, in_use: bool = True) -> RateState:
    """The state after a good answer; ``in_use`` is whether requests are sent about as fast as the
    learned rate allows."""
    if state.learned is None or now < state.raise_at or not in_use:
        return replace(state, strikes=0, silences=0) if state.strikes else state
    learned = state.learned + RECOVERY * (1.0 + now - state.raise_at)
    return replace(state, strikes=0, silences=0, learned=learned if learned < FREE else None)


class Traffic:
    """The times at which requests were sent that the service did not refuse."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def sent(self, now: float) -> None:
        """Note that a request is sent now."""
        self._times.append(now)
        if len(self._times) > KEPT:
            del self._times[: KEPT // 2]

    def refused(self, sent: float) -> None:
        """Remove a refused request, which was noted a moment before it was ``sent``."""
        index = bisect_right(self._times, sent) - 1
        if index >= 0:
            del self._times[index]

    def speed(self, at: float) -> int:
        """The number of requests that passed in the second up to this time."""
        return bisect_right(self._times, at) - bisect_right(self._times, at - SECOND)
