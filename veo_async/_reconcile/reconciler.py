"""The reconciler: looks for lost submits in the account's task list.

One look serves all that are lost, and one task of ours looks exactly while something is. A record
is read, judged and given away in one synchronous step, so none is given away twice.
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
from ..callbacks._registry import CallbackHandle
from ..errors import APIError, VeoError
from ..models import TaskRecord
from .accepted_log import AcceptedLog
from .comparison import normalise
from .decision import (
    FIRST_LOOK,
    Adopt,
    CannotTell,
    Case,
    Conclusion,
    LookAgain,
    decide,
    inherit,
    search,
)
from .snapshot import ListingSnapshot, is_called, legacy, read_snapshot, with_adopted
from .window import NEAR, WIDE, LostSubmit, Receipt, precedence, window_of_all

MAX_PAGES = 400
"""How many pages of the list one look reads: 20,000 tasks within the window."""

KEEP = WIDE + NEAR
"""Seconds for which an accepted submit is kept as a control before the oldest one that is lost or
awaited: further than a look reaches back. Of older ones only a mark of the id is kept, for good, so
that none is ever given to a lost submit."""


CLOSED = "the client was closed"


@dataclass(slots=True, eq=False)
class _Open:
    case: Case
    next_look: float
    adopted: Callable[[str], None] | None
    callback: CallbackHandle | None
    decision: Conclusion | None = None
    over: Signal = field(default_factory=Signal)


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
        # Whether a submit was answered with an id at once: with a callback (True), without (False).
        self._at_once: set[bool] = set()
        self._receipts = AcceptedLog()
        self._older = Fingerprints()
        self._earlier: dict[str, Receipt] = {}
        self._attached: dict[str, float] = {}
        self._open: list[_Open] = []
        self._wake = Signal()
        self._looking = Worker(
            self._look_while_lost, "veo_async looks", on_failure=self._looking_failed
        )
        self._closed = False

    @property
    def offset(self) -> float | None:
        """By how many seconds the service's clock runs ahead, if it was seen."""
        return self._api.clock_offset

    def sent(self, key: object, lost: LostSubmit) -> None:
        """A POST was sent; until `answered` its record is taken for nobody else's."""
        self._unanswered[key] = lost

    def answered(self, key: object) -> None:
        """The POST is over."""
        self._unanswered.pop(key, None)

    def accepted(self, receipt: Receipt, *, at_once: bool, called_back: bool = False) -> None:
        """A submit of ours was accepted; ``at_once`` if only its id was answered, as was asked for,
        by a callback address of ours if it is ``called_back``."""
        if at_once:
            self._at_once.add(called_back)
        self._receipts.add(receipt)
        if self._receipts.reaches_before(self._runtime.wall_clock() - KEEP):
            for task_id in self._receipts.forget_before(self._oldest()):
                self._older.add(task_id)

    def attached(self, task_id: str) -> None:
        """Somebody waits for this task by its id: it is not given to a lost submit."""
        self._attached.pop(task_id, None)
        self._attached[task_id] = self._runtime.wall_clock()
        oldest = self._oldest()
        while self._attached[first := next(iter(self._attached))] < oldest:
            del self._attached[first]

    def _oldest(self) -> float:
        """What is older than this is needed no more."""
        sought = [entry.case.lost for entry in self._open]
        times = (lost.begun for lost in (*sought, *self._unanswered.values()))
        # Never of now: a clock that was set back since puts an earlier run's submit in the future.
        return min((self._runtime.wall_clock(), *times)) - KEEP

    def own(self, receipts: Iterable[Receipt]) -> None:
        """Tasks that earlier runs bought: none is given to a lost submit. They are kept for good,
        since the window of an earlier run's submit may lie far back."""
        self._earlier |= {receipt.task_id: receipt for receipt in receipts}

    def answered_at_once(self, ways: Iterable[bool | None]) -> None:
        """Earlier runs were answered with an id at once, in these ways: see `accepted`."""
        self._at_once.update(way for way in ways if way is not None)

    async def resolve(
        self,
        lost: LostSubmit,
        *,
        deadline: float,
        adopted: Callable[[str], None] | None = None,
        callback: CallbackHandle | None = None,
    ) -> Conclusion:
        """What became of a lost submit: `Adopt`, `Absent` or `CannotTell`.

        ``deadline`` is in monotonic seconds. ``adopted`` is told the task's id in the very step in
        which it is given away, so that it is known whether or not the caller stays for it.
        ``callback`` is its callback: a task that a delivery speaks of is looked at.
        """
        if self._closed:
            return CannotTell(CLOSED)
        ended = min(
            lost.ended, self._runtime.wall_clock()
        )  # this clock may have been set back since
        entry = _Open(Case(lost), ended + FIRST_LOOK, adopted, callback)
        self._open.append(entry)
        self._wake.set()
        self._looking.ensure()
        try:
            await entry.over.wait(until=deadline)
        finally:
            self._open.remove(entry)
        return entry.decision or CannotTell("the time to wait was over before the list could tell")

    def hint(self, callback: CallbackHandle) -> None:
        """A delivery came for a submit that is perhaps lost: look now."""
        for entry in self._open:
            if entry.callback is callback:
                entry.next_look = self._runtime.wall_clock()
                self._wake.set()

    async def _look_while_lost(self) -> None:
        while pending := [entry for entry in self._open if entry.decision is None]:
            self._wake.clear()
            pause = min(entry.next_look for entry in pending) - self._runtime.wall_clock()
            if pause > 0:
                await self._wake.wait(until=asyncio.get_running_loop().time() + pause)
                continue
            await self._look(pending)

    async def _look(self, entries: list[_Open]) -> None:
        # What is judged is what was asked for, whatever the answers say of the clock.
        at, offset = self._runtime.wall_clock(), self.offset
        lost = [entry.case.lost for entry in entries]
        span = window_of_all(lost, self._ours(), offset)
        traced = await self._read_traces([one.trace_id for one in lost if one.trace_id])
        called = await self._read_called(entries)
        listed, complete = await self._read_list(span)
        records = [*traced, *called, *listed]
        stored = [(record, normalise(record.request or {})) for record in records]
        # From here to the end nothing is awaited: what is given away is ours for the next entry.
        look = read_snapshot(
            stored,
            self._ours(),
            at=at,
            offset=offset,
            complete=complete,
            span=span,
            under_way=tuple(self._unanswered.values()),
            owned=self._owned({record.id for record, _ in stored if record.id}),
        )
        for entry in sorted(entries, key=lambda entry: precedence(entry.case.lost)):
            if entry in self._open:  # else its caller is gone, so nothing is given to it
                look = self._judge(entry, look)

    def _judge(self, entry: _Open, look: ListingSnapshot) -> ListingSnapshot:
        """Decide about one entry; returns what the others are to see."""
        lost = entry.case.lost
        sight = search(lost, look)
        entry.case, decision = decide(
            entry.case,
            sight,
            at=look.at,
            honours_async=bool(lost.callback_url) in self._at_once,
            offset=look.offset,
        )
        if isinstance(decision, LookAgain):
            entry.next_look = decision.at
            return look
        if isinstance(decision, Adopt):
            if left := legacy(lost, decision.task_id, look):
                for other in self._open:
                    if other is not entry:
                        other.case = inherit(other.case, left, look)
            receipt = Receipt(
                decision.task_id, lost.chosen, lost.begun, lost.ended, lost.offset, answered=False
            )
            self.accepted(receipt, at_once=False)
            look = with_adopted(look, decision.task_id)
            if entry.adopted:
                entry.adopted(decision.task_id)
        entry.decision = decision
        entry.over.set()
        return look

    def _owned(self, ids: set[str]) -> frozenset[str]:
        """Which of these tasks are ours, although nothing but their id is known any more."""
        return self._older.among(ids) | ids.intersection(self._attached)

    def _ours(self) -> tuple[Receipt, ...]:
        return *self._earlier.values(), *self._receipts

    async def _read_traces(self, traces: list[str], by: By = "trace_ids") -> list[TaskRecord]:
        """The records with these trace ids. That there is none proves nothing."""
        try:
            return await self._queries.many(traces, by=by)
        except APIError as error:
            if len(traces) == 1 or error.status_code not in (400, 404):
                return []
        except VeoError:
            return []
        # Where the service refuses all for an unknown one, the others are asked for apart.
        half = len(traces) // 2
        return [
            *await self._read_traces(traces[:half], by),
            *await self._read_traces(traces[half:], by),
        ]

    async def _read_called(self, entries: list[_Open]) -> list[TaskRecord]:
        """The records of the tasks that deliveries speak of, as far as these are the lost
        submits'. Anybody may have sent a delivery, so it is the record that proves it."""
        said = {
            entry.callback.claimed_task_id: entry.case.lost
            for entry in entries
            if entry.callback and entry.callback.claimed_task_id
        }
        records = await self._read_traces(list(said), "ids")
        return [
            record for record in records if record.id in said and is_called(record, said[record.id])
        ]

    async def _read_list(self, span: tuple[float, float]) -> tuple[list[TaskRecord], bool]:
        """The records of these times, and whether these are all."""
        records: list[TaskRecord] = []
        pages, complete = 0, True
        try:
            async for page in self._queries.pages(created_at_min=span[0], created_at_max=span[1]):
                records += page.records
                complete = complete and page.is_readable
                pages += 1
                if pages == MAX_PAGES:
                    return records, False
        except VeoError:
            return records, False
        return records, complete

    def _looking_failed(self, cause: BaseException) -> None:
        """Whatever ended the looking, nobody is left waiting for it."""
        if isinstance(cause, asyncio.CancelledError):
            reason = CLOSED if self._closed else "the looking was cancelled"
        else:
            reason = f"the looking itself failed ({cause!r})"
        for entry in self._open:
            entry.decision = entry.decision or CannotTell(reason)
            entry.over.set()

    async def aclose(self) -> None:
        """End the looking; what is still lost stays uncertain."""
        self._closed = True
        await self._looking.aclose()
