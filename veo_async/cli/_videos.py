"""One video from its request to its file, and how its end is told. Every end is a value here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .._client import Task
from ..errors import VeoError
from ..models import Generation, Video, VideoRequest
from . import _rows
from ._exits import OK
from ._progress import Item, Progress
from ._rows import Row
from ._screen import Screen
from ._session import Session

Places = Callable[[Generation], list[tuple[Video, Path]]]
"""Says which videos of a result are saved where."""


@dataclass(frozen=True, slots=True)
class End:
    """How one task ended: the row for it, and the error if something went wrong."""

    row: Row
    error: Exception | None = None


def told(end: End, screen: Screen) -> int:
    """Print how a task ended, and return the exit code for it."""
    if end.error is None:
        screen.result(end.row)
        return OK
    screen.failure(end.row)
    return screen.error(end.error)


async def ended(
    work: Awaitable[End], progress: Progress, item: Item, *, task_id: str | None = None
) -> End:
    """Do the work, and show how it ended."""
    try:
        end = await work
    except (VeoError, OSError) as error:
        end = End(_rows.of_error(error, task_id), error)
    # The row tells how the task stands; a video that was made may still not have been saved.
    lost_here = end.error is not None and end.row.state == "succeeded"
    progress.end(item, "not saved" if lost_here else end.row.state, ", ".join(end.row.files))
    return end


async def submitted(session: Session, request: VideoRequest, item: Item) -> Task:
    """Send a request."""
    task = await session.veo.submit(request)
    session.progress.assign(item, task.id, is_finished=task.state == "succeeded")
    return task


async def made(
    session: Session, request: VideoRequest, places: Places | None, *, label: str | None = None
) -> End:
    """Buy one video, from its request to its file."""
    is_saved = places is not None
    item = session.progress.add(label or request.title, "submitting", is_saved=is_saved)

    async def work() -> End:
        task = await submitted(session, request, item)
        return await finished(session, task.id, task.result(), places)

    end = await ended(work(), session.progress, item)
    return replace(end, row=_rows.asked(end.row, request))


async def finished(
    session: Session, task_id: str, waiting: Awaitable[Generation], places: Places | None
) -> End:
    """Wait for a task, which goes on at the service if that is cut short, and save its videos."""
    session.running[task_id] = None
    try:
        generation = await waiting
    except VeoError:
        # The error itself says how to go on, where that makes sense.
        del session.running[task_id]
        raise
    del session.running[task_id]
    row = _rows.of_result(generation)
    return End(row) if places is None else await saved(session, row, places(generation))


async def saved(session: Session, row: Row, wanted: list[tuple[Video, Path]]) -> End:
    """Download the videos one by one; an error leaves those that were saved in the row."""
    for video, place in wanted:
        try:
            file = await session.veo.download(video, place)
        except (VeoError, OSError) as error:
            return End(replace(row, error=_rows.error_row(error)), error)
        row = replace(row, files=(*row.files, str(file)))
    return End(row)
