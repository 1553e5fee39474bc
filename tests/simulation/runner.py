"""Runs seeds: one, or many on all cores."""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

from veo_async._journal import ownership

from .laws import (
    check_attempts,
    check_bill,
    check_certain,
    check_ends,
    check_files,
    check_final_rows,
    check_outcomes,
    check_spending,
    marker,
    told_of,
)
from .processes import Simulation
from .scenario import Scenario, scenario_of
from .tally import LOOKED_UP, Cell, cells_of
from .world import Sent, Turns

MEMORY = Path("/dev/shm")
SLOW = 600.0
"""Seconds between two heartbeats of a journal's owner: no world has two owners at once, and each
beat costs a turn."""
AT_ONCE = 20
"""Seeds that a worker takes at once."""


@dataclass(slots=True)
class Report:
    """What came of one seed, or of many.

    Attributes:
        broken: by seed, which laws were broken.
        cells: how often what happened to a POST.
        ends: how often an item ended how.
        seeds, killed: how many seeds, and how many processes were killed in how many of them.
        posts: the POSTs.
        lost: the POSTs that were looked for, by what became of the marks of their worlds.
        uncertain: those of them that nobody can tell of in the end, with the reasons.
    """

    broken: dict[int, list[str]] = field(default_factory=dict)
    cells: Counter[Cell] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    seeds: int = 0
    killed: int = 0
    posts: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    uncertain: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Report) -> None:
        """Take another report into this one."""
        self.broken |= other.broken
        self.cells += other.cells
        self.ends += other.ends
        self.seeds += other.seeds
        self.killed += other.killed
        self.posts += other.posts
        self.lost += other.lost
        self.uncertain += other.uncertain


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's warnings, which are true and many."""
    logger = logging.getLogger("veo_async")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


@contextmanager
def _folder() -> Iterator[Path]:
    place = MEMORY if MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="veo-simulation-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def simulate(scenario: Scenario) -> tuple[Report, list[Sent]]:
    """Run one scenario, and check every law."""
    with _folder() as folder, patch.object(ownership, "BEAT", SLOW):
        simulation = Simulation(scenario, folder)
        problem = None
        try:
            with asyncio.Runner(loop_factory=Turns) as runner:
                runner.run(simulation.live())
        except Exception:  # noqa: BLE001 - whatever it is, it belongs to this seed
            problem = traceback.format_exc()
        broken = [problem] if problem else [str(law) for law in _laws(simulation)]
    sent = simulation.world.sent
    errors = [outcome.error for outcome in simulation.outcomes] or simulation.told
    report = Report(
        broken={scenario.seed: broken} if broken else {},
        cells=cells_of(scenario, sent),
        ends=Counter(type(error).__name__ for error in errors),
        seeds=1,
        killed=bool(simulation.kills),
        posts=len(sent),
        lost=Counter(scenario.marks for one in sent if one.verdict in LOOKED_UP),
        uncertain=Counter(
            (scenario.marks, one.reason) for one in sent if one.verdict == "cannot tell"
        ),
    )
    return report, sent


def _laws(done: Simulation) -> Iterator[object]:
    scenario, sent = done.scenario, done.world.sent
    yield from done.broken
    if scenario.face == "batch":
        yield from check_outcomes(scenario.requests, done.outcomes)
        yield from check_final_rows(done.rows, done.outcomes)
        yield from check_attempts(sent, rate_limit_attempts=scenario.rate_limit_attempts)
        yield from check_spending(sent, done.limits)
        yield from check_files(done.outcomes) if scenario.save else ()
    told: list[tuple[Any, Any]] = [(None, end) for end in done.told]
    told += told_of(done.outcomes, done.world)
    # Where marks are kept, nobody compares requests.
    is_alike = "normalised" in scenario.wire.forms and scenario.marks != "kept"
    mark = marker(default_shape="16:9" if is_alike else "")
    yield from check_bill(scenario.requests, sent, told, mark=mark, task_of=done.world.task_of)
    yield from check_ends(told, sent)
    yield from check_certain(scenario, sent)


def run_seeds(seeds: range) -> Report:
    """Run these seeds here."""
    report = Report()
    with _quiet():
        for seed in seeds:
            report.add(simulate(scenario_of(seed))[0])
    return report


def run_on_cores(seeds: range, *, jobs: int) -> Iterator[Report]:
    """Run these seeds in so many processes; yields a report for each portion."""
    portions = [seeds[start : start + AT_ONCE] for start in range(0, len(seeds), AT_ONCE)]
    if jobs == 1:
        yield from map(run_seeds, portions)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(run_seeds, portions)
