"""The report of a batch: a line for each item that ended, and the exit code of all."""

from __future__ import annotations

from ..errors import VeoError
from ..models import Outcome
from . import _rows
from ._exits import ACCOUNT, FAILED, LIMIT, OK, USAGE, code_of, message_of, worse
from ._progress import Progress
from ._screen import Screen
from ._text import plain

MOST_REPORTED = 20
"""Errors that have a line of their own. The page and the records contain all of them."""


class BatchReport:
    """Prints the outcomes of a batch, and computes its exit code."""

    def __init__(self, progress: Progress, screen: Screen, *, as_json: bool) -> None:
        self._progress, self._screen, self._as_json = progress, screen, as_json
        self._unreported = 0
        self._reported = 0
        self._account: VeoError | None = None
        self._is_limited = False
        self.code = OK

    def add(self, outcome: Outcome) -> None:
        """Report one outcome."""
        end = self._progress.take(outcome.key)
        if self._as_json:
            self._screen.print(_rows.of_outcome(outcome).as_json())
        elif not self._screen.is_one_terminal:
            for file in outcome.files:
                self._screen.print(plain(str(file)))
        if outcome.error:
            self._fail(outcome.key, outcome.error, is_left=end == "left")

    def _fail(self, key: str, error: VeoError, *, is_left: bool) -> None:
        code = code_of(error)
        # The input was checked before, so a refusal by the service is not a usage error.
        self.code = worse(self.code, FAILED if code == USAGE else code)
        self._is_limited = self._is_limited or code == LIMIT
        if code == ACCOUNT and self._account is None:
            self._account = error
        if is_left:
            return
        if self._reported == MOST_REPORTED:
            self._unreported += 1
            return
        self._reported += 1
        self._screen.note(f"veo-async: {key}: {message_of(error)}", "red")

    def close(self) -> None:
        """Report the errors without a line, and the items that are left to do."""
        if self._unreported:
            self._screen.note(f"veo-async: ... and {self._unreported} more with errors")
        if self._account:
            self._screen.error(self._account)
        if left := self._progress.ended["left"]:
            if self._is_limited:
                why, again = " (the limit of --max-submissions)", ", or with a higher limit,"
            else:
                why = again = ""
            self._screen.note(
                f"veo-async: {left} of {self._progress.total} are left to do{why}; run the same "
                f"command again{again} to go on",
                "yellow",
            )
