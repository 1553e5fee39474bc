"""The client as its users test with it: respx in its default mode, the default transport."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx

from tests.samples import SAMPLES, load, named
from tests.support.wire import unmarked
from veo_async import PollPolicy, RetryPolicy, TextToVideo, VeoClient
from veo_async.errors import (
    AccountError,
    APIError,
    APINotImplementedError,
    BadRequestError,
    ConnectionFailedError,
    RateLimitError,
    SubmissionUncertainError,
)

pytestmark = pytest.mark.asyncio

TOKEN = "a-secret-token"
VIDEOS = "https://api.acedata.cloud/veo/videos"
TASKS = "https://api.acedata.cloud/veo/tasks"
TASK = "1ebe4f2b-59ba-4385-a4ea-0ce8a3fe12ed"
ACCEPTED = load("callback_accepted").json()
PENDING = {"id": TASK, "created_at": 1753435158.509}
RECORD = load("retrieve_succeeded").json()
MUG = load("text2video_request").json()["prompt"]


TELL = RetryPolicy(on_uncertain="raise")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    """The service, mocked, and the token in the environment."""
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", TOKEN)
    with respx.mock(assert_all_called=False) as router:
        yield router


def answer(case: str, **headers: str) -> httpx.Response:
    """The documented answer."""
    sample = load(case)
    return httpx.Response(sample.status or 200, content=sample.body, headers=headers)


def bodies(route: respx.Route) -> list[Any]:
    """The bodies that were sent there."""
    return [json.loads(call.request.content) for call in route.calls]


async def test_a_video_from_the_prompt_to_the_result(service: respx.MockRouter) -> None:
    """One submit, then polls until the task has succeeded; the result is the record's."""
    videos = service.post(VIDEOS).respond(json=ACCEPTED)
    tasks = service.post(TASKS)
    tasks.side_effect = [httpx.Response(200, json=answer_) for answer_ in (PENDING, RECORD)]

    async with VeoClient() as veo:
        generation = await veo.text2video(MUG, model="veo2")

    assert generation.task_id == TASK
    assert generation.trace_id == RECORD["trace_id"]
    assert generation.video.video_url == RECORD["response"]["data"][0]["video_url"]
    (sent,) = bodies(videos)
    assert unmarked(sent) == load("text2video_request").json() | {"async": True}
    assert bodies(tasks) == [{"action": "retrieve", "id": TASK}] * 2


async def test_many_tasks_are_asked_for_together(service: respx.MockRouter) -> None:
    """Two tasks, one poll: ``retrieve_batch`` with an explicit ``limit``."""
    ids = ["t-1", "t-2"]
    records = [
        RECORD | {"id": id_, "response": RECORD["response"] | {"task_id": id_}} for id_ in ids
    ]
    service.post(VIDEOS).side_effect = [httpx.Response(200, json={"task_id": id_}) for id_ in ids]
    tasks = service.post(TASKS).respond(json={"items": records[::-1], "count": 2})

    async with VeoClient(poll=PollPolicy(jitter=0)) as veo:
        outcomes = await veo.generate_many([TextToVideo(prompt="one"), TextToVideo(prompt="two")])

    assert [outcome.result and outcome.result.task_id for outcome in outcomes] == ids
    assert bodies(tasks) == [{"action": "retrieve_batch", "ids": ids, "limit": 2}]


EXAMPLES = {
    "text2video_request": lambda veo, body: veo.text2video(body["prompt"], model=body["model"]),
    "image2video_request": lambda veo, body: veo.image2video(
        body["prompt"], body["image_urls"], model=body["model"]
    ),
    "get_1080p_request": lambda veo, body: veo.get_1080p(body["video_id"], model=body["model"]),
    "callback_request": lambda veo, body: veo.text2video(
        body["prompt"], model=body["model"], callback_url=body["callback_url"]
    ),
    "ingredients2video_request": lambda veo, body: veo.ingredients2video(
        **{name: value for name, value in body.items() if name != "action"}
    ),
    "async_request": lambda veo, body: veo.text2video(body["prompt"]),
}


