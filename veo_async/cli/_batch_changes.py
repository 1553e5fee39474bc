"""The changes of a file of prompts since its batch was bought, told before anything is bought."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ..models import Preview, VideoRequest
from ._fields import shortened
from ._prompts import Prompt, Prompts

MOST_SHOWN = 20
"""Changes that have a line of their own."""

ALIKE = 0.6
"""How much two prompts have in common if one was made out of the other; 1 for equal ones."""


def changes(preview: Preview, prompts: Prompts) -> Iterator[str]:
    """The lines that say which prompts are new, changed and gone."""
    if not preview.gone:
        return
    gone = list(preview.gone)
    positions = set(preview.new[:MOST_SHOWN])
    for entry in _at(positions, prompts):
        title = shortened(entry.request.title)
        former = _former(entry.request, gone)
        if former is None:
            yield f"line {entry.line} is new: {title}"
            continue
        gone.remove(former)
        if former.title == entry.request.title:
            yield f"line {entry.line} has other options than before: {title}"
        else:
            yield f"line {entry.line} changed: {title} (it was: {shortened(former.title)})"
    if len(preview.new) > MOST_SHOWN:
        yield f"... and {len(preview.new) - MOST_SHOWN} more new or changed lines"
    for request in gone[:MOST_SHOWN]:
        yield f"bought before, and not in the file any more: {shortened(request.title)}"
    if len(gone) > MOST_SHOWN:
        yield f"... and {len(gone) - MOST_SHOWN} more that are not in the file any more"


def _at(positions: set[int], prompts: Prompts) -> Iterator[Prompt]:
    entries = (entry for entry in prompts if isinstance(entry, Prompt))
    return (entry for number, entry in enumerate(entries, start=1) if number in positions)


def _former(request: VideoRequest, gone: list[VideoRequest]) -> VideoRequest | None:
    """The request that this one was made out of, if it is among those that are gone."""
    same = next((one for one in gone if one.title == request.title), None)
    near = difflib.get_close_matches(request.title, [one.title for one in gone], 1, ALIKE)
    return same or next((one for one in gone if near and one.title == near[0]), None)
