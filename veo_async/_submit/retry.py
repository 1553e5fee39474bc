"""What follows a submit that was not accepted: send again, stop, or look for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._base.backoff import backoff
from .._wire.dialect import other_spelling
from .._wire.replies import (
    unreachable,
)
from ..errors import (
    APIError,
    APINotImplementedError,
    BadRequestError,
    ConnectionFailedError,
    NoAPIError,
    RateLimitError,
    SubmissionUncertainError,
    VeoError,
)
from ..policies import RetryPolicy
from .verdict import NotSent, Refused, Uncertain


@dataclass(frozen=True, slots=True)
class Attempts:
    """The history of one submit.

    Attributes:
        started: when it began, in monotonic seconds.
        action: the spelling to send next.
        own_url: the callback address to send next, which no other submit has.
        unsent: the number of POSTs that provably were not sent.
        throttled: the number of those that were answered with 429.
        lost: the number of those that ended uncertain (counts only where that is sent again).
        misspelled: the refusal that the first spelling met, once the other one is tried.
        refused_mark: whether the service refused its mark, so that it is sent without one.
        unproven: the first one that ended uncertain and was sent again all the same, at the
            caller's risk: whatever follows, it may have been billed.
    """

    started: float
    action: str
    own_url: str | None = None
    unsent: int = 0
    throttled: int = 0
    lost: int = 0
    misspelled: APIError | None = None
    refused_mark: bool = False
    unproven: SubmissionUncertainError | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Send it again, after ``delay`` seconds."""

    attempts: Attempts
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """Give up with this error."""

    error: VeoError


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look for it in the task list first; ``if_absent`` follows once it provably is not there."""

    error: SubmissionUncertainError
    if_absent: Again | Stop


Step = Again | Stop | LookUp


def after(
    verdict: NotSent | Refused | Uncertain,
    attempts: Attempts,
    *,
    policy: RetryPolicy,
    now: float,
    u: float,
    is_marked: bool = False,
) -> Step:
    """What follows a submit that was not accepted. ``now`` is monotonic, ``u`` in [0, 1);
    ``is_marked`` tells whether it was sent with a callback address of the client's own."""
    if isinstance(verdict, Refused):
        if is_marked and _names_callback(verdict.error):
            return Again(replace(attempts, own_url=None, refused_mark=True))
        return _after_refusal(verdict.error, attempts, policy, now, u)
    if isinstance(verdict, NotSent):
        step = replace(attempts, unsent=attempts.unsent + 1)
        error = unreachable(verdict.failure)
        return _bounded(step, step.unsent, error, policy=policy, now=now, u=u)
    step, lost = replace(attempts, lost=attempts.lost + 1), uncertain(verdict)
    if policy.on_uncertain == "raise":
        return Stop(lost)
    if policy.on_uncertain == "resend":
        step = replace(step, unproven=attempts.unproven or lost)
        return _bounded(step, step.lost, lost, policy=policy, now=now, u=u)
    error = absent(verdict, step.lost)
    return LookUp(lost, _bounded(step, step.lost, error, policy=policy, now=now, u=u))


def _bounded(
    step: Attempts, count: int, error: VeoError, *, policy: RetryPolicy, now: float, u: float
) -> Again | Stop:
    delay = backoff(count, first=policy.backoff, cap=policy.max_backoff, u=u)
    late = now + delay - step.started > policy.max_elapsed
    return Stop(error) if count >= policy.attempts or late else Again(step, delay)


def uncertain(verdict: Uncertain) -> SubmissionUncertainError:
    """The error for a submit that may have been billed."""
    return SubmissionUncertainError(
        f"The submit was sent, but its answer proves nothing ({verdict.detail}).",
        trace_id=verdict.trace_id,
    )


def elsewhere(lost: SubmissionUncertainError, seen: NoAPIError) -> SubmissionUncertainError:
    """The error for a submit whose address shows pages, also where it is asked for tasks."""
    error = SubmissionUncertainError(seen.message, trace_id=lost.trace_id)
    error.advice = (
        "Check base_url, and what stands in between, such as a proxy or a login page. If base_url "
        "is right, it may have been accepted and billed: look for it with "
        "veo.tasks.list(created_at_min=error.sent_at - 60) before you send it again."
    )
    return error


def absent(verdict: Uncertain, lost: int) -> ConnectionFailedError:
    """The error for a submit that was sent several times, and each time provably not accepted."""
    times = "once" if lost == 1 else f"{lost} times"
    return ConnectionFailedError(
        f"The submit was sent {times}, and no answer came that proves anything "
        f"({verdict.detail}); the task list shows that it was not accepted."
    )


def undecided(error: SubmissionUncertainError, reason: str) -> SubmissionUncertainError:
    """The error for a submit about which the task list could not tell either."""
    message = f"{error.message} The task list cannot tell either: {reason}."
    return SubmissionUncertainError(message, trace_id=error.trace_id)


def after_resend(lost: SubmissionUncertainError, error: VeoError) -> VeoError:
    """The error for a submit that was sent again although an earlier POST may have been billed,
    and then ended with ``error``, which is about the last POST alone."""
    if isinstance(error, SubmissionUncertainError):
        error.request, error.sent_at = lost.request, lost.sent_at  # by the first, all are found
        return error
    return SubmissionUncertainError(
        f"{lost.message} It was sent again, and that ended otherwise: {error.message}",
        request=lost.request,
        sent_at=lost.sent_at,
        trace_id=lost.trace_id,
    )


def _names_callback(error: APIError) -> bool:
    """Whether the service refused the callback address; a refusal bought nothing."""
    words = f"{error.message} {error.body}".casefold()
    return isinstance(error, BadRequestError) and "callback" in words


def _after_refusal(
    error: APIError, attempts: Attempts, policy: RetryPolicy, now: float, u: float
) -> Again | Stop:
    if isinstance(error, RateLimitError):
        count = attempts.throttled + 1
        # The pause after a 429 is the limiter's, and is everybody's.
        heard = error.status_code == 429
        delay = 0.0 if heard else backoff(count, first=policy.backoff, cap=policy.max_backoff, u=u)
        over = now + delay - attempts.started > policy.max_elapsed
        if count >= policy.rate_limit_attempts or over:
            return Stop(error)
        return Again(replace(attempts, throttled=count), delay)
    if not isinstance(error, BadRequestError | APINotImplementedError):
        return Stop(error)
    if attempts.misspelled:
        return Stop(attempts.misspelled)
    other = other_spelling(attempts.action)
    return Again(replace(attempts, action=other, misspelled=error)) if other else Stop(error)
