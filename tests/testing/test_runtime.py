"""``VeoClient(runtime=...)`` makes a run repeat exactly; only public names are used here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from veo_async import VeoClient
from veo_async.events import Event
from veo_async.testing import Emulator, Runtime, VirtualEventLoop

NOW = 1_750_000_000.0


async def make_a_video(runtime: Runtime) -> list[Event]:
    """Make one video on a fresh emulator, and return the events."""
    emulator = Emulator(seed=0)
    heard: list[Event] = []
    async with VeoClient(
        "any-token",
        base_url=emulator.base_url,
        transport=emulator.transport(),
        on_event=heard.append,
        runtime=runtime,
    ) as veo:
        await veo.text2video("A coffee mug on a marble counter")
    return heard


def run(runtime: Runtime) -> list[tuple[str, float]]:
    """Return the names and times of the events of one run on virtual time."""
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        return [(event.name, event.at) for event in runner.run(make_a_video(runtime))]


def test_a_run_repeats_exactly() -> None:
    """Equal clocks and equal random numbers give equal times to the last digit."""
    first, second = (run(Runtime(wall_clock=lambda: NOW, rng=Random(7))) for _ in range(2))

    assert first == second
    assert [name for name, _ in first] == ["submitted", "accepted", "finished"]
    assert first[0] == ("submitted", NOW)


def test_other_random_numbers_give_other_times() -> None:
    """The delays between polls vary at random, so the end of a task is seen at another time."""
    runs = {run(Runtime(wall_clock=lambda: NOW, rng=Random(seed)))[-1] for seed in range(3)}

    assert len(runs) > 1


def test_blocking_calls_run_where_the_runtime_says(tmp_path: Any) -> None:
    """A test may keep the file writes of a download on its own thread."""
    called: list[str] = []

    async def here(function: Callable[..., Any], /, *args: Any) -> Any:
        called.append(str(function))
        return function(*args)

    async def main() -> None:
        emulator = Emulator()
        async with VeoClient(
            "any-token",
            base_url=emulator.base_url,
            transport=emulator.transport(),
            runtime=Runtime(run_sync=here),
        ) as veo:
            result = await veo.text2video("A coffee mug on a marble counter")
            await veo.download(result.video, tmp_path / "mug.mp4")

    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        runner.run(main())

    assert called
    assert (tmp_path / "mug.mp4").stat().st_size > 0
