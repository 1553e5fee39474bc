"""The account of a token, recognised again without the token."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """A key that every holder of one token derives alike, and from which no token can be computed.

    Attributes:
        key: 32 bytes. They never leave this process; what leaves it is derived from them.
    """

    key: bytes = field(repr=False)

    @classmethod
    def of_token(cls, token: str) -> Account:
        """The account of this token."""
        return cls(hmac.digest(token.encode(), b"veo_async account", hashlib.sha256))

    @property
    def fingerprint(self) -> str:
        """16 hex digits that tell accounts apart, for files."""
        return self.seal(b"fingerprint", 8).hex()

    def seal(self, message: bytes, length: int) -> bytes:
        """The first bytes of this account's HMAC of a message."""
        return hmac.digest(self.key, message, hashlib.sha256)[:length]
