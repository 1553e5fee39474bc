from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._tracking.life_table import range_of
from veo_async._tracking.schedule import ATTACHED, KINDS, Cohort, Kind, Schedule
from veo_async.policies import PollPolicy

POLICY = PollPolicy()
FAST: Kind = ("text2video", "veo3-fast")
SLOW: Kind = ("text2video", "veo3")


def poll(schedule: Schedule, kind: Kind, since: float, age: float, *, over: bool = False) -> None:
    """Tell that a task, seen unfinished at the age ``since``, is so still, or is over."""
    cohort = Cohort(kind, accepted_at=0.0, seen=since, jitter=1.0)
    if over:
        schedule.finished(cohort, 0.0, age)
    else:
        schedule.unfinished(cohort, age)


def knowing(kind: Kind, mean: float, *, tasks: int = 200) -> Schedule:
    """A schedule that saw so many tasks of a kind, second by second."""
    schedule, rng = Schedule(POLICY), Random(1)
    for _ in range(tasks):
        duration = mean * rng.lognormvariate(-0.045, 0.3)
        poll(schedule, kind, 0.0, duration)
        poll(schedule, kind, duration, duration + 1.0, over=True)
    return schedule


@pytest.mark.parametrize(
    "age, alone, among_many",
    [(0, 5, 5), (2, 1, 1), (20, 5, 2.5), (60, 15, 7.5), (80, 20, 10), (3600, 20, 20)],
)
def test_an_unknown_kind_is_polled_by_its_age(age: float, alone: float, among_many: float) -> None:
    """The first poll comes within five seconds, the next ones after a quarter of the age, or an
    eighth if many share the polls, within one and twenty seconds."""
    schedule = Schedule(POLICY)

    assert schedule.delay(FAST, age, crowd=1) == alone
    assert schedule.delay(FAST, age, crowd=1000) == among_many


@pytest.mark.parametrize("age", [0.0, 8.0, 30.0, 60.0])
def test_little_knowledge_changes_little(age: float) -> None:
    """One poll of one task leaves the schedule about as it was for the ages beyond."""
    schedule = Schedule(POLICY)
    before = schedule.delay(FAST, age, crowd=1)

    poll(schedule, FAST, 0.0, 5.0)

    assert schedule.delay(FAST, age, crowd=1) == pytest.approx(before, rel=0.5)


def test_kinds_are_told_apart() -> None:
    """The durations of one model say nothing about another."""
    schedule = knowing(FAST, 12.0)

    assert schedule.delay(FAST, 0.0, crowd=1) > 6.0
    assert schedule.delay(SLOW, 0.0, crowd=1) == POLICY.first_delay
    assert schedule.delay(ATTACHED, 0.0, crowd=1) == POLICY.first_delay


def test_polls_are_rarer_where_few_share_them() -> None:
    """A poll for one costs what a poll for fifty costs, so one task alone has to wait longer, but
    not more than twice as long."""
    schedule = knowing(FAST, 12.0)

    delays = [schedule.delay(FAST, 12.0, crowd=crowd) for crowd in (0, 1, 12, 25, 50, 10_000)]

    assert delays == sorted(delays, reverse=True)
    assert delays[0] == delays[1] == delays[2] == pytest.approx(2 * delays[-1], rel=0.3)
    assert delays[4] == delays[5]


def test_a_quarter_of_the_patience_halves_the_delay() -> None:
    """With a steady hazard the main option of the policy holds what it promises."""
    delays = []
    for patience in (0.04, 0.01):
        policy = PollPolicy(patience=patience, min_interval=0.01)
        schedule = Schedule(policy)
        for _ in range(100):
            poll(schedule, FAST, 0.0, 12.7)
            poll(schedule, FAST, 12.7, 15.9, over=True)
        delays.append(schedule.delay(FAST, 12.8, crowd=50))

    assert delays[0] == pytest.approx(2 * delays[1], rel=0.05)


def test_the_number_of_kinds_is_bounded() -> None:
    """Model names are the callers' own: of too many kinds the oldest is forgotten."""
    schedule = knowing(FAST, 60.0)

    for number in range(KINDS):
        poll(schedule, ("text2video", f"model-{number}"), 0.0, 5.0)

    assert schedule.delay(FAST, 0.0, crowd=1) == POLICY.first_delay


def test_longest_delay_wins_over_the_shortest() -> None:
    """Bounds that contradict each other do not make the polls rarer than was asked for."""
    schedule = Schedule(PollPolicy(min_interval=9, max_interval=3))

    assert schedule.delay(FAST, 1.0, crowd=1) == 3.0


def test_the_shortest_delay_is_between_polls() -> None:
    """The first poll may come immediately."""
    schedule = Schedule(PollPolicy(first_delay=0))

    assert schedule.delay(FAST, 0.0, crowd=1) == 0.0
    assert schedule.delay(FAST, 0.1, crowd=1) == 1.0
    poll(schedule, FAST, 0.0, 0.1)
    assert 0.0 < schedule.delay(FAST, 0.0, crowd=1) < 2.0


