"""The errors of waits that end although the task has not ended, and the event of its end.

The task may continue at the service, so each error contains the id to wait for it again.
"""

from __future__ import annotations

from copy import copy

from .. import events
from .._events import UNKNOWN, EventContext
from .._wire.task_status import TaskStatus
from ..errors import ClientClosedError, PollingError, TaskNotFoundError, VeoError, WaitTimeoutError
from .poll_replies import AccountTrouble, Reading, Unusable
from .task import TrackedTask


def too_late(task_id: str, timeout: float, status: TaskStatus) -> WaitTimeoutError:
    """The time to wait is over."""
    odd = f" ({status.warning})" if status.warning else ""
    return WaitTimeoutError(
        f"Task {task_id} was not finished within {timeout:g} s{odd}.", task_id=task_id
    )


def unknown(tracked: TrackedTask, now: float) -> VeoError:
    """The service does not show the task any more, or never did. A failure that it showed before
    stands."""
    if tracked.earlier:
        return copy(tracked.earlier)
    return TaskNotFoundError(
        f"The service has not known task {tracked.task_id} for {now - tracked.seen_at:.0f} s.",
        task_id=tracked.task_id,
        may_have_cost=tracked.context is not UNKNOWN,  # it has one if a submit of ours bought it
    )


def closed(task_id: str) -> ClientClosedError:
    """The client was closed."""
    return ClientClosedError(
        f"The client was closed while task {task_id} was awaited; it goes on at the service.",
        task_id=task_id,
        may_have_cost=True,
    )


def hopeless(task_id: str, reading: Reading) -> VeoError:
    """Too many consecutive polls failed; ``reading`` is the latest one."""
    if isinstance(reading, AccountTrouble):
        error = copy(reading.error)
        error.task_id, error.may_have_cost = task_id, True
        return error
    detail = reading.detail if isinstance(reading, Unusable) else "no answer"
    return PollingError(f"The service could not be asked ({detail}).", task_id=task_id)


def broken(task_id: str, failed: BaseException | None) -> PollingError:
    """The polling task ended. ``failed`` is its error; it is ``None`` if it was cancelled."""
    problem = f"The polling itself ended ({failed or 'it was cancelled'})."
    error = PollingError(problem, task_id=task_id)
    error.__cause__ = failed
    return error


def event_of_end(
    context: EventContext, task_id: str, status: TaskStatus, *, at: float
) -> events.Finished | events.Failed:
    """The event for the end of a task that was noticed ``at`` this Unix time."""
    subject, seconds = context.subject(task_id), context.age(at)
    if status.error:
        trace_id = status.error.trace_id
        return events.Failed(
            at=at, seconds=seconds, trace_id=trace_id, error=status.error, **subject
        )
    assert status.generation is not None  # a terminal status has one or the other
    generation = status.generation
    return events.Finished(
        at=at, seconds=seconds, trace_id=generation.trace_id, generation=generation, **subject
    )
