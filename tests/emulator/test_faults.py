"""Rules, and their effects on a call in the same process."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest
from pydantic import ValidationError

from veo_async.emulator import (
    Answer,
    Bomb,
    Drop,
    Fault,
    Faults,
    Garble,
    Hang,
    Refuse,
    Slow,
    Torn,
)
from veo_async.emulator._faults import Call

from .calls import ASYNC, calling, error_of

SUBMIT = Call("submit", "text2video")


def struck(faults: Faults, calls: int) -> list[int]:
    """The numbers of the submits that a rule applies to, counted from 1."""
    return [number for number in range(1, calls + 1) if faults.on(SUBMIT)]


def test_a_rule_applies_to_every_call_that_matches() -> None:
    """A rule without conditions applies to every submit."""
    assert struck(Faults([Fault(effect=Drop())]), 3) == [1, 2, 3]


def test_nth_and_count() -> None:
    """``nth`` selects one call; ``count`` limits the number of calls."""
    assert struck(Faults([Fault(effect=Drop(), nth=2)]), 5) == [2]
    assert struck(Faults([Fault(effect=Drop(), count=2)]), 5) == [1, 2]


def test_probability_is_seeded() -> None:
    """The same seed selects the same calls, and about as many as ``probability`` says."""
    rule = Fault(effect=Drop(), probability=0.3)

    once, again = (struck(Faults([rule], seed=7), 1000) for _ in range(2))

    assert once == again
    assert 200 < len(once) < 400


@pytest.mark.parametrize(
    "rule, strikes",
    [
        ({"on": "submit"}, True),
        ({"on": "any"}, True),
        ({"on": "tasks"}, False),
        ({"action": "text2video"}, True),
        ({"action": "image2video"}, False),
        ({"task_id": "x"}, False),
    ],
)
def test_conditions(rule: dict[str, Any], strikes: bool) -> None:
    """A rule applies only to calls of its kind, action and task."""
    assert bool(Faults([Fault(effect=Drop(), **rule)]).on(SUBMIT)) is strikes


def test_a_rule_may_name_a_task() -> None:
    """A rule with ``task_id`` applies only to calls that name that task."""
    faults = Faults([Fault(effect=Drop(), on="tasks", task_id="x")])

    assert faults.on(Call("retrieve_batch", ids=frozenset({"w", "x"})))
    assert not faults.on(Call("retrieve_batch", ids=frozenset({"w"})))


@pytest.mark.parametrize("rule", [{"on": "retrieve"}, {"action": "text2video"}, {"task_id": "x"}])
def test_before_a_call_is_read_only_its_path_is_known(rule: dict[str, Any]) -> None:
    """A rule that can never be decided is refused when it is created."""
    with pytest.raises(ValidationError, match="before a call is read"):
        Fault(effect=Drop(at="unread"), **rule)


def test_rules_can_be_added_and_removed() -> None:
    """The rules in force are a list, in the order in which they were added."""
    one, two, three = (Fault(effect=Drop(), nth=number) for number in (1, 2, 3))
    faults = Faults([one])

    faults.add(two, three)
    faults.remove(two)

    assert list(faults) == [one, three]
    assert len(faults) == 2
    faults.clear()
    assert list(faults) == []


def test_rules_are_json() -> None:
    """A rule equals itself after serialization and validation."""
    rule = Fault(effect=Answer(status=503, headers={"retry-after": "3"}), on="any", count=2)

    assert Fault.model_validate_json(rule.model_dump_json()) == rule


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "effect, error, billed",
    [
        (Refuse(), httpx.ConnectError, 0),
        (Refuse(silent=True), httpx.ConnectTimeout, 0),
        (Drop(at="unread"), httpx.RemoteProtocolError, 0),
        (Drop(at="read"), httpx.RemoteProtocolError, 0),
        (Drop(at="accepted"), httpx.RemoteProtocolError, 1),
        (Drop(at="unread", reset=True), httpx.ReadError, 0),
        (Drop(at="accepted", reset=True), httpx.ReadError, 1),
        (Hang(at="unread"), httpx.ReadTimeout, 0),
        (Hang(at="read"), httpx.ReadTimeout, 0),
        (Hang(at="accepted"), httpx.ReadTimeout, 1),
        (Torn(), httpx.RemoteProtocolError, 1),
        (Torn(reset=True, fraction=0), httpx.ReadError, 1),
        (Slow(seconds=6), httpx.ReadTimeout, 1),
    ],
)
async def test_broken_connections(effect: Any, error: type[Exception], billed: int) -> None:
    """Each fault raises the exception of a real socket, and the bill shows the accepted calls."""
    async with calling(timeout=5) as caller:
        caller.fault(effect, count=1)

        with pytest.raises(error):
            await caller.http.post("/veo/videos", json=ASYNC)

        assert len(caller.emulator.bill) == billed
        assert (await caller.submit(**{"async": True})).status_code == 200


@pytest.mark.asyncio
async def test_a_silent_port_lasts_as_long_as_the_connect_timeout() -> None:
    """`Refuse(silent=True)` ends with the caller's connect timeout, not with its read timeout."""
    async with calling(timeout=httpx.Timeout(60, connect=3)) as caller:
        caller.fault(Refuse(silent=True))

        with pytest.raises(httpx.ConnectTimeout):
            await caller.submit()

        assert anyio.current_time() == pytest.approx(3)


