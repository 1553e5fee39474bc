from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import (
    FAILURE,
    HTML,
    TASK,
    URL,
    assert_presentable,
    bounded,
    refusal,
    replies,
    reply,
    result,
)
from veo_async._tracking.poll_budget import LEAST, ROUND, Budget, polls_per_second
from veo_async._tracking.poll_replies import (
    ACCOUNT_STRIKES,
    BAD_POLL_CAP,
    AccountTrouble,
    Bisect,
    Health,
    IdRejected,
    Reading,
    Statuses,
    Throttled,
    Unusable,
    examine,
    is_hopeless,
    poll_backoff,
    read_poll,
)
from veo_async._wire.replies import Reply
from veo_async._wire.requests import poll_body
from veo_async.errors import (
    AccountError,
    APIError,
    BadRequestError,
    DisabledError,
    InvalidTokenError,
    NoAPIError,
    TokenExpiredError,
    TokenMismatchedError,
)
from veo_async.policies import PollPolicy

NOW = 1_753_435_158.0
ONE = [TASK]
TWO = [TASK, "other"]


def record(task_id: object = TASK, response: object = None, **fields: Any) -> dict[str, Any]:
    """A record of the task list."""
    return {"id": task_id, "response": response} | fields


# The question.


def test_one_id_is_retrieved_alone() -> None:
    """One id is asked for by ``retrieve``."""
    assert poll_body(ONE) == {"action": "retrieve", "id": TASK}


def test_several_ids_come_with_their_limit() -> None:
    """Several ids share one question; the limit is explicit since the page default is 12."""
    ids = [f"t{i}" for i in range(50)]

    assert poll_body(ids) == {"action": "retrieve_batch", "ids": ids, "limit": 50}


# The answer, when there is one.


@pytest.mark.parametrize(
    "ids, body, states",
    [
        (ONE, record(), {TASK: "pending"}),
        (ONE, record(response=result()), {TASK: "succeeded"}),
        (ONE, record(response=refusal()), {TASK: "failed"}),
        (ONE, {"response": result()}, {TASK: "succeeded"}),
        (ONE, {"id": TASK}, {TASK: "pending"}),
        (ONE, {"items": [record(response=result())]}, {TASK: "succeeded"}),
        (ONE, {}, {}),
        (ONE, {"items": []}, {}),
        (ONE, b"null", {}),
        (ONE, refusal("not_found"), {}),
        (ONE, record("another", result()), {}),
        (ONE, record(None, result()), {}),
        (TWO, {"items": [], "count": 0}, {}),
        (TWO, {"items": [record()]}, {TASK: "pending"}),
        # In any order, with strangers, and with what is no record.
        (
            TWO,
            {"items": [record("other", refusal()), {}, record("stranger"), 7, record(TASK)]},
            {"other": "failed", TASK: "pending"},
        ),
        (TWO, {"items": [record(7), record(None), record([]), {"_id": TASK}]}, {}),
        # Repeated: the end counts, whichever comes first.
        (TWO, {"items": [record(), record(response=result())]}, {TASK: "succeeded"}),
        (TWO, {"items": [record(response=result()), record()]}, {TASK: "succeeded"}),
        (
            TWO,
            {"items": [record(response=result()), record(response=refusal())]},
            {TASK: "succeeded"},
        ),
        # Only ``response`` says how a task stands.
        (TWO, {"items": [record(request=result(), data=[{"video_url": URL}])]}, {TASK: "pending"}),
    ],
)
def test_looked_says_how_the_asked_tasks_stand(
    ids: list[str], body: Any, states: dict[str, str]
) -> None:
    """Each id that was asked for and is there has its standing; the others are unknown (yet)."""
    reading = read_poll(reply(200, body), ids)

    assert isinstance(reading, Statuses)
    assert {task_id: s.state for task_id, s in reading.statuses.items()} == states


def test_failure_bears_the_id_that_was_asked_for() -> None:
    """An error in a record's response names the record's task."""
    reading = read_poll(reply(200, {"items": [record("other", refusal())]}), TWO)

    assert isinstance(reading, Statuses)
    error = reading.statuses["other"].error
    assert error is not None
    assert error.task_id == "other"


