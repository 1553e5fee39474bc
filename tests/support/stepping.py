"""A loop that interrupts at each of its turns, and a shop whose bill is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import httpx

from tests.support.service import Body, Service, accepted, finished, looked
from veo_async.testing._virtual_loop import VirtualEventLoop


class SteppingLoop(VirtualEventLoop):
    """A loop that calls back before one of its turns."""

    turn = 0
    at_turn = 0
    then: Callable[[], object] | None = None

    def call_at_turn(self, turn: int, then: Callable[[], object]) -> None:
        """Call back before the turn that is so many turns ahead."""
        self.at_turn, self.then = self.turn + turn, then

    def _run_once(self) -> None:
        self.turn += 1
        if self.then and self.turn == self.at_turn:
            self.then()
        super()._run_once()  # type: ignore[misc]  # the typeshed does not show it


async def in_steps(function: Callable[..., Any], /, *args: Any) -> Any:
    """Run a blocking function as a thread does: after a turn of the loop, and a turn before it is
    noticed. A call that has begun is finished, also if its caller is cancelled."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    done: asyncio.Future[Any] = loop.create_future()

    def work() -> None:
        try:
            result, error = function(*args), None
        except Exception as exc:  # noqa: BLE001 - it is the caller's
            result, error = None, exc
        if not done.done():
            done.set_exception(error) if error else done.set_result(result)

    loop.call_soon(work)
    return await done


class Shop(Service):
    """Bills each submit in the middle of its call, and finishes each task at its second look."""

    def __init__(self) -> None:
        super().__init__(submit=self._sell, tasks=self._show)
        self.bill: list[str] = []
        self._looks: dict[str, int] = {}

    async def _sell(self, body: Body) -> httpx.Response:
        await anyio.sleep(0.5)
        self.bill.append(f"task-{len(self.bill) + 1}")
        task_id = self.bill[-1]
        await anyio.sleep(0.5)
        return accepted(task_id)

    async def _show(self, body: Body) -> httpx.Response:
        await anyio.sleep(0.1)
        seen = {key: finished(key) for key in self._looks}
        self._looks |= dict.fromkeys(body.get("ids", [body.get("id")]), 1)
        return looked(body, **seen)


def on_a_stepping_loop(main: Callable[[SteppingLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a program on a loop of its own, to its very end."""

    async def started() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppingLoop)
        await main(loop)

    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        runner.run(started())
