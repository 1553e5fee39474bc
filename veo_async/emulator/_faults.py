"""Faults by rule: which calls something happens to, and what.

A rule (`Fault`) matches calls by kind, action, task, number, luck and count; its effect says what
happens. Several rules may match one call; the effects then add up, in the order of the rules.
Rules are JSON too, so another process can add them over the control plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ._effects import Effect

Kind = Literal["submit", "retrieve", "retrieve_batch", "list", "file", "callback"]
"""What a call is about. A callback is a call that the service makes."""

KINDS: frozenset[Kind] = frozenset(get_args(Kind))
TASKS: frozenset[Kind] = frozenset({"retrieve", "retrieve_batch", "list"})
GROUPS: dict[str, frozenset[Kind]] = {
    **{kind: frozenset({kind}) for kind in KINDS},
    "tasks": TASKS,
    "any": KINDS,
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the rules see it."""

    kind: Kind
    action: str | None = None
    ids: frozenset[str] = field(default=frozenset())


class Fault(BaseModel):
    """One rule.

    Args:
        effect: what happens.
        on: a kind of call, ``tasks`` for all reading of tasks, or ``any``.
        action: only calls with this action (as it is spelled in the call).
        task_id: only calls that name this task.
        nth: only the nth of the calls that match so far, counted from 1.
        probability: only this part of them, by seeded luck.
        count: at most so many times in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: Annotated[Effect, Field(discriminator="kind")]
    on: Literal[Kind, "tasks", "any"] = "submit"
    action: str | None = None
    task_id: str | None = None
    nth: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    count: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _knowable(self) -> Self:
        """Before the body is read, only the path tells calls apart."""
        if not self.unread:
            return self
        if self.on not in {"submit", "tasks", "file", "any"} or self.action or self.task_id:
            raise ValueError(
                "before a call is read only on='submit', 'tasks', 'file' or 'any' can be told, "
                "and neither its action nor its task"
            )
        return self

    @property
    def unread(self) -> bool:
        """Whether it strikes before the call is read."""
        return getattr(self.effect, "at", None) == "unread"

    def matches(self, call: Call) -> bool:
        return (
            call.kind in GROUPS[self.on]
            and self.action in {None, call.action}
            and (self.task_id is None or self.task_id in call.ids)
        )


@dataclass(slots=True)
class _Rule:
    fault: Fault
    seen: int = 0
    struck: int = 0

    def strikes(self, luck: Random) -> bool:
        fault = self.fault
        if fault.count is not None and self.struck >= fault.count:
            return False
        self.seen += 1
        if fault.nth is not None and self.seen != fault.nth:
            return False
        if fault.probability < 1 and luck.random() >= fault.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int | str = 0) -> None:
        self._luck = Random(f"{seed}/faults")
        self._rules = [_Rule(fault) for fault in faults]

    def add(self, *faults: Fault) -> None:
        self._rules += [_Rule(fault) for fault in faults]

    def remove(self, fault: Fault) -> None:
        self._rules = [rule for rule in self._rules if rule.fault != fault]

    def clear(self) -> None:
        self._rules.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter([rule.fault for rule in self._rules])

    def __len__(self) -> int:
        return len(self._rules)

    def struck(self) -> list[int]:
        """How often each rule has struck."""
        return [rule.struck for rule in self._rules]

    def unread(self, kinds: frozenset[Kind]) -> tuple[Any, ...]:
        """What strikes a call of one of these kinds before it is read."""
        return tuple(
            rule.fault.effect
            for rule in self._rules
            if rule.fault.unread and kinds <= GROUPS[rule.fault.on] and rule.strikes(self._luck)
        )

    def on(self, call: Call) -> tuple[Any, ...]:
        """What strikes a call once it is known what it asks."""
        return tuple(
            rule.fault.effect
            for rule in self._rules
            if not rule.fault.unread and rule.fault.matches(call) and rule.strikes(self._luck)
        )
