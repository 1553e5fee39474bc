from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from veo_async._tracking.poll_queue import (
    CROWD,
    FEW,
    MOMENT,
    MOST_AT_ONCE,
    SOON,
    DueQueue,
    PollQueue,
)
from veo_async._tracking.schedule import Cohort


def seen(at: float, *, accepted_at: float = 0.0) -> Cohort:
    """A cohort that was last seen then."""
    return Cohort(("text2video", "veo3-fast"), accepted_at=accepted_at, seen=at, jitter=1.0)


def ten_later(cohort: Cohort) -> float:
    """A schedule that polls everything every ten seconds."""
    return cohort.seen + 10.0


def at_once(cohort: Cohort) -> float:
    """A schedule for which everything is due, in the order in which it was last seen."""
    return cohort.seen - 1e9


NOW = seen(0.0)


# The agenda.


def test_nothing_is_due_before_its_time() -> None:
    """No id is taken while none is due."""
    agenda = DueQueue()
    agenda.add("a", seen(0.0))

    assert agenda.take(9.99, 50, ten_later) == []
    assert agenda.next_due(0.0, 50, ten_later) == 10.0
    assert agenda.take(10.0, 50, ten_later) == ["a"]
    assert agenda.next_due(10.0, 50, ten_later) is None


def test_neighbours_ride_along() -> None:
    """A poll costs the same for one id as for fifty, so those that are due next come with it."""
    agenda = DueQueue()
    for task_id, at in [("d", 40.0), ("a", 10.0), ("c", 30.0), ("b", 20.0)]:
        agenda.add(task_id, seen(at))

    assert agenda.take(20.0, 3, ten_later) == ["a", "b", "c"]
    assert agenda.take(20.0, 3, ten_later) == []
    assert len(agenda) == 1


def test_a_cohort_is_reckoned_once() -> None:
    """The due time of a cohort is computed once for all of its tasks; and one that is larger
    than a poll keeps its other tasks."""
    agenda, asked = DueQueue(), list[Cohort]()
    for number in range(CROWD + 100):
        agenda.add(f"t{number}", NOW)

    def when(cohort: Cohort) -> float:
        asked.append(cohort)
        return 10.0

    taken = [agenda.take(10.0, 50, when) for _ in range(4)]

    assert taken == [[f"t{50 * poll + n}" for n in range(50)] for poll in range(3)] + [
        [f"t{number}" for number in range(150, CROWD + 100)]
    ]
    assert asked == [NOW]
    assert agenda.take(10.0, 50, when) == []


def test_adding_again_moves() -> None:
    """An id stands on the agenda once, in its last cohort."""
    agenda = DueQueue()
    agenda.add("a", seen(10.0))
    agenda.add("a", seen(30.0))
    agenda.add("b", seen(20.0))
    agenda.add("b", seen(20.0))

    assert len(agenda) == 2
    assert agenda.take(30.0, 50, ten_later) == ["b", "a"]


def test_cohorts_are_told_apart_by_their_value() -> None:
    """Two that say the same are one."""
    agenda = DueQueue()
    agenda.add("a", seen(10.0))
    agenda.add("b", seen(10.0))
    agenda.add("c", seen(10.0, accepted_at=1.0))

    assert len(agenda._groups) == 2


def test_dropping_is_forgiving() -> None:
    """An id that is not there can be dropped, and one that was dropped is not taken."""
    agenda = DueQueue()
    agenda.add("a", NOW)

    agenda.drop("a")
    agenda.drop("a")
    agenda.drop("never there")

    assert agenda.take(1e9, 50, ten_later) == []
    assert agenda.next_due(0.0, 50, ten_later) is None


def test_moving_does_not_fill_the_memory() -> None:
    """Invalid entries of moved and dropped ids do not accumulate."""
    agenda = DueQueue()
    for task_id in "abc":
        agenda.add(task_id, NOW)

    for i in range(10_000):
        agenda.add("abc"[i % 3], seen(1e9 + i))
        agenda.add("gone", NOW)
        agenda.drop("gone")
        agenda.learned()
        agenda.next_due(0.0, 50, ten_later)

    assert len(agenda._heap) <= 2 * len(agenda._groups) + FEW
    assert len(agenda._groups) == 3


def test_learning_moves_due_times() -> None:
    """After something was learned, due times are computed again before an id is taken as first."""
    agenda = DueQueue()
    for task_id, at in [("a", 1.0), ("b", 2.0), ("c", 3.0)]:
        agenda.add(task_id, seen(at))
    assert agenda.next_due(0.0, 50, ten_later) == 11.0

    dues = {1.0: 25.0, 2.0: 29.0, 3.0: 15.0}
    agenda.learned()

    def when(cohort: Cohort) -> float:
        return dues[cohort.seen]

    assert agenda.next_due(11.0, 50, when) == 15.0
    assert agenda.take(15.0, 2, when) == ["c", "a"]
    assert agenda.take(25.0, 9, when) == []
    assert agenda.take(29.0, 9, when) == ["b"]


