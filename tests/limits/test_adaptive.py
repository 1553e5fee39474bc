from __future__ import annotations

from math import inf
from typing import Any

import pytest

from veo_async._limits.adaptive import (
    AHEAD,
    COARSE,
    IN_USE,
    LEAST_POLLS,
    MOST_AHEAD,
    AdaptiveLimits,
)
from veo_async._limits.rate_and_pause import BRAKE
from veo_async.policies import RateLimit


def throttle(**options: Any) -> AdaptiveLimits:
    """Nothing sent yet."""
    return AdaptiveLimits(RateLimit(**options))


def send(state: AdaptiveLimits, count: int, *, since: float, per_second: float) -> float:
    """Send so many that are answered at once; when the last one went."""
    at = since
    for number in range(count):
        at = since + number / per_second
        state.take(at)
        state.answered(sent=at, now=at)
    return at


def refuse(
    state: AdaptiveLimits, at: float, *, lane: Any = "submit", running: int = 100, now: float = -1.0
) -> None:
    """A request that goes at this time is refused at once, unless it is ``now``."""
    state.take(at)
    now = max(now, at)
    state.refused(lane, sent=at, now=now, running=running, retry_after=1.0, u=0.0)


def verdict(state: AdaptiveLimits) -> tuple[float | None, int | None]:
    """The learned rate and the learned cap."""
    return state.pace.learned, state.cap.learned


def test_as_fast_as_ever_is_too_fast() -> None:
    """A submit that is refused at the fastest rate that ever passed blames the rate alone."""
    state = throttle()
    at = send(state, 40, since=0.0, per_second=40)

    refuse(state, at + 0.01)

    assert verdict(state) == (40 * BRAKE, None)


def test_slower_than_ever_is_too_many() -> None:
    """A submit that is refused although requests went slower than some that passed blames the
    cap: as many as run."""
    state = throttle()
    send(state, 40, since=0.0, per_second=40)
    at = send(state, 20, since=10.0, per_second=20)

    refuse(state, at + 0.01, running=57)

    assert verdict(state) == (None, 57)
    assert state.room(held=57, running=57, now=at) > 0.0


def test_a_refused_poll_says_nothing_about_the_cap() -> None:
    """A poll starts no generation."""
    state = throttle()
    send(state, 40, since=0.0, per_second=40)
    at = send(state, 20, since=10.0, per_second=20)

    refuse(state, at + 0.01, lane="poll")

    assert verdict(state) == (20 * BRAKE, None)


def test_the_pause_tells_a_cap_from_a_rate() -> None:
    """The first submit after a pause goes at a rate that cannot be too fast: refused again, it
    was the cap."""
    state = throttle()
    at = send(state, 40, since=0.0, per_second=40)
    refuse(state, at + 0.01, running=40)

    refuse(state, at + 2.0, running=40)

    assert verdict(state) == (40 * BRAKE, 40)


def test_a_rate_that_was_kept_is_not_blamed_again() -> None:
    """Refused while the learned rate is kept, it is the cap; unless far fewer run than the cap
    allows, or so few went that the rate was measured too coarsely."""
    state = throttle()
    refuse(state, send(state, 40, since=0.0, per_second=40) + 0.01)
    kept = send(state, 38, since=1.1, per_second=38) + 0.001

    refuse(state, kept, running=80)
    learned = verdict(state)
    refuse(state, send(state, 38, since=3.2, per_second=38) + 0.001, running=20)

    assert learned == (40 * BRAKE, 80)
    assert state.pace.learned is not None
    assert state.pace.learned < 40 * BRAKE
    assert state.cap.learned == 80

    coarse = throttle()
    refuse(coarse, send(coarse, COARSE - 1, since=0.0, per_second=COARSE) + 0.01)
    refuse(coarse, send(coarse, COARSE - 1, since=1.9, per_second=COARSE) + 0.01)
    assert coarse.cap.learned is None


