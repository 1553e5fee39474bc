"""The progress of a command: the step of each of its items, computed from the client's events.

The events of a batch begin an item, name it by its key, and end it. The events of a single call
have no key. Its command adds the item, assigns the task to it, and ends it; the other events find
the item by the id of that task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .. import events
from ..errors import AccountError, SubmissionLimitError
from ..models import Outcome

Step = Literal["waiting", "submitting", "making", "looking", "downloading"]
"""waiting: the item waits for its turn. submitting: its POST is open. making: the service makes the
video. looking: the answer was lost, and the task list is searched. downloading: the files are
downloaded."""

STEP_AFTER: dict[type[events.Event], Step] = {
    events.Submitted: "submitting",
    events.Accepted: "making",
    events.Refused: "waiting",
    events.NotSent: "waiting",
    events.Uncertain: "looking",
    events.Adopted: "making",
    events.Absent: "waiting",
    events.Finished: "downloading",
}
"""The step of an item after an event. Other events change no step."""

FIRST_STEP: dict[str, Step] = {"start": "waiting", "wait": "making", "reconcile": "looking"}
"""The first step of an item, by `events.Begun.step`. An item with another word has its outcome
already, and only files may be missing."""


@dataclass(slots=True, eq=False)
class Item:
    """One video on its way. Times are those of the clock of its `Progress`.

    Attributes:
        label: the name that a person gives it.
        step: the current step; ``since`` is the time of its begin.
        started, ended: the times of the item's begin and end.
        is_saved: whether its videos are downloaded.
        is_submitted: whether this run sent a POST for it.
        has_moved: whether anything was done about it between its begin and its end.
        detail: the id of its task, and in the end its files.
        state: its final state; empty until the end.
    """

    label: str
    step: Step
    since: float
    started: float = field(init=False)
    ended: float = 0.0
    is_saved: bool = True
    is_submitted: bool = False
    has_moved: bool = False
    detail: str = ""
    state: str = ""

    def __post_init__(self) -> None:
        self.started = self.since

    @property
    def failed_before(self) -> bool:
        """Whether a failure of this item is that of an earlier run."""
        return self.step == "downloading" and not self.has_moved


@dataclass(slots=True)
class Progress:
    """The items of a command, and their counts.

    Attributes:
        clock: monotonic seconds.
        total: the number of items, begun or not.
        on_change: called after an item has begun, changed its step or ended, with the item and
            the seconds since the start.
        items: the items that were not taken yet, by key, label or task id.
        begun: the number of items by `events.Begun.step`.
        accepted: the number of submits that were accepted, or found, since the start.
        ended: the number of items by final state. An item that is ``left`` was not bought, and a
            later run may buy it.
        pauses: the number of pauses that the service asked for; ``paused_until`` is the end of the
            longest.
    """

    clock: Callable[[], float]
    total: int = 0
    on_change: Callable[[Item, float], object] = lambda *_: None
    items: dict[str, Item] = field(default_factory=dict)
    begun: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    pauses: int = 0
    paused_until: float = 0.0
    _started: float = field(init=False)
    _durations: dict[str | None, tuple[int, float]] = field(default_factory=dict)
    _steps: Counter[str] = field(default_factory=Counter)
    _most_making: int = 0

    def __post_init__(self) -> None:
        self._started = self.clock()

    def on_event(self, event: events.Event) -> None:
        """Apply an event of the client."""
        match event:
            case events.Throttled():
                self.pauses += 1
                self.paused_until = max(self.paused_until, self.clock() + event.seconds)
            case events.Begun():
                self.begun[event.step] += 1
                step = FIRST_STEP.get(event.step, "downloading")
                self._begin(event.key or "", Item(event.request.title, step, self.clock()))
            case events.Ended():
                item = self.items[event.key or ""]
                self.end(item, final_state(event.outcome, item))
            case events.ItemEvent():
                self._advance(event)

    def _advance(self, event: events.ItemEvent) -> None:
        item, step = self.items.get(event.key or event.task_id or ""), STEP_AFTER.get(type(event))
        if item is None or item.state:
            return
        item.has_moved = True
        if step is None:
            return
        item.is_submitted |= isinstance(event, events.Submitted | events.Accepted)
        # A task of an earlier run may finish at once: it says nothing about the speed of this run.
        is_own = item.is_submitted
        if is_own and isinstance(event, events.Finished) and event.seconds is not None:
            count, seconds = self._durations.get(event.action, (0, 0.0))
            self._durations[event.action] = count + 1, seconds + event.seconds
        if item.is_saved or step != "downloading":
            self._enter(item, step)

    # The items of single calls.

    def add(self, label: str, step: Step, *, is_saved: bool = True) -> Item:
        """Begin an item that no event begins. Its label is unique in the command."""
        self.total += 1
        return self._begin(label, Item(label, step, self.clock(), is_saved=is_saved))

    def assign(self, item: Item, task_id: str, *, is_finished: bool) -> None:
        """Assign a task to an item, so that events without a key find the item."""
        if task_id:  # empty for a finished result that came without one
            self.items[task_id] = item
        item.detail = task_id
        self._enter(item, "making")
        if is_finished and item.is_saved:  # its event came before the assignment
            self._enter(item, "downloading")

    def end(self, item: Item, state: str, detail: str = "") -> None:
        """End an item."""
        self._steps[item.step] -= 1
        self.ended[state] += 1
        item.state, item.ended, item.detail = state, self.clock(), detail or item.detail
        self.on_change(item, self.seconds)

    def take(self, key: str) -> str:
        """Remove an item that has ended, and return its final state."""
        return self.items.pop(key).state

    def _begin(self, key: str, item: Item) -> Item:
        self.items[key] = item
        self._steps[item.step] += 1
        self.on_change(item, self.seconds)
        return item

    def _enter(self, item: Item, step: Step) -> None:
        is_new = item.step != step
        self._steps[item.step] -= 1
        self._steps[step] += 1
        item.step, item.since = step, self.clock()
        if step == "making":
            self.accepted += 1
            self._most_making = max(self._most_making, self._steps["making"])
        if is_new:
            self.on_change(item, self.seconds)

    # The counts and times of all items.

    @property
    def done(self) -> int:
        """The number of items with an outcome; not those left to do or still running."""
        return self.ended.total() - self.ended["left"] - self.ended["pending"]

    def steps(self) -> Counter[str]:
        """The number of items by step; those that have not begun are waiting."""
        counts = self._steps.copy()
        counts["waiting"] += max(self.total - self.ended.total() - self._steps.total(), 0)
        return counts

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._started

    @property
    def per_minute(self) -> float | None:
        """Videos of this run finished a minute since the start; ``None`` before the first."""
        made = sum(count for count, _ in self._durations.values())
        return made / self.seconds * 60.0 if made and self.seconds > 0 else None

    @property
    def pause(self) -> float:
        """Remaining seconds of a pause that the service asked for."""
        return max(self.paused_until - self.clock(), 0.0)

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds until the end, from the durations so far; ``None`` before the first.

        Waiting items are expected to start at the rate at which the service has accepted so far,
        and to run as many at once as the most so far. The last one then takes a full duration.
        """
        longest = sum(seconds / count for count, seconds in self._durations.values())
        if not self._durations:
            return None
        waiting = self.steps()["waiting"]
        if not waiting:
            latest = max((item.since for item in self._under_way()), default=float("-inf"))
            return max(longest - (self.clock() - latest), 0.0)
        by_width = waiting * longest / max(self._most_making, 1)
        by_rate = waiting * self.seconds / max(self.accepted, 1)
        return max(by_width, by_rate) + longest

    def newest(self, most: int) -> list[Item]:
        """The items that do not wait, the latest change first."""
        active = [item for item in self._under_way() if item.step != "waiting"]
        return sorted(active, key=lambda item: item.since, reverse=True)[:most]

    def _under_way(self) -> list[Item]:
        return [item for item in self.items.values() if not item.state]


def final_state(outcome: Outcome, item: Item) -> str:
    """The state in which an item of a batch ends: ``left`` if nothing more was bought for a reason
    that is not the request's own."""
    error = outcome.error
    if error is None or error.may_have_cost or error.task_id:
        return outcome.state
    is_unsent = item.step == "waiting" and not item.is_submitted
    is_left = is_unsent or isinstance(error, AccountError | SubmissionLimitError)
    return "left" if is_left else outcome.state
