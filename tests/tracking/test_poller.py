from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterable
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
    finished,
    looked,
    other_tasks,
    page,
    refused,
)
from veo_async import (
    APIError,
    ClientClosedError,
    Generation,
    GenerationFailedError,
    InvalidRequestError,
    PollingError,
    PollPolicy,
    RateLimit,
    TaskNotFoundError,
    TextToVideo,
    VeoClient,
    WaitTimeoutError,
)
from veo_async._tracking.schedule import Cohort
from veo_async._wire.task_status import TaskStatus
from veo_async.callbacks._registry import CallbackHandle
from veo_async.errors import InvalidTokenError, NoAPIError
from veo_async.testing._virtual_loop import VirtualEventLoop

IDS = [f"t{number}" for number in range(8)]
POLLING = "veo_async polls"


class Board(Service):
    """Tasks that are finished when the test says so; a question takes a second.

    Attributes:
        done: the responses of the tasks that are over.
        instead: what the next questions are answered instead.
        refuses: ids for which a question is answered so, whoever else it is about.
    """

    def __init__(self, *, seconds: float = 1.0) -> None:
        super().__init__(tasks=self._show)
        self.done: dict[str, Body] = {}
        self.instead: list[httpx.Response | Exception] = []
        self.refuses: dict[str, httpx.Response] = {}
        self.answered = 0
        self._seconds = seconds

    async def _show(self, body: Body) -> httpx.Response:
        await anyio.sleep(self._seconds)
        self.answered += 1
        if self.instead:
            answer = self.instead.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        for task_id in asked_ids(body):
            if task_id in self.refuses:
                return self.refuses[task_id]
        return looked(body, **self.done)

    def finish(self, *task_ids: str) -> None:
        self.done |= {task_id: finished(task_id) for task_id in task_ids}

    def asked(self) -> Counter[str]:
        """The number of polls of each id."""
        return Counter(task_id for body in self.questions for task_id in asked_ids(body))


def now() -> float:
    """Virtual seconds since the test began."""
    return asyncio.get_running_loop().time()


def polls() -> list[str]:
    """The polling tasks there are."""
    return [task.get_name() for task in other_tasks() if task.get_name() == "veo_async polls"]


async def ends_of(veo: VeoClient, *task_ids: str, timeout: float | None = None) -> list[Any]:
    """The ends of the waits for these ids, all at the same time."""
    waits = [veo.wait(task_id, timeout) for task_id in task_ids]
    return await asyncio.gather(*waits, return_exceptions=True)


def done(ends: Iterable[Any]) -> list[Any]:
    """The ids of the results; an error stands for itself."""
    return [end.task_id if isinstance(end, Generation) else end for end in ends]


@pytest.mark.asyncio
async def test_one_polling_task_exactly_while_somebody_waits() -> None:
    """Nobody waits, nobody polls; many wait, one task polls."""
    board = Board()
    async with client(board) as veo:
        before = polls()
        waits = [asyncio.create_task(veo.wait(task_id)) for task_id in IDS * 3]
        await asyncio.sleep(3.0)
        during = polls()
        board.finish(*IDS)
        await asyncio.wait(waits)
        await asyncio.sleep(0.0)
        after, asked = polls(), len(board.questions)
        await asyncio.sleep(3600.0)

        assert (before, during, after) == ([], ["veo_async polls"], [])
        assert len(board.questions) == asked


@pytest.mark.asyncio
async def test_one_id_is_asked_for_once_a_round() -> None:
    """A hundred callers of one id cost what one caller costs, and all get the result."""
    board = Board()
    asyncio.get_running_loop().call_later(30.0, board.finish, "t0")
    async with client(board) as veo:
        ends = await ends_of(veo, *["t0"] * 100)
        hundred = len(board.questions)
    alone = Board()
    asyncio.get_running_loop().call_later(30.0, alone.finish, "t0")
    async with client(alone) as veo:
        await veo.wait("t0")

    assert set(done(ends)) == {"t0"}
    assert abs(hundred - len(alone.questions)) <= 1
    assert board.most_open == 1


@pytest.mark.asyncio
async def test_neighbours_share_a_poll() -> None:
    """Ids are asked for in batches of up to fifty, with an explicit limit."""
    board = Board()
    ids = [f"n{number}" for number in range(120)]
    board.finish(*ids)
    async with client(board) as veo:
        ends = await ends_of(veo, *ids)

    assert done(ends) == ids
    assert [len(body["ids"]) for body in board.questions] == [50, 50, 20]
    assert [body["limit"] for body in board.questions] == [50, 50, 20]


