"""The queue of submits that wait for their turn."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from .._base.signal import Signal


class FairQueue:
    """A queue in the order of the tickets; one waiter at a time has its turn."""

    def __init__(self) -> None:
        self._tickets = count()
        self._queue: list[int] = []
        self._waiting: dict[int, tuple[Signal, Callable[[], bool]]] = {}
        self._busy = False

    def __len__(self) -> int:
        """The number of waiters, with the one whose turn it is."""
        return len(self._waiting) + self._busy

    def ticket(self) -> int:
        """The next ticket."""
        return next(self._tickets)

    async def enter(self, ticket: int, may: Callable[[], bool] = lambda: True) -> None:
        """Wait for the turn of this ticket, which lasts until `leave`.

        It comes once all tickets before it have left the queue and ``may`` returns true.
        """
        turn = Signal()
        self._waiting[ticket] = turn, may
        heapq.heappush(self._queue, ticket)
        self.advance()
        try:
            await turn.wait()
        except BaseException:
            # The ticket stays in the heap and is skipped. It may have been the first one, or its
            # turn may have come in the very step in which it was cancelled.
            if self._waiting.pop(ticket, None):
                self.advance()
            else:
                self.leave()
            raise

    def leave(self) -> None:
        """The turn is over."""
        self._busy = False
        self.advance()

    def advance(self) -> None:
        """Give the next ticket its turn if it may have it. Call this when that has changed."""
        while self._queue and not self._busy:
            turn, may = self._waiting.get(self._queue[0], (None, None))
            if may and not may():
                return
            ticket = heapq.heappop(self._queue)
            if turn:
                del self._waiting[ticket]
                self._busy = True
                turn.set()
