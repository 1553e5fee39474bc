from __future__ import annotations

from random import Random
from statistics import fmean

from veo_async.emulator import Immediate, Looks, Plan, Seconds


def test_immediate_takes_nothing() -> None:
    """`Immediate` needs neither time nor looks."""
    assert Immediate().plan({}, Random(0)) == Plan(seconds=0.0, looks=0)


def test_looks_are_counted() -> None:
    """`Looks` makes a task wait for looks, not for time."""
    assert Looks(3).plan({}, Random(0)) == Plan(seconds=0.0, looks=3)


def test_seconds_have_the_mean_that_was_asked_for() -> None:
    """The log-normal durations of `Seconds` have the given mean, whatever their spread."""
    luck = Random(1)

    durations = [Seconds(mean=60, sigma=0.5).plan({}, luck).seconds for _ in range(5000)]

    assert abs(fmean(durations) - 60) < 1.5
    assert min(durations) < 30
    assert max(durations) > 90


def test_no_spread_means_always_the_mean() -> None:
    """With ``sigma=0`` every task takes exactly as long."""
    assert abs(Seconds(mean=60, sigma=0).plan({}, Random(0)).seconds - 60) < 1e-9


def test_a_mean_of_zero_is_immediate() -> None:
    """A log-normal distribution has no mean of zero: it is taken to be no time at all."""
    assert Seconds(mean=0).plan({}, Random(0)) == Plan()
