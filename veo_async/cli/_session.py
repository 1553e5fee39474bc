"""The frame of every command: the event loop, the client, Ctrl-C, and one line for an error."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from .._client import VeoClient
from ..policies import PollPolicy, RetryPolicy
from ._exits import FAILED, INTERRUPTED, message_of, quoted, worse
from ._options import Batching, Calling, Seams, Shared, Submitting, Waiting
from ._progress import Progress
from ._progress_view import progress_of_few
from ._screen import Screen
from ._signals import Interruption

if TYPE_CHECKING:
    from ..emulator import Emulator

CLOCK_FACTOR = 60.0
"""With ``--emulator`` a minute of the service passes in a second."""

OFFLINE_TOKEN = "offline"
"""The token of a client of the emulator."""

OFFLINE_POLL = PollPolicy(first_delay=0.2, min_interval=0.1, max_interval=0.5)
"""The polls of a service whose minute takes a second."""


STOPPING = (
    "veo-async: stopping. Open submits may be answered for up to "
    f"{RetryPolicy().shutdown_grace:.0f} s, so that none is paid for unseen; Ctrl-C again stops now"
)


def run(work: Callable[[Screen], Coroutine[Any, Any, int]], options: Shared, seams: Seams) -> int:
    """Run the work of a command, and return its exit code.

    The first Ctrl-C (SIGINT, SIGTERM, SIGHUP) cancels the work. That may take as long as the
    client needs to learn the outcome of an open submit. A second one exits immediately. Results
    that could not be written to standard output are a failure, after the work has ended.
    """
    screen = Screen(options)
    buys = isinstance(options, Submitting | Batching)
    interruption = Interruption(partial(screen.note, STOPPING, "yellow") if buys else None)
    try:
        with (
            screen.listening(),
            interruption.listening(),
            asyncio.Runner(loop_factory=seams.loop_factory) as runner,
        ):
            code = runner.run(interruption.watch(work(screen)))
    except BrokenPipeError:
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        screen.note("veo-async: interrupted", "red")
        return INTERRUPTED
    except typer.BadParameter:
        raise
    except Exception as error:  # noqa: BLE001 - a bug is one line, too, and has its own exit code
        return screen.error(error)
    return code if screen.is_read else worse(code, FAILED)


@dataclass(frozen=True, slots=True)
class Session:
    """The objects that the steps of one command share.

    Attributes:
        has_journal: whether a later run finds the running tasks by itself.
        running: the ids of the tasks that this command waits for, in their order.
    """

    veo: VeoClient
    screen: Screen
    progress: Progress
    emulator: Emulator | None = None
    has_journal: bool = False
    running: dict[str, None] = field(default_factory=dict)

    def report_unfinished(self) -> None:
        """Print the command that resumes each submitted task whose end was not seen."""
        if self.has_journal:
            return  # the journal contains them all
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
    """A session with the service. `client` has options for the client."""
    progress = progress or progress_of_few(screen)
    given = {"on_event": progress.on_event, **_timeout(options), **(client or {}), **seams.client}
    network = {"base_url": options.base_url, "allow_reserved": options.allow_reserved}
    veo = VeoClient(**{**network, **given})
    async with _session(Session(veo, screen, progress, has_journal=has_journal)) as opened:
        yield opened


def _timeout(options: Shared) -> dict[str, float]:
    """The timeout as an option of the client, which validates it before anything is sent."""
    if isinstance(options, Waiting) and options.timeout is not None:
        return {"timeout": options.timeout}
    return {}


def emulator_class(seams: Seams) -> Callable[..., Emulator]:
    """The class of the emulator, or a test's replacement.

    Raises:
        MissingExtraError: its libraries are not installed.
    """
    if seams.emulator is not None:
        return seams.emulator
    from ..testing import Emulator

    return Emulator


async def _no_image(url: str) -> bytes:
    """Fetch no image when offline. The emulator then draws a placeholder."""
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
    """A session with its own emulator. `emulation` has options for the emulator."""
    always = {"clock_factor": CLOCK_FACTOR, "epoch": time.time(), "fetch": _no_image}
    emulation = {**always, **emulation}
    progress = progress or progress_of_few(screen)
    async with emulator_class(seams)(**emulation) as emulator:
        chosen = {
            "api_token": OFFLINE_TOKEN,
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
        # Closing waits for open submits, so that their tasks are reported, too.
        await session.veo.aclose()
        session.report_unfinished()
