from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._base.backoff import backoff

seconds = st.floats(1e-3, 1e6)
rng = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    "count, u, delay",
    [(1, 0.0, 0.5), (1, 0.5, 0.75), (2, 0.0, 1.0), (3, 0.0, 2.0), (6, 0.0, 15.0), (60, 0.0, 15.0)],
)
def test_delay_doubles_up_to_the_cap(count: int, u: float, delay: float) -> None:
    """The first delay doubles with each failure up to the cap; jitter takes up to a half of it."""
    assert backoff(count, first=1.0, cap=30.0, u=u) == delay


@bounded
@given(st.integers(1, 10**9), seconds, seconds, rng)
def test_delay_stays_within_bounds(count: int, first: float, cap: float, u: float) -> None:
    """No count overflows, no delay is above the cap, and none is shorter than half of the first
    (or of the cap, if that is less)."""
    delay = backoff(count, first=first, cap=cap, u=u)

    assert min(first, cap) / 2 <= delay <= cap


@bounded
@given(st.integers(1, 200), seconds, seconds, rng)
def test_delay_never_shrinks(count: int, first: float, cap: float, u: float) -> None:
    """With the same random number a further failure waits at least as long."""
    assert backoff(count, first=first, cap=cap, u=u) <= backoff(
        count + 1, first=first, cap=cap, u=u
    )
