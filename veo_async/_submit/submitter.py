"""The submitter: each POST that costs money runs in a task of its own and is never abandoned.

Cancelling the caller (``task.cancel``, ``asyncio.timeout``, a web server, Ctrl-C; a shielded
scope does not stop native cancellation) does not cancel the POST. The caller waits up to
``shutdown_grace`` seconds for its answer, then leaves; the outcome is kept in `unsettled` and
logged as a warning. Nor is the POST cancelled when the event loop cancels all its tasks: see
`drain`. A second cancellation (a second Ctrl-C) means *exit now*: shutdown no longer waits for that
caller's POST, whose outcome is then uncertain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any, TypeVar

import anyio

from .._base.runtime import Runtime
from .._events import EventContext, EventEmitter, event_of_absence, event_of_adoption
from .._limits.admission import Admission
from .._reconcile.decision import Absent, Adopt, CannotTell
from .._reconcile.reconciler import Reconciler
from .._reconcile.window import AcceptedSubmit, LostSubmit
from .._tracking.task import TrackedTask
from .._tracking.tracker import Tracker
from .._wire.dialect import Dialect
from .._wire.requests import submit_body
from .._wire.task_status import PENDING
from ..callbacks._registry import CallbackHandle, without_token
from ..errors import (
    ClientClosedError,
    GenerationFailedError,
    SubmissionUncertainError,
    VeoError,
    WaitTimeoutError,
)
from ..events import Submitted
from ..models import Generation, VideoRequest
from ..policies import RetryPolicy
from .callback_router import CallbackRouter
from .drain import InFlightPosts
from .ledger import Ledger, NullLedger
from .post import Post
from .retry import Again, Attempts, LookUp, Step, Stop, after, after_resend, uncertain, undecided
from .unsettled import UnsettledSubmits
from .verdict import Accepted, NotSent, Refused, Uncertain, Verdict, event_of_verdict, judge

logger = logging.getLogger("veo_async")

P = TypeVar("P")
T = TypeVar("T")


class Submitter:
    """All submits of one client."""

    def __init__(
        self,
        admission: Admission,
        tracker: Tracker,
        reconciler: Reconciler,
        callback_router: CallbackRouter,
        *,
        policy: RetryPolicy,
        asynchronous: bool,
        runtime: Runtime,
        events: EventEmitter,
    ) -> None:
        self._admission = admission
        self._tracker = tracker
        self._reconciler = reconciler
        self._callback_router = callback_router
        self._policy = policy
        self._asynchronous = asynchronous
        self._runtime = runtime
        self._events = events
        self._dialect = Dialect()
        self._guard = InFlightPosts(policy.shutdown_grace)
        self._closed = False
        self.unsettled = UnsettledSubmits()

    async def submit(
        self,
        request: VideoRequest,
        *,
        deadline: float,
        begun: list[Post],
        ledger: Ledger | None = None,
        callback: CallbackHandle | None = None,
        unproven: SubmissionUncertainError | None = None,
    ) -> TrackedTask:
        """Send a request until it is accepted or refused, or the ``deadline`` is over.

        Args:
            request: what to send.
            deadline: in monotonic seconds.
            begun: each POST is added to it; `UnsettledSubmits.tracking` gave it.
            ledger: records each POST.
            callback: of an earlier run. All POSTs carry one callback: whichever of them turns out
                to have been accepted, it is this submit's.
            unproven: of an earlier run that may have been billed, if it is sent again all the same.

        Raises:
            VeoError: it was not accepted, or nobody can tell.
        """
        self._check_open()
        ledger = ledger or NullLedger()
        action = self._dialect.spell(request.action)
        attempts = Attempts(anyio.current_time(), action, unproven=unproven)
        ticket = self._admission.ticket()
        callback = None if request.callback_url else callback or self._callback_router.issue()
        try:
            while True:
                url = callback.url if callback else request.callback_url
                announce = partial(ledger.announce, request, attempts.action, url)
                waited = await self._turn(deadline, ticket, ledger, announce)
                # The wait for other submits is no retry of this one.
                attempts = replace(attempts, started=attempts.started + waited)
                post = self._begin(request, attempts, ticket, ledger, callback)
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
        finally:
            self._admission.resolved(post.ticket)

    async def _follow_up(self, post: Post, deadline: float) -> TrackedTask | Again:
        """Wait until the POST is over, and take the step that follows."""
        await self._wait_for(post, deadline)
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
        assert post.tracked is not None  # `_conclude` has followed every accepted task
        return post.tracked

    async def _look_up(
        self, post: Post, step: LookUp, deadline: float
    ) -> TrackedTask | Again | Stop:
        """Look for a lost submit in the account's task list."""
        lost = replace(_lost(post), ended=post.ended_at, trace_id=step.error.trace_id)

        def follow(task_id: str) -> TrackedTask:
            return self._follow(post, Accepted(task_id, PENDING))

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
            if self._events:
                at = self._events.now()
                self._events.emit(event_of_adoption(context, task_id, at=at))
            ledger.reconciled(Adopt(task_id))
            adopted.append(follow(task_id))

        conclusion = await self._reconciler.resolve(
            lost, deadline=deadline, adopted=adopt, callback=callback
        )
        if isinstance(conclusion, Adopt):
            return adopted[0]
        if isinstance(conclusion, Absent):
            if self._events:
                self._events.emit(event_of_absence(context, at=self._events.now()))
            ledger.reconciled(conclusion)
        return conclusion

    async def wait(self, tracked: TrackedTask, timeout: float) -> Generation:
        """Wait for the end of a task; nothing is unsettled about it any more then.

        Raises:
            VeoError: see `Tracker.wait`.
        """
        try:
            generation = await self._tracker.wait(tracked, timeout)
        except GenerationFailedError:
            self._settled(tracked)
            raise
        self._settled(tracked)
        return generation

    def _settled(self, tracked: TrackedTask) -> None:
        self.unsettled.resolved(tracked.task_id)
        self._callback_router.ended(tracked)

    # The POST itself.

    def _begin(
        self,
        request: VideoRequest,
        attempts: Attempts,
        ticket: int,
        ledger: Ledger,
        callback: CallbackHandle | None,
    ) -> Post:
        """Start a POST. Nothing is awaited between the end of `_turn` and this."""
        try:
            self._check_open()
        except ClientClosedError:
            self._admission.leave(ticket)
            ledger.cancel()
            raise
        body = submit_body(
            request,
            action=attempts.action,
            asynchronous=self._asynchronous,
            callback_url=callback.url if callback else None,
        )
        post = Post(
            request,
            body,
            attempts,
            sent_at=self._runtime.wall_clock(),
            ticket=ticket,
            ledger=ledger,
            offset=self._reconciler.offset,
            callback=callback,
        )
        # An empty context: what the caller's context holds must not live on in our tasks.
        loop = asyncio.get_running_loop()
        post.task = loop.create_task(self._post(post, body), context=Context())
        asyncio._unregister_task(post.task)  # noqa: SLF001 - documented for those who extend asyncio
        post.task.add_done_callback(lambda task: self._conclude(post, task), context=Context())
        self._guard.begun(post)
        self._reconciler.sent(post, _lost(post))
        if self._events:
            at, subject = self._events.now(), post.context.subject()
            self._events.emit(Submitted(at=at, request=request, **subject))
        return post

    async def _post(self, post: Post, body: dict[str, Any]) -> None:
        timeout = self._policy.submit_timeout
        answer = await self._admission.post(body, timeout=timeout)
        if post.callback:
            answer = without_token(answer, post.callback)
        post.verdict = judge(answer)

    def _conclude(self, post: Post, task: asyncio.Task[None]) -> None:
        """The POST is over, whether or not its caller still waits."""
        post.task = None  # its caller may wait for the video for minutes, and keeps the rest
        self._guard.done(post)
        self._reconciler.answered(post)
        post.ended_at = self._runtime.wall_clock()
        if post.verdict is None:
            failed = None if task.cancelled() else task.exception()
            post.verdict = Uncertain("it was cut before its answer came", cause=failed)
        is_looked_for = isinstance(post.verdict, Uncertain) and not post.abandoned
        self._admission.leave(post.ticket, is_lost=is_looked_for)
        if self._events:
            at = self._events.now()
            self._events.emit(event_of_verdict(post.context, post.verdict, at=at))
        at_once = False
        try:
            if isinstance(post.verdict, Accepted):
                at_once = self._accept(post, post.verdict)
            else:
                post.step = self._decide(post, post.verdict)
        finally:  # a fault of ours must not keep what was bought from its record and its caller
            post.ledger.concluded(post.verdict, post.step, ended_at=post.ended_at, at_once=at_once)
            if post.abandoned:
                self.unsettled.finished(post)
            post.done.set()

    def _decide(self, post: Post, verdict: NotSent | Refused | Uncertain) -> Step:
        """What follows a POST that was not accepted."""
        now, u = asyncio.get_running_loop().time(), self._runtime.rng.random()
        step = after(verdict, post.attempts, policy=self._policy, now=now, u=u)
        if isinstance(step, Again) and step.attempts.unproven:
            post.identified(step.attempts.unproven)
        return step

    def _accept(self, post: Post, accepted: Accepted) -> bool:
        """Follow the task; returns whether only its id was answered, as was asked for."""
        self._dialect.accepted(post.attempts.action)
        receipt = AcceptedSubmit(
            accepted.task_id or "", post.chosen, post.sent_at, post.ended_at, post.offset
        )
        # With a callback every deployment answers at once, so that shows nothing about others; the
        # caller's own is not told apart from what other clients send.
        asked_to = post.callback or (self._asynchronous and post.request.callback_url is None)
        at_once = bool(asked_to) and accepted.status is PENDING
        self._follow(post, accepted)
        self._reconciler.accepted(receipt, at_once=at_once, called_back=post.callback is not None)
        return at_once

    def _follow(self, post: Post, accepted: Accepted) -> TrackedTask:
        post.verdict = accepted
        task_id, status = accepted.task_id or "", accepted.status
        kind = (post.request.action, post.request.model)
        post.tracked = self._tracker.follow(task_id, status, context=post.context, kind=kind)
        self._callback_router.bind(post.callback, post.tracked)
        if self._tracker.count(post.tracked):
            self._admission.accepted(post.ticket)
        return post.tracked

    # The caller.

    async def _wait_for(self, post: Post, deadline: float) -> None:
        """Wait until a POST is over; a caller that is cancelled or late stays until it settles."""
        try:
            is_over = await post.done.wait(until=deadline + self._policy.shutdown_grace)
        except BaseException:
            self.unsettled.caller_left(post)
            await self._settle(post)
            raise
        if not is_over:
            self.unsettled.caller_left(post)
            late = "no answer came within the time to wait; a later one appears in veo.unsettled"
            raise post.identified(uncertain(Uncertain(late)))

    async def _settle(self, post: Post) -> None:
        """Stay for a POST whose caller is cancelled, until that is cancelled a second time."""
        try:
            with anyio.move_on_after(self._policy.shutdown_grace, shield=True):
                await post.done.wait()
        except BaseException:
            self._guard.expedite(post)
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosedError("The client is closed; nothing was sent.")

    async def aclose(self) -> None:
        """Let open POSTs settle; those that do not are cut, and told as uncertain."""
        self._closed = True
        await self._guard.aclose()


async def _before(deadline: float, wait: Callable[[P], Awaitable[T]], on: P) -> T:
    """Wait for what happens before anything is sent, until the deadline."""
    try:
        async with asyncio.timeout_at(None if deadline == inf else deadline):
            if deadline > asyncio.get_running_loop().time():
                return await wait(on)
    except TimeoutError:
        pass
    raise WaitTimeoutError("The time to wait was over before the submit.", task_id=None)


def _lost(post: Post) -> LostSubmit:
    """A POST whose answer has not come."""
    url = post.callback_url
    return LostSubmit(post.chosen, post.sent_at, inf, offset=post.offset, callback_url=url)


def _cause(verdict: Verdict | None) -> BaseException | None:
    if isinstance(verdict, Uncertain):
        return verdict.cause
    return verdict.failure.exception if isinstance(verdict, NotSent) else None
