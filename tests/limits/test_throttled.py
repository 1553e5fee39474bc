"""A client without limits of its own finds the service's limits.

The scenario is the benchmark's: `benchmarks.throttled`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.throttled import UNTOLD, Seen, Throttled, ideal, throttled
from veo_async import RateLimit, RetryPolicy
from veo_async.emulator import Limits

MANY = Throttled()
SILENT = Limits(silent=0.5)


def check_all_came(seen: Seen, job: Throttled) -> None:
    """Every video came, and was bought once."""
    assert (seen.failed, seen.bought) == (0, job.videos)


def test_the_ideal_schedule() -> None:
    """The ideal schedule starts each video as soon as rate and slots allow."""
    three = [10.0, 10.0, 10.0]
    two = Limits(in_flight=2)

    assert ideal(three, Limits()) == (0.0, 10.0)
    assert ideal(three, Limits(per_second=2.0)) == (1.0, 11.0)
    assert ideal(three, Limits(submits_per_second=0.5)) == (4.0, 14.0)
    assert ideal(three, two) == (10.0, 20.0)
    assert ideal(three, Limits(in_flight=1, per_second=2.0)) == (20.0, 30.0)
    assert ideal(three, two, {4.0: Limits(in_flight=3)}) == (4.0, 14.0)
    assert ideal(three, two, {4.0: Limits(in_flight=1)}) == (10.0, 20.0)
    assert ideal(three, Limits(in_flight=0), {7.0: Limits()}) == (7.0, 17.0)


@pytest.mark.slow
@pytest.mark.parametrize("latency", [0.05, 0.0])
@pytest.mark.parametrize("seed", range(4))
def test_rate_and_cap_are_found(seed: int, latency: float) -> None:
    """50 requests a second, polls included, and 200 in flight, which nobody told; half of the
    refusals do not say when to come back. It takes at most 1.15 times the ideal, and under 3 % of
    the answers are refusals."""
    job = replace(MANY, seed=seed, latency=latency)

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.ratio <= 1.15
    assert seen.refused_part < 0.03


@pytest.mark.slow
def test_the_rate_alone_is_found() -> None:
    """Where the service limits only the rate, no cap holds submits back for long."""
    job = replace(MANY, limits=replace(SILENT, per_second=50.0))

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.accepted <= 1.35 * seen.ideal_accepted
    assert seen.refused_part < 0.01


@pytest.mark.slow
def test_the_cap_alone_is_found() -> None:
    """Where the service limits only what is in flight, no rate holds submits back for long."""
    job = replace(MANY, limits=replace(SILENT, in_flight=200))

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.ratio <= 1.15
    assert seen.refused_part < 0.03


@pytest.mark.slow
def test_a_cap_that_changes_is_followed() -> None:
    """The service halves its cap during the run, and triples it later."""
    changes = {30.0: replace(UNTOLD, in_flight=100), 80.0: replace(UNTOLD, in_flight=300)}
    job = replace(MANY, videos=2000, changes=changes)

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.ratio <= 1.3
    assert seen.refused_part < 0.04


@pytest.mark.slow
def test_a_service_without_limits_is_not_slowed_down() -> None:
    """Where nothing is refused, learning changes nothing at all."""
    job = replace(MANY, limits=Limits())

    seen = throttled(job)

    assert seen == throttled(replace(job, rate_limit=RateLimit(adaptive=False)))
    assert seen.refused == 0


@pytest.mark.slow
def test_a_storm_passes() -> None:
    """For twenty seconds the service refuses everything; then all goes on, nothing failed."""
    job = replace(MANY, changes={20.0: replace(UNTOLD, in_flight=0, per_second=0.01), 40.0: UNTOLD})

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.ratio <= 1.5
    assert seen.refused_part < 0.05


def test_a_cap_of_one_is_found() -> None:
    """One video at a time: each next one is sent when the one before is seen to be finished."""
    job = replace(MANY, videos=20, limits=replace(UNTOLD, in_flight=1))

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.ratio <= 1.25
    assert seen.refused <= 20


def test_synchronous_submits_find_the_cap_too() -> None:
    """A POST that is held until its video is ready counts as in flight; without a limit of the
    service's own, learning changes nothing."""
    job = replace(MANY, videos=60, mode="sync", limits=replace(SILENT, in_flight=4))
    free = replace(job, limits=Limits())

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.ratio <= 1.05
    assert throttled(free) == throttled(replace(free, rate_limit=RateLimit(adaptive=False)))


def test_a_long_wait_for_a_place_costs_no_attempt() -> None:
    """A submit that waits for others' ends, for longer than it may be retried, and while others
    are refused, is sent all the same."""
    job = replace(
        MANY,
        videos=30,
        mean=120.0,
        limits=replace(UNTOLD, in_flight=2),
        retry=RetryPolicy(rate_limit_attempts=8, max_elapsed=100.0),
    )

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.accepted > 1000.0


def test_a_learned_cap_holds_submits_that_wait_for_their_turn() -> None:
    """Submits that are past the queue when the cap is learned wait for room as well: of the 48 that
    may be open, few are refused."""
    told = RateLimit(concurrency=64, per_second=5.0)
    job = replace(MANY, videos=60, limits=replace(SILENT, in_flight=10), rate_limit=told)

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.refused <= 15


def test_a_service_that_limits_polls_alone_slows_no_submit() -> None:
    """Two polls a second are found with few refusals, and no cap or rate is learned from them."""
    job = replace(MANY, videos=300, limits=replace(SILENT, polls_per_second=2.0))
    free = replace(job, limits=Limits())

    seen = throttled(job)

    check_all_came(seen, job)
    assert seen.makespan <= 1.06 * throttled(free).makespan
    assert seen.refused_part < 0.02
