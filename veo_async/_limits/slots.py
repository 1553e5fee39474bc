"""Places in flight, and the line of those who wait for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from .._base.signal import Signal


class Place:
    """One place in flight: of an open submit first, of its task then.

    Attributes:
        since: when the submit was sent, in monotonic seconds.
    """

    __slots__ = ("_places", "since")

    def __init__(self, places: Places, since: float) -> None:
        self._places = places
        self.since = since

    def sent(self, now: float) -> None:
        """The submit goes now."""
        self.since = now

    def keep(self) -> None:
        """The submit was accepted: the place is its task's."""
        self._places.keep(self)

    def release(self) -> None:
        """Give it back; more than once does no harm."""
        self._places.release(self)


class Places:
    """Who is in flight: submits whose end is not known, and tasks that are not finished."""

    def __init__(self, accepted: Callable[[], None] = lambda: None) -> None:
        self._accepted = accepted
        self._open: set[Place] = set()
        self._tasks: set[Place] = set()
        self._changed: Signal | None = None

    @property
    def held(self) -> int:
        """All places that are taken."""
        return len(self._open) + len(self._tasks)

    def running(self, before: float) -> int:
        """Generations that are accepted and unfinished, open submits from ``before`` included."""
        return len(self._tasks) + sum(place.since < before for place in self._open)

    def take(self) -> Place:
        """A place for a submit that is about to go."""
        place = Place(self, inf)
        self._open.add(place)
        return place

    def count(self) -> Place:
        """A place for a task that was accepted earlier: it is in flight, whether there is room
        or not."""
        place = Place(self, inf)
        self._tasks.add(place)
        return place

    def keep(self, place: Place) -> None:
        """See `Place.keep`."""
        if place in self._open:
            self._open.remove(place)
            self._tasks.add(place)
            self._accepted()
            self.change()

    def release(self, place: Place) -> None:
        """See `Place.release`."""
        self._open.discard(place)
        self._tasks.discard(place)
        self.change()

    def change(self) -> None:
        """Let those who wait for room look again."""
        if self._changed:
            self._changed.set()

    async def changes(self, patience: float) -> None:
        """Wait until there may be room that was not there before, for up to so many seconds. Only
        the first in the line waits here."""
        self._changed = Signal()
        await self._changed.wait(until=asyncio.get_running_loop().time() + patience)
