"""The encoding of a file of prompts, by its first bytes."""

from __future__ import annotations

import codecs
import unicodedata

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The marks with which a file can begin, and its encoding then."""

BINARY = (
    (b"PK\x03\x04", "a workbook, a document or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a document of a word processor (RTF)"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"BZh", "compressed (bzip2)"),
    (b"\xfd7zXZ", "compressed (xz)"),
    (b"(\xb5/\xfd", "compressed (zstd)"),
    (b"SQLite format 3", "a database"),
    (b"PAR1", "a Parquet file"),
    (b"bplist", "a property list"),
)
"""The beginnings of files that hold no plain text."""

LAST_PLANE = 0x10
"""The highest byte of a code point of Unicode that can be other than zero, at most."""

MARKUP = ("<!doctype", "<html", "<?xml", "<svg")
"""The beginnings of pages and XML documents, in lower case."""


def binary_kind(head: bytes) -> str | None:
    """The kind of a file that is no plain text, for a person; ``None`` for any other."""
    kinds = (kind for start, kind in BINARY if head.startswith(start))
    return next(kinds, None) or (
        "a page or an XML document"
        if head.lstrip()[:9].lower().startswith(tuple(start.encode() for start in MARKUP))
        else None
    )


def encoding_of(head: bytes) -> str | None:
    """The encoding of a file: by its mark; without one by its zeros, which UTF-8 never has.

    In UTF-32 they stand at fixed places. In UTF-16 all characters are those of a text only in the
    right order of bytes.

    Returns:
        The name of a codec, or ``None`` if the file is no text.
    """
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" not in head:
        return "utf-8"
    if head.count(0) * 4 < len(head) and _is_utf8(head):
        return "utf-8"  # a stray zero, which is refused as a character
    whole = head[: len(head) // 4 * 4]
    if whole and not any(whole[3::4]) and max(whole[2::4]) <= LAST_PLANE:
        return "utf-32-le"
    if whole and not any(whole[0::4]) and max(whole[1::4]) <= LAST_PLANE:
        return "utf-32-be"
    strange, encoding = min((_strange(head, name), name) for name in ("utf-16-le", "utf-16-be"))
    return None if strange else encoding


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _strange(head: bytes, encoding: str) -> int:
    """The number of characters that no text has, if the bytes are in this encoding."""
    text = head[: len(head) // 2 * 2].decode(encoding, errors="replace")
    kinds = (unicodedata.category(char) for char in text if char not in "\t\n\r\ufeff")
    return sum(kind in {"Cc", "Cn", "Co", "Cs"} for kind in kinds) + text.count("\ufffd")
