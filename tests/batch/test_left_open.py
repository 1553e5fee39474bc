"""A batch that was left with an open POST and is run again by the same client uses the answer to
that POST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.journal.journals import states
from tests.support.service import NOW, client, client_of, emulator, inline, refused
from veo_async import (
    BadRequestError,
    JournalError,
    Outcome,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
)
from veo_async._base.runtime import Runtime
from veo_async._journal.rows import Row
from veo_async._journal.sqlite import JournalDatabase
from veo_async.emulator import Emulator, Seconds

pytestmark = pytest.mark.asyncio

REQUESTS = [("k", TextToVideo(prompt="a mug"))]
LATE = 30.0
"""Seconds until the open POST is answered."""

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]
Script = Callable[[Send, httpx.Request], Awaitable[httpx.Response]]


class Scripted(httpx.AsyncBaseTransport):
    """An emulator's transport that treats its first submits by a script."""

    failure_family = "httpx"

    def __init__(self, service: Emulator, *script: Script) -> None:
        self._transport = service.transport()
        self._script = list(script)
        self.submits = 0
        self.questions = list[bytes]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        send = self._transport.handle_async_request
        if request.url.path != "/veo/videos":
            self.questions.append(request.content)
            return await send(request)
        self.submits += 1
        if self._script:
            return await self._script.pop(0)(send, request)
        return await send(request)


