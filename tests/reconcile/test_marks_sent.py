"""The marks of submits through the public face: what is sent, and what a service does with it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.support.service import NOW, accepted, client, client_of, emulator, inline, looked
from tests.support.service import Service as Shop
from tests.support.wire import unmarked
from veo_async import (
    BadRequestError,
    ImageToVideo,
    Outcome,
    RateLimit,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
    VideoRequest,
)
from veo_async._base.runtime import Runtime
from veo_async.callbacks import Callbacks
from veo_async.emulator import Answer, Drop, Fault, Torn, Wire

LOST = Drop(at="accepted")
NEVER = Drop(at="read")
CUP, MUG = TextToVideo(prompt="a cup"), TextToVideo(prompt="a mug")
HOOK = "https://me.example/done"


def shop() -> Shop:
    """A service that accepts everything."""

    async def sell(body: dict[str, Any]) -> httpx.Response:
        return accepted(f"task-{body['prompt']}")

    async def show(body: dict[str, Any]) -> httpx.Response:
        return looked(body)

    return Shop(submit=sell, tasks=show)


def moving_runtime() -> Runtime:
    """A clock that several clients one after another share."""
    loop = asyncio.get_running_loop()
    return Runtime(wall_clock=lambda: NOW + loop.time(), rng=Random(1), run_sync=inline)


async def url_sent(request: VideoRequest = MUG, **options: Any) -> str | None:
    """The callback address of a submit."""
    service = shop()
    async with client(service, **options) as veo:
        await veo.submit(request)
    (body,) = service.submits
    return body.get("callback_url")


# The body of a submit.


@pytest.mark.asyncio
async def test_each_submit_has_a_mark_of_its_own() -> None:
    """Equal requests are told apart by it; it goes with ``async``."""
    service = shop()
    async with client(service) as veo:
        await asyncio.gather(*(veo.submit(MUG) for _ in range(3)))

    assert len({body["callback_url"] for body in service.submits}) == 3
    assert [unmarked(body)["async"] for body in service.submits] == [True] * 3


@pytest.mark.asyncio
async def test_a_mark_leads_to_the_vendors_address_or_to_this_machine() -> None:
    """The vendor's address answers 200 and discards. An API on this machine may not reach it."""
    service = shop()
    async with VeoClient("any-token", base_url="https://api.example", transport=service) as veo:
        await veo.submit(MUG)
    local = await url_sent()

    assert service.submits[0]["callback_url"].startswith("https://api.acedata.cloud/health?ref=")
    assert local is not None
    assert local.startswith("http://127.0.0.1:1/health?ref=")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "request_, options, start",
    [
        pytest.param(MUG, {"retry": RetryPolicy(marks="off")}, None, id="off"),
        pytest.param(MUG, {"mode": "sync"}, None, id="sync"),
        pytest.param(
            MUG, {"retry": RetryPolicy(marks="https://me.example/x?a=1")}, "&ref=", id="own"
        ),
        pytest.param(
            TextToVideo(prompt="a", callback_url=HOOK), {}, HOOK, id="the caller's as it is"
        ),
        pytest.param(
            TextToVideo(prompt="a", callback_url=f"{HOOK}#top"),
            {"retry": RetryPolicy(mark_callback_urls=True)},
            f"{HOOK}#",
            id="the caller's with a fragment",
        ),
        pytest.param(
            TextToVideo(prompt="a", callback_url=HOOK),
            {"retry": RetryPolicy(mark_callback_urls=True, marks="off")},
            HOOK,
            id="the caller's, and off",
        ),
        pytest.param(
            MUG,
            {"callbacks": Callbacks("https://app.example/veo", secret="s" * 32)},
            "https://app.example/veo/",
            id="that of Callbacks",
        ),
    ],
)
async def test_the_address_of_a_submit(
    request_: VideoRequest, options: dict[str, Any], start: str | None
) -> None:
    """An address of the caller's is sent as it is, unless a fragment is wanted; ``mode="sync"``
    sends the body of the API guide."""
    url = await url_sent(request_, **options)

    assert (url is None) is (start is None)
    assert start is None or start in (url or "")
    assert url != HOOK or request_.callback_url == HOOK
    assert "top" not in (url or "")


# A service that refuses marks.


@pytest.mark.asyncio
async def test_a_refused_mark_is_left_out_once_and_for_all() -> None:
    """A 400 that names the field bought nothing: the unmarked form is sent, and remembered."""
    service = emulator(wire=Wire(callback_url="refused"))
    async with service, client_of(service) as veo:
        await veo.submit(CUP)
        await veo.submit(MUG)

    assert service.counters["submit"] == 3
    assert [charge.request for charge in service.bill] == [
        request.wire_fields() | {"async": True} for request in (CUP, MUG)
    ]


