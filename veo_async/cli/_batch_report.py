"""The report of a batch: its files, its errors by cause, its purchases, and its exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from ..errors import APIError, GenerationFailedError, VeoError
from ..models import Outcome
from . import _rows
from ._batch_causes import PASSING, Causes
from ._exits import ACCOUNT, FAILED, LIMIT, OK, USAGE, code_of, worse
from ._progress import Progress
from ._screen import Screen
from ._text import plain


class BatchReport:
    """Prints the results of a batch, and computes its exit code.

    Attributes:
        lines: the lines of the requests under way, by the identity of the request.
    """

    def __init__(self, progress: Progress, screen: Screen, *, as_json: bool) -> None:
        self._progress, self._screen, self._as_json = progress, screen, as_json
        self._causes = Causes()
        self._account: VeoError | None = None
        self._is_limited = self._has_moved = self._has_final = False
        self._failed_before = self._priced = 0
        self._spent: dict[str, Decimal] = {}
        self.lines: dict[int, int] = {}
        self.code = OK

    def add(self, outcome: Outcome) -> None:
        """Report one outcome."""
        item = self._progress.items[outcome.key]
        end, line = self._progress.take(outcome.key), self.lines.pop(id(outcome.request), None)
        self._has_moved = self._has_moved or item.has_moved
        if self._as_json:
            self._screen.print(_rows.of_outcome(outcome).as_json())
        elif not self._screen.is_one_terminal:
            for file in outcome.files:
                self._screen.print(plain(str(file)))
        if item.is_submitted:
            self._add_cost(outcome)
        if not outcome.error:
            return
        self._weigh(outcome.error)
        if end == "failed" and item.failed_before:
            self._failed_before += 1
            self._has_final = True
        elif end != "left":
            self._causes.add(outcome, outcome.error, line)

    def _weigh(self, error: VeoError) -> None:
        code = code_of(error)
        # The input was checked before, so a refusal by the service is not a usage error.
        self.code = worse(self.code, FAILED if code == USAGE else code)
        self._is_limited = self._is_limited or code == LIMIT
        if code == ACCOUNT and self._account is None:
            self._account = error
        is_final = isinstance(error, APIError | GenerationFailedError) and code in {FAILED, USAGE}
        self._has_final = self._has_final or (is_final and not isinstance(error, PASSING))

    def _add_cost(self, outcome: Outcome) -> None:
        cost = outcome.result.cost if outcome.result else None
        if cost and cost.amount is not None:
            unit = cost.currency or ""
            self._priced += 1
            self._spent[unit] = self._spent.get(unit, Decimal(0)) + Decimal(str(cost.amount))

    def close(self) -> None:
        """Report the errors by cause, the purchases, and the items that are left to do."""
        for line in self._causes.lines():
            self._screen.note(line, "red")
        if self._account:
            self._screen.error(self._account)
        self._screen.note(f"veo-async: {', '.join(self._counted())}{self._costs()}")
        if left := self._progress.ended["left"]:
            why, again = "", ""
            if self._is_limited:
                why, again = " (the limit of --max-submissions)", ", or with a higher limit,"
            self._screen.note(
                f"veo-async: {left} of {self._progress.total} are left to do{why}; run the same "
                f"command again{again} to go on",
                "yellow",
            )

    def _counted(self) -> Iterator[str]:
        """The parts of the line that says what was bought, and what became of the rest."""
        progress = self._progress
        counts = progress.ended + progress.steps()
        yield self._bought(counts)
        failed = counts["failed"] - self._failed_before
        numbers = {
            "bought before": progress.begun["wait"] + progress.begun["finished"],
            "failed": failed,
            "failed before": self._failed_before,
            "uncertain": counts["uncertain"] + counts["looking"] + counts["submitting"],
            "still running": counts["pending"] + counts["making"],
            "not saved yet": counts["downloading"],
            "left to do": counts["left"] + counts["waiting"],
        }
        last = "failed before" if self._failed_before else "failed"
        for words, number in numbers.items():
            if number:
                hint = " (--retry-failed buys them again)" * (words == last and self._has_final)
                yield f"{number} {words}{hint}"

    def _bought(self, counts: Counter[str]) -> str:
        if self._progress.accepted:
            return f"{self._progress.accepted} bought now"
        is_over = counts.keys() <= {"succeeded", "failed"}
        has_worked = self._has_moved or counts["failed"] > self._failed_before
        return (
            "nothing bought now" if has_worked or not is_over else "nothing to do, nothing bought"
        )

    def _costs(self) -> str:
        if not self._spent:
            return ""
        # A result has the price of its last stage only.
        least = "at least " * (self._priced < self._progress.accepted)
        sums = (f"{amount.normalize():f} {unit}".rstrip() for unit, amount in self._spent.items())
        return f"; spent {least}{' and '.join(sums)}"
