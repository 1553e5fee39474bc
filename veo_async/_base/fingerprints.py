"""A set of many names in little memory: eight bytes each, whatever their length."""

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
