"""The adoption rule against a model that knows the truth.

The model is a service that accepts what it is sent, now or up to half a minute after the
connection was given up, lists it at once or late, and stores it as it came or with a default; and a
client that loses answers, and asks the rule about them at any time. It knows which task is whose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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

from veo_async._reconcile.decision import (
    LONGEST_GENERATION,
    Absent,
    Adopt,
    CannotTell,
    Case,
    decide,
    search,
)
from veo_async._reconcile.snapshot import ListingSnapshot, read_snapshot
from veo_async._reconcile.window import GRACE, AcceptedSubmit, LostSubmit, precedence, window_of_all
from veo_async.models import TaskRecord

T0 = 1_753_435_158.0
PROMPTS = ("a mug", "a cup", "rain")


@dataclass(eq=False)
class Sent:
    """A submit: what it chose, when it began and ended, and the task that it truly became."""

    chosen: dict[str, Any]
    begun: float
    offset: float | None
    ended: float = inf
    task_id: str | None = None
    case: Case | None = None
    end: str = "open"


@dataclass(eq=False)
class Task:
    """A record of the service."""

    record: TaskRecord
    stored: dict[str, Any]
    listed_from: float
    of: Sent | None = field(default=None)


class Adoption(RuleBasedStateMachine):
    """Submits of ours and of others, in one account."""

    @initialize(
        skew=st.sampled_from([0.0, -600.0, 600.0]),
        lag=st.sampled_from([0.0, 5.0, 60.0]),
        normalised=st.booleans(),
        honours_async=st.booleans(),
    )
    def begin(self, skew: float, lag: float, normalised: bool, honours_async: bool) -> None:
        self.skew, self.lag, self.honours_async = skew, lag, honours_async
        self.normalised = normalised
        self.now = T0
        self.offset: float | None = None
        self.tasks: list[Task] = []
        self.sent: list[Sent] = []
        self.owned: dict[str, Sent] = {}

    # What happens.

    @rule(prompt=st.sampled_from(PROMPTS))
    def send(self, prompt: str) -> None:
        chosen = {"action": "text2video", "prompt": prompt}
        self.sent.append(Sent(chosen, self.now, self.offset))

    @rule(data=st.data())
    @precondition(lambda self: self.acceptable())
    def accept(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.acceptable()))
        sent.task_id = self.create(sent.chosen, sent)

    @rule(data=st.data())
    @precondition(lambda self: self.ending("open", accepted=True))
    def answer(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(self.ending("open", accepted=True)))
        assert sent.task_id
        sent.ended, sent.end = self.now, "answered"
        self.offset = self.skew
        self.owned[sent.task_id] = sent

    @rule(data=st.data(), traced=st.booleans())
    @precondition(lambda self: self.ending("open"))
    def lose(self, data: st.DataObject, traced: bool) -> None:
        sent = data.draw(st.sampled_from(self.ending("open")))
        trace = f"trace of {sent.task_id}" if traced and sent.task_id else None
        sent.ended, sent.end = self.now, "lost"
        sent.case = Case(LostSubmit(sent.chosen, sent.begun, sent.ended, trace, sent.offset))

    @rule(prompt=st.sampled_from(["snow", "fog"]))
    def somebody_else_buys(self, prompt: str) -> None:
        self.create({"action": "text2video", "prompt": prompt}, None)

    @rule(seconds=st.sampled_from([0.5, 5.0, 31.0, 61.0, 130.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    @precondition(lambda self: self.ending("lost"))
    def look(self) -> None:
        """As the reconciler does: one look for all, and a new reading after each adoption."""
        self.offset = self.skew
        lost = self.ending("lost")
        lost.sort(key=lambda sent: precedence(sent.case.lost))  # type: ignore[union-attr]
        span = window_of_all(
            [sent.case.lost for sent in lost if sent.case], self.receipts(), self.offset
        )
        for sent in lost:
            self.judge(sent, self.reading(span))

    # What follows.

    def judge(self, sent: Sent, seen: ListingSnapshot) -> None:
        assert sent.case
        sight = search(sent.case.lost, seen)
        sent.case, decision = decide(
            sent.case, sight, at=self.now, honours_async=self.honours_async
        )
        if isinstance(decision, Adopt):
            self.adopt(sent, decision.task_id)
        elif isinstance(decision, Absent):
            sent.end = "absent"
        elif isinstance(decision, CannotTell):
            sent.end = "told"

    def adopt(self, sent: Sent, task_id: str) -> None:
        (task,) = [task for task in self.tasks if task.record.id == task_id]
        assert task_id not in self.owned, "adopted twice"
        assert task.of, "the task of somebody else"
        assert task.of.chosen == sent.chosen, "the task of another request"
        assert task.of.end != "open", "an open POST may be about to hear of it"
        sent.end = "adopted"
        self.owned[task_id] = sent

    @invariant()
    def what_was_bought_is_owned_or_looked_for_or_told(self) -> None:
        """So nothing that was bought is ever sent again."""
        for prompt in PROMPTS:
            ours = [sent for sent in self.sent if sent.chosen["prompt"] == prompt]
            bought = {sent.task_id for sent in ours if sent.task_id}
            open_ends = [sent for sent in ours if sent.end in ("open", "lost", "told")]

            assert len(bought - self.owned.keys()) <= len(open_ends), "sent again"

    def teardown(self) -> None:
        """Everything comes to an end within the longest patience."""
        if not hasattr(self, "now"):
            return
        for _ in range(40):
            self.now += GRACE + LONGEST_GENERATION / 20
            if self.ending("lost"):
                self.look()
                self.what_was_bought_is_owned_or_looked_for_or_told()

        assert not self.ending("lost")

    # What the model knows.

    def ending(self, end: str, *, accepted: bool = False) -> list[Sent]:
        return [sent for sent in self.sent if sent.end == end and (sent.task_id or not accepted)]

    def acceptable(self) -> list[Sent]:
        return [s for s in self.sent if s.task_id is None and self.now <= s.ended + GRACE]

    def create(self, chosen: dict[str, Any], sent: Sent | None) -> str:
        task_id = f"t{len(self.tasks)}"
        stored = chosen | ({"aspect_ratio": "16:9"} if self.normalised else {})
        record = TaskRecord.model_validate(
            {
                "id": task_id,
                "created_at": self.now + self.skew,
                "trace_id": f"trace of {task_id}",
                "request": stored,
            }
        )
        self.tasks.append(Task(record, stored, self.now + self.lag, sent))
        return task_id

    def receipts(self) -> list[AcceptedSubmit]:
        return [
            AcceptedSubmit(
                task_id,
                sent.chosen,
                sent.begun,
                sent.ended,
                sent.offset,
                answered=sent.end == "answered",
            )
            for task_id, sent in self.owned.items()
        ]

    def reading(self, span: tuple[float, float]) -> ListingSnapshot:
        listed = [
            (task.record, task.stored)
            for task in self.tasks
            if task.listed_from <= self.now
            and task.record.created_at
            and span[0] <= task.record.created_at.timestamp() <= span[1]
        ]
        under_way = [
            LostSubmit(sent.chosen, sent.begun, inf, offset=sent.offset)
            for sent in self.ending("open")
        ]
        return read_snapshot(
            listed,
            self.receipts(),
            at=self.now,
            offset=self.offset,
            complete=True,
            span=span,
            under_way=under_way,
        )


TestAdoption = pytest.mark.slow(Adoption.TestCase)
TestAdoption.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True
)
