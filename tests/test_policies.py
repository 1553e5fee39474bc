from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from veo_async.errors import InvalidRequestError
from veo_async.policies import PollPolicy, RateLimit, RetryPolicy

POLICIES = [RateLimit, PollPolicy, RetryPolicy]
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "policy, field, values",
    [
        (RateLimit, "concurrency", [0, -1, 1.5, "many", None, NAN]),
        (RateLimit, "in_flight", [0, -1, 2.5, "many"]),
        (RateLimit, "per_second", [0, -1, 1e-320, NAN, INF, "fast"]),
        (RateLimit, "burst", [0, -1, 10**400, None]),
        (RateLimit, "adaptive", ["perhaps", 2]),
        (RateLimit, "rate", [1]),
        (PollPolicy, "first_delay", [-1, NAN, INF, timedelta(seconds=-1), "soon", None]),
        (PollPolicy, "patience", [0, -1, 1e7, NAN, timedelta(0)]),
        (PollPolicy, "growth_factor", [-0.1, 0, 11, NAN, INF]),
        (PollPolicy, "min_interval", [0, -1, NAN, timedelta(0)]),
        (PollPolicy, "max_interval", [0, INF]),
        (PollPolicy, "jitter", [-0.1, 1, NAN]),
        (PollPolicy, "batch_size", [0, 51, None]),
        (PollPolicy, "per_second", [0, 1e-320, INF]),
        (PollPolicy, "timeout", [0, NAN]),
        (PollPolicy, "max_failed_polls", [0]),
        (PollPolicy, "not_found_grace", [-1, INF]),
        (PollPolicy, "interval", [1]),
        (RetryPolicy, "on_uncertain", ["", "retry", None, True]),
        (RetryPolicy, "marks", ["", "on", None, True, "ftp://me.example/x", "https://"]),
        (RetryPolicy, "mark_callback_urls", ["perhaps", None]),
        (RetryPolicy, "attempts", [0]),
        (RetryPolicy, "rate_limit_attempts", [0]),
        (RetryPolicy, "max_elapsed", [-1, NAN]),
        (RetryPolicy, "backoff", [0, INF]),
        (RetryPolicy, "max_backoff", [0, NAN]),
        (RetryPolicy, "submit_timeout", [0, INF]),
        (RetryPolicy, "shutdown_grace", [-1, INF]),
        (RetryPolicy, "retries", [3]),
    ],
)
def test_impossible_option_is_named(
    policy: Callable[..., BaseModel], field: str, values: list[Any]
) -> None:
    """A policy refuses an impossible value on construction, and names the option."""
    for value in values:
        with pytest.raises(InvalidRequestError, match=field) as caught:
            policy(**{field: value})

        assert caught.value.field == field


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_compare_and_hash_by_value(policy: Callable[..., BaseModel]) -> None:
    """Two policies of the same values are the same key."""
    assert policy() == policy()
    assert hash(policy()) == hash(policy())
    assert pickle.loads(pickle.dumps(policy())) == policy()


def test_policies_that_differ_are_not_equal() -> None:
    """One other value makes another policy."""
    assert RateLimit(burst=2) != RateLimit()


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_print_all_their_fields(policy: type[BaseModel]) -> None:
    """The text of a policy can be read and typed again: every field with its value."""
    shown = repr(policy())

    for name in policy.model_fields:
        assert f"{name}={getattr(policy(), name)!r}" in shown


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_are_frozen(policy: type[BaseModel]) -> None:
    """A policy that was handed over does not change behind the client's back."""
    name = next(iter(policy.model_fields))

    with pytest.raises(ValueError, match="frozen"):
        setattr(policy(), name, 1)


@pytest.mark.parametrize("value", [90, 90.0, timedelta(minutes=1.5)])
def test_times_are_seconds_or_timedeltas(value: Any) -> None:
    """A time is a number of seconds or a timedelta, and is kept as seconds."""
    assert PollPolicy(timeout=value).timeout == 90.0
    assert RetryPolicy(shutdown_grace=value).shutdown_grace == 90.0


def test_an_uncertain_submit_is_not_sent_again_unless_asked() -> None:
    """By default nothing can be bought twice."""
    assert RetryPolicy().on_uncertain != "resend"
