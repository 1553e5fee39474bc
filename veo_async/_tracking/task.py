"""One task, as its waiters share it."""

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
        context: what the events about it name.
        born: when it was accepted, or first heard of, in monotonic seconds.
        cohort: when to look at it.
        standing: how it stood when last seen.
        trouble: why waiting for it makes no sense any more; a later wait begins anew.
        over: set once there is a result or trouble.
        waiters: how many callers wait for it.
        is_ours: whether it was submitted here, so that it is in flight until it ends; any other
            one is so only while somebody waits for it.
        tickets: the callbacks that may speak of it.
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
        """The generation, or the error that the task ended with."""
        error = self.trouble or self.status.error
        if error:
            # A copy: many callers may raise it, and each leaves its traceback on it.
            raise copy(error) from error.__cause__
        assert self.status.generation is not None  # a terminal standing has one or the other
        return self.status.generation
