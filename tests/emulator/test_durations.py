from __future__ import annotations

from random import Random
from statistics import fmean

from veo_async.emulator import Immediate, Looks, Plan, Seconds


def test_immediate_takes_nothing() -> None:
    """`Immediate` needs neither time nor polls."""
    assert Immediate().plan({}, Random(0)) == Plan(seconds=0.0, looks=0)


def test_looks_are_counted() -> None:
    """With `Looks` a task waits for polls, not for time."""
    assert Looks(3).plan({}, Random(0)) == Plan(seconds=0.0, looks=3)


def test_seconds_have_the_given_mean() -> None:
    """The log-normal durations of `Seconds` have the given mean, also with a large spread."""
    rng = Random(1)

    durations = [Seconds(mean=60, sigma=0.5).plan({}, rng).seconds for _ in range(5000)]

    assert abs(fmean(durations) - 60) < 1.5
    assert min(durations) < 30
    assert max(durations) > 90


def test_no_spread_means_always_the_mean() -> None:
    """With ``sigma=0`` every task takes exactly ``mean`` seconds."""
    assert abs(Seconds(mean=60, sigma=0).plan({}, Random(0)).seconds - 60) < 1e-9


def test_a_mean_of_zero_is_immediate() -> None:
    """A log-normal distribution cannot have the mean zero: it stands for no time at all."""
    assert Seconds(mean=0).plan({}, Random(0)) == Plan()
