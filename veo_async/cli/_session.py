"""What every command does around its own work: a loop, a client, Ctrl-C, and one line per error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from .._client import VeoClient
from ..policies import PollPolicy
from ._exits import FAILED, INTERRUPTED, message_of, quoted
from ._options import Calling, Seams, Shared, Waiting
from ._progress import Progress
from ._progress_view import progress_of_few
from ._screen import Screen

if TYPE_CHECKING:
    from ..emulator import Emulator

CLOCK_FACTOR = 60.0
"""With ``--emulator`` a minute of the service passes in a second."""

OFFLINE_POLL = PollPolicy(first=0.2, min_interval=0.1, max_interval=0.5)
"""Looks that suit a service whose minute is a second."""


def run(work: Callable[[Screen], Coroutine[Any, Any, int]], options: Shared, seams: Seams) -> int:
    """Do a command's work to its end, whatever that is.

    The first Ctrl-C cancels the work, which may take as long as the client needs to learn what
    became of an open submit; the second stops at once.
    """
    screen = Screen(options)
    try:
        with (
            screen.listening(),
            _termination_as_interrupt(),
            asyncio.Runner(loop_factory=seams.loop_factory) as runner,
        ):
            return runner.run(work(screen))
    except BrokenPipeError:
        _drop_the_rest()
        return FAILED
    except KeyboardInterrupt:
        screen.note("veo-async: interrupted", "red")
        return INTERRUPTED
    except typer.BadParameter:
        raise
    except Exception as error:  # noqa: BLE001 - a bug is one line, too, with an exit code of its own
        return screen.error(error)


def _drop_the_rest() -> None:
    """Nobody reads standard output any more, so what is buffered for it must go nowhere: else the
    interpreter would complain at its end (the way that Python's documentation shows)."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextlib.contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, since a submit that is cut is a paid video lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True, slots=True)
class Session:
    """A client, the screen, the progress, and the tasks that are known to go on at the service.

    ``has_journal`` tells that a later run finds them by itself.
    """

    veo: VeoClient
    screen: Screen
    progress: Progress
    emulator: Emulator | None = None
    has_journal: bool = False
    running: dict[str, None] = field(default_factory=dict)

    def tell_what_goes_on(self) -> None:
        """Say how to go on with all that was submitted and whose end nobody here has seen."""
        if self.has_journal:
            return  # it knows them all
        unsettled = self.veo.unsettled
        ids = {**self.running, **{entry.task_id: None for entry in unsettled if entry.task_id}}
        for task_id in ids:
            command = f"veo-async wait {quoted(task_id)}"
            self.screen.note(f"veo-async: still running, go on with: {command}", "yellow")
        for entry in unsettled:
            if entry.error is not None:
                self.screen.note(f"veo-async: uncertain: {message_of(entry.error)}", "yellow")
            if entry.result is not None and entry.task_id is None:
                self.screen.note(f"veo-async: finished: {entry.result.video.video_url}", "yellow")


@contextlib.asynccontextmanager
async def online(
    screen: Screen,
    options: Calling,
    seams: Seams,
    *,
    client: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    has_journal: bool = False,
) -> AsyncIterator[Session]:
    """A session with the service, as the options, the environment and `client` say."""
    progress = progress or progress_of_few(screen)
    given = {"on_event": progress.on_event, **_timeout(options), **(client or {}), **seams.client}
    veo = VeoClient(**{"base_url": options.base_url, **given})
    async with _session(Session(veo, screen, progress, has_journal=has_journal)) as opened:
        yield opened


def _timeout(options: Shared) -> dict[str, float]:
    """How long to wait. The client is told at once, so that it refuses nonsense before a submit."""
    if isinstance(options, Waiting) and options.timeout is not None:
        return {"timeout": options.timeout}
    return {}


def emulator_class(seams: Seams) -> Callable[..., Emulator]:
    """What makes an emulator.

    Raises:
        MissingExtraError: its libraries are not installed.
    """
    if seams.emulator is not None:
        return seams.emulator
    from ..testing import Emulator

    return Emulator


async def _no_image(url: str) -> bytes:
    """Offline no image is fetched; the emulator draws something in its place."""
    raise OSError(f"{url} is not on this machine")


@contextlib.asynccontextmanager
async def offline(
    screen: Screen,
    options: Shared,
    seams: Seams,
    *,
    client: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    has_journal: bool = False,
    **emulation: Any,
) -> AsyncIterator[Session]:
    """A session with an emulator of its own; `emulation` are the emulator's options."""
    always = {"clock_factor": CLOCK_FACTOR, "epoch": time.time(), "fetch": _no_image}
    emulation = {**always, **emulation}
    progress = progress or progress_of_few(screen)
    async with emulator_class(seams)(**emulation) as emulator:
        chosen = {
            "api_token": "offline",
            "base_url": emulator.base_url,
            "transport": emulator.transport(),
            "poll": OFFLINE_POLL,
            "on_event": progress.on_event,
            **_timeout(options),
            **(client or {}),
            **seams.client,
        }
        session = Session(VeoClient(**chosen), screen, progress, emulator, has_journal)
        async with _session(session) as opened:
            yield opened


@contextlib.asynccontextmanager
async def _session(session: Session) -> AsyncIterator[Session]:
    try:
        yield session
    finally:
        # A submit that is open until now is told of once it has settled.
        await session.veo.aclose()
        session.tell_what_goes_on()
