"""Escaping of text for a terminal.

A prompt or a reply may contain any character. Escaped text is printable and stays on one line, so
it can neither move the cursor nor pass for output of this program.
"""

from __future__ import annotations

import unicodedata

JOINERS = "\u200c\u200d"
"""Invisible characters that Persian and emoji families need. They do not move the cursor."""


def plain(text: str) -> str:
    """The text on one line, with every control, format and unassigned character escaped."""
    return "".join(char if _is_safe(char) else _escaped(char) for char in text)


def _is_safe(char: str) -> bool:
    return char.isprintable() or char in JOINERS or unicodedata.category(char) == "Zs"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