@pytest.mark.asyncio
async def test_a_refused_address_of_the_callers_is_their_mistake() -> None:
    """Nothing is left out that the caller asked for."""
    service = emulator(wire=Wire(callback_url="refused"))
    async with service, client_of(service) as veo:
        with pytest.raises(BadRequestError, match="callback_url"):
            await veo.submit(TextToVideo(prompt="a mug", callback_url=HOOK))

    assert service.counters["submit"] == 1
    assert not service.bill


@pytest.mark.asyncio
async def test_a_400_that_stays_without_the_mark_is_told() -> None:
    """The second refusal is the one that counts; there is no third POST."""
    body = '{"error": {"code": "bad_request", "message": "callback_url or prompt is invalid"}}'
    service = emulator(faults=[Fault(effect=Answer(at="read", status=400, body=body))])
    async with service, client_of(service) as veo:
        with pytest.raises(BadRequestError, match="prompt"):
            await veo.submit(MUG)

    assert service.counters["submit"] == 2


@pytest.mark.asyncio
async def test_a_lost_submit_without_its_mark_is_compared() -> None:
    """Where the service takes no marks, an equal record is adopted."""
    service = emulator(wire=Wire(callback_url="refused"))
    async with service, client_of(service) as veo:
        await veo.submit(CUP)
        service.faults.add(Fault(effect=LOST, count=1))
        task = await veo.submit(MUG)

    assert task.id == service.bill[1].task_id
    assert len(service.bill) == 2


# The search.


