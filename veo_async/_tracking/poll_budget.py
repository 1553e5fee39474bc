"""The budget of polls: how many may be sent, and when they pause.

By default it follows the work: the schedule decides when a task is polled, and the budget only
spreads the polls, so that the first answers can postpone the others. One poll serves the same
number of tasks at any size, so a budget in proportion to the tasks keeps the delay the same.
"""

from __future__ import annotations

from ..policies import PollPolicy

ROUND = 0.5
"""Seconds' worth of polls that may be sent in a row. A single poll runs on cold processor caches
and costs up to four times as much; the delays are the same (`benchmarks.schedule`)."""

LEAST = 10.0
"""Polls a second that few tasks may have as well."""

ALL_TASKS = 1.0
"""Seconds in which full polls may ask about all tasks. With twice that, ends are noticed a third
later, and half of it gains nothing (`benchmarks.schedule`)."""


def polls_per_second(policy: PollPolicy, *, tasks: int, most: float) -> float:
    """The polls a second that may be sent.

    Args:
        policy: it may have a number of its own.
        tasks: the number of tasks that are polled.
        most: the polls a second that the service was seen to allow.
    """
    if policy.per_second is not None:
        return policy.per_second
    return min(max(tasks / policy.batch_size / ALL_TASKS, LEAST), most)


class Budget:
    """Rounds of a few polls in a row, each followed by a pause in proportion to their number.

    So in any time at most as many polls are sent as its rate allows, and one round more. The rate
    may change from round to round.
    """

    def __init__(self) -> None:
        self._left = 0
        self._until = float("-inf")

    def opens(self, now: float) -> float:
        """The time at which the next poll may be sent: ``now``, or the end of a spent round."""
        return now if self._left or now >= self._until else self._until

    def spend(self, now: float, per_second: float) -> None:
        """Note that a poll is sent now; the round that it may begin has this rate."""
        if now >= self._until:
            self._left = max(int(per_second * ROUND), 1)
            self._until = now + self._left / per_second
        self._left -= 1
