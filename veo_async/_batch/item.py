"""One item of a batch, from its request to its outcome: generate, upscale, download.

Before each stage the journal is asked for its state, so a later run resumes where an earlier one
ended, however it ended.
"""

from __future__ import annotations

from pathlib import Path

import anyio

from .._events import EventContext
from .._journal.events import Event, Failed, Succeeded
from .._journal.journal import Journal
from .._journal.rows import FIRST, Row
from .._tracking.task import TrackedTask
from ..errors import GenerationFailedError, JournalError, VeoError
from ..events import Begun, Ended
from ..models import Generation, Outcome, VideoRequest
from . import resume
from .item_files import ItemFiles
from .item_resume import EarlierRuns
from .ledger import StageLedger
from .options import BatchDeps, Entry, Options
from .spending import SpendingGate
from .stages import SECOND, unexpected, upscaling


class ItemRunner:
    """Runs the items of one batch.

    Attributes:
        gate: lets the POSTs of all items pass.
        journal_error: an error of the journal, after which nothing more can be bought.
    """

    def __init__(self, deps: BatchDeps, options: Options, journal: Journal | None) -> None:
        self._deps = deps
        self._options = options
        self._journal = journal
        self._earlier = EarlierRuns(deps, journal) if journal else None
        folder = options.folder
        self._files = ItemFiles(deps, folder, journal, self._note_failure) if folder else None
        self.gate = SpendingGate(options.max_submissions)
        self.journal_error: JournalError | None = None

    async def run(self, entry: Entry) -> Outcome:
        """The outcome of an item. It raises nothing: an error is an outcome, too."""
        began, events = self._deps.runtime.wall_clock(), self._deps.events
        context = EventContext.of(entry.request, key=entry.key)
        if events:
            step = entry.item.step(FIRST)
            begun = Begun(at=began, request=entry.request, step=step, **context.subject())
            events.emit(begun)
        outcome = await self._outcome(entry)
        if events:
            end, at = outcome.result or outcome.error, events.now()
            subject = context.subject(getattr(end, "task_id", None))
            trace_id = getattr(end, "trace_id", None)
            ended = Ended(at=at, seconds=at - began, trace_id=trace_id, outcome=outcome, **subject)
            events.emit(ended)
        return outcome

    async def _outcome(self, entry: Entry) -> Outcome:
        results: dict[str, Generation] = {}
        files: list[Path] = []
        error: VeoError | None = None
        for step in (self._generate, self._save):
            try:
                await step(entry, results, files)
            except VeoError as exc:
                self._note_failure(exc)
                error = error or exc
            except Exception as exc:  # noqa: BLE001 - one item's fault must not lose the others'
                error = error or unexpected(exc)
        result = results.get(SECOND) or results.get(FIRST)
        outcome = Outcome(entry.key, entry.request, result, error, tuple(files))
        return await self._files.write_record(entry, outcome, results) if self._files else outcome

    def _note_failure(self, error: VeoError) -> None:
        """Remember an error that stops the whole batch; one that ended a resend is the cause of the
        item's error."""
        self.gate.notice(error)
        for stopping in (error, error.__cause__):
            if isinstance(stopping, JournalError):
                self.journal_error = self.journal_error or stopping

    async def _save(self, entry: Entry, results: dict[str, Generation], files: list[Path]) -> None:
        if self._files and results:
            await self._files.save(entry, results, files)

    # The stages that buy.

    async def _generate(self, entry: Entry, results: dict[str, Generation], _: list[Path]) -> None:
        if self._options.retry_failed and "failed" in map(entry.item.step, entry.item.stages):
            assert self._earlier is not None  # only a journal has failed stages of an earlier run
            await self._earlier.retry(entry)
        results[FIRST] = await self._buy(entry, FIRST, entry.request)
        if self._options.upscale and (wanted := upscaling(entry.request, results[FIRST])):
            results[SECOND] = await self._buy(entry, SECOND, wanted)

    async def _buy(self, entry: Entry, stage: str, request: VideoRequest) -> Generation:
        row, step = entry.item.stages.get(stage), entry.item.step(stage)
        ledger = StageLedger(
            self.gate,
            self._journal,
            entry.key,
            stage,
            wall_clock=self._deps.runtime.wall_clock,
            offset=lambda: self._deps.reconciler.offset,
            lost_since=(row.sent_at or row.at) if row and step == "reconcile" else None,
        )
        if row is None or self._earlier is None or step == "start":
            tracked = await self._submit(entry, row, request, ledger)
        elif step == "wait":
            tracked = self._earlier.wait(row, request)
        elif step == "reconcile":
            found = await self._earlier.find(entry, row, request, ledger)
            tracked = found or await self._submit(entry, row, request, ledger)
        else:
            return _known(row)
        return await self._await_end(entry, stage, tracked, ledger)

    async def _submit(
        self, entry: Entry, row: Row | None, request: VideoRequest, ledger: StageLedger
    ) -> TrackedTask:
        if self._earlier:  # so that this submit cannot adopt a task of theirs
            await self._earlier.own_since(self._deps.runtime.wall_clock())
        earlier_url = resume.own_callback(row) if row else None
        return await self._deps.submitter.submit(
            request,
            deadline=entry.deadline,
            begun=entry.posts,
            ledger=ledger,
            callback=self._deps.callback_router.claim(earlier_url),
            earlier_url=earlier_url,
            unproven=resume.uncertain_of(row) if row and ledger.is_unproven else None,
        )

    async def _await_end(
        self, entry: Entry, stage: str, tracked: TrackedTask, ledger: StageLedger
    ) -> Generation:
        left = max(entry.deadline - anyio.current_time(), 0.0)
        try:
            generation = await self._deps.submitter.wait(tracked, left)
        except GenerationFailedError as exc:
            self._note(Failed(entry.key, stage, exc))
            raise
        if not ledger.finished:
            self._note(Succeeded(entry.key, stage, generation))
        return generation

    def _note(self, end: Event) -> None:
        """Record the end of a task. Nothing waits for the write, since the service knows the end
        too; an error of the write is raised at the end of the batch."""
        if self._journal:
            self._journal.note(end, hurried=False)


def _known(row: Row) -> Generation:
    """The result of a stage that ended in an earlier run.

    Raises:
        VeoError: it was refused, or it failed.
    """
    generation, error = row.generation, row.error
    if error:
        raise error
    assert generation is not None  # a finished stage has a result
    return generation
