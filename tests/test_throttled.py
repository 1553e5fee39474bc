"""A client that is told of no limit finds the service's own, whatever they are.

The scenario is the benchmark's: `benchmarks.throttled`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.throttled import Seen, Throttled, ideal, throttled
from veo_async.emulator import Limits

MANY = Throttled()


def check_all_came(seen: Seen, job: Throttled) -> None:
    """Every video came, and was bought once."""
    assert (seen.failed, seen.bought) == (0, job.videos)


def test_the_ideal_schedule() -> None:
    """Whoever knows the limits starts each video as soon as rate and slots allow."""
    three = [10.0, 10.0, 10.0]

    assert ideal(three, Limits()) == 10.0
    assert ideal(three, Limits(per_second=2.0)) == 11.0
    assert ideal(three, Limits(submits_per_second=0.5)) == 14.0
    assert ideal(three, Limits(in_flight=2)) == 20.0
    assert ideal(three, Limits(in_flight=1, per_second=2.0)) == 30.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_rate_and_cap_are_found(seed: int) -> None:
    """50 requests a second, polls included, and 200 in flight, which nobody told; half of the
    refusals do not say when to come back. It takes at most 1.15 times the ideal, and under 3 % of
    the answers are refusals."""
    job = replace(MANY, seed=seed)

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.ratio <= 1.15
    assert seen.refused_part < 0.03
