from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.journal.journals import states
from tests.support.service import NOW, client_of, emulator, inline
from veo_async import InvalidRequestError, RetryPolicy, TextToVideo, VeoClient, events
from veo_async._base.runtime import Runtime
from veo_async._journal.journal import Journal
from veo_async.emulator import Answer, Drop, Emulator, Fail, Fault, Refuse, Seconds, VideoFormat
from veo_async.events import Event, ItemEvent, Listener
from veo_async.testing import VirtualEventLoop

TINY = VideoFormat(seconds=0.2, fps=5, short_side=64)


def service(*faults: Fault) -> Emulator:
    """A service that takes a hundred seconds."""
    return emulator(pace=Seconds(mean=100.0, sigma=0.0), video=TINY, faults=faults)


def client(of: Emulator, on_event: Listener, **options: object) -> VeoClient:
    """A client whose wall clock is the loop's own."""

    def wall_clock() -> float:
        return NOW + asyncio.get_running_loop().time()

    return client_of(
        of, on_event=on_event, runtime=Runtime(wall_clock=wall_clock, run_sync=inline), **options
    )


def names(heard: list[Event]) -> list[str]:
    """The names of the events."""
    return [event.name for event in heard]


@pytest.mark.asyncio
async def test_one_video(tmp_path: Path) -> None:
    """A single call emits its submit, the answer, the end and the file, each with its ids."""
    heard: list[Event] = []
    async with service() as veo_service, client(veo_service, heard.append) as veo:
        result = await veo.text2video("a mug")
        await veo.download(result, tmp_path / "mug.mp4")
    submitted, accepted, finished, downloaded = heard

    assert names(heard) == ["submitted", "accepted", "finished", "downloaded"]
    assert isinstance(submitted, events.Submitted)
    assert submitted.request == TextToVideo(prompt="a mug")
    assert isinstance(accepted, events.Accepted)
    assert isinstance(finished, events.Finished)
    assert accepted.task_id == finished.task_id == result.task_id
    assert finished.generation == result
    assert finished.trace_id == result.trace_id
    assert finished.key is None
    assert finished.action == "text2video"
    assert finished.seconds == pytest.approx(finished.at - submitted.at)
    assert 100.0 <= (finished.seconds or 0.0) < 130.0
    assert isinstance(downloaded, events.Downloaded)
    assert downloaded.path == tmp_path / "mug.mp4"
    assert downloaded.task_id == result.task_id


@pytest.mark.asyncio
async def test_batch(tmp_path: Path) -> None:
    """In a batch each event has its item's key, from its beginning to its end."""
    heard: list[Event] = []
    requests = [("one", TextToVideo(prompt="1")), ("two", TextToVideo(prompt="2"))]
    async with (
        service() as veo_service,
        client(veo_service, heard.append) as veo,
        veo.batch(requests, download_to=tmp_path, upscale=True) as outcomes,
    ):
        ends = {outcome.key: outcome async for outcome in outcomes}

    for key, request in requests:
        of_one = [event for event in heard if isinstance(event, ItemEvent) and event.key == key]
        begun, ended = of_one[0], of_one[-1]
        assert [(event.name, event.action) for event in of_one] == [
            ("begun", "text2video"),
            ("submitted", "text2video"),
            ("accepted", "text2video"),
            ("finished", "text2video"),
            ("submitted", "get_1080p"),
            ("accepted", "get_1080p"),
            ("finished", "get_1080p"),
            ("downloaded", "text2video"),
            ("downloaded", "get_1080p"),
            ("ended", "text2video"),
        ]
        assert isinstance(begun, events.Begun)
        assert (begun.request, begun.step) == (request, "start")
        assert isinstance(ended, events.Ended)
        assert ended.outcome == ends[key]
        assert ended.seconds == pytest.approx(ended.at - begun.at)


