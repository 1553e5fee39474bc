from __future__ import annotations

from math import inf, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._tracking.life_table import EDGES, MEMORY, LifeTable


def flat(hazard: float) -> LifeTable:
    """A table that knows nothing but a prior that is the same at every age."""
    return LifeTable(lambda start, end: hazard)


def taught(durations: list[float], *, every: float, table: LifeTable | None = None) -> LifeTable:
    """A table after polls of such tasks in steady intervals."""
    table = table or flat(0.01)
    for duration in durations:
        age = 0.0
        while age + every < duration:
            table.unfinished(age, age + every)
            age += every
        table.finished(age, age + every)
    return table


def around(mean: float, *, tasks: int = 200, seed: int = 1) -> list[float]:
    """Durations with a spread of three tenths."""
    rng = Random(seed)
    return [mean * rng.lognormvariate(-0.045, 0.3) for _ in range(tasks)]


@pytest.mark.parametrize("age", [0.0, 0.1, 3.0, 100.0, 1e4])
@pytest.mark.parametrize("hazard", [0.3, 1e-3])
def test_delay_under_a_steady_hazard(age: float, hazard: float) -> None:
    """Where the hazard is steady the delay is the classical interval, at every age."""
    delay = flat(hazard).delay(age, 0.2, most=100.0)

    assert delay == pytest.approx(sqrt(2 * 0.2 / hazard))


def test_delay_has_a_longest() -> None:
    """Where nothing ever ends the delay is the longest."""
    assert flat(0.0).delay(0.0, 0.2, most=20.0) == 20.0
    assert flat(1e-9).delay(1e5, 0.2, most=20.0) == 20.0


def test_first_poll_waits_until_somebody_can_be_ready() -> None:
    """When durations are known, the first poll comes shortly before most of them, and the next
    ones follow each other closely."""
    table = taught(around(60.0), every=1.0)

    first = table.delay(0.0, 0.2, most=inf)

    assert 30.0 < first < 45.0
    assert table.delay(60.0, 0.2, most=inf) < 5.0


def test_unfinished_tasks_teach_as_well() -> None:
    """A batch of which no task was finished yet teaches that a poll was useless at that age."""
    table = flat(0.05)
    before = table.delay(0.0, 0.2, most=inf)

    for _ in range(50):
        table.unfinished(0.0, before)

    assert table.delay(0.0, 0.2, most=inf) > 1.3 * before


def test_ends_are_put_where_they_are_likely() -> None:
    """An end that was seen late is not taken for an early one, when others showed when they are."""
    table = taught(around(60.0), every=1.0)
    first = table.delay(0.0, 0.2, most=inf)

    for _ in range(100):
        table.finished(0.0, 90.0)

    assert table.delay(0.0, 0.2, most=inf) == pytest.approx(first, rel=0.15)


@pytest.mark.parametrize("change", [3.0, 1 / 3])
def test_durations_may_shift(change: float) -> None:
    """After some hundreds of tasks a change is learned, whichever way it went."""
    table = taught(around(60.0), every=1.0)
    changed = [change * duration for duration in around(60.0, tasks=600, seed=2)]
    fresh = taught(changed, every=1.0)

    taught(changed, every=1.0, table=table)

    expected = fresh.delay(0.0, 0.2, most=inf)
    assert table.delay(0.0, 0.2, most=inf) == pytest.approx(expected, rel=0.3)


ages = st.floats(0.0, 1e6)


@bounded
@given(st.lists(st.tuples(ages, ages, st.booleans()), max_size=20), ages, st.floats(1e-6, 1e6))
def test_any_history_gives_a_delay(
    history: list[tuple[float, float, bool]], age: float, patience: float
) -> None:
    """After any observations the delay is a positive number within its bound, and the memory of a
    range is bounded."""
    table = flat(0.05)
    for one, other, is_over in history:
        note = table.finished if is_over else table.unfinished
        note(min(one, other), max(one, other))

    assert 0.0 < table.delay(age, patience, most=20.0) <= 20.0
    assert table.delay(age, patience, most=20.0) <= table.delay(age, 2 * patience, most=20.0)
    widest = 2 * max(EDGES[-1] * MEMORY, 1e6)
    assert all(0.0 <= exposure <= widest for exposure in table._exposure)


def test_an_interval_without_length_teaches_nothing() -> None:
    """A task that was finished when it was first seen says nothing about ages."""
    table = flat(0.05)

    table.finished(5.0, 5.0)
    table.unfinished(5.0, 5.0)

    assert table.delay(0.0, 0.2, most=inf) == flat(0.05).delay(0.0, 0.2, most=inf)
