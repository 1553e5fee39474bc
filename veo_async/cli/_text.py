"""Foreign text made harmless: for a terminal, for one line.

A prompt or an answer may hold anything. What reaches a terminal is printable and on one line,
so it can neither move the cursor nor pose as output of ours.
"""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"
"""Invisible, but Persian and emoji families are spelled with them, and they move nothing."""


def plain(text: str) -> str:
    """The text on one line, every control, format and unassigned character spelled out."""
    return "".join(char if _harmless(char) else _spelled(char) for char in text)


def _harmless(char: str) -> bool:
    return char.isprintable() or char in JOINERS or unicodedata.category(char) == "Zs"


def _spelled(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