@pytest.mark.asyncio
async def test_impatient_waiters_abort_no_poll() -> None:
    """Waiters that give up before the answer comes neither cancel the poll nor cause another, and
    its result is there for the next one."""
    board = Board(seconds=5.0)
    board.finish("t0")
    async with client(board) as veo:
        ends = await ends_of(veo, *["t0"] * 100, timeout=1.0)
        for _ in range(10):
            ends += await ends_of(veo, "t0", timeout=0.1)
        result = await veo.wait("t0")

        assert now() == pytest.approx(5.0, abs=0.1)

    assert {type(end) for end in ends} == {WaitTimeoutError}
    assert {end.task_id for end in ends} == {"t0"}
    assert result.task_id == "t0"
    assert (len(board.questions), board.answered) == (1, 1)


@pytest.mark.asyncio
async def test_a_poll_outlives_its_last_waiter() -> None:
    """A poll that nobody waits for any more ends as it would have, and its task with it."""
    board = Board(seconds=5.0)
    async with client(board) as veo:
        await ends_of(veo, "t0", timeout=1.0)
        await asyncio.sleep(10.0)

        assert (board.answered, len(board.questions), polls()) == (1, 1, [])


@pytest.mark.asyncio
async def test_a_bad_poll_that_nobody_waits_for_is_nothing() -> None:
    """A failure that comes when all waiters are gone concerns nobody."""
    board = Board()
    board.instead = [httpx.Response(502), httpx.ReadError("cut")]
    board.finish("t0")
    async with client(board, poll=PollPolicy(max_failed_polls=1)) as veo:
        await ends_of(veo, "t0", timeout=0.5)
        await asyncio.sleep(60.0)
        await ends_of(veo, "t0", timeout=0.5)
        await asyncio.sleep(60.0)

        assert (await veo.wait("t0")).task_id == "t0"


@pytest.mark.asyncio
async def test_a_late_waiter_is_served_at_once() -> None:
    """A task that is known to be over is not asked for again."""
    board = Board()
    board.finish("t0")
    async with client(Service(submit=_accept, tasks=board._show)) as veo:
        task = await veo.submit(TextToVideo(prompt="a mug"))
        board.finish(task.id)
        first = await task.result()
        asked = len(board.questions) + board.answered

        assert await veo.wait(task.id, timeout=0) == await task.result(timeout=0) == first
        assert len(board.questions) + board.answered == asked


async def _accept(body: Body) -> httpx.Response:
    return accepted("t0")


@pytest.mark.asyncio
async def test_a_cancelled_waiter_disturbs_nobody() -> None:
    """Of a thousand waiters one is cancelled: the others get their results from the same polls."""
    board = Board()
    ids = [f"n{number}" for number in range(1000)]
    async with client(board) as veo:
        waits = [asyncio.create_task(veo.wait(task_id)) for task_id in ids]
        await asyncio.sleep(0.5)
        waits[500].cancel()
        board.finish(*ids)
        ends = await asyncio.gather(*waits, return_exceptions=True)

    assert isinstance(ends.pop(500), asyncio.CancelledError)
    assert [end.task_id for end in ends if not isinstance(end, BaseException)] == [
        task_id for task_id in ids if task_id != "n500"
    ]
    assert len(board.questions) == 20


@pytest.mark.asyncio
@pytest.mark.parametrize("guilty", ["t0", "t3", "t7"])
async def test_one_guilty_id_hurts_no_other(guilty: str) -> None:
    """A batch answered with 400 is halved until the guilty id is alone; only its waiter hears of
    it, with its id, and it is not asked for again."""
    board = Board()
    board.finish(*IDS)
    board.refuses[guilty] = refused(400, "bad_request")
    async with client(board) as veo:
        ends = dict(zip(IDS, await ends_of(veo, *IDS), strict=True))

    error = ends.pop(guilty)
    assert isinstance(error, APIError)
    assert (error.code, error.task_id, error.may_have_cost) == ("bad_request", guilty, True)
    assert done(ends.values()) == list(ends)
    assert board.asked()[guilty] == 4
    assert len(board.questions) == 7


