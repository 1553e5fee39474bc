"""A lost submit where the service's list says little: requests that are stored in a form that
depends on their content, lists that show nothing of ours, and entries that cannot be read.

In each of these worlds the bill has every request once, and what cannot be known is told.
"""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.service import client, client_of, emulator
from veo_async import (
    ConnectionFailedError,
    Get1080p,
    ImageToVideo,
    RateLimit,
    RetryPolicy,
    SubmissionUncertainError,
    Task,
    TextToVideo,
    VeoClient,
    VideoRequest,
)
from veo_async.emulator import Answer, Drop, Emulator, Fault, Refuse, Wire

LOST = Drop(at="accepted")
NEVER = Drop(at="read")
MUG = TextToVideo(prompt="a mug")
Item = dict[str, Any]


class Listing(httpx.AsyncBaseTransport):
    """A way to an emulator that changes the entries of its lists."""

    failure_family = "httpx"

    def __init__(self, service: Emulator, entries: Callable[[list[Item]], list[Any]]) -> None:
        self._inner = service.transport()
        self._entries = entries

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        body = json.loads(request.content)
        is_list = body["action"] == "retrieve_batch" and not (body.keys() & {"ids", "trace_ids"})
        if request.url.path != "/veo/tasks" or not is_list:
            return response
        page = json.loads(await response.aread())
        headers = {"date": response.headers["date"]}
        return httpx.Response(
            200, headers=headers, json=page | {"items": self._entries(page["items"])}
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


def stored(change: Callable[[Item], Item]) -> Callable[[list[Item]], list[Item]]:
    """Entries whose requests are stored in another form."""
    return lambda items: [item | {"request": change(dict(item["request"]))} for item in items]


def prompt(change: Callable[[str], str]) -> Callable[[list[Item]], list[Item]]:
    """The same for their prompts."""
    return stored(lambda request: request | {"prompt": change(request["prompt"])})


def rehosted(request: Item) -> Item:
    """The images of a request at addresses of the service's own."""
    urls = [f"https://cdn.example/{n}.png" for n in range(len(request.get("image_urls", ())))]
    return request | ({"image_urls": urls} if urls else {})


LONG = TextToVideo(prompt="A goldfish in a bowl on a window sill. " * 39)
IMAGE = ImageToVideo(prompt="it moves", image_urls=["https://me.example/cat.png"])
FORMS = [
    pytest.param(prompt(lambda text: text[:1000]), LONG, True, id="cut at 1,000"),
    pytest.param(prompt(lambda text: text[:255]), LONG, True, id="cut at 255"),
    pytest.param(
        prompt(lambda text: unicodedata.normalize("NFC", text)),
        TextToVideo(prompt=unicodedata.normalize("NFD", "ein grünes Café")),
        True,
        id="NFC",
    ),
    pytest.param(prompt(escape), TextToVideo(prompt="salt & pepper"), True, id="&amp;"),
    pytest.param(
        prompt(lambda text: text.encode("ascii", "replace").decode()),
        TextToVideo(prompt="a cat \N{GRINNING FACE}"),
        True,
        id="emoji as ?",
    ),
    pytest.param(
        prompt(lambda text: "a red cup" if text == "eine rote Tasse" else text),
        TextToVideo(prompt="eine rote Tasse"),
        True,
        id="translated",
    ),
    pytest.param(stored(rehosted), IMAGE, True, id="images at other addresses"),
    pytest.param(
        stored(lambda request: {"action": "1080p"} if "image_urls" in request else request),
        IMAGE,
        False,
        id="another word for the action",
    ),
]


async def ends_of(veo: VeoClient, *requests: VideoRequest) -> list[Any]:
    """Submit all at once; the tasks, and the errors."""
    return await asyncio.gather(*map(veo.submit, requests), return_exceptions=True)


def check_unknown(end: object) -> None:
    """Nobody can tell, and nothing says that nothing was bought."""
    assert isinstance(end, SubmissionUncertainError)
    assert end.may_have_cost
    assert "nothing was bought" not in str(end).lower()


UNMARKED = RetryPolicy(marks="off")


@pytest.mark.asyncio
@pytest.mark.parametrize("entries, request_, shows_mark", FORMS)
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "never arrived"])
@pytest.mark.parametrize("retry", [RetryPolicy(), UNMARKED], ids=["marked", "unmarked"])
async def test_a_form_that_depends_on_the_content_proves_nothing(
    entries: Callable[[list[Item]], list[Any]],
    request_: TextToVideo | ImageToVideo,
    retry: RetryPolicy,
    *,
    shows_mark: bool,
    accepted: bool,
) -> None:
    """Short prompts of ours beside it are stored as they were sent, so they do not show how a
    longer one is. Without a mark, one that was accepted is not found, and one that never arrived is
    sent again only where no such record is near. With a mark both are known, unless the record does
    not show it."""
    service = emulator()
    async with service, client(Listing(service, entries), retry=retry) as veo:
        short = [type(request_)(**request_.model_dump() | {"prompt": f"p{n}"}) for n in range(3)]
        assert all(isinstance(end, Task) for end in await ends_of(veo, *short))
        service.faults.add(Fault(effect=LOST if accepted else NEVER, count=1))
        (end,) = await ends_of(veo, request_)

        prompts = [charge.request["prompt"] for charge in service.bill]
        assert prompts.count(request_.prompt) == 1
        assert len(prompts) == 4
        if accepted and not (retry != UNMARKED and shows_mark):
            check_unknown(end)
        else:
            assert isinstance(end, Task)


