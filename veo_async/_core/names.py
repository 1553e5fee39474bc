"""The names of the files that a batch saves.

A name is safe on every file system (also on those that know no case), never leaves its folder,
and belongs to one item and stage alone: a key that is not plainly such a name gets its hash after
a ``~``, which no plain key has.
"""

from __future__ import annotations

import hashlib
import re

UPSCALED = "-1080p"
"""What the name of an upscaled video ends with."""

MOST = 80
"""Characters of a key that its name keeps."""

_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9_-])?")
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")  # names that Windows keeps


def file_name(key: str, *, upscaled: bool = False) -> str:
    """The name of the MP4 of an item."""
    return f"{_stem(key)}{UPSCALED if upscaled else ''}.mp4"


def _stem(key: str) -> str:
    fits = len(key) <= MOST and not key.endswith(UPSCALED)
    if fits and _PLAIN.fullmatch(key) and not _DEVICES.fullmatch(key):
        return key
    readable = re.sub(r"[^a-z0-9_-]+", "_", key.lower())[:MOST].strip("_-")
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{readable or 'item'}~{digest}"
