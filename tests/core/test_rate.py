from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._core.rate import (
    BRAKE,
    FREE,
    LONGEST_PAUSE,
    RECOVERY,
    SLOWEST,
    Pace,
    delay,
    succeeded,
    take,
    throttled,
)
from veo_async.policies import RateLimit

FREE_PACE = Pace.of(RateLimit())
luck = st.floats(0, 1, exclude_max=True)
gaps = st.one_of(st.just(0.0), st.floats(0, 0.01), st.floats(0, 100))


def times_of(pace: Pace, arrivals: list[float]) -> list[float]:
    """When requests go that come in at these times and each wait for their turn."""
    sent, now = list[float](), 0.0
    for arrival in arrivals:
        now = max(now, arrival)
        while pause := delay(pace, now):
            now += pause
        pace = take(pace, now)
        sent.append(now)
    return sent


# Spacing.


def test_no_limit_is_no_delay() -> None:
    """Without a rate requests go at once, as many as there are."""
    assert times_of(FREE_PACE, [0.0] * 100) == [0.0] * 100


@pytest.mark.parametrize(
    "limit, times",
    [
        (RateLimit(per_second=2), [0, 0.5, 1, 1.5, 2]),
        (RateLimit(per_second=2, burst=3), [0, 0, 0, 0.5, 1]),
        (RateLimit(per_second=0.5), [0, 2, 4, 6, 8]),
    ],
)
def test_rate_spaces_and_burst_saves_up(limit: RateLimit, times: list[float]) -> None:
    """So many a second after so many at once."""
    assert times_of(Pace.of(limit), [0.0] * 5) == times


def test_rest_earns_the_burst_back_and_no_more() -> None:
    """After a long pause the burst is there again, once."""
    limit = RateLimit(per_second=1, burst=2)

    assert times_of(Pace.of(limit), [0, 0, 1000, 1000, 1000]) == [0, 0, 1000, 1000, 1001]


def test_asking_takes_nothing() -> None:
    """Only a request that goes counts, so a waiter that is cancelled has nothing to give back."""
    pace = take(Pace.of(RateLimit(per_second=1)), 0.0)

    for _ in range(5):
        assert delay(pace, 0.25) == 0.75


@bounded
@given(st.floats(0.1, 1000), st.integers(1, 20), st.lists(gaps, min_size=1, max_size=60))
def test_no_window_holds_more_than_burst_and_rate_allow(
    per_second: float, burst: int, waits: list[float]
) -> None:
    """In any window of t seconds at most ``burst + rate * t`` requests go, whenever they come."""
    arrivals = [math.fsum(waits[: i + 1]) for i in range(len(waits))]

    sent = times_of(Pace.of(RateLimit(per_second=per_second, burst=burst)), arrivals)

    for first in range(len(sent)):
        for last in range(first, len(sent)):
            window = sent[last] - sent[first]
            assert last - first + 1 <= burst + per_second * window + 1e-6


# The pause.


@pytest.mark.parametrize(
    "retry_after, u, pause",
    [(30.0, 0.0, 30.0), (0.25, 0.9, 0.25), (None, 0.0, 0.5), (None, 0.5, 0.75), (0.0, 0.0, 0.5)],
)
def test_429_pauses_everybody(retry_after: float | None, u: float, pause: float) -> None:
    """The pause is what the service asked for; where it says nothing, or "at once", a backoff."""
    pace = throttled(FREE_PACE, now=100.0, retry_after=retry_after, u=u)

    assert delay(pace, 100.0) == pytest.approx(pause)
    assert delay(pace, 100.0 + pause) == 0.0


def test_429s_of_one_refusal_count_once() -> None:
    """Answers to requests that were under way together lengthen the pause, and slow nothing."""
    first = throttled(FREE_PACE, now=100.0, retry_after=5.0, u=0.0)

    again = first
    for retry_after in (None, 0.0, 2.0, 9.0, 1.0):
        again = throttled(again, now=101.0, retry_after=retry_after, u=0.9)

    assert again == replace(first, paused_until=110.0)


def test_pauses_grow_while_nothing_succeeds() -> None:
    """Refused after each pause, the next is longer, up to a bound; a good answer ends that."""
    pace, now, pauses = FREE_PACE, 0.0, list[float]()
    for _ in range(12):
        pace = throttled(pace, now=now, retry_after=None, u=0.0)
        pauses.append(pace.paused_until - now)
        now = pace.paused_until

    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == LONGEST_PAUSE / 2
    after_good = throttled(succeeded(pace), now=now, retry_after=None, u=0.0)
    assert after_good.paused_until - now == 0.5