@pytest.mark.asyncio
async def test_a_silent_port_without_a_timeout_is_silent_for_ever() -> None:
    """A caller without a timeout waits until it is cancelled."""
    async with calling(timeout=None) as caller:
        caller.fault(Refuse(silent=True))

        with anyio.move_on_after(1e6) as waited:
            await caller.submit()

        assert waited.cancelled_caught


@pytest.mark.asyncio
async def test_a_call_continues_after_its_hang() -> None:
    """`Hang` with a time delays a call; it is accepted even if the caller has disconnected."""
    async with calling(timeout=5) as caller:
        caller.fault(Hang(at="read", seconds=30), nth=1)
        caller.fault(Hang(at="read", seconds=4), nth=2)

        with pytest.raises(httpx.ReadTimeout):
            await caller.submit(**{"async": True})
        assert caller.emulator.bill == []
        await anyio.sleep(26)
        assert len(caller.emulator.bill) == 1
        assert (await caller.submit(**{"async": True})).status_code == 200


@pytest.mark.asyncio
async def test_answers_instead() -> None:
    """`Answer` sends any status, code, body and headers, with or without acceptance."""
    async with calling() as caller:
        caller.fault(Answer(code="too_many_requests", headers={"retry-after": "3"}), nth=1)
        caller.fault(Answer(at="accepted", status=502, body="<html>"), nth=2)
        caller.fault(Answer(at="accepted", message="fetch failed"), nth=3)
        caller.fault(Answer(status=418, code="unheard_of"), nth=4)

        limited, proxy, hidden, odd = [await caller.submit(**{"async": True}) for _ in range(4)]

        assert error_of(limited) == (429, "too_many_requests")
        assert limited.headers["retry-after"] == "3"
        assert (proxy.status_code, proxy.text) == (502, "<html>")
        assert error_of(hidden) == (500, "api_error")
        assert error_of(odd) == (418, "unheard_of")
        assert len(caller.emulator.bill) == 2
        assert hidden.json()["trace_id"] == caller.emulator.bill[1].trace_id


@pytest.mark.asyncio
async def test_unreadable_answers() -> None:
    """`Garble` keeps the status and changes the body."""
    async with calling() as caller:
        caller.fault(Garble())

        answer = await caller.submit(**{"async": True})

        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html"
        assert answer.text.startswith("<html>")
        assert len(caller.emulator.bill) == 1


@pytest.mark.asyncio
async def test_a_bomb_is_small_on_the_wire() -> None:
    """`Bomb` inflates about a thousandfold, to JSON."""
    async with calling() as caller:
        caller.fault(Bomb(size=3 << 20), on="tasks")

        answer = await caller.tasks(action="retrieve_batch")

        assert int(answer.headers["content-length"]) < 8192
        assert len(answer.json()["task_id"]) == 3 << 20


@pytest.mark.asyncio
async def test_slow_answers_come_in_pieces() -> None:
    """`Slow` waits before each piece; a caller with a long timeout gets the whole answer."""
    async with calling(timeout=5) as caller:
        caller.fault(Slow(seconds=4, pieces=3))

        answer = await caller.submit(**{"async": True})

        assert list(answer.json()) == ["task_id"]
        assert anyio.current_time() == pytest.approx(12)


@pytest.mark.asyncio
async def test_an_empty_body_can_be_slow() -> None:
    """An empty body has no pieces to wait for."""
    async with calling() as caller:
        caller.fault(Answer(status=204, body=""), on="any")
        caller.fault(Slow(), on="any")

        assert (await caller.submit()).status_code == 204


@pytest.mark.asyncio
async def test_one_guilty_id_spoils_a_batch() -> None:
    """A rule with ``task_id`` fails every query that names that task, in a batch and alone."""
    async with calling() as caller:
        good, bad = await caller.task_id(), await caller.task_id()
        caller.fault(Answer(code="bad_request"), on="tasks", task_id=bad)

        batch = await caller.tasks(action="retrieve_batch", ids=[good, bad])
        alone = await caller.tasks(action="retrieve", id=bad)

        assert error_of(batch) == error_of(alone) == (400, "bad_request")
        assert (await caller.record(good))["id"] == good


@pytest.mark.asyncio
async def test_effects_add_up() -> None:
    """Several rules may apply to one call: here its answer is slow and then torn."""
    async with calling(timeout=5) as caller:
        caller.fault(Slow(seconds=1, pieces=2))
        caller.fault(Torn(fraction=0.5))

        with pytest.raises(httpx.RemoteProtocolError):
            await caller.submit(**{"async": True})

        assert anyio.current_time() == pytest.approx(2)


@pytest.mark.asyncio
async def test_dropped_queries() -> None:
    """A query of tasks can be dropped before it is read, too."""
    async with calling() as caller:
        caller.fault(Drop(at="unread"), on="tasks", count=1)

        with pytest.raises(httpx.RemoteProtocolError):
            await caller.tasks(action="retrieve_batch")

        assert caller.emulator.counters["list"] == 0
        assert (await caller.tasks(action="retrieve_batch")).status_code == 200