@pytest.mark.asyncio
async def test_resumed_batch(tmp_path: Path) -> None:
    """A later run emits the first step of each item, and measures a task from its submit."""
    heard: list[Event] = []
    requests = [("one", TextToVideo(prompt="1"))]
    async with service() as veo_service:
        first = client(veo_service, heard.append)
        async with first as veo, veo.batch(requests, journal=tmp_path / "run.db"):
            await asyncio.sleep(40.0)
        async with client(veo_service, heard.append) as veo:
            for _ in range(2):
                async with veo.batch(requests, journal=tmp_path / "run.db") as outcomes:
                    _ = [outcome async for outcome in outcomes]

    assert names(heard) == [
        *["begun", "submitted", "accepted"],
        *["begun", "finished", "ended"],
        *["begun", "ended"],
    ]
    steps = [event.step for event in heard if isinstance(event, events.Begun)]
    assert steps == ["start", "wait", "finished"]
    finished = heard[4]
    assert isinstance(finished, events.Finished)
    assert finished.seconds == pytest.approx(finished.at - heard[1].at, abs=0.1)
    assert 100.0 <= (finished.seconds or 0.0) < 130.0


@pytest.mark.asyncio
async def test_troubles() -> None:
    """A POST that is not sent, refused, or lost and found, and a failed task, have events of their
    own."""
    heard: list[Event] = []
    faults = [
        Fault(effect=Refuse(), nth=1),  # so that no other rule sees this call
        Fault(effect=Answer(code="too_many_requests"), nth=1),
        Fault(effect=Drop(at="accepted"), nth=2),
        Fault(effect=Fail(), nth=2),
    ]
    async with service(*faults) as veo_service, client(veo_service, heard.append) as veo:
        await veo.generate_many([TextToVideo(prompt="a mug")])

    assert names(heard) == [
        *["begun", "submitted", "notsent"],
        *["submitted", "throttled", "refused"],
        *["submitted", "uncertain", "adopted"],
        *["failed", "ended"],
    ]
    throttled = heard[4]
    assert isinstance(throttled, events.Throttled)
    assert throttled.seconds > 0


@pytest.mark.asyncio
async def test_absent() -> None:
    """A lost submit that bought nothing is emitted as absent, before the next submit."""
    heard: list[Event] = []
    fault = Fault(effect=Drop(at="read"), nth=2)
    async with service(fault) as veo_service, client(veo_service, heard.append) as veo:
        await veo.text2video("before")
        await veo.text2video("a mug")

    assert len(veo_service.bill) == 2
    assert "absent" in names(heard)


@pytest.mark.asyncio
async def test_absent_from_an_earlier_run(tmp_path: Path) -> None:
    """A submit that an earlier run lost is absent in the next run, which sends it."""
    heard: list[Event] = []
    requests = [("one", TextToVideo(prompt="1")), ("two", TextToVideo(prompt="2"))]
    retry = RetryPolicy(on_uncertain="raise")
    fault = Fault(effect=Drop(at="read"), nth=2)
    async with service(fault) as veo_service:
        for policy in (retry, RetryPolicy()):
            heard.clear()
            async with (
                client(veo_service, heard.append, retry=policy) as veo,
                veo.batch(requests, journal=tmp_path / "run.db") as outcomes,
            ):
                _ = [outcome async for outcome in outcomes]

    assert len(veo_service.bill) == 2
    assert names([event for event in heard if getattr(event, "key", None) == "two"]) == [
        *["begun", "absent", "submitted", "accepted", "finished", "ended"],
    ]


@pytest.mark.asyncio
async def test_a_task_is_told_once() -> None:
    """If many wait for one task, its end is emitted once."""
    heard: list[Event] = []
    async with service() as veo_service, client(veo_service, heard.append) as veo:
        task = await veo.submit(TextToVideo(prompt="a mug"))
        await asyncio.gather(*(veo.wait(task.id) for _ in range(5)))
        await task.refresh()

    assert names(heard) == ["submitted", "accepted", "finished"]


@pytest.mark.asyncio
async def test_a_synchronous_answer() -> None:
    """An answer with the result emits both events, the acceptance first."""
    heard: list[Event] = []
    async with service() as veo_service, client(veo_service, heard.append, mode="sync") as veo:
        await veo.text2video("a mug")

    assert names(heard) == ["submitted", "accepted", "finished"]


