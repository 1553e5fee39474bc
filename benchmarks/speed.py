"""What a video costs the client, beside the alternatives: ``python -m benchmarks.speed``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .chart import draw
from .report import RESULTS, WIDTH, document, save, show, surroundings
from .running import Work, run


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write the JSON file and the chart."""
    options = _options().parse_args(argv)
    work = Work(
        videos=options.videos,
        mean=options.mean,
        sigma=options.sigma,
        seed=options.seed,
        rounds=options.rounds,
        first=options.first,
        interval=options.interval,
        all=options.all,
    )
    console, progress = Console(width=WIDTH, highlight=False), Console(stderr=True)
    around = surroundings()
    told = document(around, work, run(work, progress.print))
    show(told, console)
    save(told, options.out / "speed.json")
    draw(told, options.out / "speed.svg")
    progress.print(f"written: {options.out / 'speed.json'} and its chart", soft_wrap=True)
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description="Measure what a video costs the client."
    )
    work = Work()
    parser.add_argument(
        "--videos",
        type=_numbers,
        default=work.videos,
        metavar="N,...",
        help="how many videos at once (default: 100,1000,10000)",
    )
    parser.add_argument("--mean", type=float, default=work.mean, help="seconds a video takes")
    parser.add_argument("--sigma", type=float, default=work.sigma, help="spread of its logarithm")
    parser.add_argument("--seed", type=int, default=work.seed, help="luck of the durations")
    parser.add_argument(
        "--rounds", type=int, default=work.rounds, help="how often a bare loop runs"
    )
    parser.add_argument(
        "--first", type=float, help="PollPolicy(first_delay=...) of the library (default: its own)"
    )
    parser.add_argument(
        "--interval", type=float, default=work.interval, help="seconds between fixed looks"
    )
    parser.add_argument("--all", action="store_true", help="leave out none that takes very long")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(number) for number in text.split(","))
    except ValueError:
        numbers = (0,)
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("give numbers of videos, such as 100,1000")
    return numbers


if __name__ == "__main__":
    sys.exit(main())
