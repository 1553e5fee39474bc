"""The exit codes and the error messages of the command line.

An error class that is not in `CODES` has the code of its nearest base class. A command with several
items has the most severe of their codes, so that one number tells a script the most important fact.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final, TypeVar

from ..errors import (
    AccountError,
    APINotImplementedError,
    BadRequestError,
    DownloadError,
    GenerationFailedError,
    InvalidRequestError,
    MissingExtraError,
    NoAPIError,
    PollingError,
    SubmissionLimitError,
    SubmissionUncertainError,
    TaskNotFoundError,
    VeoError,
    WaitTimeoutError,
    state_after,
)
from ._text import plain

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNCERTAIN: Final = 3
ACCOUNT: Final = 4
LIMIT: Final = 5
BUG: Final = 70
INTERRUPTED: Final = 130

MEANINGS: Final[Mapping[int, str]] = {
    OK: "all is well",
    FAILED: "some failed, or results could not be written to standard output",
    USAGE: "bad usage or bad input: nothing was bought",
    UNCERTAIN: "some are uncertain or still running: look before you pay again",
    ACCOUNT: "the token or the balance needs attention",
    LIMIT: "the limit of --max-submissions was reached: run the same command again to go on",
    BUG: "a bug in veo-async: --debug shows the traceback",
    INTERRUPTED: "interrupted: what was submitted goes on at the service",
}

SEVERITY: Final = (OK, LIMIT, FAILED, USAGE, UNCERTAIN, ACCOUNT, BUG, INTERRUPTED)
"""The codes from the mildest to the most severe."""

CODES: Final[Mapping[type[BaseException], int]] = {
    VeoError: FAILED,
    OSError: FAILED,
    InvalidRequestError: USAGE,
    MissingExtraError: USAGE,
    BadRequestError: USAGE,
    APINotImplementedError: USAGE,
    NoAPIError: USAGE,
    SubmissionLimitError: LIMIT,
    SubmissionUncertainError: UNCERTAIN,
    WaitTimeoutError: UNCERTAIN,
    PollingError: UNCERTAIN,
    AccountError: ACCOUNT,
    KeyboardInterrupt: INTERRUPTED,
}

ADVICE: Final[Mapping[type[BaseException], str]] = {
    SubmissionUncertainError: (
        "It may have been accepted and billed, so it was not sent again; look for it: "
        "veo-async tasks --since 15m"
    ),
    TaskNotFoundError: (
        "If a submit was answered with it, it was paid for. Check the id, and that the token is of "
        "the account that submitted it: veo-async tasks"
    ),
    GenerationFailedError: (
        "The service's bill says whether it was charged; to ask once more: veo-async wait {task_id}"
    ),
    DownloadError: "The video is not lost: veo-async download {task_id} PATH",
}
"""The next step as a command, for errors whose own message names a method."""

GO_ON: Final = "It was paid for and goes on: veo-async wait {task_id}"
"""The next step for every pending task."""

T = TypeVar("T")


def _nearest(table: Mapping[type[BaseException], T], error: BaseException, default: T) -> T:
    return next((table[cls] for cls in type(error).__mro__ if cls in table), default)


def code_of(error: BaseException) -> int:
    """The exit code of a command that ends with an error."""
    code = _nearest(CODES, error, BUG)
    if state_after(error) != "failed":
        # The task goes on at the service: it has not failed, and may not have been free.
        return UNCERTAIN if code in {FAILED, USAGE} else code
    # An error before a submit was accepted leaves no task to look for.
    return FAILED if code == UNCERTAIN else code


def worse(one: int, other: int) -> int:
    """The more severe of two exit codes."""
    return max(one, other, key=SEVERITY.index)


def message_of(error: BaseException) -> str:
    """The error and the next step, for a person at a command line."""
    if code_of(error) == BUG:
        return f"{type(error).__name__}: {error} ({MEANINGS[BUG]})"
    advice = GO_ON if state_after(error) == "pending" else _nearest(ADVICE, error, "")
    task_id: str | None = getattr(error, "task_id", None)
    if not advice or (task_id is None and "{task_id}" in advice):
        return str(error)
    facts = {"code": getattr(error, "code", None), "trace_id": getattr(error, "trace_id", None)}
    known = "".join(f" ({name} {value})" for name, value in facts.items() if value)
    return f"{error.args[0]}{known} {advice.format(task_id=quoted(task_id or ''))}"


def quoted(task_id: str) -> str:
    """An id from the service, quoted so that a person can copy the command into a shell."""
    return shlex.quote(plain(task_id))
