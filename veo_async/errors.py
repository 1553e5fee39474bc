"""Every error that crosses the public face, ordered by what the caller does next.

::

    VeoError
    ├── InvalidRequestError (ValueError)     fix the call: nothing was sent
    ├── MissingExtraError (ImportError)      install the extra that it names
    ├── ClientClosedError                    use a client that is still open
    ├── JournalError                         see to the journal: the message says how
    ├── APIError                             the service answered with an error
    │   ├── BadRequestError                    fix the call        400 bad_request, any 422
    │   ├── APINotImplementedError             fix the call        400 api_not_implemented
    │   ├── NoAPIError                         fix the base URL    404 no_api, foreign pages
    │   ├── ContentRefusedError                change the content  403, any other code
    │   ├── AccountError                       fix the account:
    │   │   ├── NoTokenError                     400 no_token, or no token was given here
    │   │   ├── InvalidTokenError                401 invalid_token
    │   │   ├── TokenExpiredError                401 token_expired
    │   │   ├── TokenMismatchedError             400 or 401 token_mismatched
    │   │   ├── DisabledError                    400 disabled
    │   │   └── InsufficientBalanceError         403 used_up, any 402
    │   ├── RateLimitError                     wait (retry_after)  429 too_many_requests
    │   ├── ServerError                        try later           500 api_error, any 5xx
    │   └── UndecodableReplyError              report a bug: no such answer is documented
    ├── ConnectionFailedError                try later: nothing was bought
    ├── GenerationFailedError                the service failed this video, by its latest word
    ├── SubmissionLimitError                 run the batch again: its limit was reached
    ├── SubmissionUncertainError             look it up: it may have been paid for
    ├── WaitTimeoutError (TimeoutError)      resume: wait for the same task_id again
    ├── PollingError                         resume: wait for the same task_id again
    ├── TaskNotFoundError                    check the task_id
    └── DownloadError                        download again: the video stays paid for

Statuses and codes are those of the API guide and of the vendor's OpenAPI document.
Every error says whether money may have been spent (``may_have_cost``), and every one can be
pickled, so that it survives a process pool or a task queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = [
    "APIError",
    "APINotImplementedError",
    "AccountError",
    "BadRequestError",
    "ClientClosedError",
    "ConnectionFailedError",
    "ContentRefusedError",
    "DisabledError",
    "DownloadError",
    "GenerationFailedError",
    "InsufficientBalanceError",
    "InvalidRequestError",
    "InvalidTokenError",
    "JournalError",
    "MissingExtraError",
    "NoAPIError",
    "NoTokenError",
    "PollingError",
    "RateLimitError",
    "ServerError",
    "SubmissionLimitError",
    "SubmissionUncertainError",
    "TaskNotFoundError",
    "TokenExpiredError",
    "TokenMismatchedError",
    "UndecodableReplyError",
    "VeoError",
    "WaitTimeoutError",
]


def _revive(cls: type[VeoError], args: tuple[Any, ...], state: dict[str, Any]) -> VeoError:
    error = cls.__new__(cls, *args)
    # Past our own constructors: ImportError and TimeoutError keep facts outside of __dict__.
    super(VeoError, error).__init__(*args)
    error.__dict__.update(state)
    return error


def _resume(task_id: str | None) -> str:
    if task_id is None:
        return "It may have been paid for: look for it with veo.tasks.list()."
    return f"The task was paid for and may still finish: resume with veo.wait({task_id!r})."


class VeoError(Exception):
    """The root of the tree: ``except VeoError`` catches every error of this library.

    Attributes:
        message: what happened, in one sentence. The text of the error adds facts and ``advice``.
        advice: the next step, in one sentence; empty where the message contains it.
        may_have_cost: whether the call that failed may have been billed.
        task_id: the service's id of the task that the error is about, if there is one. A task that
            has an id continues at the service after any error here.
    """

    advice: str = ""

    def __init__(
        self, message: str, *, task_id: str | None = None, may_have_cost: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.task_id = task_id
        self.may_have_cost = may_have_cost

    def __str__(self) -> str:
        return f"{self.message} {self.advice}" if self.advice else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own pickling repeats args alone, so it cannot pass keyword-only arguments.
        return _revive, (type(self), self.args, self.__dict__.copy())


class InvalidRequestError(VeoError, ValueError):
    """The request cannot be right, so nothing was sent. Fix the field that ``field`` names.

    Attributes:
        field: the argument or the field that is wrong.
        advice: another sentence where something was sent before the error was found, as in the
            middle of a batch.
    """

    advice = "Nothing was sent."

    def __init__(self, message: str, *, field: str | None = None, advice: str = advice) -> None:
        super().__init__(message)
        self.field = field
        self.advice = advice


class MissingExtraError(VeoError, ImportError):
    """A feature needs libraries that are not installed. Install the extra.

    Attributes:
        feature: the feature that was used.
        extra: the extra of this package that brings the libraries.
    """

    def __init__(self, *, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs more libraries: pip install "veo-async[{extra}]".')
        self.feature = feature
        self.extra = extra


class ClientClosedError(VeoError):
    """The client was closed. A task with an id continues: wait for it with another client."""

    def __str__(self) -> str:
        advice = f"With another client, call veo.wait({self.task_id!r})."
        return f"{self.message} {advice}" if self.task_id else self.message


class JournalError(VeoError):
    """The journal of a batch cannot be used, or does not belong to the input.

    A request is not submitted before it is recorded. A task with an id was bought nevertheless: the
    message says how to resume waiting for it.

    Attributes:
        path: the journal's file.
        key: the key of the item that the error is about, if it is about one.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        key: str | None = None,
        task_id: str | None = None,
    ) -> None:
        super().__init__(message, task_id=task_id, may_have_cost=task_id is not None)
        self.path = path
        self.key = key

    def __str__(self) -> str:
        return f"{self.message} {_resume(self.task_id)}" if self.task_id else self.message


