from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import anyio
import httpx
import pytest

from tests.support.service import NOW, Body, Service, accepted, client, client_of, emulator, inline
from veo_async import Outcome, RetryPolicy, SubmissionUncertainError, TextToVideo
from veo_async._base.runtime import Runtime
from veo_async.emulator import Drop, Fault, Seconds

pytestmark = pytest.mark.asyncio

HOUR = 3600.0
RAISE = RetryPolicy(on_uncertain="raise")


@dataclass
class World:
    """Wall time, by which a machine may sleep while its event loop's clock stands still.

    Attributes:
        asleep: seconds that it was suspended.
        wrong: seconds by which its own clock was set.
    """

    asleep: float = 0.0
    wrong: float = 0.0

    def service_time(self) -> float:
        """Seconds on the clock of the service, which does not sleep."""
        return asyncio.get_running_loop().time() + self.asleep

    def wall_clock(self) -> float:
        """The clock of the machine."""
        return NOW + self.service_time() + self.wrong

    def runtime(self) -> Runtime:
        """Of one process."""
        return Runtime(wall_clock=self.wall_clock, rng=Random(1), run_sync=inline)


async def outcomes_of(veo: Any, requests: Any, path: Path) -> list[Outcome]:
    """All outcomes of a batch with a journal."""
    async with veo.batch(requests, journal=path) as outcomes:
        return [outcome async for outcome in outcomes]


async def test_the_submit_after_waking_is_found_where_it_was_sent(tmp_path: Path) -> None:
    """The first POST after a suspend has the time of the wall clock. Its answer is lost, and the
    process ends: the next run searches at the right time, finds it, and buys nothing."""
    world, path = World(), tmp_path / "run.db"
    lost = Fault(effect=Drop(at="accepted"), nth=2)
    service = emulator(pace=Seconds(mean=20.0), epoch=NOW, clock=world.service_time, faults=[lost])
    requests = [TextToVideo(prompt=prompt) for prompt in ("a mug", "a lamp")]

    async def input_of_a_day() -> AsyncIterator[TextToVideo]:
        yield requests[0]
        await anyio.sleep(60.0)
        world.asleep += HOUR
        yield requests[1]

    async with service:
        async with client_of(service, runtime=world.runtime(), retry=RAISE) as veo:
            first = await outcomes_of(veo, input_of_a_day(), path)
        async with client_of(service, runtime=world.runtime()) as veo:
            second = await outcomes_of(veo, requests, path)

    (error,) = (outcome.error for outcome in first if outcome.error)
    assert isinstance(error, SubmissionUncertainError)
    assert error.sent_at == pytest.approx(NOW + HOUR + 60.0, abs=2.0)
    assert [outcome.error for outcome in second] == [None, None]
    assert len(service.bill) == 2


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
async def test_what_is_open_around_a_jump_has_the_times_of_both_clocks(jump: float) -> None:
    """A POST that began before a jump and ended after it began no later, and ended no earlier,
    than either clock says."""
    world = World()

    async def submit(body: Body) -> httpx.Response:
        await anyio.sleep(10.0)
        world.wrong += jump
        return accepted()

    async with client(Service(submit=submit), runtime=world.runtime()) as veo:
        await veo.submit(TextToVideo(prompt="a mug"))
        (submit_of_ours,) = veo._reconciler._accepted

    began, ended = submit_of_ours.begun, submit_of_ours.ended
    assert began == pytest.approx(NOW + min(jump, 0.0))
    assert ended == pytest.approx(max(NOW, NOW + 10.0 + jump))


async def test_an_offset_that_was_learned_before_a_jump_is_not_kept() -> None:
    """A submit that is sent after a jump has no offset until an answer shows it anew."""
    world, offsets = World(), list[float | None]()

    async def submit(body: Body) -> httpx.Response:
        offsets.append(veo._api.clock_offset)
        return httpx.Response(
            200, json={"task_id": "t"}, headers={"date": "Fri, 25 Jul 2025 08:00:00 GMT"}
        )

    async with client(Service(submit=submit), runtime=world.runtime()) as veo:
        await veo.submit(TextToVideo(prompt="a mug"))
        await veo.submit(TextToVideo(prompt="a mug"))
        world.wrong = HOUR
        await veo.submit(TextToVideo(prompt="a mug"))
        await veo.submit(TextToVideo(prompt="a mug"))

    assert offsets == [None, 0.5, None, 0.5 - HOUR]
