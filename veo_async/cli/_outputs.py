"""The paths of downloaded files. A name that comes from the service is made a slug first.

One rule for every command: an output is a folder if it exists as one, ends with a slash or has no
ending; else it is a file. No file of a user is overwritten without ``--force``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import typer

from .._base.slug import slug
from ..models import Generation, Video
from ._options import expanded

ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]*\Z")
"""The ending of a file's name. The ``.5`` of a folder ``run-1.5`` is none."""

SLASHES = ("/", "\\") if os.sep == "\\" else ("/",)


@dataclass(frozen=True, slots=True)
class Output:
    """The place of a command's files.

    Attributes:
        path: the file or the folder.
        is_folder: whether it is a folder, which may have to be made.
        option: the option or argument that names it.
        force: whether existing files are overwritten.
    """

    path: Path
    is_folder: bool
    option: str = "--out"
    force: bool = False

    def check(self) -> None:
        """Check that the files can be written, before a video is paid for.

        Raises:
            typer.BadParameter: they cannot be written, or the file exists already.
        """
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            mode = None
        except OSError as problem:  # such as a name that is too long
            raise self._refused(f"{self.path}: {problem.strerror}.") from None
        if mode is not None and not self.is_folder and not self.force:
            raise self._refused(f"{self.path} exists already; --force overwrites it.")
        self._refuse_in(self.path if self.is_folder else self.path.absolute().parent)

    def prepare(self) -> None:
        """Make the folder unless it exists.

        Raises:
            typer.BadParameter: it cannot be made, or it cannot be written to.
        """
        self.check()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise self._refused(f"{self.path}: {problem.strerror}.") from None

    def named(self, name: str) -> Output:
        """The file of this name in the folder; the file itself if this is a file."""
        if not self.is_folder:
            return self
        path = self.path / f"{slug(name)}.mp4"
        return Output(path, is_folder=False, option=self.option, force=self.force)

    def destinations(self, generation: Generation) -> list[tuple[Video, Path]]:
        """The videos of a generation with their files.

        A second video is saved as ``name-2.mp4``, a third one as ``name-3.mp4``, and so on.
        """
        paths = self._numbered(self.named(generation.task_id or "").path)
        return [(video, next(paths)) for video in generation.data if video.video_url]

    def is_saved(self, path: Path) -> bool:
        """Whether a video was saved before: its name in a folder is the id of its task, and a
        download gets its name only when it is complete."""
        return self.is_folder and not self.force and path.exists()

    def _numbered(self, first: Path) -> Iterator[Path]:
        """The names from `first` on. A file that somebody made meanwhile keeps its name."""
        names = (first if n == 1 else first.with_stem(f"{first.stem}-{n}") for n in count(1))
        is_free = self.is_folder or self.force
        return (path for path in names if is_free or not os.path.lexists(path))

    def _refuse_in(self, folder: Path) -> None:
        above = (folder, *folder.absolute().parents)
        existing = next(path for path in above if os.path.lexists(path))
        if not existing.is_dir():
            raise self._refused(f"{existing} is not a folder.")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise self._refused(f"{existing} cannot be written to.")

    def _refused(self, problem: str) -> typer.BadParameter:
        return typer.BadParameter(problem, param_hint=self.option)


def output(text: str, *, option: str = "--out", force: bool = False) -> Output:
    """The output that a person named."""
    path = expanded(text)
    is_folder = text.endswith(SLASHES) or not ENDING.search(path.name) or _is_folder(path)
    return Output(path, is_folder, option, force)


def folder(path: Path) -> Output:
    """The folder of a command that makes many files."""
    return Output(path, is_folder=True)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False
