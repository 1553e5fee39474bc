"""What a batch decides: what is recorded of a POST, when nothing more is bought, and what an
earlier run left.

Every POST may be bought by whoever sends it, so each is counted before it is sent, and given back
only by evidence that it bought nothing.
"""

from __future__ import annotations

from .._journal.rows import Row
from .._reconcile.comparison import canonical
from .._reconcile.window import EARLY, AcceptedSubmit, LostSubmit
from ..errors import (
    SubmissionUncertainError,
)

# What an earlier run left.


def lost_in(row: Row, *, now: float, submit_timeout: float) -> LostSubmit:
    """The submit that an earlier run may have sent.

    Where the journal does not say when the POST was over, its process died, or left it open. The
    POST cannot have been open for longer than its answer is awaited, nor beyond ``now``. A window
    that is too long costs time; one that is too short buys twice.
    """
    request, facts = row.request, row.facts
    assert request is not None  # a stage that buys has one
    begun = row.at if row.sent_at is None else row.sent_at
    ended = facts.get("ended_at", min(now, begun + EARLY + submit_timeout))
    return LostSubmit(
        canonical(request),
        begun,
        max(begun, ended),
        facts.get("trace_id"),
        facts.get("offset"),
        asked=now,
        callback_url=own_callback(row),
    )


def own_callback(row: Row) -> str | None:
    """The callback address that this very submit was given; not one that the caller chose, which
    may be that of many."""
    chosen_url = row.request.callback_url if row.request else None
    return None if chosen_url else row.facts.get("callback_url")


def receipt_of(row: Row) -> AcceptedSubmit | None:
    """The task that an attempt bought, if it is known."""
    request, facts = row.request, row.facts
    task_id = facts.get("task_id")
    if not task_id or request is None or row.sent_at is None:
        return None
    ended = facts.get("ended_at", row.at)
    answered = bool(facts.get("at_once"))
    return AcceptedSubmit(
        task_id, canonical(request), row.sent_at, ended, facts.get("offset"), answered=answered
    )


def answered_at_once(row: Row) -> bool | None:
    """Whether the answer to this attempt was the id alone, as was asked for by a callback address
    of our own (``True``) or without one (``False``); ``None`` if that is not known."""
    return own_callback(row) is not None if row.facts.get("at_once") else None


def uncertain_of(row: Row, *, reason: str | None = None) -> SubmissionUncertainError:
    """The error for a submit of an earlier run that may have been billed; ``reason`` is why the
    task list cannot tell, if it was asked."""
    asked = f" The task list cannot tell either: {reason}." if reason else ""
    return SubmissionUncertainError(
        f"An earlier run may have sent the item {row.key!r} (stage {row.stage}), and the journal "
        f"does not know what came of it.{asked}",
        request=row.request,
        sent_at=row.sent_at,
        trace_id=row.facts.get("trace_id"),
    )


# The input and the stages.
