"""The account of a token, recognised again without the token."""

from __future__ import annotations

import hashlib
import hmac


def account_of(token: str) -> str:
    """16 hex digits that tell accounts apart, for files. The token cannot be computed from them."""
    return hmac.digest(token.encode(), b"veo_async account", hashlib.sha256)[:8].hex()