@pytest.mark.parametrize("raised", [ValueError("mine"), asyncio.CancelledError()])
@pytest.mark.asyncio
async def test_a_listener_that_raises(
    raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of a listener is logged once, and changes nothing else."""

    def on_event(event: Event) -> None:
        raise raised

    async with service() as veo_service, client(veo_service, on_event) as veo:
        outcomes = await veo.generate_many([TextToVideo(prompt="a mug")])

    assert outcomes[0].error is None
    shown = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert shown == ["on_event raised at begun; later errors are not shown"]


MOMENTS = {
    "begun": (),
    "accepted": (),
    "uncertain": (Fault(effect=Drop(at="accepted"), nth=1),),
    "adopted": (Fault(effect=Drop(at="accepted"), nth=1),),
    "finished": (),
    "failed": (Fault(effect=Fail(), nth=1),),
    "ended": (),
}
"""For each event at which a program may end, the faults that bring it about. A POST that is open
then ends with the emulator, which is a part of the program."""


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
@pytest.mark.parametrize("name", MOMENTS)
def test_a_listener_that_ends_the_program(name: str, error: BaseException, tmp_path: Path) -> None:
    """At every event: each purchase is recorded, and the next run buys nothing."""
    path = tmp_path / "run.db"
    shop = service(*MOMENTS[name])

    def on_event(event: Event) -> None:
        if event.name == name:
            raise error

    async def run(listener: Listener) -> list[str]:
        requests = [TextToVideo(prompt="a mug")]
        async with client(shop, listener) as veo, veo.batch(requests, journal=path) as outcomes:
            return [outcome.state async for outcome in outcomes]

    with (
        asyncio.Runner(loop_factory=VirtualEventLoop) as runner,
        pytest.raises(type(error)) as caught,
    ):
        runner.run(run(on_event))
    [state] = states(path).values() or ["nothing"]
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        ends = runner.run(run(print))

    assert caught.value is error
    assert (state in {"accepted 1", "succeeded 1", "failed 1"}) is (name in BOUGHT)
    assert ends == ["failed" if name == "failed" else "succeeded"]
    assert len(shop.bill) == 1


BOUGHT = MOMENTS.keys() - {"begun", "uncertain"}
"""The events after which the journal knows the task."""


@pytest.mark.parametrize("name", ["accepted", "adopted"])
@pytest.mark.asyncio
async def test_what_a_listener_hears_is_recorded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal records a purchase before the listener hears of it."""
    order: list[str] = []
    note = Journal.note

    def noted(self: Journal, event: Any, **options: Any) -> None:
        order.append(f"note {event.name}")
        note(self, event, **options)

    monkeypatch.setattr(Journal, "note", noted)
    requests = [TextToVideo(prompt="a mug")]
    async with (
        service(*MOMENTS[name]) as shop,
        client(shop, lambda event: order.append(event.name)) as veo,
        veo.batch(requests, journal=tmp_path / "run.db") as outcomes,
    ):
        ends = [outcome.state async for outcome in outcomes]

    assert ends == ["succeeded"]
    assert order.index("note accepted") == order.index(name) - 1


@pytest.mark.asyncio
async def test_a_task_is_over_before_its_listener_hears_of_it() -> None:
    """A handle of the task has the result by then."""
    known: list[bool] = []

    def on_event(event: Event) -> None:
        if isinstance(event, events.Finished):
            known.append(veo._tracker.in_flight == 0)

    async with service() as shop, client(shop, on_event) as veo:
        await veo.text2video("a mug")

    assert known == [True]


@pytest.mark.asyncio
async def test_a_listener_that_cannot_be() -> None:
    """A coroutine function is refused when the client is made."""
    with pytest.raises(InvalidRequestError, match=r"queue\.put_nowait"):
        client(service(), asyncio.Queue[Event]().put)


@pytest.mark.asyncio
async def test_a_stream() -> None:
    """A queue makes an asynchronous stream of the events."""
    queue: asyncio.Queue[Event] = asyncio.Queue()
    async with service() as veo_service, client(veo_service, queue.put_nowait) as veo:
        video = asyncio.create_task(veo.text2video("a mug"))
        heard = [await queue.get() for _ in range(3)]
        await video

    assert names(heard) == ["submitted", "accepted", "finished"]


def test_all_events_are_documented() -> None:
    """Every event is a frozen value, exported, and in the table of the module's docstring."""
    classes = {
        name: value
        for name, value in vars(events).items()
        if inspect.isclass(value) and issubclass(value, Event)
    }

    for name, cls in classes.items():
        assert name in events.__all__
        assert dataclasses.is_dataclass(cls)
        assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert name in (events.__doc__ or "") or name in {"Event", "ItemEvent"}
