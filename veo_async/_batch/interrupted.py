"""The error of an item that somebody cancelled although its batch continues.

A program may cancel every task that its event loop lists, and those of a batch's items are among
them. The consumer of the outcomes still waits for the item, so the cancellation is its outcome.
"""

from __future__ import annotations

from .._submit.post import Post
from .._submit.retry import uncertain
from .._submit.verdict import Uncertain
from ..errors import PollingError, SubmissionUncertainError, VeoError
from . import resume
from .options import Entry


def error_of(entry: Entry, cause: BaseException | None = None) -> VeoError:
    """The error, with the task or the lost submit that it leaves behind.

    Args:
        entry: the item.
        cause: the exception that ended it; ``None`` for a cancellation.
    """
    error = _lost(entry) or PollingError(
        f"The item {entry.key!r} {_what(cause)} before its end.", task_id=_task_id(entry)
    )
    error.__cause__ = cause
    return error


def _what(cause: BaseException | None) -> str:
    return "was cancelled" if cause is None else f"was ended by {type(cause).__name__}"


def _lost(entry: Entry) -> SubmissionUncertainError | None:
    """The error for a submit that may have been billed, and whose task is not known."""
    bought = [post for post in entry.posts if _may_be_billed(post)]
    if bought:
        return None if bought[-1].tracked else _lost_in(bought[-1])
    lost = [row for row in entry.item.stages.values() if row.step == "reconcile"]
    return resume.uncertain_of(lost[0]) if lost and entry.tracked is None else None


def _may_be_billed(post: Post) -> bool:
    return not post.done.is_set() or post.tracked is not None or post.unsettled().error is not None


def _lost_in(post: Post) -> SubmissionUncertainError:
    late = "its item was cancelled; a later answer appears in veo.unsettled"
    verdict = post.verdict if isinstance(post.verdict, Uncertain) else Uncertain(late)
    return post.identified(uncertain(verdict))


def _task_id(entry: Entry) -> str | None:
    """The latest task of the item."""
    tracked = [post.tracked for post in entry.posts if post.tracked]
    known = [one.task_id for one in (*tracked[-1:], entry.tracked) if one]
    earlier = [row.task_id for row in entry.item.stages.values()]
    return next((task_id for task_id in (*known, *earlier[::-1]) if task_id), None)
