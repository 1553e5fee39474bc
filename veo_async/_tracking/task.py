"""One task; all its waiters share one object."""

from __future__ import annotations

from copy import copy

from .._base.signal import Signal
from .._events import UNKNOWN, EventContext
from .._wire.task_status import PENDING, TaskStatus, settle
from ..callbacks._registry import CallbackHandle
from ..errors import VeoError
from ..models import Generation, State
from .schedule import Cohort


class TrackedTask:
    """One task as this client knows it.

    Attributes:
        task_id: the service's id; empty for a result that came without one.
        context: the subject of the events about it.
        accepted_at: when it was accepted, or first heard of, in monotonic seconds.
        cohort: the tasks with which it is polled.
        status: its status when it was last seen.
        seen_at: when the service last showed it; at first, when it was accepted.
        over_since: since when the service shows it as over without a video.
        earlier: the failure that earlier waits ended with; it stands until the service shows
            something else.
        trouble: the error that ended the waits although the task itself may go on.
        done: set once there is a result or trouble.
        waiters: the number of callers that wait for it.
        is_ours: whether it was submitted here and no wait for it has ended before its end, so
            that it is in flight. Any other task is in flight only while somebody waits for it.
        handles: the callbacks that may come for it.
    """

    __slots__ = (
        "__weakref__",
        "accepted_at",
        "cohort",
        "context",
        "done",
        "earlier",
        "handles",
        "is_ours",
        "over_since",
        "seen_at",
        "status",
        "task_id",
        "trouble",
        "waiters",
    )

    def __init__(
        self,
        task_id: str,
        cohort: Cohort,
        *,
        accepted_at: float,
        context: EventContext = UNKNOWN,
    ) -> None:
        self.task_id = task_id
        self.context = context
        self.accepted_at = accepted_at
        self.cohort = cohort
        self.status = PENDING
        self.seen_at = accepted_at
        self.over_since: float | None = None
        self.earlier: VeoError | None = None
        self.trouble: VeoError | None = None
        self.done = Signal()
        self.waiters = 0
        self.is_ours = False
        self.handles: tuple[CallbackHandle, ...] = ()

    @property
    def state(self) -> State:
        """Its state by the last answer about it."""
        is_failed = self.earlier is not None and self.status.state == "pending"
        return "failed" if is_failed else self.status.state

    @property
    def has_no_result(self) -> bool:
        """Whether its waits ended without a result. A later wait asks the service again, with
        another object: a failure is final only as long as the service says so."""
        return self.trouble is not None or self.status.state == "failed"

    def observe(self, event: TaskStatus, now: float) -> TaskStatus:
        """Note that the service showed this status; returns what it means by now."""
        self.seen_at = now
        if event.overdue is None:
            self.over_since = None
        elif self.over_since is None:
            self.over_since = now
        if self.over_since is not None:
            event = settle(event, since=self.over_since, now=now)
        if event.state == "pending":
            self.earlier = None
        return event

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
