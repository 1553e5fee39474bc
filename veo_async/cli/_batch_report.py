"""How the items of a batch ended, told one by one, and what that makes of the exit code."""

from __future__ import annotations

from ..errors import VeoError
from ..models import Outcome
from . import _rows
from ._exits import ACCOUNT, FAILED, OK, USAGE, code_of, message_of
from ._progress import Progress
from ._screen import Screen
from ._text import plain

MOST_TOLD = 20
"""Items of a batch of which an error is told on a line; the page and the records have them all."""


class BatchReport:
    """Tells how the items ended, and what that makes of the exit code."""

    def __init__(self, progress: Progress, screen: Screen, *, as_json: bool) -> None:
        self._progress, self._screen, self._as_json = progress, screen, as_json
        self._untold = 0
        self._told = 0
        self._account: VeoError | None = None
        self.code = OK

    def tell(self, outcome: Outcome) -> None:
        """One more has ended."""
        end = self._progress.take(outcome.key)
        if self._as_json:
            self._screen.print(_rows.of_outcome(outcome).as_json())
        elif not self._screen.tells_all:
            for file in outcome.files:
                self._screen.print(plain(str(file)))
        if outcome.error:
            self._fail(outcome.key, outcome.error, is_left=end == "left")

    def _fail(self, key: str, error: VeoError, *, is_left: bool) -> None:
        code = code_of(error)
        # The input was fine, so what the service refuses is a failure like any other.
        self.code = max(self.code, FAILED if code == USAGE else code)
        if code == ACCOUNT and self._account is None:
            self._account = error
        if is_left:
            return
        if self._told == MOST_TOLD:
            self._untold += 1
            return
        self._told += 1
        self._screen.note(f"veo-async: {key}: {message_of(error)}", "red")

    def close(self) -> None:
        """Say what is left."""
        if self._untold:
            self._screen.note(f"veo-async: ... and {self._untold} more with errors")
        if self._account:
            self._screen.error(self._account)
        if left := self._progress.ended["left"]:
            self._screen.note(
                f"veo-async: {left} of {self._progress.total} are left to do, and nothing was "
                "bought for them; run the same command again to go on",
                "yellow",
            )
