"""One item of a batch, from its request to its outcome: generate, upscale, download.

Each stage asks the journal what is known before it does anything, so a later run goes on where an
earlier one ended, however it ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from .._events import EventContext, event_of_absence, event_of_adoption
from .._journal.events import Event, Failed, Retried, Saved, Succeeded
from .._journal.journal import Journal
from .._journal.rows import FIRST, Item, Row
from .._journal.states import download_stage
from .._reconcile.decision import Adopt, CannotTell
from .._reconcile.window import LostSubmit
from .._tracking.task import TrackedTask
from ..errors import DownloadError, GenerationFailedError, JournalError, VeoError
from ..events import Begun, Downloaded, Ended
from ..models import Action, Generation, Outcome, VideoRequest
from . import resume, stages
from .file_names import file_name
from .folder import Folder
from .item_resume import OwnedTasks
from .ledger import StageLedger
from .options import BatchDeps, Entry, Options
from .spending import SpendingGate
from .stages import SECOND

UPSCALE: Action = "get_1080p"


class ItemRunner:
    """Makes items."""

    def __init__(self, parts: BatchDeps, options: Options, journal: Journal | None) -> None:
        self._deps = parts
        self._options = options
        self._folder = Folder(options.folder) if options.folder else None
        self._journal = journal
        self._owned = OwnedTasks(parts, journal) if journal else None
        self.till = SpendingGate(options.max_submissions)
        self.trouble: JournalError | None = None

    async def make(self, entry: Entry) -> Outcome:
        """The outcome of an item; every end is one."""
        began, subject = self._deps.runtime.wall_clock(), _context(entry).subject()
        if events := self._deps.events:
            step = entry.item.step(FIRST)
            events.emit(Begun(at=events.now(), request=entry.request, step=step, **subject))
        outcome = await self._made(entry)
        if events:
            events.emit(_ended(_context(entry), outcome, at=events.now(), since=began))
        return outcome

    async def _made(self, entry: Entry) -> Outcome:
        ends: dict[str, Generation] = {}
        files: list[Path] = []
        error: VeoError | None = None
        for step in (self._generate, self._save_all):
            try:
                await step(entry, ends, files)
            except VeoError as exc:
                self._hear(exc)
                error = error or exc
            except Exception as exc:  # noqa: BLE001 - one item's fault must not lose the others'
                error = error or stages.unexpected(exc)
        result = ends.get(SECOND) or ends.get(FIRST)
        outcome = Outcome(entry.key, entry.request, result, error, tuple(files))
        return await self._written_down(entry, outcome, ends) if self._folder else outcome

    def _hear(self, error: VeoError) -> None:
        self.till.notice(error)
        if isinstance(error, JournalError):
            self.trouble = self.trouble or error

    # The stages that buy.

    async def _generate(self, entry: Entry, ends: dict[str, Generation], files: list[Path]) -> None:
        if self._options.retry_failed and "failed" in map(entry.item.step, entry.item.stages):
            await self._try_again(entry)
        ends[FIRST] = await self._buy(entry, FIRST, entry.request)
        if self._options.upscale:
            wanted = stages.upscaling(entry.request, ends[FIRST])
            if wanted:
                ends[SECOND] = await self._buy(entry, SECOND, wanted)

    async def _try_again(self, entry: Entry) -> None:
        assert self._journal is not None  # only its rows can stay failed
        await self._journal.record(Retried(entry.key))
        entry.item = await self._journal.get(entry.key) or entry.item

    async def _buy(self, entry: Entry, stage: str, request: VideoRequest) -> Generation:
        row, step = entry.item.stages.get(stage), entry.item.step(stage)
        ledger = StageLedger(
            self.till,
            self._journal,
            entry.key,
            stage,
            offset=lambda: self._deps.reconciler.offset,
            is_lost=step == "reconcile",
        )
        if row is None or step == "start":
            tracked = await self._submit(entry, row, request, ledger)
        elif step == "wait":
            context = EventContext.of(request, key=row.key, sent_at=row.sent_at)
            tracked = self._deps.tracker.attach(row.task_id or "", context=context)
            self._deps.callback_router.bind(
                self._deps.callback_router.claim(resume.own_callback(row)), tracked
            )
            self._deps.reconciler.attached(tracked.task_id)
        elif step == "reconcile":
            tracked = await self._resume(entry, row, request, ledger)
        else:
            return _known(row)
        return await self._await_end(entry, stage, tracked, ledger)

    async def _submit(
        self, entry: Entry, row: Row | None, request: VideoRequest, ledger: StageLedger
    ) -> TrackedTask:
        if self._owned:
            # This run's own tasks are known by themselves; only what came before it is not.
            await self._owned.since(self._deps.runtime.wall_clock())
        return await self._deps.submitter.submit(
            request,
            deadline=entry.deadline,
            begun=entry.posts,
            ledger=ledger,
            callback=self._deps.callback_router.claim(resume.own_callback(row)) if row else None,
        )

    async def _resume(
        self, entry: Entry, row: Row, request: VideoRequest, ledger: StageLedger
    ) -> TrackedTask:
        """Find out what became of a submit of an earlier run; send it again only if it bought
        nothing, or if the user takes the risk."""
        policy, reconciler = self._deps.policy, self._deps.reconciler
        if tracked := await self._left_here(entry, row, ledger):
            return tracked
        if policy.on_uncertain == "raise":
            raise resume.uncertain_of(row)
        if policy.on_uncertain == "reconcile":
            lost = await self._lost(row)
            handle = self._deps.callback_router.claim(lost.callback_url)
            decision = await reconciler.resolve(
                lost, deadline=entry.deadline, adopted=ledger.adopted, callback=handle
            )
            context = EventContext.of(request, key=row.key, sent_at=row.sent_at)
            if isinstance(decision, Adopt):
                if events := self._deps.events:
                    events.emit(event_of_adoption(context, decision.task_id, at=events.now()))
                tracked = self._deps.tracker.attach(decision.task_id, context=context)
                self._deps.callback_router.bind(handle, tracked)
                return tracked
            if isinstance(decision, CannotTell):
                raise resume.uncertain_of(row, reason=decision.reason)
            ledger.absent()
            if events := self._deps.events:
                events.emit(event_of_absence(context, at=events.now()))
        return await self._submit(entry, row, request, ledger)

    async def _left_here(self, entry: Entry, row: Row, ledger: StageLedger) -> TrackedTask | None:
        """The task, if the earlier run was this very client's: it hears of the POST itself, and
        owns the task, so nobody would find it in the list."""
        # Not what a journal that is gone knew of: in its place may be one with other requests.
        post = self._deps.submitter.unsettled.find(ledger.is_of, since=row.sent_at or 0.0)
        if post is None:
            return None
        with anyio.move_on_after(max(entry.deadline - anyio.current_time(), 0.0)):
            await post.done.wait()
        if post.tracked and post.tracked.task_id:  # a result without an id is recorded at its end
            ledger.adopted(post.tracked.task_id)
        return post.tracked

    async def _lost(self, row: Row) -> LostSubmit:
        assert self._owned is not None  # only a journal's row can be lost
        lost = resume.lost_in(
            row,
            now=self._deps.runtime.wall_clock(),
            submit_timeout=self._deps.policy.submit_timeout,
        )
        await self._owned.since(lost.begun)
        return lost

    async def _await_end(
        self, entry: Entry, stage: str, tracked: TrackedTask, ledger: StageLedger
    ) -> Generation:
        left = max(entry.deadline - anyio.current_time(), 0.0)
        try:
            generation = await self._deps.await_end(tracked, left)
        except GenerationFailedError as exc:
            self._note(Failed(entry.key, stage, exc))
            raise
        if not ledger.finished:
            self._note(Succeeded(entry.key, stage, generation))
        return generation

    def _note(self, end: Event) -> None:
        """Have the end of a task recorded. Nobody waits for that: the service knows it too. What
        goes wrong with it is told at the end of the batch."""
        if self._journal:
            self._journal.note(end, hurried=False)

    # The files.

    async def _save_all(self, entry: Entry, ends: dict[str, Generation], files: list[Path]) -> None:
        if self._options.folder is None or not ends:
            return
        errors: list[VeoError] = []
        stem = await self._stem(entry, ends)
        for stage, generation in ends.items():
            path = self._options.folder / file_name(stem, upscaled=stage == SECOND)
            try:
                files.append(await self._save(entry, stage, generation, path))
            except VeoError as exc:  # one file that cannot be had must not keep back the other
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
                self._hear(exc)
        return path

    async def _fetch(self, entry: Entry, stage: str, generation: Generation, path: Path) -> None:
        began, video = self._deps.runtime.wall_clock(), generation.video
        task_id = generation.task_id
        await self._deps.downloads.fetch(
            video.video_url or "", path, task_id=task_id, video_id=video.id, stage=stage
        )
        if events := self._deps.events:
            context, at = _context(entry), events.now()
            if stage == SECOND:
                context = replace(context, action=UPSCALE)
            subject = context.subject(task_id)
            events.emit(Downloaded(at=at, path=path, seconds=at - began, **subject))

    async def _stem(self, entry: Entry, ends: dict[str, Generation]) -> str:
        """What the names of its files begin with."""
        assert self._folder is not None  # it is asked for where something is saved
        saved = _saved(entry.item, FIRST) or _saved(entry.item, SECOND)
        tasks = [end.task_id for end in ends.values() if end.task_id]
        named = partial(self._folder.stem, saved=saved[0] if saved else None, tasks=tasks)
        stem: str = await self._on_disk(named, entry.key, entry.number, entry.request)
        return stem

    async def _written_down(
        self, entry: Entry, outcome: Outcome, ends: dict[str, Generation]
    ) -> Outcome:
        """The outcome, once its record lies in the folder."""
        assert self._folder is not None  # else there is no place for it
        write = partial(
            self._folder.record,
            number=entry.number,
            ends=tuple(ends.values()),
            at=self._deps.runtime.wall_clock(),
        )
        try:
            await self._on_disk(write, outcome, await self._stem(entry, ends))
        except DownloadError as exc:
            return replace(outcome, error=outcome.error or exc)
        except Exception as exc:  # noqa: BLE001 - a record that cannot be had must not lose the outcome
            return replace(outcome, error=outcome.error or stages.unexpected(exc))
        return outcome

    async def _on_disk(self, work: Callable[..., Any], *args: Any) -> Any:
        try:
            return await self._deps.runtime.run_sync(work, *args)
        except OSError as exc:
            raise stages.unwritable(exc, self._options.folder) from exc

    async def _size(self, path: Path) -> int | None:
        size: int | None = await self._deps.runtime.run_sync(_size_of, path)
        return size


def _context(entry: Entry) -> EventContext:
    return EventContext.of(entry.request, key=entry.key)


def _ended(context: EventContext, outcome: Outcome, *, at: float, since: float) -> Ended:
    """The event for an item that began at the Unix time ``since`` and is over."""
    end = outcome.result or outcome.error
    subject = context.subject(getattr(end, "task_id", None))
    trace_id = getattr(end, "trace_id", None)
    return Ended(at=at, seconds=at - since, trace_id=trace_id, outcome=outcome, **subject)


def _saved(item: Item, stage: str) -> tuple[str, int] | None:
    """The name and the length of a file that an earlier run saved."""
    row = item.stages.get(download_stage(stage, 0))
    file = row.file if row else None
    return (Path(file[0]).name, file[1]) if file else None


def _known(row: Row) -> Generation:
    """How a stage ended in an earlier run.

    Raises:
        VeoError: it was refused, or it failed.
    """
    generation, error = row.generation, row.error
    if error:
        raise error
    assert generation is not None  # a finished stage has a result
    return generation


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return None