def test_a_late_first_poll_is_the_callers_choice() -> None:
    """A first delay of a minute is kept, although the longest interval is shorter."""
    schedule = Schedule(PollPolicy(first_delay=60))

    assert schedule.delay(FAST, 0.0, crowd=1) == 60.0
    poll(schedule, FAST, 0.0, 60.0)
    assert 20.0 < schedule.delay(FAST, 0.0, crowd=1) <= 60.0
    assert schedule.delay(FAST, 1.0, crowd=1) <= 20.0


@bounded
@given(st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_its_part(now: float, u: float) -> None:
    """A delay is longer or shorter by at most the jitter's part."""
    schedule = Schedule(POLICY)

    cohort = schedule.new_cohort(FAST, now, u=u)

    assert 4.49 <= schedule.due(cohort, crowd=1) - now <= 5.51


def test_wakes_come_before_the_schedule() -> None:
    """A wake makes a task due, until a poll that began after it has been made."""
    schedule = Schedule(PollPolicy(jitter=0))
    cohort = replace(schedule.new_cohort(FAST, 100.0, u=0.5), wakes=(101.0, 103.0, 200.0))
    dues = [schedule.due(cohort, crowd=1)]

    for started, now in [(100.5, 101.5), (101.0, 101.6), (103.0, 104.0)]:
        cohort = schedule.next_cohorts({cohort: [100.0]}, started, now, u=0.5)[cohort][0]
        dues.append(schedule.due(cohort, crowd=1))

    assert dues == [101.0, 101.0, pytest.approx(102.6), 105.0]
    assert cohort.wakes == (200.0,)


def test_a_task_may_have_a_shortest_delay_of_its_own() -> None:
    """Where polls are but a safety net, they are rarer; a wake counts all the same."""
    schedule = Schedule(PollPolicy(jitter=0))
    rare = replace(schedule.new_cohort(FAST, 100.0, u=0.5), least=20.0)

    assert schedule.due(rare, crowd=1) == 120.0
    assert schedule.due(replace(rare, wakes=(101.0,)), crowd=1) == 101.0


# Cohorts.


def test_those_that_begin_together_are_one_cohort() -> None:
    """Who begins a moment after another of its kind is looked at with it; who comes later, or is
    of another kind, is not."""
    schedule = Schedule(POLICY)

    first = schedule.new_cohort(FAST, 100.0, u=0.1)

    assert schedule.new_cohort(FAST, 100.25, u=0.9) is first
    assert schedule.new_cohort(SLOW, 100.25, u=0.1) != first
    late = schedule.new_cohort(FAST, 100.26, u=0.1)
    assert (late.accepted_at, late.seen) == (100.26, 100.26)


def test_a_cohort_begins_with_no_more_tasks_than_a_poll_asks_about() -> None:
    """The next ones have a jitter of their own, so that not all that was submitted at once is
    looked at once."""
    schedule = Schedule(PollPolicy(batch_size=3))

    cohorts = [schedule.new_cohort(FAST, 100.0, u=number / 10) for number in range(7)]

    assert [cohort.jitter for cohort in cohorts] == [pytest.approx(0.9)] * 3 + [
        pytest.approx(0.96)
    ] * 3 + [pytest.approx(1.02)]


def test_the_number_of_latest_cohorts_is_bounded() -> None:
    """Model names are the callers' own: of too many kinds the oldest is forgotten."""
    schedule = Schedule(POLICY)
    first = schedule.new_cohort(FAST, 100.0, u=0.0)

    for number in range(KINDS):
        schedule.new_cohort(("text2video", f"model-{number}"), 100.0, u=0.0)

    assert len(schedule._latest) == KINDS
    assert schedule.new_cohort(FAST, 100.0, u=0.5) != first


def cohort_of(age: float, kind: Kind = FAST, **fields: Any) -> Cohort:
    """A cohort that has this age at the time 1000, and was seen a second before."""
    return Cohort(kind, accepted_at=1000.0 - age, seen=999.0, jitter=1.0, **fields)


def test_one_age_goes_on_together() -> None:
    """Those of one kind whose ages lie in one range are one cohort from then on, of their mean
    age; where a range ends, another cohort begins, also for tasks that shared one."""
    schedule = Schedule(POLICY)
    some, others = cohort_of(12.0), cohort_of(11.0)

    cohorts = schedule.next_cohorts({some: [988.0, 987.0], others: [989.0]}, 999.5, 1000.0, u=0.5)

    young = Cohort(FAST, accepted_at=988.5, seen=1000.0, jitter=1.0)
    assert cohorts == {some: [young, replace(young, accepted_at=987.0)], others: [young]}


def test_a_cohort_does_not_drift_away_from_its_tasks() -> None:
    """When cohorts unite many times, and the older ones among their tasks have ended, the age of
    each lies in one range with its own."""
    schedule, rng, now = Schedule(POLICY), Random(1), 0.0
    tasks: dict[float, Cohort] = {}
    for _ in range(300):
        now += 1.0
        tasks[now] = schedule.new_cohort(FAST, now, u=rng.random())
        accepted_times: dict[Cohort, list[float]] = {}
        for accepted_at in rng.sample(sorted(tasks), min(20, len(tasks))):
            accepted_times.setdefault(tasks[accepted_at], []).append(accepted_at)
        united = schedule.next_cohorts(accepted_times, now, now + 0.5, u=rng.random())
        for cohort, times in accepted_times.items():
            tasks |= zip(times, united[cohort], strict=True)
        for accepted_at in [accepted_at for accepted_at in tasks if now - accepted_at > 60.0]:
            del tasks[accepted_at]

        for accepted_at, cohort in tasks.items():
            own, shared = cohort.seen - accepted_at, cohort.seen - cohort.accepted_at
            assert abs(range_of(max(own, 0.0)) - range_of(shared)) == 0


@pytest.mark.parametrize(
    "other",
    [
        cohort_of(12.0, SLOW),
        cohort_of(12.0, least=20.0),
        cohort_of(12.0, wakes=(1005.0,)),
    ],
)
def test_tasks_with_different_wakes_stay_apart(other: Cohort) -> None:
    """A kind, a shortest delay and wakes are not shared with tasks that lack them."""
    schedule, plain = Schedule(POLICY), cohort_of(12.0)

    cohorts = schedule.next_cohorts({plain: [988.0], other: [988.0]}, 999.5, 1000.0, u=0.5)

    assert cohorts[plain] != cohorts[other]
    assert cohorts[other] == [replace(other, seen=1000.0)]


@bounded
@given(
    st.dictionaries(st.floats(1, 1e5), st.integers(1, 50), min_size=1, max_size=20),
    st.floats(0, 1, exclude_max=True),
)
def test_no_task_is_lost_when_cohorts_unite(ages: dict[float, int], u: float) -> None:
    """At any ages, each cohort has a next one, which is no younger than now
    and next due within the policy's bounds."""
    schedule = Schedule(POLICY)
    accepted_times = {cohort_of(age): [1000.0 - age] * tasks for age, tasks in ages.items()}

    cohorts = schedule.next_cohorts(accepted_times, 999.5, 1000.0, u=u)

    assert {cohort: len(ones) for cohort, ones in cohorts.items()} == {
        cohort: len(times) for cohort, times in accepted_times.items()
    }
    for cohort in {one for ones in cohorts.values() for one in ones}:
        assert cohort.accepted_at <= cohort.seen == 1000.0
        assert 0.89 <= schedule.due(cohort, crowd=sum(ages.values())) - 1000.0 <= 22.1


def test_a_mean_is_not_in_the_future() -> None:
    """Rounding makes none of them younger than nothing: a look may come in the moment in which
    they began."""
    schedule, cohort = Schedule(POLICY), Cohort(FAST, accepted_at=0.1, seen=0.1, jitter=1.0)

    ((one, *_),) = schedule.next_cohorts({cohort: [0.1] * 3}, 0.1, 0.1, u=0.5).values()

    assert one.accepted_at <= one.seen == 0.1


def test_many_observations_at_once_teach_the_same_as_one_by_one() -> None:
    """A cohort of fifty is learned from as fifty tasks are."""
    together, apart = Schedule(POLICY), Schedule(POLICY)

    together.unfinished(cohort_of(12.0), 1000.0, tasks=50)
    for _ in range(50):
        apart.unfinished(cohort_of(12.0), 1000.0)

    for age in (0.0, 5.0, 11.0, 20.0):
        assert together.delay(FAST, age, crowd=50) == apart.delay(FAST, age, crowd=50)


def test_an_end_is_learned_at_its_own_age() -> None:
    """The mean age of a cohort does not blur how long a video took; and who began a moment after
    its cohort was not seen before it began."""
    schedule, exact = Schedule(POLICY), Schedule(POLICY)
    cohort = Cohort(FAST, accepted_at=100.0, seen=100.0, jitter=1.0)

    schedule.finished(cohort, 100.2, 110.0)
    poll(exact, FAST, 0.0, 110.0 - 100.2, over=True)

    for age in (0.0, 5.0, 9.0, 20.0):
        assert schedule.delay(FAST, age, crowd=1) == exact.delay(FAST, age, crowd=1)


@bounded
@given(st.floats(1, 7200))
def test_polls_are_few_and_not_late(duration: float) -> None:
    """A task alone, of any duration and of which nothing is known, is noticed at most half of it,
    or twenty seconds, late, for a number of polls that is a few more than the cap asks for."""
    schedule, age, polls = Schedule(POLICY), 0.0, 0
    while age < duration:
        seen, polls = age, polls + 1
        age += schedule.delay(FAST, age, crowd=1)
        poll(schedule, FAST, seen, age)

    assert age - duration <= max(5.0, min(0.5 * duration, 20.0))
    assert polls <= 16 + duration / 18.0
