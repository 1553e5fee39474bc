"""SIGKILL at random moments, and Ctrl-C: whatever a batch was doing, running it again buys
nothing twice and loses nothing."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.journal.journals import states
from tests.kills.world import FACTOR, PATIENCE, World, world
from veo_async.emulator import Answer, Drop, Fault, Hang, Slow, Torn

pytestmark = pytest.mark.slow

KILLS, COUNT = 10, 45
AIMED = {number: Hang(at="accepted") for number in (2, 4, 6)} | {8: Hang(at="read")}
"""Which kills wait for a POST that is open: with a request that was accepted, or that was not."""

SLOW_FILES = (
    Fault(effect=Slow(seconds=3.0), on="file"),
    Fault(effect=Torn(), on="file", probability=0.2),
)
LOSING = (
    Fault(effect=Drop(at="accepted"), probability=0.15),
    Fault(effect=Answer(at="accepted"), probability=0.15),
    Fault(effect=Drop(at="read"), probability=0.2, count=4),
)


def kill_often(here: World, rng: Random) -> list[str]:
    """Start the batch again and again, and kill it; what was done to it."""
    kills = []
    for number in range(KILLS):
        process = here.start()
        if number in AIMED:
            here.fault(Fault(effect=AIMED[number], count=1))
            here.until(here.has_struck, process)
        else:
            time.sleep(rng.uniform(0.0, 0.4))
        process.kill()
        process.join()
        kills.append(f"{number}: {process.exitcode} {AIMED.get(number, '')}")
        assert process.exitcode == -signal.SIGKILL, f"it was over too soon: {kills}"
    return kills


@pytest.mark.parametrize("faults", [(), LOSING], ids=["well", "losing"])
def test_a_killed_batch_buys_nothing_twice(tmp_path: Path, faults: tuple[Fault, ...]) -> None:
    """All is delivered, each request is on the bill once, and no file is left half done."""
    seed = len(faults)
    with world(tmp_path, count=COUNT) as here:
        here.fault(*SLOW_FILES, *faults)
        kills = kill_often(here, Random(seed))
        before, parts = sum(here.bill().values()), len([*tmp_path.glob("out/*.part")])
        here.finish()

        told = f"seed {seed}, at the last of the kills {before} bought and {parts} files unfinished"
        told = f"{told}; kills {kills}; bill {here.bill()}"
        assert here.bill() == Counter(here.order.prompts), told
        assert here.is_whole(), told
        assert 0 < before < COUNT, told


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_in_a_real_process(tmp_path: Path, presses: int) -> None:
    """The first Ctrl-C stops submitting, waits for the POST that is open, and says how to go on;
    the second does not wait. Neither forgets anything."""
    settle = 15.0 * FACTOR
    answered = Hang(at="accepted", seconds=settle / 5 if presses == 1 else None)
    with world(tmp_path, count=6) as here:
        here.fault(Fault(effect=answered, nth=3))
        process = here.start(settle=settle)
        here.until(here.has_struck, process)
        for _ in range(presses):
            assert process.pid
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.3)
            assert process.is_alive() or presses == 2
        began = time.monotonic()
        process.join(PATIENCE)
        took = time.monotonic() - began
        stopped, bought = states(here.order.journal), here.bill()
        said = here.said()
        here.finish()

        assert process.exitcode == 130, said
        assert "Traceback" not in said
        assert f"run it again with the journal {here.order.journal}" in said
        assert took < 10.0
        sent = [state for state in stopped.values() if state != "withdrawn 1"]
        assert sum(bought.values()) == len(sent)  # a few are recorded ahead of their turn
        assert bool({"intended 1", "uncertain 1"} & {*stopped.values()}) is (presses == 2), stopped
        assert here.bill() == Counter(here.order.prompts)
        assert here.is_whole()
