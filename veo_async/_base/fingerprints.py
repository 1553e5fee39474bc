"""Many names in little memory: a few bytes each, whatever their length."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection


def fingerprint(name: str) -> int:
    """A 64-bit fingerprint. Among 10⁹ names the chance of any collision is about 3 %."""
    text = name.encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


class Fingerprints:
    """Names that are added often and looked up rarely."""

    def __init__(self) -> None:
        self._fingerprints = array("Q")

    def add(self, name: str) -> None:
        """Add a name."""
        self._fingerprints.append(fingerprint(name))

    def among(self, names: Collection[str]) -> frozenset[str]:
        """The names among these that were added. It takes time in proportion to all that were."""
        wanted = {fingerprint(name): name for name in names}
        return frozenset(wanted[one] for one in self._fingerprints if one in wanted)


class Numbered:
    """The number of each of many names. A hash table with open addressing, at most two thirds full,
    so that a name takes 18 to 36 bytes; a dictionary takes over 100."""

    def __init__(self) -> None:
        self._count = 0
        self._make(8)

    def _make(self, size: int) -> None:
        self._names = array("Q", bytes(8 * size))
        self._numbers = array("Q", bytes(8 * size))

    def setdefault(self, name: str, number: int) -> int:
        """The number of a name; ``number``, which is not 0, if it is new."""
        if 3 * self._count >= 2 * len(self._names):
            self._grow()
        wanted = fingerprint(name)
        place = self._place(wanted)
        if not self._numbers[place]:
            self._names[place], self._numbers[place] = wanted, number
            self._count += 1
        return self._numbers[place]

    def _place(self, wanted: int) -> int:
        last = len(self._names) - 1
        place = wanted & last
        while self._numbers[place] and self._names[place] != wanted:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        pairs = zip(self._names, self._numbers, strict=True)
        self._make(2 * len(self._names))
        for name, number in pairs:
            if number:
                place = self._place(name)
                self._names[place], self._numbers[place] = name, number
