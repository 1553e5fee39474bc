"""The spending limit of one batch, shared by all of its items.

Every POST may cost money as soon as it is sent, so it is counted before it is sent. It is given
back only by evidence that it bought nothing.
"""

from __future__ import annotations

from copy import copy
from math import inf
from typing import Protocol

from .._base.signal import Signal
from .._submit.verdict import Accepted, Refused, Uncertain, Verdict
from ..errors import AccountError, SubmissionLimitError


class OpenPost(Protocol):
    """A POST that the gate let pass."""

    def left_open(self, submit_timeout: float) -> None:
        """The batch ends before the POST does."""


class SpendingGate:
    """Lets the POSTs of a batch pass, at most ``limit`` that may be billed; ``None`` for no limit.

    Attributes:
        account_error: an error of the account, after which nothing more is sent.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = inf if limit is None else limit
        self._billed = 0
        self._open: dict[OpenPost, None] = {}  # in order, so that a run can be repeated
        self._changed = Signal()
        self.account_error: AccountError | None = None

    @property
    def open(self) -> tuple[OpenPost, ...]:
        """The POSTs that passed and have not ended."""
        return tuple(self._open)

    async def enter(self, post: OpenPost) -> None:
        """Wait until one more POST may be sent, and count it.

        Raises:
            AccountError: the account has a problem, so nothing is sent any more.
            SubmissionLimitError: the limit was reached.
        """
        while True:
            if self.account_error:
                raise copy(self.account_error)
            if self._billed >= self._limit:
                raise SubmissionLimitError(
                    f"max_submissions={self._limit} is reached, so nothing more was sent for this "
                    "request."
                )
            if self._billed + len(self._open) < self._limit:
                self._open[post] = None
                return
            await self._changed.wait()

    def leave(self, post: OpenPost) -> None:
        """A POST that bought nothing has ended, or is not sent."""
        self._open.pop(post, None)
        self._changed.pulse()

    def conclude(self, post: OpenPost, verdict: Verdict) -> bool:
        """A POST has ended. Returns whether it may be on the bill."""
        if isinstance(verdict, Refused):
            self.notice(verdict.error)
        is_billed = isinstance(verdict, Accepted | Uncertain)
        self._billed += is_billed
        self.leave(post)
        return is_billed

    def give_back(self) -> None:
        """A POST that may have been on the bill provably bought nothing."""
        self._billed -= 1
        self._changed.pulse()

    def notice(self, error: BaseException) -> None:
        """Send nothing more after an error of the account."""
        if isinstance(error, AccountError) and not self.account_error:
            self.account_error = copy(error)  # for requests that were not sent, so without its task
            self.account_error.task_id, self.account_error.may_have_cost = None, False
            self._changed.pulse()
