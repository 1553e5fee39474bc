"""What was accepted, in a file: another emulator goes on with it, in another process.

One line of JSON for each task, written before its submit is answered, so that whoever was given a
task id finds the task again however the process ended. Files are rendered again; how often a task
was looked at is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

from ._errors import ServiceError
from ._state import Task

PLAIN = ("id", "trace_id", "record_id", "video_id", "request", "submitted", "accepted_at", "looks")
TIMES = ("finish_at", "known_from", "listed_from")
"""These may be infinite, which JSON does not know: such a one is left out."""


class Ledger:
    """The file. It blocks, for as long as it takes to hand a line to the operating system."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        whole = path.read_bytes().rpartition(b"\n")
        with path.open("r+b") as file:
            # A process that was killed may have left half of a line.
            file.truncate(len(whole[0]) + len(whole[1]))

    def tasks(self) -> Iterator[Task]:
        """What was accepted before, oldest first."""
        known: dict[str, Task] = {}
        for line in self._path.read_bytes().splitlines():
            task = _task(json.loads(line), known)
            known[task.id] = task
            yield task

    def write(self, task: Task) -> None:
        """Note a task."""
        fields: dict[str, Any] = {name: getattr(task, name) for name in PLAIN}
        fields |= {name: at for name in TIMES if abs(at := getattr(task, name)) != inf}
        fields["source"] = task.source and task.source.id
        fields["failure"] = task.failure and [task.failure.code, task.failure.message]
        with self._path.open("ab") as file:
            file.write(json.dumps(fields).encode() + b"\n")

    def clear(self) -> None:
        """Forget all."""
        self._path.write_bytes(b"")


def _task(fields: dict[str, Any], known: dict[str, Task]) -> Task:
    source, failure = fields.pop("source"), fields.pop("failure")
    return Task(
        **{"finish_at": inf, **fields},
        source=known.get(source),
        failure=ServiceError(*failure) if failure else None,
    )
