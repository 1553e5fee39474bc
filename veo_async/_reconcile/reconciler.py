"""The reconciler: searches the account's listing for lost submits.

One snapshot serves all lost submits, and one task takes snapshots exactly while a submit is lost. A
record is read, judged and adopted in one synchronous step, so none is adopted twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .._base.fingerprints import Fingerprints
from .._base.runtime import Runtime
from .._base.signal import Signal
from .._base.worker import Worker
from .._tracking.task_list import TaskListClient
from .._wire.http import API
from .._wire.requests import By
from .._wire.task_queries import Listing
from ..callbacks._registry import CallbackHandle
from ..errors import APIError, VeoError
from ..models import TaskRecord
from .accepted_log import AcceptedLog
from .comparison import normalise
from .decision import (
    FIRST_SEARCH,
    Adopt,
    CannotTell,
    Case,
    Conclusion,
    SearchAgain,
    decide,
    inherit,
    search,
)
from .snapshot import ListingSnapshot, has_mark, legacy, read_snapshot, with_adopted
from .window import NEAR, WIDE, AcceptedSubmit, LostSubmit, precedence, window_of_all

MAX_PAGES = 400
"""Pages of the listing that one snapshot reads: 20,000 tasks within the window."""

KEEP = WIDE + NEAR
"""Seconds before the oldest lost or awaited submit for which accepted ones are kept as controls:
further than a snapshot reaches back. Of older ones only a fingerprint of the id is kept, for good,
so that their records are never adopted."""

CLOSED = "the client was closed"


@dataclass(slots=True, eq=False)
class _Open:
    case: Case
    next_search: float
    adopted: Callable[[str], None] | None
    callback: CallbackHandle | None
    decision: Conclusion | None = None
    done: Signal = field(default_factory=Signal)


class Reconciler:
    """The lost submits of one client."""

    def __init__(
        self,
        api: API,
        queries: TaskListClient,
        runtime: Runtime,
    ) -> None:
        self._api = api
        self._queries = queries
        self._runtime = runtime
        # The submits whose answers have not come: their records must not be given to a lost one.
        self._unanswered: dict[object, LostSubmit] = {}
        # The ways of submits that were answered with an id at once: True is with a callback.
        self._at_once: set[bool] = set()
        self._accepted = AcceptedLog()
        self._older = Fingerprints()
        self._earlier: dict[str, AcceptedSubmit] = {}
        self._attached: dict[str, float] = {}
        self._open: list[_Open] = []
        self._wake = Signal()
        self._searching = Worker(
            self._search_while_lost, "veo_async reconciler", on_failure=self._search_failed
        )
        self._closed = False

    @property
    def offset(self) -> float | None:
        """Seconds by which the service's clock runs ahead; ``None`` while it was never seen."""
        return self._api.clock_offset

    def sent(self, key: object, lost: LostSubmit) -> None:
        """A POST was sent; until `answered` its record is taken for nobody else's."""
        self._unanswered[key] = lost

    def answered(self, key: object) -> None:
        """The POST is over."""
        self._unanswered.pop(key, None)

    def accepted(self, submit: AcceptedSubmit, *, at_once: bool, called_back: bool = False) -> None:
        """A submit of ours was accepted; ``at_once`` if the answer was its id alone, as requested,
        with a callback address of ours if it is ``called_back``."""
        if at_once:
            self._at_once.add(called_back)
        self._accepted.add(submit)
        if self._accepted.reaches_before(self._runtime.wall_clock() - KEEP):
            for task_id in self._accepted.forget_before(self._oldest()):
                self._older.add(task_id)

    def attached(self, task_id: str) -> None:
        """A caller waits for this task by its id: no lost submit adopts it."""
        self._attached.pop(task_id, None)
        self._attached[task_id] = self._runtime.wall_clock()
        oldest = self._oldest()
        while self._attached[first := next(iter(self._attached))] < oldest:
            del self._attached[first]

    def _oldest(self) -> float:
        """The time before which accepted submits are not needed."""
        sought = [entry.case.lost for entry in self._open]
        times = (lost.begun for lost in (*sought, *self._unanswered.values()))
        # Never later than now: after a clock was set back, an earlier run's submit lies ahead.
        return min((self._runtime.wall_clock(), *times)) - KEEP

    def own(self, submits: Iterable[AcceptedSubmit]) -> None:
        """Add the tasks of earlier runs: no lost submit adopts one. They are kept for good, since
        the window of an earlier run's submit may lie far back."""
        self._earlier |= {submit.task_id: submit for submit in submits}

    def answered_at_once(self, ways: Iterable[bool | None]) -> None:
        """Add the ways in which earlier runs were answered with an id at once: see `accepted`."""
        self._at_once.update(way for way in ways if way is not None)

    async def resolve(
        self,
        lost: LostSubmit,
        *,
        deadline: float,
        adopted: Callable[[str], None] | None = None,
        callback: CallbackHandle | None = None,
    ) -> Conclusion:
        """Search for a lost submit until there is a conclusion: `Adopt`, `Absent` or `CannotTell`.

        ``deadline`` is in monotonic seconds. ``adopted`` is called with the task's id in the very
        step of the adoption, so that the id is known even if the caller is cancelled meanwhile.
        ``callback`` is the submit's handle: a task that a delivery names is retrieved.
        """
        if self._closed:
            return CannotTell(CLOSED)
        # This machine's clock may have been set back since.
        ended = min(lost.ended, self._runtime.wall_clock())
        entry = _Open(Case(lost), ended + FIRST_SEARCH, adopted, callback)
        self._open.append(entry)
        self._wake.set()
        self._searching.ensure()
        try:
            await entry.done.wait(until=deadline)
        finally:
            self._open.remove(entry)
        return entry.decision or CannotTell("the time to wait was over before the list could tell")

    def hint(self, callback: CallbackHandle) -> None:
        """A delivery came for a submit that may be lost: search now."""
        for entry in self._open:
            if entry.callback is callback:
                entry.next_search = self._runtime.wall_clock()
                self._wake.set()

    async def _search_while_lost(self) -> None:
        while pending := [entry for entry in self._open if entry.decision is None]:
            self._wake.clear()
            pause = min(entry.next_search for entry in pending) - self._runtime.wall_clock()
            if pause > 0:
                await self._wake.wait(until=asyncio.get_running_loop().time() + pause)
                continue
            await self._search_all(pending)

    async def _search_all(self, entries: list[_Open]) -> None:
        # The offset of the query is also that of the judgement, whatever its answers show.
        at, offset = self._runtime.wall_clock(), self.offset
        lost = [entry.case.lost for entry in entries]
        span = window_of_all(lost, self._ours(), offset)
        traced = await self._read_traces([one.trace_id for one in lost if one.trace_id])
        named = await self._read_named(entries)
        listed, complete = await self._read_list(span)
        records = [*traced, *named, *listed]
        stored = [(record, normalise(record.request or {})) for record in records]
        # Nothing is awaited from here to the end, so a record that one entry adopts is owned for
        # the next.
        snapshot = read_snapshot(
            stored,
            self._ours(),
            at=at,
            offset=offset,
            complete=complete,
            span=span,
            under_way=tuple(self._unanswered.values()),
            owned=self._older.among({record.id for record, _ in stored if record.id}),
            awaited=self._attached,
        )
        for entry in sorted(entries, key=lambda entry: precedence(entry.case.lost)):
            if entry in self._open:  # else its caller left, so it adopts nothing
                snapshot = self._judge(entry, snapshot)

    def _judge(self, entry: _Open, snapshot: ListingSnapshot) -> ListingSnapshot:
        """Decide about one entry; returns the snapshot for the others."""
        lost = entry.case.lost
        sight = search(lost, snapshot)
        entry.case, decision = decide(
            entry.case,
            sight,
            at=snapshot.at,
            honours_async=bool(lost.callback_url) in self._at_once,
            offset=snapshot.offset,
        )
        if isinstance(decision, SearchAgain):
            entry.next_search = decision.at
            return snapshot
        if isinstance(decision, Adopt):
            if left := legacy(lost, decision.task_id, snapshot):
                for other in self._open:
                    if other is not entry:
                        other.case = inherit(other.case, left, snapshot)
            found = AcceptedSubmit(
                decision.task_id, lost.chosen, lost.begun, lost.ended, lost.offset, answered=False
            )
            self.accepted(found, at_once=False)
            snapshot = with_adopted(snapshot, decision.task_id)
            if entry.adopted:
                entry.adopted(decision.task_id)
        entry.decision = decision
        entry.done.set()
        return snapshot

    def _ours(self) -> tuple[AcceptedSubmit, ...]:
        return *self._earlier.values(), *self._accepted

    async def _read_traces(self, traces: list[str], by: By = "trace_ids") -> list[TaskRecord]:
        """The records with these trace ids. A missing one proves nothing, and neither does one
        that was not asked for."""
        try:
            found = await self._queries.many(traces, by=by)
            return [
                record
                for record in found
                if (record.trace_id if by == "trace_ids" else record.id) in traces
            ]
        except APIError as error:
            if len(traces) == 1 or error.status_code not in (400, 404):
                return []
        except VeoError:
            return []
        # The service may refuse the whole query for one unknown id, so it is bisected.
        half = len(traces) // 2
        return [
            *await self._read_traces(traces[:half], by),
            *await self._read_traces(traces[half:], by),
        ]

    async def _read_named(self, entries: list[_Open]) -> list[TaskRecord]:
        """The records of the tasks that deliveries name, if their marks are the lost submits'.
        Anybody may have sent a delivery, so only the record's own mark proves it."""
        named = {
            entry.callback.claimed_task_id: entry.case.lost
            for entry in entries
            if entry.callback and entry.callback.claimed_task_id
        }
        records = await self._read_traces(list(named), "ids")
        return [
            record
            for record in records
            if record.id in named and has_mark(record, named[record.id])
        ]

    async def _read_list(self, span: tuple[float, float]) -> tuple[list[TaskRecord], bool]:
        """The records of these times, and whether they are complete."""
        records: list[TaskRecord] = []
        listing, pages = Listing(), 0
        pages_of_span = self._queries.pages(listing, created_at_min=span[0], created_at_max=span[1])
        try:
            async for page in pages_of_span:
                records += page
                pages += 1
                if pages == MAX_PAGES:
                    return records, False
        except VeoError:
            return records, False
        return records, listing.is_complete

    def _search_failed(self, cause: BaseException) -> None:
        """No caller is left waiting, however the searching task ended."""
        if isinstance(cause, asyncio.CancelledError):
            reason = CLOSED if self._closed else "the looking was cancelled"
        else:
            reason = f"the looking itself failed ({cause!r})"
        for entry in self._open:
            entry.decision = entry.decision or CannotTell(reason)
            entry.done.set()

    async def aclose(self) -> None:
        """End the search; submits that are still lost stay uncertain."""
        self._closed = True
        await self._searching.aclose()
