"""The folder in which a batch saves its videos: which names are whose.

An item's name is its own from the moment in which its record lies in the folder, and each record
names its item by its key. So a later run finds the same names, whatever the order of its input,
and no run takes a name that another item has.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from .._core import sidecar
from .._core.names import fold, names_of, record_name, stem_in, stem_of
from ..models import Generation, Outcome, VideoRequest
from .records import names_in, read_some, records_in, write_new, write_whole


class Folder:
    """Every method blocks, so call them in a worker thread.

    Args:
        path: where it is, or will be once something is saved.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._stems: dict[str, str] | None = None
        self._taken: set[str] = set()

    def stem(self, key: str, number: int, request: VideoRequest, *, saved: str | None) -> str:
        """What the names of an item's files begin with; from now on it is the item's own.

        Args:
            number: the item's number in the order of the input.
            saved: the name under which an earlier run saved its video, as the journal has it.

        Raises:
            OSError: the folder cannot be read or written.
        """
        with self._lock:
            stems = self._look()
            if key not in stems:
                stems[key] = self._former(saved) or self._claim(key, number, request)
                self._taken |= set(map(fold, names_of(stems[key])))
            return stems[key]

    def record(
        self, outcome: Outcome, stem: str, *, number: int, ends: Sequence[Generation], at: float
    ) -> None:
        """Write down what came of an item; one that says the same already is left as it is.

        Args:
            ends: the results of its stages, in their order.
            at: Unix time in seconds.

        Raises:
            OSError: it could not be written.
        """
        path = self._path / record_name(stem)
        data = sidecar.write(outcome, number=number, ends=ends, at=at)
        if not sidecar.tells_the_same(read_some(path, sidecar.LONGEST) or b"", data):
            write_whole(path, data)

    def _look(self) -> dict[str, str]:
        """The stems by the items' keys, as the records have it; read once."""
        if self._stems is None:
            self._path.mkdir(parents=True, exist_ok=True)
            names = names_in(self._path)
            self._taken = set(map(fold, names))
            found = records_in(self._path, names)
            keys = {name: fields.get("key") for name, fields in found if fields}
            stems = {key: stem_in(name) for name, key in keys.items() if isinstance(key, str)}
            self._stems = {key: stem for key, stem in stems.items() if stem}
        return self._stems

    def _former(self, saved: str | None) -> str | None:
        """The stem of a video that is there, although its record is gone."""
        stem = stem_in(saved or "")
        if stem is None or fold(saved or "") not in self._taken:
            return None
        return None if fold(record_name(stem)) in self._taken else stem

    def _claim(self, key: str, number: int, request: VideoRequest) -> str:
        plain, own = stem_of(number, request), stem_of(number, request, key=key)
        stem = own if set(map(fold, names_of(plain))) & self._taken else plain
        claim = sidecar.claim(key, number=number, request=request)
        try:
            write_new(self._path / record_name(stem), claim)
        except FileExistsError:  # another process took it since we looked
            stem = own
            write_whole(self._path / record_name(stem), claim)
        return stem
