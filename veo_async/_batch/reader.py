"""Reads the input of a batch: its entries, their keys, and the journal's item of each key."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

from .._journal.journal import Journal
from .._journal.rows import Item
from .._wire import arguments
from ..errors import InvalidRequestError, JournalError
from ..models import VideoRequest
from .input_check import InputMatch, Purchases
from .keys import Keys

Asked = VideoRequest | tuple[str, VideoRequest]
Source = Iterable[Asked] | AsyncIterable[Asked]

Portion = list[tuple[str, VideoRequest, Item | None]]
"""Entries of an input: key, request, and the journal's item of this key, which may have another
request."""

PORTION = 256
"""The most entries of a synchronous input that are looked up in the journal at once."""


class Reader:
    """The entries of an input.

    Args:
        source: the input.
        journal: the journal, if there is one.
        extend: whether the user confirmed that all new requests are to be bought.
        purchases: reads the purchases that the folder's records name, at the first new request.

    Attributes:
        match: how far the input and the journal agree.
        mismatch: the error for an input that does not belong to the journal.
        error: the exception that the input raised.
        is_over: whether the input has ended.
    """

    def __init__(
        self,
        source: Source,
        journal: Journal | None,
        *,
        extend: bool,
        purchases: Callable[[], Awaitable[Purchases]] | None = None,
    ) -> None:
        self._journal = journal
        self._read_purchases = purchases
        self._purchases: Purchases | None = None
        self.match = InputMatch(journal.bought if journal else 0, extend=extend)
        self._later = aiter(source) if isinstance(source, AsyncIterable) else None
        self._now = iter(()) if isinstance(source, AsyncIterable) else iter(source)
        self._keys = Keys()
        self.mismatch: JournalError | None = None
        self.error: Exception | None = None
        self.is_over = False

    @property
    def may_buy(self) -> bool:
        """Whether new requests may be submitted."""
        return self.match.decision == "submit" and not self.mismatch

    async def read(self, most: int) -> Portion:
        """The next entries, at most ``most``. Sets ``mismatch`` and ``error``."""
        portion = await self._portion(most)
        known = await self._journal.get_many([key for key, _ in portion]) if self._journal else {}
        for key, _ in portion:
            self.match = self.match.seen(known.get(key))
        decision, is_whole = self.match.decision, self.is_over and not self.error
        is_other = decision == "refuse" or (decision == "defer" and self.match.new and is_whole)
        if self._journal and is_other and not self.mismatch:
            self.mismatch = self.match.error(str(self._journal.path))
        if self._read_purchases and (new := [key for key, _ in portion if key not in known]):
            self._purchases = self._purchases or await self._read_purchases()
            self.mismatch = self.mismatch or self._purchases.error(new)
        return [(key, request, known.get(key)) for key, request in portion]

    async def _portion(self, most: int) -> list[tuple[str, VideoRequest]]:
        portion: list[tuple[str, VideoRequest]] = []
        try:
            if self._later:
                portion.append(self._keyed(await anext(self._later)))
            while not self._later and len(portion) < most:
                portion.append(self._keyed(next(self._now)))
        except (StopIteration, StopAsyncIteration):
            self.is_over = True
        except Exception as exc:  # noqa: BLE001 - it is raised where the outcomes are consumed
            if isinstance(exc, InvalidRequestError) and exc.advice == InvalidRequestError.advice:
                exc.advice = arguments.NOT_SENT  # the entries before it may have been
            self.error, self.is_over = exc, True
        return portion

    def _keyed(self, entry: object) -> tuple[str, VideoRequest]:
        given, request = arguments.read_entry(entry)
        key = self._keys.key(request) if given is None else self._keys.take(given)
        return key, request
