from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from veo_async import BadRequestError, InsufficientBalanceError, SubmissionLimitError, VeoError
from veo_async._batch.spending import SpendingGate
from veo_async._submit.verdict import Accepted, NotSent, Refused, Uncertain, Verdict
from veo_async._wire.replies import Failure
from veo_async._wire.task_status import PENDING

pytestmark = pytest.mark.asyncio

ACCEPTED, UNCERTAIN, REFUSED = (
    Accepted("t", PENDING),
    Uncertain("cut"),
    Refused(BadRequestError("no")),
)
BROKE = InsufficientBalanceError("no money", task_id="t", may_have_cost=True)


class FakePost:
    """A POST that the gate is asked for."""

    def left_open(self, submit_timeout: float) -> None:
        """It is never left open here."""


async def ask(gate: SpendingGate) -> Literal["go", "wait", "stop"]:
    """Whether one more POST may be sent; it is not."""
    post = FakePost()
    try:
        async with asyncio.timeout(1.0):
            await gate.enter(post)
    except TimeoutError:
        return "wait"
    except VeoError:
        return "stop"
    gate.leave(post)
    return "go"


async def test_open_posts_count_until_they_have_ended() -> None:
    """The last one of the limit is waited for, since it may buy nothing."""
    gate, first, second = SpendingGate(2), FakePost(), FakePost()

    answers = [await ask(gate)]
    await gate.enter(first)
    answers.append(await ask(gate))
    await gate.enter(second)
    answers.append(await ask(gate))
    gate.conclude(first, ACCEPTED)
    answers.append(await ask(gate))
    gate.leave(second)
    answers.append(await ask(gate))
    await gate.enter(second)
    gate.conclude(second, UNCERTAIN)
    answers.append(await ask(gate))
    gate.give_back()
    answers.append(await ask(gate))

    assert answers == ["go", "go", "wait", "wait", "go", "stop", "go"]
    assert not gate.open


@pytest.mark.parametrize("limit, answer", [(None, "go"), (0, "stop")])
async def test_a_limit_is_exact(limit: int | None, answer: str) -> None:
    """Without one nothing waits; at zero nothing is sent, and the error names the option."""
    gate = SpendingGate(limit)
    for _ in range(1000 if limit is None else 0):
        await gate.enter(FakePost())

    assert await ask(gate) == answer
    if answer == "stop":
        with pytest.raises(SubmissionLimitError, match="max_submissions=0"):
            await gate.enter(FakePost())


@pytest.mark.parametrize(
    "verdict, is_billed",
    [
        (ACCEPTED, True),
        (UNCERTAIN, True),
        (REFUSED, False),
        (NotSent(Failure.__new__(Failure)), False),
    ],
)
async def test_only_evidence_gives_a_post_back(verdict: Verdict, *, is_billed: bool) -> None:
    """A POST counts unless it provably bought nothing. A waiting POST learns of it at once."""
    gate, post, second = SpendingGate(1), FakePost(), FakePost()
    await gate.enter(post)
    waiting = asyncio.create_task(gate.enter(second))
    await asyncio.sleep(1.0)

    assert gate.conclude(post, verdict) is is_billed
    await asyncio.wait([waiting])

    assert isinstance(waiting.exception(), VeoError) is is_billed
    assert gate.open == (() if is_billed else (second,))


async def test_an_error_of_the_account_stops_all_others() -> None:
    """Those that wait, too. They get the error without its task, since they cost nothing; the
    first error stays."""
    gate, post = SpendingGate(1), FakePost()
    await gate.enter(post)
    waiting = asyncio.create_task(gate.enter(FakePost()))
    await asyncio.sleep(1.0)

    gate.notice(BadRequestError("no"))
    await asyncio.sleep(1.0)
    assert not waiting.done()
    gate.notice(BROKE)
    gate.conclude(post, Refused(InsufficientBalanceError("still no money")))
    await asyncio.wait([waiting])

    error = waiting.exception()
    assert isinstance(error, InsufficientBalanceError)
    assert (error.message, error.task_id, error.may_have_cost) == ("no money", None, False)
    assert BROKE.task_id == "t"
    assert await ask(gate) == "stop"
