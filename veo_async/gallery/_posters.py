"""The posters of videos: the first frame with content, as a JPEG in the folder ``posters``."""

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

from .._batch.record_files import write_whole
from ._cards import Card, href

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = "posters"

WIDEST = 640
"""The maximum length of a poster's sides in pixels."""

CANDIDATES = 72
"""The poster is one of so many frames from the beginning of a video: three seconds."""

LARGEST = 7680 * 4320
"""The maximum number of pixels of a frame that is decoded. A file may declare any size, and each
pixel takes memory."""

PLAIN = 12.0
"""A frame whose brightness has a smaller standard deviation (of 255) has no content: it is black,
white, or in the middle of a fade."""


def add_posters(folder: Path, cards: Sequence[Card]) -> list[Card]:
    """The cards with the posters and the lengths of their videos, if the videos can be read.

    Without the extra ``gallery`` the cards are unchanged; the page then loads the videos instead.
    """
    place = folder / FOLDER
    # A symbolic link leads elsewhere, and nothing may be written outside of the folder.
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
        seconds = _make_poster(video, poster)
    except Exception:  # noqa: BLE001 - a damaged video may raise anything; the other cards stay
        seconds = None
    shown = poster.is_file() and not poster.is_symlink()
    return replace(card, seconds=seconds, poster=href(FOLDER, poster.name) if shown else "")


def _make_poster(video: Path, poster: Path) -> float | None:
    """Make the poster unless there is a newer one, and return the video's length in seconds."""
    import av

    # An absolute path, since a name may look like a protocol; and only MP4, since other formats
    # (playlists) lead to other files.
    with av.open(os.fspath(video.absolute()), format="mp4") as container:
        seconds = container.duration / av.time_base if container.duration else None
        if not _is_newer(poster, video):
            stream = container.streams.video[0]
            if stream.width * stream.height > LARGEST:
                raise ValueError("a frame that is too large")
            frames = islice(container.decode(video=0), CANDIDATES)
            write_whole(poster, _jpeg(_first_good(map(_image, frames))), durable=False)
    return seconds


def _image(frame: Any) -> Image:
    image: Image = frame.to_image()
    image.thumbnail((WIDEST, WIDEST))
    return image


def _is_newer(poster: Path, video: Path) -> bool:
    return poster.exists() and poster.stat().st_mtime >= video.stat().st_mtime


def _first_good(images: Iterator[Image]) -> Image:
    """The first image with content, else the one with the most contrast."""
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