def test_good_answer_does_not_end_a_pause() -> None:
    """An answer to an earlier request is no reason to send before the service wants it."""
    pace = throttled(FREE_PACE, now=0.0, retry_after=10.0, u=0.0)

    assert delay(succeeded(pace), 1.0) == 9.0


Op = tuple[str, float, float | None]
ops: st.SearchStrategy[Op] = st.tuples(
    st.sampled_from(["ask", "go", "good", "throttled"]), gaps, st.none() | st.floats(0, 120)
)


@bounded
@given(st.lists(ops, max_size=50), st.booleans(), luck)
def test_paused_pace_never_sends_before_the_pause_ends(
    steps: list[Op], adaptive: bool, u: float
) -> None:
    """Whatever happens meanwhile, nobody sends until the longest of all pauses that were asked
    for is over."""
    pace = Pace.of(RateLimit(per_second=10, burst=5, adaptive=adaptive))
    now, silent_until = 0.0, 0.0
    for what, gap, retry_after in steps:
        now += gap
        if what == "throttled":
            pace = throttled(pace, now=now, retry_after=retry_after, u=u)
            silent_until = max(silent_until, now + (retry_after or 0.0))
        elif what == "good":
            pace = succeeded(pace)
        elif delay(pace, now) == 0.0:
            pace = take(pace, now) if what == "go" else pace
            assert now >= silent_until - 1e-6
        assert delay(pace, now) >= 0.0
        assert delay(pace, now) >= silent_until - now - 1e-6


# What 429s teach.


def refuse(pace: Pace, times: int) -> Pace:
    """The pace after so many refusals, each after the pause of the one before."""
    for _ in range(times):
        now = max(pace.paused_until, 0.0)
        pace = throttled(pace, now=now, retry_after=1.0, u=0.0)
    return pace


def sent(count: int, *, per_second: float) -> Pace:
    """The pace after so many requests at this rate."""
    pace = FREE_PACE
    for number in range(count):
        pace = take(pace, number / per_second)
    return pace


def test_the_first_refusal_learns_from_how_fast_it_went() -> None:
    """A 429 leaves a part of the rate of the last full second, or of the present one."""
    refused = throttled(sent(100, per_second=40), now=2.4, retry_after=1.0, u=0.0)
    at_once = throttled(sent(30, per_second=1e9), now=0.1, retry_after=1.0, u=0.0)

    assert refused.learned == 40 * BRAKE
    assert at_once.learned == 30 * BRAKE


def test_a_rate_of_long_ago_is_none() -> None:
    """A burst after a silence is judged by itself."""
    pace = take(sent(100, per_second=100), 60.0)

    assert throttled(pace, now=60.0, retry_after=1.0, u=0.0).learned == max(BRAKE, SLOWEST)


def test_rate_sinks_within_bounds() -> None:
    """Each refusal takes its part, down to the slowest rate."""
    first = refuse(sent(100, per_second=100), 1)

    assert refuse(first, 1).learned == (first.learned or 0) * BRAKE
    assert refuse(first, 100).learned == SLOWEST


def test_learned_rate_spaces() -> None:
    """What was learned holds beside the caller's own rate: the slower one counts."""
    learned = replace(FREE_PACE, learned=10.0)
    slower = replace(learned, interval=1.0)

    assert delay(take(learned, 100.0), 100.0) == pytest.approx(0.1)
    assert delay(take(slower, 100.0), 100.0) == pytest.approx(1.0)


def test_pace_recovers_step_by_step() -> None:
    """Good answers win the rate back little by little, until nothing limits it."""
    pace, steps = refuse(FREE_PACE, 3), 0
    while pace.learned:
        following = succeeded(pace)
        assert following.learned is None or following.learned == pace.learned + RECOVERY
        pace, steps = following, steps + 1

    assert steps == (FREE - SLOWEST) / RECOVERY
    assert succeeded(pace) is pace


def test_pace_that_is_not_adaptive_learns_nothing() -> None:
    """``adaptive=False`` keeps the pauses and leaves the spacing to the caller."""
    pace = refuse(Pace.of(RateLimit(adaptive=False)), 3)

    assert pace.learned is None
    assert pace.strikes == 3
    assert succeeded(pace) == replace(pace, strikes=0)
