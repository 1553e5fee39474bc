"""The exit codes: one table, complete and documented."""

from __future__ import annotations

import pytest

from veo_async.cli import _exits
from veo_async.cli._exits import code_of, message_of, worse
from veo_async.cli._help import exit_codes
from veo_async.errors import (
    BadRequestError,
    ContentRefusedError,
    DownloadError,
    GenerationFailedError,
    InsufficientBalanceError,
    InvalidRequestError,
    InvalidTokenError,
    MissingExtraError,
    NoTokenError,
    PollingError,
    RateLimitError,
    ServerError,
    SubmissionLimitError,
    SubmissionUncertainError,
    TaskNotFoundError,
    TokenExpiredError,
    VeoError,
    WaitTimeoutError,
    state_after,
)

CASES = [
    (ContentRefusedError("no"), 1, "failed"),
    (RateLimitError("slow down"), 1, "failed"),
    (GenerationFailedError("no luck", task_id="t"), 1, "failed"),
    (DownloadError("cut", task_id="t"), 1, "failed"),
    (VeoError("some error of tomorrow"), 1, "failed"),
    (OSError(28, "No space left on device"), 1, "failed"),
    (InvalidRequestError("empty", field="prompt"), 2, "failed"),
    (MissingExtraError(feature="This", extra="cli"), 2, "failed"),
    (TaskNotFoundError("unknown", task_id="t"), 1, "failed"),
    (TaskNotFoundError("unknown", task_id="t", may_have_cost=True), 3, "uncertain"),
    (BadRequestError("no such option"), 2, "failed"),
    (BadRequestError("odd id", task_id="t", may_have_cost=True), 3, "pending"),
    (ServerError("down", task_id="t", may_have_cost=True), 3, "pending"),
    (TokenExpiredError("over", task_id="t", may_have_cost=True), 4, "pending"),
    (SubmissionLimitError("three are enough"), 5, "failed"),
    (SubmissionUncertainError("cut"), 3, "uncertain"),
    (WaitTimeoutError("late", task_id="t"), 3, "pending"),
    (PollingError("no answer", task_id="t"), 3, "pending"),
    (WaitTimeoutError("late", task_id=None), 1, "failed"),
    (NoTokenError("none"), 4, "failed"),
    (InvalidTokenError("wrong"), 4, "failed"),
    (InsufficientBalanceError("broke"), 4, "failed"),
    (KeyboardInterrupt(), 130, "failed"),
    (ZeroDivisionError("oops"), 70, "failed"),
]


@pytest.mark.parametrize("error, code, state", CASES, ids=lambda value: type(value).__name__)
def test_code_and_state(error: BaseException, code: int, state: str) -> None:
    """An error ends a command with the code of its class, and its item in the matching state."""
    assert code_of(error) == code
    assert state_after(error) == state


def test_every_code_is_explained() -> None:
    """``veo-async help exit-codes`` explains the codes that a command ends with, and no other."""
    used = {*_exits.CODES.values(), _exits.OK, _exits.BUG}

    assert used == set(_exits.MEANINGS)
    for code, meaning in _exits.MEANINGS.items():
        assert f"{code:<3}  {meaning}" in exit_codes()


def test_the_more_severe_code() -> None:
    """Reaching a limit that one asked for is milder than every problem, and never good news."""
    others = set(_exits.MEANINGS) - {_exits.OK, _exits.LIMIT}

    assert set(_exits.SEVERITY) == set(_exits.MEANINGS)
    assert worse(_exits.LIMIT, _exits.OK) == _exits.LIMIT
    assert [worse(code, _exits.LIMIT) for code in others] == list(others)
    assert worse(_exits.FAILED, _exits.UNCERTAIN) == _exits.UNCERTAIN


def test_the_code_that_promises_that_nothing_was_bought() -> None:
    """Code 2 says that no money was spent, so no such error may say otherwise."""
    promising = [error for error, code, _ in CASES if code == _exits.USAGE]

    assert promising
    for error in promising:
        assert isinstance(error, VeoError)
        assert not error.may_have_cost


@pytest.mark.parametrize(
    "error, words",
    [
        (WaitTimeoutError("Too late.", task_id="a1"), "Too late. It was paid for and goes on: "),
        (PollingError("No answer.", task_id="a1"), "veo-async wait a1"),
        (SubmissionUncertainError("It was cut."), "veo-async tasks --since 15m"),
        (
            GenerationFailedError("No.", task_id="a1", trace_id="t1"),
            "bill says whether it was charged; to ask once more: veo-async wait a1",
        ),
        (DownloadError("It was cut.", task_id="a1"), "veo-async download a1 PATH"),
        (DownloadError("It was cut."), "stays paid for"),
        (TaskNotFoundError("It is unknown.", task_id="a1"), "account that submitted it: veo-async"),
        (
            TokenExpiredError("Over.", code="token_expired", task_id="a1", may_have_cost=True),
            "Over. (code token_expired) It was paid for and goes on: veo-async wait a1",
        ),
        (WaitTimeoutError("Too late.", task_id=None), "nothing was bought"),
        (ZeroDivisionError("oops"), "ZeroDivisionError: oops (a bug in veo-async: --debug"),
    ],
)
def test_message(error: BaseException, words: str) -> None:
    """A message says what to do next at a command line."""
    assert words in message_of(error)


def test_an_id_from_the_service_is_safe_to_copy() -> None:
    """The commands in a message are for copying, so a hostile id is quoted."""
    error = WaitTimeoutError("Too late.", task_id="$(reboot)\n; rm -r ~")

    assert message_of(error).endswith("veo-async wait '$(reboot)\\n; rm -r ~'")
