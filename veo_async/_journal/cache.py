"""The items under way, as the journal's next transaction finds them.

What an event changes is decided here, next to the event loop. The thread that writes has nothing
left to compute: each time two threads want the interpreter, both lose more than a row costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import JournalError
from . import states
from .events import Event, Retried
from .rows import ENDS, Item, Row

MOST_KEPT = 10_000
"""How many items are kept; of the others the rows are read again when something happens to them."""


class ItemCache:
    """The last attempt at each stage of some items."""

    def __init__(self) -> None:
        self._stages: dict[str, dict[str, Row]] = {}

    def missing(self, events: Iterable[Event]) -> list[str]:
        """The keys of items that have to be read before these events can be entered."""
        keys = {event.key: None for event in events if event.key not in self._stages}
        return [key for key in keys if states.is_storable(key)]

    def load(self, keys: Iterable[str], items: Mapping[str, Item]) -> None:
        """Keep what was read of the items with these keys; there is nothing of the others."""
        for key in keys:
            if key not in self._stages:
                item = items.get(key)
                self._stages[key] = dict(item.stages) if item else {}

    def preload(self, keys: Iterable[str], items: Mapping[str, Item]) -> None:
        """The same of items to which something may happen soon, while there is room."""
        if len(self._stages) < MOST_KEPT:
            self.load(keys, items)

    def apply(self, event: Event, *, at: float) -> list[Row]:
        """The rows that an event changes, recorded ``at`` (Unix seconds).

        Raises:
            JournalError: it is illegal, and changes nothing.
        """
        states.checked_key(event.key)
        stages = self._stages[event.key]
        if isinstance(event, Retried):
            rows = states.retry(stages.values(), event.key, at=at)
        else:
            rows = [states.advance(stages.get(event.stage), event, at=at)]
        stages.update((row.stage, row) for row in rows)
        return rows

    def committed(self, keys: Iterable[str]) -> None:
        """A transaction is over: forget those of its items that are over too, and the oldest beyond
        `MOST_KEPT`. No sooner, since its own may be among the oldest."""
        for key in keys:
            stages = self._stages.get(key)
            if stages and all(row.step in ENDS for row in stages.values()):
                del self._stages[key]
        while len(self._stages) > MOST_KEPT:
            del self._stages[next(iter(self._stages))]

    def clear(self) -> None:
        """Forget everything: nobody knows whether it is recorded."""
        self._stages.clear()


def apply_all(
    cache: ItemCache, events: Iterable[tuple[Event, float]]
) -> tuple[list[Row], list[JournalError | None]]:
    """Enter events, each with its time.

    Returns:
        the rows that they change, each as its last event left it, in the order of the first; and
        for each event why it is not entered: it is illegal, and changes nothing.
    """
    changed: dict[tuple[str, str, int], Row] = {}
    errors: list[JournalError | None] = []
    for event, at in events:
        try:
            rows = cache.apply(event, at=at)
        except JournalError as exc:
            errors.append(exc)
        else:
            errors.append(None)
            changed.update(((row.key, row.stage, row.attempt), row) for row in rows)
    return list(changed.values()), errors
