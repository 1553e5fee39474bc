"""The behaviour of the client: frozen values that validate, compare and print all their fields.

All times are seconds, as a number or a ``timedelta``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ._base.values import Seconds, Value, WebAddress

__all__ = ["PollPolicy", "RateLimit", "RetryPolicy"]

# The bounds keep the arithmetic of times finite. The lowest rate is one in 11 days.
Count = Annotated[int, Field(ge=1, le=10**9)]
Rate = Annotated[float, Field(ge=1e-6, le=1e9)]


class RateLimit(Value):
    """The limits on what the client asks of the service at once.

    Args:
        concurrency: the most open HTTP calls to the API, polls included. A quarter of them, at
            least one, is kept for polls. With ``mode="sync"`` every call is held until its video is
            ready, so this is the number of videos made at once.
        in_flight: the most generations that are accepted and unfinished, including tasks that are
            only waited for; ``None`` leaves the number to ``adaptive``. A task counts from its
            submit until it ends, or until a wait for it ends before (by a timeout or a
            cancellation), or for an hour if nobody ever waits for it. A later wait counts again.
        per_second: the most requests a second, polls included; ``None`` sets no limit.
        burst: the most requests that are sent at once after a pause, before ``per_second`` spaces
            them.
        adaptive: whether the client learns from each 429 what the service allows: requests a second
            and generations in flight. It then stays a little below that, and tests more and more
            rarely whether more is allowed. Without it, a 429 pauses all calls and teaches nothing.

    Raises:
        InvalidRequestError: a value is out of its bounds; ``field`` names it.
    """

    concurrency: Count = 8
    in_flight: Count | None = None
    per_second: Rate | None = None
    burst: Count = 1
    adaptive: bool = True


class PollPolicy(Value):
    """The rule for when tasks are polled. One poll asks for up to ``batch_size`` tasks.

    The client learns how long each action and model takes, from its own tasks while it runs. A
    poll is due when the expected time that a finished video has been waiting unnoticed reaches
    ``patience``. Until the client has learned that, ``first_delay`` and ``growth_factor`` set the
    delays.

    Args:
        patience: the expected delay, in seconds, that one poll may cost. Smaller values notice
            results sooner and poll more: a quarter of it halves the delay, for twice the polls.
            A task that is polled alone uses four times this value.
        first_delay: seconds from a submit to the first poll of its task, for an action and model
            that are not known yet.
        growth_factor: the delay until the next poll of such a task, as a part of its age. Where
            many tasks share the polls, half of it.
        min_interval: the shortest delay between two polls of one task, in seconds.
        max_interval: the longest such delay, in seconds. It also bounds the delay until the first
            poll, unless ``first_delay`` is longer.
        callback_interval: the shortest delay, in seconds, between two polls of a task whose
            callback is expected: polls are then a safety net.
        jitter: the part by which a delay varies at random.
        batch_size: the most ids in one poll. The vendor recommends at most 50.
        per_second: the most polls a second, however many tasks are in flight. Half a second's worth
            may be sent at once. ``None`` lets their number follow the work: as many as keep the
            delay the same at any number of tasks, at most half of what the service was seen to
            allow in requests a second, and fewer while it refuses polls.
        timeout: seconds that one poll may take.
        max_failed_polls: the number of polls in a row that may fail before a wait fails. Any good
            poll resets the count.
        not_found_grace: seconds for which the service may not know an id before the wait for it
            fails as not found.

    Raises:
        InvalidRequestError: a value is out of its bounds; ``field`` names it.
    """

    patience: Annotated[Seconds, Field(ge=1e-6, le=1e6)] = 0.2
    first_delay: Annotated[Seconds, Field(le=1e6)] = 5.0
    growth_factor: Annotated[float, Field(ge=0.01, le=10)] = 0.25
    min_interval: Annotated[Seconds, Field(gt=0)] = 1.0
    max_interval: Annotated[Seconds, Field(gt=0)] = 20.0
    callback_interval: Annotated[Seconds, Field(gt=0)] = 20.0
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.1
    batch_size: Annotated[int, Field(ge=1, le=50)] = 50
    per_second: Rate | None = None
    timeout: Annotated[Seconds, Field(gt=0)] = 30.0
    max_failed_polls: Count = 10
    not_found_grace: Seconds = 60.0


class RetryPolicy(Value):
    """The rule for a submit that was not accepted. None of its values can buy a video twice, except
    ``on_uncertain="resend"``.

    Args:
        on_uncertain: the reaction to a submit that may or may not have been accepted. ``reconcile``
            searches the account's task list: the client adopts the task if it is there,
            sends the request again if it provably is not, and raises `SubmissionUncertainError` if
            the list proves neither. ``raise`` raises that error at once. ``resend`` sends the
            request again at the risk of paying twice.
        marks: the mark by which a lost submit is recognised in the task list: a callback address
            that no other submit has. ``auto`` sends ``https://api.acedata.cloud/health`` with a
            random number, which the service stores in the task's record and whose calls it
            discards; an API on this machine gets its own ``/health``. A URL is used instead of it:
            the service must be able to reach it. ``off`` sends none: a lost submit is then found by
            comparing requests, and more of them stay uncertain. ``mode="sync"`` sends none either.
        mark_callback_urls: whether a ``callback_url`` of the caller's own is marked as well, by a
            fragment at its end. A fragment is stored, and not sent over HTTP.
        attempts: the most POSTs of one submit that provably never left this machine, or were
            provably not accepted, or whose outcome is uncertain under ``resend``.
        rate_limit_attempts: the most POSTs of one submit that were answered with 429.
        max_elapsed: seconds for which one submit may be retried in all.
        backoff: the first delay, in seconds; it doubles from one attempt to the next.
        max_backoff: the longest delay, in seconds.
        submit_timeout: seconds for which the answer to a submit is awaited. It is long because a
            synchronous answer, after minutes, is legal.
        shutdown_grace: seconds for which a cancelled caller, or a client that is being closed,
            waits for the answer to a submit that has begun. A second cancellation ends that.

    Raises:
        InvalidRequestError: a value is out of its bounds; ``field`` names it.
    """

    on_uncertain: Literal["reconcile", "raise", "resend"] = "reconcile"
    marks: Literal["auto", "off"] | WebAddress = "auto"
    mark_callback_urls: bool = False
    attempts: Count = 5
    rate_limit_attempts: Count = 30
    max_elapsed: Seconds = 900.0
    backoff: Annotated[Seconds, Field(gt=0)] = 0.5
    max_backoff: Annotated[Seconds, Field(gt=0)] = 30.0
    submit_timeout: Annotated[Seconds, Field(gt=0)] = 600.0
    shutdown_grace: Seconds = 10.0
