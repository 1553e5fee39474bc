"""The tokens in callback addresses: a random number with its HMAC.

The secret alone proves that a token is genuine, so no token is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import unquote

from .._base.urls import read_public_url
from ..errors import InvalidRequestError

NONCE = 16
"""Random bytes in a token, and as many of its HMAC: 128 bits cannot be guessed."""

LENGTH = 43
"""Characters of a token: 32 bytes in base64 for URLs, without the padding."""

SHORTEST_SECRET = 16
"""Bytes of a secret, at the least."""


class TokenSigner:
    """Makes callback addresses, and verifies their tokens.

    Raises:
        InvalidRequestError: ``public_url`` is not usable, or ``secret`` is too short.
    """

    def __init__(self, public_url: str, secret: str | bytes) -> None:
        self.public_url = str(read_public_url(public_url))
        self._secret = _read_secret(secret)

    def url(self, nonce: bytes) -> str:
        """The address with this nonce."""
        return f"{self.public_url}/{self._token(nonce)}"

    def nonce_of(self, path: str) -> bytes | None:
        """The nonce of the token at the end of a path or a URL; ``None`` if it is not genuine.

        Only the last segment counts: the others depend on where the app is mounted.
        """
        token = token_in(path)
        if len(token) != LENGTH or not token.isascii():
            return None
        try:
            nonce = base64.urlsafe_b64decode(f"{token}=")[:NONCE]
        except binascii.Error:
            return None
        # Texts are compared: base64 has several for the same bytes, and only one was issued.
        return nonce if hmac.compare_digest(self._token(nonce), token) else None

    def _token(self, nonce: bytes) -> str:
        mac = hmac.digest(self._secret, b"veo_async callback\0" + nonce, hashlib.sha256)
        return base64.urlsafe_b64encode(nonce + mac[:NONCE])[:LENGTH].decode()


def token_in(url: str) -> str:
    """The last segment of a path or a URL. A proxy may have added a slash or escaped a letter."""
    return unquote(url.rstrip("/").rpartition("/")[2])


def _read_secret(secret: object) -> bytes:
    data = secret.encode(errors="surrogatepass") if isinstance(secret, str) else secret
    if not isinstance(data, bytes) or len(data) < SHORTEST_SECRET:
        problem = f"secret must be a text or bytes, at least {SHORTEST_SECRET} of them."
        raise InvalidRequestError(problem, field="secret")
    return data


def is_same_submit(ours: str, theirs: object) -> bool | None:
    """Whether a stored request with the callback ``theirs`` is the submit with the callback
    ``ours``; ``None`` if neither is proven.

    Only another token under the same public URL is another submit: a service that stores no
    address, or another form of it, proves nothing.
    """
    if not isinstance(theirs, str):
        return None
    ours, theirs = ours.casefold(), theirs.casefold()
    if ours == theirs:
        return True
    base, token = ours.rpartition("/")[0], token_in(theirs)
    return False if theirs == f"{base}/{token}" and len(token) == LENGTH else None