@pytest.mark.asyncio
async def test_an_id_that_cannot_be_sent_hurts_no_other() -> None:
    """An id with half of a surrogate pair, as a command line may hand it over, is refused to its
    own waiter; the polls that all share continue."""
    board = Board()
    async with client(board) as veo:
        good = asyncio.create_task(veo.wait(IDS[0]))
        await asyncio.sleep(0.5)
        with pytest.raises(InvalidRequestError):
            await veo.wait("\udcff")
        board.finish(IDS[0])

        assert (await good).task_id == IDS[0]


@pytest.mark.asyncio
async def test_an_id_that_was_polled_alone_shares_polls_again() -> None:
    """A batch that was refused once costs single questions once, not for ever."""
    board = Board()
    board.instead = [refused(400, "bad_request")]
    async with client(board) as veo:
        await ends_of(veo, "t0", "t1", timeout=30.0)

    kinds = [body["action"] for body in board.questions]
    assert kinds[:3] == ["retrieve_batch", "retrieve", "retrieve"]
    assert set(kinds[3:]) == {"retrieve_batch"}


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", ["404", "empty", "missing"])
async def test_an_unknown_id_has_a_time_of_grace(answer: str) -> None:
    """An id that the service does not show (yet) is pending for a while, then not found; it hurts
    no other, however the service says so."""
    board = Board()
    board.finish(*IDS[1:])
    if answer == "404":
        board.refuses["t0"] = refused(404, "not_found")
    else:

        async def show(body: Body) -> httpx.Response:
            board.questions.append(body)
            records = [
                {"id": key, "response": finished(key)} if key != "t0" else {}
                for key in asked_ids(body)
            ]
            if body["action"] == "retrieve":
                return httpx.Response(200, json=records[0])
            return page(*[record for record in records if record or answer == "empty"])

        board._tasks = show
    async with client(board, poll=PollPolicy(not_found_grace=20.0)) as veo:
        others = await ends_of(veo, *IDS[1:], "t0", timeout=10.0)
        at_ten = now()
        [error] = await ends_of(veo, "t0")

    assert isinstance(others.pop(), WaitTimeoutError)
    assert done(others) == IDS[1:]
    assert at_ten == pytest.approx(10.0)
    assert isinstance(error, TaskNotFoundError)
    assert error.task_id == "t0"


@pytest.mark.asyncio
async def test_an_id_that_appears_within_the_grace_is_found() -> None:
    """A list that lags behind the submit costs nothing but time."""
    board = Board()
    board.finish("t0")
    board.instead = [httpx.Response(200, json={}) for _ in range(3)]
    async with client(board) as veo:
        assert (await veo.wait("t0")).task_id == "t0"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "bad",
    [
        refused(500, "api_error"),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(200, text="<html>Hello</html>"),
        httpx.Response(200, text=""),
        httpx.Response(200, json={"items": 7, "id": "t0"}),
        httpx.Response(400, text="what?"),
        refused(403, "used_up"),
        refused(403, "forbidden"),
        refused(401, "invalid_token"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("cut"),
        httpx.ConnectError("down"),
        ValueError("what a transport may raise"),
    ],
    ids=str,
)
async def test_one_bad_poll_fails_no_wait(bad: httpx.Response | Exception) -> None:
    """The wait continues after any single bad answer to a poll."""
    board = Board()
    board.finish(*IDS)
    board.instead = [bad]
    async with client(board) as veo:
        ends = await ends_of(veo, *IDS)

    assert done(ends) == IDS


@pytest.mark.asyncio
async def test_a_poll_that_hangs_is_a_bad_poll() -> None:
    """A poll has a time limit of its own, which needs no help from the transport."""
    board = Board(seconds=1e6)
    async with client(board, poll=PollPolicy(max_failed_polls=3, timeout=5.0)) as veo:
        [error] = await ends_of(veo, "t0")

    assert isinstance(error, PollingError)
    assert len(board.questions) == 3


@pytest.mark.asyncio
async def test_a_streak_of_bad_polls_fails_each_wait_with_its_id() -> None:
    """After so many in a row all waits end; the tasks continue, and a wait may start again."""
    board = Board()
    board.instead = [httpx.Response(502, text="<html>") for _ in range(4)]
    board.finish(*IDS)
    async with client(board, poll=PollPolicy(max_failed_polls=4)) as veo:
        ends = await ends_of(veo, *IDS)
        again = await ends_of(veo, *IDS)

    assert {type(end) for end in ends} == {PollingError}
    assert [end.task_id for end in ends] == IDS
    assert "HTTP 502" in str(ends[0])
    assert "veo.wait('t0')" in str(ends[0])
    assert done(again) == IDS


