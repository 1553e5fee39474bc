from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from veo_async._core.questions import FEW, GLANCES, MOMENT, Agenda, Questions


def everybody(task_id: str) -> float:
    """Every id is wanted, and at once."""
    return float("-inf")


# The agenda.


def test_nothing_is_due_before_its_time() -> None:
    """Nobody is taken while nobody is due."""
    agenda = Agenda()
    agenda.add("a", 10.0)

    assert agenda.take(9.99, 50, everybody) == []
    assert agenda.next_due() == 10.0
    assert agenda.take(10.0, 50, everybody) == ["a"]
    assert agenda.next_due() is None


def test_neighbours_ride_along() -> None:
    """A poll costs the same for one id as for fifty, so those that are due next come with it."""
    agenda = Agenda()
    for task_id, due in [("d", 40.0), ("a", 10.0), ("c", 30.0), ("b", 20.0)]:
        agenda.add(task_id, due)

    assert agenda.take(10.0, 3, everybody) == ["a", "b", "c"]
    assert agenda.take(10.0, 3, everybody) == []
    assert len(agenda) == 1


def test_adding_again_moves() -> None:
    """An id stands on the agenda once, at its last time."""
    agenda = Agenda()
    agenda.add("a", 10.0)
    agenda.add("a", 30.0)
    agenda.add("b", 20.0)

    assert len(agenda) == 2
    assert agenda.take(30.0, 50, everybody) == ["b", "a"]


def test_dropping_is_forgiving() -> None:
    """An id that is not there can be dropped, and one that was dropped is not taken."""
    agenda = Agenda()
    agenda.add("a", 10.0)

    agenda.drop("a")
    agenda.drop("a")
    agenda.drop("never there")

    assert agenda.take(1e9, 50, everybody) == []


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


def test_who_can_wait_by_now_is_put_off() -> None:
    """What was learned since an id was added counts when its time comes."""
    agenda = Agenda()
    for task_id in "abc":
        agenda.add(task_id, 10.0)
    due: dict[str, float | None] = {"a": 25.0, "b": 9.0, "c": 15.0}

    assert agenda.settle(5.0, 9, due.get) == 10.0
    assert agenda.settle(10.0, 9, due.get) == 10.0
    assert agenda.take(10.0, 1, due.get) == ["b"]
    assert agenda.settle(10.0, 9, due.get) == 15.0
    assert agenda.take(15.0, 9, due.get) == ["c", "a"]


def test_those_that_were_put_off_together_are_waited_for_together() -> None:
    """Neighbours come due one by one, a moment apart: one turn of the event loop does for all of
    them. Where nothing was put off, the first one is not kept waiting."""
    agenda = Agenda()
    for number in range(10):
        agenda.add(f"t{number}", 10.0 + number / 1000)

    assert agenda.settle(9.999, 99, lambda task_id: 20.0) == 10.0
    assert agenda.settle(10.0, 99, lambda task_id: 20.0) == 10.0 + MOMENT
    assert agenda.settle(10.0 + MOMENT, 99, lambda task_id: 20.0) == 20.0


def test_the_later_ones_fill_up_in_their_new_order() -> None:
    """Those that were put off while a poll was filled may still ride along, unless nobody wants
    to know about them any more."""
    agenda = Agenda()
    for task_id in "abcdef":
        agenda.add(task_id, 10.0)
    agenda.add("g", 20.0)
    due: dict[str, float | None] = {"a": 9.0, "b": 40.0, "c": None, "d": 9.0, "e": 30.0, "f": 50.0}

    assert agenda.take(10.0, 4, due.get) == ["a", "d", "e", "b"]
    assert agenda.take(1e9, 4, everybody) == ["f"]


def test_what_is_put_off_at_one_time_is_bounded() -> None:
    """Thousands that can wait by now hold up nothing: after some of them the rest has its turn
    a moment later."""
    agenda = Agenda()
    for number in range(10_000):
        agenda.add(f"n{number}", 10.0)
    asked: list[str] = []

    def later(task_id: str) -> float:
        asked.append(task_id)
        return 20.0

    assert agenda.settle(10.0, 200, later) == 10.0 + MOMENT
    assert len(asked) == 200
    assert agenda.take(10.0, 50, later) == []
    assert len(asked) == 200 + GLANCES * 50


def test_what_nobody_wants_to_know_is_dropped_when_its_time_comes() -> None:
    """An agenda of such ids only is empty."""
    agenda = Agenda()
    agenda.add("a", 10.0)

    assert agenda.settle(10.0, 9, lambda task_id: None) is None
    assert len(agenda) == 0


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

        taken = self.agenda.take(float(now), size, everybody)

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


# The questions.


def test_all_questions_count() -> None:
    """Those on the agenda and those under question share the polls."""
    questions = asking("a", "b", "c")
    questions.choose(0.0, 2, everybody)

    assert len(questions) == 3


def asking(*ids: str) -> Questions:
    """Questions about these ids, all due."""
    questions = Questions()
    for task_id in ids:
        questions.add(task_id, 0.0)
    return questions


def test_an_id_is_in_one_question_at_a_time() -> None:
    """What is under question is not asked about again until the answer is there."""
    questions = asking("a")
    assert questions.choose(0.0, 50, everybody) == ["a"]

    questions.add("a", 0.0)
    assert questions.choose(0.0, 50, everybody) == []

    questions.answered(["a"])
    questions.add("a", 0.0)
    assert questions.choose(0.0, 50, everybody) == ["a"]


def test_what_nobody_watches_is_dropped() -> None:
    """An id whose watchers have gone is not asked about; one who comes later may add it again."""
    questions = asking("a", "b")

    assert questions.choose(0.0, 50, {"b": 0.0}.get) == ["b"]
    assert questions.next_due(0.0, 50, everybody) is None
    questions.add("a", 1.0)
    assert questions.next_due(0.0, 50, everybody) == 1.0


def test_a_refused_batch_is_halved_down_to_each_alone() -> None:
    """Portions come at once and before all others, and end with single ids."""
    questions = asking("a", "b", "c")
    first = questions.choose(0.0, 3, everybody)
    questions.add("d", 0.0)

    questions.answered(first)
    questions.halve(first)
    assert questions.next_due(5.0, 50, everybody) == 5.0
    single = questions.choose(0.0, 3, everybody)
    pair = questions.choose(0.0, 3, everybody)
    questions.halve(pair)

    assert (single, pair) == (["a"], ["b", "c"])
    portions = [questions.choose(0.0, 3, everybody) for _ in range(3)]
    assert portions == [["b"], ["c"], ["d"]]


def test_an_id_that_was_refused_stays_alone_until_it_is_known() -> None:
    """It does not spoil the next batch either."""
    questions = asking("a", "b")
    questions.halve(questions.choose(0.0, 2, everybody))
    for _ in range(2):
        questions.answered(questions.choose(0.0, 2, everybody))
    questions.known("b")
    for task_id in ("a", "b", "c"):
        questions.add(task_id, 0.0)

    batch = questions.choose(0.0, 3, everybody)
    alone = questions.choose(0.0, 3, everybody)

    assert (batch, alone) == (["b", "c"], ["a"])


def test_an_id_that_was_dropped_is_nobody_s_fault_any_more() -> None:
    """Who asks about it later begins anew."""
    questions = asking("a", "b")
    questions.halve(questions.choose(0.0, 2, everybody))
    questions.clear()
    for task_id in ("a", "b"):
        questions.add(task_id, 0.0)
    questions.drop("a")

    assert questions.choose(0.0, 2, everybody) == ["b"]
