"""Helpers of the journal's tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from veo_async import Generation, TextToVideo
from veo_async._journal.cache import ItemCache, apply_all
from veo_async._journal.events import Accepted, Event, Failed, Intended, Succeeded, Withdrawn
from veo_async._journal.journal import Journal
from veo_async._journal.rows import FIRST
from veo_async._journal.sqlite import JournalDatabase
from veo_async.errors import GenerationFailedError, JournalError

REQUEST = TextToVideo(prompt="a mug")
GENERATION = Generation.model_validate(
    {"success": True, "task_id": "t", "data": [{"id": "v", "video_url": "https://h.example/v"}]}
)


def intended(key: str, *, prompt: str = "a mug", sent_at: float = 10.0) -> Intended:
    """An intent for a first stage."""
    return Intended(key, FIRST, TextToVideo(prompt=prompt), sent_at, 0.5, "text2video")


def accepted(key: str, task_id: str = "t") -> Accepted:
    """It was accepted."""
    return Accepted(key, FIRST, task_id)


def withdrawn(key: str) -> Withdrawn:
    """It bought nothing."""
    return Withdrawn(key, FIRST)


def succeeded(key: str) -> Succeeded:
    """It is finished."""
    return Succeeded(key, FIRST, GENERATION)


def failed(key: str, task_id: str = "t") -> Failed:
    """It failed."""
    return Failed(key, FIRST, GenerationFailedError("no", task_id=task_id))


def apply(file: JournalDatabase, *events: Event, at: float = 1.0) -> list[JournalError | None]:
    """Record events in one transaction, as a journal does that knows nothing of their items; for
    each why it was not recorded."""
    cache = ItemCache()
    unknown = cache.missing(events)
    cache.load(unknown, file.items(unknown))
    rows, errors = apply_all(cache, [(event, at) for event in events])
    if rows:
        file.write(rows)
    return errors


def finish(file: JournalDatabase, *keys: str) -> None:
    """Take items through their first stage in one transaction."""
    steps: tuple[Callable[[str], Event], ...] = (intended, accepted, succeeded)
    assert not any(apply(file, *(step(key) for key in keys for step in steps)))


async def inline(function: Callable[..., Any], /, *args: Any) -> Any:
    """Blocking work right here, as in a simulation."""
    return function(*args)


async def opened(path: Path, *, run_sync: Any = inline) -> Journal:
    """A journal on a clock that stands still."""
    return await Journal.open(path, run_sync=run_sync, wall_clock=lambda: 1000.0)


def wreck(path: Path, folder: Path) -> Path:
    """The files as a crash at this moment leaves them."""
    folder.mkdir(parents=True)
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, folder / file.name)
    return folder / path.name


def states(path: Path) -> dict[tuple[str, str], str]:
    """The items of a journal, read by a new owner."""
    file = JournalDatabase(path)
    file.open()
    try:
        return {
            (key, row.stage): f"{row.state} {row.attempt}"
            for key, item in file.items().items()
            for row in item.stages.values()
        }
    finally:
        file.close()