def test_refusals_of_one_event_count_once() -> None:
    """Of requests that went before the pause began the first refusal teaches; the others only
    show that they did not pass either, and only of the rate."""
    state = throttle()
    send(state, 40, since=0.0, per_second=100)
    for _ in range(3):
        state.take(0.5)
    for _ in range(3):
        state.refused("submit", sent=0.5, now=0.6, running=40, retry_after=1.0, u=0.0)

    assert verdict(state) == (40 * BRAKE, None)
    assert state.pace.strikes == 1

    capped = throttle()
    send(capped, 40, since=0.0, per_second=40)
    for running in (57, 55, 53):
        capped.take(9.0)
        capped.refused("submit", sent=9.0, now=9.1, running=running, retry_after=1.0, u=0.0)
    assert verdict(capped) == (None, 57)


def test_refusals_that_the_cap_did_not_foretell_make_the_rate_suspect() -> None:
    """If the service's rate fell, refusals come where the cap allows more: then slower and slower
    rates may be to blame."""
    state = throttle()
    send(state, 100, since=0.0, per_second=100)
    for number in range(9):
        last = send(state, 20, since=10.0 * (number + 1), per_second=20)
        refuse(state, last + 0.01, running=1000 >> number)

    assert state.pace.learned == pytest.approx(20 * BRAKE, rel=0.06)


def test_a_limit_that_is_not_used_is_kept() -> None:
    """Good answers at a slow rate say nothing about a fast one."""
    state = throttle()
    refuse(state, send(state, 40, since=0.0, per_second=40) + 0.01)
    send(state, 100, since=50.0, per_second=40 * IN_USE * 0.8)

    assert state.pace.learned == 40 * BRAKE

    send(state, 100, since=100.0, per_second=38)
    assert state.pace.learned > 40 * BRAKE


def test_adaptive_false_learns_nothing_and_pauses() -> None:
    """Without learning a 429 pauses everybody all the same."""
    state = throttle(adaptive=False)
    at = send(state, 40, since=0.0, per_second=40)

    refuse(state, at)
    refuse(state, at + 5.0)

    assert verdict(state) == (None, None)
    assert state.delay(at + 5.5) == pytest.approx(0.5)
    assert state.pace.strikes == 2


def test_the_callers_own_limit_holds_beside_what_was_learned() -> None:
    """With a limit in flight there is room up to it, even if the service would take more."""
    state = throttle(in_flight=3)

    assert state.room(held=2, running=2, now=0.0) == 0.0
    assert state.room(held=3, running=3, now=0.0) == inf


def test_acceptances_teach_the_cap() -> None:
    """Generations that are accepted beyond a learned cap raise it."""
    state = throttle()
    send(state, 40, since=0.0, per_second=40)
    refuse(state, 9.0, running=57)

    state.accepted(running=60, now=10.0)

    assert state.cap.learned == 60


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize(
    "per_second, ahead", [(1, 0), (9, 0), (10, 1), (59, 5), (200, 20), (320, 32), (1000, 32)]
)
def test_submits_get_ready_as_far_ahead_as_their_turn_is_near(
    per_second: int, ahead: int, *, adaptive: bool
) -> None:
    """By what passed in the last second, and never more than `MOST_AHEAD`."""
    state = throttle(adaptive=adaptive)
    before = state.ahead(0.0)
    at = send(state, 2 * per_second, since=0.0, per_second=per_second)

    assert before == 0
    assert state.ahead(at) == ahead == min(int(per_second * AHEAD), MOST_AHEAD)
    assert state.ahead(at + 1.1) == 0


@pytest.mark.parametrize("adaptive", [True, False])
@pytest.mark.parametrize("lane", ["submit", "poll"])
def test_nobody_gets_ready_ahead_in_a_pause(lane: Any, *, adaptive: bool) -> None:
    """After a 429 to either kind a prepared submit would wait for an unknown time."""
    state = throttle(adaptive=adaptive)
    at = send(state, 100, since=0.0, per_second=100)

    refuse(state, at, lane=lane)

    assert state.ahead(at) == 0


