"""The containers of videos, by their first bytes and their boxes.

An MP4 is a sequence of boxes (ISO/IEC 14496-12, section 4.2): a length of four bytes, a type of
four letters, and the content. A length of 1 means that eight bytes with the length follow, and a
length of 0 that the box goes on to the end of the file. So the boxes tell where a file may end.
"""

from __future__ import annotations

from dataclasses import dataclass

SIGNATURE = 8
"""Bytes by which a container is recognised."""

FIRST = frozenset(
    {b"ftyp", b"free", b"skip", b"wide", b"moov", b"mdat", b"styp", b"pnot", b"uuid", b"sidx"}
)
"""The boxes with which files begin. The standard asks for ``ftyp`` first, but older writers and
segments begin with the others."""

GIF = (b"GIF87a", b"GIF89a")
GIF_END = b";"

INDEX = frozenset({b"moov", b"moof"})
"""The boxes without which no player finds the pictures."""

HEADER = 16
"""Bytes of the longest header of a box."""


def is_video(head: bytes) -> bool:
    """Whether a file that begins with these bytes, at least `SIGNATURE`, is a video or a GIF."""
    return head[4:8] in FIRST or head.startswith(GIF)


@dataclass(slots=True)
class Boxes:
    """Follows the boxes of a file as its bytes arrive; keeps one header, and nothing else.

    A file in fragments that is cut between two of them cannot be told from a whole one.

    Attributes:
        count: the number of bytes so far.
        has_index: whether the index of the pictures came.
        has_pictures: whether pictures came, in a fragment after its index.
        is_endless: whether the last box goes on to the end of the file.
    """

    count: int = 0
    has_index: bool = False
    has_pictures: bool = False
    is_endless: bool = False
    _next: int = 0
    _header: bytes = b""
    _head: bytes = b""
    _last: bytes = b""

    def take(self, chunk: bytes) -> None:
        """Follow the next bytes."""
        self._head += chunk[: SIGNATURE - len(self._head)]
        self._last = chunk[-1:] or self._last
        start, self.count = self.count, self.count + len(chunk)
        while not self.is_endless and self._next + len(self._header) < self.count:
            at = self._next + len(self._header) - start
            self._header += chunk[at : at + HEADER - len(self._header)]
            if not self._read():
                return

    def _read(self) -> bool:
        """Read the header of a box, if it is whole."""
        header = self._header
        size = int.from_bytes(header[:4]) if len(header) >= SIGNATURE else -1
        if size == 1:
            size = int.from_bytes(header[8:16]) if len(header) >= HEADER else -1
        if size < 0:
            return False
        kind = header[4:8]
        self.has_index = self.has_index or kind in INDEX
        self.has_pictures = kind == b"mdat" or (self.has_pictures and kind != b"moof")
        # A box shorter than its header is none, and its end is unknown as well.
        self.is_endless = size < SIGNATURE
        self._next, self._header = self._next + size, b""
        return True

    @property
    def is_whole(self) -> bool:
        """Whether the file may end here: where a box ends, after the index; a GIF at its mark."""
        if self._head.startswith(GIF):
            return self._last == GIF_END
        is_end = self.is_endless or (self.count == self._next and not self._header)
        return is_end and self.has_index and self.has_pictures