# The answer, when there is none.


@pytest.mark.parametrize(
    "ids, status, body",
    [
        (ONE, 200, b""),
        (ONE, 200, HTML),
        (ONE, 200, b'{"items": ['),
        (ONE, 200, [record()]),
        (ONE, 200, refusal("api_error")),
        (ONE, 200, {"success": False}),
        (ONE, 200, {"items": {}}),
        (ONE, 200, {"count": 0}),
        (TWO, 200, {}),
        (TWO, 200, b"null"),
        (TWO, 200, record()),
        (TWO, 200, {"items": None}),
        (TWO, 200, {"items": {TASK: record()}}),
        (TWO, 204, b""),
        (TWO, 302, HTML),
        (TWO, 500, refusal("api_error")),
        (TWO, 502, HTML),
        (ONE, 503, b""),
        # Refusals that are about neither the token nor an id.
        (TWO, 403, refusal("used_up")),
        (ONE, 403, refusal("forbidden")),
        (ONE, 403, HTML),
        (ONE, 400, HTML),
        (ONE, 400, b""),
        (TWO, 400, {"detail": "?"}),
        (ONE, 404, HTML),
        (TWO, 404, b"[]"),
        (TWO, 408, refusal()),
        (ONE, 409, refusal("conflict")),
        (ONE, 500, refusal("invalid_token")),
    ],
)
def test_bad_poll_says_nothing_about_anybody(ids: list[str], status: int, body: Any) -> None:
    """A cut connection, a 5xx, unreadable bytes or an unclear refusal never fails a wait."""
    reading = read_poll(reply(status, body), ids)

    assert isinstance(reading, Unusable)
    assert reading.detail.startswith(f"HTTP {status}: ")
    assert "bought" not in reading.detail


def test_poll_without_an_answer_is_bad() -> None:
    """A timeout is a bad poll, with the transport's word."""
    assert read_poll(FAILURE, ONE) == Unusable("ReadTimeout")


@pytest.mark.parametrize("body", [refusal("too_many_requests"), HTML, b"", refusal("used_up")])
def test_429_is_the_limiters_affair(body: Any) -> None:
    """A 429 says nothing about the tasks or the account, whatever its body is."""
    assert read_poll(reply(429, body), TWO) == Throttled()


@pytest.mark.parametrize(
    "status, code, cls",
    [
        (401, "invalid_token", InvalidTokenError),
        (401, "token_expired", TokenExpiredError),
        (400, "token_mismatched", TokenMismatchedError),
        (401, "token_mismatched", TokenMismatchedError),
        (400, "disabled", DisabledError),
        (404, "no_api", NoAPIError),
        (403, "invalid_token", InvalidTokenError),
    ],
)
@pytest.mark.parametrize("ids", [ONE, TWO], ids=["one", "two"])
def test_clear_words_about_the_account(
    ids: list[str], status: int, code: str, cls: type[APIError]
) -> None:
    """The token or the address is refused; the error does not say that nothing was bought, since
    the tasks were."""
    reading = read_poll(reply(status, refusal(code)), ids)

    assert isinstance(reading, AccountTrouble)
    assert type(reading.error) is cls
    assert reading.error.may_have_cost
    assert "Nothing was bought" not in str(reading.error)


def test_batch_with_an_unknown_id_is_halved() -> None:
    """A 200 may say so too; bisection finds the id."""
    assert read_poll(reply(200, refusal("not_found")), TWO) == Bisect()


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("body", [refusal(), {"success": False}, {"error": "bad id"}])
def test_refused_batch_is_halved(status: int, body: Any) -> None:
    """One of the ids may be what the service refuses; which one, halves tell."""
    assert read_poll(reply(status, body), TWO) == Bisect()


def test_single_id_that_is_refused_is_guilty() -> None:
    """The guilty id's waiter hears of it, with the id, and not that nothing was bought."""
    reading = read_poll(reply(400, refusal()), ONE)

    assert isinstance(reading, IdRejected)
    assert isinstance(reading.error, BadRequestError)
    assert reading.error.task_id == TASK
    assert f"veo.wait('{TASK}')" in str(reading.error)


