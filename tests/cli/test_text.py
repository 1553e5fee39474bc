"""Foreign text made harmless."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async._base.slug import SLUG_BYTES, slug
from veo_async.cli._text import JOINERS, plain


@pytest.mark.parametrize(
    "text, harmless",
    [
        ("a mug", "a mug"),
        ("[/bold]", "[/bold]"),
        ("two\nlines", r"two\nlines"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b31m", r"\x9b31m"),
        ("right \u202eto left", r"right \u202eto left"),
        ("half \ud83d", r"half \ud83d"),
        ("杯子\u3000ملف", "杯子\u3000ملف"),
        ("نمی\u200cخواهم", "نمی\u200cخواهم"),
    ],
)
def test_plain(text: str, harmless: str) -> None:
    """What could move a cursor or fake a line is spelled out; the rest of any language stays."""
    assert plain(text) == harmless


@given(st.text(alphabet=st.characters()))
def test_plain_is_one_printable_line(text: str) -> None:
    """Whatever comes in, one line comes out, and doing it twice changes nothing."""
    shown = plain(text)

    assert len(shown.splitlines()) <= 1
    assert all(c.isprintable() or c.isspace() or c in JOINERS for c in shown)
    assert plain(shown) == shown


@pytest.mark.parametrize(
    "text, name",
    [
        ("A coffee mug on a marble counter", "a-coffee-mug-on-a-marble-counter"),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "con"),
        ("Ｆｕｌｌ width", "full-width"),
        ("कॉफ़ी का प्याला", "कॉफ़ी-का-प्याला"),
        ("", "video"),
        ("\x00/\\:*?", "video"),
        ("one " * 40, "one-one-one-one-one-one-one-one-one-one-one-one"),
        ("w" * 300, "w" * SLUG_BYTES),
    ],
)
def test_slug(text: str, name: str) -> None:
    """A file name says what the prompt says, with letters, digits and hyphens only."""
    assert slug(text) == unicodedata.normalize("NFKC", name)


@given(st.text())
def test_slug_is_safe(text: str) -> None:
    """No prompt makes a name that is empty, hidden, a path, or too long for a file system."""
    name = slug(text)

    assert name
    assert not set(name) & set('./\\:*?"<>| \x00')
    assert not name.startswith("-")
    assert len(name.encode()) <= SLUG_BYTES
