"""What a journal costs: ``python -m benchmarks.journal``.

The same batch with and without a journal, in turn, several times, over sockets to the service's
own process; the median of each counts. And how long it takes to have all outcomes of a finished
run again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport

from veo_async import PollPolicy, VeoClient
from veo_async.testing._virtual_loop import VirtualEventLoop

from .backend import Backend
from .in_process import BASE_URL, InProcess
from .memory import requests
from .report import RESULTS, save, surroundings
from .service import Service

MEAN, SIGMA = 3.0, 0.35


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write ``journal.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal", description=__doc__)
    parser.add_argument("--videos", type=int, default=1000, help="how many in a batch")
    parser.add_argument("--rows", type=int, default=10_000, help="how many finished ones to resume")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mean", type=float, default=MEAN, help="seconds a video takes")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        json.dump(asyncio.run(_batch(**json.loads(options.one))), sys.stdout)
        return 0
    around = surroundings()
    results = _compared(options.videos, options.rounds, options.mean)
    told = {**around, "results": results, "resume": _resumed(options.rows)}
    save(told, options.out / "journal.json")
    for row in results:
        print(
            f"{row['transport']}: {row['without_ms']:.2f} ms of CPU a video without a journal, "
            f"{row['with_ms']:.2f} with one: x {row['ratio']:.2f}"
        )
    resume = told["resume"]
    print(f"{resume['rows']:,} finished videos are had again after {resume['seconds']:.2f} s")
    return 0


def _compared(videos: int, rounds: int, mean: float) -> list[dict[str, Any]]:
    with Service(mean=mean, sigma=SIGMA, seed=0) as service, TemporaryDirectory() as folder:
        first = min(PollPolicy().first_delay, mean)
        work = {"base_url": service.base_url, "videos": videos, "first": first}
        rows = []
        for fast, name in ((False, "default transport"), (True, "AiohttpTransport")):
            spent: dict[bool, list[float]] = {False: [], True: []}
            for number in range(rounds):
                for journal in (False, True):
                    service.reset()
                    path = str(Path(folder) / f"{name} {number}.db") if journal else None
                    order = {**work, "fast": fast, "journal": path}
                    spent[journal].append(_measured(order))
            without, with_ = (median(spent[journal]) * 1000 / videos for journal in (False, True))
            rows.append(
                {
                    "transport": name,
                    "videos": videos,
                    "without_ms": without,
                    "with_ms": with_,
                    "ratio": with_ / without,
                }
            )
        return rows


def _measured(order: dict[str, Any]) -> float:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.journal", "--one", json.dumps(order)],
        capture_output=True,
        check=True,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
    )
    return float(json.loads(ran.stdout))


async def _batch(
    *, base_url: str, videos: int, first: float, fast: bool, journal: str | None
) -> float:
    """Make the videos; gives CPU seconds, of all threads."""
    poll = PollPolicy(first_delay=first)
    for url, count in ((f"{base_url}/nowhere", 1), (base_url, videos)):
        # The first round is refused; it imports what is imported late.
        transport = AiohttpTransport() if fast else None
        async with VeoClient("any-token", base_url=url, transport=transport, poll=poll) as veo:
            cpu = time.process_time()
            made = await _made(veo, count, None if count == 1 else journal)
    if made != videos:
        raise RuntimeError(f"{made} of {videos} videos were made")
    return time.process_time() - cpu


async def _made(veo: VeoClient, videos: int, journal: str | None) -> int:
    made = 0
    async with veo.batch(requests(videos), journal=journal) as outcomes:
        async for outcome in outcomes:
            made += outcome.error is None
    return made


def _resumed(rows: int) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "run.db")
        backend = Backend(mean=MEAN, sigma=SIGMA, seed=0)
        with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
            runner.run(_with(InProcess(backend), rows, path))
        sent = backend.counters.total()
        started = time.monotonic()
        asyncio.run(_with(InProcess(backend), rows, path))
        seconds = time.monotonic() - started
        return {"rows": rows, "seconds": seconds, "calls": backend.counters.total() - sent}


async def _with(transport: httpx.AsyncBaseTransport, videos: int, journal: str) -> None:
    async with VeoClient("any-token", base_url=BASE_URL, transport=transport) as veo:
        await _made(veo, videos, journal)


if __name__ == "__main__":
    sys.exit(main())