@pytest.mark.parametrize("body", [refusal("not_found"), {"error": "unknown id"}])
def test_single_id_answered_404_is_unknown(body: Any) -> None:
    """A task that was just submitted may not be known yet: that is no error."""
    assert read_poll(reply(404, body), ONE) == Statuses({})


@bounded
@given(replies, st.sampled_from([ONE, TWO]))
def test_every_answer_has_a_reading(answer: Reply, ids: list[str]) -> None:
    """Any answer is read; no standing is of an id that was not asked for."""
    reading = read_poll(answer, ids)

    assert repr(reading)
    if isinstance(reading, Statuses):
        assert set(reading.statuses) <= set(ids)
        for status in reading.statuses.values():
            assert_presentable(status.generation)
            assert_presentable(status.error)
    if isinstance(reading, IdRejected | AccountTrouble):
        assert_presentable(reading.error)


# How the polls fare.

POLICY = PollPolicy(max_failed_polls=3)
GOOD: list[Reading] = [Statuses({}), Bisect(), IdRejected(APIError("No."))]
BAD = Unusable("HTTP 502")
ACCUSED = AccountTrouble(AccountError("No."))


def fare(*readings: Reading) -> Health:
    """The health after these readings, each of a poll that began after the one before ended."""
    health = Health()
    for second, reading in enumerate(readings):
        health = examine(health, reading, started=second, now=second + 0.5)
    return health


@pytest.mark.parametrize(
    "readings, hopeless",
    [
        ([], False),
        ([BAD, BAD], False),
        ([BAD, BAD, BAD], True),
        ([BAD, BAD, Throttled(), BAD], True),
        ([BAD, BAD, GOOD[0], BAD, BAD], False),
        ([BAD, BAD, GOOD[1], BAD], False),
        ([BAD, BAD, GOOD[2], BAD], False),
        ([ACCUSED], False),
        ([ACCUSED, ACCUSED], True),
        ([ACCUSED, Throttled(), ACCUSED], True),
        ([ACCUSED, GOOD[0], ACCUSED], False),
        ([ACCUSED, BAD], False),
        ([BAD, ACCUSED], False),
        ([BAD, ACCUSED, ACCUSED], True),
        # Taking turns, they are of no use either.
        ([ACCUSED, BAD, ACCUSED], True),
        ([BAD, ACCUSED, BAD], True),
        ([Throttled()] * 50, False),
    ],
)
def test_streaks_end_the_waits(readings: list[Reading], hopeless: bool) -> None:
    """Many useless polls in a row, or two clear words about the token in a row, end the waits;
    a good poll resets both counts, a 429 counts neither for nor against."""
    assert is_hopeless(fare(*readings), POLICY) is hopeless


def test_accusations_count_up_to_the_documented_number() -> None:
    """A single word about the token has been seen to be a gateway's fault."""
    patient = PollPolicy(max_failed_polls=10**6)

    assert not is_hopeless(fare(*[ACCUSED] * (ACCOUNT_STRIKES - 1)), patient)
    assert is_hopeless(fare(*[ACCUSED] * ACCOUNT_STRIKES), patient)


@pytest.mark.parametrize("reading", [BAD, ACCUSED])
def test_polls_that_failed_together_count_once(reading: Reading) -> None:
    """Fifty polls under way when the service fails are one failure, not fifty."""
    health = examine(Health(), reading, started=0.0, now=10.0)

    for _ in range(50):
        health = examine(health, reading, started=0.0, now=10.1)

    assert health == examine(Health(), reading, started=0.0, now=10.0)
    assert examine(health, reading, started=10.0, now=11.0).bad == 2


@pytest.mark.parametrize("good", GOOD, ids=lambda reading: type(reading).__name__)
def test_good_poll_wipes_the_slate(good: Reading) -> None:
    """After a good poll nothing of the bad ones is left."""
    assert fare(BAD, ACCUSED, good) == Health()


