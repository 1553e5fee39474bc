from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._core.schedule import ATTACHED, KINDS, Kind, Schedule, Watch
from veo_async.policies import PollPolicy

POLICY = PollPolicy()
FAST: Kind = ("text2video", "veo3-fast")
SLOW: Kind = ("text2video", "veo3")


def look(schedule: Schedule, kind: Kind, since: float, age: float, *, over: bool = False) -> None:
    """Tell that a task, seen unfinished at the age ``since``, is so still, or is over."""
    watch = Watch(kind, born=0.0, seen=since, jitter=1.0)
    if over:
        schedule.finished(watch, age)
    else:
        schedule.unfinished(watch, age, age, u=0.5)


def knowing(kind: Kind, mean: float, *, tasks: int = 200) -> Schedule:
    """A schedule that saw so many tasks of a kind, second by second."""
    schedule, luck = Schedule(POLICY), Random(1)
    for _ in range(tasks):
        duration = mean * luck.lognormvariate(-0.045, 0.3)
        look(schedule, kind, 0.0, duration)
        look(schedule, kind, duration, duration + 1.0, over=True)
    return schedule


@pytest.mark.parametrize(
    "age, alone, among_many",
    [(0, 5, 5), (2, 1, 1), (20, 5, 2.5), (60, 15, 7.5), (80, 20, 10), (3600, 20, 20)],
)
def test_what_is_not_known_is_looked_at_by_its_age(
    age: float, alone: float, among_many: float
) -> None:
    """The first look comes within five seconds, the next ones after a quarter of the age, or an
    eighth if many share the polls, within one and twenty seconds."""
    schedule = Schedule(POLICY)

    assert schedule.delay(FAST, age, crowd=1) == alone
    assert schedule.delay(FAST, age, crowd=1000) == among_many


@pytest.mark.parametrize("age", [0.0, 8.0, 30.0, 60.0])
def test_little_knowledge_changes_little(age: float) -> None:
    """One look at one task leaves the schedule about as it was for the ages beyond."""
    schedule = Schedule(POLICY)
    before = schedule.delay(FAST, age, crowd=1)

    look(schedule, FAST, 0.0, 5.0)

    assert schedule.delay(FAST, age, crowd=1) == pytest.approx(before, rel=0.5)


def test_kinds_are_told_apart() -> None:
    """What is known of one model says nothing about another."""
    schedule = knowing(FAST, 12.0)

    assert schedule.delay(FAST, 0.0, crowd=1) > 6.0
    assert schedule.delay(SLOW, 0.0, crowd=1) == POLICY.first
    assert schedule.delay(ATTACHED, 0.0, crowd=1) == POLICY.first


def test_looks_are_rarer_where_few_share_them() -> None:
    """A poll for one costs what a poll for fifty costs, so one task alone has to wait longer, but
    not more than twice as long."""
    schedule = knowing(FAST, 12.0)

    delays = [schedule.delay(FAST, 12.0, crowd=crowd) for crowd in (0, 1, 12, 25, 50, 10_000)]

    assert delays == sorted(delays, reverse=True)
    assert delays[0] == delays[1] == delays[2] == pytest.approx(2 * delays[-1], rel=0.3)
    assert delays[4] == delays[5]


def test_a_quarter_of_the_patience_halves_the_delay() -> None:
    """What the policy promises of its main option, where the hazard is steady."""
    delays = []
    for patience in (0.04, 0.01):
        policy = PollPolicy(patience=patience, min_interval=0.01)
        schedule = Schedule(policy)
        for _ in range(100):
            look(schedule, FAST, 0.0, 12.7)
            look(schedule, FAST, 12.7, 15.9, over=True)
        delays.append(schedule.delay(FAST, 12.8, crowd=50))

    assert delays[0] == pytest.approx(2 * delays[1], rel=0.05)


def test_what_is_remembered_is_bounded() -> None:
    """Model names are the callers' own: of too many kinds the oldest is forgotten."""
    schedule = knowing(FAST, 60.0)

    for number in range(KINDS):
        look(schedule, ("text2video", f"model-{number}"), 0.0, 5.0)

    assert schedule.delay(FAST, 0.0, crowd=1) == POLICY.first


def test_longest_delay_wins_over_the_shortest() -> None:
    """Bounds that contradict each other do not make the looks rarer than was asked for."""
    schedule = Schedule(PollPolicy(min_interval=9, max_interval=3))

    assert schedule.delay(FAST, 1.0, crowd=1) == 3.0


def test_the_shortest_delay_is_between_looks() -> None:
    """Whoever wants the first look at once gets it."""
    schedule = Schedule(PollPolicy(first=0))

    assert schedule.delay(FAST, 0.0, crowd=1) == 0.0
    assert schedule.delay(FAST, 0.1, crowd=1) == 1.0
    look(schedule, FAST, 0.0, 0.1)
    assert 0.0 < schedule.delay(FAST, 0.0, crowd=1) < 2.0


def test_a_late_first_look_is_the_callers_choice() -> None:
    """Who knows that nothing is ready for a minute is not asked to look after twenty seconds."""
    schedule = Schedule(PollPolicy(first=60))

    assert schedule.delay(FAST, 0.0, crowd=1) == 60.0
    look(schedule, FAST, 0.0, 60.0)
    assert 20.0 < schedule.delay(FAST, 0.0, crowd=1) <= 60.0
    assert schedule.delay(FAST, 1.0, crowd=1) <= 20.0


@bounded
@given(st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_jitter_stays_within_its_part(now: float, u: float) -> None:
    """A delay is longer or shorter by at most the jitter's part."""
    schedule = Schedule(POLICY)

    watch = schedule.watch(FAST, now, u=u)

    assert 4.49 <= schedule.due(watch, crowd=1) - now <= 5.51


def test_wakes_come_before_the_schedule() -> None:
    """A reason to look makes a task due, until a look that began after it has been made."""
    schedule = Schedule(PollPolicy(jitter=0))
    watch = schedule.watch(FAST, 100.0, u=0.5)
    watch.wakes = (101.0, 103.0, 200.0)
    dues = [schedule.due(watch, crowd=1)]

    for started, now in [(100.5, 101.5), (101.0, 101.6), (103.0, 104.0)]:
        schedule.unseen(watch, started, now, u=0.5)
        dues.append(schedule.due(watch, crowd=1))

    assert dues == [101.0, 101.0, pytest.approx(102.6), 105.0]
    assert list(watch.wakes) == [200.0]


def test_a_task_may_have_a_shortest_delay_of_its_own() -> None:
    """Where polls are but a safety net, they are rarer; a reason to look counts all the same."""
    schedule = Schedule(PollPolicy(jitter=0))
    watch = schedule.watch(FAST, 100.0, u=0.5)
    watch.least = 20.0

    assert schedule.due(watch, crowd=1) == 120.0
    watch.wakes = (101.0,)
    assert schedule.due(watch, crowd=1) == 101.0


@bounded
@given(st.floats(1, 7200))
def test_looks_are_few_and_not_late(duration: float) -> None:
    """A task alone, of any duration and of which nothing is known, is noticed at most half of it,
    or twenty seconds, late, for a number of looks that is a few more than the cap asks for."""
    schedule, age, looks = Schedule(POLICY), 0.0, 0
    while age < duration:
        seen, looks = age, looks + 1
        age += schedule.delay(FAST, age, crowd=1)
        look(schedule, FAST, seen, age)

    assert age - duration <= max(5.0, min(0.5 * duration, 20.0))
    assert looks <= 16 + duration / 18.0
