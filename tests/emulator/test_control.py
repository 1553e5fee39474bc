"""The control plane for other processes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from veo_async.emulator import Drop, Fault, Wire

from .calls import ASYNC, calling, error_of


@pytest.mark.asyncio
async def test_the_bill_and_the_counters() -> None:
    """Another process reads the bill and the counters; reading them is not counted."""
    async with calling() as caller:
        task_id = await caller.task_id()

        bill = (await caller.http.get("/__emulator__/bill")).json()
        counters = (await caller.http.get("/__emulator__/counters")).json()

        assert [charge["task_id"] for charge in bill] == [task_id]
        assert bill[0]["request"] == ASYNC
        assert counters == {"submit": 1, "200": 1}


@pytest.mark.asyncio
async def test_rules() -> None:
    """Rules are added singly or as a list, read with their counts, and cleared."""
    one = Fault(effect=Drop(), nth=1)
    async with calling() as caller:
        first = await caller.http.post("/__emulator__/faults", content=one.model_dump_json())
        await caller.http.post("/__emulator__/faults", json=[one.model_dump()])
        with pytest.raises(Exception, match="disconnected"):
            await caller.submit()

        rules = (await caller.http.get("/__emulator__/faults")).json()
        assert [rule["struck"] for rule in first.json()] == [0]
        assert [rule["struck"] for rule in rules] == [1, 1]
        assert list(caller.emulator.faults) == [one, one]
        assert (await caller.http.delete("/__emulator__/faults")).json() == []
        assert list(caller.emulator.faults) == []


@pytest.mark.asyncio
async def test_reset() -> None:
    """A reset forgets the bill, the counters and the rules."""
    async with calling() as caller:
        await caller.task_id()
        caller.fault(Drop(), nth=9)

        await caller.http.post("/__emulator__/reset")

        assert caller.emulator.bill == []
        assert caller.emulator.counters == {}
        assert len(caller.emulator.faults) == 0


@pytest.mark.asyncio
async def test_the_behaviour_of_the_deployment() -> None:
    """Another process sets the fields of `Wire`; an omitted field has its default, and an unknown
    one is ``bad_request``."""
    async with calling(wire=Wire(longest=5)) as caller:
        fields = {"stored": ["nfc", "unmarked"], "listed": "none"}
        await caller.http.post("/__emulator__/wire", json=fields)
        wrong = [
            await caller.http.post("/__emulator__/wire", json=fields)
            for fields in ({"stord": "nfc"}, {"stored": ["nfd"]}, {"listed": "some"})
        ]

        assert caller.emulator.wire == Wire(stored={"nfc", "unmarked"}, listed="none")
        assert [error_of(answer) for answer in wrong] == [(400, "bad_request")] * 3


@pytest.mark.asyncio
async def test_wrong_calls() -> None:
    """An invalid rule is ``bad_request`` with the reason; every other wrong call is ``no_api``."""
    async with calling() as caller:
        wrong = await caller.http.post("/__emulator__/faults", json={"effect": {"kind": "magic"}})

        assert error_of(wrong) == (400, "bad_request")
        assert "magic" in wrong.json()["error"]["message"]
        for method, what in (("GET", "reset"), ("POST", "bill"), ("GET", "magic")):
            answer = await caller.http.request(method, f"/__emulator__/{what}")
            assert error_of(answer) == (404, "no_api")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "effect",
    [
        {"kind": "bomb", "size": 10**13},
        {"kind": "hang", "seconds": 1e9},
        {"kind": "late", "seconds": 1e300},
        {"kind": "slow", "pieces": 10**9},
        {"kind": "repeat", "times": 10**9},
        {"kind": "answer", "headers": {"x-a": "1\r\nset-cookie: a"}},
        {"kind": "answer", "headers": {"x-a": "\u2028"}},
        {"kind": "answer", "headers": {"x a": "1"}},
        {"kind": "answer", "headers": {"Content-Length": "1"}},
        {"kind": "answer", "headers": {"transfer-encoding": "chunked"}},
        {"kind": "garble", "media_type": "text/html\n"},
    ],
)
async def test_what_a_rule_asks_for_is_bounded(effect: dict[str, Any]) -> None:
    """No rule costs the service its memory or its time, or breaks the form of HTTP."""
    async with calling() as caller:
        answer = await caller.http.post("/__emulator__/faults", json={"effect": effect})

        assert error_of(answer) == (400, "bad_request")
        assert len(caller.emulator.faults) == 0


@pytest.mark.asyncio
async def test_the_number_of_rules_is_bounded() -> None:
    """Each rule may hold as much as one call."""
    rule = {"effect": {"kind": "drop"}, "nth": 10**6}
    async with calling() as caller:
        for _ in range(4):
            await caller.http.post("/__emulator__/faults", json=[rule] * 25)
        one_more = await caller.http.post("/__emulator__/faults", json=rule)

        assert error_of(one_more) == (400, "bad_request")
        assert len(caller.emulator.faults) == 100


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "fields", [{"callback_attempts": 10**9}, {"page": 0}, {"longest": -1}, {"page": float("nan")}]
)
async def test_a_deployment_is_bounded(fields: dict[str, Any]) -> None:
    """So is each number of `Wire`."""
    async with calling() as caller:
        answer = await caller.http.post("/__emulator__/wire", content=json.dumps(fields))

        assert error_of(answer) == (400, "bad_request")


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [b"", b"{", b"[" * 10**5, b'{"effect": NaN}', b"\xff"])
async def test_bodies_that_are_not_json(body: bytes) -> None:
    """They are ``bad_request``."""
    async with calling() as caller:
        for what in ("faults", "wire"):
            answer = await caller.http.post(f"/__emulator__/{what}", content=body)

            assert error_of(answer) == (400, "bad_request")


@pytest.mark.asyncio
async def test_every_effect_can_be_read_back() -> None:
    """Also one that holds a set."""
    effect = {"kind": "ending", "without": ["state", "success"]}
    async with calling() as caller:
        (rule,) = (await caller.http.post("/__emulator__/faults", json={"effect": effect})).json()

        assert sorted(rule["effect"]["without"]) == effect["without"]
