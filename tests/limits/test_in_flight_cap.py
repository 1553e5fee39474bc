from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._limits.in_flight_cap import (
    AGAIN,
    DISPROVED,
    FEW,
    FIRST_HOLD,
    LONGEST_HOLD,
    SHRINK,
    Cap,
    accepted,
    refused,
    room,
)

TAUGHT = refused(Cap(), running=200, now=100.0)


def room_in(cap: Cap, held: int, now: float = 100.0) -> float:
    """Seconds until there is room while so many run and none is open."""
    return room(cap, held=held, running=held, now=now)


def test_nothing_learned_limits_nothing() -> None:
    """Without a refusal there is always room, and acceptances teach nothing."""
    assert room_in(Cap(), 10**6) == 0.0
    assert accepted(Cap(), running=10**6, now=0.0) == Cap()


def test_what_ran_at_the_refusal_is_the_cap() -> None:
    """There is room below it, and none at it until something ends or a probe is due."""
    assert TAUGHT.learned == 200
    assert room_in(TAUGHT, 199) == 0.0
    assert room_in(TAUGHT, 200) == FIRST_HOLD
    assert room_in(TAUGHT, 200, now=100.0 + FIRST_HOLD) == 0.0


def test_open_submits_take_room() -> None:
    """Open submits may be accepted, so they count; near the cap few are open."""
    large = refused(Cap(), running=2000, now=100.0)

    assert room(TAUGHT, held=200, running=194, now=100.0) == FIRST_HOLD
    assert room(TAUGHT, held=199, running=199, now=100.0) == 0.0
    assert room(TAUGHT, held=199, running=198, now=100.0) == AGAIN
    assert room(TAUGHT, held=170, running=100, now=100.0) == 0.0
    assert room(large, held=1990, running=1981, now=100.0) == 0.0
    assert room(large, held=1990, running=1980, now=100.0) == AGAIN


def test_a_probe_is_one_submit() -> None:
    """One more is tried; while its answer is not known, nobody else goes."""
    later = 100.0 + FIRST_HOLD

    assert room(TAUGHT, held=200, running=200, now=later) == 0.0
    assert room(TAUGHT, held=201, running=200, now=later) == AGAIN


def test_probes_that_are_taken_double() -> None:
    """Each full step that the service took allows one of twice the size."""
    cap, now = TAUGHT, 100.0 + FIRST_HOLD
    tops = list[int]()
    for running in range(201, 216):
        assert room(cap, held=running - 1, running=running - 1, now=now) == 0.0
        cap = accepted(cap, running=running, now=now)
        tops.append(cap.goal)

    assert tops == [203] * 2 + [207] * 4 + [215] * 8 + [231]


def test_a_cap_that_proves_right_is_probed_rarely() -> None:
    """The time to the next probe doubles with each probe that is refused, up to a bound; any
    other refusal near the cap leaves it."""
    cap, holds = TAUGHT, [TAUGHT.hold]
    for running in (201, 199, 200, 210, 200, 200, 200):
        cap = refused(cap, running=running, now=cap.probe_at)
        holds.append(cap.hold)

    assert holds == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, LONGEST_HOLD, LONGEST_HOLD]
    assert refused(TAUGHT, running=195, now=101.0).hold == FIRST_HOLD
    assert refused(cap, running=195, now=101.0).hold == LONGEST_HOLD


def test_a_probe_that_went_too_far_falls_back_half_way() -> None:
    """The number that a probe reached is not proven: after a refusal below it, the cap is half-way
    between that number and the cap before."""
    reached = refused(replace(TAUGHT, learned=210), running=216, now=200.0)
    fallen = refused(reached, running=210, now=202.0)

    assert (reached.learned, reached.base) == (216, 200)
    assert (fallen.learned, fallen.base) == (205, 205)


def test_a_cap_that_proves_wrong_is_probed_soon() -> None:
    """A refusal far below the cap starts again with a new cap."""
    cap = replace(TAUGHT, hold=LONGEST_HOLD)

    assert refused(cap, running=100, now=0.0).hold == FIRST_HOLD
    assert refused(cap, running=100, now=0.0).learned == 100


def test_ends_that_make_no_room_lower_the_cap() -> None:
    """Refused again below the cap, with nothing accepted in between: the service's cap is lower
    than what still runs."""
    once = refused(TAUGHT, running=199, now=100.0)
    twice = refused(once, running=198, now=101.0)
    after = refused(accepted(once, running=199, now=100.0), running=198, now=101.0)

    assert (once.learned, once.misses) == (199, 1)
    assert twice.learned == int(198 * SHRINK)
    assert after.learned == 198


def test_a_probe_tells_what_runs_above_a_lowered_cap() -> None:
    """Where more runs than the cap, a probe is one more than that, and its success raises it."""
    cap, later = replace(TAUGHT, learned=150), 100.0 + FIRST_HOLD

    assert room(cap, held=180, running=180, now=100.0) == FIRST_HOLD
    assert room(cap, held=180, running=180, now=later) == 0.0
    assert accepted(cap, running=181, now=later).learned == 181


def test_a_cap_that_is_far_exceeded_is_none() -> None:
    """Once the service runs more than twice as many, it was not a cap that refused."""
    cap, running = TAUGHT, 200
    while cap.learned:
        running += 1
        cap = accepted(cap, running=running, now=200.0)

    assert running == 200 * DISPROVED + FEW + 1
    assert cap == Cap()


def test_a_cap_is_at_least_one() -> None:
    """A client that runs nothing may always try."""
    cap = Cap()
    for _ in range(5):
        cap = refused(cap, running=0, now=0.0)

    assert cap.learned == 1
    assert room_in(cap, 0) == 0.0


@pytest.mark.parametrize("true", [1, 2, 7, 50])
@bounded
@given(st.integers(1, 500), st.integers(2, 20))
def test_the_cap_of_a_service_is_found(true: int, learned: int, every: int) -> None:
    """From any learned cap, the cap becomes the service's own; after that, submits are refused no
    more often than probes are due."""
    cap = Cap(learned=learned, base=learned, goal=learned + 1, probe_at=0.0)
    running, refusals = 0, 0
    for turn in range(1500):
        now = turn / 4
        running -= running > 0 and turn % every == 0
        while not room(cap, held=running, running=running, now=now):
            if running >= true:
                cap = refused(cap, running=running, now=now)
                refusals += now > 240.0
                break
            running += 1
            cap = accepted(cap, running=running, now=now)

    assert cap.learned == true
    assert refusals <= 3
