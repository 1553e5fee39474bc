"""What it costs to notice finished videos soon, by the service's own counters and clock."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from tests.support.service import client_of, emulator
from veo_async import VeoClient
from veo_async.emulator import Emulator, Pace
from veo_async.emulator._durations import Plan

pytestmark = pytest.mark.slow


class Known(Pace):
    """Log-normal durations that are told beforehand, by prompt."""

    def __init__(self, mean: float, sigma: float, *, count: int) -> None:
        rng, median = Random(5), math.log(mean) - sigma**2 / 2
        self.seconds = {
            f"video {number}": rng.lognormvariate(median, sigma) for number in range(count)
        }

    def plan(self, request: Mapping[str, Any], rng: Random) -> Plan:
        return Plan(seconds=self.seconds[request["prompt"]])


async def noticed(veo: VeoClient, pace: Known, prompts: Sequence[str]) -> list[float]:
    """How long after their ends these videos are noticed, sorted; all are submitted at once."""
    now = asyncio.get_running_loop().time

    async def one(prompt: str) -> float:
        began = now()
        await veo.text2video(prompt)
        return now() - began - pace.seconds[prompt]

    return sorted(await asyncio.gather(*map(one, prompts)))


def requests(service: Emulator) -> int:
    """Requests to the API, submits included."""
    return sum(service.counters[kind] for kind in ("submit", "retrieve", "retrieve_batch", "list"))


@pytest.mark.asyncio
@pytest.mark.parametrize("sigma", [0.25, 0.35])
@pytest.mark.parametrize("mean, most, late", [(12.0, 1200, 2.5), (120.0, 1400, 12.0)])
async def test_a_thousand_are_noticed_soon_for_few_requests(
    mean: float, most: int, late: float, sigma: float
) -> None:
    """At the default policy, knowing nothing beforehand: of videos of twelve seconds 95 in 100 are
    noticed within 2.5 s for 1.2 requests a video, of two minutes within 12 s for 1.4."""
    pace = Known(mean, sigma, count=1000)
    service = emulator(pace=pace)
    async with service, client_of(service) as veo:
        delays = await noticed(veo, pace, list(pace.seconds))

    assert requests(service) <= most
    assert delays[949] <= late
    assert delays[-1] <= 25.0


@pytest.mark.asyncio
@pytest.mark.parametrize("mean, most, late", [(12.0, 8, 4.0), (120.0, 20, 20.0)])
async def test_one_after_the_other_is_noticed_soon(mean: float, most: int, late: float) -> None:
    """A video alone is noticed within seconds too, for a handful of polls; the more of its kind
    came before, the fewer."""
    pace = Known(mean, 0.3, count=30)
    service = emulator(pace=pace)
    async with service, client_of(service) as veo:
        delays, costs = [], []
        for prompt in pace.seconds:
            before = requests(service)
            delays += await noticed(veo, pace, [prompt])
            costs.append(requests(service) - before)

    assert costs[0] <= most
    assert sum(costs[20:]) < 0.8 * 10 * costs[0]
    assert max(delays) <= 1.1 * late
    assert sum(delays) / len(delays) <= late / 2