@pytest.mark.asyncio
@pytest.mark.parametrize("retry", [RetryPolicy(), UNMARKED], ids=["marked", "unmarked"])
async def test_each_answer_lost_buys_a_long_prompt_once(retry: RetryPolicy) -> None:
    """A service that stores it cut and answers none of its submits does not get five of them."""
    service = emulator(wire=Wire(longest=1000))
    async with service, client_of(service, retry=retry) as veo:
        await veo.submit(MUG)
        service.faults.add(Fault(effect=LOST))
        (end,) = await ends_of(veo, LONG)

    if retry == UNMARKED:
        check_unknown(end)
    else:
        assert end.id == service.bill[1].task_id
    assert [len(charge.request["prompt"]) for charge in service.bill] == [5, 1521]


@pytest.mark.asyncio
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "never arrived"])
async def test_an_unowned_record_near_an_unmarked_submit_keeps_it_from_being_sent_again(
    accepted: bool,
) -> None:
    """The cut record of another lost submit may be this one's, so neither is sent again."""
    service = emulator(wire=Wire(longest=1000))
    async with service, client_of(service, retry=UNMARKED) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(
            Fault(effect=LOST, nth=1), Fault(effect=LOST if accepted else NEVER, nth=2)
        )
        first, second = await ends_of(veo, LONG, MUG)

        check_unknown(first)
        assert isinstance(second, Task if accepted else SubmissionUncertainError)
        assert len(service.bill) == 2 + accepted


@pytest.mark.asyncio
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "never arrived"])
async def test_an_unowned_record_near_a_marked_submit_is_no_reason_to_doubt(
    *, accepted: bool
) -> None:
    """Each of the two lost submits is known by its mark, however its request is stored."""
    service = emulator(wire=Wire(longest=1000))
    async with service, client_of(service) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(
            Fault(effect=LOST, nth=1), Fault(effect=LOST if accepted else NEVER, nth=2)
        )
        first, second = await ends_of(veo, LONG, MUG)

    assert [first.id, second.id] == [service.bill[n].task_id for n in (1, 2)]
    assert len(service.bill) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("together", [1, 8])
async def test_a_list_that_shows_nothing_of_ours_proves_nothing(together: int) -> None:
    """First submits whose answers are lost are not bought a second time where the list is empty,
    whatever it is a list of."""
    service = emulator(faults=[Fault(effect=LOST)])
    async with service, client(Listing(service, lambda items: [])) as veo:
        ends = await ends_of(veo, *(TextToVideo(prompt=f"p{n}") for n in range(together)))

    for end in ends:
        check_unknown(end)
    assert len(service.bill) == together


