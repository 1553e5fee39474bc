"""The account and the address that a journal's items were bought with.

With another account, or at another address, the service knows none of the journal's tasks: lost
submits would be searched for in the wrong task list, and bought there again. So the first write of
a run records its buyer, and a later run with another one is refused.

- Without a purchase there is nothing to confuse, so any buyer may resume.
- Every loopback address is *this machine*, whatever its port: an emulator gets another one in each
  run. An emulator and the real service are two addresses.
- A part that is not known is not compared: a journal of version 1 names no buyer, and a preview
  needs no token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._base.urls import read_base_url
from ..errors import JournalError

AGAIN = (
    "If it is the same account after all (its token was replaced, or its address has a new name), "
    "pass adopt_journal=True."
)


@dataclass(frozen=True, slots=True)
class Buyer:
    """The account and the address of a run.

    Attributes:
        account: the account of its token (`account_of`), never the token.
        address: its base URL, in the canonical form.
    """

    account: str | None = None
    address: str | None = None

    def without_account(self) -> Buyer:
        """The same, with an unknown account."""
        return replace(self, account=None)

    def difference(self, other: Buyer, path: str) -> JournalError | None:
        """The error for a run of ``other`` with the journal of this buyer, if they differ."""
        here, there = _place(self.address), _place(other.address)
        if here and there and here != there:
            return _error(
                path,
                f"was bought at {self.address}, and this client's base URL is {other.address}",
                "Use the former base URL, or another journal for this one.",
            )
        if self.account and other.account and self.account != other.account:
            return _error(
                path,
                "was bought with the token of another account",
                "Use the token that bought it, or another journal for this one.",
            )
        return None


def _place(address: str | None) -> str | None:
    is_here = address and read_base_url(address).scope == "loopback"
    return "this machine" if is_here else address


def _error(path: str, what: str, how: str) -> JournalError:
    problem = f"The journal {path} {what}, so nothing was sent. {how} {AGAIN}"
    return JournalError(problem, path=path)
