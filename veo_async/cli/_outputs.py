"""The paths of downloaded files. A name that comes from the service is made a slug first."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import typer

from .._base.slug import slug
from ..models import Generation, Video


def refuse_unwritable(path: Path) -> None:
    """Check that a file can be written, before its video is paid for.

    Raises:
        typer.BadParameter: it cannot be written.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        is_folder = False
    except OSError as problem:  # such as a name that is too long
        raise typer.BadParameter(f"{path}: {problem.strerror}.", param_hint="--out") from None
    _refuse_in(path if is_folder else path.absolute().parent)


def prepare_folder(path: Path) -> None:
    """Make a folder unless it exists.

    Raises:
        typer.BadParameter: it cannot be made, or it cannot be written to.
    """
    try:
        _refuse_in(path)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:  # such as a name that is too long
        raise typer.BadParameter(f"{path}: {problem.strerror}.", param_hint="--out") from None


def _refuse_in(folder: Path) -> None:
    above = (folder, *folder.absolute().parents)
    existing = next(path for path in above if os.path.lexists(path))
    if not existing.is_dir():
        raise typer.BadParameter(f"{existing} is not a folder.", param_hint="--out")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{existing} cannot be written to.", param_hint="--out")


def file_at(out: Path, name: str | None) -> Path:
    """The file `out`; if that is a folder, the file in it whose name is the slug of `name`."""
    return out / f"{slug(name or '')}.mp4" if out.is_dir() else out


def destinations(generation: Generation, out: Path) -> list[tuple[Video, Path]]:
    """The videos of a generation with their files: `out`, or a file in the folder `out`.

    A file in a folder has the task id as its name. A second video is saved as ``name-2.mp4``, a
    third one as ``name-3.mp4``, and so on.
    """
    first = file_at(out, generation.task_id)
    videos = [video for video in generation.data if video.video_url]
    return [
        (video, first if number == 1 else first.with_stem(f"{first.stem}-{number}"))
        for number, video in enumerate(videos, start=1)
    ]
