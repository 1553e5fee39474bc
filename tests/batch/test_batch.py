from __future__ import annotations

import asyncio
from typing import Any

import anyio
import httpx
import pytest

from tests.support.service import (
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
from veo_async import (
    BadRequestError,
    GenerationFailedError,
    InvalidRequestError,
    RateLimit,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoError,
    WaitTimeoutError,
)
from veo_async.emulator import Seconds
from veo_async.models import VideoRequest


def requests(*prompts: str) -> list[TextToVideo]:
    """Requests for these prompts."""
    return [TextToVideo(prompt=prompt) for prompt in prompts]


@pytest.mark.asyncio
async def test_outcomes_come_in_the_order_of_the_requests() -> None:
    """The outcomes have the order of the input, in whatever order the videos are ready."""
    service = emulator(pace=Seconds(mean=60.0, sigma=1.0))
    wanted = requests(*[f"p{number}" for number in range(30)])
    async with service, client_of(service) as veo:
        outcomes = await veo.generate_many(iter(wanted))

    by_id = {charge.task_id: charge.request["prompt"] for charge in service.bill}
    assert [outcome.request for outcome in outcomes] == wanted
    assert [by_id[o.result.task_id or ""] for o in outcomes if o.result] == [
        request.prompt for request in wanted
    ]


@pytest.mark.asyncio
async def test_equal_requests_are_as_many_videos() -> None:
    """Each request has a key of its own, the same in every run; equal ones are counted."""
    service = emulator(pace=Seconds(mean=10.0))
    async with service, client_of(service) as veo:
        first = await veo.generate_many(requests("a", "b", "a"))
        again = await veo.generate_many(requests("a", "b", "a"))
        none = await veo.generate_many([])

    keys = [outcome.key for outcome in first]
    assert len(set(keys)) == 3
    assert keys == [outcome.key for outcome in again]
    assert keys[0].removesuffix("-1") == keys[2].removesuffix("-2")
    assert len({o.result.task_id for o in [*first, *again] if o.result}) == len(service.bill) == 6
    assert none == []


@pytest.mark.asyncio
async def test_one_bad_request_spoils_no_other() -> None:
    """A refusal, an uncertain submit, a failure, a timeout and a video are all outcomes."""

    async def sell(body: Body) -> httpx.Response:
        match body["prompt"]:
            case "refused":
                return refused(400, "bad_request")
            case "lost":
                raise httpx.ReadError("cut")
        return accepted(body["prompt"])

    async def show(body: Body) -> httpx.Response:
        failure = {"success": False, "error": {"code": "api_error", "message": "no"}}
        answers: dict[str, Body] = {"good": finished("good"), "failed": failure}
        return looked(body, **{key: answers[key] for key in asked_ids(body) if key in answers})

    policy = RetryPolicy(on_uncertain="raise")
    async with client(Service(submit=sell, tasks=show), retry=policy) as veo:
        outcomes = await veo.generate_many(
            requests("refused", "lost", "failed", "slow", "good"), timeout=60.0
        )

        assert not veo.unsettled  # the outcomes say it

    *errors, good = outcomes
    assert [type(outcome.error) for outcome in errors] == [
        BadRequestError,
        SubmissionUncertainError,
        GenerationFailedError,
        WaitTimeoutError,
    ]
    assert [outcome.error and outcome.error.task_id for outcome in errors[2:]] == ["failed", "slow"]
    assert [outcome.result for outcome in errors] == [None] * 4
    assert good.error is None
    assert good.result is not None


@pytest.mark.asyncio
async def test_a_fault_of_our_own_is_a_value_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception costs one outcome, and says that money may have been spent."""
    service = emulator(pace=Seconds(mean=10.0))
    async with service, client_of(service) as veo:
        submit = veo._submitter.submit

        async def broken(request: VideoRequest, **options: Any) -> Any:
            if request == TextToVideo(prompt="bad"):
                raise ZeroDivisionError("a bug")
            return await submit(request, **options)

        monkeypatch.setattr(veo._submitter, "submit", broken)
        good, bad = await veo.generate_many(requests("good", "bad"))

    assert good.result is not None
    assert isinstance(bad.error, VeoError)
    assert "ZeroDivisionError: a bug" in str(bad.error)
    assert bad.error.may_have_cost
    assert isinstance(bad.error.__cause__, ZeroDivisionError)


@pytest.mark.asyncio
@pytest.mark.parametrize("wrong", ["a prompt", None, {"prompt": "a mug"}])
async def test_nothing_is_sent_if_one_is_no_request(wrong: Any) -> None:
    """An invalid request or timeout is refused before the first submit."""
    service = emulator()
    async with service, client_of(service) as veo:
        with pytest.raises(InvalidRequestError):
            await veo.generate_many([TextToVideo(prompt="a mug"), wrong])
        with pytest.raises(InvalidRequestError):
            await veo.generate_many(requests("a"), timeout=-1)

    assert not service.counters["submit"]


@pytest.mark.asyncio
async def test_a_cancelled_run_sends_no_more() -> None:
    """Cancelling empties the queue, lets open POSTs finish, and keeps the accepted tasks."""
    service = emulator(pace=Seconds(mean=60.0))
    limit = RateLimit(in_flight=3)
    async with service, client_of(service, rate_limit=limit) as veo:
        with anyio.move_on_after(5.0):
            await veo.generate_many(requests(*"abcdefgh"))
        await asyncio.sleep(600.0)

        assert len(service.bill) == 3
        assert {item.task_id for item in veo.unsettled} == {c.task_id for c in service.bill}
