"""A few hundred seeds of the simulation."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.runner import run_seeds
from tests.simulation.scenario import scenario_of
from tests.simulation.tally import LAWS, Tally, is_possible

SEEDS = 300


@pytest.mark.slow
def test_whatever_happens_each_request_is_bought_once_or_told() -> None:
    """Lost answers, refusals, cuts, delays, kills and cancellations: after the last process each
    request was billed once, or is told as uncertain; no task is two items', and nothing leaks.
    Every fault is met with every verdict that it can have, and every verdict with every state that
    a journal can have by then; nothing that is impossible by law is met."""
    total = run_seeds(range(SEEDS))

    assert not total.broken, "replay a seed: python -m tests.simulation --seed ..."
    assert total.seeds == SEEDS
    assert not list(Tally(total.cells, whole=False).wrongs())
    assert total.killed >= total.seeds // 2
    of_kept = sum(n for (marks, _), n in total.uncertain.items() if marks == "kept")
    assert total.lost["kept"] > 4 * of_kept, "clocks that disagree, lists that nobody can read"
    assert total.ends["NoneType"] > 3 * total.ends["SubmissionUncertainError"]


@pytest.mark.parametrize("seed", [946])
def test_equal_submits_that_are_lost_together_are_bought_once(seed: int) -> None:
    """Requests can be compared, but what looks like another's is no proof: these worlds bought
    twice while comparison could prove absence, and while equal submits were decided one by one."""
    total = run_seeds(range(seed, seed + 1))

    assert not total.broken


@pytest.mark.parametrize("seed", range(40))
def test_a_scenario_is_a_function_of_its_seed(seed: int) -> None:
    """It has at least eight requests, some of them equal, and three faults; it is readable."""
    scenario = scenario_of(seed)

    assert scenario_of(seed) == scenario
    assert len(scenario.requests) >= 8
    assert len(set(map(repr, scenario.requests))) < len(scenario.requests)
    assert len(scenario.strikes) >= 3
    assert str(scenario).startswith(f"seed {seed}\n")
    assert seed % 2 or any(end.how == "kill" for end in scenario.interruptions)


def test_every_law_of_the_tally_forbids_something_of_its_own() -> None:
    """A law that forbids nothing that the others allow is a law too many."""
    for law in LAWS:
        others = [other for other in LAWS if other is not law]
        own = (
            (row, verdict, state)
            for row in law.rows
            for verdict in law.verdicts
            for state in law.states
        )

        assert any(not any(other.holds(cell) for other in others) for cell in own), law.reason


def test_a_tally_tells_what_is_missing_and_what_is_impossible() -> None:
    """An empty cell and an impossible one are both wrong."""
    impossible = ("5xx", "not sent", "not resumed")
    tally = Tally(Counter({impossible: 2}), whole=True)

    wrongs = list(tally.wrongs())

    assert not is_possible(impossible)
    assert any("met 2 times" in wrong for wrong in wrongs)
    assert any("never met: ('5xx', 'absent', 'uncertain')" in wrong for wrong in wrongs)
