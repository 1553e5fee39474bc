from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.applications import Starlette

from tests.examples.starlette_app import PUBLIC_URL, Inbox, application
from tests.support.deliveries import SECRET, of, send
from tests.support.service import emulator, still_runtime
from veo_async.emulator import Fail, Fault, Seconds


class Balancer(httpx.AsyncBaseTransport):
    """What stands before several processes: each request meets the next of them."""

    def __init__(self) -> None:
        self.processes: list[Starlette] = []
        self._met = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._met += 1
        process = self.processes[self._met % len(self.processes)]
        return await httpx.ASGITransport(process).handle_async_request(request)


@pytest.mark.asyncio
async def test_two_processes_behind_one_url() -> None:
    """Whichever process the service calls, the one that waits hears of it at once; what fails is
    an answer too; and a forged call is nobody's."""
    balancer, inboxes = Balancer(), list[Inbox]()
    service = emulator(
        pace=Seconds(mean=60.0, sigma=0.0),
        callback_transport=balancer,
        faults=[Fault(effect=Fail(), nth=6)],
    )
    async with service, AsyncExitStack() as lives, httpx.AsyncClient(transport=balancer) as http:
        api = {"base_url": service.base_url, "runtime": still_runtime()}
        for _ in range(2):
            api["transport"] = service.transport()
            process = application(SECRET, inboxes, api_token="any-token", **api)
            balancer.processes.append(process)
            await lives.enter_async_context(process.router.lifespan_context(process))
        asked = [
            http.post("https://app.example/video", params={"prompt": str(n)}, timeout=None)
            for n in range(6)
        ]
        answers = await asyncio.gather(*asked)
        ended = asyncio.get_running_loop().time()
        forged = await send(balancer.processes[0], f"{PUBLIC_URL}/forged", of("task"))

    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [502]
    assert all(answer.json().get("success") for answer in answers if answer.status_code == 200)
    assert [delivery.status for delivery in service.deliveries] == [204] * 6
    assert ended == pytest.approx(60.0, abs=1.0)
    assert forged.status == 404
