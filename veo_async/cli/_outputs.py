"""Where files go: by the caller's names or by slugs. Nothing from the network names a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import typer

from .._base.slug import slug
from ..models import Generation, Video


def refuse_unwritable(path: Path) -> None:
    """Find out before a video is paid for that its file could not be written.

    Raises:
        typer.BadParameter: there is something in the way.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        is_folder = False
    except OSError as problem:  # such as a name that is too long
        raise typer.BadParameter(f"{path}: {problem.strerror}.", param_hint="--out") from None
    _refuse_in(path if is_folder else path.absolute().parent)


def prepare_folder(path: Path) -> None:
    """Make a folder, if it is not there.

    Raises:
        typer.BadParameter: there is something in the way.
    """
    try:
        _refuse_in(path)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:  # such as a name that is too long
        raise typer.BadParameter(f"{path}: {problem.strerror}.", param_hint="--out") from None


def _refuse_in(folder: Path) -> None:
    above = (folder, *folder.absolute().parents)
    existing = next(place for place in above if os.path.lexists(place))
    if not existing.is_dir():
        raise typer.BadParameter(f"{existing} is not a folder.", param_hint="--out")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{existing} cannot be written to.", param_hint="--out")


def file_at(out: Path, name: str | None) -> Path:
    """The file `out`; or, if that is a folder, a file of that name, made safe, in it."""
    return out / f"{slug(name or '')}.mp4" if out.is_dir() else out


def places(generation: Generation, out: Path) -> list[tuple[Video, Path]]:
    """Each video with its place: the file `out`, or one named by the task in the folder `out`.

    A second video of a generation goes to ``name-2.mp4``, and so on.
    """
    first = file_at(out, generation.task_id)
    videos = [video for video in generation.data if video.video_url]
    return [
        (video, first if number == 1 else first.with_stem(f"{first.stem}-{number}"))
        for number, video in enumerate(videos, start=1)
    ]
