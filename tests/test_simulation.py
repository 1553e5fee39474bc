"""Seeded schedules of faults, crashes and cancellations against a batch with its journal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.io.journals import wreck
from tests.support.service import BASE_URL, NOW, emulator, inline
from veo_async import (
    ConnectionFailedError,
    GenerationFailedError,
    Outcome,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
)
from veo_async._io.seams import Seams
from veo_async.emulator import (
    Answer,
    Drop,
    Emulator,
    Fail,
    Fault,
    Garble,
    Hang,
    Lag,
    Limits,
    Refuse,
    Seconds,
    Torn,
    Wire,
)
from veo_async.testing import VirtualEventLoop

SUBMIT: list[Any] = [
    Drop(at="accepted"),
    Drop(at="read"),
    Answer(at="accepted"),
    Answer(at="read"),
    Answer(at="read", code="too_many_requests"),
    Refuse(),
    Garble(),
    Torn(),
    Hang(at="accepted"),
    Hang(at="accepted", seconds=20.0),
    Hang(at="read", seconds=20.0),
    Fail(),
]


UNBOUGHT = (SubmissionUncertainError, RateLimitError, ConnectionFailedError)
"""Ends that tell that the request may not have been bought."""


class Turns(VirtualEventLoop):
    """A loop that calls back before one of its turns."""

    turn = 0
    at_turn = 0
    then: Callable[[], object] | None = None

    def _run_once(self) -> None:
        self.turn += 1
        if self.then and self.turn == self.at_turn:
            self.then()
        super()._run_once()  # type: ignore[misc]  # the typeshed does not show it


class Plug(httpx.AsyncBaseTransport):
    """A transport that can be pulled out: then nothing is sent any more, and nothing answered."""

    failure_family = "httpx"

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self.out = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.out:
            await asyncio.get_running_loop().create_future()
        return await self._transport.handle_async_request(request)


class World:
    """A service, a journal, and the processes that use them one after another."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.luck = luck = Random(seed)
        self.folder = folder
        self.path = folder / "run.db"
        count = luck.randint(8, 16)
        self.requests = [TextToVideo(prompt=f"p{luck.randrange(count)}") for _ in range(count)]
        self.limit = RateLimit(concurrency=luck.choice([2, 8]), in_flight=luck.choice([None, 4]))
        self.service = self._service(seed)
        self.processes = 0

    def _service(self, seed: int) -> Emulator:
        luck = self.luck
        faults = [
            Fault(effect=effect, probability=luck.uniform(0.1, 0.4), count=luck.randint(1, 5))
            for effect in luck.sample(SUBMIT, 4)
        ]
        return emulator(
            seed=seed,
            pace=Seconds(mean=luck.choice([5.0, 60.0])),
            skew=luck.choice([0.0, 7.0, -600.0, 600.0]),
            wire=Wire(stored=luck.choice(["as_submitted", "normalised"])),
            limits=Limits(submits_per_second=luck.choice([None, 3.0])),
            faults=[
                *faults,
                Fault(effect=Lag(seconds=luck.choice([0.0, 5.0, 60.0]))),  # shared by all tasks
                Fault(effect=Drop(at="read"), on="tasks", probability=0.05),
            ],
        )

    async def process(self, plug: Plug, loop: Turns) -> list[Outcome]:
        """One process, from its start to its end."""
        self.processes += 1
        seams = Seams(wall=lambda: NOW + loop.time(), luck=Random(self.processes), run_sync=inline)
        policy = RetryPolicy(submit_timeout=120.0)
        veo = VeoClient(
            "any",
            base_url=BASE_URL,
            transport=plug,
            rate_limit=self.limit,
            retry=policy,
            timeout=20000,
            _seams=seams,
        )
        async with veo, veo.batch(self.requests, journal=self.path) as outcomes:
            return [outcome async for outcome in outcomes]

    async def interrupt(self, loop: Turns, number: int) -> None:
        """A process that is killed, or cancelled, before one of the turns of its loop."""
        plug = Plug(self.service.transport())
        process = asyncio.ensure_future(self.process(plug, loop))
        crash = self.luck.random() < 0.7
        hit, wrecked = asyncio.Event(), self.folder / str(number)

        def strike() -> None:
            plug.out = crash
            if crash and self.path.exists():
                wreck(self.path, wrecked)
            hit.set()

        loop.then, loop.at_turn = strike, loop.turn + self.luck.randint(1, 400)
        struck = asyncio.ensure_future(hit.wait())
        await asyncio.wait([process, struck], return_when=asyncio.FIRST_COMPLETED)
        loop.then = None
        struck.cancel()
        if process.done():
            process.result()
            return
        if crash:
            self.zombies.append(process)
            self.path = wrecked / self.path.name
            wrecked.mkdir(exist_ok=True)
            return
        process.cancel()
        if self.luck.random() < 0.5:
            await asyncio.sleep(self.luck.choice([0.0, 1.0]))
            process.cancel()
        with suppress(asyncio.CancelledError):
            await process

    async def live(self) -> list[Outcome]:
        """Some interrupted processes, and then one that is left alone."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Turns)
        self.zombies: list[asyncio.Future[Any]] = []
        async with self.service:
            for number in range(self.luck.randint(1, 3)):
                await self.interrupt(loop, number)
                await asyncio.sleep(self.luck.choice([0.0, 3.0, 60.0, 90000.0]))
            outcomes = await self.process(Plug(self.service.transport()), loop)
            for zombie in self.zombies:
                zombie.cancel()
                await asyncio.wait([zombie])
            return outcomes


def run(seed: int, folder: Path) -> Counter[str]:
    """Run one schedule, and check the law of money; returns how the items ended."""
    world = World(seed, folder)
    with asyncio.Runner(loop_factory=Turns) as runner:
        outcomes = runner.run(world.live())
    wanted = Counter(request.prompt for request in world.requests)
    billed = Counter(charge.request["prompt"] for charge in world.service.bill)
    told = Counter(
        outcome.request.prompt
        for outcome in outcomes
        if isinstance(outcome.request, TextToVideo) and isinstance(outcome.error, UNBOUGHT)
    )
    ids = [o.result.task_id if o.result else o.error and o.error.task_id for o in outcomes]
    known = [task_id for task_id in ids if task_id]
    assert len(outcomes) == len(world.requests)
    for outcome in outcomes:
        error = outcome.error
        assert outcome.result or isinstance(error, (GenerationFailedError, *UNBOUGHT)), repr(error)
    assert len(set(known)) == len(known), "one task for two items"
    assert set(known) <= {charge.task_id for charge in world.service.bill}
    assert all(billed[prompt] <= wanted[prompt] for prompt in wanted), "bought twice"
    bought_or_told = billed + told
    assert all(bought_or_told[prompt] >= wanted[prompt] for prompt in wanted), "never bought"
    return Counter(type(outcome.error).__name__ for outcome in outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("tens", range(10))
def test_whatever_happens_each_request_is_bought_once_or_told(tens: int, tmp_path: Path) -> None:
    """Lost answers, refusals, cuts, delays, crashes and cancellations at any turn: after the last
    run each request was billed once, or is told as uncertain, and no task is two items'."""
    ends: Counter[str] = Counter()
    for seed in range(tens * 10, tens * 10 + 10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            ends += run(seed, folder)
        except BaseException as exc:
            exc.add_note(f"seed {seed}")
            raise

    assert ends["NoneType"] > ends["SubmissionUncertainError"]
