"""Many requests at once, where every end is a value."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from .._journal.journal import Journal
from .._journal.rows import Item
from .._submit.post import Post
from ..errors import JournalError, VeoError
from ..models import Outcome, Outcomes, Preview, VideoRequest
from .item import ItemRunner
from .keys import Keys
from .options import BatchDeps, Options
from .reader import PORTION, Asked, Reader, Source
from .run import Run
from .stages import step_of

__all__ = ["Asked", "Batch", "BatchDeps", "Options", "run_all"]


class Batch:
    """A batch, as `VeoClient.batch` makes it. ``async with`` gives the iterator over its outcomes;
    its end stops what is under way, and closes the journal."""

    def __init__(
        self,
        source: Source,
        deps: BatchDeps,
        options: Options,
        *,
        journal: str | os.PathLike[str] | None,
        max_in_flight: int,
        extend: bool,
        posts: list[Post] | None = None,
    ) -> None:
        self._source = source
        self._deps = deps
        self._options = options
        self._path = journal
        self._max_in_flight = max_in_flight
        self._extend = extend
        self._posts = posts
        self._journal: Journal | None = None
        self._runner: ItemRunner | None = None
        self._run: Run | None = None

    async def __aenter__(self) -> AsyncIterator[Outcome]:
        runtime = self._deps.runtime
        if self._path is not None:
            self._journal = await Journal.open(
                self._path, run_sync=runtime.run_sync, wall_clock=runtime.wall_clock
            )
        self._runner = ItemRunner(self._deps, self._options, self._journal)
        self._run = Run(
            Reader(self._source, self._journal, extend=self._extend),
            self._runner,
            self._journal,
            self._deps.submitter.unsettled,
            max_in_flight=self._max_in_flight,
            timeout=self._options.timeout,
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
            return await self._preview(None)
        journal = await Journal.open(path, run_sync=runtime.run_sync, wall_clock=runtime.wall_clock)
        async with journal:
            return await self._preview(journal)

    async def _preview(self, journal: Journal | None) -> Preview:
        reader, counts = Reader(self._source, journal, extend=self._extend), Counter[str]()
        error: VeoError | None = None
        options = self._options
        while not reader.is_over:
            for key, request, item in await reader.read(PORTION):
                if item:
                    item.check(request)
                step = step_of(
                    item or Item(key),
                    request,
                    upscale=options.upscale,
                    retry_failed=options.retry_failed,
                )
                counts[step] += 1
            if reader.match.decision == "refuse":
                error = error or reader.mismatch()
        if reader.error:
            raise reader.error
        if reader.match.new and reader.match.decision != "submit":
            error = error or reader.mismatch()
        return Preview(**counts, error=error)

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
        # The POSTs that are open now may be accepted for as long as their answers are awaited.
        assert self._runner is not None  # it was entered
        for post in self._runner.gate.open:
            post.left_open(self._deps.policy.submit_timeout)
        # The caller's own error says more; what was not recorded is in the log as well.
        with suppress(*([JournalError] if error else [])):
            await journal.aclose()


async def run_all(
    requests: Sequence[VideoRequest], deps: BatchDeps, *, timeout: float, posts: list[Post]
) -> Outcomes:
    """The outcomes of all requests, in their order. The limits are the client's."""
    keys = Keys()
    pairs = [(keys.key(request), request) for request in requests]
    options = Options(
        folder=None, upscale=False, retry_failed=False, timeout=timeout, max_submissions=None
    )
    most = max(len(pairs), 1)
    batch = Batch(pairs, deps, options, journal=None, max_in_flight=most, extend=False, posts=posts)
    async with batch as outcomes:
        by_key = {outcome.key: outcome async for outcome in outcomes}
    return Outcomes(by_key[key] for key, _ in pairs)