@pytest.mark.asyncio
async def test_any_good_poll_resets_the_streak() -> None:
    """Bad polls count only if they come in a row."""
    board = Board()
    bad, good = httpx.Response(502), httpx.Response(200, json={"id": "t0"})
    board.instead = [bad, bad, good, bad, bad, good, bad, bad]
    board.finish("t0")
    async with client(board, poll=PollPolicy(max_failed_polls=3)) as veo:
        assert (await veo.wait("t0")).task_id == "t0"


@pytest.mark.asyncio
async def test_polls_that_fail_together_count_once() -> None:
    """Polls that were under way at once when the service failed are one failure, also after they
    have ended the waits."""
    board = Board()
    board.instead = [refused(401, "invalid_token") for _ in range(3)]
    ids = [f"n{number}" for number in range(120)]
    board.finish(*ids)
    limit = RateLimit(concurrency=16)  # four polls at once
    async with client(board, rate_limit=limit) as veo:
        ends = await ends_of(veo, *ids)
        board.instead = [refused(401, "invalid_token") for _ in range(6)]
        failed = await ends_of(veo, *[f"m{number}" for number in range(120)])
        await asyncio.sleep(60.0)
        board.instead = [refused(401, "invalid_token")]
        later = await ends_of(veo, "n1")

    assert done(ends) == ids
    assert {type(end) for end in failed} == {InvalidTokenError}
    assert done(later) == ["n1"]


@pytest.mark.asyncio
async def test_a_poll_that_fails_after_the_others_counts_with_them() -> None:
    """When a failure has ended the waits, polls that were under way with it do not count against
    those who wait again."""
    board = Board()
    ids = [f"n{number}" for number in range(60)]
    board.finish(*ids)
    answers = iter([1.0, 1.5])

    async def show(body: Body) -> httpx.Response:
        seconds = next(answers, None)
        if seconds is None:
            return await board._show(body)
        await anyio.sleep(seconds)
        return httpx.Response(502)

    service = Service(tasks=show)
    async with client(service, poll=PollPolicy(max_failed_polls=1)) as veo:
        ends = await ends_of(veo, *ids)
        again = await ends_of(veo, *ids)

    assert {type(end) for end in ends} == {PollingError}
    assert done(again) == ids


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer, expected",
    [((401, "invalid_token"), InvalidTokenError), ((404, "no_api"), NoAPIError)],
)
async def test_the_account_is_blamed_twice(
    answer: tuple[int, str], expected: type[APIError]
) -> None:
    """Two clear words about the token or the address in a row fail each wait, with its own id."""
    board = Board()
    board.instead = [refused(*answer), refused(*answer)]
    async with client(board) as veo:
        ends = await ends_of(veo, *IDS)

    assert {type(end) for end in ends} == {expected}
    assert [end.task_id for end in ends] == IDS
    assert all(end.may_have_cost for end in ends)
    assert len(board.questions) == 2


@pytest.mark.asyncio
async def test_a_429_on_polls_pauses_everybody_and_fails_nobody() -> None:
    """The waits continue after any number of 429s to polls."""
    board = Board(seconds=0.0)
    board.instead = [refused(429, "too_many_requests", **{"retry-after": "10"}) for _ in range(30)]
    board.finish("t0")
    async with client(board, poll=PollPolicy(max_failed_polls=2)) as veo:
        await veo.wait("t0")

        assert now() >= 300.0

    assert len(board.questions) == 31


@pytest.mark.asyncio
async def test_a_failed_task_fails_all_its_waiters() -> None:
    """Each waiter raises an error of its own, so that their tracebacks do not mix."""
    board = Board()
    board.done["t0"] = {"success": False, "error": {"code": "api_error", "message": "no luck"}}
    async with client(board) as veo:
        ends = await ends_of(veo, "t0", "t0")

    assert {type(end) for end in ends} == {GenerationFailedError}
    assert ends[0] is not ends[1]
    assert [(end.task_id, end.code) for end in ends] == [("t0", "api_error")] * 2


