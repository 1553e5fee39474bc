"""The submitter: sends a request until it is accepted or refused, and finds lost submits again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from math import inf
from typing import TypeVar

import anyio

from .._events import EventContext, EventEmitter, event_of_absence, event_of_adoption
from .._limits.admission import Admission
from .._reconcile.decision import Absent, Adopt, CannotTell
from .._reconcile.reconciler import Reconciler
from .._reconcile.window import LostSubmit
from .._tracking.poller import Poller
from .._tracking.task import TrackedTask
from .._tracking.task_list import TaskListClient
from .._wire.task_status import PENDING
from ..callbacks._registry import CallbackHandle
from ..errors import (
    ClientClosedError,
    GenerationFailedError,
    SubmissionUncertainError,
    VeoError,
    WaitTimeoutError,
)
from ..models import Generation, VideoRequest
from .callback_router import CallbackRouter
from .ledger import Ledger, NullLedger
from .post import Post
from .retry import Again, Attempts, LookUp, Stop, after_resend, elsewhere, undecided
from .sender import Sender, lost_submit
from .unsettled import UnsettledSubmits
from .verdict import Accepted, NotSent, Uncertain, Verdict

P = TypeVar("P")
T = TypeVar("T")


class Submitter:
    """All submits of one client."""

    def __init__(
        self,
        sender: Sender,
        admission: Admission,
        poller: Poller,
        reconciler: Reconciler,
        callback_router: CallbackRouter,
        *,
        queries: TaskListClient,
        events: EventEmitter,
    ) -> None:
        self._sender = sender
        self._admission = admission
        self._poller = poller
        self._reconciler = reconciler
        self._callback_router = callback_router
        self._queries = queries
        self._events = events

    @property
    def unsettled(self) -> UnsettledSubmits:
        """The submits that were left by their callers."""
        return self._sender.unsettled

    async def submit(
        self,
        request: VideoRequest,
        *,
        deadline: float,
        begun: list[Post],
        ledger: Ledger | None = None,
        callback: CallbackHandle | None = None,
        earlier_url: str | None = None,
        unproven: SubmissionUncertainError | None = None,
    ) -> TrackedTask:
        """Send a request until it is accepted or refused, or the ``deadline`` is over.

        Args:
            request: what to send.
            deadline: in monotonic seconds.
            begun: each POST is added to it; `UnsettledSubmits.tracking` gave it.
            ledger: records each POST.
            callback: of an earlier run.
            earlier_url: the callback address of an earlier run. All POSTs have one: whichever of
                them turns out to have been accepted, it is this submit's.
            unproven: of an earlier run that may have been billed, if it is sent again all the same.

        Raises:
            VeoError: it was not accepted, or nobody can tell.
        """
        self._sender.check_open()
        ledger = ledger or NullLedger()
        ticket = self._admission.ticket()
        callback = None if request.callback_url else callback or self._callback_router.issue()
        attempts = Attempts(
            anyio.current_time(),
            self._sender.dialect.spell(request.action),
            self._sender.own_url(request, callback, earlier_url),
            unproven=unproven,
        )
        try:
            while True:
                announce = self._sender.announcement(request, attempts, ledger)
                waited = await self._turn(deadline, ticket, ledger, announce)
                # The wait for other submits is no retry of this one.
                attempts = replace(attempts, started=attempts.started + waited)
                post = self._sender.begin(request, attempts, ticket, ledger, callback)
                begun.append(post)
                step = await self._outcome(post, deadline)
                if isinstance(step, TrackedTask):
                    return step
                attempts = step.attempts
                await _before(deadline, anyio.sleep, step.delay)
        except VeoError as error:
            if attempts.unproven is None:
                raise
            told = after_resend(attempts.unproven, error)
            if told is error:
                raise
            raise told from error

    async def _turn(
        self, deadline: float, ticket: int, ledger: Ledger, announce: Callable[[], Awaitable[None]]
    ) -> float:
        """Wait until an announced POST may be sent; see `Admission.enter`."""
        enter = partial(self._admission.enter, prepare=announce, is_slow=ledger.is_durable)
        try:
            waited = await _before(deadline, enter, ticket)
        except BaseException:
            ledger.cancel()
            raise
        try:
            await announce()  # its turn has come, perhaps long after the announcement
        except BaseException:
            self._admission.leave(ticket)
            raise
        return waited

    async def _outcome(self, post: Post, deadline: float) -> TrackedTask | Again:
        """What follows a POST."""
        try:
            return await self._follow_up(post, deadline)
        except BaseException:
            self._sender.release(post)
            raise
        finally:
            self._admission.resolved(post.ticket)

    async def _follow_up(self, post: Post, deadline: float) -> TrackedTask | Again:
        """Wait until the POST is over, and take the step that follows."""
        await self._sender.stay(post, deadline)
        step = post.step
        if isinstance(step, LookUp):
            found = await self._look_up(post, step, deadline)
            if isinstance(found, TrackedTask):
                return found
            step = found
        if isinstance(step, Stop):
            raise post.identified(step.error) from _cause(post.verdict)
        if isinstance(step, Again):
            return step
        assert post.tracked is not None  # `Sender` has followed every accepted task
        return post.tracked

    async def _look_up(
        self, post: Post, step: LookUp, deadline: float
    ) -> TrackedTask | Again | Stop:
        """Look for a lost submit in the account's task list."""
        if isinstance(post.verdict, Uncertain) and post.verdict.foreign_address:
            # If the client is closed meanwhile, the search below ends as uncertain.
            with anyio.CancelScope(deadline=deadline), suppress(ClientClosedError):
                if seen := await self._queries.foreign_error():
                    return Stop(elsewhere(step.error, seen))
        lost = replace(lost_submit(post), ended=post.ended_at, trace_id=step.error.trace_id)

        def follow(task_id: str) -> TrackedTask:
            return self._sender.follow(post, Accepted(task_id, PENDING))

        end = await self.reconcile(
            lost,
            follow,
            ledger=post.ledger,
            context=post.context,
            callback=post.callback,
            deadline=deadline,
        )
        if isinstance(end, Absent):
            post.verdict = None  # it bought nothing, so it is not unsettled
            return step.if_absent
        if isinstance(end, CannotTell):
            return Stop(undecided(step.error, end.reason))
        return end

    async def reconcile(
        self,
        lost: LostSubmit,
        follow: Callable[[str], TrackedTask],
        *,
        ledger: Ledger,
        context: EventContext,
        callback: CallbackHandle | None,
        deadline: float,
    ) -> TrackedTask | Absent | CannotTell:
        """Find out what became of a lost submit, of this run or of an earlier one. Its task is
        recorded, and followed, in the step in which it is adopted: a caller that is cancelled then
        must not lose it."""
        adopted: list[TrackedTask] = []

        def adopt(task_id: str) -> None:
            ledger.reconciled(Adopt(task_id))
            adopted.append(follow(task_id))
            if self._events:
                at = self._events.now()
                self._events.emit(event_of_adoption(context, task_id, at=at))

        conclusion = await self._reconciler.resolve(
            lost, deadline=deadline, adopted=adopt, callback=callback
        )
        if isinstance(conclusion, Adopt):
            return adopted[0]
        if isinstance(conclusion, Absent):
            ledger.reconciled(conclusion)
            if self._events:
                self._events.emit(event_of_absence(context, at=self._events.now()))
        return conclusion

    async def wait(self, tracked: TrackedTask, timeout: float) -> Generation:
        """Wait for the end of a task; nothing is unsettled about it any more then.

        Raises:
            VeoError: see `Poller.wait`.
        """
        try:
            generation = await self._poller.wait(tracked, timeout)
        except GenerationFailedError:
            self._settled(tracked)
            raise
        self._settled(tracked)
        return generation

    def _settled(self, tracked: TrackedTask) -> None:
        self._sender.unsettled.resolved(tracked.task_id)
        self._callback_router.ended(tracked)


async def _before(deadline: float, wait: Callable[[P], Awaitable[T]], on: P) -> T:
    """Wait for what happens before anything is sent, until the deadline."""
    try:
        async with asyncio.timeout_at(None if deadline == inf else deadline):
            if deadline > asyncio.get_running_loop().time():
                return await wait(on)
    except TimeoutError:
        pass
    raise WaitTimeoutError("The time to wait was over before the submit.", task_id=None)


def _cause(verdict: Verdict | None) -> BaseException | None:
    if isinstance(verdict, Uncertain):
        return verdict.cause
    return verdict.failure.exception if isinstance(verdict, NotSent) else None
