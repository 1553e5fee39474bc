"""The service of one scenario, and a record of every POST that reached for it."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.deliveries import delivered_to
from tests.support.service import emulator
from veo_async._wire.dialect import canonical_action
from veo_async.callbacks import Callbacks
from veo_async.emulator import Charge, EmulatorTransport, Fault, Faults, Seconds, VideoFormat
from veo_async.emulator._rendering import render
from veo_async.emulator._scene import Scene
from veo_async.testing._virtual_loop import VirtualEventLoop

from .faults import name_of
from .scenario import Scenario

HEADER = "x-simulated-post"
POST: ContextVar[Sent | None] = ContextVar("POST", default=None)
"""The POST that the service is at work on, in the task of its connection."""


@dataclass(slots=True, eq=False)
class Sent:
    """One POST, as everybody saw it.

    Attributes:
        number: counted from 1 over all processes.
        process: the number of the process that sent it.
        slot: the item and the stage that it was sent for, in a batch with a journal.
        chosen: what the caller chose, as the library compares it.
        at: when it was sent, in virtual seconds.
        sent_at: the same on the clock of its process.
        marked: whether it was sent with a callback address.
        struck: the names of the faults that the service let loose on it.
        task_id: what it was billed as, if it was.
        given: the task that the client adopted for it.
        verdict: what the client concluded, in the end.
        judged: when it concluded that, in virtual seconds.
        reason: why nobody can tell, if nobody can.
        state: its row's state when a later process opened the journal.
    """

    number: int
    process: int
    slot: tuple[str, str] | None
    chosen: Any
    at: float
    sent_at: float
    marked: bool = False
    struck: list[str] = field(default_factory=list)
    task_id: str | None = None
    given: str | None = None
    verdict: str = "open"
    judged: float = inf
    reason: str = ""
    state: str = "not resumed"

    def __str__(self) -> str:
        billed = f"billed as {self.task_id[:8]}" if self.task_id else "not billed"
        what = f"POST {self.number} (process {self.process}) {self.chosen.get('prompt')!r}"
        struck = " and ".join(self.struck) or "nothing"
        why = f" ({self.reason})" if self.verdict == "cannot tell" else ""
        return (
            f"{what} at {self.at:.2f}: {struck} struck, {billed}; {self.verdict}{why} at "
            f"{self.judged:.2f}; {self.state}"
        )

    @property
    def action(self) -> str:
        """The action, in one spelling."""
        return canonical_action(str(self.chosen.get("action")))


class _Watched(Faults):
    """Rules that tell the POST at work which of them struck."""

    def unread(self, kinds: Any) -> tuple[Any, ...]:
        return self._told(super().unread(kinds))

    def on(self, call: Any) -> tuple[Any, ...]:
        effects = super().on(call)
        return self._told(effects) if call.kind == "submit" else effects

    def _told(self, effects: tuple[Any, ...]) -> tuple[Any, ...]:
        sent = POST.get()
        if sent:
            sent.struck += map(name_of, effects)
        return effects


class _Bill(list[Charge]):
    """A bill that tells the POST at work what it was billed as."""

    def append(self, charge: Charge) -> None:
        super().append(charge)
        if sent := POST.get():
            sent.task_id = charge.task_id


class Turns(VirtualEventLoop):
    """A loop that calls back before one of its turns."""

    turn = 0
    at_turn = -1
    then: Any = None

    def _run_once(self) -> None:
        self.turn += 1
        if self.turn == self.at_turn:
            self.then()
        super()._run_once()  # type: ignore[misc]  # the typeshed does not show it


class World:
    """A service, and what was sent to it.

    Attributes:
        service: the emulator.
        sent: all POSTs, in their order.
        receiver: who takes callbacks, if anybody does.
        slept: for how many seconds in all the machine was suspended. The clocks of its processes
            stood still then, but for the one on the wall.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.slept = 0.0
        self.service = emulator(
            seed=scenario.seed,
            pace=Seconds(mean=scenario.mean_seconds),
            skew=scenario.skew,
            date_skew=scenario.date_skew,
            wire=scenario.wire,
            clock=self.time,
            callback_transport=_Door(self),
        )
        self.sent: list[Sent] = []
        self.receiver: Callbacks | None = None
        self._watch()

    def time(self) -> float:
        """Seconds since the beginning, whether or not the machine slept."""
        return asyncio.get_running_loop().time() + self.slept

    def sleep(self, seconds: float) -> None:
        """The machine is suspended for so long."""
        self.slept += seconds

    def task_of(self, task_id: str) -> str:
        """The task with this id, which may be the number of its record."""
        task = self.service._service.backend._by_number.get(task_id)
        return task.id if task else task_id

    def source_of(self, video_id: str) -> str:
        """The task that made a video, and not its upscaled version."""
        return self.service._service.backend._by_video[video_id].id

    def _watch(self) -> None:
        service = self.service
        watched = _Watched(_rules(self.scenario), seed=self.scenario.seed)
        service.faults = service._service.faults = watched
        service._service.backend.bill = _Bill()
        service._files.path = _film  # type: ignore[assignment, method-assign]  # one film is enough

    def transport(self) -> EmulatorTransport:
        """The service for one process."""
        return EmulatorTransport(_marking(self.service.app, self.sent), self.service._background)

    def belongs(self, task: asyncio.Task[Any]) -> bool:
        """Whether a task is the service's own."""
        service = self.service
        return task in service._background._tasks or task in service._courier._background._tasks