@pytest.mark.asyncio
async def test_a_strange_answer_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A success without a video is pending, with one warning; a timeout repeats the reason."""
    board = Board()
    board.done["t0"] = {"success": True, "data": []}
    async with client(board) as veo:
        [error] = await ends_of(veo, "t0", timeout=60.0)

    assert "no video_url" in str(error)
    assert [record.message for record in caplog.records] == [
        "task t0: success is true, but there is no video_url yet"
    ]


@pytest.mark.asyncio
async def test_the_budget_of_polls_holds_whatever_is_in_flight() -> None:
    """No more polls a second than the policy says."""
    board = Board(seconds=0.0)
    async with client(board, poll=PollPolicy(per_second=2.0, batch_size=1)) as veo:
        await ends_of(veo, *[f"n{number}" for number in range(100)], timeout=20.0)

    assert 35 <= len(board.questions) <= 41


@pytest.mark.asyncio
async def test_a_hint_causes_polls() -> None:
    """A hint that a task may be over has it polled at the given times."""
    board = Board(seconds=0.0)
    board._submit = _accept
    async with client(board, poll=PollPolicy(first_delay=600, max_interval=600, jitter=0)) as veo:
        task = await veo.submit(TextToVideo(prompt="a mug"))
        waiting = asyncio.create_task(task.result())
        await asyncio.sleep(1.0)
        veo._tracker.hint(task.id, (now(), now() + 5.0))
        await asyncio.sleep(1.0)
        asked_once = len(board.questions)
        board.finish("t0")
        await waiting

        assert (asked_once, len(board.questions)) == (1, 2)
        assert now() == pytest.approx(6.0)


@pytest.mark.asyncio
async def test_a_hint_that_comes_during_a_question_is_not_lost() -> None:
    """The answer may have been made before the task was over: it is asked for once more."""
    board = Board(seconds=2.0)
    async with client(board, poll=PollPolicy(first_delay=600, max_interval=600)) as veo:
        waiting = asyncio.create_task(veo.wait("t0"))
        await asyncio.sleep(1.0)
        veo._tracker.hint("t0", (now(),))
        await asyncio.sleep(1.5)
        board.finish("t0")
        await waiting

        assert len(board.questions) == 2
        assert now() == pytest.approx(4.0, abs=0.1)


@pytest.mark.asyncio
async def test_a_callback_that_is_expected_later_counts_at_once() -> None:
    """Somebody waits for a task by its id when it turns out to be one with a callback: from then
    on polls are a safety net, the next one included."""
    board = Board(seconds=0.0)
    async with client(board, poll=PollPolicy(callback_interval=20, jitter=0)) as veo:
        waiting = asyncio.create_task(veo.wait("t0"))
        await asyncio.sleep(10.0)
        asked = len(board.questions)
        veo._tracker.expect(veo._tracker.attach("t0"), CallbackHandle("", veo._callback_router))
        await asyncio.sleep(9.0)
        asked_since = len(board.questions) - asked
        board.finish("t0")
        await waiting

        assert (asked > 1, asked_since) == (True, 0)
        assert now() <= 10.0 + 20.0


@pytest.mark.asyncio
async def test_hints_for_nobody_cost_nothing() -> None:
    """A hint for a task that is over, that nobody waits for or that is not ours is no question."""
    board = Board(seconds=0.0)
    board._submit = _accept
    async with client(board) as veo:
        task = await veo.submit(TextToVideo(prompt="a mug"))
        for _ in range(2):
            veo._tracker.hint("t0", (now(),))
            veo._tracker.hint("t1", (now(),))
            await asyncio.sleep(60.0)
        unasked = len(board.questions)
        board.finish("t0")
        await task.result()
        asked = len(board.questions)
        veo._tracker.hint("t0", (now(),))
        await asyncio.sleep(60.0)

        assert (unasked, len(board.questions)) == (0, asked)


# Tasks in flight.


class Shop(Board):
    """Accepts submits as ``s1``, ``s2``, and so on; its questions take no time."""

    def __init__(self) -> None:
        super().__init__(seconds=0.0)
        self._submit = self._accept
        self._accepted = 0

    async def _accept(self, body: Body) -> httpx.Response:
        self._accepted += 1
        return accepted(f"s{self._accepted}")


@pytest.mark.asyncio
async def test_a_submit_that_queues_for_room_wakes_the_polls() -> None:
    """A place may be free long since, held by a task that nobody asked about: it is looked at now,
    not when somebody else's turn comes."""
    shop = Shop()
    async with client(shop, rate_limit=RateLimit(in_flight=2)) as veo:
        await veo.submit(TextToVideo(prompt="over long since"))
        waiting = asyncio.create_task(veo.wait("t0"))
        shop.finish("s1")
        await asyncio.sleep(300.0)
        while shop.questions and now() < 400.0:  # to a moment just after a poll of the other one
            shop.questions.clear()
            await asyncio.sleep(0.5)
        began = now()

        await veo.submit(TextToVideo(prompt="next"))

        assert now() - began < 1.0
        waiting.cancel()


