"""The fields of a prompt in a file: their names as people write them, and their values."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import Any, Final

FIELDS: Final = (
    *("prompt", "key", "action", "model", "aspect_ratio", "resolution", "image_urls"),
    *("translation", "video_id", "callback_url", "extra_body"),
)
"""The fields that a record can have."""

MEANT: Final = {
    "image": "image_urls",
    "images": "image_urls",
    "image_url": "image_urls",
    "img": "image_urls",
    "text": "prompt",
    "prompts": "prompt",
    "description": "prompt",
    "caption": "prompt",
    "ratio": "aspect_ratio",
    "aspect": "aspect_ratio",
    "id": "key",
    "name": "key",
    "size": "resolution",
    "quality": "resolution",
    "translate": "translation",
    "video": "video_id",
    "webhook": "callback_url",
    "extra": "extra_body",
}
"""The fields that people mean by other words."""

AFTER = re.compile(r"[,;|]\s*(?=https?://)|\s+", re.IGNORECASE)
"""The places between addresses that stand in one text."""


def field_of(name: str) -> str:
    """A name as the wire writes it: ``Aspect Ratio`` and ``aspectRatio`` are ``aspect_ratio``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", unicodedata.normalize("NFKC", name).strip())
    folded = re.sub(r"[\s\-_.]+", "_", words).lower()
    return {"image_ur_ls": "image_urls"}.get(folded, folded)


GLUED = re.compile(r"(\.(?:png|jpe?g|webp|gif))(?=https?://)", re.IGNORECASE)
"""The end of an address that another one follows without a space."""

LONGEST_SHOWN = 60
"""Characters of a value or a name that a message shows."""


def shortened(text: str) -> str:
    """A text as a message shows it."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def nearest(name: str) -> str | None:
    """The field that an unknown name probably means."""
    near = difflib.get_close_matches(field_of(name), FIELDS, n=1, cutoff=0.7)
    return MEANT.get(field_of(name)) or next(iter(near), None)


def unknown_field(name: str) -> str:
    """The sentence about a field that there is not."""
    name = shortened(name)
    if near := nearest(name):
        return f"{name}: there is no such field; {near} is probably meant"
    return f"{name}: there is no such field (there are: {', '.join(FIELDS)})"


def addresses(text: str) -> list[str]:
    """The addresses in one text, separated by spaces, commas, semicolons or bars.

    A comma inside of an address is a part of it.
    """
    return [part for part in AFTER.split(GLUED.sub(r"\1 ", text.strip())) if part]


TURNS = frozenset("\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Invisible characters that change the direction of a text, and the mark of an encoding."""


def _before_conversion(text: str) -> str | None:
    """The text that was meant, if a program took its UTF-8 for a Western encoding."""
    if not re.search("[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u02dc\u2013-\u2122]", text):
        return None
    try:
        return text.encode("cp1252").decode()
    except UnicodeError:
        return None


def unfit(value: Any) -> str | None:
    """The problem of a text that no prompt means: control characters, or damaged text."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        return next((problem for one in value if (problem := unfit(one))), None)
    if not isinstance(value, str):
        return None
    if (meant := _before_conversion(value)) is not None:
        return f"{shortened(value)!r} was damaged by a program; {shortened(meant)!r} is meant"
    return _strange(value)


def _strange(value: str) -> str | None:
    for position, char in enumerate(value, start=1):
        if char in TURNS:
            return f"character {position} is invisible (U+{ord(char):04X}); remove it"
        if char == "\N{REPLACEMENT CHARACTER}":
            return f"character {position} was lost in an earlier conversion of the text (U+FFFD)"
        if unicodedata.category(char) == "Cc" and char not in "\t\n\r":
            return f"character {position} is a control character (U+{ord(char):04X})"
    return None
