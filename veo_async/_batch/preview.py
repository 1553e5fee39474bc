"""What a batch would do, found out by reading its input and its journal, and nothing else."""

from __future__ import annotations

from collections import Counter

from .._journal.journal import Journal
from .._journal.rows import Item, Step
from ..errors import VeoError
from ..models import Preview, VideoRequest
from . import stages
from .input_check import InputMatch
from .options import Options
from .run import PORTION, Entries, Source


async def preview(
    source: Source, journal: Journal | None, options: Options, *, extend: bool
) -> Preview:
    """Read the input to its end, as the batch itself would, and count what would be done."""
    entries, counts = Entries(source), Counter[str]()
    overlap = InputMatch(journal.bought if journal else 0, extend=extend)
    error: VeoError | None = None
    path = str(journal.path) if journal else ""
    while not entries.over:
        portion = await entries.read(PORTION)
        known = await journal.get_many([key for key, _ in portion]) if journal else {}
        for key, request in portion:
            item = known.get(key)
            overlap = overlap.seen(item)
            if item:
                item.check(request)
            counts[_step(item or Item(key), request, options)] += 1
        if overlap.verdict == "stop":
            error = error or overlap.error(path)
    if entries.error:
        raise entries.error
    if overlap.held and overlap.verdict != "go":
        error = error or overlap.error(path)
    return Preview(**counts, error=error)


def _step(item: Item, request: VideoRequest, options: Options) -> Step:
    return stages.step_of(item, request, upscale=options.upscale, retry_failed=options.retry_failed)