@pytest.mark.parametrize("u", [0.0, 0.5, 0.999])
def test_quiet_time_grows_with_the_streak_within_bounds(u: float) -> None:
    """After a bad poll the service is left alone, ever longer, and never too long."""
    times = [poll_backoff(fare(*[BAD] * count), u=u) for count in range(12)]

    assert times[0] == 0.0
    assert times == sorted(times)
    assert 0.5 <= times[1] <= 1.0
    assert times[-1] <= BAD_POLL_CAP


@bounded
@given(st.lists(st.sampled_from([*GOOD, BAD, ACCUSED, Throttled()]), max_size=40))
def test_useless_polls_cannot_go_on_for_ever(readings: list[Reading]) -> None:
    """Without a good poll, so many useless ones as the policy says are always the end."""
    useless = 0
    for reading in readings:
        if isinstance(reading, Unusable | AccountTrouble):
            useless += 1
        elif not isinstance(reading, Throttled):
            useless = 0

    assert useless < POLICY.max_failed_polls or is_hopeless(fare(*readings), POLICY)


@pytest.mark.parametrize(
    "tasks, most, expected",
    [(1, 1e9, LEAST), (500, 1e9, LEAST), (5_000, 1e9, 100.0), (100_000, 1e9, 2_000.0)],
)
def test_the_budget_follows_the_work(tasks: int, most: float, expected: float) -> None:
    """By default all tasks may be polled within a second, and a few more often."""
    assert polls_per_second(PollPolicy(), tasks=tasks, most=most) == expected
    assert polls_per_second(PollPolicy(), tasks=tasks, most=4.0) == 4.0
    assert polls_per_second(PollPolicy(per_second=7.0), tasks=tasks, most=4.0) == 7.0


def spent(budget: Budget, per_second: float, polls: int, *, now: float = 0.0) -> list[float]:
    """When so many polls go, each as soon as it may."""
    times = []
    for _ in range(polls):
        now = budget.opens(now)
        budget.spend(now, per_second)
        times.append(now)
    return times


@pytest.mark.parametrize(
    "per_second, times",
    [
        (10.0, [0.0] * 5 + [0.5] * 5 + [1.0] * 5),
        (5.0, [0.0, 0.0, 0.4, 0.4, 0.8]),
        (3.0, [0.0, pytest.approx(1 / 3), pytest.approx(2 / 3)]),
        (2.0, [0.0, 0.5, 1.0, 1.5]),
        (0.1, [0.0, 10.0, 20.0]),
    ],
)
def test_polls_go_in_rounds(per_second: float, times: list[float]) -> None:
    """A half second's worth goes in a row, and at least one; then the round has to be over."""
    assert spent(Budget(), per_second, len(times)) == times


def test_a_round_begins_with_its_first_poll() -> None:
    """The unused polls of a round are not kept for the next one."""
    budget = Budget()

    assert spent(budget, 10.0, 2, now=100.0) == [100.0, 100.0]
    assert spent(budget, 10.0, 9, now=100.3) == [100.3] * 3 + [100.5] * 5 + [101.0]
    assert spent(budget, 10.0, 6, now=200.0) == [200.0] * 5 + [200.5]


def test_another_rate_begins_with_the_next_round() -> None:
    """A round that has begun is not made longer or shorter."""
    budget = Budget()

    assert spent(budget, 10.0, 1) == [0.0]
    assert spent(budget, 2.0, 6) == [0.0] * 4 + [0.5, 1.0]


@bounded
@given(st.floats(1e-6, 1e6), st.lists(st.floats(0, 10), min_size=1, max_size=200))
def test_the_budget_holds_in_the_long_run(per_second: float, pauses: list[float]) -> None:
    """No more polls are sent in any time than the policy allows, and one round; and where
    each goes as soon as it may, no fewer."""
    budget, now, times = Budget(), 0.0, list[float]()
    for pause in pauses:
        times += spent(budget, per_second, 1, now=now + pause)
        now = times[-1]

    one_round = max(per_second * ROUND, 1.0)
    for first in range(0, len(times), 20):
        seconds = times[-1] - times[first]
        assert len(times) - first <= per_second * seconds * (1 + 1e-9) + one_round + 1
    steady = spent(Budget(), per_second, len(pauses) + 1)
    assert len(steady) >= per_second * steady[-1] * (1 - 1e-9)
