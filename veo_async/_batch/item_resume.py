"""Continues what earlier runs of a journal started: known tasks, and lost submits."""

from __future__ import annotations

from math import inf

import anyio

from .._events import EventContext
from .._journal.events import Accepted, Retried, Succeeded
from .._journal.journal import Journal
from .._journal.rows import Row
from .._journal.states import advance
from .._reconcile.decision import Absent, CannotTell
from .._reconcile.window import KEEP
from .._tracking.task import TrackedTask
from ..errors import GenerationFailedError, VeoError
from ..models import VideoRequest
from . import resume
from .ledger import StageLedger, ledger_name
from .options import BatchDeps, Entry
from .unrecorded import LedgerName


class EarlierRuns:
    """The stages that earlier runs of a journal started."""

    def __init__(self, deps: BatchDeps, journal: Journal) -> None:
        self._deps = deps
        self._journal = journal
        self._owned_since = inf
        self._lock = anyio.Lock()

    async def own_since(self, sent_at: float) -> None:
        """Register with the reconciler every task of the journal that was sent since a Unix time,
        so that no two items adopt the same task.

        A row that seems to be sent in the future is registered too: this machine's clock may have
        been set back. The reconciler knows the submits of this run without help.
        """
        first = sent_at - KEEP
        if first >= self._owned_since:  # nearly always; the lock would cost a turn of the loop
            return
        async with self._lock:
            if first >= self._owned_since:  # another item read it meanwhile
                return
            rows = await self._journal.sent_between(first, self._owned_since)
            receipts = [resume.receipt_of(row) for row in rows]
            self._deps.reconciler.own(receipt for receipt in receipts if receipt)
            self._deps.reconciler.answered_at_once(map(resume.answered_at_once, rows))
            self._owned_since = first

    async def current(self, entry: Entry, row: Row) -> Row:
        """The row with what this client knows beyond the journal, if the earlier run was its own.

        This client owns the task that it bought, so no search in the list would find it.
        """
        name = self._name_of(row)
        unsettled, unrecorded = self._deps.submitter.unsettled, self._deps.unrecorded
        post = unsettled.find(lambda ledger: getattr(ledger, "name", None) == name)
        if post:
            with anyio.move_on_after(max(entry.deadline - anyio.current_time(), 0.0)):
                await post.done.wait()
        known = unrecorded.get(name)
        if known is None or not known.is_about(row):
            return row
        self._journal.note(known.event)
        del unrecorded[name]
        if post:
            unsettled.taken_over(post)
        return advance(row, known.event, at=self._deps.runtime.wall_clock())

    def _name_of(self, row: Row) -> LedgerName:
        """The name of the ledger of this row's POST. The journal may have been renamed since."""
        find, unrecorded = self._deps.submitter.unsettled.find, self._deps.unrecorded
        name = ledger_name(self._journal, row.key, row.stage)
        if name in unrecorded or find(lambda ledger: getattr(ledger, "name", None) == name):
            return name
        alike = (other for other in unrecorded if other[1:] == name[1:])
        if other := next((other for other in alike if unrecorded[other].is_about(row)), None):
            return other
        intent = name[1:], row.sent_at
        moved = find(lambda ledger: getattr(ledger, "intent", None) == intent)
        found: LedgerName = getattr(moved.ledger, "name", name) if moved else name
        return found

    async def retry(self, entry: Entry) -> None:
        """Open a new attempt at each stage of an item that was refused or failed. Before a task is
        bought again, the service is asked about the failed one.

        Raises:
            VeoError: the end of a failed task is not known, after all.
        """
        for row in entry.item.stages.values():
            if row.state == "failed" and row.task_id:
                await self._ask_again(entry, row, row.task_id)
        entry.item = await self._journal.get(entry.key) or entry.item
        if "failed" in map(entry.item.step, entry.item.stages):
            await self._journal.record(Retried(entry.key))
            entry.item = await self._journal.get(entry.key) or entry.item

    async def _ask_again(self, entry: Entry, row: Row, task_id: str) -> None:
        """Wait for the end of a task that failed by the journal, and record it if it is another."""
        tracked = self.wait(row, row.request or entry.request)
        try:
            left = max(entry.deadline - anyio.current_time(), 0.0)
            generation = await self._deps.submitter.wait(tracked, left)
        except GenerationFailedError:
            return
        except VeoError:
            if tracked.state == "pending":
                at_once = bool(row.facts.get("at_once"))
                await self._journal.record(Accepted(row.key, row.stage, task_id, at_once))
            raise
        await self._journal.record(Succeeded(row.key, row.stage, generation))

    def wait(self, row: Row, request: VideoRequest) -> TrackedTask:
        """The task that the row names."""
        tracked = self._attach(row, request, row.task_id or "")
        self._deps.reconciler.attached(tracked.task_id)
        return tracked

    def _attach(self, row: Row, request: VideoRequest, task_id: str) -> TrackedTask:
        """The task of a row, polled at once and again when its callback comes."""
        router = self._deps.callback_router
        context = EventContext.of(request, key=row.key, sent_at=row.sent_at)
        tracked = self._deps.tracker.attach(task_id, context=context, failure=row.error)
        router.bind(router.claim(resume.own_callback(row)), tracked)
        return tracked

    async def find(
        self, entry: Entry, row: Row, request: VideoRequest, ledger: StageLedger
    ) -> TrackedTask | None:
        """The task of a submit whose outcome the journal does not know; ``None`` if it may be sent
        again, because it bought nothing or because the user accepts the risk.

        Raises:
            SubmissionUncertainError: the outcome cannot be determined.
        """
        deps = self._deps
        if deps.policy.on_uncertain == "raise":
            raise resume.uncertain_of(row)
        if deps.policy.on_uncertain == "resend":
            return None
        lost = resume.lost_in(
            row, now=deps.runtime.wall_clock(), submit_timeout=deps.policy.submit_timeout
        )
        await self.own_since(lost.begun)
        end = await deps.submitter.reconcile(
            lost,
            lambda task_id: self._attach(row, request, task_id),
            ledger=ledger,
            context=EventContext.of(request, key=row.key, sent_at=row.sent_at),
            callback=deps.callback_router.claim(resume.own_callback(row)),
            deadline=entry.deadline,
        )
        if isinstance(end, CannotTell):
            raise resume.uncertain_of(row, reason=end.reason)
        return None if isinstance(end, Absent) else end
