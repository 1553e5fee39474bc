"""The mark of a submit: a callback address that no other submit has, so that its record is known.

The service stores ``callback_url`` in the record of a task (WIRE, "A mark of one's own").
"""

from __future__ import annotations

import re

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_MARK = re.compile(rf"(?:[?&]ref=|%3fref%3d|#)({_UUID})|/([a-z0-9_-]{{43}})$", re.IGNORECASE)


def mark_in(url: object) -> str | None:
    """The mark in a callback address, in one spelling; ``None`` if it has none. It is recognised by
    its random part alone, since a service may store the address in another form."""
    found = _MARK.search(url) if isinstance(url, str) else None
    return (found[1] or found[2]).casefold() if found else None