class APIError(VeoError):
    """The service answered with an error. An error with an unknown code has this class itself.

    Attributes:
        status_code: the HTTP status; ``None`` if the client needed no answer to know the error.
        code: the service's own word for the error, such as ``bad_request``.
        trace_id: the id that the vendor's support asks for.
        body: the decoded answer, or an excerpt of its text.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        trace_id: str | None = None,
        body: Any = None,
        task_id: str | None = None,
        may_have_cost: bool = False,
    ) -> None:
        super().__init__(message, task_id=task_id, may_have_cost=may_have_cost)
        self.status_code = status_code
        self.code = code
        self.trace_id = trace_id
        self.body = body

    advice = "Nothing was bought; give the code and the trace_id to the vendor's support."

    def __str__(self) -> str:
        facts = {"HTTP": self.status_code, "code": self.code, "trace_id": self.trace_id}
        known = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
        text = f"{self.message} ({known})" if known else self.message
        # An error answer to a poll says nothing about the money for the polled task.
        advice = _resume(self.task_id) if self.may_have_cost else self.advice
        return f"{text} {advice}"


class BadRequestError(APIError):
    """The service finds a parameter missing or invalid. Fix the call; it cost nothing."""

    advice = "Nothing was bought; change the request before you send it again."


class APINotImplementedError(APIError):
    """This deployment does not offer the action. Fix the call; it cost nothing."""

    advice = "Nothing was bought; this deployment does not offer that action."


class NoAPIError(APIError):
    """The service knows no API at this address; or another host answers there, with a page or a
    redirect. Check ``base_url``, and any proxy or login page on the way."""

    advice = "Nothing was bought; check base_url."


class ContentRefusedError(APIError):
    """The service refused the content. Change the prompt or the images."""

    advice = "Nothing was bought; the service refuses this content or this access."


class AccountError(APIError):
    """The account or its token needs attention. No call can succeed before that."""

    advice = "Nothing was bought; see to the token or the account first."


class NoTokenError(AccountError):
    """No API token was sent, or none was given: set ``ACEDATACLOUD_API_TOKEN``."""


class InvalidTokenError(AccountError):
    """The token is wrong."""


class TokenExpiredError(AccountError):
    """The token has expired."""


class TokenMismatchedError(AccountError):
    """The token belongs to another API of the vendor."""


class DisabledError(AccountError):
    """The vendor has disabled the application that this token belongs to."""


class InsufficientBalanceError(AccountError):
    """The balance is too low for another video."""

    advice = "Nothing was bought; top up the balance. Tasks that were accepted continue."


class RateLimitError(APIError):
    """The service still answered 429 after the client had waited and tried again.

    Attributes:
        retry_after: seconds to wait, as the service asked; ``None`` if it did not say.
    """

    advice = "Nothing was bought; wait, and lower RateLimit(in_flight=...) or per_second."

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class ServerError(APIError):
    """The service failed on its side."""

    advice = "Nothing was bought; try again later."


class ConnectionFailedError(VeoError):
    """The service could not be reached, or did not answer. Nothing was bought: a submit that ends
    with this error provably never left this machine, or the task list proves that it was not
    accepted; and reading tasks is free."""

    advice = "Nothing was bought; try again later."


class GenerationFailedError(VeoError):
    """The service accepted the task and then failed it, or ended it without a video. That holds
    only as long as the service says so: ``await veo.wait(error.task_id)`` asks it once more.

    Attributes:
        code: the service's word for the failure.
        trace_id: the id that the vendor's support asks for, also about a refund.
        videos: those of the task's videos that are ready nevertheless.
    """

    def __init__(
        self,
        message: str,
        *,
        task_id: str | None,
        code: str | None = None,
        trace_id: str | None = None,
        videos: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(message, task_id=task_id, may_have_cost=True)
        self.code = code
        self.trace_id = trace_id
        self.videos = videos

    def __str__(self) -> str:
        return (
            f"The generation failed: {self.message} (code {self.code}, task_id {self.task_id}, "
            f"trace_id {self.trace_id}). The service's bill says whether it was charged. Before "
            f"you buy it again, ask the service once more: veo.wait({self.task_id!r})."
        )


class SubmissionLimitError(VeoError):
    """The limit ``max_submissions`` of a batch was reached, so no submit was sent for the item.

    Nothing more was bought for it. An item that was to be upscaled may have its video already.
    """

    advice = "To continue, run the same batch again with its journal, or with a higher limit."


class SubmissionUncertainError(VeoError):
    """The submit was sent, and no answer says whether the service accepted it.

    It may have been accepted and billed. Look it up by its time (and by ``trace_id`` if there is
    one) with ``veo.tasks.list(created_at_min=...)`` before you send it again yourself.

    Attributes:
        request: the request that was sent.
        sent_at: Unix time in seconds when the submit began, on this machine's clock.
        trace_id: the trace id of the failed answer, if it contained one.
    """

    advice = (
        "It may have been accepted and billed: look for it with "
        "veo.tasks.list(created_at_min=error.sent_at - 60) before you send it again."
    )

    def __init__(
        self,
        message: str,
        *,
        request: Any = None,
        sent_at: float | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(message, may_have_cost=True)
        self.request = request
        self.sent_at = sent_at
        self.trace_id = trace_id


class _Resumable(VeoError):
    """A wait that ended here, while the task continues at the service."""

    def __init__(self, message: str, *, task_id: str | None) -> None:
        super().__init__(message, task_id=task_id, may_have_cost=task_id is not None)

    def __str__(self) -> str:
        if self.task_id is None:
            return f"{self.message} Nothing was accepted, so nothing was bought."
        return f"{self.message} {_resume(self.task_id)}"


class WaitTimeoutError(_Resumable, TimeoutError):
    """The time to wait is over. The task continues: resume with ``await veo.wait(error.task_id)``.

    ``task_id`` is ``None`` if the time was over before the submit was sent.
    """


class PollingError(_Resumable):
    """Too many polls of the task failed in a row. Wait for the same task again."""


class TaskNotFoundError(VeoError):
    """The service does not know this task id, also after a grace period.

    ``may_have_cost`` is true if a submit of this client, or of this journal, bought the task.
    """

    advice = (
        "Check the id, and that the token is of the account that submitted it. If a submit "
        "answered this id, it may have been paid for: look for it with veo.tasks.list()."
    )

    def __init__(self, message: str, *, task_id: str | None, may_have_cost: bool = False) -> None:
        super().__init__(message, task_id=task_id, may_have_cost=may_have_cost)

    def __str__(self) -> str:
        if not self.may_have_cost:
            return super().__str__()
        return (
            f"{self.message} A submit was answered with this id, so it was paid for. Wait for it "
            f"again with veo.wait({self.task_id!r}), or look for it with veo.tasks.list(), before "
            "you buy it again."
        )


class DownloadError(VeoError):
    """The file could not be fetched, or is not the expected one. The video stays paid for.

    Attributes:
        url: the URL of the file. Fetch it again from there, or request a fresh URL with
            ``veo.tasks.retrieve(task_id)``.
        path: the path for the file. No incomplete file is left there.
    """

    advice = "The video itself is not lost: it stays paid for."

    def __init__(
        self,
        message: str,
        *,
        url: str | None = None,
        path: Any = None,
        task_id: str | None = None,
    ) -> None:
        super().__init__(message, task_id=task_id, may_have_cost=True)
        self.url = url
        self.path = path


class UndecodableReplyError(APIError):
    """The service's answer is not the documented one. ``body`` contains an excerpt of it."""

    advice = "Nothing was bought; if it happens again, report it with this text."


OutcomeState = Literal["succeeded", "failed", "pending", "uncertain"]
"""The states of an `Outcome`; its ``state`` explains them."""

_STATES: Mapping[type[BaseException], OutcomeState] = {
    SubmissionUncertainError: "uncertain",
    TaskNotFoundError: "uncertain",
    WaitTimeoutError: "pending",
    PollingError: "pending",
    APIError: "pending",
}


def state_after(error: BaseException | None) -> OutcomeState:
    """The state of an item that ended with this error, or with none.

    An error that may have cost something is no proof of failure: an account's error while a task is
    polled says nothing about that task.
    """
    if error is None:
        return "succeeded"
    if not isinstance(error, VeoError) or not error.may_have_cost:
        return "failed"
    known = (cls for cls in type(error).__mro__ if cls in _STATES)
    nearest = next(known, None)
    return _STATES[nearest] if nearest else "failed"
