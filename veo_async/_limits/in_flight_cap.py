"""How many generations the service runs at once, as its refusals teach.

What was accepted and unfinished when a submit was refused for that reason is the cap. Nobody says
when the service would take more, so the cap is probed: after a while that doubles each time it
proves right, one more is tried; each that is taken doubles the step, and the first that is
refused says exactly how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

FIRST_HOLD = 2.0
LONGEST_HOLD = 120.0
"""Seconds for which a learned cap is believed before it is probed: from, to, doubled with each
probe that proves it right."""

NEAR = 0.9
"""A refusal at this part of the cap or more is what the cap foretold: between the end of a task
and the look that shows it, the client counts it and the service does not."""

SHRINK = 0.9
"""The part that is left of what runs, when even tasks that ended made no room for others."""

DISPROVED = 2.0
FEW = 8
"""A cap that has grown by this factor and number beyond what held limits nothing any more."""

AT_ONCE = 3
"""So few submits may be open near the cap, so that few are refused with the first one; a probe
beyond it is a third of its step at once."""

AGAIN = 1.0
"""Seconds after which to look again while open submits are in the way: one that the service holds
until its video is ready counts as accepted after a while, though nothing is heard of it."""


@dataclass(frozen=True, slots=True)
class Cap:
    """What is known of the service's cap.

    Attributes:
        learned: how many generations may run at once; ``None`` until a refusal taught it.
        base: what held before the last probe.
        step: how many more the present probe tries.
        goal: how many will run once it has succeeded.
        hold: for how long the cap is believed after a refusal.
        probe_at: when it is probed next, in monotonic seconds.
        misses: refusals, without an acceptance between them, where there should have been room.
    """

    learned: int | None = None
    base: int = 0
    step: int = 1
    goal: int = 0
    hold: float = FIRST_HOLD
    probe_at: float = inf
    misses: int = 0


def room(cap: Cap, *, held: int, running: int, now: float) -> float:
    """Seconds until one more submit may go, if no generation ends before.

    Args:
        cap: what is known.
        held: open submits, and generations that are accepted and unfinished.
        running: the latter alone.
        now: monotonic seconds.
    """
    if cap.learned is None or held < NEAR * cap.learned:
        return 0.0
    if held < cap.learned:
        return 0.0 if held - running < AT_ONCE else AGAIN
    if now < cap.probe_at:
        return cap.probe_at - now
    # What runs may be more than the cap, if that was lowered or tasks of an earlier run count too.
    top = min(max(cap.goal, running + 1), running + max(cap.step // AT_ONCE, 1))
    return 0.0 if held < top else AGAIN


def foretold(cap: Cap, running: int) -> bool:
    """Whether a refusal while so many are running is what the cap says."""
    return cap.learned is None or running >= NEAR * cap.learned - 1


def refused(cap: Cap, *, running: int, now: float) -> Cap:
    """The cap after a submit was refused because so many are running."""
    below = cap.learned is not None and running < cap.learned
    misses = cap.misses + 1 if below else 0
    learned = max(_lowered(cap, running, misses) if below else running, 1)
    hold = FIRST_HOLD
    if cap.learned is not None and foretold(cap, running):
        hold = min(cap.hold * 2.0, LONGEST_HOLD) if now >= cap.probe_at else cap.hold
    return Cap(
        learned,
        # What a probe reached has not yet been seen to hold.
        base=learned if below or cap.learned is None else min(cap.base, learned),
        goal=learned + 1,
        hold=hold,
        probe_at=now + hold,
        misses=misses,
    )


def _lowered(cap: Cap, running: int, misses: int) -> int:
    if running >= cap.base:
        # The last probe went too far: half-way back to what held before it.
        return (cap.base + running) // 2
    return int(running * SHRINK) if misses > 1 else running


def accepted(cap: Cap, *, running: int, now: float) -> Cap:
    """The cap after a submit was accepted, now that so many are running."""
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
