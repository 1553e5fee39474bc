"""Many requests at once, where every end is a value."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from .._journal.journal import Journal
from .._submit.post import Post
from ..errors import JournalError
from ..models import Outcome, Outcomes, Preview, VideoRequest
from .item import ItemRunner
from .keys import Keys
from .ledger import StageLedger
from .options import BatchDeps, Options
from .preview import preview
from .run import Asked, Run, Source

__all__ = ["Asked", "Batch", "BatchDeps", "Options", "run_all"]


class Batch:
    """A batch, as `VeoClient.batch` makes it. ``async with`` gives the iterator over its outcomes;
    its end stops what is under way, and closes the journal."""

    __module__ = "veo_async"

    def __init__(
        self,
        source: Source,
        parts: BatchDeps,
        options: Options,
        *,
        journal: str | os.PathLike[str] | None,
        max_in_flight: int,
        extend: bool,
        posts: list[Post] | None = None,
    ) -> None:
        self._source = source
        self._deps = parts
        self._options = options
        self._path = journal
        self._max_in_flight = max_in_flight
        self._extend = extend
        self._posts = posts
        self._journal: Journal | None = None
        self._run: Run | None = None

    async def __aenter__(self) -> AsyncIterator[Outcome]:
        runtime = self._deps.runtime
        if self._path is not None:
            self._journal = await Journal.open(
                self._path, run_sync=runtime.run_sync, wall_clock=runtime.wall_clock
            )
        self._run = Run(
            self._source,
            ItemRunner(self._deps, self._options, self._journal),
            self._journal,
            self._deps.submitter.unsettled,
            max_in_flight=self._max_in_flight,
            timeout=self._options.timeout,
            extend=self._extend,
            posts=self._posts,
        )
        return self._run

    async def preview(self) -> Preview:
        """Say what entering it would do. Nothing is sent, and no journal is made.

        The whole input is read, so an iterator is used up by it.

        Raises:
            InvalidRequestError: the input has something else than a request.
            JournalError: the journal cannot be read, or has another request with one of the keys.
        """
        runtime = self._deps.runtime
        path = None if self._path is None else Path(self._path)
        if path is None or not path.exists():
            return await preview(self._source, None, self._options, extend=self._extend)
        journal = await Journal.open(path, run_sync=runtime.run_sync, wall_clock=runtime.wall_clock)
        async with journal:
            return await preview(self._source, journal, self._options, extend=self._extend)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._run is not None  # it was entered
        try:
            await self._run.aclose()
        finally:
            await self._close_journal(error)

    async def _close_journal(self, error: BaseException | None) -> None:
        journal = self._journal
        if journal is None:
            return
        self._deps.submitter.leave(
            lambda ledger: isinstance(ledger, StageLedger) and ledger.is_in(journal)
        )
        # The caller's own error says more; what was not recorded is in the log as well.
        with suppress(*([JournalError] if error else [])):
            await journal.aclose()


async def run_all(
    requests: Sequence[VideoRequest], parts: BatchDeps, *, timeout: float, posts: list[Post]
) -> Outcomes:
    """The outcomes of all requests, in their order. The limits are the client's."""
    keys = Keys()
    pairs = [(keys.key(request), request) for request in requests]
    options = Options(
        folder=None, upscale=False, retry_failed=False, timeout=timeout, max_submissions=None
    )
    most = max(len(pairs), 1)
    batch = Batch(
        pairs, parts, options, journal=None, max_in_flight=most, extend=False, posts=posts
    )
    async with batch as outcomes:
        ends = {outcome.key: outcome async for outcome in outcomes}
    return Outcomes(ends[key] for key, _ in pairs)
