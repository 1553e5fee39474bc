"""The reconciler: searches the account's listing for lost submits.

One snapshot serves all lost submits, and one task takes snapshots exactly while a submit is lost. A
submit is judged, and its record is adopted, in one synchronous step, so no record is adopted twice.
Between such steps the event loop has its turn: ten thousand submits may be lost at once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import inf
from typing import TypeVar

from .._base.fingerprints import Fingerprints
from .._base.runtime import JUMP, Runtime
from .._base.signal import Signal
from .._base.worker import Worker
from .._tracking.task_list import TaskListClient
from .._wire.http import API
from ..callbacks._registry import CallbackHandle
from ..models import TaskRecord
from .accepted_log import AcceptedLog
from .comparison import normal_form
from .decision import (
    FIRST_SEARCH,
    Adopt,
    CannotTell,
    Case,
    Claim,
    Conclusion,
    Decision,
    SearchAgain,
    is_comparable,
    is_rival,
    judge_equal,
    judge_marked,
)
from .marks import mark_in
from .snapshot import Listed, ListingSnapshot
from .window import KEEP, AcceptedSubmit, LostSubmit, Way, lead_of, span_of

STEP = 100
"""Lost submits that are judged in one step of the event loop."""

T = TypeVar("T")

CLOSED = "the client was closed"


@dataclass(slots=True, eq=False)
class _Open:
    case: Case
    next_search: float
    adopted: Callable[[str], None] | None
    callback: CallbackHandle | None
    began: float
    # By how much the wall clock ran ahead of the event loop's.
    ahead: float
    decision: Conclusion | None = None
    done: Signal = field(default_factory=Signal)

    @property
    def lost(self) -> LostSubmit:
        return self.case.lost


class Reconciler:
    """The lost submits of one client."""

    def __init__(self, api: API, queries: TaskListClient, runtime: Runtime) -> None:
        self._api = api
        self._queries = queries
        self._runtime = runtime
        # The submits whose answers have not come: their records must not be given to a lost one.
        self._unanswered: dict[object, LostSubmit] = {}
        # The ways of submits that were answered with an id at once.
        self._at_once: set[Way] = set()
        self._accepted = AcceptedLog()
        # See `lead_of`; and whether to learn it.
        self._lead, self._asks_lead = 0.0, True
        self._older = Fingerprints()
        self._earlier: dict[str, AcceptedSubmit] = {}
        self._attached: dict[str, float] = {}
        self._open: dict[_Open, None] = {}
        self._snapshot: ListingSnapshot | None = None
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

    def accepted(self, submit: AcceptedSubmit, *, at_once: bool) -> None:
        """A submit of ours was accepted; ``at_once`` if the service was seen to store it before its
        video was ready."""
        if at_once:
            self._at_once.add(submit.way)
        self._accepted.add(submit)
        if self._snapshot:
            self._snapshot.own(submit)
        if not self._open:  # else the end of the search forgets
            self._forget()

    def attached(self, task_id: str) -> None:
        """A caller waits for this task by its id: no lost submit adopts it."""
        self._attached.pop(task_id, None)
        self._attached[task_id] = self._runtime.wall_clock()
        if not self._open:
            self._forget()

    def _forget(self) -> None:
        """Forget what no search needs any more."""
        oldest = now = self._runtime.wall_clock()
        first = next(iter(self._attached.values()), now)
        if not (first < now - KEEP or self._accepted.reaches_before(now - KEEP)):
            return
        # Never later than now: after a clock was set back, an earlier run's submit lies ahead.
        for lost in (*self._unanswered.values(), *(entry.lost for entry in self._open)):
            oldest = min(oldest, lost.begun)
        for task_id in self._accepted.forget_before(oldest - KEEP):
            self._older.add(task_id)
        for name in [name for name, at in self._attached.items() if at < oldest - KEEP]:
            del self._attached[name]

    def own(self, submits: Iterable[AcceptedSubmit]) -> None:
        """Add the tasks of earlier runs: no lost submit adopts one. They are kept for good, since
        the window of an earlier run's submit may lie far back."""
        self._earlier |= {submit.task_id: submit for submit in submits}

    def answered_at_once(self, ways: Iterable[Way | None]) -> None:
        """Add the ways of submits that were answered with an id at once in earlier runs."""
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
        now, ahead = _now(), self._ahead_of_loop()
        entry = _Open(Case(lost), now + FIRST_SEARCH, adopted, callback, now, ahead)
        self._open[entry] = None
        self._wake.set()
        self._searching.ensure()
        try:
            await entry.done.wait(until=deadline)
        finally:
            del self._open[entry]
        return entry.decision or CannotTell("the time to wait was over before the list could tell")

    def hint(self, callback: CallbackHandle) -> None:
        """A delivery came for a submit that may be lost: search now."""
        for entry in self._open:
            if entry.callback is callback:
                entry.next_search = _now()
                self._wake.set()

    async def _search_while_lost(self) -> None:
        while pending := [entry for entry in self._open if entry.decision is None]:
            self._wake.clear()
            first = min(entry.next_search for entry in pending)
            if first > _now():
                await self._wake.wait(until=first)
                continue
            try:
                await self._judge_all(pending, await self._read(pending))
            finally:
                self._snapshot = None
                self._forget()

    def _ahead_of_loop(self) -> float:
        return self._runtime.wall_clock() - _now()

    # Reading the list.

    async def _read(self, entries: list[_Open]) -> ListingSnapshot:
        """A snapshot for these lost submits."""
        # The offset of the query is also that of the judgement, whatever its answers show.
        at, offset = self._runtime.wall_clock(), self.offset
        for entry in entries:
            self._note_jump(entry)
        controls = [submit for submit in self._ours() if submit.is_control]
        span = span_of([entry.lost for entry in entries], controls, offset)
        await asyncio.sleep(0)
        self._snapshot = snapshot = ListingSnapshot(
            at=at,
            offset=offset,
            span=span,
            awaited=self._attached,
        )
        if self._asks_lead:
            await self._learn_from_own(offset)
        first, last = (moment + self._lead for moment in span)
        snapshot.complete = await self._queries.read_all(first, last, self._add)
        unseen = [entry for entry in entries if snapshot.proof_of(entry.lost) is None]
        await self._read_named(unseen)
        for step in _steps(self._ours()):
            snapshot.check(step)
            await asyncio.sleep(0)
        snapshot.disown(self._older.among)
        self._asks_lead |= snapshot.missing_since < inf
        return snapshot

    async def _learn_from_own(self, offset: float | None) -> None:
        """Learn whose list it is, and by which clock its records are timed, from a task of ours."""
        named = [one for one in self._ours() if one.task_id]
        tied = [one for one in named if lead_of(one, 0.0, offset) is not None]
        for own in (tied or named)[-1:]:
            if record := await self._queries.own_record(own.task_id):
                at, self._asks_lead = Listed.of(record).at, False
                lead = None if at is None else lead_of(own, at, offset)
                self._lead = self._lead if lead is None else lead

    def _note_jump(self, entry: _Open) -> None:
        """Note a jump of the wall clock since the last search for this submit."""
        ahead = self._ahead_of_loop()
        if abs(ahead - entry.ahead) > JUMP / 2:
            lost = entry.lost.after_jump(ahead - entry.ahead)
            entry.case, entry.ahead = replace(entry.case, lost=lost), ahead

    def _ours(self) -> tuple[AcceptedSubmit, ...]:
        return *self._earlier.values(), *self._accepted

    def _add(self, record: TaskRecord, *, is_listed: bool = True) -> None:
        task_id = str(record.id)
        owner = self._accepted.get(task_id) or self._earlier.get(task_id)
        assert self._snapshot is not None  # a search is under way
        self._snapshot.add(Listed.of(record, is_listed=is_listed, lead=self._lead), owner)

    async def _read_named(self, entries: Sequence[_Open]) -> None:
        """Read the records with these submits' trace ids, and those of the tasks that deliveries
        name, if their marks are the submits': anybody may have sent a delivery. A missing record
        proves nothing, and neither does one that was not asked for."""
        traces = {entry.lost.trace_id for entry in entries if entry.lost.trace_id}
        named = {
            entry.callback.claimed_task_id: entry.lost.mark
            for entry in entries
            if entry.callback and entry.callback.claimed_task_id and entry.lost.mark
        }
        traced = await self._queries.known(list(traces), by="trace_ids")
        for record in [*traced, *await self._queries.known(list(named))]:
            mark = mark_in((record.request or {}).get("callback_url"))
            if record.trace_id in traces or (mark and mark == named.get(str(record.id))):
                self._add(record, is_listed=False)

    # Judging what was read.

    async def _judge_all(self, entries: list[_Open], snapshot: ListingSnapshot) -> None:
        # A submit that is sent from now on has no record in this snapshot.
        unanswered = list(self._unanswered.values())
        rest: list[_Open] = []
        for step in _steps(entries):
            rest += [entry for entry in step if not self._is_proven(entry, snapshot)]
            await asyncio.sleep(0)
        equal: defaultdict[str, list[_Open]] = defaultdict(list)
        for step in _steps(rest):
            for entry in step:
                self._see(entry)
                if is_comparable(entry.lost, snapshot):
                    equal[normal_form(entry.lost.chosen)].append(entry)
                else:
                    self._settle(entry, *judge_marked(entry.case, snapshot))
            await asyncio.sleep(0)
        rivals = await self._rivals(unanswered, equal, snapshot) if equal else {}
        for wanted, alike in equal.items():
            entries = [entry for entry in alike if entry in self._open]
            cases = [entry.case for entry in entries]
            for part in _steps(judge_equal(cases, rivals.get(wanted, ()), snapshot)):
                for index, case, decision in filter(None, part):
                    self._settle(entries[index], case, decision)
                await asyncio.sleep(0)

    async def _rivals(
        self,
        unanswered: Iterable[LostSubmit],
        equal: Mapping[str, Iterable[_Open]],
        snapshot: ListingSnapshot,
    ) -> Mapping[str, Sequence[Claim]]:
        """The other submits of ours to which one of the equal records may belong, by request."""
        compared = {entry for alike in equal.values() for entry in alike}
        lost = [e.lost for e in self._open if e.decision is None and e not in compared]
        nameless = [submit for submit in self._accepted if not submit.task_id]
        found: defaultdict[str, list[Claim]] = defaultdict(list)
        claims: list[Claim] = [*unanswered, *lost, *nameless]
        for step in _steps(claims):
            for claim in step:
                wanted = normal_form(claim.chosen or {})
                if wanted in equal and is_rival(claim, snapshot):
                    found[wanted].append(claim)
            await asyncio.sleep(0)
        return found

    def _is_proven(self, entry: _Open, snapshot: ListingSnapshot) -> bool:
        """Whether a record is proven to be a submit's, which then adopts it."""
        proof = snapshot.proof_of(entry.lost)
        if proof and entry in self._open:  # else its caller left, so it adopts nothing
            self._conclude(entry, Adopt(proof.task_id), proof)
        return proof is not None

    def _see(self, entry: _Open) -> None:
        """Note what is known by now of the service's answers to such submits."""
        lost = entry.lost
        at_once = not lost.is_held and lost.way in self._at_once
        searched = None if lost.is_earlier else _now() - entry.began
        entry.case = Case(lost, at_once, entry.case.missed_at, searched)

    def _settle(self, entry: _Open, case: Case, decision: Decision) -> None:
        entry.case = case
        if isinstance(decision, SearchAgain):
            entry.next_search = _now() + decision.delay
        elif entry in self._open:
            self._conclude(entry, decision)

    def _conclude(self, entry: _Open, decision: Conclusion, proof: Listed | None = None) -> None:
        """The decision about a submit is final; ``proof`` is the record that it adopts as proven to
        be its own."""
        if isinstance(decision, Adopt):
            is_early = proof is not None and proof.is_pending and not entry.lost.is_held
            found = entry.lost.accepted_as(decision.task_id, proven=proof is not None)
            self.accepted(found, at_once=is_early)
            if entry.adopted:
                entry.adopted(decision.task_id)
        entry.decision = decision
        entry.done.set()

    def _search_failed(self, cause: BaseException) -> None:
        """No caller is left waiting, however the searching task ended."""
        if isinstance(cause, asyncio.CancelledError):
            reason = CLOSED if self._closed else "the search was cancelled"
        else:
            reason = f"the search itself failed ({cause!r})"
        for entry in self._open:
            entry.decision = entry.decision or CannotTell(reason)
            entry.done.set()

    async def aclose(self) -> None:
        """End the search; submits that are still lost stay uncertain."""
        self._closed = True
        await self._searching.aclose()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _steps(all_: Iterable[T]) -> Iterator[list[T]]:
    """All of these in portions that one step of the event loop may judge."""
    rest = iter(all_)
    while step := list(islice(rest, STEP)):
        yield step
