"""The events of submits that a journal did not take.

The answer of a POST may come after its batch has closed the journal, and the disk may be full. The
next run of the journal in the same client continues from these events.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._journal.events import Accepted, StageEvent, Succeeded
from .._journal.rows import Row

LedgerName = tuple[str, str, str]
"""The path of a journal, an item and a stage."""


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """An event that the journal did not take.

    Attributes:
        event: the event.
        sent_at: when the intent says that it was sent, in Unix seconds.
        left_until: until when its answer might have come, as the batch noted when it left the POST
            open; ``None`` if it did not.
    """

    event: StageEvent
    sent_at: float | None
    left_until: float | None

    def is_about(self, row: Row) -> bool:
        """Whether the event is about the latest POST of this row.

        A task is the row's in any case. Any other end of a POST says nothing about the POST of
        another process that has resumed the journal since.
        """
        # Another journal may be in the place of a deleted one.
        is_same = self.sent_at == row.sent_at
        is_latest = self.left_until is not None and self.left_until == row.facts.get("ended_at")
        return is_same and (is_latest or isinstance(self.event, Accepted | Succeeded))
