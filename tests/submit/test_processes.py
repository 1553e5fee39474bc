"""A client belongs to the process and the kind of event loop of its first use."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.support.service import client_of, emulator
from veo_async import InvalidRequestError, RateLimit, TextToVideo, VeoClient

MUG = TextToVideo(prompt="a mug")


def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this be a fork: all is as before, but for the number of the process."""
    monkeypatch.setattr(os, "getpid", lambda: -1)


@pytest.mark.asyncio
async def test_a_fork_sends_nothing_that_the_parent_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Submits that wait for their turn in the moment of a fork are sent by the parent alone."""
    service = emulator()
    async with service, client_of(service, rate_limit=RateLimit(per_second=0.2)) as veo:
        waiting = asyncio.gather(*(veo.submit(MUG) for _ in range(3)), return_exceptions=True)
        await asyncio.sleep(1.0)
        before = len(service.bill)

        with monkeypatch.context() as fork:
            forked(fork)
            ends = await waiting
        billed = len(service.bill)

    refused = [end for end in ends if isinstance(end, InvalidRequestError)]
    assert before == billed < 3
    assert len(refused) == 3 - billed
    assert all("this is a fork of it. Nothing was sent here" in str(error) for error in refused)


@pytest.mark.asyncio
async def test_a_client_of_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a fork every call of the parent's client is refused, closing it does nothing, and a client
    that the fork makes works. One that was made before the fork and never used works in both."""
    service = emulator()
    unused = client_of(service)
    async with service, client_of(service) as veo:
        await veo.text2video("a mug")

        with monkeypatch.context() as fork:
            forked(fork)
            calls: list[Coroutine[Any, Any, object]] = [
                veo.text2video("a mug"),
                veo.submit(MUG),
                veo.wait("t1"),
                veo.tasks.retrieve("t1"),
            ]
            for call in calls:
                with pytest.raises(InvalidRequestError, match="this is a fork"):
                    await call
            await veo.aclose()
            async with client_of(service) as own:
                await own.text2video("a mug")
            await unused.text2video("a mug")
            await unused.aclose()

        assert len(service.bill) == 3
        await veo.text2video("a mug")  # the parent's was not closed by the fork

    assert len(service.bill) == 4


def test_no_event_loop_of_asyncio() -> None:
    """Under another library, such as trio, a call says which event loop it needs."""
    veo = VeoClient("token", base_url="http://127.0.0.1:9")

    for call in (veo.text2video("a mug"), veo.submit(MUG)):
        with pytest.raises(InvalidRequestError, match="with anyio: backend='asyncio'"):
            call.send(None)
