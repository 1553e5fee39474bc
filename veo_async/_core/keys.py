"""Keys that tell the requests of one run apart."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from ..models import VideoRequest


def digest(request: VideoRequest) -> str:
    """A hash of what the caller chose, the same in every process and version."""
    chosen = request.model_dump(mode="json", exclude_none=True, exclude={"extra_body"})
    chosen["extra_body"] = request.extra_body  # here a null is sent, so it makes a difference
    text = json.dumps(chosen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Keys:
    """Keys in input order: ten equal requests are ten videos, so each has its number."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def key(self, request: VideoRequest) -> str:
        """The key of the next request: its hash, and how many equal ones came before it."""
        name = digest(request)
        self._seen[name] += 1
        return f"{name}-{self._seen[name]}"