def answered(response: httpx.Response | Exception, *, seconds: float = LATE) -> Script:
    """A submit that does not reach the service, and is answered late."""

    async def run(send: Send, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(seconds)
        if isinstance(response, Exception):
            raise response
        return response

    return run


def accepted(response: httpx.Response | Exception | None = None) -> Script:
    """A submit that is accepted at once, and answered late: with its id, unless with something
    else."""

    async def run(send: Send, request: httpx.Request) -> httpx.Response:
        own = await send(request)
        return await answered(response or own)(send, request)

    return run


async def prompt(send: Send, request: httpx.Request) -> httpx.Response:
    """A submit that is answered at once."""
    return await send(request)


def client_at(transport: Scripted, **options: Any) -> VeoClient:
    """A client whose wall clock is the loop's own."""
    loop = asyncio.get_running_loop()
    runtime = Runtime(wall_clock=lambda: NOW + loop.time(), rng=Random(1), run_sync=inline)
    return client(transport, runtime=runtime, **options)


async def batch(veo: VeoClient, path: Path, **options: Any) -> Outcome:
    """The outcome of the one request."""
    async with veo.batch(REQUESTS, journal=path, **options) as outcomes:
        [outcome] = [outcome async for outcome in outcomes]
    return outcome


async def left(veo: VeoClient, path: Path, *, after: float = 1.0) -> None:
    """Leave the batch after so many seconds, cancelled twice, so that its POST stays open."""
    running = asyncio.create_task(batch(veo, path))
    for pause in (after, 0.1):
        await asyncio.sleep(pause)
        running.cancel()
    await asyncio.wait([running])
    assert list(states(path).values()) == ["uncertain 1"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "run.db"


@pytest.fixture
def service() -> Emulator:
    """A service whose videos take a minute."""
    return emulator(pace=Seconds(mean=60.0, sigma=0.0))


PAUSES = pytest.mark.parametrize("pause", [0.0, 2 * LATE])
"""The batch is run again while the POST is open, or when it is over."""


@PAUSES
async def test_an_accepted_post_is_the_items(service: Emulator, path: Path, pause: float) -> None:
    """Its task is waited for; the task list is not searched."""
    transport = Scripted(service, accepted())
    async with service, client_at(transport) as veo:
        await left(veo, path)
        await asyncio.sleep(pause)
        outcome = await batch(veo, path)

        assert outcome.result
        assert not veo.unsettled
    assert (transport.submits, len(service.bill)) == (1, 1)
    assert not any(b"offset" in question for question in transport.questions)
    assert list(states(path).values()) == ["succeeded 1"]


async def test_an_accepted_post_whose_task_was_awaited_by_hand(
    service: Emulator, path: Path
) -> None:
    """It is the item's all the same. This client owns the task, so the list would show none."""
    transport = Scripted(service, prompt, accepted())
    async with service, client_at(transport) as veo:
        await veo.text2video("a task of ours near in time")
        await left(veo, path)
        await asyncio.sleep(LATE)
        [item] = veo.unsettled
        result = await veo.wait(item.task_id or "")
        outcome = await batch(veo, path)

    assert outcome.result == result
    assert len(service.bill) == 2


@PAUSES
async def test_a_late_result_without_an_id_is_the_items(
    service: Emulator, path: Path, pause: float
) -> None:
    """It is recorded at once."""
    video = {"id": "v", "video_url": "https://files.example/1.mp4", "state": "succeeded"}
    result = httpx.Response(200, json={"success": True, "data": [video]})
    transport = Scripted(service, answered(result))
    async with service, client_at(transport) as veo:
        await left(veo, path)
        await asyncio.sleep(pause)
        outcome = await batch(veo, path)

    assert outcome.result
    assert outcome.result.video.id == "v"
    assert list(states(path).values()) == ["succeeded 1"]


@PAUSES
async def test_a_refused_post_is_the_items_end(service: Emulator, path: Path, pause: float) -> None:
    """It is not sent again, and the journal has the refusal."""
    transport = Scripted(service, answered(refused(400, "bad_request")))
    async with service, client_at(transport) as veo:
        await left(veo, path)
        await asyncio.sleep(pause)
        outcome = await batch(veo, path)

    assert isinstance(outcome.error, BadRequestError)
    assert transport.submits == 1
    assert list(states(path).values()) == ["refused 1"]


@PAUSES
@pytest.mark.parametrize(
    "end",
    [
        httpx.ConnectError("no route"),
        refused(429, "too_many_requests"),
        refused(403, "used_up"),
    ],
)
async def test_a_post_that_bought_nothing_is_sent_again_at_once(
    service: Emulator, path: Path, pause: float, end: httpx.Response | Exception
) -> None:
    """One that was not sent, or was refused for a reason that passes."""
    transport = Scripted(service, answered(end))
    async with service, client_at(transport) as veo:
        await left(veo, path)
        await asyncio.sleep(pause)
        outcome = await batch(veo, path)

        assert outcome.result
        assert not veo.unsettled
    assert (transport.submits, len(service.bill)) == (2, 1)
    assert asyncio.get_running_loop().time() < pause + LATE + 100.0
    assert not any(b"offset" in question for question in transport.questions)


@PAUSES
async def test_a_lost_post_is_searched_for_by_its_own_facts(
    service: Emulator, path: Path, pause: float
) -> None:
    """Its end is known, so the search does not wait until its answer could come no more."""
    transport = Scripted(service, accepted(httpx.ReadError("cut")))
    async with service, client_at(transport) as veo:
        await left(veo, path)
        await asyncio.sleep(pause)
        outcome = await batch(veo, path)

        assert outcome.result
        assert not veo.unsettled
    assert (transport.submits, len(service.bill)) == (1, 1)
    assert asyncio.get_running_loop().time() < pause + LATE + 300.0


async def test_a_lost_post_is_searched_for_by_its_trace(service: Emulator, path: Path) -> None:
    """The trace id of its answer is in the journal from then on, and in the error."""
    transport = Scripted(service, accepted(refused(500, "api_error")))
    once = RetryPolicy(on_uncertain="raise")
    async with service, client_at(transport, retry=once) as veo:
        await left(veo, path)
        outcome = await batch(veo, path)
    async with service, client_of(service) as other:
        later = await batch(other, path, timeout=0.0)

    for end in (outcome.error, later.error):
        assert isinstance(end, SubmissionUncertainError)
        assert end.trace_id == "trace-9"
    assert list(states(path).values()) == ["uncertain 1"]


async def test_a_post_that_is_still_open_at_the_deadline(service: Emulator, path: Path) -> None:
    """The item is uncertain, nothing is sent again, and a later run uses the POST's end."""
    transport = Scripted(service, accepted())
    async with service, client_at(transport) as veo:
        await left(veo, path)
        outcome = await batch(veo, path, timeout=5.0)
        later = await batch(veo, path)

    assert isinstance(outcome.error, SubmissionUncertainError)
    assert later.result
    assert len(service.bill) == 1


async def test_a_refusal_says_nothing_of_an_earlier_post_that_was_lost(
    service: Emulator, path: Path
) -> None:
    """A resend was refused: the first POST may still be billed, and the error says so."""
    lost = answered(httpx.ReadError("cut"), seconds=0.0)
    refusal = refused(400, "bad_request")
    transport = Scripted(service, lost, answered(refusal), answered(refusal))
    async with service, client_at(transport, retry=RetryPolicy(on_uncertain="resend")) as veo:
        await left(veo, path, after=9.0)
        await asyncio.sleep(LATE)
        outcome = await batch(veo, path)

    assert isinstance(outcome.error, SubmissionUncertainError)
    assert list(states(path).values()) == ["uncertain 1"]


async def test_what_is_known_of_a_deleted_journal_is_not_used(
    service: Emulator, path: Path
) -> None:
    """Another journal is in its place, with a lost submit of the same key."""
    mine, other = Scripted(service, accepted()), Scripted(service, accepted())
    async with service, client_at(mine) as veo:
        await left(veo, path)
        await asyncio.sleep(LATE)
        await inline(path.unlink)
        async with client_at(other) as second:
            await left(second, path)
        outcome = await batch(veo, path)

    first, latest = service.bill
    assert outcome.result
    assert outcome.result.task_id == latest.task_id != first.task_id


async def test_a_refusal_says_nothing_of_a_post_of_another_process(
    service: Emulator, path: Path
) -> None:
    """Another process resumed the journal meanwhile, and its POST was lost."""
    mine = Scripted(service, answered(refused(429, "too_many_requests")))
    other = Scripted(service, accepted(httpx.ReadError("cut")))
    resend = RetryPolicy(on_uncertain="resend", attempts=1)
    async with service, client_at(mine) as veo:
        await left(veo, path)
        async with client_at(other, retry=resend) as second:
            lost = await batch(second, path)
        outcome = await batch(veo, path)

    assert isinstance(lost.error, SubmissionUncertainError)
    assert outcome.result
    assert (mine.submits, len(service.bill)) == (1, 1)


@pytest.mark.parametrize("mode", ["async", "sync"])
async def test_a_purchase_that_the_journal_could_not_record(
    path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the submit is accepted. The same client resumes the task that it
    knows, and buys nothing."""
    service = emulator(pace=Seconds(mean=60.0, sigma=0.0))
    write = JournalDatabase.write

    def full(file: JournalDatabase, rows: Sequence[Row]) -> None:
        if any(row.state != "intended" for row in rows):
            raise JournalError("the disk is full")
        write(file, rows)

    async with service, client_at(Scripted(service), mode=mode) as veo:
        await veo.text2video("a task of ours near in time")
        monkeypatch.setattr(JournalDatabase, "write", full)
        with pytest.raises(JournalError, match="the disk is full"):
            await batch(veo, path)
        monkeypatch.undo()
        assert list(states(path).values()) == ["intended 1"]
        outcome = await batch(veo, path)

    assert outcome.result
    assert len(service.bill) == 2
    assert list(states(path).values()) == ["succeeded 1"]


@PAUSES
@pytest.mark.parametrize("marks", ["auto", "off"])
async def test_a_journal_with_another_name_buys_nothing_twice(
    path: Path, service: Emulator, marks: Any, pause: float
) -> None:
    """What this client knows is filed under the journal's former name. The time of the intent tells
    that it is about this row, also where no mark can."""
    transport = Scripted(service, prompt, accepted())
    async with service, client_at(transport, retry=RetryPolicy(marks=marks)) as veo:
        await veo.text2video("a cup")  # a control
        await left(veo, path)
        await asyncio.sleep(pause)
        outcome = await batch(veo, await inline(path.rename, path.with_name("moved.db")))

    assert outcome.result
    assert outcome.result.task_id == service.bill[1].task_id
    assert transport.submits == len(service.bill) == 2
