"""Faults by rule: a rule selects calls, and its effect changes what happens to them.

A rule (`Fault`) selects calls by kind, action, task, position, probability and count. Several rules
may apply to one call; their effects then add up, in the order of the rules. A rule is also a JSON
document, so that another process can add it over the control plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ._effects import Effect

Kind = Literal["submit", "retrieve", "retrieve_batch", "list", "file", "callback"]
"""The kinds of calls. A callback is a call that the service makes."""

KINDS: frozenset[Kind] = frozenset(get_args(Kind))
TASKS: frozenset[Kind] = frozenset({"retrieve", "retrieve_batch", "list"})
GROUPS: dict[str, frozenset[Kind]] = {
    **{kind: frozenset({kind}) for kind in KINDS},
    "tasks": TASKS,
    "any": KINDS,
}


@dataclass(frozen=True, slots=True)
class Call:
    """The fields of a call that the conditions of rules compare."""

    kind: Kind
    action: str | None = None
    ids: frozenset[str] = field(default=frozenset())


class Fault(BaseModel):
    """A rule: an effect, and the calls that it applies to. All conditions must hold.

    Args:
        effect: the effect, such as `Drop` or `Answer`.
        on: the kind of call: ``submit``, ``retrieve``, ``retrieve_batch``, ``list``, ``file`` or
            ``callback``; ``tasks`` for every query of tasks; or ``any``.
        action: apply only to calls with this action, spelled as in the call.
        task_id: apply only to calls that name this task.
        nth: apply only to the nth call that fulfils the conditions above, counted from 1.
        probability: apply to this part of the calls, between 0 and 1, at random (seeded).
        count: apply at most this many times.

    Raises:
        pydantic.ValidationError: a value is out of range; or the effect happens before the call is
            read, and a condition needs something that is only known afterwards.
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
        """Refuse conditions that the path alone cannot decide, if the call is not read yet."""
        if not self.unread:
            return self
        if self.on not in {"submit", "tasks", "file", "any"} or self.action or self.task_id:
            raise ValueError(
                "before a call is read, only on='submit', 'tasks', 'file' or 'any' can be decided; "
                "its action and its task are not known yet"
            )
        return self

    @property
    def unread(self) -> bool:
        """True if the effect happens before the call is read."""
        return getattr(self.effect, "at", None) == "unread"

    def matches(self, call: Call) -> bool:
        """True if the call has the kind, the action and the task of this rule.

        Args:
            call: the call. Its position, ``probability`` and ``count`` are not considered.
        """
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

    def applies(self, rng: Random) -> bool:
        fault = self.fault
        if fault.count is not None and self.struck >= fault.count:
            return False
        self.seen += 1
        if fault.nth is not None and self.seen != fault.nth:
            return False
        if fault.probability < 1 and rng.random() >= fault.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The rules in force, in the order in which they were added. Iterable, and it has a length.

    Args:
        faults: the first rules.
        seed: the seed of the random numbers that ``probability`` is compared with.
    """

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int | str = 0) -> None:
        self._rng = Random(f"{seed}/faults")
        self._rules = [_Rule(fault) for fault in faults]

    def add(self, *faults: Fault) -> None:
        """Add rules after those that are in force.

        Args:
            faults: the rules to add.
        """
        self._rules += [_Rule(fault) for fault in faults]

    def remove(self, fault: Fault) -> None:
        """Remove every rule that equals this one; nothing happens if there is none.

        Args:
            fault: the rule to remove.
        """
        self._rules = [rule for rule in self._rules if rule.fault != fault]

    def clear(self) -> None:
        """Remove all rules."""
        self._rules.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter([rule.fault for rule in self._rules])

    def __len__(self) -> int:
        return len(self._rules)

    def struck(self) -> list[int]:
        """The number of times that each rule was applied, in the order of the rules."""
        return [rule.struck for rule in self._rules]

    def unread(self, kinds: frozenset[Kind]) -> tuple[Any, ...]:
        """The effects on a call before it is read; each counts as applied.

        Args:
            kinds: the kinds that the call may have, by its path. A rule applies if it covers all.
        """
        return tuple(
            rule.fault.effect
            for rule in self._rules
            if rule.fault.unread and kinds <= GROUPS[rule.fault.on] and rule.applies(self._rng)
        )

    def on(self, call: Call) -> tuple[Any, ...]:
        """The effects on a call that was read; each counts as applied.

        Args:
            call: the call.
        """
        return tuple(
            rule.fault.effect
            for rule in self._rules
            if not rule.fault.unread and rule.fault.matches(call) and rule.applies(self._rng)
        )
