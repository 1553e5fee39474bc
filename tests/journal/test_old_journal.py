"""A journal that an earlier version wrote is read: its form is a promise."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.service import client_of, emulator
from veo_async import GenerationFailedError, RetryPolicy, TextToVideo
from veo_async.errors import ContentRefusedError
from veo_async.models import Preview

pytestmark = pytest.mark.asyncio

KEYS = ("made", "failed", "lost", "refused", "running", "new")
REQUESTS = [(key, TextToVideo(prompt=f"{key} mug")) for key in KEYS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of version 1 as it was written before the package had folders of subjects. Its five
    items were made, failed, lost, refused, and running when the run ended."""
    path = tmp_path / "run.db"
    script = Path(__file__).with_name("journal-1.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    return path


async def test_each_row_of_an_old_journal_is_understood(path: Path) -> None:
    """Only the item that it does not have would be bought."""
    async with emulator() as service, client_of(service) as veo:
        preview = await veo.batch(REQUESTS, journal=path).preview()

    assert preview == Preview(start=1, wait=1, reconcile=1, finished=1, failed=2, generations=2)


async def test_the_ends_in_an_old_journal_are_its_items_outcomes(path: Path) -> None:
    """A result, a failure of the task and a refusal come as they were, and cost nothing again."""
    ended = [pair for pair in REQUESTS if pair[0] in ("made", "failed", "refused", "lost")]
    retry = RetryPolicy(on_uncertain="raise")
    async with (
        emulator() as service,
        client_of(service, retry=retry) as veo,
        veo.batch(ended, journal=path) as outcomes,
    ):
        ends = {outcome.key: outcome async for outcome in outcomes}

    assert ends["made"].result
    assert ends["made"].result.task_id == "dcc7817a-0a90-48b2-aead-2bafea5af5a7"
    assert isinstance(ends["failed"].error, GenerationFailedError)
    assert ends["failed"].error.trace_id == "a8240147-522f-40e8-8a72-d95b70fc2f60"
    assert isinstance(ends["refused"].error, ContentRefusedError)
    assert ends["lost"].state == "uncertain"
    assert not service.counters["submit"]
