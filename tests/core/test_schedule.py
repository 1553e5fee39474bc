from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._core.schedule import first_look, next_look
from veo_async.policies import PollPolicy

EXACT = PollPolicy(jitter=0.0)
luck = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    "age, delay",
    [(0, 1.0), (4, 1.0), (20, 5.0), (60, 15.0), (80, 20.0), (3600, 20.0), (1e12, 20.0)],
)
def test_delay_grows_with_the_age_within_bounds(age: float, delay: float) -> None:
    """The next look comes after a quarter of the age, within one and twenty seconds."""
    assert next_look(age, EXACT, u=0.5) == delay


def test_first_look_is_early() -> None:
    """The first look is within five seconds or so of the submit."""
    assert first_look(EXACT, u=0.0) == 5.0
    assert 4.5 <= first_look(PollPolicy(), u=0.0) < first_look(PollPolicy(), u=0.999) <= 5.5


def test_longest_delay_wins_over_the_shortest() -> None:
    """Bounds that contradict each other do not make the looks rarer than was asked for."""
    assert next_look(0.0, PollPolicy(min_interval=9, max_interval=3, jitter=0), u=0.5) == 3.0


@bounded
@given(st.floats(0, 1e9), luck)
def test_jitter_stays_within_its_part(age: float, u: float) -> None:
    """A delay is longer or shorter by at most the jitter's part, and never zero."""
    policy = PollPolicy()

    delay, exact = next_look(age, policy, u=u), next_look(age, EXACT, u=u)

    assert 0.9 * exact <= delay <= 1.1 * exact
    assert delay >= 0.9 * policy.min_interval


@bounded
@given(st.floats(1, 7200))
def test_looks_are_few_and_not_late(duration: float) -> None:
    """A task of any duration is noticed at most a quarter of it, or twenty seconds, late, for a
    number of looks that is a few more than the cap asks for."""
    age, looks = first_look(EXACT, u=0.5), 1
    while age < duration:
        age += next_look(age, EXACT, u=0.5)
        looks += 1

    assert age - duration <= max(5.0, min(0.25 * duration, 20.0))
    assert looks <= 16 + duration / 20.0
