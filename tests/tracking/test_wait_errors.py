from __future__ import annotations

import pytest

from veo_async import errors
from veo_async._events import UNKNOWN, EventContext
from veo_async._tracking import wait_errors
from veo_async._tracking.poll_replies import AccountTrouble, Throttled, Unusable
from veo_async._tracking.schedule import Cohort
from veo_async._tracking.task import TrackedTask
from veo_async._wire.task_status import PENDING, TaskStatus

TOKEN = errors.InvalidTokenError("no such token", status_code=401, code="invalid_token")


def task(context: EventContext = UNKNOWN) -> TrackedTask:
    """A task that was last seen at 0."""
    return TrackedTask("t1", Cohort(("a", "m"), 0.0, 0.0, 1.0), accepted_at=0.0, context=context)


ENDS = [
    (wait_errors.too_late("t1", 60.0, PENDING), errors.WaitTimeoutError, "within 60 s."),
    (
        wait_errors.too_late("t1", 60.0, TaskStatus("pending", warning="odd")),
        errors.WaitTimeoutError,
        "(odd)",
    ),
    (wait_errors.unknown(task(), 61.0), errors.TaskNotFoundError, "for 61 s"),
    (wait_errors.unknown(task(EventContext("k")), 61.0), errors.TaskNotFoundError, "was paid for"),
    (wait_errors.closed("t1"), errors.ClientClosedError, "it goes on at the service"),
    (wait_errors.hopeless("t1", Unusable("HTTP 502")), errors.PollingError, "(HTTP 502)"),
    (wait_errors.hopeless("t1", Throttled()), errors.PollingError, "(no answer)"),
    (wait_errors.hopeless("t1", AccountTrouble(TOKEN)), errors.InvalidTokenError, "no such token"),
    (wait_errors.broken("t1", None), errors.PollingError, "it was cancelled"),
    (wait_errors.broken("t1", ValueError("what")), errors.PollingError, "(what)"),
]


@pytest.mark.parametrize("error, kind, said", ENDS, ids=[said for _, _, said in ENDS])
def test_each_end_says_why_and_which_task(
    error: errors.VeoError, kind: type[errors.VeoError], said: str
) -> None:
    """The error of each ended wait contains the task's id and the reason. Only an unknown task that
    no submit of ours bought cannot have cost anything."""
    assert type(error) is kind
    assert said in str(error)
    assert (error.task_id, error.may_have_cost) == ("t1", said != "for 61 s")


def test_each_waiter_hears_of_the_account_with_its_own_id() -> None:
    """One refusal ends many waits; the error of one is not that of another."""
    one, other = (wait_errors.hopeless(task_id, AccountTrouble(TOKEN)) for task_id in ("t1", "t2"))

    assert (one.task_id, other.task_id, TOKEN.task_id) == ("t1", "t2", None)


def test_the_error_of_the_polling_is_the_cause() -> None:
    """The traceback of our own mistake is kept."""
    failed = ValueError("what")

    assert wait_errors.broken("t1", failed).__cause__ is failed
