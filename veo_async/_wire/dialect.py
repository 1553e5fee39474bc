"""The forms of a request that a deployment accepts where the vendor's documents disagree: the
spelling of an action, and a callback address beside ``async``."""

from __future__ import annotations

from collections.abc import Mapping

_OTHER: Mapping[str, str] = {"get_1080p": "get1080p", "get1080p": "get_1080p"}
"""The API guide and the vendor's OpenAPI document spell this action differently."""


def other_spelling(action: str) -> str | None:
    """The other spelling of an action; ``None`` if there is only one."""
    return _OTHER.get(action)


def canonical_action(action: str) -> str:
    """The spelling of the API guide, which is the name that our requests use."""
    return _OTHER[action] if action == "get1080p" else action


class Dialect:
    """The forms of a request that one deployment was seen to accept.

    Attributes:
        takes_marks: whether it accepts the callback address of a mark.
    """

    def __init__(self) -> None:
        self._accepted: dict[str, str] = {}
        self.takes_marks = True

    def spell(self, action: str) -> str:
        """The spelling to send first."""
        return self._accepted.get(action, action)

    def accepted(self, spelling: str, *, unmarked: bool = False) -> None:
        """The service accepted a request with this spelling, perhaps only without a mark."""
        if spelling in _OTHER:
            self._accepted[canonical_action(spelling)] = spelling
        if unmarked:
            self.takes_marks = False
