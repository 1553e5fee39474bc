"""How the client behaves: frozen values that validate, compare and print all their fields.

All times are seconds, as a number or a ``timedelta``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ._base.values import Seconds, Value

__all__ = ["PollPolicy", "RateLimit", "RetryPolicy"]

# The bounds keep the arithmetic of times finite; nobody needs more, or less than one in 11 days.
Count = Annotated[int, Field(ge=1, le=10**9)]
Rate = Annotated[float, Field(ge=1e-6, le=1e9)]


class RateLimit(Value):
    """How much is asked of the service at once.

    Args:
        concurrency: open HTTP calls to the API, polls included. A quarter of them, at least one,
            is kept for polls. With ``mode="sync"`` every call is held until its video is ready,
            so this is the number of videos made at once.
        in_flight: generations that are accepted and unfinished, tasks that are only waited for
            included; ``None`` leaves it to ``adaptive``.
        per_second: requests a second, polls included; ``None`` sets no limit.
        burst: how many requests may go at once after a pause before ``per_second`` spaces them.
        adaptive: whether the client learns from each 429 what the service allows, requests a second
            and generations in flight, keeps a little below it, and tries ever more rarely whether
            it allows more. Without it a 429 pauses everybody, and teaches nothing.
    """

    concurrency: Count = 8
    in_flight: Count | None = None
    per_second: Rate | None = None
    burst: Count = 1
    adaptive: bool = True


class PollPolicy(Value):
    """When tasks are polled. One poll asks for up to ``batch_size`` tasks.

    The client learns how long each action and model takes, from its own tasks while it runs. A
    poll is due when the expected time that a finished video has been waiting unnoticed reaches
    ``patience``. Until the client has learned that, ``first_delay`` and ``growth_factor`` say when.

    Args:
        patience: the expected delay, in seconds, that one poll may cost. Smaller values notice
            results sooner and poll more: a quarter of it halves the delay, for twice the polls.
            A task that is polled alone uses four times this value.
        first_delay: seconds from a submit to the first poll of its task, for an action and model
            that are not known yet.
        growth_factor: the delay until the next poll of such a task, as a part of its age. Where
            many tasks share the polls, half of it.
        min_interval: the shortest delay between two polls of one task, in seconds.
        max_interval: the longest such delay, also until the first poll unless ``first_delay`` is
            longer.
        callback_interval: the shortest delay between two polls of a task whose callback is
            expected: polls are then a safety net.
        jitter: the part by which a delay varies at random.
        batch_size: ids in one poll. The vendor recommends at most 50.
        per_second: polls a second, however many tasks are in flight. Half a second's worth may go
            in a row.
        timeout: seconds that one poll may take.
        max_failed_polls: how many polls in a row may fail before a wait fails. Any good poll
            resets the count.
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
    per_second: Rate = 10.0
    timeout: Annotated[Seconds, Field(gt=0)] = 30.0
    max_failed_polls: Count = 10
    not_found_grace: Seconds = 60.0


class RetryPolicy(Value):
    """What follows a submit that was not accepted. Nothing here can buy a video twice, except
    ``on_uncertain="resend"``.

    Args:
        on_uncertain: what to do when a submit may or may not have been accepted. ``reconcile``
            looks for it in the account's task list: it is adopted if it is there, sent again if
            it provably is not, and raised as `SubmissionUncertainError` if nobody can tell.
            ``raise`` raises that at once. ``resend`` sends it again at the risk of paying twice.
        attempts: how often a submit is sent that provably never left this machine, or that was
            provably not accepted, or whose outcome is uncertain under ``resend``.
        rate_limit_attempts: how often a submit is sent that was answered with 429.
        max_elapsed: how long one submit may be retried in all.
        backoff: the first delay; it doubles from one attempt to the next.
        max_backoff: the longest delay.
        submit_timeout: how long a submit's answer is awaited. It is long since a synchronous
            answer, after minutes, is legal.
        shutdown_grace: seconds for which a cancelled caller, or a client that is being closed,
            waits for the answer to a submit that has begun. A second cancellation ends that.

    Raises:
        InvalidRequestError: a value is out of its bounds; ``field`` names it.
    """

    on_uncertain: Literal["reconcile", "raise", "resend"] = "reconcile"
    attempts: Count = 5
    rate_limit_attempts: Count = 30
    max_elapsed: Seconds = 900.0
    backoff: Annotated[Seconds, Field(gt=0)] = 0.5
    max_backoff: Annotated[Seconds, Field(gt=0)] = 30.0
    submit_timeout: Annotated[Seconds, Field(gt=0)] = 600.0
    shutdown_grace: Seconds = 10.0
