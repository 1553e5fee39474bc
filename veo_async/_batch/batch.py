"""The batch as `VeoClient.batch` returns it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from types import TracebackType

from .._journal.journal import Journal
from .._journal.rows import Item
from .._submit.post import Post
from ..errors import JournalError, VeoError
from ..models import Outcome, Outcomes, Preview, VideoRequest
from .input_check import Purchases
from .item import ItemRunner
from .keys import Keys
from .options import BatchDeps, Options
from .reader import PORTION, Asked, Reader, Source
from .run import Run
from .stages import step_of, submits_of, unwritable

__all__ = ["Asked", "Batch", "BatchDeps", "Options", "run_all"]


MOST_CHANGES = 1000
"""The most changes of an input that a preview names."""


class Batch:
    """A batch, as `VeoClient.batch` makes it.

    ``async with`` returns the iterator over its outcomes. At the end of the block no more items are
    started, the POSTs that have started may finish, and the journal is closed.
    """

    __module__ = "veo_async"

    def __init__(
        self,
        source: Source,
        deps: BatchDeps,
        options: Options,
        *,
        journal: str | os.PathLike[str] | None,
        max_in_flight: int,
        extend: bool,
        adopt_journal: bool = False,
        posts: list[Post] | None = None,
    ) -> None:
        self._source = source
        self._deps = deps
        self._options = options
        self._path = None if journal is None else Path(journal)
        self._max_in_flight = max_in_flight
        self._extend = extend
        self._adopt_journal = adopt_journal
        self._posts = posts
        self._journal: Journal | None = None
        self._runner: ItemRunner | None = None
        self._run: Run | None = None

    async def __aenter__(self) -> AsyncIterator[Outcome]:
        self._deps.runtime.check_loop()
        if self._path:
            self._journal = await self._claimed(self._path)
        self._runner = ItemRunner(self._deps, self._options, self._journal)
        try:
            reader = self._reader(self._journal)
        except BaseException:  # the input cannot be iterated
            if self._journal:
                await self._journal.aclose()
            raise
        self._run = Run(
            reader,
            self._runner,
            self._journal,
            self._deps.submitter.unsettled,
            max_in_flight=self._max_in_flight,
            timeout=self._options.timeout,
            posts=self._posts,
        )
        return self._run

    async def _open(self, path: Path) -> Journal:
        runtime = self._deps.runtime
        return await Journal.open(path, run_sync=runtime.run_sync, wall_clock=runtime.wall_clock)

    async def _claimed(self, path: Path) -> Journal:
        """The journal, if this client's account bought it, or may take it over."""
        journal = await self._open(path)
        error = self._mismatch(journal)
        if error:
            await journal.aclose()
            raise error
        journal.claim(self._deps.buyer)
        return journal

    def _mismatch(self, journal: Journal, *, any_token: bool = False) -> JournalError | None:
        buyer = self._deps.buyer.without_account() if any_token else self._deps.buyer
        return None if self._adopt_journal else journal.mismatch(buyer)

    def _reader(self, journal: Journal | None) -> Reader:
        # A second run without a journal is meant to buy again.
        needs_records = self._path and self._options.folder and not self._extend
        purchases = self._purchases if needs_records else None
        return Reader(self._source, journal, extend=self._extend, purchases=purchases)

    async def _purchases(self) -> Purchases:
        folder = self._options.folder
        assert folder is not None  # it is the reason for this call
        try:
            recorded = await self._deps.runtime.run_sync(folder.purchases)
        except OSError as exc:
            raise unwritable(exc, folder.path) from exc
        return Purchases(recorded, folder=str(folder.path), journal=str(self._path))

    async def preview(self, *, any_token: bool = False) -> Preview:
        """The numbers of items by what the batch would do with them.

        Nothing is sent, and no journal is created. The whole input is read, so an iterator is
        exhausted afterwards.

        Args:
            any_token: whether the client's token is a placeholder, since none is needed here. The
                account of the journal is then not checked.

        Raises:
            InvalidRequestError: the input contains an entry that is no request.
            JournalError: the journal cannot be read, or has another request with one of the keys.
        """
        if not self._path or not self._path.exists():
            return await self._preview(None)
        async with await self._open(self._path) as journal:
            counted = await self._preview(journal)
            foreign = self._mismatch(journal, any_token=any_token)
        return replace(counted, error=foreign or counted.error)

    async def _preview(self, journal: Journal | None) -> Preview:
        reader, counts = self._reader(journal), Counter[str]()
        options = {"upscale": self._options.upscale, "retry_failed": self._options.retry_failed}
        known: set[str] = set()
        new: list[int] = []
        numbers = count(1)
        while not reader.is_over:
            for key, request, item in await reader.read(PORTION):
                number = next(numbers)
                if item:
                    item.check(request)
                    known.add(key)
                elif len(new) < MOST_CHANGES:
                    new.append(number)
                found = item or Item(key)
                counts[step_of(found, request, **options)] += 1
                counts.update(submits_of(found, request, **options))
        if reader.error:
            raise reader.error
        is_whole = reader.match.met >= reader.match.bought
        gone = await self._gone(journal, known) if journal and not is_whole else ()
        changed = tuple(new) if gone else ()
        return Preview(**counts, error=reader.mismatch, gone=gone, new=changed)

    async def _gone(self, journal: Journal, known: set[str]) -> tuple[VideoRequest, ...]:
        """The requests of bought items that the input does not contain."""
        items = (await journal.rows()).items()
        bought = (item for key, item in items if key not in known and item.may_be_bought)
        requests = (item.request for item in islice(bought, MOST_CHANGES))
        return tuple(request for request in requests if request)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._run is not None  # it was entered
        assert self._runner is not None
        try:
            await self._run.aclose()
        finally:
            if self._journal:
                # An open POST may be accepted for as long as its answer is awaited.
                for post in self._runner.gate.open:
                    post.left_open(self._deps.policy.submit_timeout)
                # The caller's own error says more; events that were not recorded are in the log.
                with suppress(*([JournalError] if error else [])):
                    await self._journal.aclose()


async def run_all(
    requests: Sequence[VideoRequest], deps: BatchDeps, *, timeout: float, posts: list[Post]
) -> Outcomes:
    """The outcomes of all requests, in their order, within the client's limits."""
    keys = Keys()
    pairs = [(keys.key(request), request) for request in requests]
    options = Options(
        folder=None, upscale=False, retry_failed=False, timeout=timeout, max_submissions=None
    )
    most = max(len(pairs), 1)
    batch = Batch(pairs, deps, options, journal=None, max_in_flight=most, extend=False, posts=posts)
    try:
        async with batch as outcomes:
            by_key = {outcome.key: outcome async for outcome in outcomes}
    except VeoError:
        deps.submitter.unsettled.add(posts)  # no outcome has them
        raise
    return Outcomes(by_key[key] for key, _ in pairs)
