"""The causes for which items of a batch have no video, each with its items and the next step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..errors import (
    ConnectionFailedError,
    DownloadError,
    NoAPIError,
    RateLimitError,
    ServerError,
    TaskNotFoundError,
    VeoError,
)
from ..models import Outcome
from ._fields import shortened

MOST_CAUSES = 20
"""Causes that have a line of their own. The page and the records contain all errors."""

MOST_NAMED = 3
"""Items that are named for one cause."""

PASSING = (ConnectionFailedError, RateLimitError, ServerError, NoAPIError)
"""Errors after which a later run sends the request again, without being asked to."""

WORDS: Mapping[str, str] = {"uncertain": "uncertain", "pending": "still running"}
"""The words for the states of items, where they are not ``failed``."""

STEPS: Mapping[str, str] = {
    "uncertain": "Maybe bought, so not sent again. Run the same command again to search for it, or "
    "look for it yourself: veo-async tasks --since 15m",
    "unknown": "Paid for. Check that the token is of the account that bought it: veo-async tasks",
    "pending": "Paid for, and goes on at the service. Run the same command again to wait for it.",
    "unsaved": "Paid for, and not lost. Run the same command again to save it.",
    "passing": "Nothing was bought. Run the same command again to send it again.",
}
"""The next steps."""


@dataclass(slots=True)
class Cause:
    """One cause, with the number of its items and the names of the first of them."""

    text: str
    count: int = 0
    items: list[str] = field(default_factory=list)


class Causes:
    """The causes of a run, in the order in which they appeared."""

    def __init__(self) -> None:
        self._causes: dict[str, Cause] = {}
        self._others = 0

    def add(self, outcome: Outcome, error: VeoError, line: int | None) -> None:
        """Add an item, which is at this line of the file."""
        word, text = WORDS.get(outcome.state, "failed"), cause_of(outcome.key, error)
        step = STEPS.get(_step(outcome, error), "")
        told = f"{word}: {text} {step}".rstrip()
        if told not in self._causes and len(self._causes) == MOST_CAUSES:
            self._others += 1
            return
        cause = self._causes.setdefault(told, Cause(told))
        cause.count += 1
        if len(cause.items) < MOST_NAMED:
            place = outcome.key if line is None else f"line {line}"
            cause.items.append(f"{place} ({shortened(outcome.request.title)})")

    def lines(self) -> Iterator[str]:
        """The lines that report the causes."""
        for cause in self._causes.values():
            yield f"veo-async: {cause.count} {cause.text}"
            more = cause.count - len(cause.items)
            yield f"  {', '.join(cause.items)}{f', and {more} more' * bool(more)}"
        if self._others:
            yield f"veo-async: ... and {self._others} more with other errors"


def _step(outcome: Outcome, error: VeoError) -> str:
    if isinstance(error, TaskNotFoundError) and outcome.state == "uncertain":
        return "unknown"
    if isinstance(error, DownloadError):
        return "unsaved"
    is_passing = isinstance(error, PASSING) and outcome.state == "failed"
    return "passing" if is_passing else outcome.state


def cause_of(key: str, error: VeoError) -> str:
    """The message of an error without what is the item's own, in the words of the command line."""
    text = error.message.replace(f" {error.task_id}", "").replace(f"the item {key!r}", "it")
    text = re.sub(r" \(stage \w+\)", "", text)
    if isinstance(error, DownloadError):
        text = text.partition(f" was not saved as {error.path}. ")[2] or text
    text = re.sub(r"; a later (one|answer) appears in veo\.unsettled", "", text)
    sentences = re.split(r"(?<=\.) ", text.replace("base_url", "--base-url"))
    known = getattr(error, "code", None)
    said = " ".join(one for one in sentences if not re.search(r"\bveo\.\w", one))
    return f"{said} (code {known})" if known else said
