"""The command line of the simulation."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

from .runner import Report, run_on_cores, simulate
from .scenario import scenario_of
from .tally import Tally

WHOLE = 5000
"""From so many seeds on, each cell of the tally is demanded."""


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one, and tell what happens")
    parser.add_argument("--seeds", type=int, default=500, help="how many to run")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="in so many processes")
    parser.add_argument("--first", action="store_true", help="stop at the first broken seed")
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options.seed)
    seeds = range(options.start, options.start + options.seeds)
    return run(seeds, jobs=options.jobs or 1, first=options.first)


def replay(seed: int) -> int:
    """Run one seed, and tell what happens."""
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stdout)
    scenario = scenario_of(seed)
    print(scenario)
    print("what the library logs:")
    report, sent = simulate(scenario)
    print("what was sent:")
    for one in sent:
        print(f"  {one}")
    print("how the items ended:", dict(report.ends))
    return verdict(report)


def run(seeds: range, *, jobs: int, first: bool = False) -> int:
    """Run many seeds, up to the ``first`` that breaks a law, and print what they met."""
    total, began = Report(), time.monotonic()
    for report in run_on_cores(seeds, jobs=jobs):
        total.add(report)
        show_progress(total, of=len(seeds), seconds=time.monotonic() - began)
        if first and total.broken:
            return verdict(total)
    print(file=sys.stderr)
    tally = Tally(total.cells, whole=len(seeds) >= WHOLE)
    print(tally)
    print(
        f"\n{total.seeds} seeds, {total.killed} of them with a crash; {total.posts} POSTs in "
        f"{time.monotonic() - began:.0f} s; the items ended: {dict(total.ends.most_common())}"
    )
    show_uncertain(total)
    wrongs = list(tally.wrongs())
    for wrong in wrongs:
        print(wrong)
    return verdict(total) or bool(wrongs)


def show_uncertain(total: Report) -> None:
    """How many submits nobody can tell of in the end, by what became of the marks, and why."""
    for marks, lost in sorted(total.lost.items()):
        reasons = {why: n for (name, why), n in total.uncertain.most_common() if name == marks}
        print(f"marks {marks}: {sum(reasons.values())} uncertain of {lost} that were lost")
        for reason, count in reasons.items():
            print(f"  {count:6} {reason}")


def show_progress(total: Report, *, of: int, seconds: float) -> None:
    """One line that is written over again and again."""
    left = seconds / total.seeds * (of - total.seeds)
    line = f"\r{total.seeds} of {of} seeds, {len(total.broken)} broken, {left:.0f} s left   "
    print(line, end="", file=sys.stderr, flush=True)


def verdict(report: Report) -> int:
    """Tell which laws were broken under which seeds, and how to replay them."""
    for seed, broken in report.broken.items():
        print(f"seed {seed} broke the law; replay: python -m tests.simulation --seed {seed}")
        for law in broken:
            print(f"  {law}")
    return bool(report.broken)


if __name__ == "__main__":
    sys.exit(main())
