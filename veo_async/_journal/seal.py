"""The seal of a row: by it a row that was changed outside of this library is recognised.

SQLite trusts the bytes of its file. A flipped bit in a state or in a task id is a valid row, and
would lead to a second purchase. So each row carries a BLAKE2b of its columns, of 8 bytes; it takes
about 3 microseconds. `sqlite` checks each row that it reads, and all rows when it opens a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from .rows import STEPS, Row
from .serialization import damaged


def seal_of(row: Row) -> int:
    """The seal of a row: of its place (key, stage, attempt) and of all its other columns."""
    request, facts, outcome = row.request_json, row.facts_json, row.outcome_json
    sent_at = None if row.sent_at is None else float(row.sent_at)  # SQLite returns no integer
    sizes = request is None or len(request), len(facts), outcome is None
    head = (
        f"{row.key!r} {row.stage} {row.attempt} {row.state} {float(row.at)!r} {sent_at!r} {sizes}"
    )
    text = f"{head}\n{request}{facts}{outcome}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def opened(columns: Sequence[Any]) -> Row:
    """The row of these columns, of which the last is the seal.

    Raises:
        JournalError: the seal is not the row's, or its state has no meaning here.
    """
    row = Row(*columns[:-1])
    try:
        is_whole = seal_of(row) == columns[-1]
    except (TypeError, ValueError):  # a column has a value of another type
        is_whole = False
    if not is_whole:
        raise damaged(row.key, f"its stage {row.stage!r} is not as it was written")
    return known(row)


def known(row: Row) -> Row:
    """The row, if this version knows its state.

    Raises:
        JournalError: it does not.
    """
    if row.state not in STEPS:
        raise damaged(row.key, f"its stage {row.stage!r} has the unknown state {row.state!r}")
    return row


def decodable(row: Row) -> Row:
    """The row, if all of its parts can be decoded.

    Raises:
        JournalError: one of them cannot.
    """
    _ = known(row), row.request, row.facts, row.generation, row.error, row.file
    return row
