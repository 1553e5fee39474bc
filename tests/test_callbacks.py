"""The whole client with callbacks: deliveries wake it, polls tell it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.deliveries import callbacks, delivered_to, faults, of, send, urls
from tests.support.service import client_of, emulator
from veo_async import InvalidRequestError, TextToVideo, VeoClient
from veo_async.callbacks import Callbacks
from veo_async.emulator import Emulator, Never, Repeat, Seconds, Wire


def service_for(receiver: Callbacks, **options: Any) -> Emulator:
    """A service that calls this receiver."""
    return emulator(callback_transport=delivered_to(receiver), **options)


def requests(service: Emulator) -> int:
    """Calls to the API, submits included."""
    kinds = ("submit", "retrieve", "retrieve_batch", "list")
    return sum(service.counters[kind] for kind in kinds)


def quantile(values: list[float], part: float) -> float:
    """The value below which this part of the values lies."""
    return sorted(values)[int(len(values) * part)]


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [0, 1])
async def test_five_hundred_at_once_with_lost_and_repeated_callbacks(seed: int) -> None:
    """With 30 % of the callbacks lost and 30 % repeated every video arrives, and once; those that
    were delivered are noticed within half a second, the others by the safety net within twenty,
    for 1.3 requests a video."""
    receiver = callbacks()
    service = service_for(
        receiver,
        seed=seed,
        wire=Wire(timings=True),
        pace=Seconds(mean=12.0, sigma=0.35),
        faults=[*faults(Never(), probability=0.3), *faults(Repeat(), probability=0.3)],
    )
    loop = asyncio.get_running_loop()

    async def one(veo: VeoClient, number: int) -> tuple[str, float]:
        result = await veo.text2video(f"video {number}")
        return result.task_id or "", loop.time()

    async with service, client_of(service, callbacks=receiver) as veo:
        ends = await asyncio.gather(*[one(veo, number) for number in range(500)])
        cost = requests(service)
        ahead = service.now() - loop.time()
        records = await veo.tasks.retrieve_many([task_id for task_id, _ in ends])

    done = {record.id: record.finished_at.timestamp() for record in records if record.finished_at}
    late = {task_id: at + ahead - done[task_id] for task_id, at in ends}
    called = {delivery.task_id for delivery in service.deliveries}
    delivered = [late[task_id] for task_id in late.keys() & called]
    dropped = [late[task_id] for task_id in late.keys() - called]
    assert len(late) == len(service.bill) == 500
    assert 120 <= len(dropped) <= 180
    assert len(service.deliveries) - len(called) > 80
    assert quantile(delivered, 0.5) <= 0.5
    assert quantile(dropped, 0.95) <= 20.0
    assert cost < 1.3 * 500


@pytest.mark.asyncio
async def test_a_forged_success_changes_nothing() -> None:
    """Whoever knows the real address and says ``success`` causes a poll, and no more: the caller
    gets what the service has. Whoever trusts the body is fooled."""
    receiver = callbacks()
    service = service_for(receiver, pace=Seconds(mean=60.0, sigma=0.0))
    async with service, client_of(service, callbacks=receiver) as veo:
        task = await veo.submit(TextToVideo(prompt="a"))
        waiting = asyncio.create_task(task.result())
        await asyncio.sleep(10.0)
        forged = of(task.id)
        answer = await send(receiver, urls(service)[0], forged)
        await asyncio.sleep(2.0)

        assert answer.status == 204
        assert task.state == "pending"
        assert not waiting.done()
        result = await waiting

    assert result.video.id != "forged"
    assert loop_time() == pytest.approx(60.0, abs=1.0)


def loop_time() -> float:
    """What the event loop's clock says."""
    return asyncio.get_running_loop().time()


def test_held_connections_and_callbacks_exclude_each_other() -> None:
    """With a callback the service answers at once, so ``mode="sync"`` would not be what it says."""
    with pytest.raises(InvalidRequestError) as caught:
        VeoClient("any-token", mode="sync", callbacks=callbacks())

    assert caught.value.field == "callbacks"