@pytest.mark.asyncio
async def test_tasks_in_flight_are_polled_only_while_somebody_queues_for_room() -> None:
    """When nobody does any more, only those are asked about that somebody waits for."""
    shop = Shop()
    async with client(shop, rate_limit=RateLimit(in_flight=2)) as veo:
        await veo.submit(TextToVideo(prompt="held"))
        waiting = asyncio.create_task(veo.wait("t0"))
        await asyncio.sleep(60.0)
        before = shop.asked()["s1"]
        queued = asyncio.create_task(veo.submit(TextToVideo(prompt="next")))
        await asyncio.sleep(60.0)
        during = shop.asked()["s1"]
        queued.cancel()
        await asyncio.sleep(300.0)

        assert before == 0
        assert during > 1
        assert shop.asked()["s1"] == during
        waiting.cancel()


@pytest.mark.asyncio
async def test_a_task_that_is_only_waited_for_counts_no_longer_than_its_waiter() -> None:
    """There is room for a submit that queues meanwhile."""
    shop = Shop()
    async with client(shop, rate_limit=RateLimit(in_flight=1)) as veo:
        waiting = asyncio.create_task(veo.wait("guest", 10.0))
        await asyncio.sleep(5.0)
        queued = asyncio.create_task(veo.submit(TextToVideo(prompt="next")))
        await asyncio.wait([waiting])
        await asyncio.sleep(1.0)

        assert isinstance(waiting.exception(), WaitTimeoutError)
        assert queued.done()
        assert veo._admission.in_flight == 1
        assert list(veo._tracker._in_flight) == ["s1"]


@pytest.mark.asyncio
async def test_each_unknown_id_has_its_own_time_of_grace() -> None:
    """Also if others that are looked at with it are older, or younger."""
    board = Board(seconds=0.0)
    failed: dict[str, float] = {}

    async def show(body: Body) -> httpx.Response:
        return page() if body["action"] == "retrieve_batch" else httpx.Response(200, json={})

    async def wait(task_id: str, begun: float) -> None:
        await asyncio.sleep(begun)
        with pytest.raises(TaskNotFoundError):
            await veo.wait(task_id)
        failed[task_id] = now() - begun

    board._tasks = show
    policy = PollPolicy(not_found_grace=20.0, min_interval=0.5, max_interval=0.5, jitter=0)
    async with client(board, poll=policy) as veo:
        await asyncio.gather(*[wait(f"n{number}", number * 0.7) for number in range(10)])

    assert all(20.0 < seconds <= 20.6 for seconds in failed.values())


@pytest.mark.asyncio
async def test_how_long_each_took_is_learned() -> None:
    """By its own age, not that of those that are looked at with it."""
    shop = Shop()
    learned: list[float] = []
    async with client(shop, poll=PollPolicy(first_delay=2.0)) as veo:
        schedule = veo._tracker.schedule
        note = schedule.finished

        def finished(cohort: Cohort, accepted_at: float, now: float) -> None:
            learned.append(accepted_at)
            note(cohort, accepted_at, now)

        schedule.finished = finished  # type: ignore[method-assign]
        tasks = []
        for _ in range(3):
            tasks.append(await veo.submit(TextToVideo(prompt="a mug")))
            await asyncio.sleep(0.1)
        shop.finish("s1", "s2", "s3")
        began = now() - 0.3
        await asyncio.gather(*[task.result() for task in tasks])

    assert sorted(learned) == [pytest.approx(began + number / 10) for number in range(3)]


