"""``POST /veo/videos`` as a caller sees it."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import anyio
import pytest

from veo_async.emulator import (
    Answer,
    Emulator,
    Fail,
    Immediate,
    Limits,
    Looks,
    Seconds,
    Wire,
)
from veo_async.emulator._exchange import MAX_BODY

from .calls import ASYNC, TEXT, calling, error_of

MINUTE = Seconds(mean=60, sigma=0)


@pytest.mark.asyncio
async def test_a_synchronous_answer_is_held_until_the_video_is_finished() -> None:
    """Without ``async`` and ``callback_url`` the connection is held for as long as it takes."""
    async with calling(pace=MINUTE) as caller:
        video = (await caller.submit()).json()["data"][0]

        assert anyio.current_time() == pytest.approx(60)
        assert video["created_at"] == "2025-07-25 16:00:00"
        assert video["complete_at"] == "2025-07-25 16:01:00"


@pytest.mark.asyncio
async def test_the_clock_factor_shortens_the_wait() -> None:
    """At factor 60 a minute of the service is a second of the caller."""
    async with calling(pace=MINUTE, clock_factor=60) as caller:
        task_id = (await caller.submit()).json()["task_id"]

        assert anyio.current_time() == pytest.approx(1)
        assert (await caller.record(task_id))["response"]["success"] is True


@pytest.mark.asyncio
async def test_async_is_answered_at_once() -> None:
    """With ``async`` the answer takes no time, and the record tells when it is finished."""
    async with calling(pace=MINUTE) as caller:
        task_id = await caller.task_id()
        await anyio.sleep(59)
        before = await caller.record(task_id)
        await anyio.sleep(1)
        after = await caller.record(task_id)

        assert "response" not in before
        assert after["response"]["success"] is True
        assert after["created_at"] == 1753430400.0


@pytest.mark.asyncio
async def test_a_deployment_may_ignore_async() -> None:
    """Then the answer is the finished result, which clients must take."""
    async with calling(pace=MINUTE, wire=Wire(honour_async=False)) as caller:
        answer = (await caller.submit(**{"async": True})).json()

        assert answer["success"] is True


@pytest.mark.asyncio
async def test_looks_make_a_countable_pace() -> None:
    """With ``Looks(2)`` the first two retrieves show a pending task, the third its result."""
    async with calling(pace=Looks(2)) as caller:
        task_id = await caller.task_id()

        seen = ["response" in await caller.record(task_id) for _ in range(4)]

        assert seen == [False, False, True, True]


@pytest.mark.asyncio
async def test_a_synchronous_answer_cannot_look() -> None:
    """With ``Looks`` a held connection is answered at once, and the task is finished."""
    async with calling(pace=Looks(2)) as caller:
        answer = (await caller.submit()).json()

        assert answer["success"] is True
        assert (await caller.record(answer["task_id"]))["response"] == answer


@pytest.mark.asyncio
async def test_the_bill_shows_what_was_accepted_and_only_that() -> None:
    """A refused submit costs nothing; an accepted one is on the bill as it was sent."""
    async with calling() as caller:
        task_id = await caller.task_id(prompt="paid")
        await caller.submit(prompt="")
        caller.fault(Answer(code="too_many_requests"))
        await caller.submit()

        (charge,) = caller.emulator.bill
        assert charge.task_id == task_id
        assert charge.request == {**ASYNC, "prompt": "paid"}
        assert charge.trace_id == (await caller.record(task_id))["trace_id"]
        assert charge.at == 1753430400.0
        assert caller.emulator.counters["submit"] == 3
        assert caller.emulator.counters[200] == 2
        assert caller.emulator.counters[400] == 1
        assert caller.emulator.counters[429] == 1


@pytest.mark.asyncio
async def test_luck_is_seeded() -> None:
    """The same seed gives the same ids and durations, and another pace does not change the ids."""

    async def ids(**options: Any) -> list[str]:
        async with calling(**options) as caller:
            return [await caller.task_id() for _ in range(3)]

    assert await ids(seed=1) == await ids(seed=1, pace=Immediate(), failure=0.5)
    assert await ids(seed=1) != await ids(seed=2)


@pytest.mark.asyncio
async def test_failures_by_chance() -> None:
    """A part of the tasks fails; the synchronous answer is then the error with its status."""
    async with calling(failure=0.5, seed=3) as caller:
        answers = [await caller.submit() for _ in range(40)]

        assert 10 < sum(answer.status_code == 500 for answer in answers) < 30
        assert {answer.json()["success"] for answer in answers} == {True, False}


@pytest.mark.asyncio
async def test_a_failure_by_rule() -> None:
    """`Fail` lets an accepted task end as the error body that it names."""
    async with calling(pace=Immediate()) as caller:
        caller.fault(Fail(code="content_refused", message="no"), nth=1)

        response = (await caller.record(await caller.task_id()))["response"]

        assert response["success"] is False
        assert response["error"] == {"code": "content_refused", "message": "no"}


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
    """A prompt in which the expression is found is refused; 1080p has no prompt to refuse."""
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
    """More than so many submits in a second are answered with 429; a second later all is well."""
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
    """A rate of both together is shared, and what was refused does not count."""
    async with calling(limits=Limits(per_second=2, polls_per_second=1)) as caller:
        statuses = [(await caller.tasks(action="retrieve_batch")).status_code for _ in range(3)]
        statuses += [(await caller.submit(**{"async": True})).status_code for _ in range(2)]

        assert statuses == [200, 429, 429, 200, 429]


@pytest.mark.asyncio
async def test_refusals_may_be_silent_by_chance() -> None:
    """A part of the refusals lacks ``Retry-After``, by seeded luck."""
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
    """New limits hold from then on, for what was accepted before too."""
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


@pytest.mark.asyncio
async def test_1080p_needs_a_finished_video() -> None:
    """An unknown video, an unfinished one and a failed one are ``bad_request``."""
    async with calling(pace=MINUTE) as caller:
        caller.fault(Fail(), nth=2)
        unfinished, failed = await caller.task_id(), await caller.task_id()
        tasks = caller.emulator._service.backend.tasks
        videos = ["nothing", tasks[unfinished].video_id, tasks[failed].video_id]

        answers = [
            await caller.http.post("/veo/videos", json={"action": "get_1080p", "video_id": video})
            for video in videos
        ]
        await anyio.sleep(60)
        last = await caller.http.post(
            "/veo/videos", json={"action": "get_1080p", "video_id": videos[2]}
        )

        for answer in [*answers, last]:
            assert answer.json()["error"]["message"] == "video_id is invalid."
            assert error_of(answer) == (400, "bad_request")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b'{"prompt": NaN}', b'{"prompt": 1e999}', b"[]", b"7"],
)
@pytest.mark.parametrize("path", ["/veo/videos", "/veo/tasks"])
async def test_any_bytes_get_a_documented_error(body: bytes, path: str) -> None:
    """What is not a JSON object, or no JSON of this world, is ``bad_request``."""
    async with calling() as caller:
        answer = await caller.http.post(path, content=body)

        assert error_of(answer) == (400, "bad_request")


@pytest.mark.asyncio
async def test_a_body_without_end_is_refused() -> None:
    """The emulator reads no more of a body than any call can need."""
    async with calling() as caller:
        answer = await caller.http.post("/veo/videos", content=b" " * (MAX_BODY + 1))

        assert error_of(answer) == (400, "bad_request")


@pytest.mark.asyncio
async def test_finite_numbers_and_odd_text_survive() -> None:
    """What was submitted is stored and billed to the letter, lone surrogates included."""
    async with calling() as caller:
        body = {**ASYNC, "prompt": "a \ud800 b", "seed": 1.5}

        answer = await caller.http.post("/veo/videos", content=json.dumps(body).encode())

        assert (await caller.record(answer.json()["task_id"]))["request"] == body
        assert caller.emulator.bill[0].request == body


@pytest.mark.asyncio
@pytest.mark.parametrize("method, path", [("POST", "/veo/nothing"), ("POST", "/veo/videos/")])
async def test_wrong_paths(method: str, path: str) -> None:
    """A wrong URL is ``no_api``, and is not redirected."""
    async with calling() as caller:
        assert error_of(await caller.http.request(method, path)) == (404, "no_api")


@pytest.mark.asyncio
async def test_wrong_methods() -> None:
    """The API is spoken to by POST only."""
    async with calling() as caller:
        assert (await caller.http.get("/veo/videos")).status_code == 405


@pytest.mark.asyncio
async def test_skews() -> None:
    """``skew`` moves everything that the service says of time; ``date_skew`` only the header."""
    async with calling(pace=MINUTE, epoch=1_800_000_000.0, skew=3600, date_skew=60) as caller:
        answer = await caller.submit()
        record = await caller.record(answer.json()["task_id"])

        date = parsedate_to_datetime(answer.headers["date"]).timestamp()
        assert date == 1_800_000_000 + 60 + 3600 + 60
        assert record["created_at"] == 1_800_003_600.0
        assert answer.json()["data"][0]["created_at"] == "2027-01-15 17:00:00"


@pytest.mark.asyncio
async def test_normalised_storage() -> None:
    """A deployment may store the request in other words; the bill keeps what was sent."""
    async with calling(wire=Wire(stored="normalised")) as caller:
        record = await caller.record(await caller.task_id(model=None))

        assert record["request"]["model"] == "veo3-fast"
        assert "async" not in record["request"]
        assert caller.emulator.bill[0].request == {**ASYNC, "model": None}


def test_it_shows_what_it_is() -> None:
    """The representation names the address and the number of accepted tasks, and no token."""
    emulator = Emulator(token="secret")

    assert repr(emulator) == "<Emulator at http://127.0.0.1:1: 0 accepted>"


@pytest.mark.asyncio
async def test_its_clock_can_be_read() -> None:
    """Tests may ask what time the service has."""
    emulator = Emulator(clock=lambda: 7.0)

    assert emulator.now() == 1753430400.0
