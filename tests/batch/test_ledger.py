from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from veo_async import TextToVideo
from veo_async._batch.ledger import StageLedger
from veo_async._batch.spending import SpendingGate
from veo_async._journal.events import Event, Intended, Uncertain, Withdrawn
from veo_async._reconcile.window import EARLY
from veo_async.errors import InsufficientBalanceError, JournalError

pytestmark = pytest.mark.asyncio

MUG = TextToVideo(prompt="a mug")
WITHDRAWN = Withdrawn("k", "generate")


class Book:
    """A journal that keeps all events in memory, and may be slow."""

    path = Path("run.db")

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.events: list[Event] = []
        self.error: Exception | None = None
        self._seconds = seconds

    async def record(self, event: Event) -> None:
        """Keep an event after ``seconds``, or raise ``error``."""
        await asyncio.sleep(self._seconds)
        if self.error:
            raise self.error
        self.events.append(event)

    def note(self, event: Event, *, failed: Callable[[], object]) -> None:
        """Keep an event whose write nothing waits for."""
        self.events.append(event)

    def check(self, key: str) -> None:
        """It can always be written."""


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


def ledger_of(
    book: Any, gate: SpendingGate | None = None, *, lost_since: float | None = None
) -> StageLedger:
    """A ledger on the clock of the event loop."""
    return StageLedger(
        gate or SpendingGate(None),
        book,
        "k",
        "generate",
        wall_clock=now,
        offset=lambda: None,
        lost_since=lost_since,
        unrecorded={},
    )


async def announce(ledger: StageLedger) -> None:
    """A POST is about to be sent, or its turn has come."""
    await ledger.announce(MUG, "text2video", "https://app.example/1", is_held=False)


def intended(at: float) -> Intended:
    """The intent that is recorded then."""
    url = "https://app.example/1"
    return Intended("k", "generate", MUG, at, None, "text2video", url)


@pytest.mark.parametrize("age, again", [(0.0, False), (EARLY, False), (EARLY + 0.01, True)])
async def test_an_intent_is_recorded_again_once_it_is_too_old(age: float, *, again: bool) -> None:
    """It is withdrawn first, so that at any time one POST at most is announced."""
    book = Book()
    ledger = ledger_of(book)
    await asyncio.sleep(5.0)
    await announce(ledger)

    await asyncio.sleep(age)
    await announce(ledger)
    await announce(ledger)

    assert book.events == [intended(5.0), *([WITHDRAWN, intended(5.0 + age)] if again else [])]


async def test_an_intent_is_withdrawn_once_and_only_if_it_was_announced() -> None:
    """Without an announced POST there is nothing to cancel."""
    book = Book()
    ledger = ledger_of(book)

    ledger.cancel()
    await announce(ledger)
    ledger.cancel()
    ledger.cancel()

    assert book.events == [intended(0.0), WITHDRAWN]


async def test_a_resend_that_is_not_sent_leaves_the_earlier_post_uncertain() -> None:
    """That the second POST was never sent says nothing about the first, which may be billed."""
    book = Book()
    ledger = ledger_of(book, lost_since=2.0)
    await asyncio.sleep(5.0)
    await announce(ledger)

    ledger.cancel()

    assert book.events == [WITHDRAWN, intended(2.0), Uncertain("k", "generate", 5.0)]


async def test_an_intent_is_withdrawn_if_it_may_not_be_sent_any_more() -> None:
    """An error of the account since it was announced counts, however young it is."""
    book, gate = Book(), SpendingGate(None)
    ledger = ledger_of(book, gate)
    await announce(ledger)
    gate.notice(InsufficientBalanceError("used up"))

    with pytest.raises(InsufficientBalanceError):
        await announce(ledger)

    assert book.events == [intended(0.0), WITHDRAWN]
    assert not gate.open


@pytest.mark.parametrize("cancelled", [False, True])
async def test_an_intent_that_cannot_be_recorded_again_stays_withdrawn(*, cancelled: bool) -> None:
    """The journal refuses it, or its caller is cancelled. After a cancellation the intent may still
    reach the disk, so it is withdrawn once more."""
    book, gate = Book(seconds=0.5), SpendingGate(None)
    ledger = ledger_of(book, gate)
    await announce(ledger)
    await asyncio.sleep(EARLY + 1.0)
    book.error = None if cancelled else JournalError("the disk is full")

    with suppress(JournalError, TimeoutError):
        async with asyncio.timeout(0.1 if cancelled else 9.0):
            await announce(ledger)
    ledger.cancel()

    assert book.events == [intended(0.0), WITHDRAWN, *([WITHDRAWN] if cancelled else [])]
    assert not gate.open


async def test_a_post_that_outlives_its_batch_is_noted_as_uncertain() -> None:
    """Its answer may come until the submit timeout, counted from the latest time of its sending."""
    book, gate = Book(), SpendingGate(None)
    await announce(ledger_of(book, gate))

    (left,) = gate.open
    left.left_open(600.0)

    assert book.events[1:] == [Uncertain("k", "generate", EARLY + 600.0)]