def run_joining_at(turn: int) -> bool:
    """Wait for a second id at this turn after the first one's result; whether that is early."""
    board = Board(seconds=0.01)
    board.finish("t0", "t1")
    polling: list[str] = []

    async def main() -> None:
        async with client(board) as veo:
            await veo.wait("t0")
            for _ in range(turn):
                await asyncio.sleep(0)
            polling.extend(polls())
            await veo.wait("t1", timeout=60.0)

    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        runner.run(main())
    return bool(polling)


def test_a_wait_that_begins_while_the_polling_ends_is_served() -> None:
    """There is no moment at which a new waiter finds a polling task that will not poll for it."""
    turn = 0

    while run_joining_at(turn):
        turn += 1

    assert turn > 1


@pytest.mark.asyncio
async def test_a_wait_may_begin_again_after_trouble() -> None:
    """A handle whose wait failed can be waited for again, and hears what others learned."""
    board = Board()
    board._submit = _accept
    board.instead = [httpx.Response(502) for _ in range(2)]
    async with client(board, poll=PollPolicy(max_failed_polls=2)) as veo:
        task = await veo.submit(TextToVideo(prompt="a mug"))
        with pytest.raises(PollingError):
            await task.result()
        board.finish("t0")

        assert (await task.result()).task_id == "t0"
        assert task.state == "succeeded"


@pytest.mark.asyncio
async def test_a_refresh_of_an_old_handle_disturbs_no_newer_wait() -> None:
    """After trouble there may be two handles of one id; an answer ends the waits of both."""
    board = Board()
    board._submit = _accept
    board.instead = [httpx.Response(502) for _ in range(2)]
    async with client(board, poll=PollPolicy(max_failed_polls=2)) as veo:
        task = await veo.submit(TextToVideo(prompt="a mug"))
        with pytest.raises(PollingError):
            await task.result()
        waiting = asyncio.create_task(veo.wait("t0", timeout=60.0))
        await asyncio.sleep(0.5)
        board.finish("t0")
        record = await task.refresh()

        assert (record.state, task.state) == ("succeeded", "succeeded")
        assert (await waiting).task_id == "t0"
        assert (await task.result(timeout=0)).task_id == "t0"


@pytest.mark.asyncio
async def test_trouble_does_not_spoil_a_result_of_the_same_moment() -> None:
    """A result whose waiter has not run yet stands, whatever happens in the same turn."""
    async with client(Board()) as veo:
        waiting = asyncio.create_task(veo.wait("t0"))
        await asyncio.sleep(0.5)
        result = Generation(success=True, task_id="t0")
        tracked = veo._tracker.follow("t0", TaskStatus("succeeded", generation=result))
        veo._tracker.give_up(tracked, PollingError("too late", task_id="t0"))

        assert await waiting is result


@pytest.mark.asyncio
async def test_a_wait_that_begins_in_the_turn_of_the_trouble_is_served() -> None:
    """A wait that begins before all others have heard of the trouble is not dropped with them."""
    board = Board()
    board.finish("t0")
    board.instead = [httpx.Response(502)]

    async def at_once_again() -> Generation:
        await veo._tracker.attach("t0").done.wait()
        return await veo.wait("t0", timeout=60.0)

    async with client(board, poll=PollPolicy(max_failed_polls=1)) as veo:
        first = asyncio.create_task(at_once_again())
        second = asyncio.create_task(veo.wait("t0"))
        tracked = veo._tracker.attach("t0")
        await asyncio.wait([first, second])

        assert tracked.trouble
        assert isinstance(second.exception(), PollingError)
        assert first.result().task_id == "t0"


@pytest.mark.asyncio
async def test_a_poll_that_began_before_the_trouble_serves_later_waits() -> None:
    """An answer belongs to the id, not to the waiter that caused the question."""
    slow = Board(seconds=3.0)
    slow.finish("t0")
    async with client(slow) as veo:
        await ends_of(veo, "t0", timeout=1.0)
        result = await veo.wait("t0", timeout=60.0)

    assert result.task_id == "t0"
    assert len(slow.questions) == 1