@pytest.mark.parametrize("case", EXAMPLES)
async def test_the_documented_bodies_are_what_is_sent(case: str, service: respx.MockRouter) -> None:
    """Exactly the fields of the guide's example. ``async`` and a mark are added where no callback
    of the caller's makes the service answer at once."""
    documented = load(case).json()
    videos = service.post(VIDEOS).mock(return_value=answer("text2video_result"))

    async with VeoClient() as veo:
        await EXAMPLES[case](veo, documented)

    (sent,) = bodies(videos)
    if case == "callback_request":
        assert sent == documented
    else:
        assert unmarked(sent) == documented | {"async": True}


async def test_sync_mode_sends_the_examples_as_they_are(service: respx.MockRouter) -> None:
    """The basic usage of the guide: the answer is the result, and nothing is polled."""
    videos = service.post(VIDEOS).mock(return_value=answer("text2video_result"))

    async with VeoClient(mode="sync") as veo:
        generation = await veo.text2video(MUG, model="veo2")

    assert bodies(videos) == [load("text2video_request").json()]
    assert generation.task_id == load("text2video_result").json()["task_id"]


async def test_the_headers_are_those_of_the_guide(service: respx.MockRouter) -> None:
    """On both endpoints, and none that tells more than who asks."""
    service.post(VIDEOS).respond(json=ACCEPTED)
    service.post(TASKS).respond(json=RECORD)

    async with VeoClient() as veo:
        await veo.text2video(MUG)

    for call in service.calls:
        headers = dict(call.request.headers)
        assert headers.pop("user-agent").startswith("veo-async/")
        assert headers.pop("content-length") == str(len(call.request.content))
        assert headers == {
            "host": "api.acedata.cloud",
            "connection": "keep-alive",
            "accept": "application/json",
            "accept-encoding": "gzip",
            "content-type": "application/json",
            "authorization": f"Bearer {TOKEN}",
        }


async def test_the_user_agent_names_versions_and_no_machine(service: respx.MockRouter) -> None:
    """Ours, Python's and httpx's."""
    service.post(VIDEOS).mock(return_value=answer("text2video_result"))

    async with VeoClient() as veo:
        await veo.text2video(MUG)

    agent = service.calls[0].request.headers["user-agent"]
    assert f"python/{platform.python_version()} httpx/{httpx.__version__}" in agent
    assert agent.startswith("veo-async/")
    assert platform.node() not in agent


@pytest.mark.parametrize(
    "case",
    [
        sample.case
        for sample in named("error_")
        if sample.status
        and sample.status < 500
        and sample.status != 429
        and "error" in str(sample.body)
    ],
)
async def test_a_refusal_is_told_at_once(case: str, service: respx.MockRouter) -> None:
    """A documented 4xx is sent once, is the error of its code, and cost nothing."""
    videos = service.post(VIDEOS).mock(return_value=answer(case))

    async with VeoClient() as veo:
        with pytest.raises(APIError) as caught:
            await veo.submit(TextToVideo(prompt=MUG))

    assert caught.value.status_code == SAMPLES[case].status
    assert not caught.value.may_have_cost
    assert videos.call_count == 1


async def test_a_refused_token_is_an_account_error(service: respx.MockRouter) -> None:
    """The message, the code and the trace id are the service's."""
    service.post(VIDEOS).mock(return_value=answer("error_invalid_token"))

    async with VeoClient() as veo:
        with pytest.raises(AccountError) as caught:
            await veo.text2video(MUG)

    documented = load("error_invalid_token").json()
    assert caught.value.code == documented["error"]["code"] == "invalid_token"
    assert caught.value.message == documented["error"]["message"]
    assert caught.value.trace_id == documented["trace_id"]
    assert caught.value.body == documented


