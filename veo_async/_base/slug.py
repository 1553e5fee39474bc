"""A text as a part of a file's name: one rule for all files that are saved."""

from __future__ import annotations

import unicodedata

SLUG_BYTES = 48
"""Short enough for every file system (255 bytes), with a number, an extension and ``.part``."""


def slug(text: str, fallback: str = "video", *, ascii_only: bool = False) -> str:
    """The first words of a text as a part of a file name: letters, digits and hyphens only.

    Args:
        ascii_only: whether letters beyond ASCII are left out, and accents removed.
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    if ascii_only:
        folded = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    words = "".join(char if _of_a_word(char) else " " for char in folded).split()
    name = words[0].encode()[:SLUG_BYTES].decode(errors="ignore") if words else ""
    for word in words[1:]:
        if len(f"{name}-{word}".encode()) > SLUG_BYTES:
            break
        name = f"{name}-{word}"
    return name or fallback


def _of_a_word(char: str) -> bool:
    # Marks are vowels in many scripts; letters alone would tear such words apart.
    return char.isalnum() or unicodedata.category(char).startswith("M")
