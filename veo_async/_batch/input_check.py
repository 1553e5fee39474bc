"""Whether an input belongs to a journal, decided while the input is still being read.

Whoever runs a changed file with the old journal would buy a second batch. The law: with a journal
that holds bought items, a request that is new to it is bought only once the input has met all but
a tenth of them. Until then new requests are held back, and the input is read on: known items go
their way, since they buy nothing. It is over with an error when the input ends before that, or
when as many new requests are held as there are bought items (at most `MOST_HELD`, so that memory
stays flat).

- The same input after a crash: what is new comes after nearly all that is known, or among it, as
  many as were under way; it is held for a moment and then bought.
- An input that was appended to, or in which few lines were corrected: likewise.
- An input of known items only, such as the rest of a file: nothing is new, so nothing is held.
- Another file, or one in which most lines changed: nothing is bought.

"Bought" is every item that may have been paid for. One that was refused bought nothing, so its
line may be corrected, or be gone, at will.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from .._journal.rows import Item
from ..errors import JournalError

MOST_HELD = 1000
"""How many new requests are held at most. A crash leaves far fewer before the last known one: as
many as there were open POSTs."""

Verdict = Literal["go", "hold", "stop"]


@dataclass(frozen=True, slots=True)
class InputMatch:
    """How far an input and a journal agree, as far as the input was read.

    Attributes:
        bought: how many items of the journal may have been bought, when it was opened.
        met: how many of them the input has named.
        held: how many requests are held back since they are new.
        extend: whether the user said that all new ones are meant.
    """

    bought: int
    met: int = 0
    held: int = 0
    extend: bool = False

    def seen(self, item: Item | None) -> InputMatch:
        """After one more request, with its item in the journal. No key may come twice."""
        if item is None:
            return replace(self, held=self.held + 1)
        return replace(self, met=self.met + 1) if item.may_be_bought else self

    @property
    def verdict(self) -> Verdict:
        """What becomes of new requests now: ``go`` once, and it is ``go`` for good."""
        if self.extend or self.bought - self.met <= self.bought // 10:
            return "go"
        return "stop" if self.held >= MOST_HELD else "hold"

    def error(self, path: str) -> JournalError:
        """The error for a ``stop``, or for an input that ended in a ``hold``."""
        return JournalError(
            f"The journal {path} holds {self.bought} bought items, and the input has named "
            f"{self.met} of them beside {self.held} new requests, so it looks like another "
            "input. None of the new requests was sent. Use a new journal for another batch, or "
            "pass extend=True if all of them are to be bought.",
            path=path,
        )
