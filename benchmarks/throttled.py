"""A service that throttles, and a client that is not told how: `throttled`.

It runs on a virtual event loop, with the emulator in this process, so a minute takes a second or
two and the same seed gives the same figures on every machine.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from random import Random
from typing import Any, Literal

import httpx

from veo_async import RateLimit, RetryPolicy, TextToVideo, VeoClient
from veo_async._base.runtime import Runtime
from veo_async.emulator import Emulator, Limits, Plan, Seconds
from veo_async.emulator._options import EPOCH
from veo_async.testing import VirtualEventLoop

from .report import RESULTS, save, surroundings

UNTOLD = Limits(per_second=50.0, in_flight=200, silent=0.5)
"""What the service allows, and says at half of its refusals when to come back."""

FILE = "throttled.json"

LATENCY = 0.05
"""Seconds from a call to its answer."""


@dataclass(frozen=True, kw_only=True)
class Throttled:
    """What to do.

    Attributes:
        videos: how many to make at once.
        mean, sigma: the log-normal distribution of the durations.
        seed: the same seed gives the nth accepted task the same duration.
        limits: what the service allows.
        changes: limits from a time on, in seconds since the start.
        latency: seconds from a call to its answer.
        rate_limit: what the client was told.
        retry: what it does with a submit that was refused.
        mode: the client's way to submit.
    """

    videos: int = 1000
    mean: float = 12.0
    sigma: float = 0.35
    seed: int = 0
    limits: Limits = UNTOLD
    changes: Mapping[float, Limits] = field(default_factory=dict)
    latency: float = LATENCY
    rate_limit: RateLimit = field(default_factory=RateLimit)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    mode: Literal["async", "sync"] = "async"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of it.

    Attributes:
        makespan: seconds from the first call to the last answer.
        ideal: the same for a client that knows the limits and is told of each end at once.
        accepted: seconds from the first call until the last submit was accepted.
        ideal_accepted: the same for that client.
        answers: answers of the API, refusals included.
        refused: those with 429.
        failed: videos that did not come.
        bought: videos on the bill.
    """

    makespan: float
    ideal: float
    accepted: float
    ideal_accepted: float
    answers: int
    refused: int
    failed: int
    bought: int

    @property
    def ratio(self) -> float:
        """The makespan as a multiple of the ideal."""
        return self.makespan / self.ideal

    @property
    def refused_part(self) -> float:
        """Refusals as a part of all answers."""
        return self.refused / self.answers


def ideal(
    durations: Sequence[float], limits: Limits, changes: Mapping[float, Limits] | None = None
) -> tuple[float, float]:
    """Schedule these on the service's slots, submits at its rate, in the order given; say when the
    last one starts, and when the last one ends.

    Generous to the ideal: no latency, no polls in the rate, and each end is known at once.
    """
    coming = sorted((changes or {}).items(), reverse=True)
    running: list[float] = []
    start = last = turn = 0.0
    for duration in durations:
        start = turn
        while True:
            while coming and coming[-1][0] <= start:
                limits = coming.pop()[1]
            while running and running[0] <= start:
                heapq.heappop(running)
            if len(running) < (inf if limits.in_flight is None else limits.in_flight):
                break
            start = min([*running[:1], *(at for at, _ in coming[-1:])])
        heapq.heappush(running, start + duration)
        last = max(last, start + duration)
        turn = start + 1.0 / min(limits.per_second or inf, limits.submits_per_second or inf)
    return start, last


@dataclass(frozen=True, kw_only=True)
class _Noted(Seconds):
    planned: list[float] = field(default_factory=list)

    def plan(self, request: Mapping[str, Any], rng: Random) -> Plan:
        plan = super().plan(request, rng)
        self.planned.append(plan.seconds)
        return plan


class _Far(httpx.AsyncBaseTransport):
    """The emulator at some distance."""

    failure_family = "httpx"

    def __init__(self, inner: httpx.AsyncBaseTransport, latency: float) -> None:
        self._inner, self._half = inner, latency / 2

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self._half)
        response = await self._inner.handle_async_request(request)
        await asyncio.sleep(self._half)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _run(job: Throttled) -> Seen:
    pace = _Noted(mean=job.mean, sigma=job.sigma)
    service = Emulator(pace=pace, seed=job.seed, limits=job.limits)
    requests = [TextToVideo(prompt=f"video {number}") for number in range(job.videos)]
    loop = asyncio.get_running_loop()
    for at, limits in job.changes.items():
        loop.call_later(at, setattr, service, "limits", limits)
    veo = VeoClient(
        "any-token",
        base_url=service.base_url,
        transport=_Far(service.transport(), job.latency),
        rate_limit=job.rate_limit,
        retry=job.retry,
        mode=job.mode,
        runtime=Runtime(rng=Random(job.seed)),
    )
    async with service, veo:
        outcomes = await veo.generate_many(requests)
        makespan = loop.time()
    counters = service.counters
    ideal_accepted, ideal_makespan = ideal(pace.planned, job.limits, job.changes)
    return Seen(
        makespan=makespan,
        ideal=ideal_makespan,
        accepted=service.bill[-1].at - EPOCH,
        ideal_accepted=ideal_accepted,
        answers=sum(number for kind, number in counters.items() if isinstance(kind, int)),
        refused=counters[429],
        failed=sum(outcome.result is None for outcome in outcomes),
        bought=len(service.bill),
    )


def throttled(job: Throttled) -> Seen:
    """Make the videos on a virtual event loop of their own."""
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        return runner.run(_run(job))


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate the service that says nothing of its limits, and write ``throttled.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throttled", description=__doc__)
    parser.add_argument("--videos", type=int, default=1000, help="how many at once")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of the results")
    options = parser.parse_args(argv)
    first, *others = [_measured(name, job) for name, job in _jobs(options.videos)]
    save({**surroundings(), "results": first, "others": others}, options.out / FILE)
    return 0


def _jobs(videos: int) -> list[tuple[str, Throttled]]:
    larger = Limits(per_second=500.0, in_flight=2000, silent=0.5)
    many_calls = RateLimit(concurrency=64)  # at the default's latency 8 allow 120 submits a second
    return [
        ("50 a second, 200 in flight", Throttled(videos=videos)),
        (
            "50 a second, 2 polls, 200 in flight",
            Throttled(videos=videos, limits=replace(UNTOLD, polls_per_second=2.0)),
        ),
        (
            "500 a second, 2,000 in flight",
            Throttled(videos=6 * videos, limits=larger, rate_limit=many_calls),
        ),
    ]


def _measured(name: str, job: Throttled) -> dict[str, Any]:
    seen = throttled(job)
    print(
        f"throttled, {name}: {seen.makespan:.1f} s where {seen.ideal:.1f} s is possible "
        f"(x {seen.ratio:.2f}), {seen.refused_part:.1%} of the answers refused, "
        f"{seen.failed} of {job.videos:,} videos failed"
    )
    derived = {"ratio": seen.ratio, "refused_part": seen.refused_part}
    return {"name": name, "videos": job.videos, **asdict(seen), **derived}


if __name__ == "__main__":
    sys.exit(main())
