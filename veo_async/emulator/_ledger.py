"""The ledger: a file of the accepted tasks, so that an emulator in another process can continue.

Each task is one line of JSON. The line is written before the submit is answered, so that every
task id that a caller has received is found again, however the process ended. Files are rendered
again, and the polls that a task has had are forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ._effects import Ending, Provisional, Unreadable
from ._errors import ServiceError
from ._state import Task

PLAIN = (
    *("id", "trace_id", "record_id", "video_id", "request", "submitted", "accepted_at", "looks"),
    *("user_id", "recorded"),
)
TIMES = ("finish_at", "known_from", "listed_from")
"""These fields may be infinite, which JSON cannot express; an infinite one is omitted."""

EFFECTS: Mapping[str, type[BaseModel]] = {
    "provisional": Provisional,
    "ending": Ending,
    "unreadable": Unreadable,
}
"""These fields are the effects of faults on the task. An older ledger lacks them."""


class Ledger:
    """The file. Its methods block, but only until the operating system has taken the data.

    Args:
        path: the file; created if there is none.

    Raises:
        OSError: the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        whole = path.read_bytes().rpartition(b"\n")
        with path.open("r+b") as file:
            # A killed process may have left half a line. Its submit was not answered.
            file.truncate(len(whole[0]) + len(whole[1]))

    def tasks(self) -> Iterator[Task]:
        """The tasks of the file, oldest first."""
        known: dict[str, Task] = {}
        for line in self._path.read_bytes().splitlines():
            task = _task(json.loads(line), known)
            known[task.id] = task
            yield task

    def write(self, task: Task) -> None:
        """Append a task."""
        fields: dict[str, Any] = {name: getattr(task, name) for name in PLAIN}
        fields |= {name: at for name in TIMES if abs(at := getattr(task, name)) != inf}
        fields |= {name: effect.model_dump(mode="json") for name, effect in _effects(task)}
        fields["source"] = task.source and task.source.id
        fields["failure"] = task.failure and [task.failure.code, task.failure.message]
        with self._path.open("ab") as file:
            file.write(json.dumps(fields).encode() + b"\n")

    def clear(self) -> None:
        """Remove all tasks."""
        self._path.write_bytes(b"")


def _effects(task: Task) -> Iterator[tuple[str, BaseModel]]:
    """The effects of faults on a task, by the names of their fields."""
    found = ((name, getattr(task, name)) for name in EFFECTS)
    return ((name, effect) for name, effect in found if effect is not None)


def _task(fields: dict[str, Any], known: dict[str, Task]) -> Task:
    effects = {name: kind(**fields.pop(name)) for name, kind in EFFECTS.items() if name in fields}
    source, failure = fields.pop("source"), fields.pop("failure")
    return Task(
        **{"finish_at": inf, **fields, **effects},
        source=known.get(source),
        failure=ServiceError(*failure) if failure else None,
    )