@pytest.mark.asyncio
async def test_a_task_of_twenty_minutes_before_proves_nothing() -> None:
    """It need not be in a list of this window, so it shows nothing about it."""
    service = emulator()
    async with service, client(Listing(service, lambda items: [])) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        await asyncio.sleep(1200.0)
        service.faults.add(Fault(effect=LOST, count=1))
        (end,) = await ends_of(veo, MUG)

    check_unknown(end)
    assert len(service.bill) == 2


def hidden(item: Item) -> Any:
    """Show an entry as it is, unless it is of the lost submit."""
    return item["request"]["prompt"] == MUG.prompt


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "unreadable",
    [
        pytest.param(lambda item: item | {"id": None}, id="id is null"),
        pytest.param(lambda item: None, id="null"),
        pytest.param(lambda item: {}, id="empty"),
        pytest.param(lambda item: {"_id": item["_id"]}, id="only _id"),
        pytest.param(lambda item: [item], id="a list"),
    ],
)
async def test_an_entry_that_cannot_be_read_is_an_entry(unreadable: Callable[[Item], Any]) -> None:
    """It may be the lost submit's, so a list that has one proves no absence."""
    service = emulator()

    def entries(items: list[Item]) -> list[Any]:
        return [unreadable(item) if hidden(item) else item for item in items]

    async with service, client(Listing(service, entries)) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=LOST, count=1))
        (end,) = await ends_of(veo, MUG)

    check_unknown(end)
    assert len(service.bill) == 2


class Numbered(httpx.AsyncBaseTransport):
    """A service whose ids are numbers, everywhere."""

    failure_family = "httpx"

    def __init__(self) -> None:
        self.tasks: list[Item] = []
        self.lost: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        headers = {"date": "Fri, 25 Jul 2025 08:00:00 GMT"}  # the clock of these tests stands
        if request.url.path == "/veo/tasks":
            wanted = {str(body.get("id")), *map(str, body.get("ids", ()))}
            is_list = not body.keys() & {"id", "ids", "trace_ids"}
            items = [task for task in self.tasks if is_list or str(task["id"]) in wanted]
            items = items[body.get("offset", 0) :]
            answer = {"items": items} if "id" not in body else (items or [{}])[0]
            return httpx.Response(200, headers=headers, json=answer)
        number = 1000 + len(self.tasks)
        video = {"id": number, "video_url": f"https://files.example/{number}.mp4"}
        response = {"success": True, "task_id": number, "data": [video]}
        made = {"id": number, "request": body, "created_at": 1_753_430_400.5}
        self.tasks.append(made | {"response": response})
        if body["prompt"] in self.lost:
            raise httpx.ReadError("cut", request=request)
        return httpx.Response(200, headers=headers, json={"task_id": number})


@pytest.mark.asyncio
async def test_an_id_that_is_a_number_is_its_digits() -> None:
    """In the answer to a submit, in a poll and in the list, where a lost one is found by it."""
    service = Numbered()
    service.lost = {"a mug"}
    async with client(service) as veo:
        cup, mug = await veo.generate_many([TextToVideo(prompt="a cup"), MUG])

    assert [outcome.result and outcome.result.task_id for outcome in (cup, mug)] == ["1000", "1001"]
    assert len(service.tasks) == 2


@pytest.mark.asyncio
async def test_a_refusal_that_names_a_task_is_that_task() -> None:
    """A 400 with an id is tracked, and not posted again in the other spelling."""
    service = emulator()

    class Odd(httpx.AsyncBaseTransport):
        """Answers the 1080p version with a 400 that has the id of its task."""

        failure_family = "httpx"

        def __init__(self) -> None:
            self._inner = service.transport()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await self._inner.handle_async_request(request)
            if json.loads(request.content)["action"] != "get_1080p":
                return response
            known = json.loads(await response.aread())
            error = {"success": False, "error": {"code": "bad_request", "message": "no"}}
            return httpx.Response(400, json=known | error)

    async with service, client(Odd()) as veo:
        video = (await veo.text2video("a mug")).video
        task = await veo.submit(veo_1080p(video.id))
        await task.result()

    assert service.counters["submit"] == 2
    assert [charge.request["action"] for charge in service.bill] == ["text2video", "get_1080p"]
    assert task.id == service.bill[1].task_id


