"""The folder in which a batch saves its videos: which file names belong to which item.

A name belongs to an item from the moment in which the item's record is in the folder. A record
contains the item's key and the tasks that made its videos. So a later run finds the same names,
whatever the order of its input. No run takes a name of another item, or of the same item when an
unknown run bought it before: that video is paid for, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from ..models import Generation, Outcome, VideoRequest
from . import record
from .file_names import fold, names_of, record_name, stem_in, stems_of
from .record_files import can_be_named, names_in, read_some, records_in, write_new, write_whole


class Folder:
    """Every method blocks, so call them in a worker thread.

    Attributes:
        path: the folder; it is created when the first file is saved.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._recorded: dict[str, list[tuple[str, frozenset[str]]]] | None = None
        self._purchases: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        self._taken: set[str] = set()

    def stem(
        self,
        key: str,
        number: int,
        request: VideoRequest,
        *,
        saved: str | None,
        tasks: Iterable[str] = (),
    ) -> str:
        """The beginning of the names of an item's files. From now on it belongs to the item.

        Args:
            number: the item's number in the order of the input.
            saved: the name under which an earlier run saved its video, by the journal.
            tasks: the tasks that made its videos.

        Raises:
            OSError: the folder cannot be read or written.
        """
        with self._lock:
            if key not in self._stems:
                made = frozenset(tasks)
                stem = (
                    self._of_record(self._scan().get(key, []), made)
                    or self._of_video(saved or "")
                    or self._claim(key, number, request, made)
                )
                self._taken.update(map(fold, names_of(stem)))
                self._stems[key] = stem
            return self._stems[key]

    def purchases(self) -> dict[str, str]:
        """By key, the purchase that the records name, as a text for a person.

        Raises:
            OSError: the folder cannot be read.
        """
        with self._lock:
            if self._recorded is None and self.path.exists():
                self._scan()
            return self._purchases

    def write_record(
        self, outcome: Outcome, stem: str, *, number: int, results: Sequence[Generation], at: float
    ) -> None:
        """Write the record of an item, unless one with the same facts is there.

        Args:
            results: the results of its stages, in their order.
            at: Unix time in seconds.

        Raises:
            OSError: it could not be written.
        """
        path = self.path / record_name(stem)
        data = record.write(outcome, number=number, results=results, at=at)
        if not record.same_except_time(read_some(path, record.LONGEST) or b"", data):
            write_whole(path, data)

    def _scan(self) -> dict[str, list[tuple[str, frozenset[str]]]]:
        """For each key, the stems and the tasks of its records. The folder is read once."""
        if self._recorded is None:
            self.path.mkdir(parents=True, exist_ok=True)
            names = names_in(self.path)
            self._taken = set(map(fold, names))
            self._recorded = {}
            for name, fields in records_in(self.path, names):
                key, stem = (fields or {}).get("key"), stem_in(name)
                if fields and stem and isinstance(key, str):
                    self._recorded.setdefault(key, []).append((stem, record.tasks_in(fields)))
                    if bought := record.purchase_in(fields):
                        self._purchases[key] = bought
        return self._recorded

    def _of_record(
        self, recorded: Sequence[tuple[str, frozenset[str]]], made: frozenset[str]
    ) -> str | None:
        """The stem of a record of these tasks; else of one that reserves no other tasks' video."""
        same = [stem for stem, tasks in recorded if tasks & made]
        free = [
            stem
            for stem, tasks in recorded
            if not tasks or not (made or self._taken & set(map(fold, names_of(stem)[1:])))
        ]
        return next(iter(same + free), None)

    def _of_video(self, saved: str) -> str | None:
        """The stem of a saved video that is still there, although its record is gone."""
        stem = stem_in(saved)
        is_free = stem and fold(record_name(stem)) not in self._taken
        return stem if is_free and fold(saved) in self._taken else None

    def _claim(self, key: str, number: int, request: VideoRequest, made: frozenset[str]) -> str:
        claim = record.claim(key, number=number, request=request, tasks=made)
        ascii_only = not can_be_named(next(stems_of(number, request, key)))
        for stem in stems_of(number, request, key, ascii_only=ascii_only):
            if not self._taken & set(map(fold, names_of(stem))):
                # Another process may have taken it since the scan.
                with suppress(FileExistsError):
                    write_new(self.path / record_name(stem), claim)
                    return stem
        raise AssertionError("there is always one more stem")  # pragma: no cover - no end
