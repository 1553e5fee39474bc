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
from ..models import Generation, Outcome
from .file_names import file_name
from .folder import Folder
from .options import BatchDeps, Entry
from .stages import SECOND, unexpected, unwritable


class ItemFiles:
    """Saves the files of the items of one batch.

    Args:
        deps: the parts of the client.
        folder: the folder of the files.
        journal: records the saved files, if there is one.
        failed: called with an error that stops the batch although the item's file is saved.
    """

    def __init__(
        self,
        deps: BatchDeps,
        folder: Folder,
        journal: Journal | None,
        failed: Callable[[VeoError], None],
    ) -> None:
        self._deps = deps
        self._path = folder.path
        self._folder = folder
        self._journal = journal
        self._failed = failed

    async def save(
        self, entry: Entry, results: Mapping[str, Generation], files: list[Path]
    ) -> None:
        """Save the video of each stage, and add it to ``files``.

        Raises:
            VeoError: one of them could not be saved. The others are saved.
        """
        errors: list[VeoError] = []
        stem = await self._stem(entry, results)
        for stage, generation in results.items():
            path = self._path / file_name(stem, upscaled=stage == SECOND)
            try:
                await self._save(entry, stage, generation, path)
                files.append(path)
            except VeoError as exc:
                errors.append(exc)
        if errors:
            raise errors[0]

    async def _save(self, entry: Entry, stage: str, generation: Generation, path: Path) -> None:
        size_of = partial(self._deps.runtime.run_sync, _size_of, path)
        if _saved(entry.item, stage) == (path.name, await size_of()):
            return
        await self._fetch(entry, stage, generation, path)
        if self._journal:
            saved = Saved(entry.key, download_stage(stage, 0), str(path), await size_of() or 0)
            try:
                await self._journal.record(saved)
            except JournalError as exc:  # the file is saved all the same
                self._failed(exc)

    async def _fetch(self, entry: Entry, stage: str, generation: Generation, path: Path) -> None:
        began, video = self._deps.runtime.wall_clock(), generation.video
        task_id = generation.task_id
        await self._deps.downloads.fetch(
            video.video_url or "",
            path,
            task_id=task_id,
            video_id=video.id,
            stage=stage,
            is_new=entry.item.step(stage) != "finished",
        )
        if events := self._deps.events:
            context, at = EventContext.of(entry.request, key=entry.key), events.now()
            if stage == SECOND:
                context = replace(context, action="get_1080p")
            subject = context.subject(task_id)
            events.emit(Downloaded(at=at, path=path, seconds=at - began, **subject))

    async def write_record(
        self, entry: Entry, outcome: Outcome, results: Mapping[str, Generation]
    ) -> Outcome:
        """Write the item's record. Returns the outcome, with the error if that failed."""
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
        except Exception as exc:  # noqa: BLE001 - no fault of a record may lose the outcome
            return replace(outcome, error=outcome.error or unexpected(exc))
        return outcome

    async def _stem(self, entry: Entry, results: Mapping[str, Generation]) -> str:
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


def _saved(item: Item, stage: str) -> tuple[str, int] | None:
    """The name and the length of the file that an earlier run saved."""
    row = item.stages.get(download_stage(stage, 0))
    file = row.file if row else None
    return (Path(file[0]).name, file[1]) if file else None


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None
