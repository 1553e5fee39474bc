"""The commands about existing tasks. They cost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import typer

from ..errors import TaskNotFoundError, WaitTimeoutError
from ..models import TaskRecord, Video
from . import _rows
from ._exits import OK
from ._options import Calling, Seams, Waiting
from ._outputs import Output, output
from ._progress_view import shown
from ._rows import Row
from ._screen import Screen
from ._session import Session, online, run
from ._times import parse_time
from ._videos import End, report, run_item, save, save_all, wait_and_save


def wait_for(
    task_ids: list[str], out: str | None, options: Waiting, seams: Seams, *, force: bool
) -> int:
    """Wait for all tasks, and return the highest of their exit codes."""

    async def work(screen: Screen) -> int:
        to = output(out, force=force) if out is not None else None
        if to is not None:
            _check(to, task_ids)
        async with (
            online(screen, options, seams) as session,
            shown(screen, session.progress),
        ):
            waits = (_wait(session, task_id, to) for task_id in dict.fromkeys(task_ids))
            return max(await asyncio.gather(*waits))

    return run(work, options, seams)


def _check(to: Output, task_ids: list[str]) -> None:
    if not to.is_folder and len(set(task_ids)) > 1:
        problem = f"{to.path} is one file, and these are several tasks: name a folder."
        raise typer.BadParameter(problem, param_hint="--out")
    to.check()


async def _wait(session: Session, task_id: str, to: Output | None) -> int:
    item = session.progress.add(task_id, "waiting", is_saved=to is not None)
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


def download_to(source: str, path: str, options: Calling, seams: Seams, *, force: bool) -> int:
    """Download the videos of a task, or the video at a URL."""

    async def work(screen: Screen) -> int:
        to = output(path, option="PATH", force=force)
        if is_url(source):
            to = to.named(PurePosixPath(urlsplit(source).path).stem)
        to.check()
        # A download sends no token, so one of the file's own address needs none.
        client = {"api_token": "none"} if is_url(source) else {}
        async with (
            online(screen, options, seams, client=client) as session,
            shown(screen, session.progress),
        ):
            item = session.progress.add(source, "downloading")
            if is_url(source):
                wanted = [(Video(video_url=source), to.path)]
                saving = save(session, Row(state="succeeded"), wanted)
            else:
                saving = _from_task(session, source, to)
            end = await run_item(saving, session.progress, item)
        return report(end, screen)

    return run(work, options, seams)


def is_url(source: str) -> bool:
    """Whether a source is an address and no task id."""
    return source.lower().startswith(("http://", "https://"))


async def _from_task(session: Session, task_id: str, to: Output) -> End:
    """Save the videos of a task from fresh URLs, without waiting for the task."""
    record = await session.veo.tasks.retrieve(task_id)
    if record.error is not None:
        raise record.error
    if record.generation is None:
        raise WaitTimeoutError("The task is not finished.", task_id=task_id)
    return await save_all(session, _rows.of_record(record), record.generation, to)
