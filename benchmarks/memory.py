"""Whether a long batch needs more memory than a short one: ``python -m benchmarks.memory``.

A generator yields the requests, `VeoClient.batch` makes the videos with a journal, and each outcome
is dropped as soon as it is there. The service is in the same process, on the virtual event loop,
and forgets what is over. Each run has a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from veo_async import TextToVideo, VeoClient
from veo_async.testing._virtual_loop import VirtualEventLoop

from .backend import Backend
from .in_process import BASE_URL, InProcess
from .perform import peak_memory
from .report import RESULTS, save, surroundings

SHORT, LONG = 1_000, 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write ``memory.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--videos", type=int, nargs=2, default=(SHORT, LONG))
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
            json.dump(runner.run(_batch(options.one)), sys.stdout)
        return 0
    short, long = options.videos
    short_mb, long_mb = _measured(short), _measured(long)
    found = {"short": short, "short_mb": short_mb, "long": long, "long_mb": long_mb}
    told = {**surroundings(), "results": {**found, "growth_mb": long_mb - short_mb}}
    save(told, options.out / "memory.json")
    print(
        f"a batch of {short:,} needs {short_mb:.0f} MB, one of {long:,} {long_mb:.0f} MB: "
        f"{long_mb - short_mb:.1f} MB more"
    )
    return 0


def _measured(videos: int) -> float:
    """Say the peak memory of a batch in a process of its own, in 10⁶ bytes."""
    command = [sys.executable, "-m", "benchmarks.memory", "--one", str(videos)]
    return float(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)) / 1e6


def requests(count: int) -> Iterator[TextToVideo]:
    """Yield requests, one when one is asked for."""
    for number in range(count):
        yield TextToVideo(prompt=f"video {number}")


async def _batch(videos: int) -> int:
    backend = Backend(mean=12.0, sigma=0.35, seed=0, forgets=True)
    made = 0
    with TemporaryDirectory() as folder:
        async with (
            VeoClient("any-token", base_url=BASE_URL, transport=InProcess(backend)) as veo,
            veo.batch(requests(videos), journal=Path(folder) / "run.db") as outcomes,
        ):
            async for outcome in outcomes:
                made += outcome.error is None
    if made != videos:
        raise RuntimeError(f"{made} of {videos} videos were made")
    return peak_memory()


if __name__ == "__main__":
    sys.exit(main())
