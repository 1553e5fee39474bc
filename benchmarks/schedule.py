"""What it costs to notice finished videos soon: ``python -m benchmarks.schedule``.

Simulated (`simulation`), so the same everywhere and over in a minute: the library's own schedule at
several settings beside what one writes by hand, for a thousand videos submitted at once; and the
library at its default policy for other kinds of work. It writes ``results/schedule.json``, and from
that the chart ``results/schedule.svg``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from veo_async import PollPolicy
from veo_async._tracking.schedule import Kind, Schedule

from .curves import draw
from .report import save, surroundings
from .simulation import (
    VIDEO,
    Job,
    Outcome,
    all_together,
    alone,
    jobs,
    learned,
    pooled,
    round_robin,
)

RESULTS = Path(__file__).parent / "results"

DEFAULT = PollPolicy()
PATIENCE = (0.01, 0.025, 0.05, 0.1, DEFAULT.patience, 0.4, 0.8, 1.6)
INTERVALS = (0.5, 1.0, 3.0, 5.0, 10.0)
"""As the clients of other services have them."""
RATES = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
MEANS, SIGMA, VIDEOS = (12.0, 120.0), 0.3, 1000
SIZES = (100, 1_000, 10_000, 100_000)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, print the tables, write the JSON file and the chart."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.schedule",
        description="Simulate when to look at which task: polls against delay.",
    )
    parser.add_argument("--videos", type=int, default=VIDEOS, help="how many at once")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest number in flight")
    parser.add_argument("--rounds", type=int, default=5, help="how often, with other durations")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results")
    options = parser.parse_args(argv)
    told = study(options.videos, options.rounds, options.most)
    save(told, options.out / "schedule.json")
    draw(told, options.out / "schedule.svg")
    show(told, Console(width=100, highlight=False))
    return 0


def study(videos: int, rounds: int, most: int) -> dict[str, Any]:
    """All that is to be known of a run."""
    around = surroundings()
    return {
        **{name: around[name] for name in ("date", "machine", "python")},
        "work": {"videos": videos, "rounds": rounds, "sigma": SIGMA, "seed": 0},
        "policy": DEFAULT.model_dump(),
        "panels": [panel(mean, videos, rounds) for mean in MEANS],
        "sizes": [
            {"mean": mean, "videos": size, **figures(at_size(size, mean))}
            for mean in MEANS
            for size in SIZES
            if size <= most
        ],
        "scenarios": [
            {"name": name, **figures(outcome)} for name, outcome in scenarios(videos, rounds)
        ],
    }


def figures(outcome: Outcome) -> dict[str, float]:
    """What the tables show of an outcome, and the chart."""
    delays = {"p50": outcome.delay(0.5), "p95": outcome.delay(0.95), "max": max(outcome.delays)}
    return {"requests": round(outcome.requests, 4)} | {
        name: round(delay, 3) for name, delay in delays.items()
    }


def impatient(patience: float) -> PollPolicy:
    """The default policy with another patience; where it is smaller, the delays that do not depend
    on it are so too."""
    faster = max(DEFAULT.patience / patience, 1.0) ** 0.5
    return PollPolicy(
        patience=patience,
        growth_factor=DEFAULT.growth_factor / faster,
        min_interval=DEFAULT.min_interval / faster,
    )


def panel(mean: float, videos: int, rounds: int) -> dict[str, Any]:
    """Every way to look at videos of this mean duration, at several settings."""
    works = [jobs(videos, mean, SIGMA, seed=2 * number) for number in range(rounds)]
    before = [jobs(videos, mean, SIGMA, seed=2 * number + 1) for number in range(rounds)]

    def cold(patience: float) -> Outcome:
        policy = impatient(patience)
        return pooled(learned(work, policy, seed=seed) for seed, work in enumerate(works))

    def warm(patience: float) -> Outcome:
        policy, runs = impatient(patience), []
        for seed, (earlier, work) in enumerate(zip(before, works, strict=True)):
            schedule = Schedule(policy)
            learned(earlier, policy, schedule=schedule, seed=seed)
            runs.append(learned(work, policy, schedule=schedule, seed=seed))
        return pooled(runs)

    def by_hand(way: Callable[[Sequence[Job], float], Outcome]) -> Callable[[float], Outcome]:
        return lambda setting: pooled(way(work, setting) for work in works)

    series = [
        ("veo_async, durations known", "patience", warm, PATIENCE),
        ("veo_async, nothing known yet", "patience", cold, PATIENCE),
        ("round robin in batches", "polls a second", by_hand(round_robin), RATES),
        ("all in batches, fixed interval", "interval", by_hand(all_together), INTERVALS),
        ("each by itself, fixed interval", "interval", by_hand(alone), INTERVALS),
    ]
    return {
        "mean": mean,
        "series": [
            {"name": name, "setting": setting, "points": points(way, values, setting)}
            for name, setting, way, values in series
        ],
    }


def at_size(size: int, mean: float) -> Outcome:
    """The default policy for so many videos at once, a thousand at least in all."""
    rounds = range(max(1_000 // size, 1))
    works = [jobs(size, mean, SIGMA, seed=seed) for seed in rounds]
    return pooled(learned(work, DEFAULT, seed=seed) for seed, work in enumerate(works))


def points(
    way: Callable[[float], Outcome], values: Iterable[float], setting: str
) -> list[dict[str, Any]]:
    """The figures of one way at each of its settings."""
    return [
        {
            "setting": value,
            "default": setting == "patience" and value == DEFAULT.patience,
            **figures(way(value)),
        }
        for value in values
    ]


def scenarios(videos: int, rounds: int) -> Iterable[tuple[str, Outcome]]:
    """The library at its default policy, for other kinds of work than many videos at once."""
    steadily = min(videos, 400)
    for mean in (1.0, 12.0, 120.0, 600.0):
        singles = [jobs(1, mean, SIGMA, seed=seed) for seed in range(20 * rounds)]
        yield f"{mean:g} s, the first one", pooled(learned(job, DEFAULT) for job in singles)
        yield f"{mean:g} s, one after the other", in_turn(singles)
        for crowd in (20, 40):
            steady = jobs(steadily, mean, SIGMA, seed=1, every=mean / crowd)
            yield f"{mean:g} s, {crowd} in flight", learned(steady, DEFAULT)
    three: dict[Kind, float] = {("text2video", "a"): 12, ("text2video", "b"): 60, VIDEO: 300}
    mixed = [
        job
        for kind, mean in three.items()
        for job in jobs(videos // 3, mean, SIGMA, seed=7, kind=kind)
    ]
    yield "12, 60 and 300 s, by model", learned(mixed, DEFAULT)
    yield (
        "12, 60 and 300 s, one model",
        learned([Job(job.accepted_at, job.duration) for job in mixed], DEFAULT),
    )
    for one, other in ((12.0, 120.0), (120.0, 12.0)):
        first = jobs(steadily, one, SIGMA, seed=1, every=one / 20)
        last = first[-1].accepted_at
        then = jobs(steadily, other, SIGMA, seed=2, every=other / 20)
        shifted = [Job(last + job.accepted_at, job.duration) for job in then]
        yield f"20 in flight, from {one:g} to {other:g} s", learned([*first, *shifted], DEFAULT)


def in_turn(singles: Iterable[Sequence[Job]]) -> Outcome:
    """One video after the other, with one schedule that learns."""
    schedule = Schedule(DEFAULT)
    return pooled(
        learned(job, DEFAULT, schedule=schedule, seed=seed) for seed, job in enumerate(singles)
    )


def show(told: dict[str, Any], console: Console) -> None:
    """Print what `study` told."""
    for part in told["panels"]:
        table = _table(f"{told['work']['videos']:,} videos at once, {part['mean']:g} s on average")
        for series in part["series"]:
            for point in series["points"]:
                setting = f"{series['name']}, {series['setting']} {point['setting']:g}"
                _row(table, setting + (" *" if point["default"] else ""), point)
        console.print(table)
    table = _table("The default policy (*) at any number in flight")
    for size in told["sizes"]:
        _row(table, f"{size['videos']:,} videos at once, {size['mean']:g} s on average", size)
    console.print(table)
    table = _table("The default policy (*) for other work")
    for scenario in told["scenarios"]:
        _row(table, scenario["name"], scenario)
    console.print(table)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("requests", "delay p50", "p95", "max"):
        table.add_column(column, justify="right")
    return table


def _row(table: Table, name: str, point: dict[str, Any]) -> None:
    delays = (f"{point[name]:.2f} s" for name in ("p50", "p95", "max"))
    table.add_row(name, f"{point['requests']:.3f}", *delays)


if __name__ == "__main__":
    sys.exit(main())
