"""The emulator's answers beside the documented ones: the same fields, of the same kinds."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.samples import SAMPLES, named
from veo_async.emulator import Answer, Fail, Immediate, Seconds, Wire
from veo_async.emulator._errors import STATUSES

from .calls import Caller, calling, error_of

KINDS = {
    "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "video id": r"[0-9a-f]{32}",
    "record id": r"[0-9a-f]{24}",
    "time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "file": r"https?://.*\.mp4",
}


def shape(value: Any) -> Any:
    """The structure of a document: its fields in order, and the kinds of their values."""
    match value:
        case dict():
            return [(key, shape(part)) for key, part in value.items()]
        case list():
            return [shape(part) for part in value]
        case str():
            kinds = (kind for kind, form in KINDS.items() if re.fullmatch(form, value))
            return next(kinds, "text")
        case _:
            return type(value).__name__


def without_request(record: dict[str, Any]) -> dict[str, Any]:
    """``request`` is the caller's own."""
    return {key: value for key, value in record.items() if key != "request"}


def agrees(response: httpx.Response, case: str) -> bool:
    """True if an answer has the status and the structure of a sample."""
    sample = SAMPLES[case]
    assert response.status_code == sample.status
    theirs, ours = sample.json(), response.json()
    return bool(shape(without_request(ours)) == shape(without_request(theirs)))


async def sent(caller: Caller, case: str, **changes: Any) -> httpx.Response:
    """Send a documented request, with the addresses and ids of this run."""
    path = "/veo/tasks" if case.startswith(("retrieve", "list")) else "/veo/videos"
    return await caller.http.post(path, json={**SAMPLES[case].json(), **changes})


@pytest.mark.asyncio
async def test_the_three_basic_usages() -> None:
    """The emulator answers the request bodies of the API guide as the guide shows."""
    async with calling() as caller:
        text = await sent(caller, "text2video_request")
        image = await sent(caller, "image2video_request")
        video_id = image.json()["data"][0]["id"]
        upscaled = await sent(caller, "get_1080p_request", video_id=video_id)
        respelled = await sent(caller, "get1080p_request", video_id=video_id)
        ingredients = await sent(caller, "ingredients2video_request")

        assert agrees(text, "text2video_result")
        assert agrees(image, "image2video_result")
        assert agrees(upscaled, "get_1080p_result")
        assert agrees(respelled, "get_1080p_result")
        assert agrees(ingredients, "text2video_result")


@pytest.mark.asyncio
async def test_the_1080p_answer_names_its_source() -> None:
    """As in the API guide, ``get_1080p`` has its own task id, but the video id and the times of its
    source."""
    async with calling() as caller:
        source = (await caller.submit()).json()
        answer = (await sent(caller, "get_1080p_request", video_id=source["data"][0]["id"])).json()

        assert answer["task_id"] not in {source["task_id"], source["data"][0]["id"]}
        assert answer["data"][0]["video_url"].endswith(f"/{answer['task_id']}.mp4")
        for field in ("id", "created_at", "complete_at"):
            assert answer["data"][0][field] == source["data"][0][field]


@pytest.mark.asyncio
async def test_the_two_ways_to_get_only_an_id() -> None:
    """``callback_url`` and ``async`` are answered at once with the task id alone."""
    nobody = httpx.MockTransport(lambda request: httpx.Response(204))
    async with calling(callback_transport=nobody) as caller:
        assert agrees(await sent(caller, "callback_request"), "callback_accepted")
        assert agrees(await sent(caller, "async_request"), "accepted_async")


@pytest.mark.asyncio
@pytest.mark.parametrize("pending", ["absent", "null", "empty", "processing"])
async def test_records_of_running_tasks(pending: Any) -> None:
    """A pending record has the documented form, in each variant that was seen."""
    async with calling(wire=Wire(pending=pending)) as caller:
        task_id = await caller.task_id()

        answer = await sent(caller, "retrieve_request", id=task_id)

        assert agrees(answer, f"retrieve_pending_{pending}")


@pytest.mark.asyncio
async def test_records_of_finished_tasks() -> None:
    """Succeeded and failed records have the documented form, by id, by trace id and in a batch."""
    async with calling(pace=Immediate()) as caller:
        task_id = await caller.task_id()
        record = await sent(caller, "retrieve_request", id=task_id)
        trace_id = record.json()["trace_id"]
        caller.fault(Fail())
        failed = await caller.task_id()

        assert agrees(record, "retrieve_succeeded")
        assert agrees(
            await sent(caller, "retrieve_by_trace_request", trace_id=trace_id), "retrieve_succeeded"
        )
        answer = (await sent(caller, "retrieve_request", id=failed)).json()
        sample = SAMPLES["retrieve_failed"].json()
        # The sample was put together from two documents; an error in a record has no trace id.
        del sample["response"]["trace_id"]
        assert shape(without_request(answer)) == shape(without_request(sample))
        batch = await sent(caller, "retrieve_batch_request", ids=[task_id])
        (item,) = batch.json()["items"]
        assert list(batch.json()) == list(SAMPLES["retrieve_batch_result"].json())
        assert item == record.json()
        unknown = await sent(caller, "retrieve_request", id="nobody's")
        assert unknown.json() == SAMPLES["retrieve_unknown"].json()


@pytest.mark.asyncio
async def test_records_with_timings() -> None:
    """``finished_at`` and ``elapsed`` appear if the deployment has them."""
    async with calling(wire=Wire(timings=True), pace=Seconds(mean=90.5, sigma=0)) as caller:
        task_id = (await caller.submit()).json()["task_id"]

        answer = await sent(caller, "retrieve_request", id=task_id)

        assert agrees(answer, "retrieve_timings")
        assert answer.json()["elapsed"] == 90.5


@pytest.mark.asyncio
@pytest.mark.parametrize("code", sorted(STATUSES.keys() - {"not_found"}))
async def test_errors(code: str) -> None:
    """Each documented code is answered with its status and the documented body."""
    async with calling() as caller:
        caller.fault(Answer(code=code))

        answer = await caller.submit()

        assert agrees(answer, f"error_{code}")
        assert error_of(answer) == (SAMPLES[f"error_{code}"].status, code)


def test_every_sample_names_its_source() -> None:
    """A sample is evidence: it names the document that shows it."""
    documents = ("the API guide", "the vendor's", "seen in public clients")

    assert all(sample.source.startswith(documents) for sample in SAMPLES.values())
    assert len(named("error_")) >= 11
