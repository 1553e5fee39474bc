"""A page that shows the results of a batch: ``write_gallery("out")`` writes ``out/index.html``.

The page opens from the disk; it needs neither a network nor a server. It shows the videos of the
folder. The records that a batch leaves beside them add the items that failed or are uncertain.
"""

from __future__ import annotations

import os
from pathlib import Path

from .._batch.record_files import read_some, write_whole
from ..errors import InvalidRequestError
from ._cards import cards_of
from ._page import MARK, render
from ._posters import add_posters

__all__ = ["write_gallery"]

PAGE = "index.html"


def write_gallery(folder: str | os.PathLike[str], *, title: str | None = None) -> Path:
    """Write the page of a folder, ``index.html``, and return its path.

    This function blocks: in asynchronous code, call it with ``asyncio.to_thread``. With the extra
    ``gallery`` it also makes a poster of each video, a picture of its beginning, in the folder
    ``posters``. A poster that is newer than its video is kept.

    Args:
        folder: the folder in which a batch saved its videos (``download_to``), or any folder of
            MP4 files.
        title: the heading of the page; by default the folder's name.

    Raises:
        InvalidRequestError: the path is not a folder, or its ``index.html`` is not a gallery, or it
            has neither videos nor records.
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
    if not cards:
        problem = f"{place} has no videos and no records of a batch, so no page was written."
        raise InvalidRequestError(problem, field="folder", advice="")
    cards = add_posters(place, cards)
    write_whole(page, render(title or place.resolve().name or "Videos", cards, notes))
    return page
