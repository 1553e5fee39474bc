"""The steps of one video, from its request to its file. An error is a value here."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from pathlib import Path

from .._client import Task
from ..errors import VeoError
from ..models import Generation, Video, VideoRequest
from . import _rows
from ._exits import OK
from ._outputs import Output
from ._progress import Item, Progress
from ._rows import Row
from ._screen import Screen
from ._session import Session


@dataclass(frozen=True, slots=True)
class End:
    """The end of one task: its row, and its error if there is one."""

    row: Row
    error: Exception | None = None


def report(end: End, screen: Screen) -> int:
    """Print the end of a task, and return its exit code."""
    if end.error is None:
        screen.result(end.row)
        return OK
    screen.failure(end.row)
    return screen.error(end.error)


async def run_item(
    work: Awaitable[End], progress: Progress, item: Item, *, task_id: str | None = None
) -> End:
    """Await the work of an item, and end the item."""
    try:
        end = await work
    except (VeoError, OSError) as error:
        end = End(_rows.of_error(error, task_id), error)
    # The state of the row is that of the task, which may have succeeded without a saved file.
    is_unsaved = end.error is not None and end.row.state == "succeeded"
    progress.end(item, "not saved" if is_unsaved else end.row.state, ", ".join(end.row.files))
    return end


async def submit(session: Session, request: VideoRequest, item: Item) -> Task:
    """Submit a request, and assign its task to the item."""
    task = await session.veo.submit(request)
    session.progress.assign(item, task.id, is_finished=task.state == "succeeded")
    return task


async def make_video(
    session: Session, request: VideoRequest, to: Output | None, *, label: str | None = None
) -> End:
    """Buy one video, from its request to its file."""
    is_saved = to is not None
    item = session.progress.add(label or request.title, "submitting", is_saved=is_saved)

    async def work() -> End:
        task = await submit(session, request, item)
        return await wait_and_save(session, task.id, task.result(), to)

    end = await run_item(work(), session.progress, item)
    return replace(end, row=_rows.with_request(end.row, request))


async def wait_and_save(
    session: Session, task_id: str, waiting: Awaitable[Generation], to: Output | None
) -> End:
    """Wait for a task, and save its videos. If this is cancelled, the task stays in ``running``."""
    session.running[task_id] = None
    try:
        generation = await waiting
    except VeoError:
        # The message of the error contains the command that resumes the task, if there is one.
        del session.running[task_id]
        raise
    del session.running[task_id]
    row = _rows.of_result(generation)
    return End(row) if to is None else await save_all(session, row, generation, to)


async def save_all(session: Session, row: Row, generation: Generation, to: Output) -> End:
    """Save the videos of a task. A file that was saved before is not downloaded again."""
    wanted = to.destinations(generation)
    saved = [path for _, path in wanted if to.is_saved(path)]
    for path in saved:
        session.screen.note(f"veo-async: {path} exists already; --force downloads it again")
    row = replace(row, files=tuple(str(path) for path in saved))
    return await save(session, row, [pair for pair in wanted if pair[1] not in saved])


async def save(session: Session, row: Row, wanted: list[tuple[Video, Path]]) -> End:
    """Download the videos one by one. After an error the row contains the files saved so far."""
    for video, path in wanted:
        try:
            file = await session.veo.download(video, path)
        except (VeoError, OSError) as error:
            return End(replace(row, error=_rows.error_row(error)), error)
        row = replace(row, files=(*row.files, str(file)))
    return End(row)
