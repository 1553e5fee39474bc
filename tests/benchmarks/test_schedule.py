"""The simulation of schedules says what it says that it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import schedule
from benchmarks.curves import draw
from benchmarks.simulation import (
    ANSWER,
    Job,
    Outcome,
    all_together,
    alone,
    jobs,
    learned,
    pooled,
    round_robin,
)
from veo_async import PollPolicy
from veo_async._tracking.schedule import Schedule

WORK = [Job(0.0, 2.5), Job(0.0, 4.0), Job(1.0, 6.2)]


def rounded(outcome: Outcome) -> list[float]:
    """The delays without the time of the answer, sorted."""
    return [round(delay - ANSWER, 6) for delay in sorted(outcome.delays)]


def test_each_by_itself() -> None:
    """Each task is looked at every two seconds from its own submit until it is over."""
    outcome = alone(WORK, 2.0)

    assert (outcome.polls, rounded(outcome)) == (2 + 2 + 4, [0.0, 1.5, 1.8])


def test_all_together() -> None:
    """Everything that is unfinished is looked at every two seconds; fifty share a poll."""
    outcome = all_together(WORK, 2.0)

    assert (outcome.polls, rounded(outcome)) == (4, [0.0, 0.8, 1.5])
    assert all_together([Job(0.0, 1.0)] * 101, 2.0).polls == 3


def test_round_robin() -> None:
    """Those that are unfinished take turns in steady polls."""
    outcome = round_robin([Job(0.0, 1.0)] * 75, 2.0)

    assert outcome.polls == 1 + 1 + 1
    assert rounded(outcome) == [0.0] * 50 + [0.5] * 25
    assert round_robin(WORK, 1.0).delay(1.0) <= 1.0 + ANSWER
    assert round_robin([Job(9.0, 1.0)], 1.0).polls == 1


def test_figures() -> None:
    """Requests count the submit; runs are put together as if they were one."""
    one, other = Outcome(2, [1.0, 3.0]), Outcome(6, [2.0, 4.0])

    assert one.requests == 2.0
    assert pooled([one, other]) == Outcome(8, [1.0, 3.0, 2.0, 4.0])
    assert [pooled([one, other]).delay(part) for part in (0.5, 0.95)] == [2.0, 4.0]


def test_learned_notices_everything() -> None:
    """The library's way ends with every video noticed, and the same seed gives the same run."""
    work = jobs(120, 12.0, 0.3, seed=1, every=0.5)

    outcome, again = learned(work, PollPolicy()), learned(work, PollPolicy())

    assert outcome == again
    assert len(outcome.delays) == 120
    assert all(ANSWER <= delay <= 20.0 for delay in outcome.delays)


@pytest.mark.slow
@pytest.mark.parametrize("mean", [12.0, 120.0])
def test_learning_beats_what_does_not_learn(mean: float) -> None:
    """For the same number of requests the default policy notices sooner, at the median and for 95
    in 100, than a fixed interval in batches and than round robin, whatever their setting."""
    work, before = jobs(1000, mean, 0.3, seed=0), jobs(1000, mean, 0.3, seed=1)
    policy = PollPolicy()
    known = Schedule(policy)
    learned(before, policy, schedule=known)

    for ours in (learned(work, policy), learned(work, policy, schedule=known)):
        for interval in range(2, 20, 2):
            theirs = all_together(work, mean * interval / 100)
            assert theirs.polls > ours.polls or _is_sooner(ours, theirs)
        for rate in (0.5, 0.75, 1, 1.5, 2, 3, 4, 5):
            theirs = round_robin(work, rate)
            assert theirs.polls > ours.polls or _is_sooner(ours, theirs)


def _is_sooner(ours: Outcome, theirs: Outcome) -> bool:
    return all(ours.delay(part) < theirs.delay(part) for part in (0.5, 0.95))


@pytest.mark.slow
def test_a_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command shows every way at every setting, and writes the same as JSON and as a chart;
    the same JSON gives the same chart."""
    code = schedule.main(
        ["--videos", "30", "--rounds", "1", "--most", "100", "--out", str(tmp_path / "new")]
    )

    path, chart = tmp_path / "new" / "schedule.json", tmp_path / "new" / "schedule.svg"
    told = json.loads(path.read_text(encoding="utf-8"))
    printed = capsys.readouterr().out
    names = [series["name"] for series in told["panels"][0]["series"]]
    draw(told, tmp_path / "again.svg")
    assert code == 0
    assert all(name in printed for name in names)
    assert told["machine"]["cores"] > 0
    assert all(name in chart.read_text(encoding="utf-8") for name in names)
    assert (tmp_path / "again.svg").read_bytes() == chart.read_bytes()


def recorded() -> dict[str, Any]:
    """The run that the repository keeps."""
    told: dict[str, Any] = json.loads(
        (schedule.RESULTS / "schedule.json").read_text(encoding="utf-8")
    )
    return told


def test_the_chart_was_drawn_from_the_figures_beside_it(tmp_path: Path) -> None:
    """The repository's chart shows its JSON, which is of today's default policy."""
    told = recorded()

    draw(told, tmp_path / "again.svg")

    kept, again = schedule.RESULTS / "schedule.svg", tmp_path / "again.svg"
    assert told["policy"] == schedule.DEFAULT.model_dump()
    assert _words(kept) == _words(again)


def _words(chart: Path) -> list[str]:
    return re.findall(r"<text [^>]*>([^<]*)</text>", chart.read_text(encoding="utf-8"))
