"""What earlier runs of a journal bought, or may have bought: known tasks, and lost submits."""

from __future__ import annotations

from math import inf

import anyio

from .._events import EventContext
from .._journal.journal import Journal
from .._journal.rows import Row
from .._reconcile.decision import Absent, Adopt, CannotTell
from .._reconcile.window import NEAR, WIDE
from .._tracking.task import TrackedTask
from ..models import VideoRequest
from . import resume
from .ledger import StageLedger
from .options import BatchDeps, Entry


class OwnedTasks:
    """Makes the tasks of a journal known to the reconciler, as far back as a lost submit needs it:
    no two items may be given one task."""

    def __init__(self, deps: BatchDeps, journal: Journal) -> None:
        self._deps = deps
        self._journal = journal
        self._since = inf
        self._lock = anyio.Lock()

    async def own_since(self, sent_at: float) -> None:
        """Own all that was sent since a Unix time, and what may be taken for it.

        A row that seems to be sent in the future is owned too: this machine's clock may have been
        set back since. The reconciler knows by itself what this run sends.
        """
        first = sent_at - WIDE - NEAR
        if first >= self._since:  # nearly always; the lock would cost a turn of the loop
            return
        async with self._lock:
            if first < self._since:  # else another item read it meanwhile
                await self._own(first, self._since)
                self._since = first

    async def _own(self, since: float, until: float) -> None:
        rows = await self._journal.sent_between(since, until)
        receipts = [resume.receipt_of(row) for row in rows]
        self._deps.reconciler.own(receipt for receipt in receipts if receipt)
        self._deps.reconciler.answered_at_once(map(resume.answered_at_once, rows))


class EarlierRuns:
    """Continues stages that an earlier run has begun."""

    def __init__(self, deps: BatchDeps, owned: OwnedTasks) -> None:
        self._deps = deps
        self._owned = owned

    def attach(self, row: Row, request: VideoRequest, task_id: str) -> TrackedTask:
        """The task of a row, polled at once and again when its callback comes."""
        router = self._deps.callback_router
        context = EventContext.of(request, key=row.key, sent_at=row.sent_at)
        tracked = self._deps.tracker.attach(task_id, context=context)
        router.bind(router.claim(resume.own_callback(row)), tracked)
        return tracked

    def wait(self, row: Row, request: VideoRequest) -> TrackedTask:
        """The task that the row names."""
        tracked = self.attach(row, request, row.task_id or "")
        self._deps.reconciler.attached(tracked.task_id)
        return tracked

    async def find(
        self, entry: Entry, row: Row, request: VideoRequest, ledger: StageLedger
    ) -> TrackedTask | None:
        """What became of a submit whose end the journal does not know; ``None`` if it may be sent
        again, since it bought nothing or since the user takes the risk.

        Raises:
            SubmissionUncertainError: nobody can tell.
        """
        deps = self._deps
        if tracked := await self._of_this_client(entry, row, ledger):
            return tracked
        if deps.policy.on_uncertain == "raise":
            raise resume.uncertain_of(row)
        if deps.policy.on_uncertain == "resend":
            return None
        lost = resume.lost_in(
            row, now=deps.runtime.wall_clock(), submit_timeout=deps.policy.submit_timeout
        )
        await self._owned.own_since(lost.begun)
        end = await deps.submitter.reconcile(
            lost,
            lambda task_id: self.attach(row, request, task_id),
            ledger=ledger,
            context=EventContext.of(request, key=row.key, sent_at=row.sent_at),
            callback=deps.callback_router.claim(lost.callback_url),
            deadline=entry.deadline,
        )
        if isinstance(end, CannotTell):
            raise resume.uncertain_of(row, reason=end.reason)
        return None if isinstance(end, Absent) else end

    async def _of_this_client(
        self, entry: Entry, row: Row, ledger: StageLedger
    ) -> TrackedTask | None:
        """The task, if the earlier run was this very client's: it has the POST itself, and owns
        the task, so nobody would find it in the list."""
        # Not what a journal that is gone knew of: in its place may be one with other requests.
        post = self._deps.submitter.unsettled.find(ledger.is_same, since=row.sent_at or 0.0)
        if post is None:
            return None
        with anyio.move_on_after(max(entry.deadline - anyio.current_time(), 0.0)):
            await post.done.wait()
        if post.tracked and post.tracked.task_id:  # a result without an id is recorded at its end
            ledger.reconciled(Adopt(post.tracked.task_id))
        return post.tracked
