"""The same requests, call by call: each caller by itself, some of them cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

from veo_async import (
    ClientClosedError,
    SubmissionUncertainError,
    Task,
    TextToVideo,
    VeoClient,
    VeoError,
)

from .faults import PATIENCE
from .scenario import Request, Scenario


@dataclass(frozen=True, slots=True)
class Known:
    """A caller knows the task, and did not wait for its end."""

    task_id: str


class Calls:
    """The callers of one client.

    Attributes:
        told: what they were told in the end: generations and errors.
    """

    def __init__(self, veo: VeoClient, scenario: Scenario) -> None:
        self._veo = veo
        self._requests = scenario.requests
        self._close_at = scenario.close_at
        self._luck = Random(f"{scenario.seed}/calls")
        self.told: list[Any] = []

    async def run(self) -> None:
        """All callers, until nobody waits and no POST is open any more."""
        rng = self._luck
        calls = [asyncio.create_task(self._call(request)) for request in self._requests]
        for call in calls:
            if rng.random() < 0.2:
                asyncio.get_running_loop().call_later(rng.uniform(0.0, 90.0), call.cancel)
        if self._close_at is not None:
            await asyncio.wait(calls, timeout=self._close_at)
            await self._veo.aclose()
        await asyncio.wait(calls)
        await asyncio.sleep(2 * PATIENCE + 60.0)
        self.told += [call.result() for call in calls if not call.cancelled()]
        for left in self._veo.unsettled:
            if left.task_id:
                self.told.append(await self._ended(left.task_id))
            else:
                self.told.append(left.error or SubmissionUncertainError("it is open"))

    async def _call(self, request: Request) -> Any:
        """What one caller is told: a generation, or an error."""
        await asyncio.sleep(self._luck.choice([0.0, 0.0, 1.0, 30.0]))
        try:
            if self._luck.random() < 0.5 and isinstance(request, TextToVideo):
                shape = request.aspect_ratio
                return await self._veo.text2video(request.prompt, aspect_ratio=shape)
            return await self._end_of(await self._veo.submit(request))
        except VeoError as error:
            return error

    async def _end_of(self, task: Task) -> Any:
        """A caller that has the task's id knows it, whatever becomes of the wait."""
        try:
            by_id = self._luck.random() < 0.5
            return await (self._veo.wait(task.id) if by_id else task.result())
        except (asyncio.CancelledError, ClientClosedError):
            return await self._ended(task.id)

    async def _ended(self, task_id: str) -> Any:
        try:
            return await self._veo.wait(task_id)
        except ClientClosedError:
            return Known(task_id)
        except VeoError as error:
            return error
