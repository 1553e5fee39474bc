"""Callbacks: the service posts the result of a task to its ``callback_url``.

A task has one delivery. It is not signed, and it is not repeated if the receiver answers with an
error, unless a fault or `Wire.callback_attempts` changes that.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from ._background import Background, PerLoop
from ._effects import Early, Garble, Late, Never, Repeat
from ._egress import Egress, Reach
from ._faults import Call
from ._state import Task

if TYPE_CHECKING:
    from ._service import Service

logger = logging.getLogger("veo_async.emulator")

TIMEOUT = 30.0
"""Seconds for one delivery; the emulator's own limit."""

PAUSE = 30.0
"""Seconds of service time until the next attempt, if the receiver sends no ``Retry-After``."""

LONGEST_PAUSE = 3600.0
"""The longest ``Retry-After`` that is obeyed, in seconds of service time."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call to a ``callback_url``.

    Attributes:
        task_id: the task whose result was posted.
        at: the time of the receiver's answer on the service's clock, in Unix seconds.
        status: the HTTP status of that answer; ``None`` if there was none.
    """

    task_id: str
    at: float
    status: int | None


class Courier:
    """Posts the results of tasks.

    Args:
        reach: the addresses that may be connected to.
        transport: the httpx transport of the calls; by default real connections.
    """

    def __init__(self, reach: Reach, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.deliveries: list[Delivery] = []
        self._background = Background()
        self._client = PerLoop(
            lambda: httpx.AsyncClient(transport=transport or Egress(reach), timeout=TIMEOUT)
        )

    async def expect(
        self, service: Service, task: Task, url: str, effects: tuple[Any, ...]
    ) -> None:
        """Schedule the callback of an accepted task.

        Returns immediately, except with `Early`: then the callback has been sent.

        Args:
            service: the service that owns the task.
            task: the task.
            url: its ``callback_url``.
            effects: the effects of the faults on its submit.
        """
        call = Call("callback", action=task.submitted["action"], ids=frozenset({task.id}))
        effects += service.faults.on(call)
        task.finish_unpolled(service.clock.now())
        delivery = _Post(service, task, url, effects)
        if any(isinstance(effect, Early) for effect in effects):
            task.finish(service.clock.now())
            await delivery.post(self._client.get())
        elif not any(isinstance(effect, Never) for effect in effects):
            _ = self._background.start(delivery.run(self._client.get()))

    def reset(self) -> None:
        """Forget the deliveries, and cancel those that are scheduled."""
        self.deliveries.clear()
        self._background.cancel()

    async def aclose(self) -> None:
        """Cancel the scheduled deliveries, and close the client."""
        await self._background.aclose()
        if (client := self._client.take()) is not None:
            await client.aclose()


class _Post:
    """The delivery of one result to one receiver."""

    def __init__(self, service: Service, task: Task, url: str, effects: tuple[Any, ...]) -> None:
        self._service, self._task, self._url = service, task, url
        self._effects = effects

    async def run(self, client: httpx.AsyncClient) -> None:
        """Deliver at the end of the task, or when and as often as faults want it."""
        moment, times, every = self._task.finish_at, 1, 0.0
        for effect in self._effects:
            match effect:
                case Late():
                    moment += effect.seconds
                case Repeat():
                    times, every = effect.times, effect.every
        for number in range(times):
            await self._service.clock.sleep_until(moment + number * every)
            await self._insist(client)

    async def _insist(self, client: httpx.AsyncClient) -> None:
        """Deliver with as many attempts as the deployment makes."""
        clock = self._service.clock
        response = await self.post(client)
        for _ in range(1, self._service.wire.callback_attempts):
            if response is not None and response.status_code < 500:
                return
            asked = "" if response is None else response.headers.get("retry-after", "")
            pause = min(float(asked), LONGEST_PAUSE) if asked.isdecimal() else PAUSE
            await clock.sleep_until(clock.now() + pause)
            response = await self.post(client)

    async def post(self, client: httpx.AsyncClient) -> httpx.Response | None:
        """Make one attempt. Its outcome does not change the task."""
        self._service.counters["callback"] += 1
        content, media_type = self._body()
        headers = {"content-type": media_type, "date": self._service.date()}
        response: httpx.Response | None = None
        try:
            with anyio.fail_after(TIMEOUT):
                # The body of the receiver's answer says nothing, so it is not read.
                call = client.stream("POST", self._url, content=content, headers=headers)
                async with call as response:
                    pass
            logger.info("callback for %s: %s", self._task.id, response.status_code)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            logger.info("callback for %s: %s", self._task.id, type(exc).__name__)
        status = None if response is None else response.status_code
        self._service.courier.deliveries.append(
            Delivery(self._task.id, self._service.clock.now(), status)
        )
        return response

    def _body(self) -> tuple[bytes, str]:
        for effect in self._effects:
            if isinstance(effect, Garble):
                return effect.body.encode(), effect.media_type
        document = self._service.responses.callback(self._task)
        return json.dumps(document).encode(), "application/json"
