"""The containers of videos: their first bytes, and where a file may end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.downloads.test_downloader import FTYP, VIDEO, box
from veo_async._downloads.container import Boxes, is_video

LONG = (1).to_bytes(4) + b"mdat" + (16 + 40).to_bytes(8) + bytes(40)
GIF = b"GIF89a" + bytes(30) + b";"
WHOLE = {
    "usual": VIDEO,
    "index first": FTYP + box(b"moov", b"index") + box(b"mdat", b"pictures"),
    "long": FTYP + box(b"moov", b"") + LONG,
    "endless": FTYP + box(b"moov", b"") + (0).to_bytes(4) + b"mdat" + b"pictures",
    "fragments": box(b"styp", b"msdh") + box(b"moof", b"") + box(b"mdat", b"pictures"),
    "padding first": box(b"free", bytes(20)) + VIDEO,
    "gif": GIF,
}


def boxes(data: bytes, size: int) -> Boxes:
    """The boxes of a file that came in pieces of this size."""
    followed = Boxes()
    for start in range(0, len(data), size):
        followed.take(data[start : start + size])
    return followed


@pytest.mark.parametrize("name", [*WHOLE])
@given(size=st.integers(1, 100))
def test_a_whole_file(name: str, size: int) -> None:
    """A whole file is known as one, in whatever pieces it came."""
    data = WHOLE[name]

    assert is_video(data[:8])
    assert boxes(data, size).is_whole


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "endless"])
@given(cut=st.integers(1, 10_000), size=st.integers(1, 100))
def test_a_file_that_was_cut(name: str, cut: int, size: int) -> None:
    """A file that lacks any of its last bytes is not whole."""
    data = WHOLE[name]
    short = data[: max(len(data) - 1 - cut % (len(data) - 1), 1)]

    assert not boxes(short, size).is_whole or short[-1:] == b";"


def test_a_file_without_an_index() -> None:
    """Pictures without an index are no whole file, although a box ends there."""
    assert not boxes(FTYP + box(b"mdat", b"pictures"), 7).is_whole
    assert not boxes(b"", 1).is_whole


@pytest.mark.parametrize("kind", [b"ftyp", b"free", b"wide", b"moov", b"styp", b"mdat", b"skip"])
def test_first_boxes(kind: bytes) -> None:
    """Older writers, segments and players begin a file with other boxes than ``ftyp``."""
    assert is_video(box(kind, b"more")[:8])


@pytest.mark.parametrize(
    "head", [b"<!DOCTYP", b'{"error"', b"PK\x03\x04\0\0\0\0", b"", b"GIF88a\0\0"]
)
def test_other_files(head: bytes) -> None:
    """Pages, JSON and archives are no videos."""
    assert not is_video(head)
