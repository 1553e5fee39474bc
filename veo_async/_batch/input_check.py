"""Decides, while an input is being read, if it belongs to the journal.

A changed file that is run with the old journal would buy a second batch. The law: with a journal
that contains bought items, a new request is submitted only once the input has named a quarter of
them. Until then new requests are deferred and reading continues; known items start at once, since
they buy nothing. The batch ends with an error when the input ends before that, or when
`MOST_DEFERRED` requests are deferred, so that memory stays flat.

- The same input after a crash: its new requests come after known ones, or among them (as many as
  were under way). They are deferred for a moment and then submitted.
- An input that was edited or appended to: likewise. The changed lines are bought, and no others.
- An input of known items only, such as the rest of a file: nothing is deferred.
- Another file, or one of which hardly anything is left: nothing is bought.

A *bought* item is one that may have been paid for. A refused item bought nothing, so its line may
be corrected or removed.

Where the videos of a batch are saved, records lie beside them. An item that is new to the journal,
but whose record names a task, was bought by a run with another journal: perhaps this one was lost.
It is never bought again, unless the user confirms it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from .._journal.rows import Item
from ..errors import JournalError

MOST_DEFERRED = 1000
"""The most new requests that are deferred. After a crash far fewer precede the last known one: as
many as there were open POSTs."""

MOST_SHOWN = 10
"""The most items that an error names."""

Decision = Literal["submit", "defer", "refuse"]


@dataclass(frozen=True, slots=True)
class InputMatch:
    """How far an input and a journal agree, as far as the input was read.

    Attributes:
        bought: items of the journal that may have been bought, when it was opened.
        met: those of them that the input has named.
        new: requests that the journal does not have.
        extend: whether the user confirmed that the new requests are to be bought.
    """

    bought: int
    met: int = 0
    new: int = 0
    extend: bool = False

    def seen(self, item: Item | None) -> InputMatch:
        """After one more request, with its item in the journal. Keys must not repeat."""
        if item is None:
            return replace(self, new=self.new + 1)
        return replace(self, met=self.met + 1) if item.may_be_bought else self

    @property
    def decision(self) -> Decision:
        """The treatment of new requests from now on. ``submit`` is final."""
        if self.extend or 4 * self.met >= self.bought:
            return "submit"
        return "refuse" if self.new >= MOST_DEFERRED else "defer"

    def error(self, path: str) -> JournalError:
        """The error for ``refuse``, or for an input that ended with ``defer``."""
        return JournalError(
            f"The journal {path} holds {self.bought} bought items, and the input has named "
            f"{self.met} of them beside {self.new} new requests, so it looks like another "
            "input. None of the new requests was sent. Use a new journal for another batch, or "
            "pass extend=True if all of them are to be bought.",
            path=path,
        )


@dataclass(frozen=True, slots=True)
class Purchases:
    """The purchases that the records in a folder name.

    Attributes:
        recorded: by key, the purchase as a text for a person.
        folder, journal: the paths of the folder and of the journal.
    """

    recorded: Mapping[str, str]
    folder: str
    journal: str

    def error(self, new: Iterable[str]) -> JournalError | None:
        """The error for requests that are new to the journal, if one of them was bought."""
        found = [key for key in new if key in self.recorded]
        if not found:
            return None
        shown = "; ".join(f"{key!r}: {self.recorded[key]}" for key in found[:MOST_SHOWN])
        more = f"; and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
        return JournalError(
            f"The records in the folder {self.folder} name purchases that the journal "
            f"{self.journal} does not know ({shown}{more}). Nothing was sent for these items. Put "
            "the former journal back, wait for the tasks with veo.wait(task_id), or name another "
            "folder; pass extend=True to buy them again.",
            path=self.journal,
            key=found[0],
        )
