"""The law of lost submits against a model that knows the truth.

The model is a service and a client in one account with others. The service accepts what it is sent,
now or up to half a minute after the connection was given up; it keeps marks or strips them, stores
prompts whole or truncated, shows requests or hides them, and lists tasks at once, late or never.
The client loses answers, is killed and starts again, and searches at any time in the same steps as
`Reconciler`; anything may happen between the reading of the list and the judgement.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from veo_async._reconcile.comparison import normal_form
from veo_async._reconcile.decision import (
    LONGEST_GENERATION,
    Absent,
    Adopt,
    CannotTell,
    Case,
    Claim,
    Decision,
    is_comparable,
    is_rival,
    judge_equal,
    judge_marked,
)
from veo_async._reconcile.marks import mark_in
from veo_async._reconcile.snapshot import Listed, ListingSnapshot
from veo_async._reconcile.window import EARLY, GRACE, AcceptedSubmit, Kind, LostSubmit, span_of
from veo_async.models import TaskRecord

T0 = 1_753_435_158.0
TIMEOUT = 600.0
LONG = "a very long story of a mug and a cup"
ACTIONS = ("text2video", "image2video")
# Most submits are equal: that is where records may be confused.
prompts = st.sampled_from(["a mug", "a mug", "a mug", LONG])
actions = st.sampled_from([*ACTIONS, *ACTIONS[:1] * 3])


def address(number: int) -> str:
    """A callback address with a mark."""
    return f"https://api.acedata.cloud/health?ref=00000000-0000-4000-8000-{number:012}"


@dataclass(eq=False)
class Sent:
    """A submit: what it chose, when it began and ended, and the task that it truly became."""

    chosen: dict[str, Any]
    begun: float
    offset: float | None
    url: str | None
    is_held: bool
    ended: float = inf
    task: Task | None = None
    case: Case | None = None
    end: str = "open"

    @property
    def lost(self) -> LostSubmit:
        """It, as the reconciler knows it while its answer has not come or is lost."""
        if self.case:
            return self.case.lost
        return LostSubmit(
            self.chosen,
            self.begun,
            self.ended,
            offset=self.offset,
            mark=mark_in(self.url),
            is_held=self.is_held,
        )

    @property
    def kind(self) -> Kind:
        """See `Kind`."""
        return self.lost.kind


@dataclass(eq=False)
class Task:
    """A task of the service, and its record."""

    task_id: str
    record: TaskRecord
    listed_from: float
    of: Sent | None


@dataclass
class World:
    """The behaviour of the service, and the way in which the client sends."""

    skew: float
    lag: float
    marks: str
    strips: frozenset[str]
    honours_async: bool
    is_shown: bool
    holds: bool
    cuts: bool


worlds = st.builds(
    World,
    skew=st.sampled_from([0.0, -600.0, 600.0]),
    lag=st.sampled_from([0.0, 5.0, 60.0]),
    marks=st.sampled_from(["all", "some", "none"]),
    strips=st.sampled_from([frozenset[str](), frozenset(ACTIONS[:1]), frozenset(ACTIONS)]),
    honours_async=st.booleans(),
    is_shown=st.sampled_from([True, True, True, False]),
    holds=st.booleans(),
    cuts=st.booleans(),
)


class Adoption(RuleBasedStateMachine):
    """Submits of ours and of others, in one account."""

    @initialize(world=worlds)
    def begin(self, world: World) -> None:
        self.world = world
        self.now = T0
        self.offset: float | None = None
        self.tasks: list[Task] = []
        self.sent: list[Sent] = []
        self.owned: dict[str, Sent] = {}
        self.receipts: list[AcceptedSubmit] = []
        self.at_once: set[bool] = set()
        self.snapshot: ListingSnapshot | None = None
        self.searched: list[Sent] = []

    # What happens.

    @rule(
        prompt=prompts,
        action=actions,
        held=st.booleans(),
        marked=st.booleans(),
    )
    def send(self, prompt: str, action: str, held: bool, marked: bool) -> None:
        held = held and self.world.holds
        marked = not held and (self.world.marks == "all" or (marked and self.world.marks == "some"))
        chosen = {"action": action, "prompt": prompt}
        url = address(len(self.sent)) if marked else None
        self.sent.append(Sent(chosen, self.now, self.offset, url, held))

    @rule(data=st.data(), bare=st.sampled_from([False, False, False, True]))
    @precondition(lambda self: self.acceptable())
    def accept(self, data: st.DataObject, bare: bool) -> None:
        sent = data.draw(st.sampled_from(self.acceptable()))
        is_slow = sent.is_held or not (sent.url or self.world.honours_async)
        lag = self.world.lag + (400.0 if is_slow else 0.0)
        sent.task = self.create(sent.chosen, sent.url, lag=lag, of=sent, bare=bare)

    @rule(data=st.data(), named=st.sampled_from([True, True, True, False]))
    @precondition(lambda self: self.answerable())
    def answer(self, data: st.DataObject, named: bool) -> None:
        sent = data.draw(st.sampled_from(self.answerable()))
        assert sent.task
        sent.ended, sent.end = self.now, "answered"
        self.offset = self.world.skew
        is_marked = sent.url is not None
        if not sent.is_held and (is_marked or self.world.honours_async):
            self.at_once.add(is_marked)
            named = True
        self.own(sent, sent.task.task_id if named else "", proven=True)

    @rule(data=st.data(), traced=st.sampled_from(["no", "truly", "by a gateway"]))
    @precondition(lambda self: self.ending("open"))
    def lose(self, data: st.DataObject, traced: str) -> None:
        sent = data.draw(st.sampled_from(self.ending("open")))
        sent.ended, sent.end = self.now, "lost"
        trace = None if traced == "no" else "gateway"
        if traced == "truly" and sent.task:
            trace = f"trace of {sent.task.task_id}"
        sent.case = Case(replace(sent.lost, trace_id=trace))

    @rule(data=st.data())
    @precondition(lambda self: self.ending("open"))
    def refuse(self, data: st.DataObject) -> None:
        unaccepted = [sent for sent in self.ending("open") if not sent.task]
        if unaccepted:
            sent = data.draw(st.sampled_from(unaccepted))
            sent.ended, sent.end = self.now, "refused"

    @rule(data=st.data())
    @precondition(lambda self: self.ending("lost"))
    def leave(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.ending("lost"))).end = "told"

    @rule()
    def restart(self) -> None:
        """The process is killed, and the next one asks for all that is open."""
        for sent in self.ending("open"):
            sent.ended, sent.end = self.now, "lost"
            ended = min(self.now, sent.begun + EARLY + TIMEOUT)
            sent.case = Case(replace(sent.lost, ended=ended))
        for sent in self.ending("lost"):
            sent.case = Case(replace(sent.lost, asked=self.now))
        # The journal keeps what has an id.
        self.receipts = [submit for submit in self.receipts if submit.task_id]
        self.offset, self.snapshot = None, None

    @rule(prompt=prompts, action=actions, marked=st.booleans())
    def somebody_else_buys(self, prompt: str, action: str, marked: bool) -> None:
        """The same as we do, if whose it is can be known at all: where marks are kept, and the
        record or each of ours has one. Else something of their own."""
        world = self.world
        is_told_apart = not world.strips and (marked or (world.marks == "all" and not world.holds))
        chosen = {"action": action, "prompt": prompt if is_told_apart else "snow"}
        url = address(10**6 + len(self.tasks)) if marked else None
        self.create(chosen, url, lag=world.lag)

    @rule(seconds=st.sampled_from([0.5, 5.0, 31.0, 61.0, 130.0, 700.0, 2000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(complete=st.sampled_from([True, True, True, False]))
    @precondition(lambda self: self.ending("lost") and self.snapshot is None)
    def read(self, complete: bool) -> None:
        """One reading for all that are lost."""
        self.searched = self.ending("lost")
        controls = [submit for submit in self.receipts if submit.is_control]
        span = span_of([sent.lost for sent in self.searched], controls, self.offset)
        self.snapshot = ListingSnapshot(at=self.now, offset=self.offset, span=span)
        self.snapshot.complete = complete
        owners = {submit.task_id: submit for submit in self.receipts}
        traces = {sent.lost.trace_id for sent in self.searched}
        for task in self.tasks if self.world.is_shown else ():
            at = task.record.created_at
            assert at
            if task.listed_from <= self.now and span[0] <= at.timestamp() <= span[1]:
                self.snapshot.add(Listed.of(task.record), owners.get(task.task_id))
        for task in self.tasks:
            if task.record.trace_id in traces:
                found = Listed.of(task.record, is_listed=False)
                self.snapshot.add(found, owners.get(task.task_id))
        self.snapshot.check(self.receipts)
        self.offset = self.world.skew

    @rule()
    @precondition(lambda self: self.snapshot is not None)
    def judge(self) -> None:
        """As `Reconciler._judge_all` does."""
        assert self.snapshot
        snapshot, self.snapshot = self.snapshot, None
        equal: defaultdict[str, list[Sent]] = defaultdict(list)
        for sent in [sent for sent in self.searched if sent.end == "lost"]:
            proof = snapshot.proof_of(sent.lost)
            if proof:
                self.adopt(sent, proof.task_id, snapshot, proven=True)
                continue
            assert sent.case
            at_once = not sent.is_held and (sent.url is not None) in self.at_once
            sent.case = replace(sent.case, at_once=at_once)
            if is_comparable(sent.lost, snapshot):
                equal[normal_form(sent.chosen)].append(sent)
            else:
                self.settle(sent, *judge_marked(sent.case, snapshot), snapshot)
        rivals = self.rivals(equal, snapshot)
        for wanted, alike in equal.items():
            cases = [sent.case for sent in alike if sent.case]
            for index, case, decision in filter(None, judge_equal(cases, rivals[wanted], snapshot)):
                self.settle(alike[index], case, decision, snapshot)

    def rivals(
        self, equal: dict[str, list[Sent]], snapshot: ListingSnapshot
    ) -> defaultdict[str, list[Claim]]:
        compared = {sent for alike in equal.values() for sent in alike}
        claims: list[Claim] = [sent.lost for sent in self.ending("open")]
        claims += [sent.lost for sent in self.ending("lost") if sent not in compared]
        claims += [submit for submit in self.receipts if not submit.task_id]
        found: defaultdict[str, list[Claim]] = defaultdict(list)
        for claim in claims:
            if is_rival(claim, snapshot):
                found[normal_form(claim.chosen or {})].append(claim)
        return found

    # What follows.

    def settle(self, sent: Sent, case: Case, decision: Decision, snapshot: ListingSnapshot) -> None:
        sent.case = case
        if isinstance(decision, Adopt):
            self.adopt(sent, decision.task_id, snapshot, proven=False)
        elif isinstance(decision, Absent):
            sent.end = "absent"
        elif isinstance(decision, CannotTell):
            assert not self.shows_mark_of(sent), "its mark is in the list"
            sent.end = "told"

    def adopt(self, sent: Sent, task_id: str, snapshot: ListingSnapshot, *, proven: bool) -> None:
        (task,) = [task for task in self.tasks if task.task_id == task_id]
        assert task_id not in self.owned, "adopted twice"
        assert task.of, "the task of somebody else"
        assert task.of.chosen == sent.chosen, "the task of another request"
        assert not proven or task.of is sent, "the proof of another one"
        assert task.of is sent or task.of.end != "open", "an open POST may be about to hear of it"
        sent.end = "adopted"
        self.own(sent, task_id, proven=proven, snapshot=snapshot)

    def own(
        self, sent: Sent, task_id: str, *, proven: bool, snapshot: ListingSnapshot | None = None
    ) -> None:
        submit = AcceptedSubmit(
            task_id,
            sent.kind,
            sent.begun,
            sent.ended,
            sent.offset,
            mark_in(sent.url),
            proven,
            None if task_id else sent.chosen,
        )
        self.receipts.append(submit)
        if task_id:
            self.owned[task_id] = sent
        else:
            sent.end = "nameless"
        for seen in filter(None, (snapshot, self.snapshot)):
            seen.own(submit)

    @invariant()
    def what_was_bought_is_owned_or_looked_for_or_told(self) -> None:
        """So nothing that was bought is ever sent again."""
        bought: defaultdict[str, int] = defaultdict(int)
        for task in self.tasks:
            if task.of and task.task_id not in self.owned:
                bought[normal_form(task.of.chosen)] += 1
        for wanted, number in bought.items():
            ours = [sent for sent in self.sent if normal_form(sent.chosen) == wanted]
            open_ends = [s for s in ours if s.end in ("open", "lost", "told", "nameless")]

            assert number <= len(open_ends), "sent again"

    def teardown(self) -> None:
        """Everything comes to an end within the longest patience, once each answer is there."""
        if not hasattr(self, "now"):
            return
        for sent in self.ending("open"):
            sent.ended, sent.end = self.now, "lost"
            sent.case = Case(sent.lost)
        for _ in range(40):
            self.now += GRACE + LONGEST_GENERATION / 20
            if self.snapshot:
                self.judge()
            if self.ending("lost"):
                self.read(complete=True)
                self.judge()
                self.what_was_bought_is_owned_or_looked_for_or_told()

        assert not self.ending("lost")

    # What the model knows.

    def ending(self, end: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.end == end]

    def shows_mark_of(self, sent: Sent) -> bool:
        request = sent.task.record.request if sent.task else None
        return bool(request and request.get("callback_url")) and self.world.is_shown

    def acceptable(self) -> list[Sent]:
        return [
            sent
            for sent in self.sent
            if sent.task is None
            and sent.end != "refused"
            and self.now <= min(sent.ended, sent.begun + TIMEOUT) + GRACE
        ]

    def answerable(self) -> list[Sent]:
        """An answer is held until the video is ready."""
        return [
            sent
            for sent in self.ending("open")
            if sent.task and sent.task.listed_from - self.world.lag <= self.now
        ]

    def create(
        self,
        chosen: dict[str, Any],
        url: str | None,
        *,
        lag: float,
        of: Sent | None = None,
        bare: bool = False,
    ) -> Task:
        task_id = f"t{len(self.tasks)}"
        stored = dict(chosen)
        if self.world.cuts:
            stored["prompt"] = stored["prompt"][:20]
        if url and chosen["action"] not in self.world.strips:
            stored["callback_url"] = url.upper()
        record = TaskRecord.model_validate(
            {
                "id": task_id,
                "created_at": self.now + self.world.skew,
                "trace_id": f"trace of {task_id}",
                "request": {} if bare else stored,
            }
        )
        self.tasks.append(Task(task_id, record, self.now + lag, of))
        return self.tasks[-1]


TestAdoption = pytest.mark.slow(Adoption.TestCase)
TestAdoption.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True
)
