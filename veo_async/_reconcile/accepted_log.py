"""The latest accepted submits, so that none of their records is given to a lost submit.

Each takes about half a kilobyte. At ten videos a second the 15,000 of the last 25 minutes take
8 MB, at a hundred a second 80 MB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .window import AcceptedSubmit, Kind

NOBODY = AcceptedSubmit("", ("", False), 0.0, 0.0)


class AcceptedLog:
    """Accepted submits in the order in which their answers came.

    Of each kind, with a mark and without, the last control is kept for good, for a lost submit that
    has none near.
    """

    def __init__(self) -> None:
        self._submits: deque[AcceptedSubmit] = deque()
        self._by_id: dict[str, AcceptedSubmit] = {}
        self._last: dict[tuple[Kind, bool], AcceptedSubmit] = {}

    def __iter__(self) -> Iterator[AcceptedSubmit]:
        yield from self._last.values()
        yield from self._submits

    def __len__(self) -> int:
        return len(self._submits)

    def get(self, task_id: str) -> AcceptedSubmit | None:
        """The submit that was accepted as this task, if it is here."""
        return self._by_id.get(task_id)

    def add(self, submit: AcceptedSubmit) -> None:
        """Add an accepted submit."""
        self._submits.append(submit)
        if submit.task_id:
            self._by_id[submit.task_id] = submit

    def reaches_before(self, time: float) -> bool:
        """Whether the oldest submit ended before this time."""
        return bool(self._submits) and self._submits[0].ended < time

    def forget_before(self, time: float) -> Iterator[str]:
        """Remove the oldest submits that ended before this time, and yield their task ids."""
        while self.reaches_before(time):
            gone = self._submits.popleft()
            if gone.is_control and gone.proven:
                way = gone.kind, gone.mark is None
                gone, self._last[way] = self._last.get(way, NOBODY), gone
            if self._by_id.pop(gone.task_id, None):
                yield gone.task_id
