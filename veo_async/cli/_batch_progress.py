"""What a batch has come to so far, made of its events and of nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from .. import events
from ..errors import AccountError, VeoError
from ..models import Get1080p, Outcome, VideoRequest

Doing = Literal["waiting", "submitting", "making", "looking", "downloading"]
"""What is done about an item that is under way: it waits for its turn, is sent, is made by the
service, is looked for since its answer was lost, or is fetched."""

AFTER: dict[type[events.Event], Doing] = {
    events.Submitted: "submitting",
    events.Accepted: "making",
    events.Refused: "waiting",
    events.Unsent: "waiting",
    events.Uncertain: "looking",
    events.Adopted: "making",
    events.Absent: "waiting",
    events.Finished: "downloading",
}
"""What is done about an item after an event."""

AT_FIRST: dict[str, Doing] = {
    "start": "waiting",
    "wait": "making",
    "reconcile": "looking",
    "finished": "downloading",
    "stays": "downloading",
}
"""What is done first about an item, by the step with which it begins."""


@dataclass(slots=True)
class Item:
    """An item under way. ``since`` is when that began which is done about it now."""

    label: str
    doing: Doing
    since: float
    is_submitted: bool = False


@dataclass(slots=True)
class Mean:
    """A mean of what was seen so far."""

    count: int = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.count += 1
        self.total += value

    @property
    def value(self) -> float | None:
        """The mean; ``None`` of nothing."""
        return self.total / self.count if self.count else None


@dataclass(slots=True)
class BatchProgress:
    """The counts of a batch.

    Attributes:
        clock: monotonic seconds.
        total: how many items there are.
        ended: how many ended in which state; ``left`` were never bought, and a later run may.
        moving: the items under way.
        ends: in which state each item ended, until somebody takes note of it.
        pauses: how often the service asked for a pause; ``paused_until`` is the end of the last.
    """

    clock: Callable[[], float]
    total: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    moving: dict[str, Item] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    pauses: int = 0
    paused_until: float = 0.0
    _started: float = field(init=False)
    _durations: defaultdict[str | None, Mean] = field(default_factory=lambda: defaultdict(Mean))
    _doing: Counter[str] = field(default_factory=Counter)
    _accepted: int = 0
    _most_made: int = 0

    def __post_init__(self) -> None:
        self._started = self.clock()

    def hear(self, event: events.Event) -> None:
        """Take note of an event."""
        match event:
            case events.Throttled():
                self.pauses += 1
                self.paused_until = max(self.paused_until, self.clock() + event.seconds)
            case events.Begun():
                doing = AT_FIRST[event.step]
                self.moving[event.key or ""] = Item(label_of(event.request), doing, self.clock())
                self._doing[doing] += 1
            case events.Ended():
                item = self.moving.pop(event.key or "")
                self._doing[item.doing] -= 1
                end = end_of(event.outcome, item)
                self.ended[end] += 1
                self.ends[event.key or ""] = end
            case events.ItemEvent():
                self._step(event)

    def _step(self, event: events.ItemEvent) -> None:
        if isinstance(event, events.Finished) and event.seconds is not None:
            self._durations[event.action].add(event.seconds)
        item, doing = self.moving.get(event.key or ""), AFTER.get(type(event))
        if item is None or doing is None:
            return
        self._doing[item.doing] -= 1
        self._doing[doing] += 1
        item.doing, item.since = doing, self.clock()
        item.is_submitted = item.is_submitted or doing == "submitting"
        if doing == "making":
            self._accepted += 1
            self._most_made = max(self._most_made, self._doing["making"])

    # What it comes to.

    def take(self, key: str) -> str:
        """In which state an item ended, whose outcome is told now."""
        return self.ends.pop(key)

    @property
    def done(self) -> int:
        """How many items have ended."""
        return self.ended.total()

    def doing(self) -> Counter[str]:
        """How many items are where, the ones that are not begun among the waiting."""
        counts = self._doing.copy()
        counts["waiting"] += max(self.total - self.done - len(self.moving), 0)
        return counts

    @property
    def seconds(self) -> float:
        """How long the batch has run."""
        return self.clock() - self._started

    @property
    def per_minute(self) -> float | None:
        """How many videos came in a minute, so far."""
        made = sum(mean.count for mean in self._durations.values())
        return made / self.seconds * 60.0 if made and self.seconds > 0 else None

    @property
    def pause(self) -> float:
        """Seconds for which nobody sends anything, as the service asked."""
        return max(self.paused_until - self.clock(), 0.0)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest may take, by how long videos took so far; ``None`` before the first.

        Those that wait come in as many at once as there were at most, and no faster than the
        service took them; the last one then takes as long as any.
        """
        means = [mean.value for mean in self._durations.values() if mean.value is not None]
        counts, longest = self.doing(), sum(means)
        if not means:
            return None
        if not counts["waiting"]:
            ages = [self.clock() - item.since for item in self.moving.values()]
            return max(longest - min(ages, default=longest), 0.0)
        by_width = counts["waiting"] * longest / max(self._most_made, 1)
        by_rate = counts["waiting"] * self.seconds / max(self._accepted, 1)
        return max(by_width, by_rate) + longest

    def newest(self, most: int) -> Iterator[Item]:
        """The items about which something new is done, the last first."""
        of_interest = [item for item in self.moving.values() if item.doing != "waiting"]
        yield from sorted(of_interest, key=lambda item: item.since, reverse=True)[:most]


def end_of(outcome: Outcome, item: Item) -> str:
    """In which state an item ended."""
    if outcome.error is None:
        return "succeeded"
    return "left" if is_left(outcome.error, item) else outcome.state


def is_left(error: VeoError, item: Item) -> bool:
    """Whether nothing was bought, and that was not for the request's own sake."""
    if error.may_have_cost or error.task_id:
        return False
    return isinstance(error, AccountError) or (item.doing == "waiting" and not item.is_submitted)


def label_of(request: VideoRequest) -> str:
    """What a person calls this request."""
    return request.video_id if isinstance(request, Get1080p) else request.prompt
