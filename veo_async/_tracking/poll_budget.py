"""The budget of polls: how many may be sent, and when they pause."""

from __future__ import annotations

ROUND = 0.5
"""Seconds' worth of polls that may be sent in a row. A single poll runs on cold processor caches
and costs up to four times as much; the delays are the same (`benchmarks.schedule`)."""


class Budget:
    """Rounds of a few polls in a row, each followed by a pause in proportion to their number.

    So in any time at most as many polls are sent as the policy allows, and one round more.

    Args:
        per_second: the polls that the policy allows.
    """

    def __init__(self, per_second: float) -> None:
        self._polls = max(int(per_second * ROUND), 1)
        self._seconds = self._polls / per_second
        self._left = 0
        self._until = float("-inf")

    def opens(self, now: float) -> float:
        """The time at which the next poll may be sent: ``now``, or the end of a spent round."""
        return now if self._left or now >= self._until else self._until

    def spend(self, now: float) -> None:
        """Note that a poll is sent now."""
        if now >= self._until:
            self._left, self._until = self._polls, now + self._seconds
        self._left -= 1