def uncertain(outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes that nobody knows."""
    return [o for o in outcomes if isinstance(o.error, SubmissionUncertainError)]


@pytest.mark.asyncio
@pytest.mark.parametrize("equal", [True, False])
async def test_first_submits_that_are_lost_together_are_told_apart(*, equal: bool) -> None:
    """Those that were accepted are found, and show that the list keeps marks: so the others are
    absent, and are sent again. No task of ours was accepted before."""
    requests = [MUG if equal else TextToVideo(prompt=f"p{n}") for n in range(8)]
    faults = [Fault(effect=LOST if n % 2 else NEVER, nth=n) for n in range(1, 9)]
    service = emulator(faults=faults)
    async with service, client_of(service) as veo:
        tasks = await asyncio.gather(*map(veo.submit, requests))

    assert {task.id for task in tasks} == {charge.task_id for charge in service.bill}
    assert len(service.bill) == 8
    assert service.counters["submit"] == 12


@pytest.mark.asyncio
@pytest.mark.parametrize("listed", ["none", "others", "own", "all"])
async def test_the_list_is_asked_for_the_accounts_own_user(listed: Any) -> None:
    """Some lists show nothing of ours unless they are asked for our user, which a record of ours
    names."""
    service = emulator(wire=Wire(listed=listed))
    async with service, client_of(service) as veo:
        await veo.submit(CUP)
        service.faults.add(Fault(effect=LOST, nth=1), Fault(effect=NEVER, nth=2))
        tasks = await asyncio.gather(veo.submit(MUG), veo.submit(TextToVideo(prompt="rain")))

    assert [task.id for task in tasks] == [charge.task_id for charge in service.bill[1:]]
    assert len(service.bill) == 3


@pytest.mark.asyncio
async def test_the_user_of_another_task_is_not_ours() -> None:
    """An answer may contain tasks that were not asked for. The list of their user has none of
    ours, so that no lost submit would ever be found."""
    service = emulator()

    class Crowded(httpx.AsyncBaseTransport):
        """Adds a stranger's record to each answer about tasks by their ids."""

        failure_family = "httpx"
        inner = service.transport()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await self.inner.handle_async_request(request)
            if b'"ids"' not in request.content:
                return response
            fields = json.loads(await response.aread())
            fields["items"].append({"id": "theirs", "user_id": "somebody", "request": {}})
            return httpx.Response(200, json=fields, headers={"date": response.headers["date"]})

    async with service, client(Crowded()) as veo:
        await veo.submit(CUP)
        service.faults.add(Fault(effect=LOST, count=1))
        task = await veo.submit(MUG)

    assert task.id == service.bill[1].task_id
    assert len(service.bill) == 2


@pytest.mark.asyncio
async def test_a_list_of_a_user_unknown_proves_nothing() -> None:
    """A first submit that is lost has no record of ours beside it that names the user."""
    service = emulator(wire=Wire(listed="none"), faults=[Fault(effect=LOST, count=1)])
    async with service, client_of(service) as veo:
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(MUG)

    assert len(service.bill) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("effect", [Torn(declared=False), Answer(status=500), Drop(at="read")])
async def test_a_page_that_fails_is_read_again(effect: Any) -> None:
    """One bad page does not spoil a reading."""
    service = emulator()
    async with service, client_of(service) as veo:
        await veo.submit(CUP)
        service.faults.add(Fault(effect=NEVER, count=1), Fault(effect=effect, on="list", nth=2))
        task = await veo.submit(MUG)

    assert task.id == service.bill[1].task_id
    assert asyncio.get_running_loop().time() < 180.0


@pytest.mark.asyncio
async def test_an_older_task_of_ours_is_asked_for_as_a_control() -> None:
    """Where none is near, one of half an hour before shows that the list shows ours."""
    service = emulator()
    async with service, client_of(service) as veo:
        await veo.submit(CUP)
        await asyncio.sleep(1800.0)
        service.faults.add(Fault(effect=NEVER, count=1))
        task = await veo.submit(MUG)

    assert task.id == service.bill[1].task_id


@pytest.mark.asyncio
async def test_a_held_answer_needs_a_held_control() -> None:
    """A synchronous call may leave no record, so its absence proves nothing unless one of ours was
    seen in the list."""
    service = emulator(wire=Wire(sync_records=False))
    async with service, client_of(service, mode="sync", timeout=20_000.0) as veo:
        await veo.text2video("a cup")
        service.faults.add(Fault(effect=NEVER, count=1))
        with pytest.raises(SubmissionUncertainError, match="tasks of ours are not in the list"):
            await veo.text2video("a mug")

    assert len(service.bill) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("effect", [LOST, NEVER], ids=["accepted", "never arrived"])
async def test_a_later_run_knows_a_submit_by_its_mark(effect: Any, tmp_path: Path) -> None:
    """The mark is recorded before the POST. A run that was left open is resumed by another client,
    which finds the record, or sends the submit again under the same mark."""
    service = emulator(wire=Wire(longest=100))
    requests = [CUP, TextToVideo(prompt="a long prompt " * 20)]
    once = RetryPolicy(on_uncertain="raise")
    async with service:
        service.faults.add(Fault(effect=effect, nth=2))
        for retry in (once, RetryPolicy()):
            async with (
                client_of(service, retry=retry, runtime=moving_runtime()) as veo,
                veo.batch(requests, journal=tmp_path / "run.db") as outcomes,
            ):
                ends = [outcome async for outcome in outcomes]

    assert not uncertain(ends)
    assert len(service.bill) == 2
    assert len({charge.request["callback_url"] for charge in service.bill}) == 2


# Many.


def requests_400() -> list[VideoRequest]:
    """400 requests of which 40 are equal, and some have images."""
    rng = Random(4)
    made: list[VideoRequest] = [MUG] * 40
    for n in range(360):
        prompt = f"video {n} " * rng.choice([1, 3, 200])
        made.append(
            ImageToVideo(prompt=prompt, image_urls=["https://me.example/a.png"])
            if n % 5 == 0
            else TextToVideo(prompt=prompt)
        )
    rng.shuffle(made)
    return made


BAD_DAY = [
    Fault(effect=LOST, probability=0.1),
    Fault(effect=NEVER, probability=0.05),
    Fault(effect=Answer(at="accepted"), probability=0.1),
    Fault(effect=Answer(code="too_many_requests", at="read"), probability=0.1),
    Fault(effect=Drop(at="read"), on="tasks", probability=0.05),
    Fault(effect=Answer(status=500, at="read"), on="tasks", probability=0.05),
    Fault(effect=Torn(declared=False), on="tasks", probability=0.05),
]


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize(
    "wire, all_known",
    [
        pytest.param(Wire(), True, id="marks kept"),
        pytest.param(Wire(trace_header=False), True, id="marks kept, no trace ids"),
        pytest.param(Wire(longest=1000, trace_header=False), True, id="kept, prompts cut"),
        pytest.param(Wire(stored="unmarked"), True, id="stripped"),
        pytest.param(Wire(stored="unmarked", trace_header=False), True, id="stripped, no traces"),
        pytest.param(
            Wire(stored="unmarked", longest=1000, trace_header=False), False, id="stripped, cut"
        ),
    ],
)
async def test_four_hundred_on_a_bad_day(wire: Wire, *, all_known: bool) -> None:
    """Each is bought once, and none stays uncertain; only where marks are stripped and long
    prompts are cut, some whose answers are lost may."""
    service = emulator(seed=1, wire=wire, faults=BAD_DAY)
    requests = requests_400()
    async with service, client_of(service, rate_limit=RateLimit(in_flight=100)) as veo:
        outcomes = await veo.generate_many(requests)

    bought = Counter(charge.request["prompt"] for charge in service.bill)
    wanted = Counter(getattr(request, "prompt", None) for request in requests)
    results = [outcome.result.task_id for outcome in outcomes if outcome.result]
    assert len(results) == len(set(results))
    assert all(bought[prompt] <= wanted[prompt] for prompt in bought)
    assert not all_known or (bought == wanted and len(results) == 400)
    assert len(results) + len(uncertain(outcomes)) == 400
