"""Pictures of videos: the first frame that shows something, as a JPEG in the folder ``posters``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib import import_module
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._io.records import write_whole
from ._cards import Card, href

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = "posters"

WIDEST = 640
"""Pixels of a poster's longer side."""

LOOKED_AT = 72
"""Frames at the beginning of a video among which the picture is chosen: three seconds."""

LARGEST = 7680 * 4320
"""Pixels of a frame that is decoded. A file may claim any size, and each pixel takes memory."""

PLAIN = 12.0
"""A frame whose brightness varies by less (its standard deviation, of 255) shows next to nothing:
black, white, or the middle of a fade."""


def add_posters(folder: Path, cards: Sequence[Card]) -> list[Card]:
    """The cards with their videos' posters and lengths, as far as the videos can be read.

    Without the extra ``gallery`` they stay as they are; the page then asks the videos themselves.
    """
    place = folder / FOLDER
    # A link leads elsewhere, and nothing may be written outside of the folder.
    if not _has_libraries() or place.is_symlink() or place.is_file():
        return list(cards)
    place.mkdir(exist_ok=True)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as threads:
        return list(threads.map(partial(_with_poster, folder), cards))


def _has_libraries() -> bool:
    try:
        return all(map(import_module, ("av", "PIL")))
    except ImportError:
        return False


def _with_poster(folder: Path, card: Card) -> Card:
    if not card.files:
        return card
    video = folder / card.files[-1]["name"]
    poster = folder / FOLDER / f"{video.stem}.jpg"
    try:
        seconds = _look(video, poster)
    except Exception:  # noqa: BLE001 - whatever a damaged video does, the page must not miss the rest
        seconds = None
    shown = poster.is_file() and not poster.is_symlink()
    return replace(card, seconds=seconds, poster=href(FOLDER, poster.name) if shown else "")


def _look(video: Path, poster: Path) -> float | None:
    """Make the poster unless it is there, and return how many seconds the video has."""
    import av

    # Absolute, since a name may look like a protocol's; and only as what it should be, since other
    # formats (playlists) lead to other files.
    with av.open(os.fspath(video.absolute()), format="mp4") as container:
        seconds = container.duration / av.time_base if container.duration else None
        if not _is_newer(poster, video):
            stream = container.streams.video[0]
            if stream.width * stream.height > LARGEST:
                raise ValueError("a frame that is too large")
            frames = islice(container.decode(video=0), LOOKED_AT)
            write_whole(poster, _jpeg(_first_good(map(_image, frames))), durable=False)
    return seconds


def _image(frame: Any) -> Image:
    image: Image = frame.to_image()
    image.thumbnail((WIDEST, WIDEST))
    return image


def _is_newer(poster: Path, video: Path) -> bool:
    return poster.exists() and poster.stat().st_mtime >= video.stat().st_mtime


def _first_good(images: Iterator[Image]) -> Image:
    """The first image that shows something, else the one that shows most."""
    best = next(images)
    while _variety(best) < PLAIN and (image := next(images, None)):
        best = max(best, image, key=_variety)
    return best


def _variety(image: Image) -> float:
    from PIL import ImageStat

    return float(ImageStat.Stat(image.convert("L")).stddev[0])


def _jpeg(image: Image) -> bytes:
    data = BytesIO()
    image.save(data, "JPEG", quality=82, optimize=True, progressive=True)
    return data.getvalue()
