"""SIGKILL at random moments: whatever a batch was doing, running it again buys nothing twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.io.journals import states
from tests.kills.world import FACTOR, PATIENCE, World, until, world
from veo_async.emulator import Answer, Drop, Fault, Hang, Slow, Torn

pytestmark = pytest.mark.slow

KILLS, COUNT = 10, 45
AIMED = {
    2: Hang(at="accepted"),
    5: Hang(at="accepted"),
    8: Hang(at="accepted"),
    10: Hang(at="read"),
}
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


def kill_often(here: World, luck: Random) -> list[str]:
    """Start the batch again and again, and kill it; what was done to it."""
    kills = []
    for number in range(KILLS):
        with here.start() as process:
            if number in AIMED:
                here.fault(Fault(effect=AIMED[number], count=1))
                until(lambda: here.struck() == 1, process)
            else:
                time.sleep(luck.uniform(0.0, 0.4))
            process.kill()
        kills.append(f"{number}: {process.returncode} {AIMED.get(number, '')}")
        assert process.returncode == -signal.SIGKILL, f"it was over too soon: {kills}"
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
        assert here.bill() == here.wanted, told
        assert here.is_whole(), told
        assert 0 < before < COUNT, told


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_in_a_real_process(tmp_path: Path, presses: int) -> None:
    """The first Ctrl-C stops submitting, waits for the POST that is open, and says how to go on;
    the second does not wait. Neither forgets anything."""
    with world(tmp_path, count=6) as here:
        settle = 15.0 * FACTOR
        answered = Hang(at="accepted", seconds=settle / 5 if presses == 1 else None)
        here.fault(Fault(effect=answered, nth=3))
        with here.start(settle=settle) as process:
            until(lambda: here.struck() == 1, process)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            assert process.poll() is None
            if presses == 2:
                process.send_signal(signal.SIGINT)
            began = time.monotonic()
            _, errors = process.communicate(timeout=PATIENCE)
            took = time.monotonic() - began
        stopped = states(tmp_path / "run.db")
        bought = here.bill()
        here.finish()

        assert process.returncode == 130, errors
        assert "Traceback" not in errors
        assert f"run it again with the journal {tmp_path / 'run.db'}" in errors
        assert took < 10.0
        assert sum(bought.values()) == len(stopped)
        assert bool({"intended 1", "uncertain 1"} & {*stopped.values()}) is (presses == 2), stopped
        assert here.bill() == here.wanted
        assert here.is_whole()
