"""What all items of one batch spend together.

Every POST may be bought by whoever sends it, so each is counted before it is sent, and given back
only by evidence that it bought nothing.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import anyio

from .._submit.verdict import Accepted, Refused, Uncertain, Verdict
from ..errors import (
    AccountError,
    VeoError,
)


def may_be_billed(verdict: Verdict) -> bool:
    """Whether a POST with this end may be on the bill."""
    return isinstance(verdict, Accepted | Uncertain)


def account_error_of(error: object) -> AccountError | None:
    """The error after which no further submit makes sense, without the task it was met at."""
    if not isinstance(error, AccountError):
        return None
    without = copy(error)
    without.task_id, without.may_have_cost = None, False
    return without


@dataclass(frozen=True, slots=True)
class SubmissionBudget:
    """How many POSTs may be billed in this run.

    Attributes:
        limit: at most so many; ``None`` for no limit.
        open: POSTs whose answer is awaited.
        spent: POSTs that were accepted, or that may have been.
    """

    limit: int | None
    open: int = 0
    spent: int = 0

    @property
    def verdict(self) -> Literal["go", "wait", "stop"]:
        """Whether the next POST may be sent; ``wait`` for the answers that are open."""
        if self.limit is None or self.open + self.spent < self.limit:
            return "go"
        return "wait" if self.spent < self.limit else "stop"

    def begun(self) -> SubmissionBudget:
        """One more POST is sent."""
        return replace(self, open=self.open + 1)

    def ended(self, *, billed: bool) -> SubmissionBudget:
        """A POST is over; ``billed`` if it may be on the bill."""
        return replace(self, open=self.open - 1, spent=self.spent + billed)

    def given_back(self) -> SubmissionBudget:
        """A POST that may have been billed provably was not."""
        return replace(self, spent=self.spent - 1)

    def error(self) -> VeoError:
        """The error for a ``stop``."""
        return VeoError(
            f"max_submissions={self.limit} is reached, so nothing more was sent for this request. "
            "Run the same batch again with the journal and a higher limit to go on."
        )


class OpenPost(Protocol):
    """Who passed the gate with a POST."""

    def left_open(self, submit_timeout: float) -> None:
        """The batch ends before the POST does."""


class SpendingGate:
    """What all items of one batch spend together.

    Attributes:
        account_error: an error of the account, after which nothing more is sent.
    """

    def __init__(self, limit: int | None) -> None:
        self._budget = SubmissionBudget(limit)
        # In the order in which they passed, so that a run can be repeated.
        self._open: dict[OpenPost, None] = {}
        self._changed = anyio.Event()
        self.account_error: AccountError | None = None

    @property
    def open(self) -> tuple[OpenPost, ...]:
        """Those that passed and did not leave: their POSTs are open."""
        return tuple(self._open)

    async def enter(self, post: OpenPost) -> None:
        """Wait until one more POST may be sent, and count it.

        Raises:
            VeoError: none may be sent any more.
        """
        while True:
            if self.account_error:
                raise copy(self.account_error)
            verdict = self._budget.verdict
            if verdict == "stop":
                raise self._budget.error()
            if verdict == "go":
                self._budget = self._budget.begun()
                self._open[post] = None
                return
            await self._changed.wait()

    def leave(self, post: OpenPost, *, billed: bool) -> None:
        """A POST is over, or is not sent; ``billed`` if it may be on the bill."""
        self._open.pop(post, None)
        self._change(self._budget.ended(billed=billed))

    def give_back(self) -> None:
        """A POST that may have been billed was not."""
        self._change(self._budget.given_back())

    def notice(self, end: Verdict | BaseException) -> None:
        """Send nothing more, if this is an error of the account."""
        error = end.error if isinstance(end, Refused) else end
        self.account_error = self.account_error or account_error_of(error)
        self._change(self._budget)

    def _change(self, budget: SubmissionBudget) -> None:
        self._budget = budget
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