@pytest.mark.parametrize("blamed", ["rate", "cap"])
def test_nobody_gets_ready_ahead_of_a_learned_limit(blamed: str) -> None:
    """Neither of a rate nor of a cap, also once good answers come again. Without learning they end
    it."""
    state, simple = throttle(), throttle(adaptive=False)
    for one in (state, simple):
        at = send(one, 100, since=0.0, per_second=100)
        if blamed == "cap":
            at = send(one, 20, since=9.0, per_second=20)
        refuse(one, at + 0.01)
        at = send(one, 60, since=20.0, per_second=60)

    assert [bool(learned) for learned in verdict(state)] == [blamed == "rate", blamed == "cap"]
    assert state.pace.strikes == 0
    assert (state.ahead(at), simple.ahead(at)) == (0, 6)


def poll(state: AdaptiveLimits, count: int, *, since: float, per_second: float) -> float:
    """So many polls that the service answers; returns the time of the last one."""
    at = since
    for number in range(count):
        at = since + number / per_second
        state.take(at, "poll")
        state.answered(sent=at, now=at, lane="poll")
    return at


def refuse_poll(state: AdaptiveLimits, at: float, *, now: float = -1.0) -> None:
    """A poll that goes at this time is refused at once, unless it is ``now``."""
    state.take(at, "poll")
    state.refused("poll", sent=at, now=max(now, at), running=0, retry_after=1.0, u=0.0)


def test_polls_may_be_half_of_what_passed() -> None:
    """Polls follow the fastest rate that passed, and the rate that was learned from a 429; few
    polls are always allowed."""
    state = throttle()
    before = state.polls_per_second
    at = send(state, 400, since=0.0, per_second=400)
    proven = state.polls_per_second
    refuse(state, at + 0.001)

    assert (before, proven) == (LEAST_POLLS, 200.0)
    assert state.polls_per_second == pytest.approx(200.0 * BRAKE)


def test_a_service_that_refuses_polls_makes_their_budget_smaller_at_once() -> None:
    """A poll that is refused when as many as ever had passed blames the rate of polls alone:
    submits keep their rate, and polls are spaced by what was learned."""
    state = throttle()
    send(state, 40, since=0.0, per_second=40)
    at = poll(state, 5, since=10.0, per_second=50)

    refuse_poll(state, at + 0.01)

    after = at + 5.0
    state.take(after, "poll")
    assert verdict(state) == (None, None)
    assert state.polls_per_second == 5 * BRAKE
    assert state.delay(after, "poll") == pytest.approx(1 / (5 * BRAKE))
    assert state.delay(after, "submit") < 0.2


def test_polls_that_were_refused_together_did_not_pass() -> None:
    """The later refusals of polls that were sent together correct what was learned."""
    state = throttle()
    at = poll(state, 5, since=10.0, per_second=50)
    for number in (1, 2):
        state.take(at + number / 100, "poll")
    for number in (1, 2):
        state.refused(
            "poll", sent=at + number / 100, now=at + 0.05, running=0, retry_after=1.0, u=0.0
        )

    assert state.polls_per_second == pytest.approx(5 * BRAKE)


def test_the_budget_of_polls_recovers() -> None:
    """After a hold, good polls at the learned rate raise it again."""
    state = throttle()
    refuse_poll(state, poll(state, 5, since=10.0, per_second=50) + 0.01)

    poll(state, 200, since=20.0, per_second=5)

    assert state.polls_per_second == LEAST_POLLS


def test_a_poll_that_is_slower_than_polls_that_passed_blames_the_rate() -> None:
    """More polls a second passed before, so polls are not the reason."""
    state = throttle()
    poll(state, 9, since=0.0, per_second=9)
    at = send(state, 40, since=10.0, per_second=40)

    refuse_poll(state, at + 0.01)

    assert verdict(state) == (40 * BRAKE, None)
    assert state.polls.learned is None
