from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._limits.rate_and_pause import (
    BRAKE,
    FIRST_HOLD,
    FIRST_STEP,
    FREE,
    KEPT,
    LONGEST_HOLD,
    LONGEST_PAUSE,
    RECOVERY,
    SLOWEST,
    RateState,
    Traffic,
    correct,
    delay,
    lower,
    pause,
    recover,
    take,
)
from veo_async.policies import RateLimit

FREE_PACE = RateState.of(RateLimit())
rng = st.floats(0, 1, exclude_max=True)
gaps = st.one_of(st.just(0.0), st.floats(0, 0.01), st.floats(0, 100))


def refuse(
    pace: RateState, *, now: float, retry_after: float | None, u: float, sent: float | None = None
) -> RateState:
    """The pace after a 429 to a request that was just sent, unless it was sent earlier."""
    sent = now if sent is None else sent
    return pause(pace, sent=sent, now=now, retry_after=retry_after, u=u)


def times_of(pace: RateState, arrivals: list[float]) -> list[float]:
    """The times at which requests are sent that arrive at these times and wait for their turn."""
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
    assert times_of(RateState.of(limit), [0.0] * 5) == times


def test_rest_earns_the_burst_back_and_no_more() -> None:
    """After a long pause the burst is there again, once."""
    limit = RateLimit(per_second=1, burst=2)

    assert times_of(RateState.of(limit), [0, 0, 1000, 1000, 1000]) == [0, 0, 1000, 1000, 1001]


def test_asking_takes_nothing() -> None:
    """Only a request that goes counts, so a waiter that is cancelled has nothing to give back."""
    pace = take(RateState.of(RateLimit(per_second=1)), 0.0)

    for _ in range(5):
        assert delay(pace, 0.25) == 0.75


@bounded
@given(st.floats(0.1, 1000), st.integers(1, 20), st.lists(gaps, min_size=1, max_size=60))
def test_no_window_holds_more_than_burst_and_rate_allow(
    per_second: float, burst: int, waits: list[float]
) -> None:
    """In any window of t seconds at most ``burst + rate * t`` requests go, whenever they come."""
    arrivals = [math.fsum(waits[: i + 1]) for i in range(len(waits))]

    sent = times_of(RateState.of(RateLimit(per_second=per_second, burst=burst)), arrivals)

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
    pace = refuse(FREE_PACE, now=100.0, retry_after=retry_after, u=u)

    assert delay(pace, 100.0) == pytest.approx(pause)
    assert delay(pace, 100.0 + pause) == 0.0


def test_429s_of_one_refusal_count_once() -> None:
    """Answers to requests that were under way together lengthen the pause, and slow nothing."""
    first = refuse(FREE_PACE, now=100.0, retry_after=5.0, u=0.0)

    again = first
    for retry_after in (None, 0.0, 2.0, 9.0, 1.0):
        again = refuse(again, sent=99.0, now=101.0, retry_after=retry_after, u=0.9)

    assert again == replace(first, paused_until=110.0)


def test_a_late_answer_to_an_early_request_is_no_second_refusal() -> None:
    """A request that was sent before the pause belongs to it, also if its 429 comes later."""
    first = refuse(FREE_PACE, now=100.0, retry_after=1.0, u=0.0)

    late = refuse(first, sent=99.9, now=130.0, retry_after=None, u=0.9)
    fresh = refuse(first, sent=101.0, now=130.0, retry_after=None, u=0.0)

    assert delay(late, 130.0) == 0.0
    assert late.strikes == 1
    assert fresh.strikes == 2


def test_pauses_grow_while_nothing_succeeds() -> None:
    """Refused after each pause, the next is longer, up to a bound; a good answer ends that."""
    pace, now, pauses = FREE_PACE, 0.0, list[float]()
    for _ in range(12):
        pace = refuse(pace, now=now + 0.001, retry_after=None, u=0.0)
        pauses.append(pace.paused_until - pace.paused_since)
        now = pace.paused_until

    assert pauses[:4] == pytest.approx([0.5, 1.0, 2.0, 4.0])
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE / 2)
    after_good = refuse(recover(pace, now), now=now, retry_after=None, u=0.0)
    assert after_good.paused_until - now == 0.5


def test_pauses_that_the_service_set_do_not_grow_others() -> None:
    """Only a pause without a given time makes the next one of its kind longer."""
    pace = FREE_PACE
    for number in range(5):
        pace = refuse(pace, now=number + 1.0, retry_after=0.5, u=0.0)
    pace = refuse(pace, now=10.0, retry_after=None, u=0.0)

    assert pace.strikes == 6
    assert delay(pace, 10.0) == 0.5


def test_good_answer_does_not_end_a_pause() -> None:
    """An answer to an earlier request is no reason to send before the service wants it."""
    pace = refuse(FREE_PACE, now=0.0, retry_after=10.0, u=0.0)

    assert delay(recover(pace, 1.0), 1.0) == 9.0


Op = tuple[str, float, float | None]
ops: st.SearchStrategy[Op] = st.tuples(
    st.sampled_from(["ask", "go", "good", "throttled"]), gaps, st.none() | st.floats(0, 120)
)


