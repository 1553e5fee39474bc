"""When to look at which task.

Nothing is known of a task's duration beforehand, so the delay between two looks grows in
proportion to its age: whatever the duration turns out to be, the result is noticed at most that
part of it late, for a number of looks that grows only with the logarithm of the duration.
"""

from __future__ import annotations

from ..policies import PollPolicy


def next_look(age: float, policy: PollPolicy, *, u: float) -> float:
    """Seconds until the next look at a task of this age; ``u`` in [0, 1) jitters it."""
    delay = min(max(age * policy.growth, policy.min_interval), policy.max_interval)
    return delay * _jitter(policy, u)


def first_look(policy: PollPolicy, *, u: float) -> float:
    """Seconds from the submit to the first look."""
    return policy.first * _jitter(policy, u)


def _jitter(policy: PollPolicy, u: float) -> float:
    return 1.0 + policy.jitter * (2.0 * u - 1.0)