async def test_a_429_is_sent_again_after_the_pause(service: respx.MockRouter) -> None:
    """It was not accepted, so it may go again, when the service says so."""
    videos = service.post(VIDEOS)
    videos.side_effect = [
        answer("error_too_many_requests", **{"retry-after": "7"}),
        answer("text2video_result"),
    ]

    async with VeoClient() as veo:
        await veo.text2video(MUG)

    assert videos.call_count == 2


async def test_a_429_that_stays_is_told(service: respx.MockRouter) -> None:
    """After ``rate_limit_attempts``, with what the service asked for."""
    videos = service.post(VIDEOS).mock(
        return_value=answer("error_too_many_requests", **{"retry-after": "7"})
    )

    async with VeoClient(retry=RetryPolicy(rate_limit_attempts=3)) as veo:
        with pytest.raises(RateLimitError) as caught:
            await veo.text2video(MUG)

    assert caught.value.retry_after == 7.0
    assert videos.call_count == 3


async def test_a_500_is_uncertain(service: respx.MockRouter) -> None:
    """It is sent once; the error holds the trace id to look for."""
    videos = service.post(VIDEOS).mock(return_value=answer("error_api_error"))

    async with VeoClient(retry=TELL) as veo:
        with pytest.raises(SubmissionUncertainError) as caught:
            await veo.text2video(MUG)

    assert caught.value.trace_id == load("error_api_error").json()["trace_id"]
    assert videos.call_count == 1


@pytest.mark.parametrize(
    "failure, error, calls",
    [
        (httpx.ConnectError, ConnectionFailedError, 5),
        (httpx.ReadError, SubmissionUncertainError, 1),
    ],
)
async def test_mocked_failures_mean_what_real_ones_do(
    failure: type[Exception], error: type[Exception], calls: int, service: respx.MockRouter
) -> None:
    """An exception that respx raises in place of the default transport counts as that one's."""
    videos = service.post(VIDEOS).mock(side_effect=failure)

    async with VeoClient(retry=TELL) as veo:
        with pytest.raises(error):
            await veo.text2video(MUG)

    assert videos.call_count == calls


# The two spellings of one action.


def spelled(accepted: str) -> Any:
    """A deployment that knows one spelling of the action for 1080p."""

    def respond(request: httpx.Request) -> httpx.Response:
        known = json.loads(request.content)["action"] == accepted
        return answer("get_1080p_result" if known else "error_api_not_implemented")

    return respond


async def test_the_other_spelling_is_tried_once_and_remembered(
    service: respx.MockRouter,
) -> None:
    """The guide says ``get_1080p``, the OpenAPI document ``get1080p``: a refusal leads to the
    other one, and what was accepted is used from then on."""
    videos = service.post(VIDEOS).mock(side_effect=spelled("get1080p"))

    async with VeoClient() as veo:
        for _ in range(2):
            await veo.get_1080p("v-1")

    actions = [body["action"] for body in bodies(videos)]
    assert actions == ["get_1080p", "get1080p", "get1080p"]


async def test_the_first_refusal_is_told_if_neither_is_known(service: respx.MockRouter) -> None:
    """Two calls, and the error of the guide's own spelling."""
    videos = service.post(VIDEOS)
    videos.side_effect = [answer("error_api_not_implemented"), answer("error_bad_request")]

    async with VeoClient() as veo:
        with pytest.raises(APINotImplementedError):
            await veo.get_1080p("v-1")

    assert [body["action"] for body in bodies(videos)] == ["get_1080p", "get1080p"]


async def test_other_actions_have_one_spelling(service: respx.MockRouter) -> None:
    """A bad request is told at once."""
    videos = service.post(VIDEOS).mock(return_value=answer("error_bad_request"))

    async with VeoClient() as veo:
        with pytest.raises(BadRequestError):
            await veo.text2video(MUG)

    assert videos.call_count == 1