def test_nothing_is_reckoned_twice_for_nothing() -> None:
    """Where nothing was learned, the times stand."""
    agenda, asked = DueQueue(), list[float]()
    for at in range(5):
        agenda.add(f"t{at}", seen(float(at)))

    def when(cohort: Cohort) -> float:
        asked.append(cohort.seen)
        return ten_later(cohort)

    for _ in range(3):
        agenda.next_due(0.0, 50, when)
        agenda.take(0.0, 50, when)

    assert sorted(asked) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_one_more_may_make_all_of_its_cohort_due_earlier() -> None:
    """Where few share the polls, each further one makes a poll cheaper; else it does not."""
    agenda = DueQueue()

    def when(cohort: Cohort) -> float:
        return 1000.0 - min(len(agenda), CROWD)

    dues = []
    for number in range(CROWD + 9):
        agenda.add(f"t{number}", NOW)
        dues.append(agenda.next_due(0.0, 50, when))

    assert dues == [
        1000.0 - min(number, CROWD) + (MOMENT if number > 50 else 0.0)
        for number in range(1, CROWD + 10)
    ]


def test_the_work_of_one_step_is_bounded() -> None:
    """Thousands of cohorts that can wait by now hold up nothing: after some of them the rest has
    its turn a moment later."""
    agenda = DueQueue()
    for number in range(10_000):
        agenda.add(f"n{number}", seen(10.0, accepted_at=float(number)))
    asked: list[Cohort] = []

    def later(cohort: Cohort) -> float:
        asked.append(cohort)
        return 20.0

    assert agenda.next_due(10.0, 50, later) == 10.0 + SOON
    assert len(asked) == MOST_AT_ONCE
    assert agenda.take(10.0, 50, later) == []
    assert len(asked) == 2 * MOST_AT_ONCE
    for _ in range(10_000 // MOST_AT_ONCE):
        agenda.take(10.0, 50, later)
    assert agenda.next_due(10.0, 50, later) == 20.0 + MOMENT
    assert len(asked) == 10_000


def test_those_that_do_not_fit_into_one_poll_wait_for_each_other() -> None:
    """Where more wait than a poll asks about, who is due next has a moment for others to come due
    too. What is due already waits for nobody, nor do those who fit, or who share nothing."""
    agenda = DueQueue()
    for task_id in "abc":
        agenda.add(task_id, NOW)

    assert agenda.next_due(0.0, 3, ten_later) == 10.0
    assert agenda.next_due(0.0, 2, ten_later) == 10.0 + MOMENT
    assert agenda.next_due(0.0, 1, ten_later) == 10.0
    assert agenda.next_due(10.0, 2, ten_later) == 10.0


def test_a_cohort_with_a_poll_time_of_its_own_does_not_wait_for_others() -> None:
    """A callback that came is not kept waiting for others."""
    agenda = DueQueue()
    for task_id in "abc":
        agenda.add(task_id, NOW)
    agenda.add("d", replace(NOW, wakes=(5.0,)))

    def when(cohort: Cohort) -> float:
        return min(ten_later(cohort), *cohort.wakes, 99.0)

    assert agenda.next_due(0.0, 2, when) == 5.0
    assert agenda.take(5.0, 1, when) == ["d"]
    assert agenda.next_due(5.0, 2, when) == 10.0 + MOMENT


class AgendaLikeASortedList(RuleBasedStateMachine):
    """The queue does what a dictionary that is sorted each time would do."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda = DueQueue()
        self.model: dict[str, int] = {}
        self.shift = 0.0

    def when(self, cohort: Cohort) -> float:
        return (cohort.seen + self.shift) % 11

    def due(self, task_id: str) -> float:
        return (self.model[task_id] + self.shift) % 11

    @rule(task_id=st.sampled_from("abcdef"), at=st.integers(0, 10))
    def add(self, task_id: str, at: int) -> None:
        self.agenda.add(task_id, seen(float(at)))
        self.model[task_id] = at

    @rule(task_id=st.sampled_from("abcdef"))
    def drop(self, task_id: str) -> None:
        self.agenda.drop(task_id)
        self.model.pop(task_id, None)

    @rule(task_id=st.sampled_from("abcdef"), times=st.integers(1, 100))
    def move_often(self, task_id: str, times: int) -> None:
        for number in range(times):
            self.add(task_id, number % 11)

    @rule(later=st.integers(0, 10))
    def learn(self, later: int) -> None:
        # A cohort that is due later is moved when its turn comes; one that is due earlier is found
        # only when all due times are computed again. So all have their turn here.
        self.shift += later
        self.agenda.learned()
        for group in self.agenda._groups.values():
            self.agenda._put(group, float("-inf"))

    @rule(now=st.integers(-1, 11), size=st.integers(1, 4))
    def take(self, now: int, size: int) -> None:
        ordered: list[Any] = sorted(self.model, key=self.due)
        is_due = bool(ordered) and self.due(ordered[0]) <= now

        taken = self.agenda.take(float(now), size, self.when)

        assert len(taken) == (min(size, len(ordered)) if is_due else 0)
        assert [self.due(task_id) for task_id in taken] == [
            self.due(task_id) for task_id in ordered[: len(taken)]
        ]
        for task_id in taken:
            del self.model[task_id]

    @invariant()
    def same(self) -> None:
        assert len(self.agenda) == len(self.model)
        dues = [self.due(task_id) for task_id in self.model]
        assert self.agenda.next_due(0.0, 50, self.when) == min(dues, default=None)
        assert len(self.agenda._heap) <= 2 * len(self.agenda._groups) + FEW


TestAgenda = AgendaLikeASortedList.TestCase
TestAgenda.settings = settings(
    max_examples=100, stateful_step_count=30, deadline=None, derandomize=True
)


# The questions.


def everybody(task_id: str) -> bool:
    """Somebody waits for each."""
    return True


def choose(questions: PollQueue, size: int, wanted: Any = everybody) -> list[str]:
    """The next question, of those that are due."""
    return questions.choose(0.0, size, at_once, wanted)


def asking(*ids: str) -> PollQueue:
    """Questions about these ids, all due."""
    questions = PollQueue()
    for task_id in ids:
        questions.add(task_id, NOW)
    return questions


def test_all_questions_count() -> None:
    """Those on the agenda and those under question share the polls."""
    questions = asking("a", "b", "c")
    choose(questions, 2)

    assert len(questions) == 3


def test_an_id_is_in_one_question_at_a_time() -> None:
    """An id in an open poll is not polled again until its answer is there."""
    questions = asking("a")
    assert choose(questions, 50) == ["a"]

    questions.add("a", NOW)
    assert choose(questions, 50) == []

    questions.answered(["a"])
    questions.add("a", NOW)
    assert choose(questions, 50) == ["a"]


def test_a_dropped_id_is_not_polled() -> None:
    """An id whose watchers have gone is not asked about; one who comes later may add it again."""
    questions = asking("a", "b")
    questions.drop("a")

    assert choose(questions, 50) == ["b"]
    assert questions.next_due(0.0, 50, ten_later) is None
    questions.add("a", NOW)
    assert questions.next_due(0.0, 50, ten_later) == 10.0


def test_a_refused_batch_is_halved_down_to_each_alone() -> None:
    """Portions come at once and before all others, and end with single ids."""
    questions = asking("a", "b", "c")
    first = choose(questions, 3)
    questions.add("d", NOW)

    questions.answered(first)
    questions.halve(first)
    assert questions.next_due(5.0, 50, ten_later) == 5.0
    single = choose(questions, 3)
    pair = choose(questions, 3)
    questions.halve(pair)

    assert (single, pair) == (["a"], ["b", "c"])
    portions = [choose(questions, 3) for _ in range(3)]
    assert portions == [["b"], ["c"], ["d"]]


def test_of_a_portion_only_those_are_asked_about_whom_somebody_waits_for() -> None:
    """A portion may wait for its turn for longer than its watchers stay."""
    questions = asking("a", "b", "c", "d")
    questions.halve(choose(questions, 4))

    assert choose(questions, 4, wanted="b".__contains__) == ["b"]
    assert choose(questions, 4, wanted="b".__contains__) == []
    assert len(questions) == 1


def test_an_id_that_was_refused_stays_alone_until_it_is_known() -> None:
    """It does not spoil the next batch either."""
    questions = asking("a", "b")
    questions.halve(choose(questions, 2))
    for _ in range(2):
        questions.answered(choose(questions, 2))
    questions.known(["b", "never asked"])
    for task_id in ("a", "b", "c"):
        questions.add(task_id, NOW)

    batch = choose(questions, 3)
    alone = choose(questions, 3)

    assert (batch, alone) == (["b", "c"], ["a"])


def test_an_id_that_was_dropped_is_nobody_s_fault_any_more() -> None:
    """A later wait for the id starts from the beginning."""
    questions = asking("a", "b")
    questions.halve(choose(questions, 2))
    questions.clear()
    for task_id in ("a", "b"):
        questions.add(task_id, NOW)
    questions.drop("a")

    assert choose(questions, 2) == ["b"]


@pytest.mark.parametrize("learned", [True, False])
def test_an_answer_moves_the_due_times_of_others(learned: bool) -> None:
    """The due times of the others are computed again only after `learned`."""
    questions = asking("a")
    questions.next_due(0.0, 50, ten_later)

    if learned:
        questions.learned()

    assert questions.next_due(0.0, 50, lambda cohort: 99.0) == (99.0 if learned else 10.0)