@pytest.mark.asyncio
async def test_an_error_of_our_own_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the polling itself breaks, each waiter hears of it with its id, and the next wait polls
    again."""
    board = Board()
    board.finish(*IDS)
    async with client(board) as veo:
        with monkeypatch.context() as broken:
            broken.setattr(veo._poller, "_apply", None)
            ends = await ends_of(veo, *IDS)
        again = await ends_of(veo, *IDS)

    assert {type(end) for end in ends} == {PollingError}
    assert [end.task_id for end in ends] == IDS
    assert ends[0].__cause__ is not None
    assert done(again) == IDS


@pytest.mark.asyncio
@pytest.mark.parametrize("after", [0.0, 0.5])
async def test_a_poll_that_others_cancel_is_made_again(after: float) -> None:
    """Somebody may cancel a poll alone, also before its first step: it gives back its call, and
    each waiter gets the result."""
    board = Board()
    async with client(board, rate_limit=RateLimit(concurrency=1)) as veo:
        waiting = asyncio.create_task(veo.wait("t0", timeout=60.0))
        for _ in range(10):
            await asyncio.sleep(0)
            if polls := [t for t in other_tasks() - {waiting} if t.get_name() != POLLING]:
                break
        await asyncio.sleep(after)
        cancelled = [poll.cancel() for poll in polls]
        board.finish("t0")

        assert cancelled == [True]
        assert (await waiting).task_id == "t0"


@pytest.mark.asyncio
async def test_polling_that_others_cancel_leaves_nobody_waiting() -> None:
    """Somebody may cancel all tasks of a loop, also between the poll's start and its first step."""
    for delay in (0.0, 0.5):
        board = Board()
        async with client(board) as veo:
            waiting = asyncio.create_task(veo.wait("t0"))
            await asyncio.sleep(delay)
            for task in other_tasks() - {waiting}:
                task.cancel()

            with pytest.raises(PollingError, match="cancelled"):
                await waiting
            board.finish("t0")
            assert (await veo.wait("t0", timeout=60.0)).task_id == "t0"


@pytest.mark.asyncio
async def test_the_end_of_the_client_ends_all_waits() -> None:
    """All waits hear immediately that the client is closed, with their ids; also who comes
    later."""
    board = Board()
    veo = client(board)
    waits = [asyncio.create_task(veo.wait(task_id)) for task_id in IDS]
    await asyncio.sleep(2.0)
    await veo.aclose()
    ends = await asyncio.gather(*waits, return_exceptions=True)
    later = await ends_of(veo, "t9")

    assert {type(end) for end in [*ends, *later]} == {ClientClosedError}
    assert [getattr(end, "task_id", None) for end in [*ends, *later]] == [*IDS, "t9"]
    assert not other_tasks()
    assert now() == 2.0


@pytest.mark.asyncio
async def test_nothing_is_kept_of_what_is_over() -> None:
    """When all waits have ended, however they did, nothing is remembered of them."""
    board = Board()
    board.finish(*IDS[:4])
    board.refuses["t7"] = refused(400, "bad_request")
    async with client(board) as veo:
        ends = await ends_of(veo, *IDS, timeout=30.0)
        await asyncio.sleep(5.0)
        del ends
        gc.collect()
        registry = veo._tracker

        asked = registry.queue
        assert (dict(registry._tasks), registry.in_flight, len(asked.agenda)) == ({}, 0, 0)
        assert (list(asked._portions), asked._asked, veo._poller._open_polls) == ([], set(), 0)
        assert not asked._alone


@pytest.mark.asyncio
async def test_repeated_waits_for_one_id_take_no_memory() -> None:
    """Any number of waits for one unfinished task leaves the queue as small as one."""
    board = Board(seconds=0.0)
    board._submit = _accept
    async with client(board) as veo:
        task = await veo.submit(TextToVideo(prompt="a mug"))
        for _ in range(2000):
            with pytest.raises(WaitTimeoutError):
                await task.result(timeout=0.001)

        assert len(veo._tracker.queue.agenda._heap) < 200


@pytest.mark.asyncio
async def test_portions_that_nobody_waits_for_are_dropped() -> None:
    """Halves of a refused batch whose waiters are gone are not asked for."""
    board = Board()
    board.refuses["t0"] = refused(400, "bad_request")
    async with client(board) as veo:
        await ends_of(veo, *IDS, timeout=1.5)
        asked = len(board.questions)
        await asyncio.sleep(60.0)

        assert len(board.questions) == asked
        assert not veo._tracker.queue._portions
        await ends_of(veo, "t0", "t1", timeout=0.5)
        await asyncio.sleep(60.0)
        assert not veo._tracker.queue._portions
        assert not veo._tracker.queue._asked
        board.finish("t1")
        assert (await veo.wait("t1")).task_id == "t1"
