from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.support.wire import bounded
from veo_async._core.schedule import FEW, Agenda, first_look, next_look
from veo_async.policies import PollPolicy

EXACT = PollPolicy(jitter=0.0)
luck = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    "age, delay",
    [(0, 1.0), (4, 1.0), (20, 5.0), (60, 15.0), (80, 20.0), (3600, 20.0), (1e12, 20.0)],
)
def test_delay_grows_with_the_age_within_bounds(age: float, delay: float) -> None:
    """The next look comes after a quarter of the age, within one and twenty seconds."""
    assert next_look(age, EXACT, u=0.5) == delay


def test_first_look_is_early() -> None:
    """The first look is within five seconds or so of the submit."""
    assert first_look(EXACT, u=0.0) == 5.0
    assert 4.5 <= first_look(PollPolicy(), u=0.0) < first_look(PollPolicy(), u=0.999) <= 5.5


def test_longest_delay_wins_over_the_shortest() -> None:
    """Bounds that contradict each other do not make the looks rarer than was asked for."""
    assert next_look(0.0, PollPolicy(min_interval=9, max_interval=3, jitter=0), u=0.5) == 3.0


@bounded
@given(st.floats(0, 1e9), luck)
def test_jitter_stays_within_its_part(age: float, u: float) -> None:
    """A delay is longer or shorter by at most the jitter's part, and never zero."""
    policy = PollPolicy()

    delay, exact = next_look(age, policy, u=u), next_look(age, EXACT, u=u)

    assert 0.9 * exact <= delay <= 1.1 * exact
    assert delay >= 0.9 * policy.min_interval


@bounded
@given(st.floats(1, 7200))
def test_looks_are_few_and_not_late(duration: float) -> None:
    """A task of any duration is noticed at most a quarter of it, or twenty seconds, late, for a
    number of looks that is a few more than the cap asks for."""
    age, looks = first_look(EXACT, u=0.5), 1
    while age < duration:
        age += next_look(age, EXACT, u=0.5)
        looks += 1

    assert age - duration <= max(5.0, min(0.25 * duration, 20.0))
    assert looks <= 16 + duration / 20.0


# The agenda.


def test_nothing_is_due_before_its_time() -> None:
    """Nobody is taken while nobody is due."""
    agenda = Agenda()
    agenda.add("a", 10.0)

    assert agenda.take(9.99, 50) == []
    assert agenda.next_due() == 10.0
    assert agenda.take(10.0, 50) == ["a"]
    assert agenda.next_due() is None


def test_neighbours_ride_along() -> None:
    """A poll costs the same for one id as for fifty, so those that are due next come with it."""
    agenda = Agenda()
    for task_id, due in [("d", 40.0), ("a", 10.0), ("c", 30.0), ("b", 20.0)]:
        agenda.add(task_id, due)

    assert agenda.take(10.0, 3) == ["a", "b", "c"]
    assert agenda.take(10.0, 3) == []
    assert len(agenda) == 1


def test_adding_again_moves() -> None:
    """An id stands on the agenda once, at its last time."""
    agenda = Agenda()
    agenda.add("a", 10.0)
    agenda.add("a", 30.0)
    agenda.add("b", 20.0)

    assert len(agenda) == 2
    assert agenda.take(30.0, 50) == ["b", "a"]


def test_dropping_is_forgiving() -> None:
    """An id that is not there can be dropped, and one that was dropped is not taken."""
    agenda = Agenda()
    agenda.add("a", 10.0)

    agenda.drop("a")
    agenda.drop("a")
    agenda.drop("never there")

    assert agenda.take(1e9, 50) == []


def test_moving_does_not_fill_the_memory() -> None:
    """What was moved or dropped does not stay for ever, however often that happens."""
    agenda = Agenda()
    for task_id in "abc":
        agenda.add(task_id, 1e9)

    for i in range(10_000):
        agenda.add("abc"[i % 3], 1e9 + i)
        agenda.add("gone", 1e9)
        agenda.drop("gone")

    assert len(agenda._heap) <= 2 * len(agenda) + FEW


class AgendaLikeASortedList(RuleBasedStateMachine):
    """The agenda does what a dictionary that is sorted anew each time would do."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda = Agenda()
        self.model: dict[str, tuple[float, int]] = {}
        self.added = 0

    @rule(task_id=st.sampled_from("abcdef"), due=st.integers(0, 10))
    def add(self, task_id: str, due: int) -> None:
        self.added += 1
        self.agenda.add(task_id, float(due))
        self.model[task_id] = (float(due), self.added)

    @rule(task_id=st.sampled_from("abcdef"))
    def drop(self, task_id: str) -> None:
        self.agenda.drop(task_id)
        self.model.pop(task_id, None)

    @rule(task_id=st.sampled_from("abcdef"), times=st.integers(1, 100))
    def move_often(self, task_id: str, times: int) -> None:
        for _ in range(times):
            self.add(task_id, 5)

    @rule(now=st.integers(-1, 11), size=st.integers(1, 4))
    def take(self, now: int, size: int) -> None:
        ordered: list[Any] = sorted(self.model, key=self.model.__getitem__)
        is_due = bool(ordered) and self.model[ordered[0]][0] <= now

        taken = self.agenda.take(float(now), size)

        assert taken == (ordered[:size] if is_due else [])
        for task_id in taken:
            del self.model[task_id]

    @invariant()
    def same(self) -> None:
        assert len(self.agenda) == len(self.model)
        assert self.agenda.next_due() == min(self.model.values(), default=(None, 0))[0]
        assert len(self.agenda._heap) <= 2 * len(self.model) + FEW


TestAgenda = AgendaLikeASortedList.TestCase
TestAgenda.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, derandomize=True
)
