"""What is kept of the submits that were accepted, so that none is taken for a lost one.

A run that makes a hundred videos a second accepts a hundred thousand within the time for which
they are kept. As objects they would take half a kilobyte each, so all but the last ones are kept as
compressed texts, and become objects again when somebody looks for a lost submit.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Iterator

from .window import Receipt

FRESH = 4096
"""How many are kept as objects: as many as most runs ever have at once."""

PORTION = 256
"""How many are packed together. What is alike in them is then stored once."""


class Receipts:
    """Receipts in the order in which they came."""

    def __init__(self) -> None:
        self._fresh: deque[Receipt] = deque()
        # Each portion with the last end of its receipts.
        self._packed: deque[tuple[float, bytes]] = deque()

    def __iter__(self) -> Iterator[Receipt]:
        for _, portion in self._packed:
            yield from _unpacked(portion)
        yield from self._fresh

    def __len__(self) -> int:
        return len(self._packed) * PORTION + len(self._fresh)

    def add(self, receipt: Receipt) -> None:
        """Keep one more."""
        self._fresh.append(receipt)
        if len(self._fresh) >= FRESH + PORTION:
            portion = [self._fresh.popleft() for _ in range(PORTION)]
            last = max(receipt.ended for receipt in portion)
            self._packed.append((last, _packed(portion)))

    def reach_before(self, time: float) -> bool:
        """Whether the oldest ones ended before this time."""
        if self._packed:
            return self._packed[0][0] < time
        return bool(self._fresh) and self._fresh[0].ended < time

    def forget_before(self, time: float) -> Iterator[str]:
        """Let go those that ended before this time, and give their ids. Of a packed portion all
        are kept until the last one is let go."""
        while self.reach_before(time):
            gone = _unpacked(self._packed.popleft()[1]) if self._packed else [self._fresh.popleft()]
            yield from (receipt.task_id for receipt in gone)


def _packed(receipts: list[Receipt]) -> bytes:
    fields = [(r.task_id, r.chosen, r.begun, r.ended, r.offset, r.answered) for r in receipts]
    return zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 1)


def _unpacked(portion: bytes) -> list[Receipt]:
    return [Receipt(*fields) for fields in json.loads(zlib.decompress(portion))]
