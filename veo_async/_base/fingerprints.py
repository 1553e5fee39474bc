"""What is kept of many names to know them again: eight bytes each, whatever their length."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection


def fingerprint(name: str) -> int:
    """Eight bytes that tell this name from all others: for two of a billion names to have the same
    ones is a matter of one in thirty."""
    text = name.encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


class Fingerprints:
    """Names that are added often and asked for rarely."""

    def __init__(self) -> None:
        self._fingerprints = array("Q")

    def add(self, name: str) -> None:
        """Know this name again."""
        self._fingerprints.append(fingerprint(name))

    def among(self, names: Collection[str]) -> frozenset[str]:
        """Which of these names were added. It takes as long as there are any."""
        wanted = {fingerprint(name): name for name in names}
        return frozenset(wanted[one] for one in self._fingerprints if one in wanted)
