from __future__ import annotations

import logging

import anyio
import httpx
import pytest

from tests.support.service import (
    BASE_URL,
    Body,
    Service,
    accepted,
    asked_ids,
    client,
    client_of,
    emulator,
    finished,
    looked,
    refused,
)
from veo_async import Get1080p, TextToVideo
from veo_async.emulator import Fault, Garble, Immediate
from veo_async.errors import (
    BadRequestError,
    NoAPIError,
    PollingError,
    SubmissionUncertainError,
    VeoError,
)
from veo_async.events import Event, Refused

MUG = TextToVideo(prompt="a mug")
SUBMIT, POLL = f"{BASE_URL}/veo/videos", f"{BASE_URL}/veo/tasks"


def page(status: int = 200, text: str = "<html>Log in</html>", **headers: str) -> httpx.Response:
    """A page for people, of no service of ours."""
    return httpx.Response(status, html=text, headers=headers)


def answering(*answers: httpx.Response, tasks: httpx.Response | None = None) -> Service:
    """A host that answers submits with these, the last of them for ever, and polls with a page."""
    left = list(answers)

    async def submit(body: Body) -> httpx.Response:
        return left.pop(0) if len(left) > 1 else left[0]

    async def poll(body: Body) -> httpx.Response:
        return tasks or page(404)

    return Service(submit=submit, tasks=poll)


