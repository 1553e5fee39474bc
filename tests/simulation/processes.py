"""The processes that work on a scenario, one after another, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from tests.journal.journals import wreck
from tests.support.service import BASE_URL, NOW, inline
from veo_async import (
    ClientClosedError,
    ConnectionFailedError,
    DownloadError,
    JournalError,
    Outcome,
    PollingError,
    RateLimitError,
    RetryPolicy,
    VeoClient,
)
from veo_async._base.runtime import Runtime
from veo_async._batch.batch import Batch
from veo_async._journal.journal import GROUP
from veo_async._journal.rows import NOTHING_BOUGHT, Row
from veo_async._journal.sqlite import JournalDatabase
from veo_async._reconcile.window import EARLY
from veo_async.callbacks import Callbacks
from veo_async.errors import NoAPIError

from .calls import Calls
from .faults import PATIENCE
from .laws import Broken, check_rows, leaks, waits
from .probe import Probe
from .scenario import Damage, Interruption, Scenario
from .world import Plug, Sent, Turns, World

PASSING = (
    *(RateLimitError, ConnectionFailedError, PollingError),
    *(ClientClosedError, DownloadError, NoAPIError),
)
"""Ends that say that a later run may go on: nothing was bought, or the task is known."""

ASLEEP = 0.3
"""Seconds after a POST until the machine is suspended."""

LIMIT = "max_submissions"
"""How the error begins of an item that a run may not buy any more."""

TOKEN, STRANGER = "any", "another"

Slot = tuple[str, str]
Posts = list[asyncio.Task[Any]]


class Aim:
    """Strikes at the moment of an interruption."""

    def __init__(
        self,
        loop: Turns,
        end: Interruption,
        strike: Callable[[], object],
        sleep: Callable[[float], object],
    ) -> None:
        self._loop = loop
        self._end = end
        self._strike = strike
        self._sleep = sleep
        self._heard = 0
        self._over = False
        self.hit = asyncio.Event()

    def hear(self, event: str) -> None:
        """Something happened in the process."""
        self._heard += event == self._end.event
        if event != self._end.event:
            return
        if self._end.sleep and self._heard == self._end.count:
            self._loop.call_later(ASLEEP, self._sleep, self._end.sleep)
        if self._heard == self._end.count + bool(self._end.sleep):
            self._loop.call_later(self._end.seconds, self._arm)

    def _arm(self) -> None:
        if not self._over:
            self._loop.then, self._loop.at_turn = self._now, self._loop.turn + 1 + self._end.turns

    def drop(self) -> None:
        """The process was quicker, or is over."""
        self._over, self._loop.at_turn = True, -1

    def _now(self) -> None:
        self._strike()
        self.hit.set()


class Simulation:
    """One scenario, from the first process to the last.

    Attributes:
        world: the service.
        kills: how many processes were killed.
        broken: the laws that were broken meanwhile.
        outcomes: those of the last process, where there are batches.
        told: what the callers were told, where there are none.
        rows: the journal after the last process.
        limits: by process, how many submits it may buy.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.world = World(scenario)
        self.kills = 0
        self.broken: list[Broken] = []
        self.outcomes: list[Outcome] = []
        self.told: list[Any] = []
        self.rows: dict[Slot, Row] = {}
        self._folder = folder
        self._videos = folder / "videos"
        self._limit = scenario.max_submissions
        self.limits: dict[int, int | None] = {}
        self._veo: VeoClient | None = None
        self._journal = folder / "run.db"
        self._processes = 0
        self._reads = 0
        self._killed = False
        self._closed_at = inf
        self._clock = NOW
        self._last_of: dict[Slot, Sent] = {}

    async def live(self) -> None:
        """All processes, one after another."""
        async with self.world.service:
            await (self._call() if self.scenario.face == "calls" else self._batch())
            self.broken += [Broken(f"a task was left: {task!r}") for task in self._others()]

    async def _call(self) -> None:
        plug = Plug(self.world, 0)
        veo = self._client(plug)
        Probe(veo, plug)
        async with veo:
            calls = Calls(veo, self.scenario)
            await calls.run()
            self.broken += waits(veo)
        self.told = calls.told
        self.broken += leaks(veo)

    # A batch with its journal.

    async def _batch(self) -> None:
        for end in self.scenario.interruptions:
            await self._interrupted(end)
            await asyncio.sleep(end.pause)
            self._clock = NOW + end.clock
            self._try_damaged(end.damage)
            if end.stranger:
                await self._try_as_stranger()
        await self._settle()
        self._limit = None
        if self._is_to_be_tried_again():
            await self._settle()
        self.world.service.faults.clear()
        if self._is_to_be_tried_again():
            await self._settle()
        self._note_states(final=True)

    def _is_to_be_tried_again(self) -> bool:
        return any(
            isinstance(outcome.error, PASSING) or str(outcome.error).startswith(LIMIT)
            for outcome in self.outcomes
        )

    async def _try_as_stranger(self) -> None:
        """Somebody with another token tries the journal: it knows none of its tasks."""
        if not any(row.state not in NOTHING_BOUGHT for row in self._read().values()):
            return
        plug = Plug(self.world, self._processes)
        try:
            async with self._client(plug, token=STRANGER) as veo, self._batch_of(veo):
                self.broken.append(Broken("another account may go on with the journal"))
        except JournalError:
            pass

    async def _settle(self) -> None:
        """A process that is left alone."""
        self._note_states()
        self.outcomes = await self._process(Plug(self.world, self._processes), [])

    async def _process(
        self, plug: Plug, posts: Posts, leave_after: int | None = None
    ) -> list[Outcome]:
        """A batch over all requests, until its end or its ``leave_after``-th outcome. The tasks
        of its POSTs are added to ``posts``."""
        self._processes += 1
        self._killed, self._closed_at = False, inf
        veo = self._client(plug)
        probe = Probe(veo, plug, posts)
        self._veo = veo
        self.limits[plug.process] = self._limit
        batch = self._batch_of(veo)
        outcomes: list[Outcome] = []
        try:
            async with veo, self._noting_its_end(batch, veo, plug) as run:
                probe.watch_items(run._runner, self._last_of)
                async for outcome in run:
                    outcomes.append(outcome)
                    if len(outcomes) == leave_after:
                        break
        finally:
            if not plug.out and veo._closing:
                await asyncio.wait([veo._closing])  # a second cancellation does not wait for it
                self.broken += leaks(veo)
        return outcomes

    def _batch_of(self, veo: VeoClient) -> Batch:
        return veo.batch(
            self.scenario.requests,
            journal=self._journal,
            upscale=self.scenario.upscale,
            download_to=self._videos if self.scenario.save else None,
            max_submissions=self._limit,
        )

    @asynccontextmanager
    async def _noting_its_end(self, batch: Batch, veo: VeoClient, plug: Plug) -> AsyncIterator[Any]:
        """The batch, noting when its journal is closed: what comes later is for the next run. All
        its items are over then, so nobody waits for a task."""
        try:
            async with batch as run:
                yield run
        finally:
            self._closed_at = asyncio.get_running_loop().time()
            self.broken += [] if plug.out else waits(veo)

    def _client(self, plug: Plug, token: str = TOKEN) -> VeoClient:
        clock = self._clock
        runtime = Runtime(
            wall_clock=lambda: clock + self.world.time(),
            rng=Random(f"{self.scenario.seed}/{self._processes}"),
            run_sync=inline,
        )
        retry = RetryPolicy(
            submit_timeout=PATIENCE,
            rate_limit_attempts=self.scenario.rate_limit_attempts,
            marks="auto" if self.scenario.marked else "off",
        )
        self.world.receiver = None
        if self.scenario.called_back:
            self.world.receiver = Callbacks("https://app.example/veo", "a secret of the simulation")
        return VeoClient(
            token,
            base_url=BASE_URL,
            mode=self.scenario.modes[bool(self._processes > 1)],
            transport=plug,
            rate_limit=self.scenario.limit,
            retry=retry,
            timeout=20000,
            callbacks=self.world.receiver,
            runtime=runtime,
        )

    # The end of a process before its work is done.

    async def _interrupted(self, end: Interruption) -> None:
        """A process that does not reach its end, unless it is quicker than that."""
        self._note_states()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Turns)
        plug, posts = Plug(self.world, self._processes), Posts()
        leave = 1 + end.turns % 5 if end.how == "leave" else None
        process = asyncio.create_task(self._process(plug, posts, leave))
        aim = Aim(
            loop,
            end,
            strike=lambda: self._kill(plug) if end.how == "kill" else None,
            sleep=self.world.sleep,
        )
        if end.how != "leave":
            plug.hear = aim.hear
        struck = asyncio.create_task(aim.hit.wait())
        await asyncio.wait([process, struck], return_when=asyncio.FIRST_COMPLETED)
        aim.drop()
        struck.cancel()
        if end.how == "kill" and aim.hit.is_set():
            await self._bury(process, posts)
        elif process.done():
            process.result()
        elif end.how == "close":
            assert self._veo is not None  # the process has sent a POST
            await self._veo.aclose()
            await process
        else:
            await self._cancel(process, twice=end.how == "cancel twice", after=end.turns % 2)

    async def _cancel(self, process: asyncio.Task[Any], *, twice: bool, after: float) -> None:
        process.cancel()
        if twice:
            await asyncio.sleep(after)
            process.cancel()
        with suppress(asyncio.CancelledError):
            await process

    def _kill(self, plug: Plug) -> None:
        """From this moment on nothing that the process does has any effect: it sends nothing, and
        the journal that goes on is what it had committed. So no ``finally`` of ours counts."""
        self.kills += 1
        self._killed = plug.out = True
        self.world.receiver = None
        wrecked = self._folder / f"after-{self.kills}"
        if self._journal.exists():
            wreck(self._journal, wrecked)
        wrecked.mkdir(exist_ok=True)
        self._journal = wrecked / self._journal.name
        self._check_rows(self._read(), at=asyncio.get_running_loop().time(), within=GROUP)

    async def _bury(self, process: asyncio.Task[Any], posts: Posts) -> None:
        """Remove the tasks of a killed process, which are without effect."""
        while not process.done() or self._others():
            for task in (process, *posts, *self._others()):
                task.cancel()
            await asyncio.sleep(0)

    def _others(self) -> set[asyncio.Task[Any]]:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        return {task for task in tasks if not self.world.belongs(task)}

    # What the journal says between two processes.

    def _read(self) -> dict[Slot, Row]:
        return _rows_of(self._copied()) if self._journal.exists() else {}

    def _copied(self) -> Path:
        self._reads += 1
        return wreck(self._journal, self._folder / f"read-{self._reads}")

    def _try_damaged(self, damage: Damage) -> None:
        """A damaged copy of the journal is refused, or says what the journal says."""
        if not damage or not self._journal.exists() or not self._journal.stat().st_size:
            return
        copy, rows = self._copied(), self._read()
        data, luck = bytearray(copy.read_bytes()), Random(f"{self.scenario.seed}/{self._reads}")
        if damage == "bit":
            data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)
        elif damage == "torn":
            del data[luck.randrange(1, len(data)) :]
        for file in copy.parent.iterdir():
            file.unlink()
        copy.write_bytes(data)
        with suppress(JournalError):
            if _rows_of(copy) != rows:
                self.broken.append(Broken(f"a damaged journal ({damage}) is believed"))

    def _check_rows(self, rows: dict[Slot, Row], *, at: float, within: float) -> None:
        process = self._processes - 1
        self.broken += check_rows(self.world.sent, rows, process=process, at=at, within=within)

    def _note_states(self, *, final: bool = False) -> None:
        """Note for the last POST of each slot how its row stands as the next process begins."""
        self.rows = self._read()
        if not self._killed:  # it has told its journal all that it knew by then
            self._check_rows(self.rows, at=self._closed_at, within=0.0)
        self._last_of = {sent.slot: sent for sent in self.world.sent if sent.slot}
        for slot, row in self.rows.items():
            sent = self._last_of.get(slot)
            if not sent or not _is_announced(sent, row):
                self._last_of.pop(slot, None)  # killed between an intent and its POST
            elif not final and sent.state == "not resumed":
                sent.state = row.state


def _rows_of(journal: Path) -> dict[Slot, Row]:
    """The last attempts that a journal knows of.

    Raises:
        JournalError: it is damaged.
    """
    file = JournalDatabase(journal)
    try:
        file.open()
        items = file.items()
    finally:
        file.close()
    rows = [row for item in items.values() for row in item.stages.values()]
    return {(row.key, row.stage): row for row in rows}


def _is_announced(sent: Sent, row: Row) -> bool:
    """Whether it was this row's intent that let this POST go."""
    return row.sent_at is not None and 0.0 <= sent.sent_at - row.sent_at <= EARLY + GROUP
