"""The queue of submits that wait for their turn."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from .._base.signal import Signal


class Line:
    """A queue, in the order of the tickets, of those who go on one at a time."""

    def __init__(self) -> None:
        self._tickets = count()
        self._queue: list[int] = []
        self._waiting: dict[int, tuple[Signal, Callable[[], bool]]] = {}
        self._busy = False

    def __len__(self) -> int:
        """How many are in it, the one whose turn it is included."""
        return len(self._waiting) + self._busy

    def ticket(self) -> int:
        """The next ticket."""
        return next(self._tickets)

    async def enter(self, ticket: int, may: Callable[[], bool] = lambda: True) -> None:
        """Wait for the turn of this ticket, which lasts until `leave`; it comes once all before it
        have left, and it ``may`` go on."""
        turn = Signal()
        self._waiting[ticket] = turn, may
        heapq.heappush(self._queue, ticket)
        self.advance()
        try:
            await turn.wait()
        except BaseException:
            # What is left of it in the queue is skipped. It may have been the one that the others
            # waited for, or its turn may have come in the moment in which it was cancelled.
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
        """Let the next one go on if it may: to be called whenever that may have changed."""
        while self._queue and not self._busy:
            turn, may = self._waiting.get(self._queue[0], (None, None))
            if may and not may():
                return
            ticket = heapq.heappop(self._queue)
            if turn:
                del self._waiting[ticket]
                self._busy = True
                turn.set()
