"""The names of the files that a batch saves: ``0007-a-coffee-mug-on-a-marble-counter.mp4``.

An item's stem is its number in the order of the input and a slug of its title; the names of all its
files begin with it. Stems of one run differ in their numbers. If another item already has the stem
(from a run of other input, or from another batch), a hash of the key is added after a ``~``, which
no plain stem contains. A name is safe on every file system, also on those that ignore case, store
names in another Unicode form, or reserve the names of devices. It never leaves its folder.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from itertools import count

from .._base.slug import slug
from ..models import VideoRequest

UPSCALED = "-1080p"
"""The ending of the stem of an upscaled video. No item's stem ends with it: else one item's video
could be taken for the upscaled video of another."""

VIDEO, RECORD = ".mp4", ".json"

_OURS = re.compile(r"[0-9]{4,}(?:-[^./\\]+)?")


def stem_of(
    number: int, request: VideoRequest, *, key: str | None = None, ascii_only: bool = False
) -> str:
    """The plain stem of an item; with ``key``, the stem for when another item has the plain one."""
    stem = f"{number:04}-{slug(request.title, ascii_only=ascii_only)}"
    while stem.endswith(UPSCALED):
        stem = stem.removesuffix(UPSCALED)
    if key is None:
        return stem
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{stem}~{digest}"


def stems_of(
    number: int, request: VideoRequest, key: str, *, ascii_only: bool = False
) -> Iterator[str]:
    """The stems that an item may have, the plain one first. The sequence is infinite.

    Args:
        ascii_only: whether the file system, or the locale, has no other letters.
    """
    yield stem_of(number, request, ascii_only=ascii_only)
    keys = (key if more == 1 else f"{key}\n{more}" for more in count(1))
    yield from (stem_of(number, request, key=one, ascii_only=ascii_only) for one in keys)


def file_name(stem: str, *, upscaled: bool = False) -> str:
    """The name of an item's video, or of its upscaled one."""
    return f"{stem}{UPSCALED if upscaled else ''}{VIDEO}"


def record_name(stem: str) -> str:
    """The name of an item's record."""
    return f"{stem}{RECORD}"


def names_of(stem: str) -> tuple[str, ...]:
    """All names that an item with this stem may use."""
    return record_name(stem), file_name(stem), file_name(stem, upscaled=True)


def stem_in(name: str) -> str | None:
    """The stem in the name of a video or a record; ``None`` if it is no name of ours."""
    for ending in (f"{UPSCALED}{VIDEO}", VIDEO, RECORD):
        if name.endswith(ending):
            stem = name.removesuffix(ending)
            ours = _OURS.fullmatch(stem) and not stem.endswith(UPSCALED)
            # Some file systems store accents apart from their letters (NFD).
            return unicodedata.normalize("NFC", stem) if ours else None
    return None


def fold(name: str) -> str:
    """A text that is equal for two names if any file system treats them as the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