async def _film(_task: object, _files_url: str) -> Path:
    return rendered()


@cache
def rendered() -> Path:
    """A small film, for all tasks of all worlds."""
    folder = tempfile.mkdtemp(prefix="veo-simulated-film-")
    weakref.finalize(Sent, shutil.rmtree, folder)
    request = {"action": "text2video", "prompt": "p"}
    path = Path(folder) / "film.mp4"
    film = VideoFormat(seconds=0.2, fps=5, short_side=64)
    render(Scene.of(request, request, "v", [], film), path, lambda: False)
    return path


class _Door(httpx.AsyncBaseTransport):
    """The way of a callback to the process that is there now."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._world.receiver is None:
            raise httpx.ConnectError("nobody listens", request=request)
        return await delivered_to(self._world.receiver).handle_async_request(request)


def _rules(scenario: Scenario) -> list[Fault]:
    rules = [Fault(effect=strike.effect, nth=strike.nth) for strike in scenario.strikes]
    if scenario.lag:
        rules.append(Fault(effect=scenario.lag))
    rules += [
        Fault(effect=nuisance.effect, on=nuisance.on, probability=nuisance.probability)
        for nuisance in scenario.nuisances
    ]
    return rules


def _marking(app: ASGIApp, sent: list[Sent]) -> ASGIApp:
    """The app, which knows in each call which POST it is at work on."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        number = dict(scope["headers"]).get(HEADER.encode())
        POST.set(sent[int(number) - 1] if number else None)
        await app(scope, receive, send)

    return marked


class Plug(httpx.AsyncBaseTransport):
    """The transport of one process. Pulled out, it sends nothing and answers nothing any more.

    Attributes:
        process: whose it is.
        out: whether it is pulled out.
        begun: by the task of each POST, what it is about: slot, choice, time of sending.
        sent: by the same, the POST as it was sent.
        hear: is told of each POST, and of each conclusion about a lost one.
    """

    failure_family = "httpx"

    def __init__(self, world: World, process: int) -> None:
        self._world = world
        self._transport = world.transport()
        self.process = process
        self.out = False
        self.begun: dict[asyncio.Task[Any] | None, tuple[Any, Any, float]] = {}
        self.sent: dict[asyncio.Task[Any] | None, Sent] = {}
        self.hear: Callable[[str], object] = str

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.out:
            await asyncio.get_running_loop().create_future()
        if request.url.path == "/veo/videos":
            self._note(request)
        return await self._transport.handle_async_request(request)

    def _note(self, request: httpx.Request) -> None:
        task = asyncio.current_task()
        slot, chosen, sent_at = self.begun[task]
        now = asyncio.get_running_loop().time()
        number = len(self._world.sent) + 1
        marked = "callback_url" in json.loads(request.content)
        sent = Sent(number, self.process, slot, chosen, now, sent_at, marked)
        self._world.sent.append(sent)
        self.sent[task] = sent
        request.headers[HEADER] = str(sent.number)
        self.hear("POST")

    async def aclose(self) -> None:
        await self._transport.aclose()
