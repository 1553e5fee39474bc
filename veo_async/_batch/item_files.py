"""The files of an item: its videos, and the record beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from .._events import EventContext
from .._journal.events import Saved
from .._journal.journal import Journal
from .._journal.rows import FIRST, Item
from .._journal.states import download_stage
from ..errors import DownloadError, JournalError, VeoError
from ..events import Downloaded
from ..models import Action, Generation, Outcome
from .file_names import file_name
from .folder import Folder
from .options import BatchDeps, Entry
from .stages import SECOND, unexpected, unwritable

UPSCALE: Action = "get_1080p"


class ItemFiles:
    """Saves the files of the items of one batch.

    Args:
        deps: the parts of the client.
        folder: where the files lie.
        journal: the file in which saved ones are recorded, if there is one.
        failed: is called with an error that stops the batch, although the item's file is there.
    """

    def __init__(
        self,
        deps: BatchDeps,
        folder: Path,
        journal: Journal | None,
        failed: Callable[[VeoError], None],
    ) -> None:
        self._deps = deps
        self._path = folder
        self._folder = Folder(folder)
        self._journal = journal
        self._failed = failed

    async def save(
        self, entry: Entry, results: Mapping[str, Generation], files: list[Path]
    ) -> None:
        """Save the video of each stage, and add it to ``files``.

        Raises:
            VeoError: one of them could not be had. The others are saved.
        """
        errors: list[VeoError] = []
        stem = await self._stem(entry, results)
        for stage, generation in results.items():
            path = self._path / file_name(stem, upscaled=stage == SECOND)
            try:
                files.append(await self._save(entry, stage, generation, path))
            except VeoError as exc:
                errors.append(exc)
        if errors:
            raise errors[0]

    async def _save(self, entry: Entry, stage: str, generation: Generation, path: Path) -> Path:
        if _saved(entry.item, stage) == (path.name, await self._size(path)):
            return path
        await self._fetch(entry, stage, generation, path)
        size = await self._size(path)
        if self._journal:
            saved = Saved(entry.key, download_stage(stage, 0), str(path), size or 0)
            try:
                await self._journal.record(saved)
            except JournalError as exc:  # the file is there all the same
                self._failed(exc)
        return path

    async def _fetch(self, entry: Entry, stage: str, generation: Generation, path: Path) -> None:
        began, video = self._deps.runtime.wall_clock(), generation.video
        task_id = generation.task_id
        await self._deps.downloads.fetch(
            video.video_url or "", path, task_id=task_id, video_id=video.id, stage=stage
        )
        if events := self._deps.events:
            context, at = EventContext.of(entry.request, key=entry.key), events.now()
            if stage == SECOND:
                context = replace(context, action=UPSCALE)
            subject = context.subject(task_id)
            events.emit(Downloaded(at=at, path=path, seconds=at - began, **subject))

    async def write_record(
        self, entry: Entry, outcome: Outcome, results: Mapping[str, Generation]
    ) -> Outcome:
        """The outcome, once its record lies in the folder."""
        write = partial(
            self._folder.write_record,
            number=entry.number,
            results=tuple(results.values()),
            at=self._deps.runtime.wall_clock(),
        )
        try:
            await self._on_disk(write, outcome, await self._stem(entry, results))
        except DownloadError as exc:
            return replace(outcome, error=outcome.error or exc)
        except Exception as exc:  # noqa: BLE001 - a record that cannot be had must not lose the outcome
            return replace(outcome, error=outcome.error or unexpected(exc))
        return outcome

    async def _stem(self, entry: Entry, results: Mapping[str, Generation]) -> str:
        """The beginning of the names of its files."""
        saved = _saved(entry.item, FIRST) or _saved(entry.item, SECOND)
        tasks = [one.task_id for one in results.values() if one.task_id]
        named = partial(self._folder.stem, saved=saved[0] if saved else None, tasks=tasks)
        stem: str = await self._on_disk(named, entry.key, entry.number, entry.request)
        return stem

    async def _on_disk(self, work: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self._deps.runtime.run_sync(work, *args)
        except OSError as exc:
            raise unwritable(exc, self._path) from exc

    async def _size(self, path: Path) -> int | None:
        size: int | None = await self._deps.runtime.run_sync(_size_of, path)
        return size


def _saved(item: Item, stage: str) -> tuple[str, int] | None:
    """The name and the length of a file that an earlier run saved."""
    row = item.stages.get(download_stage(stage, 0))
    file = row.file if row else None
    return (Path(file[0]).name, file[1]) if file else None


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None
