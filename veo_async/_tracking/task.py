"""One task; all its waiters share one object."""

from __future__ import annotations

from copy import copy

from .._base.signal import Signal
from .._events import UNKNOWN, EventContext
from .._wire.task_status import PENDING
from ..callbacks._registry import CallbackHandle
from ..errors import VeoError
from ..models import Generation
from .schedule import Cohort


class TrackedTask:
    """One task as this client knows it.

    Attributes:
        task_id: the service's id; empty for a result that came without one.
        context: the subject of the events about it.
        accepted_at: when it was accepted, or first heard of, in monotonic seconds.
        cohort: the tasks with which it is polled.
        status: its status when it was last seen.
        trouble: the error that ended the waits although the task itself may go on. A later wait
            starts again with another object.
        done: set once there is a result or trouble.
        waiters: the number of callers that wait for it.
        is_ours: whether it was submitted here, so that it is in flight until it ends. Any other
            task is in flight only while somebody waits for it.
        handles: the callbacks that may come for it.
    """

    __slots__ = (
        "__weakref__",
        "accepted_at",
        "cohort",
        "context",
        "done",
        "handles",
        "is_ours",
        "status",
        "task_id",
        "trouble",
        "waiters",
    )

    def __init__(
        self, task_id: str, cohort: Cohort, *, accepted_at: float, context: EventContext = UNKNOWN
    ) -> None:
        self.task_id = task_id
        self.context = context
        self.accepted_at = accepted_at
        self.cohort = cohort
        self.status = PENDING
        self.trouble: VeoError | None = None
        self.done = Signal()
        self.waiters = 0
        self.is_ours = False
        self.handles: tuple[CallbackHandle, ...] = ()

    def result(self) -> Generation:
        """The generation.

        Raises:
            VeoError: the task failed, or the waits for it were ended.
        """
        error = self.trouble or self.status.error
        if error:
            # A copy: many callers may raise it, and each one adds its traceback.
            raise copy(error) from error.__cause__
        assert self.status.generation is not None  # a terminal status has one or the other
        return self.status.generation
