"""The cap: how many generations the service runs at once, learned from its refusals.

The cap is the number of accepted and unfinished generations when a submit was refused because of
it. The service never announces that it takes more, so the cap is probed: after a hold, one more
generation is tried. The hold doubles each time the cap proves right. Each accepted probe doubles
the step, and the first refused one shows the exact cap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

FIRST_HOLD = 2.0
LONGEST_HOLD = 120.0
"""The first and the longest hold: seconds for which a learned cap is believed before it is probed.
Each probe that proves the cap right doubles the hold."""

NEAR = 0.9
"""A refusal at this part of the cap or more was predicted by the cap: between the end of a task and
the poll that shows it, the client counts the task and the service does not."""

SHRINK = 0.9
"""The part of the running generations that becomes the cap when the service refuses again below
the cap, so that even tasks that ended made no room."""

DISPROVED = 2.0
FEW = 8
"""A cap that has grown by this factor and this number beyond its base is dropped."""

AT_ONCE = 0.005
PROBE_AT_ONCE = 8
"""At most this part of the cap, and at least one submit, may be open near the cap, so that few are
refused together with the first one. A probe beyond the cap opens an eighth of its step at once."""

AGAIN = 1.0
"""Seconds after which room is computed again while open submits are in the way: a submit that the
service holds until its video is ready counts as accepted after a while, without any answer."""


@dataclass(frozen=True, slots=True)
class Cap:
    """The state of the learned cap.

    Attributes:
        learned: how many generations may run at once; ``None`` until a refusal taught it.
        base: the cap before the latest probe.
        step: how many more generations the current probe tries.
        goal: how many generations run when the current probe has succeeded.
        hold: seconds for which the cap is believed after a refusal.
        probe_at: when the cap is probed next, in monotonic seconds.
        misses: consecutive refusals below the cap, without an accepted submit between them.
    """

    learned: int | None = None
    base: int = 0
    step: int = 1
    goal: int = 0
    hold: float = FIRST_HOLD
    probe_at: float = inf
    misses: int = 0


def room(cap: Cap, *, held: int, running: int, now: float) -> float:
    """Seconds until one more submit may be sent, if no generation ends before.

    Args:
        cap: the learned cap.
        held: the number of open submits and of accepted and unfinished generations.
        running: the number of accepted and unfinished generations alone.
        now: monotonic seconds.
    """
    if cap.learned is None or held < NEAR * cap.learned:
        return 0.0
    if held < cap.learned:
        return 0.0 if held - running < max(AT_ONCE * cap.learned, 1) else AGAIN
    if now < cap.probe_at:
        return cap.probe_at - now
    # More may run than the cap, if it was lowered or if tasks of an earlier run count as well.
    top = min(max(cap.goal, running + 1), running + max(cap.step // PROBE_AT_ONCE, 1))
    return 0.0 if held < top else AGAIN


def foretold(cap: Cap, running: int) -> bool:
    """True if the cap predicts a refusal while this many generations run."""
    return cap.learned is None or running >= NEAR * cap.learned - 1


def refused(cap: Cap, *, running: int, now: float) -> Cap:
    """The cap after a submit was refused because this many generations run."""
    below = cap.learned is not None and running < cap.learned
    misses = cap.misses + 1 if below else 0
    learned = max(_lowered(cap, running, misses) if below else running, 1)
    hold = FIRST_HOLD
    if cap.learned is not None and foretold(cap, running):
        hold = min(cap.hold * 2.0, LONGEST_HOLD) if now >= cap.probe_at else cap.hold
    return Cap(
        learned,
        # The number that a probe reached is not proven yet.
        base=learned if below or cap.learned is None else min(cap.base, learned),
        goal=learned + 1,
        hold=hold,
        probe_at=now + hold,
        misses=misses,
    )


def _lowered(cap: Cap, running: int, misses: int) -> int:
    if running >= cap.base:
        # The latest probe went too far: go back half of the way to the cap before it.
        return (cap.base + running) // 2
    return int(running * SHRINK) if misses > 1 else running


def accepted(cap: Cap, *, running: int, now: float) -> Cap:
    """The cap after a submit was accepted and this many generations run."""
    if cap.learned is None:
        return cap
    if running <= cap.learned:
        return replace(cap, misses=0) if cap.misses else cap
    if running > cap.base * DISPROVED + FEW:
        return Cap()
    if now < cap.probe_at or running < cap.goal:
        return replace(cap, learned=running, goal=max(cap.goal, running + 1), misses=0)
    step = cap.step * 2
    return replace(cap, learned=running, step=step, goal=running + step, misses=0)
