"""Foreign text made harmless: for a terminal, for one line, for a file name.

A prompt or an answer may hold anything. What reaches a terminal is printable and on one line,
so it can neither move the cursor nor pose as output of ours.
"""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"
"""Invisible, but Persian and emoji families are spelled with them, and they move nothing."""

SLUG_BYTES = 48
"""Short enough for every file system (255 bytes), with a number, an extension and ``.part``."""


def plain(text: str) -> str:
    """The text on one line, every control, format and unassigned character spelled out."""
    return "".join(char if _harmless(char) else _spelled(char) for char in text)


def _harmless(char: str) -> bool:
    return char.isprintable() or char in JOINERS or unicodedata.category(char) == "Zs"


def _spelled(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def slug(text: str, fallback: str = "video") -> str:
    """A part of a file name that says what the text says: letters, digits and hyphens only."""
    folded = unicodedata.normalize("NFKC", text).lower()
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
