"""``POST /veo/videos``, seen by a caller."""

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
    Looks,
    Seconds,
    Wire,
)
from veo_async.emulator._exchange import MAX_BODY

from .calls import ASYNC, calling, error_of

MINUTE = Seconds(mean=60, sigma=0)


@pytest.mark.asyncio
async def test_a_synchronous_answer_is_held_until_the_video_is_finished() -> None:
    """Without ``async`` and ``callback_url`` the connection stays open until the task finishes."""
    async with calling(pace=MINUTE) as caller:
        video = (await caller.submit()).json()["data"][0]

        assert anyio.current_time() == pytest.approx(60)
        assert video["created_at"] == "2025-07-25 16:00:00"
        assert video["complete_at"] == "2025-07-25 16:01:00"


@pytest.mark.asyncio
async def test_the_clock_factor_shortens_the_wait() -> None:
    """At factor 60, a minute of service time is a second for the caller."""
    async with calling(pace=MINUTE, clock_factor=60) as caller:
        task_id = (await caller.submit()).json()["task_id"]

        assert anyio.current_time() == pytest.approx(1)
        assert (await caller.record(task_id))["response"]["success"] is True


@pytest.mark.asyncio
async def test_async_is_answered_immediately() -> None:
    """With ``async`` the answer takes no time; the record shows the end of the task."""
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
    """Then the answer is the finished result, which clients must accept."""
    async with calling(pace=MINUTE, wire=Wire(honour_async=False)) as caller:
        answer = (await caller.submit(**{"async": True})).json()

        assert answer["success"] is True


@pytest.mark.asyncio
async def test_looks_make_a_countable_pace() -> None:
    """With ``Looks(2)`` the first two polls show a pending task, the third one its result."""
    async with calling(pace=Looks(2)) as caller:
        task_id = await caller.task_id()

        seen = ["response" in await caller.record(task_id) for _ in range(4)]

        assert seen == [False, False, True, True]


@pytest.mark.asyncio
async def test_a_synchronous_answer_does_not_poll() -> None:
    """With ``Looks`` a synchronous submit is answered immediately, and its task is finished."""
    async with calling(pace=Looks(2)) as caller:
        answer = (await caller.submit()).json()

        assert answer["success"] is True
        assert (await caller.record(answer["task_id"]))["response"] == answer


@pytest.mark.asyncio
async def test_the_bill_has_only_accepted_submits() -> None:
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
async def test_random_numbers_are_seeded() -> None:
    """The same seed gives the same ids and durations, and another pace does not change the ids."""

    async def ids(**options: Any) -> list[str]:
        async with calling(**options) as caller:
            return [await caller.task_id() for _ in range(3)]

    assert await ids(seed=1) == await ids(seed=1, pace=Immediate(), failure=0.5)
    assert await ids(seed=1) != await ids(seed=2)


@pytest.mark.asyncio
async def test_random_failures() -> None:
    """A part of the tasks fails; the synchronous answer is then the error with its status."""
    async with calling(failure=0.5, seed=3) as caller:
        answers = [await caller.submit() for _ in range(40)]

        assert 10 < sum(answer.status_code == 500 for answer in answers) < 30
        assert {answer.json()["success"] for answer in answers} == {True, False}


@pytest.mark.asyncio
async def test_a_failure_by_rule() -> None:
    """`Fail` ends an accepted task with the given error."""
    async with calling(pace=Immediate()) as caller:
        caller.fault(Fail(code="content_refused", message="no"), nth=1)

        response = (await caller.record(await caller.task_id()))["response"]

        assert response["success"] is False
        assert response["error"] == {"code": "content_refused", "message": "no"}


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
    """A body that is not a JSON object, or has numbers that JSON lacks, is ``bad_request``."""
    async with calling() as caller:
        answer = await caller.http.post(path, content=body)

        assert error_of(answer) == (400, "bad_request")


@pytest.mark.asyncio
async def test_a_body_without_end_is_refused() -> None:
    """The emulator reads at most `MAX_BODY` bytes."""
    async with calling() as caller:
        answer = await caller.http.post("/veo/videos", content=b" " * (MAX_BODY + 1))

        assert error_of(answer) == (400, "bad_request")


@pytest.mark.asyncio
async def test_finite_numbers_and_odd_text_survive() -> None:
    """The request is stored and billed exactly as submitted, with its lone surrogates."""
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
    """The API accepts only POST."""
    async with calling() as caller:
        assert (await caller.http.get("/veo/videos")).status_code == 405


@pytest.mark.asyncio
async def test_skews() -> None:
    """``skew`` shifts all times in answers; ``date_skew`` shifts only the ``Date`` header."""
    async with calling(pace=MINUTE, epoch=1_800_000_000.0, skew=3600, date_skew=60) as caller:
        answer = await caller.submit()
        record = await caller.record(answer.json()["task_id"])

        date = parsedate_to_datetime(answer.headers["date"]).timestamp()
        assert date == 1_800_000_000 + 60 + 3600 + 60
        assert record["created_at"] == 1_800_003_600.0
        assert answer.json()["data"][0]["created_at"] == "2027-01-15 17:00:00"


@pytest.mark.asyncio
async def test_normalised_storage() -> None:
    """A deployment may store the request in another form; the bill keeps it as it was sent."""
    async with calling(wire=Wire(stored="normalised")) as caller:
        record = await caller.record(await caller.task_id(model=None))

        assert record["request"]["model"] == "veo3-fast"
        assert "async" not in record["request"]
        assert caller.emulator.bill[0].request == {**ASYNC, "model": None}


def test_its_representation() -> None:
    """The representation names the address and the number of accepted tasks, and no token."""
    emulator = Emulator(token="secret")

    assert repr(emulator) == "<Emulator at http://127.0.0.1:1: 0 accepted>"


@pytest.mark.asyncio
async def test_its_clock_can_be_read() -> None:
    """`Emulator.now` is the service's time."""
    emulator = Emulator(clock=lambda: 7.0)

    assert emulator.now() == 1753430400.0
