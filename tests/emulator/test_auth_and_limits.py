"""Refusals by the token, the rate, the content, the balance and the tasks in flight."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from veo_async.emulator import Limits, Looks, Seconds

from .calls import TEXT, calling, error_of

MINUTE = Seconds(mean=60, sigma=0)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "authorization, refusal",
    [
        (None, (400, "no_token")),
        ("", (400, "no_token")),
        ("Bearer ", (400, "no_token")),
        ("Basic right", (401, "invalid_token")),
        ("Bearer wrong", (401, "invalid_token")),
        ("Bearer old", (401, "token_expired")),
        ("Bearer other", (400, "token_mismatched")),
        ("Bearer off", (400, "disabled")),
    ],
)
@pytest.mark.parametrize("path", ["/veo/videos", "/veo/tasks"])
async def test_tokens(authorization: str | None, refusal: tuple[int, str], path: str) -> None:
    """A missing, wrong or refused token is answered as documented, on both paths."""
    refused = {"old": "token_expired", "other": "token_mismatched", "off": "disabled"}
    async with calling(token="right", refused=refused) as caller:
        del caller.http.headers["authorization"]
        headers = {} if authorization is None else {"authorization": authorization}

        answer = await caller.http.post(path, json=TEXT, headers=headers)

        assert error_of(answer) == refusal
        assert caller.emulator.bill == []


@pytest.mark.asyncio
async def test_the_right_token_passes() -> None:
    """The one token that was set is accepted."""
    async with calling(token="right") as caller:
        caller.http.headers["authorization"] = "bearer right"

        assert (await caller.submit()).status_code == 200


@pytest.mark.asyncio
async def test_a_balance_is_used_up() -> None:
    """With a balance of one video the second is refused, until the emulator is reset."""
    async with calling(balance=1) as caller:
        assert (await caller.submit()).status_code == 200
        assert error_of(await caller.submit()) == (403, "used_up")

        caller.emulator.reset()

        assert caller.emulator.bill == []
        assert (await caller.submit()).status_code == 200


@pytest.mark.asyncio
async def test_moderation() -> None:
    """A prompt that contains a match is refused; a 1080p request has no prompt."""
    async with calling(moderation="(?i)weapon") as caller:
        refused = await caller.submit(prompt="A WEAPON")
        passed = await caller.submit(prompt="A flower")
        upscale = {"action": "get_1080p", "video_id": passed.json()["data"][0]["id"]}

        assert error_of(refused) == (403, "content_refused")
        assert (await caller.http.post("/veo/videos", json=upscale)).status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "limits, header",
    [
        (Limits(submits_per_second=2), "1"),
        (Limits(submits_per_second=2, retry_after=None), None),
        (Limits(submits_per_second=2, retry_after="soon"), "soon"),
        (Limits(submits_per_second=2, retry_after=2.5), "2.5"),
        (
            Limits(submits_per_second=2, retry_after=5, as_date=True),
            "Fri, 25 Jul 2025 08:00:05 GMT",
        ),
    ],
)
async def test_a_rate_limit(limits: Limits, header: str | None) -> None:
    """Submits above the rate are answered with 429; a second later the next one is accepted."""
    async with calling(limits=limits) as caller:
        answers = [await caller.submit(**{"async": True}) for _ in range(3)]
        await anyio.sleep(1)
        later = await caller.submit(**{"async": True})

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert error_of(answers[2]) == (429, "too_many_requests")
        assert answers[2].headers.get("retry-after") == header
        assert later.status_code == 200


@pytest.mark.asyncio
async def test_a_slow_rate_is_a_rate_too() -> None:
    """Half a call a second means one in any two seconds."""
    async with calling(limits=Limits(polls_per_second=0.5)) as caller:
        statuses = []
        for _ in range(5):
            statuses.append((await caller.tasks(action="retrieve_batch")).status_code)
            await anyio.sleep(1)

        assert statuses == [200, 429, 200, 429, 200]


@pytest.mark.asyncio
async def test_one_rate_for_submits_and_polls() -> None:
    """Both share the common rate, and a refused call does not count."""
    async with calling(limits=Limits(per_second=2, polls_per_second=1)) as caller:
        statuses = [(await caller.tasks(action="retrieve_batch")).status_code for _ in range(3)]
        statuses += [(await caller.submit(**{"async": True})).status_code for _ in range(2)]

        assert statuses == [200, 429, 429, 200, 429]


@pytest.mark.asyncio
async def test_some_refusals_lack_retry_after() -> None:
    """The random choice is seeded."""
    limits = Limits(in_flight=0, retry_after=3.0, silent=0.5)
    async with calling(limits=limits) as caller:
        said = [(await caller.submit()).headers.get("retry-after") for _ in range(100)]
    async with calling(limits=limits) as caller:
        again = [(await caller.submit()).headers.get("retry-after") for _ in range(100)]

        assert set(said) == {"3", None}
        assert 30 <= said.count(None) <= 70
        assert said == again


@pytest.mark.asyncio
async def test_limits_may_change_while_the_service_runs() -> None:
    """New limits hold from then on; tasks that were accepted before count as well."""
    async with calling(pace=MINUTE) as caller:
        await caller.task_id()
        before = caller.emulator.limits
        caller.emulator.limits = Limits(in_flight=1)
        full = await caller.submit(**{"async": True})
        caller.emulator.limits = before

        assert before == Limits()
        assert full.status_code == 429
        assert (await caller.submit(**{"async": True})).status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("pace", [MINUTE, Looks(1)])
async def test_a_cap_of_tasks_in_flight(pace: Any) -> None:
    """The cap counts accepted and unfinished tasks; a finished one makes room."""
    async with calling(pace=pace, limits=Limits(in_flight=2)) as caller:
        first = await caller.task_id()
        await caller.task_id()
        full = await caller.submit(**{"async": True})
        await anyio.sleep(60)
        await caller.record(first)
        await caller.record(first)

        assert error_of(full) == (429, "too_many_requests")
        assert (await caller.submit(**{"async": True})).status_code == 200
