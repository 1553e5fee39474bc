from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import client_of, emulator
from veo_async import Get1080p, InvalidRequestError, JournalError, RetryPolicy, TextToVideo
from veo_async.emulator import Drop, Fail, Fault, Immediate, Seconds
from veo_async.models import Preview, VideoRequest


def requests(*prompts: str) -> list[tuple[str, TextToVideo]]:
    """Requests under their prompts."""
    return [(prompt, TextToVideo(prompt=prompt)) for prompt in prompts]


@pytest.mark.asyncio
async def test_a_new_batch(tmp_path: Path) -> None:
    """Without an existing journal all would be submitted. Nothing is sent, and no file is
    created."""
    service, file = emulator(), tmp_path / "run.db"
    async with service, client_of(service) as veo:
        without = await veo.batch(requests("a", "b")).preview()
        before = await veo.batch(requests("a", "b"), journal=file).preview()

    assert without == before == Preview(start=2, generations=2)
    assert not file.exists()
    assert not service.counters


@pytest.mark.asyncio
async def test_a_batch_that_was_stopped(tmp_path: Path) -> None:
    """The journal says which items are finished, under way, and failed."""
    service, file = emulator(pace=Immediate()), tmp_path / "run.db"
    service.faults.add(Fault(effect=Fail(), nth=2))
    wanted = requests("a", "b", "c")
    async with service, client_of(service) as veo:
        async with veo.batch(wanted, journal=file, max_in_flight=1, max_submissions=2) as outcomes:
            _ = [outcome async for outcome in outcomes]
        counters = service.counters.copy()

        plain = await veo.batch(wanted, journal=file).preview()
        retrying = await veo.batch(wanted, journal=file, retry_failed=True).preview()
        upscaling = await veo.batch(wanted, journal=file, upscale=True).preview()

    assert plain == Preview(start=1, finished=1, failed=1, generations=1)
    assert retrying == Preview(start=2, finished=1, generations=2)
    assert upscaling == Preview(start=2, failed=1, generations=1, upscales=2)
    assert service.counters == counters


@pytest.mark.asyncio
async def test_a_batch_under_way(tmp_path: Path) -> None:
    """Tasks at the service are waited for."""
    service, file = emulator(pace=Seconds(mean=100.0)), tmp_path / "run.db"
    async with service, client_of(service) as veo:
        async with veo.batch(requests("a"), journal=file):
            await asyncio.sleep(10)
        assert await veo.batch(requests("a"), journal=file).preview() == Preview(wait=1)


@pytest.mark.asyncio
async def test_the_purchases_of_a_batch(tmp_path: Path) -> None:
    """Each stage that may be submitted counts: of a failed item only if it is retried, of a lost
    submit because the list may prove that it bought nothing."""
    service, file = emulator(pace=Immediate()), tmp_path / "run.db"
    service.faults.add(Fault(effect=Fail(), nth=1), Fault(effect=Drop(at="accepted"), nth=2))
    wanted: list[tuple[str, VideoRequest]] = [
        *requests("a", "b", "c"),
        ("d", Get1080p(video_id="v")),
    ]
    async with service, client_of(service, retry=RetryPolicy(on_uncertain="raise")) as veo:
        new = await veo.batch(wanted, upscale=True).preview()
        async with veo.batch(wanted[:3], journal=file, max_in_flight=1) as outcomes:
            _ = [outcome async for outcome in outcomes]
        upscaling = await veo.batch(wanted, journal=file, upscale=True).preview()
        retrying = await veo.batch(wanted, journal=file, upscale=True, retry_failed=True).preview()

    assert (new.generations, new.upscales) == (3, 4)
    assert (upscaling.generations, upscaling.upscales) == (1, 3)
    assert (retrying.generations, retrying.upscales) == (2, 4)


@pytest.mark.parametrize("others", [5, 1500])
@pytest.mark.asyncio
async def test_another_input(tmp_path: Path, others: int) -> None:
    """The preview has the error for an input that the batch would refuse, unless it extends."""
    service, file = emulator(pace=Immediate()), tmp_path / "run.db"
    other = requests(*(f"p{number}" for number in range(others)))
    async with service, client_of(service) as veo:
        async with veo.batch(requests("a"), journal=file) as outcomes:
            _ = [outcome async for outcome in outcomes]

        refused = await veo.batch(other, journal=file).preview()
        meant = await veo.batch(other, journal=file, extend=True).preview()

    assert isinstance(refused.error, JournalError)
    assert (refused.start, meant.start, meant.error) == (others, others, None)
    assert meant.gone == (TextToVideo(prompt="a"),)
    assert meant.new == tuple(range(1, min(others, 1000) + 1))


@pytest.mark.asyncio
async def test_an_edited_input(tmp_path: Path) -> None:
    """The preview names what is not in the input any more, and the places of what is new. An input
    that goes on, or is a part of the former one, has no such changes."""
    service, file = emulator(pace=Immediate()), tmp_path / "run.db"
    async with service, client_of(service) as veo:
        async with veo.batch(requests("a", "b", "c"), journal=file) as outcomes:
            _ = [outcome async for outcome in outcomes]

        edited = await veo.batch(requests("a", "x", "c"), journal=file).preview()
        part = await veo.batch(requests("b", "c"), journal=file).preview()
        longer = await veo.batch(requests("a", "b", "c", "d"), journal=file).preview()

    gone = (TextToVideo(prompt="b"),)
    assert edited == Preview(start=1, finished=2, generations=1, gone=gone, new=(2,))
    assert part == Preview(finished=2, gone=(TextToVideo(prompt="a"),))
    assert longer == Preview(start=1, finished=3, generations=1)


@pytest.mark.asyncio
async def test_a_bad_input(tmp_path: Path) -> None:
    """An exception of the input is raised."""

    def bad() -> Iterator[TextToVideo]:
        yield TextToVideo(prompt="a")
        raise InvalidRequestError("bad")

    service = emulator()
    async with service, client_of(service) as veo:
        with pytest.raises(InvalidRequestError, match="bad"):
            await veo.batch(bad()).preview()