def veo_1080p(video_id: str | None) -> VideoRequest:
    """The request for the 1080p version."""
    assert video_id
    return Get1080p(video_id=video_id)


# What is said of a submit that was sent again at the caller's own risk.


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "then",
    [
        pytest.param(Answer(code="bad_request", at="read"), id="refused"),
        pytest.param(Refuse(), id="not sent"),
        pytest.param(NEVER, id="lost again"),
    ],
)
async def test_nothing_says_that_a_lost_submit_that_was_resent_bought_nothing(
    then: Any,
) -> None:
    """The first may have been billed, in whatever way the last one ends, and the error says so."""
    later = [Fault(effect=then, nth=nth) for nth in (2, 3)]
    service = emulator(faults=[Fault(effect=LOST, nth=1), *later])
    retry = RetryPolicy(on_uncertain="resend", attempts=2)
    async with service, client_of(service, retry=retry) as veo:
        (end,) = await ends_of(veo, MUG)

    check_unknown(end)
    assert end.request == MUG
    assert end.sent_at is not None
    assert len(service.bill) == 1


@pytest.mark.asyncio
async def test_a_limit_that_stops_a_resend_does_not_say_that_nothing_was_bought() -> None:
    """The lost one counts, and may have been billed."""
    service = emulator(faults=[Fault(effect=LOST, count=1)])
    retry = RetryPolicy(on_uncertain="resend")
    async with (
        service,
        client_of(service, retry=retry, rate_limit=RateLimit(concurrency=1)) as veo,
        veo.batch([MUG], max_submissions=1) as outcomes,
    ):
        (outcome,) = [outcome async for outcome in outcomes]

    check_unknown(outcome.error)
    assert len(service.bill) == 1


@pytest.mark.asyncio
async def test_what_was_proven_absent_may_be_said_to_have_cost_nothing() -> None:
    """The one case in which a lost answer ends so: it was absent each time."""
    service = emulator()
    async with service, client_of(service, retry=RetryPolicy(attempts=1)) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=NEVER))
        (end,) = await ends_of(veo, MUG)

    assert isinstance(end, ConnectionFailedError)
    assert "Nothing was bought" in str(end)
    assert len(service.bill) == 1


# What else a list may be.


@pytest.mark.asyncio
async def test_a_wait_for_a_record_does_not_prove_whose_it_is() -> None:
    """Somebody may wait for the very task of the lost submit, as its own callback named it: then
    it is not given to the lost one by comparison, and yet that was not absent."""
    service = emulator()
    async with service, client_of(service, retry=UNMARKED) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=LOST, count=1))
        lost = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(0.5)
        waiting = asyncio.create_task(veo.wait(service.bill[1].task_id))
        (end,) = await asyncio.gather(lost, return_exceptions=True)

        check_unknown(end)
        assert (await waiting).task_id == service.bill[1].task_id
        assert len(service.bill) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("count", [True, False], ids=["with a count", "without"])
