"""The sender: each POST that costs money runs in a task of its own and is never abandoned.

Cancelling the caller (``task.cancel``, ``asyncio.timeout``, a web server, Ctrl-C; a shielded
scope does not stop native cancellation) does not cancel the POST. The caller waits up to
``shutdown_grace`` seconds for its answer, then leaves; the outcome is kept in `unsettled` and
logged as a warning. Nor is the POST cancelled when the event loop cancels all its tasks: see
`drain`. A second cancellation (a second Ctrl-C) means *exit now*: shutdown no longer waits for that
caller's POST, whose outcome is then uncertain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from functools import partial
from math import inf
from typing import Any

import anyio

from .._base.runtime import Runtime
from .._events import EventEmitter
from .._limits.admission import Admission
from .._reconcile.reconciler import Reconciler
from .._reconcile.window import AcceptedSubmit, LostSubmit
from .._tracking.registry import TaskRegistry
from .._tracking.task import TrackedTask
from .._wire.dialect import Dialect
from .._wire.requests import submit_body
from .._wire.task_status import PENDING
from ..callbacks._registry import CallbackHandle, without_token
from ..errors import ClientClosedError
from ..events import Submitted
from ..models import VideoRequest
from ..policies import RetryPolicy
from .callback_router import CallbackRouter
from .drain import InFlightPosts
from .ledger import Ledger
from .marks import Marks
from .post import Post
from .retry import Again, Attempts, Step, after, uncertain
from .unsettled import UnsettledSubmits
from .verdict import Accepted, NotSent, Refused, Uncertain, Verdict, event_of_verdict, judge


class Sender:
    """All POSTs of one client.

    Attributes:
        dialect: how the service spells an action.
        unsettled: the submits that were left by their callers.
    """

    def __init__(
        self,
        admission: Admission,
        tracker: TaskRegistry,
        reconciler: Reconciler,
        callback_router: CallbackRouter,
        *,
        policy: RetryPolicy,
        asynchronous: bool,
        runtime: Runtime,
        events: EventEmitter,
        marks: Marks,
    ) -> None:
        self._admission = admission
        self._tracker = tracker
        self._reconciler = reconciler
        self._callback_router = callback_router
        self._policy = policy
        self._asynchronous = asynchronous
        self._runtime = runtime
        self._events = events
        self._marks = marks
        self._guard = InFlightPosts(policy.shutdown_grace)
        self._closed = False
        self.dialect = Dialect()
        self.unsettled = UnsettledSubmits()

    def check_open(self) -> None:
        """Raise `ClientClosedError` once the client is closed, and refuse another event loop."""
        self._runtime.check_loop()
        if self._closed:
            raise ClientClosedError("The client is closed; nothing was sent.")

    async def aclose(self) -> None:
        """Let open POSTs settle; those that do not are cancelled, and are uncertain."""
        self._closed = True
        await self._guard.aclose()

    def own_url(
        self, request: VideoRequest, callback: CallbackHandle | None, earlier: str | None
    ) -> str | None:
        """The callback address that only the POSTs of this submit have: that of `Callbacks`, or a
        mark; ``earlier`` is the address of an earlier run."""
        if callback:
            return callback.url
        if not (self._asynchronous and self.dialect.takes_marks):
            return None
        return self._marks.url_for(request, earlier)

    def is_held(self, request: VideoRequest) -> bool:
        """Whether the service holds its answer until the video is ready."""
        return not self._asynchronous and request.callback_url is None

    def announcement(
        self, request: VideoRequest, attempts: Attempts, ledger: Ledger
    ) -> Callable[[], Awaitable[None]]:
        """A function that announces the next POST to its ledger; see `Ledger.announce`."""
        return partial(
            ledger.announce,
            request,
            attempts.action,
            attempts.own_url or request.callback_url,
            is_held=self.is_held(request),
        )

    def begin(
        self,
        request: VideoRequest,
        attempts: Attempts,
        ticket: int,
        ledger: Ledger,
        callback: CallbackHandle | None,
    ) -> Post:
        """Start a POST in its caller's turn. Nothing is awaited between that turn's start and this.

        Raises:
            ClientClosedError: nothing was sent, and the turn is given back.
        """
        try:
            self.check_open()
        except ClientClosedError:
            self._admission.leave(ticket)
            ledger.cancel()
            raise
        body = submit_body(
            request,
            action=attempts.action,
            asynchronous=self._asynchronous and not (callback or request.callback_url),
            callback_url=attempts.own_url,
        )
        loop = asyncio.get_running_loop()
        post = Post(
            request,
            body,
            attempts,
            sent_at=self._runtime.wall_clock(),
            ticket=ticket,
            ledger=ledger,
            begun=loop.time(),
            offset=self._reconciler.offset,
            callback=callback,
            is_held=self.is_held(request),
        )
        # The caller's context, such as its trace, until the POST is over: no longer.
        post.task = loop.create_task(self._post(post, body), context=copy_context())
        asyncio._unregister_task(post.task)  # noqa: SLF001 - documented for those who extend asyncio
        post.task.add_done_callback(lambda task: self._conclude(post, task), context=Context())
        self._guard.begun(post)
        self._reconciler.sent(post, lost_submit(post))
        if self._events:
            at, subject = self._events.now(), post.context.subject()
            self._events.emit(Submitted(at=at, request=request, **subject))
        return post

    async def _post(self, post: Post, body: dict[str, Any]) -> None:
        timeout = self._policy.submit_timeout
        answer = await self._admission.post(body, timeout=timeout)
        if post.callback:
            answer = without_token(answer, post.callback)
        post.verdict = judge(answer, is_held=post.is_held)

    def _conclude(self, post: Post, task: asyncio.Task[None]) -> None:
        """The POST is over, whether or not its caller still waits."""
        post.task = None  # its caller may wait for the video for minutes, and keeps the rest
        self._guard.done(post)
        self._reconciler.answered(post)
        post.over(self._runtime.wall_clock(), asyncio.get_running_loop().time())
        if post.verdict is None:
            failed = None if task.cancelled() else task.exception()
            post.verdict = Uncertain("it was cancelled before its answer came", cause=failed)
        is_looked_for = isinstance(post.verdict, Uncertain) and not post.abandoned
        self._admission.leave(post.ticket, is_lost=is_looked_for)
        with self._events.held():  # a listener is called once everything is recorded
            if self._events:
                at = self._events.now()
                self._events.emit(event_of_verdict(post.context, post.verdict, at=at))
            self._record(post, post.verdict)

    def _record(self, post: Post, verdict: Verdict) -> None:
        """Follow what was accepted, and tell the ledger, `unsettled` and the caller."""
        at_once = False
        try:
            if isinstance(verdict, Accepted):
                at_once = self._accept(post, verdict)
            else:
                post.step = self._decide(post, verdict)
        finally:  # a fault of ours must not keep what was bought from its record and its caller
            post.ledger.concluded(verdict, post.step, ended_at=post.ended_at, at_once=at_once)
            if post.abandoned:
                self.unsettled.finished(post)
            post.done.set()

    def _decide(self, post: Post, verdict: NotSent | Refused | Uncertain) -> Step:
        """What follows a POST that was not accepted."""
        now, u = asyncio.get_running_loop().time(), self._runtime.rng.random()
        is_marked = bool(post.attempts.own_url and not post.callback)
        step = after(verdict, post.attempts, policy=self._policy, now=now, u=u, is_marked=is_marked)
        if isinstance(step, Again) and step.attempts.unproven:
            post.identified(step.attempts.unproven)
        return step

    def _accept(self, post: Post, accepted: Accepted) -> bool:
        """Follow the task; returns whether only its id was answered, as was asked for."""
        self.dialect.accepted(post.attempts.action, unmarked=post.attempts.refused_mark)
        lost, task_id = lost_submit(post), accepted.task_id or ""
        receipt = AcceptedSubmit(
            task_id,
            lost.kind,
            post.earliest,
            post.ended_at,
            self._reconciler.offset if post.offset is None else post.offset,
            post.mark,
            chosen=None if task_id else post.chosen,
        )
        # With a callback every deployment answers at once. The caller's own is not told apart from
        # what other clients send, so it shows nothing.
        asked_to = post.attempts.own_url or (
            self._asynchronous and post.request.callback_url is None
        )
        at_once = bool(asked_to) and accepted.status is PENDING
        self.follow(post, accepted)
        self._reconciler.accepted(receipt, at_once=at_once)
        return at_once

    def follow(self, post: Post, accepted: Accepted) -> TrackedTask:
        """Follow the task of a POST that was accepted, as its answer or the task list told."""
        post.verdict = accepted
        task_id, status = accepted.task_id or "", accepted.status
        kind = (post.request.action, post.request.model)
        post.tracked = self._tracker.follow(task_id, status, context=post.context, kind=kind)
        self._callback_router.bind(post.callback, post.tracked)
        # A task whose caller has left takes no slot: nobody would give it back.
        if not post.abandoned and self._tracker.count(post.tracked):
            self._admission.accepted(post.ticket)
        return post.tracked

    def release(self, post: Post) -> None:
        """The caller of a POST leaves: nobody waits for its task."""
        if post.tracked:
            self._tracker.release(post.tracked)

    async def stay(self, post: Post, deadline: float) -> None:
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


def lost_submit(post: Post) -> LostSubmit:
    """A POST whose answer has not come."""
    return LostSubmit(
        post.chosen, post.earliest, inf, offset=post.offset, mark=post.mark, is_held=post.is_held
    )
