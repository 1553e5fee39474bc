"""The submits: each POST that costs money runs in a task of its own and is never abandoned.

Cancelling the caller (``task.cancel``, ``asyncio.timeout``, a web server, Ctrl-C; a shielded
scope does not stop native cancellation) does not cut the POST. The caller stays up to ``settle``
seconds for its answer, then goes; what the answer says is kept in `left` and in a
warning. Nor is it cut when the event loop cancels all its tasks: see `guard`. Who is cancelled a
second time meanwhile (a second Ctrl-C) wants to be gone: the end waits for no POST of theirs, which
is uncertain then.
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
from .._events import EventEmitter, event_of_absence, event_of_adoption
from .._limits.admission import Admission
from .._reconcile.decision import Absent, CannotTell
from .._reconcile.reconciler import Reconciler
from .._reconcile.window import LostSubmit, Receipt
from .._tracking.registry import TaskRegistry
from .._tracking.task import TrackedTask
from .._wire.dialect import OTHER_SPELLING
from .._wire.requests import submit_body
from .._wire.task_status import PENDING
from ..callbacks._registry import CallbackHandle, without_token
from ..errors import ClientClosedError, SubmissionUncertainError, VeoError, WaitTimeoutError
from ..events import Submitted
from ..models import VideoRequest
from ..policies import RetryPolicy
from . import retry
from .callback_router import CallbackRouter
from .drain import InFlightPosts
from .ledger import Intent, Ledger
from .post import Post, explain
from .unsettled import UnsettledSubmits
from .verdict import Accepted, NotSent, Uncertain, Verdict, event_of_verdict, judge

logger = logging.getLogger("veo_async")

P = TypeVar("P")
T = TypeVar("T")


class Submitter:
    """All submits of one client."""

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
    ) -> None:
        self._admission = admission
        self._tracker = tracker
        self._reconciler = reconciler
        self._callback_router = callback_router
        self._policy = policy
        self._asynchronous = asynchronous
        self._runtime = runtime
        self._events = events
        self._spelling: str | None = None
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
    ) -> TrackedTask:
        """Send a request until it is accepted or refused, or the ``deadline`` (in monotonic
        seconds) is over. Each POST is noted in ``begun``, which `keeping` gave, and told to the
        ``ledger``. All bear one callback, an earlier run's if it is given: whichever of them turns
        out to have been accepted, it is this submit's.

        Raises:
            VeoError: it was not accepted, or nobody can tell.
        """
        self._check_open()
        respelled = self._spelling if request.action in OTHER_SPELLING else None
        action = respelled or request.action
        attempts = retry.Attempts(started=anyio.current_time(), action=action)
        ticket = self._admission.ticket()
        callback = None if request.callback_url else callback or self._callback_router.issue()
        try:
            while True:
                intent = self._intent(request, attempts.action, ledger, callback)
                waited = await self._turn(deadline, ticket, intent)
                # A wait for others' ends is no retry of this one.
                attempts = replace(attempts, started=attempts.started + waited)
                post = self._begin(request, attempts.action, ticket, ledger, callback)
                begun.append(post)
                step = await self._outcome(post, attempts, deadline)
                if isinstance(step, TrackedTask):
                    return step
                attempts = step.attempts
                await _before(deadline, anyio.sleep, step.delay)
        except VeoError as error:
            if attempts.unproven is None or error.may_have_cost:
                raise
            raise retry.sent_again(attempts.unproven, error) from error

    def _intent(
        self,
        request: VideoRequest,
        action: str,
        ledger: Ledger | None,
        callback: CallbackHandle | None,
    ) -> Intent | None:
        if ledger is None:
            return None
        callback_url = callback.url if callback else request.callback_url
        return Intent(ledger, request, action, callback_url, self._runtime.wall_clock)

    async def _turn(self, deadline: float, ticket: int, intent: Intent | None) -> float:
        """Wait until a POST may be sent that is announced; see `Admission.enter`."""
        if intent is None:
            return await _before(deadline, self._admission.enter, ticket)
        enter = partial(self._admission.enter, prepare=intent.declare, is_slow=intent.is_slow)
        try:
            waited = await _before(deadline, enter, ticket)
        except BaseException:
            intent.withdraw()
            raise
        try:
            await intent.renew()
        except BaseException:
            self._admission.leave(ticket)
            raise
        return waited

    async def _outcome(
        self, post: Post, attempts: retry.Attempts, deadline: float
    ) -> TrackedTask | retry.Again:
        """What follows a POST."""
        try:
            return await self._step(post, attempts, deadline)
        finally:
            self._admission.resolved(post.ticket)

    async def _step(
        self, post: Post, attempts: retry.Attempts, deadline: float
    ) -> TrackedTask | retry.Again:
        """Await what a POST came to, and ask the law what follows."""
        verdict = await self._verdict(post, deadline)
        if isinstance(verdict, Accepted):
            assert post.tracked is not None  # `_conclude` has followed every accepted task
            return post.tracked
        now = anyio.current_time()
        u = self._runtime.rng.random()
        step = retry.after(verdict, attempts, policy=self._policy, now=now, u=u)
        if isinstance(step, retry.Again) and (lost := step.attempts.unproven) and not lost.sent_at:
            lost.request, lost.sent_at = post.request, post.sent_at
        found = (
            await self._look_up(post, step, deadline) if isinstance(step, retry.LookUp) else step
        )
        if not isinstance(found, retry.Stop):
            return found
        if isinstance(found.error, SubmissionUncertainError):
            found.error.request, found.error.sent_at = post.request, post.sent_at
        raise found.error from _cause(verdict)

    async def _look_up(
        self, post: Post, step: retry.LookUp, deadline: float
    ) -> TrackedTask | retry.Again | retry.Stop:
        """Look for a lost submit in the account's task list."""
        trace_id, offset = step.error.trace_id, post.offset
        lost = LostSubmit(
            post.chosen,
            post.sent_at,
            post.ended_at,
            trace_id,
            offset,
            callback_url=post.callback_url,
        )
        ledger = post.ledger

        def adopted(task_id: str) -> None:
            if self._events:
                at = self._events.now()
                self._events.emit(event_of_adoption(post.context, task_id, at=at))
            # In the step in which it is given away: a caller that goes now must not lose it.
            if ledger:
                ledger.adopted(task_id)
            self._follow(post, Accepted(task_id, PENDING))

        decision = await self._reconciler.resolve(
            lost, deadline=deadline, adopted=adopted, callback=post.callback
        )
        if isinstance(decision, Absent):
            post.verdict = None  # it bought nothing, so nobody need be told of it
            if self._events:
                self._events.emit(event_of_absence(post.context, at=self._events.now()))
            if ledger:
                ledger.absent()
            return step.if_absent
        if isinstance(decision, CannotTell):
            return retry.Stop(retry.undecided(step.error, decision.reason))
        assert post.tracked is not None  # `adopted` has followed it
        return post.tracked

    def under_way(self) -> list[LostSubmit]:
        """The submits whose answers are still awaited."""
        return [
            LostSubmit(
                post.chosen,
                post.sent_at,
                inf,
                offset=post.offset,
                callback_url=post.callback_url,
            )
            for post in self._guard.posts
        ]

    def leave(self, ledgers: Callable[[Ledger], bool]) -> None:
        """These ledgers are about to be closed. What is open now may be accepted for as long as
        its answer is awaited, and nobody will tell them."""
        for post in self._guard.posts:
            if post.ledger and ledgers(post.ledger):
                post.ledger.left_open(post.sent_at + self._policy.submit_timeout)

    # The POST itself.

    def _begin(
        self,
        request: VideoRequest,
        action: str,
        ticket: int,
        ledger: Ledger | None,
        callback: CallbackHandle | None,
    ) -> Post:
        """Start a POST. Nothing is awaited between the end of `_turn` and this."""
        try:
            self._check_open()
        except ClientClosedError:
            self._admission.leave(ticket)
            if ledger:
                ledger.not_posted()
            raise
        body = submit_body(
            request,
            action=action,
            asynchronous=self._asynchronous,
            callback_url=callback.url if callback else None,
        )
        post = Post(
            request,
            body,
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
        post.task.add_done_callback(
            lambda task: self._conclude(post, action, task), context=Context()
        )
        self._guard.begun(post)
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

    def _conclude(self, post: Post, action: str, task: asyncio.Task[None]) -> None:
        """The POST is over, whoever is still there to hear of it."""
        post.task = None  # its caller may wait for the video for minutes, and keeps the rest
        self._guard.done(post)
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
                at_once = self._accept(post, post.verdict, action)
        finally:  # a fault of ours must not keep what was bought from its record and its caller
            if post.ledger:
                post.ledger.after_post(post.verdict, post.ended_at, at_once=at_once)
            if post.abandoned:
                self.unsettled.finished(post)
            post.done.set()

    def _accept(self, post: Post, accepted: Accepted, action: str) -> bool:
        """Follow the task; returns whether only its id was answered, as was asked for."""
        if post.request.action in OTHER_SPELLING:
            self._spelling = action
        receipt = Receipt(
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

    async def _verdict(self, post: Post, deadline: float) -> Verdict:
        """What the POST came to; a caller that is cancelled or late stays until it settles."""
        try:
            is_over = await post.done.wait(until=deadline + self._policy.shutdown_grace)
        except BaseException:
            self.unsettled.caller_left(post)
            await self._settle(post)
            raise
        if not is_over:
            self.unsettled.caller_left(post)
            late = "no answer came within the time to wait; a later one appears in veo.unsettled"
            raise explain(Uncertain(late), post.request, post.sent_at)
        assert post.verdict is not None  # `_conclude` gives one to each
        return post.verdict

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


def _cause(verdict: Verdict) -> BaseException | None:
    if isinstance(verdict, Uncertain):
        return verdict.cause
    return verdict.failure.exception if isinstance(verdict, NotSent) else None