async def test_a_list_that_repeats_its_first_page_is_not_complete(*, count: bool) -> None:
    """The service ignores the offset, so the lost submit may stand on a page that never comes."""
    service = emulator(wire=Wire(page=3))

    class Repeating(Listing):
        """Every page is the first."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content)
            if body.get("offset"):
                content = json.dumps(body | {"offset": 0}).encode()
                request = httpx.Request("POST", request.url, content=content)
            return await super().handle_async_request(request)

    def entries(items: list[Item]) -> list[Any]:
        return items

    transport = Repeating(service, entries)
    async with service, client(transport) as veo:
        service.faults.add(Fault(effect=LOST, nth=1))
        lost = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(0.5)
        for number in range(5):
            await veo.submit(TextToVideo(prompt=f"p{number}"))
        (end,) = await asyncio.gather(lost, return_exceptions=True)

    check_unknown(end)
    assert len(service.bill) == 6


@pytest.mark.asyncio
async def test_later_tasks_of_ours_that_are_missing_prove_that_others_may_be() -> None:
    """By the time of the decision the list must have caught up; this one stands still."""
    service = emulator()
    first: list[str] = []

    def entries(items: list[Item]) -> list[Any]:
        return [item for item in items if item["id"] in first]

    async with service, client(Listing(service, entries)) as veo:
        first.append((await veo.submit(TextToVideo(prompt="a cup"))).id)
        service.faults.add(Fault(effect=LOST, count=1))
        lost = asyncio.create_task(veo.submit(MUG))
        await asyncio.sleep(0.5)
        for number in range(5):
            await veo.submit(TextToVideo(prompt=f"p{number}"))
        (end,) = await asyncio.gather(lost, return_exceptions=True)

    check_unknown(end)
    assert len(service.bill) == 7


@pytest.mark.asyncio
@pytest.mark.parametrize("time", [0, 1, "1970-01-01T00:00:00Z", 175343041.5])
async def test_a_time_that_was_not_asked_for_is_no_time(time: object) -> None:
    """The list was asked for a window, so what it shows with another time may be of any time."""
    service = emulator()

    def entries(items: list[Item]) -> list[Any]:
        return [
            item | {"created_at": time, "request": {}} if hidden(item) else item for item in items
        ]

    async with service, client(Listing(service, entries)) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=LOST, count=1))
        (end,) = await ends_of(veo, MUG)

    check_unknown(end)
    assert len(service.bill) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "effect", [Refuse(), Answer(code="bad_request", at="read"), Answer(code="used_up", at="read")]
)
async def test_a_journal_keeps_a_lost_submit_that_was_sent_again(
    effect: Any, tmp_path: Path
) -> None:
    """A run at the user's risk ends otherwise; the next one, which takes none, looks for the first
    submit, and none of them says that nothing was bought."""
    service = emulator(faults=[Fault(effect=LOST, nth=1)])
    resend = RetryPolicy(on_uncertain="resend", attempts=2)
    async with service:
        ends = []
        for retry in (RetryPolicy(on_uncertain="raise"), resend, resend, RetryPolicy()):
            async with (
                client_of(service, retry=retry) as veo,
                veo.batch([MUG], journal=tmp_path / "run.db") as outcomes,
            ):
                ends += [outcome async for outcome in outcomes]
            if retry.on_uncertain == "raise":
                service.faults.add(*[Fault(effect=effect, nth=nth) for nth in (1, 2, 3, 4)])

    for end in ends[:3]:
        check_unknown(end.error)
    assert ends[3].result
    assert ends[3].result.task_id == service.bill[0].task_id
    assert len(service.bill) == 1


@pytest.mark.asyncio
async def test_an_error_beside_an_id_does_not_show_that_the_service_answers_at_once() -> None:
    """A deployment that ignores `async` lists a task when it is finished: patience is long there,
    also after an answer that failed behind an id."""
    service = emulator(wire=Wire(honour_async=False))

    class Gateway(httpx.AsyncBaseTransport):
        """Answers the first submit at once, with 504 and the id that it gets later."""

        failure_family = "httpx"

        def __init__(self) -> None:
            self._inner = service.transport()
            self.is_first = True

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await self._inner.handle_async_request(request)
            if request.url.path == "/veo/videos" and self.is_first:
                self.is_first = False
                task_id = json.loads(await response.aread())["task_id"]
                date = {"date": response.headers["date"]}
                return httpx.Response(504, headers=date, json={"task_id": task_id})
            return response

    async with service, client(Gateway()) as veo:
        await veo.submit(TextToVideo(prompt="a cup"))
        service.faults.add(Fault(effect=NEVER, count=1))
        began = asyncio.get_running_loop().time()
        await veo.submit(MUG)

        assert asyncio.get_running_loop().time() - began >= 900.0
