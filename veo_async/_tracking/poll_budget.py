"""How many polls may go, and when they pause."""

from __future__ import annotations

ROUND = 0.5
"""Seconds' worth of polls that may go in a row. One alone finds a processor whose caches hold other
things, and costs up to four times as much; the delays are the same (`benchmarks.schedule`)."""


class Budget:
    """How many polls may go: rounds of a few in a row, each followed by as long a pause as their
    number asks for. So in any time no more go than the policy says, and those of one round.

    Args:
        per_second: how many.
    """

    def __init__(self, per_second: float) -> None:
        self._polls = max(int(per_second * ROUND), 1)
        self._seconds = self._polls / per_second
        self._left = 0
        self._until = float("-inf")

    def opens(self, now: float) -> float:
        """When the next poll may go: ``now``, or the end of a round whose polls are spent."""
        return now if self._left or now >= self._until else self._until

    def spend(self, now: float) -> None:
        """A poll goes now."""
        if now >= self._until:
            self._left, self._until = self._polls, now + self._seconds
        self._left -= 1
