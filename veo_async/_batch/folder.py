"""The folder in which a batch saves its videos: which names are whose.

An item's name is its own from the moment in which its record lies in the folder, and each record
names its item by its key, and the tasks that made its videos. So a later run finds the same names,
whatever the order of its input, and no run takes a name that another item has, or the same item
when it was bought before by a run of which this one knows nothing: that video is paid for, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from ..models import Generation, Outcome, VideoRequest
from . import record
from .file_names import fold, names_of, record_name, stem_in, stems_of
from .record_files import names_in, read_some, records_in, write_new, write_whole


class Folder:
    """Every method blocks, so call them in a worker thread.

    Args:
        path: where it is, or will be once something is saved.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._found: dict[str, list[tuple[str, frozenset[str]]]] | None = None
        self._own: dict[str, str] = {}
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
        """What the names of an item's files begin with; from now on it is the item's own.

        Args:
            number: the item's number in the order of the input.
            saved: the name under which an earlier run saved its video, as the journal has it.
            tasks: the tasks that made its videos.

        Raises:
            OSError: the folder cannot be read or written.
        """
        with self._lock:
            found, made = self._scan(), frozenset(tasks)
            if key not in self._own:
                former = self._recorded(found.get(key, []), made) or self._former(saved)
                stem = former or self._claim(key, number, request, made)
                self._taken |= set(map(fold, names_of(stem)))
                self._own[key] = stem
            return self._own[key]

    def write_record(
        self, outcome: Outcome, stem: str, *, number: int, results: Sequence[Generation], at: float
    ) -> None:
        """Write down what came of an item; one that says the same already is left as it is.

        Args:
            results: the results of its stages, in their order.
            at: Unix time in seconds.

        Raises:
            OSError: it could not be written.
        """
        path = self._path / record_name(stem)
        data = record.write(outcome, number=number, results=results, at=at)
        if not record.same_except_time(read_some(path, record.LONGEST) or b"", data):
            write_whole(path, data)

    def _scan(self) -> dict[str, list[tuple[str, frozenset[str]]]]:
        """The stems by the items' keys, with their tasks, as the records have it; read once."""
        if self._found is None:
            self._path.mkdir(parents=True, exist_ok=True)
            names = names_in(self._path)
            self._taken = set(map(fold, names))
            self._found = {}
            for name, fields in records_in(self._path, names):
                key, stem = (fields or {}).get("key"), stem_in(name)
                if fields and stem and isinstance(key, str):
                    self._found.setdefault(key, []).append((stem, record.tasks_in(fields)))
        return self._found

    def _recorded(
        self, found: Sequence[tuple[str, frozenset[str]]], made: frozenset[str]
    ) -> str | None:
        """The stem of these tasks; else one under which no other tasks' video lies, or comes."""
        same = [stem for stem, tasks in found if tasks & made]
        free = [
            stem
            for stem, tasks in found
            if not tasks or not (made or self._taken & set(map(fold, names_of(stem)[1:])))
        ]
        return next(iter(same + free), None)

    def _former(self, saved: str | None) -> str | None:
        """The stem of a video that is there, although its record is gone."""
        stem = stem_in(saved or "")
        if stem is None or fold(saved or "") not in self._taken:
            return None
        return None if fold(record_name(stem)) in self._taken else stem

    def _claim(self, key: str, number: int, request: VideoRequest, made: frozenset[str]) -> str:
        claim = record.claim(key, number=number, request=request, tasks=made)
        for stem in stems_of(number, request, key):
            if not self._taken & set(map(fold, names_of(stem))):
                # Another process may have taken it since the scan.
                with suppress(FileExistsError):
                    write_new(self._path / record_name(stem), claim)
                    return stem
        raise AssertionError("there is always one more stem")  # pragma: no cover - no end
