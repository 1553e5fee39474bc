"""A page to look at what a batch made: ``write_gallery("out")`` writes ``out/index.html``.

The page opens from the disk, and needs neither a network nor a server. It shows the videos of the
folder, and what failed or is uncertain, from the records that a batch leaves beside its videos.
"""

from __future__ import annotations

import os
from pathlib import Path

from .._batch.record_files import read_some, write_whole
from ..errors import InvalidRequestError
from .cards import cards_of
from .page import MARK, render
from .posters import add_posters

__all__ = ["write_gallery"]

PAGE = "index.html"


def write_gallery(folder: str | os.PathLike[str], *, title: str | None = None) -> Path:
    """Write the page of a folder, and return its path.

    It blocks: in asynchronous code, call it with ``asyncio.to_thread``. With the extra
    ``gallery`` each video has a poster, a picture of its beginning in the folder ``posters``; one
    that is there already is kept.

    Args:
        folder: where a batch saved its videos (``download_to``), or any folder of MP4 files.
        title: what stands above it; the folder's name by default.

    Raises:
        InvalidRequestError: it is no folder, or its ``index.html`` is somebody else's.
        OSError: the page could not be written.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InvalidRequestError(f"{place} is not a folder.", field="folder", advice="")
    page = place / PAGE
    if page.exists() and MARK not in (read_some(page, 1_000_000_000) or b"")[:1000]:
        problem = f"{page} is not a gallery of ours, so it was left alone. Move it away first."
        raise InvalidRequestError(problem, field="folder", advice="")
    cards, notes = cards_of(place)
    cards = add_posters(place, cards)
    write_whole(page, render(title or place.resolve().name or "Videos", cards, notes))
    return page