async def seconds_of(error: type[VeoError], service: Service) -> tuple[VeoError, float]:
    """The error that a submit ends with, and after how many seconds."""
    async with client(service) as veo:
        with pytest.raises(error) as caught:
            await veo.submit(MUG)
        return caught.value, anyio.current_time()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer, shown",
    [
        (
            page(404, "<h1>Not Found</h1>"),
            "HTTP 404 (text/html; charset=utf-8: <h1>Not Found</h1>)",
        ),
        (page(405), "HTTP 405"),
        (page(413), "HTTP 413"),
        (page(403), "HTTP 403"),
        (
            page(301, location="https://here.example/x?key=1"),
            "a redirect to https://here.example/x",
        ),
        (page(308, location="/elsewhere"), "HTTP 308"),
        (httpx.Response(404, json={"detail": "Not Found"}), "HTTP 404"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_wrong_base_url_is_told_at_once(answer: httpx.Response, shown: str) -> None:
    """One POST, no search and no mention of a bill. The error names the address and the answer."""
    service = answering(answer)

    error, seconds = await seconds_of(NoAPIError, service)

    assert (len(service.submits), len(service.questions), seconds) == (1, 0, 0.0)
    assert f"POST {SUBMIT} was answered with HTTP" in str(error)
    assert shown in str(error)
    assert "is base_url right?" in str(error)
    assert "key=1" not in str(error)
    assert not error.may_have_cost


@pytest.mark.asyncio
async def test_a_login_page_is_told_soon() -> None:
    """A page with 200 is no refusal. The address is asked for tasks, which is free: where that
    gives pages as well, it is a wrong one, or a proxy's, and nothing is searched for. The submit
    stays uncertain, since nothing proves that it was not passed on."""
    service = answering(page(200), tasks=page(200))

    error, seconds = await seconds_of(SubmissionUncertainError, service)

    assert len(service.submits) == 1
    assert seconds < 5
    assert f"POST {POLL} was answered with HTTP 200" in str(error)
    assert "is base_url right? Check base_url, and what stands in between" in str(error)
    assert error.may_have_cost


@pytest.mark.asyncio
async def test_a_page_that_hides_an_acceptance_loses_nothing() -> None:
    """The service behind it answers the free question, so the page was a gateway's: the task is
    searched for, and adopted."""
    service = emulator(pace=Immediate())
    service.faults.add(Fault(effect=Garble()))
    async with service, client_of(service) as veo:
        result = await veo.text2video("a mug")

    assert [charge.task_id for charge in service.bill] == [result.task_id]


@pytest.mark.asyncio
@pytest.mark.parametrize("close", [True, False], ids=["closed", "late"])
async def test_the_question_who_is_there_has_an_end(close: bool) -> None:
    """A client that is closed meanwhile, and a caller's time that is over, leave the submit
    uncertain."""
    service = answering(page(200), tasks=page(200))
    async with client(service) as veo, anyio.create_task_group() as group:
        if close:
            group.start_soon(veo.aclose)
        with pytest.raises(SubmissionUncertainError, match="cannot tell either"):
            await veo.submit(MUG, timeout=0.1)

    assert len(service.submits) == 1


@pytest.mark.asyncio
async def test_once_the_service_was_heard_of_a_page_proves_nothing() -> None:
    """After any answer in the service's own form, in either lane, a page may hide an acceptance:
    it is searched for, as every lost submit."""
    submitting = answering(accepted(), page(404))
    polling = answering(page(404), tasks=httpx.Response(200, json={"items": [], "count": 0}))

    async with client(submitting) as veo:
        await veo.submit(MUG)
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(MUG, timeout=5000)
    async with client(polling) as veo:
        await veo.tasks.retrieve_many(["task-9"])
        with pytest.raises(SubmissionUncertainError):
            await veo.submit(MUG, timeout=5000)

    assert submitting.questions
    assert len(polling.submits) == 1


@pytest.mark.asyncio
async def test_a_wait_names_a_wrong_base_url_soon() -> None:
    """Two polls, not ten; the task stays paid for, and the error says how to wait for it again."""
    for answer in (page(404), page(403), page(302, location="/login")):
        service = answering(accepted(), tasks=answer)
        async with client(service) as veo:
            began = anyio.current_time()
            with pytest.raises(NoAPIError) as caught:
                await veo.wait("task-1")

        assert anyio.current_time() - began < 5
        assert len(service.questions) == 2
        assert POLL in str(caught.value)
        assert "veo.wait('task-1')" in str(caught.value)
        assert (caught.value.task_id, caught.value.may_have_cost) == ("task-1", True)


@pytest.mark.asyncio
async def test_a_wait_names_the_address_of_login_pages() -> None:
    """A page with 200 may be a gateway's, and is a bad poll like any other: the error after ten of
    them names the address."""
    service = answering(accepted(), tasks=page(200))
    async with client(service) as veo:
        with pytest.raises(PollingError, match=rf"\(from {POLL}\)"):
            await veo.wait("task-1")

    assert len(service.questions) == 10


@pytest.mark.asyncio
async def test_a_wait_outlives_the_pages_of_a_gateway() -> None:
    """Once the service was heard of, its gateway's pages are bad polls: ten in a row end a wait."""
    service = answering(accepted(), tasks=page(404))
    async with client(service) as veo:
        task = await veo.submit(MUG)
        with pytest.raises(PollingError):
            await task.result()

    assert len(service.questions) == 10


@pytest.mark.asyncio
async def test_the_task_list_names_a_wrong_base_url() -> None:
    """Each way of reading it."""
    service = answering(accepted(), tasks=page(200))
    async with client(service) as veo:
        with pytest.raises(NoAPIError, match=POLL):
            await veo.tasks.retrieve("task-1")
        with pytest.raises(NoAPIError, match=POLL):
            await veo.tasks.retrieve_many(["task-1"])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer, words",
    [
        (httpx.Response(400, json={"detail": "model is invalid."}), "model is invalid."),
        (httpx.Response(422, json={"detail": [{"msg": "No."}]}), '[{"msg": "No."}]'),
        (httpx.Response(400, json={"code": "bad_request", "message": "No."}), "No."),
        (
            httpx.Response(200, json={"success": False, "error": {"code": "bad_request"}}),
            "The service answered",
        ),
    ],
)
async def test_a_refusal_in_another_form_ends_at_once(answer: httpx.Response, words: str) -> None:
    """One POST, and the service's own words."""
    service = answering(answer)

    error, seconds = await seconds_of(BadRequestError, service)

    assert (len(service.submits), seconds) == (1, 0.0)
    assert words in error.message


@pytest.mark.asyncio
async def test_a_refusal_that_names_a_task_loses_neither(caplog: pytest.LogCaptureFixture) -> None:
    """The task is followed, nothing is sent again, in no other spelling either, and the words of
    the refusal are in the log."""
    answer = httpx.Response(
        400, json={"task_id": "task-1", "error": {"code": "bad_request", "message": "Odd."}}
    )

    async def submit(body: Body) -> httpx.Response:
        return answer

    async def poll(body: Body) -> httpx.Response:
        return looked(body, **{key: finished(key) for key in asked_ids(body)})

    service = Service(submit=submit, tasks=poll)
    with caplog.at_level(logging.WARNING):
        async with client(service) as veo:
            task = await veo.submit(Get1080p(video_id="video-1"))
            result = await task.result()

    assert (task.id, result.task_id, len(service.submits)) == ("task-1", "task-1", 1)
    assert "task task-1: the answer to its submit was HTTP 400: Odd." in caplog.text


@pytest.mark.asyncio
async def test_the_header_names_a_refusal() -> None:
    """``x-trace-id`` is on the error and on the event; a token in it is redacted."""
    events: list[Event] = []
    told = refused(400, "bad_request", **{"x-trace-id": "trace-of-any-token"})
    body = {"error": {"code": "bad_request"}}
    service = answering(httpx.Response(400, json=body, headers=told.headers))
    async with client(service, on_event=events.append) as veo:
        with pytest.raises(BadRequestError) as caught:
            await veo.submit(MUG)

    assert caught.value.trace_id == "trace-of-[secret]"
    assert [event.trace_id for event in events if isinstance(event, Refused)] == [
        "trace-of-[secret]"
    ]
