"""The control plane for other processes."""

from __future__ import annotations

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
