"""The items under way, in the state in which the journal's next transaction finds them.

The effect of each event is computed here, on the event loop's thread, so the writing thread has
nothing left to compute: whenever two threads compete for the interpreter, both lose more time than
a row costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import JournalError
from . import states
from .events import Event, Retried
from .rows import ENDS, Item, Row

MOST_KEPT = 10_000
"""Items that are kept; the rows of the others are read again at their next event."""


class ItemCache:
    """The last attempt at each stage of some items."""

    def __init__(self) -> None:
        self._stages: dict[str, dict[str, Row]] = {}

    def missing(self, events: Iterable[Event]) -> list[str]:
        """The keys of items that must be loaded before these events can be applied."""
        keys = {event.key: None for event in events if event.key not in self._stages}
        return [key for key in keys if states.is_storable(key)]

    def load(self, keys: Iterable[str], items: Mapping[str, Item]) -> None:
        """Keep the items that were read for these keys; a key without an item has no rows yet."""
        for key in keys:
            if key not in self._stages:
                item = items.get(key)
                self._stages[key] = dict(item.stages) if item else {}

    def preload(self, keys: Iterable[str], items: Mapping[str, Item]) -> None:
        """Load items that may have an event soon, while there is room."""
        if len(self._stages) < MOST_KEPT:
            self.load(keys, items)

    def apply(self, event: Event, *, at: float) -> list[Row]:
        """Apply an event, recorded ``at`` (Unix seconds), and return the rows that it changes.

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
        """After a commit, forget its finished items, then the oldest ones above `MOST_KEPT`. Not
        earlier: the items of the running transaction may be among the oldest."""
        for key in keys:
            stages = self._stages.get(key)
            if stages and all(row.step in ENDS for row in stages.values()):
                del self._stages[key]
        while len(self._stages) > MOST_KEPT:
            del self._stages[next(iter(self._stages))]

    def clear(self) -> None:
        """Forget all items: it is unknown whether their last events are recorded."""
        self._stages.clear()


def apply_all(
    cache: ItemCache, events: Iterable[tuple[Event, float]]
) -> tuple[list[Row], list[JournalError | None]]:
    """Apply events, each with its time.

    Returns:
        The rows that they change, each as its last event left it, in the order of the first; and
        for each event its error, if it is illegal and changes nothing.
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
