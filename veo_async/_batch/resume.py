"""Lost and accepted submits of earlier runs, as the rows of the journal describe them."""

from __future__ import annotations

from .._journal.rows import Row
from .._reconcile.marks import mark_in
from .._reconcile.window import EARLY, AcceptedSubmit, LostSubmit, Way
from ..errors import SubmissionUncertainError


def lost_in(row: Row, *, now: float, submit_timeout: float) -> LostSubmit:
    """The submit that an earlier run may have sent.

    If the journal has no end of the POST, its process was killed, or left it open. The POST cannot
    have been open for longer than its answer is awaited, nor beyond ``now``. A window that is too
    long costs time; one that is too short buys twice.
    """
    request, facts = row.request, row.facts
    assert request is not None  # a stage that buys has one
    begun = row.at if row.sent_at is None else row.sent_at
    # The row is as old as the last POST: one that was sent again has the time of the first.
    ended = facts.get("ended_at", min(now, max(begun, row.at) + EARLY + submit_timeout))
    return LostSubmit(
        request.wire_fields(),
        begun,
        max(begun, ended),
        facts.get("trace_id"),
        facts.get("offset"),
        asked=now,
        mark=mark_in(own_callback(row)),
        is_held=bool(facts.get("held")),
    )


def own_callback(row: Row) -> str | None:
    """The callback address that was made for this submit. An address of the caller's is left out,
    since many submits may share it."""
    url: str | None = row.facts.get("callback_url")
    return None if row.request and url == row.request.callback_url else url


def receipt_of(row: Row) -> AcceptedSubmit | None:
    """The task that an attempt bought, if it is known."""
    request, facts = row.request, row.facts
    task_id = facts.get("task_id")
    if not task_id or request is None or row.sent_at is None:
        return None
    return AcceptedSubmit(
        task_id,
        (request.action, bool(facts.get("held"))),
        row.sent_at,
        facts.get("ended_at", row.at),
        facts.get("offset"),
        mark_in(own_callback(row)),
        proven=bool(facts.get("at_once")),
    )


def answered_at_once(row: Row) -> Way | None:
    """The way of the submit if its answer was an id alone, as it was asked to; ``None`` for any
    other or unknown answer."""
    receipt = receipt_of(row)
    return receipt.way if receipt and row.facts.get("at_once") else None


def uncertain_of(row: Row, *, reason: str | None = None) -> SubmissionUncertainError:
    """The error for a submit of an earlier run that may have been billed.

    Args:
        reason: why the task list could not settle it, if it was asked.
    """
    asked = f" The task list cannot tell either: {reason}." if reason else ""
    return SubmissionUncertainError(
        f"An earlier run may have sent the item {row.key!r} (stage {row.stage}), and the journal "
        f"does not know its outcome.{asked}",
        request=row.request,
        sent_at=row.sent_at,
        trace_id=row.facts.get("trace_id"),
    )
