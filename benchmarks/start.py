"""What the import of the client and the start of the command cost: ``python -m benchmarks.start``.

Each is compared with the import of the libraries that it cannot do without, in processes that take
turns, so that whatever else the machine does slows all of them alike. The CPU time of a process
counts, and of many processes the fastest one.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .report import RESULTS, save, surroundings

PAIRS = {
    "import": (
        ["-c", "from veo_async import VeoClient"],
        ["-c", "import httpx, pydantic, anyio"],
    ),
    "help": (
        ["-m", "veo_async.cli", "--help"],
        ["-c", "import typer, rich"],
    ),
}
"""What is measured, and beside what."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write ``start.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="processes of each kind")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results")
    options = parser.parse_args(argv)
    around, results = surroundings(), {}
    for name, (ours, base) in PAIRS.items():
        pairs = [(_seconds(ours), _seconds(base)) for _ in range(options.runs)]
        seconds, base_seconds = (min(times) for times in zip(*pairs, strict=True))
        ratio = seconds / base_seconds
        results[name] = {"seconds": seconds, "base_seconds": base_seconds, "ratio": ratio}
        print(f"{name}: {seconds:.3f} s of CPU beside {base_seconds:.3f} s (x {ratio:.2f})")
    save({**around, "runs": options.runs, "results": results}, options.out / "start.json")
    return 0


def _seconds(arguments: Sequence[str]) -> float:
    """The CPU seconds of a process that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
