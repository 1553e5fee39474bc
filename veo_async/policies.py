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
    """When to look how the tasks stand. One poll asks for up to ``batch_size`` tasks.

    The client learns how long each action and model takes, from its own tasks while it runs, and
    looks where it pays: a look is due when a finished video can be expected to have waited for
    ``patience`` seconds. Until something is learned, ``first`` and ``growth`` say when.

    Args:
        patience: how many seconds of waiting for a video one look is worth, where many tasks
            share the polls; a task alone has four times as much. With a quarter of it the
            results come twice as soon, for twice the polls.
        first: how long after the submit to look for the first time at a kind of task that is not
            known yet.
        growth: the delay until the next look at such a task, as a part of its age; half of it
            where many tasks share the polls.
        min_interval: the shortest delay between two looks at one task.
        max_interval: the longest, also until the first unless ``first`` is longer.
        callback_interval: the shortest delay between two looks at a task whose callback is
            awaited: looks are then a safety net.
        jitter: by which part a delay may be longer or shorter, by chance.
        batch_size: ids in one poll; the vendor recommends at most 50.
        per_second: polls a second, however many tasks are in flight; a half second's worth may go
            in a row.
        timeout: how long one poll may take.
        bad_polls: how many polls in a row may go wrong before a wait fails; any good one resets
            the count.
        unknown_grace: how long an id may be unknown to the service before it counts as not found.
    """

    patience: Annotated[Seconds, Field(ge=1e-6, le=1e6)] = 0.2
    first: Annotated[Seconds, Field(le=1e6)] = 5.0
    growth: Annotated[float, Field(ge=0.01, le=10)] = 0.25
    min_interval: Annotated[Seconds, Field(gt=0)] = 1.0
    max_interval: Annotated[Seconds, Field(gt=0)] = 20.0
    callback_interval: Annotated[Seconds, Field(gt=0)] = 20.0
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.1
    batch_size: Annotated[int, Field(ge=1, le=50)] = 50
    per_second: Rate = 10.0
    timeout: Annotated[Seconds, Field(gt=0)] = 30.0
    bad_polls: Count = 10
    unknown_grace: Seconds = 60.0


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
        settle: how long a cancelled caller stays for the answer to a submit that has begun, unless
            it is cancelled once more.
    """

    on_uncertain: Literal["reconcile", "raise", "resend"] = "reconcile"
    attempts: Count = 5
    rate_limit_attempts: Count = 30
    max_elapsed: Seconds = 900.0
    backoff: Annotated[Seconds, Field(gt=0)] = 0.5
    max_backoff: Annotated[Seconds, Field(gt=0)] = 30.0
    submit_timeout: Annotated[Seconds, Field(gt=0)] = 600.0
    settle: Seconds = 10.0
