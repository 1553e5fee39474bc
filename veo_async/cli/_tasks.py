"""The commands about existing tasks. They cost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import TaskNotFoundError, WaitTimeoutError
from ..models import TaskRecord, Video
from . import _rows
from ._exits import OK
from ._options import Calling, Seams, Waiting
from ._outputs import destinations, file_at, prepare_folder, refuse_unwritable
from ._progress_view import shown
from ._rows import Row
from ._screen import Screen
from ._session import Session, online, run
from ._times import parse_time
from ._videos import End, report, run_item, save, wait_and_save


def wait_for(task_ids: list[str], out: Path | None, options: Waiting, seams: Seams) -> int:
    """Wait for all tasks, and return the highest of their exit codes."""

    async def work(screen: Screen) -> int:
        if out is not None:
            prepare_folder(out)
        async with (
            online(screen, options, seams) as session,
            shown(screen, session.progress),
        ):
            waits = (_wait(session, task_id, out) for task_id in dict.fromkeys(task_ids))
            return max(await asyncio.gather(*waits))

    return run(work, options, seams)


async def _wait(session: Session, task_id: str, out: Path | None) -> int:
    item = session.progress.add(task_id, "waiting", is_saved=out is not None)
    to = partial(destinations, out=out) if out is not None else None
    work = wait_and_save(session, task_id, session.veo.wait(task_id), to)
    return report(await run_item(work, session.progress, item, task_id=task_id), session.screen)


def list_tasks(
    task_ids: list[str],
    *,
    since: str | None,
    until: str | None,
    limit: int,
    options: Calling,
    seams: Seams,
) -> int:
    """List tasks. A task that failed is no error of this command."""
    now = datetime.now(UTC)
    created_at_min = parse_time(since, now=now, option="--since") if since is not None else None
    created_at_max = parse_time(until, now=now, option="--until") if until is not None else None

    async def work(screen: Screen) -> int:
        async with online(screen, options, seams) as session:
            if task_ids:
                records = _named(session, task_ids)
            else:
                records = session.veo.tasks.list(
                    created_at_min=created_at_min, created_at_max=created_at_max
                )
            listed = await _list(records, limit if not task_ids else None, screen)
        unknown = [task_id for task_id in dict.fromkeys(task_ids) if task_id not in listed]
        ends = [screen.error(_unknown(task_id)) for task_id in unknown]
        return max(ends, default=OK)

    return run(work, options, seams)


async def _named(session: Session, task_ids: list[str]) -> AsyncIterator[TaskRecord]:
    for record in await session.veo.tasks.retrieve_many(task_ids):
        yield record


def _unknown(task_id: str) -> TaskNotFoundError:
    return TaskNotFoundError(f"The service does not know the task {task_id!r}.", task_id=task_id)


async def _list(
    records: AsyncIterator[TaskRecord], limit: int | None, screen: Screen
) -> set[str | None]:
    """Print records as they arrive, and return their ids."""
    listed: set[str | None] = set()
    async for record in records:
        screen.listed(_rows.of_record(record))
        listed.add(record.id)
        if len(listed) == limit:
            break
    return listed


def download_to(source: str, path: Path, options: Calling, seams: Seams) -> int:
    """Download the videos of a task, or the video at a URL."""

    async def work(screen: Screen) -> int:
        refuse_unwritable(path)
        async with (
            online(screen, options, seams) as session,
            shown(screen, session.progress),
        ):
            item = session.progress.add(source, "downloading")
            if source.startswith(("http://", "https://")):
                from_url = Path(urlsplit(source).path).stem
                wanted = [(Video(video_url=source), file_at(path, from_url))]
                saving = save(session, Row(state="succeeded"), wanted)
            else:
                saving = _from_task(session, source, path)
            end = await run_item(saving, session.progress, item)
        return report(end, screen)

    return run(work, options, seams)


async def _from_task(session: Session, task_id: str, path: Path) -> End:
    """Save the videos of a task from fresh URLs, without waiting for the task."""
    record = await session.veo.tasks.retrieve(task_id)
    if record.error is not None:
        raise record.error
    if record.generation is None:
        raise WaitTimeoutError("The task is not finished.", task_id=task_id)
    return await save(session, _rows.of_record(record), destinations(record.generation, path))
