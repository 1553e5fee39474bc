"""The keys of the requests of one run."""

from __future__ import annotations

import hashlib
import json

from .._base.fingerprints import Numbered
from ..errors import InvalidRequestError
from ..models import VideoRequest


def digest(request: VideoRequest) -> str:
    """A hash of the request, the same in every process and version.

    The callback address is left out: a run that is resumed at another address asks for the same
    videos.
    """
    left_out = {"extra_body", "callback_url"}
    chosen = request.model_dump(mode="json", exclude_none=True, exclude=left_out)
    chosen["extra_body"] = request.extra_body  # here a null is sent, so it makes a difference
    text = json.dumps(chosen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Keys:
    """Makes and checks the keys of one run, so that none comes twice.

    Only a fingerprint of each key is kept, so a long input costs little memory.
    """

    def __init__(self) -> None:
        self._taken = Numbered()
        self._count = 0
        self._last: dict[str, int] = {}  # the last number of a request that came more than once

    def key(self, request: VideoRequest) -> str:
        """The key of the next request without one: its hash and its occurrence number, since ten
        equal requests are ten videos."""
        name = digest(request)
        number = self._last.get(name, 0)
        while not self._add(key := f"{name}-{number + 1}"):
            number += 1
            self._last[name] = number
        return key

    def take(self, key: str) -> str:
        """The caller's own key.

        Raises:
            InvalidRequestError: it is taken.
        """
        if not self._add(key):
            problem = f"The key {key!r} comes twice in the input."
            raise InvalidRequestError(problem, field="key", advice="The second one was not sent.")
        return key

    def _add(self, key: str) -> bool:
        """Take a key. Returns whether it was new."""
        self._count += 1
        return self._taken.setdefault(key, self._count) == self._count