@bounded
@given(st.lists(ops, max_size=50), st.booleans(), rng)
def test_paused_pace_never_sends_before_the_pause_ends(
    steps: list[Op], adaptive: bool, u: float
) -> None:
    """No request is sent until the longest of all requested pauses is over."""
    pace = RateState.of(RateLimit(per_second=10, burst=5, adaptive=adaptive))
    now, silent_until = 0.0, 0.0
    for what, gap, retry_after in steps:
        now += gap
        if what == "throttled":
            pace = refuse(pace, now=now, retry_after=retry_after, u=u)
            silent_until = max(silent_until, now + (retry_after or 0.0))
        elif what == "good":
            pace = recover(pace, now)
        elif delay(pace, now) == 0.0:
            pace = take(pace, now) if what == "go" else pace
            assert now >= silent_until - 1e-6
        assert delay(pace, now) >= 0.0
        assert delay(pace, now) >= silent_until - now - 1e-6


@pytest.mark.parametrize("adaptive, gaps", [(True, [0.1, 0.05, 0.025]), (False, [0.0, 0.0, 0.0])])
def test_a_crowd_comes_back_one_by_one(adaptive: bool, gaps: list[float]) -> None:
    """After a pause the second request waits a little for the first, and each next one half as
    long, until an answer is good."""
    pace = refuse(RateState.of(RateLimit(adaptive=adaptive)), now=0.0, retry_after=1.0, u=0.0)

    times = times_of(pace, [0.0] * 4)
    after_good = times_of(recover(pace, 1.0), [1.0] * 4)

    assert times == pytest.approx([1.0, *(1.0 + math.fsum(gaps[: n + 1]) for n in range(3))])
    assert after_good == [1.0] * 4
    assert gaps[0] in (FIRST_STEP, 0.0)


def test_a_pause_does_not_save_up_a_burst() -> None:
    """After a pause the caller's own burst may go once, as after any rest, and no sooner."""
    limit = RateLimit(per_second=1, burst=3, adaptive=False)
    pace = refuse(RateState.of(limit), now=0.0, retry_after=60.0, u=0.0)

    assert times_of(pace, [0.0] * 3) == [60.0, 61.0, 62.0]


# What 429s teach.


def test_the_rate_that_passed_is_the_limit() -> None:
    """The learned rate is a little below what the service let pass in the second before."""
    assert lower(FREE_PACE, speed=40, now=0.0).learned == 40 * BRAKE


def test_those_that_were_refused_together_did_not_pass() -> None:
    """Further refusals of the same event correct what was measured, downwards only."""
    first = lower(FREE_PACE, speed=55, now=0.0)

    assert correct(first, speed=50).learned == 50 * BRAKE
    assert correct(first, speed=50).ceiling == 50
    assert correct(first, speed=90).learned == first.learned
    assert correct(FREE_PACE, speed=0).learned == SLOWEST


def test_the_rate_sinks_within_bounds() -> None:
    """A slower measurement takes more of it, down to the slowest rate; where nothing passed at
    all, no rate is to blame."""
    first = lower(FREE_PACE, speed=100, now=0.0)

    assert lower(first, speed=20, now=1.0).learned == 20 * BRAKE
    assert lower(first, speed=300, now=1.0).learned == (first.learned or 0) * BRAKE
    assert lower(first, speed=0, now=1.0) is first
    assert correct(first, speed=0.1).learned == SLOWEST


def test_learned_rate_spaces() -> None:
    """The learned rate holds beside the caller's own rate: the slower one counts."""
    learned = replace(FREE_PACE, learned=10.0, steps=9)
    slower = replace(learned, interval=1.0)

    assert delay(take(learned, 100.0), 100.0) == pytest.approx(0.1)
    assert delay(take(slower, 100.0), 100.0) == pytest.approx(1.0)


def test_a_rate_that_proves_right_is_tried_rarely() -> None:
    """The learned rate stays for a while that doubles with each refusal at the same rate, up to a
    bound; a refusal at another rate starts again with the first hold."""
    pace, holds = FREE_PACE, list[float]()
    for _ in range(8):
        pace = lower(pace, speed=50, now=100.0)
        holds.append(pace.raise_at - 100.0)
    other = lower(pace, speed=20, now=100.0)

    assert holds == [FIRST_HOLD * 2**n for n in range(5)] + [LONGEST_HOLD] * 3
    assert other.hold == FIRST_HOLD


def test_the_rate_recovers_step_by_step() -> None:
    """Once that while is over good answers win the rate back, the faster the longer the service
    does not refuse, until nothing limits it."""
    pace = lower(FREE_PACE, speed=50, now=0.0)

    first = recover(pace, FIRST_HOLD)
    later = recover(pace, FIRST_HOLD + 9.0)
    unused = recover(pace, FIRST_HOLD + 9.0, in_use=False)
    while pace.learned:
        assert pace.learned < FREE
        pace = recover(pace, 100.0)

    assert recover(lower(FREE_PACE, speed=50, now=0.0), 1.0).learned == 50 * BRAKE
    assert first.learned == 50 * BRAKE + RECOVERY
    assert later.learned == 50 * BRAKE + 10.0 * RECOVERY
    assert recover(pace, 100.0) is pace
    assert unused.learned == 50 * BRAKE


def test_traffic_counts_what_passed_in_a_second() -> None:
    """The speed is the number of requests in the second before that were not refused."""
    traffic = Traffic()
    for number in range(30):
        traffic.sent(number / 8)
    traffic.refused(2.0)
    traffic.refused(2.3)  # it was sent a moment after its turn had come
    traffic.refused(-1.0)  # of this one nothing is known any more

    assert traffic.speed(2.875) == 6
    assert traffic.speed(1.75) == 8
    assert traffic.speed(0.0) == 1


def test_traffic_is_bounded() -> None:
    """Only the last few thousand requests are remembered."""
    traffic = Traffic()
    for number in range(10_000):
        traffic.sent(float(number))

    assert len(traffic._times) <= KEPT
    assert traffic.speed(9_999.0) == 1
