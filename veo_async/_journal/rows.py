"""The journal's rows, as a later run reads them. `states` says how events change them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from ..errors import JournalError, VeoError
from ..models import Generation, VideoRequest
from . import serialization

T = TypeVar("T")

Step = Literal["start", "reconcile", "wait", "finished", "failed"]

STEPS: Mapping[str, Step] = {
    "new": "start",
    "intended": "reconcile",
    "uncertain": "reconcile",
    "withdrawn": "start",
    "accepted": "wait",
    "succeeded": "finished",
    "saved": "finished",
    "refused": "failed",
    "failed": "failed",
}
"""The next step of a later run, by the state of a stage. ``new`` is a stage without a row."""

ENDS: frozenset[Step] = frozenset({"finished", "failed"})
"""The steps of a stage that has ended: a later run does nothing about it."""

FIRST = "generate"
"""The stage that every item begins with; its request is the item's."""

NOTHING_BOUGHT = frozenset({"refused", "withdrawn"})
"""States of the first stage in which nothing was bought for an item."""


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt at one stage of one item. JSON texts are decoded when their values are read.

    Attributes:
        attempt: 1, and one more with each `Retried`.
        at: when the last event was recorded, in Unix seconds.
        sent_at: see `Intended`.
        request_json, facts_json, outcome_json: the parts as they are stored.
    """

    key: str
    stage: str
    attempt: int
    state: str
    at: float
    sent_at: float | None = None
    request_json: str | None = None
    facts_json: str = "{}"
    outcome_json: str | None = None

    @property
    def step(self) -> Step:
        """The next step of a later run at this stage."""
        return STEPS[self.state]

    @property
    def may_be_bought(self) -> bool:
        """Whether this attempt bought something, or may have. A download buys nothing."""
        return self.request_json is not None and self.state not in NOTHING_BOUGHT

    @property
    def request(self) -> VideoRequest | None:
        """The request; ``None`` for a download."""
        return self._load(serialization.load_request, self.request_json)

    @property
    def facts(self) -> dict[str, Any]:
        """The known facts about the POST: ``offset``, ``action`` and ``callback_url`` as `Intended`
        has them, ``at_once`` as `Accepted` has it, ``ended_at``, ``trace_id`` and ``task_id``;
        unknown ones are left out."""
        return self._load(serialization.load_object, self.facts_json) or {}

    @property
    def task_id(self) -> str | None:
        """The service's id of the task."""
        return self.facts.get("task_id")

    @property
    def generation(self) -> Generation | None:
        """The result, once it succeeded."""
        return self._load(serialization.load_generation, self._outcome("succeeded"))

    @property
    def error(self) -> VeoError | None:
        """The error, once the stage was refused or failed."""
        return self._load(serialization.load_error, self._outcome("refused", "failed"))

    @property
    def file(self) -> tuple[str, int] | None:
        """The path of the saved file, and its length in bytes."""
        return self._load(serialization.load_file, self._outcome("saved"))

    def check(self, request: VideoRequest) -> None:
        """Make sure that this row has ``request``, if it has any request yet.

        Raises:
            JournalError: it has another one; the error names both.
        """
        known, given = self.request_json, serialization.dump_request(request)
        # As texts first: equal texts are equal requests, and most are equal. Another version of
        # the library may have written the same request in another way.
        if known is None or known == given:
            return
        # The callback address may change from run to run; the videos are the same.
        recorded = self.request
        assert recorded is not None  # its text is not empty
        if recorded.model_copy(update={"callback_url": request.callback_url}) == request:
            return
        here = serialization.differing(known, given)
        raise JournalError(
            f"The item {self.key!r} (stage {self.stage}) was recorded with another request. "
            f"{here}.",
            key=self.key,
        )

    def _outcome(self, *states: str) -> str | None:
        return self.outcome_json if self.state in states else None

    def _load(self, load: Callable[[str], T], text: str | None) -> T | None:
        try:
            return None if text is None else load(text)
        except JournalError as exc:
            raise serialization.damaged(self.key, f"stage {self.stage!r}: {exc.message}") from exc


@dataclass(frozen=True, slots=True)
class Item:
    """An item: its key and the last attempt at each of its stages, by the stage's name."""

    key: str
    stages: Mapping[str, Row] = field(default_factory=dict)

    @property
    def request(self) -> VideoRequest | None:
        """The item's request."""
        first = self.stages.get(FIRST)
        return first.request if first else None

    def step(self, stage: str) -> Step:
        """The next step of a later run at a stage."""
        row = self.stages.get(stage)
        return row.step if row else STEPS["new"]

    @property
    def may_be_bought(self) -> bool:
        """Whether something was bought for this item, or may have been."""
        first = self.stages.get(FIRST)
        return first is not None and first.state not in NOTHING_BOUGHT

    def check(self, request: VideoRequest) -> None:
        """Make sure that this item has ``request``.

        Raises:
            JournalError: it has another one; the error names both.
        """
        first = self.stages.get(FIRST)
        if first:
            first.check(request)


def items(rows: Iterable[Row]) -> dict[str, Item]:
    """The items of these rows, which are in the order in which they were begun."""
    stages: dict[str, dict[str, Row]] = {}
    for row in rows:
        stages.setdefault(row.key, {})[row.stage] = row
    return {key: Item(key, of_one) for key, of_one in stages.items()}
