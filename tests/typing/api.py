"""The typed face, as users see it. Type checkers read this file; nobody runs it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal, assert_type

import httpx

import veo_async
from veo_async import (
    APIError,
    Batch,
    ConnectionFailedError,
    DownloadError,
    Generation,
    GenerationFailedError,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    InvalidRequestError,
    Outcome,
    PollPolicy,
    RateLimit,
    RateLimitError,
    RetryPolicy,
    SubmissionLimitError,
    SubmissionUncertainError,
    Task,
    TaskNotFoundError,
    TaskRecord,
    Tasks,
    TextToVideo,
    UndecodableReplyError,
    VeoClient,
    VeoError,
    Video,
    VideoRequest,
    WaitTimeoutError,
)
from veo_async.callbacks import Callbacks, parse
from veo_async.events import Ended, Event, Finished, ItemEvent
from veo_async.models import AspectRatio, Cost, OutcomeState, Resolution
from veo_async.testing import Emulator, Runtime, VirtualEventLoop


async def one_line_one_video() -> None:
    async with VeoClient() as veo:
        assert_type(veo, VeoClient)
        result = await veo.text2video("A coffee mug on a marble counter", model="veo3-fast")
        assert_type(result, Generation)
        assert_type(result.video, Video)
        assert_type(result.data, tuple[Video, ...])
        assert_type(result.cost, Cost | None)
        assert_type(await veo.download(result.video, "mug.mp4"), Path)
        assert_type(result.video.task_id, str | None)
        assert_type(await veo.download(result.video, Path("mug.mp4")), Path)


def on_event(event: Event) -> None:
    assert_type(event.at, float)
    match event:
        case Finished():
            assert_type(event.generation, Generation)
            assert_type(event.seconds, float | None)
        case Ended():
            assert_type(event.outcome, Outcome)
        case ItemEvent():
            assert_type(event.key, str | None)


async def listeners() -> None:
    VeoClient(on_event=on_event)
    VeoClient(on_event=asyncio.Queue[Event]().put_nowait)
    heard: list[Event] = []
    VeoClient(on_event=heard.append)
    VeoClient(on_event="print")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def every_action(veo: VeoClient) -> None:
    images = ["https://example.org/first.png", "https://example.org/last.png"]
    await veo.text2video("a prompt", timeout=600, aspect_ratio="9:16", resolution="1080p")
    await veo.text2video("a prompt", timeout=timedelta(minutes=10), translation=True)
    await veo.text2video("a prompt", model="veo99-unheard-of", extra_body={"new_field": [1]})
    assert_type(await veo.image2video("a prompt", images), Generation)
    assert_type(await veo.ingredients2video("a prompt", tuple(images)), Generation)
    assert_type(await veo.get_1080p("video-id", callback_url="https://example.org/"), Generation)


async def what_is_wrong_before_it_runs(veo: VeoClient) -> None:
    await veo.text2video()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await veo.text2video("a prompt", "veo3")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await veo.text2video("a prompt", aspect_ratio="2:1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    VeoClient(mode="fast")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def requests_as_values(veo: VeoClient) -> None:
    requests: list[VideoRequest] = [
        TextToVideo(prompt="a prompt"),
        ImageToVideo(prompt="a prompt", image_urls=("https://example.org/first.png",)),
        IngredientsToVideo(prompt="a prompt", image_urls=("https://example.org/thing.png",)),
        Get1080p(video_id="video-id"),
    ]
    task = await veo.submit(requests[0])
    assert_type(task, Task)
    assert_type(task.id, str)
    assert_type(await task.result(timeout=3600), Generation)
    await task.refresh()
    outcomes = await veo.generate_many(requests)
    assert_type(outcomes, list[Outcome])
    for outcome in outcomes:
        assert_type(outcome.key, str)
        assert_type(outcome.state, Literal["succeeded", "failed", "pending", "uncertain"])
        assert_type(outcome.state, OutcomeState)
        assert_type(outcome.result, Generation | None)
        assert_type(outcome.error, VeoError | None)
        assert_type(outcome.files, tuple[Path, ...])
        assert_type(outcome.to_dict(), dict[str, Any])
        assert_type(outcome.request.title, str)


async def names_for_annotations(veo: VeoClient, shape: AspectRatio, size: Resolution) -> Batch:
    await veo.text2video("a prompt", aspect_ratio=shape, resolution=size)
    assert_type(veo.tasks, Tasks)
    return veo.batch([TextToVideo(prompt="a prompt")])


async def tasks_by_id(veo: VeoClient) -> None:
    assert_type(await veo.wait("task-id", timeout=60), Generation)
    record = await veo.tasks.retrieve("task-id")
    assert_type(record, TaskRecord)
    assert_type(record.created_at, datetime | None)
    for each in await veo.tasks.retrieve_many(["task-id", "another"]):
        assert_type(each, TaskRecord)
    async for each in veo.tasks.list(created_at_min=1753435158.5, type="videos"):
        assert_type(each, TaskRecord)


async def every_option() -> None:
    veo = VeoClient(
        "token",
        base_url="https://api.example.org",
        mode="sync",
        rate_limit=RateLimit(concurrency=8, in_flight=100, per_second=5.0, burst=5, adaptive=False),
        poll=PollPolicy(),
        retry=RetryPolicy(on_uncertain="raise", marks="off", mark_callback_urls=True),
        callbacks=Callbacks("https://app.example.org/hook", "a secret of the application"),
        transport=httpx.AsyncHTTPTransport(),
        proxy="http://127.0.0.1:3128",
        verify=True,
        allow_reserved=False,
        timeout=30,
    )
    await veo.aclose()


async def callbacks_of_several_processes() -> None:
    async def hand_over(token: str, body: bytes) -> bool:
        return callbacks.hand_over(token, body)

    callbacks = Callbacks("https://app.example.org/hook", b"sixteen or more.", on_unknown=hand_over)
    await callbacks.serve("127.0.0.1", 0, on_ready=print)
    assert_type(parse(b"{}"), Generation)
    Callbacks("https://app.example.org/hook")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def many_videos(veo: VeoClient) -> None:
    requests: list[VideoRequest] = [TextToVideo(prompt="a"), Get1080p(video_id="video-id")]
    async with veo.batch(requests, journal="run.db", download_to=Path("out")) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome)
    preview = await veo.batch(requests, journal="run.db", adopt_journal=True).preview()
    assert_type((await veo.batch(requests).preview(any_token=True)).wait, int)
    assert_type(preview.start, int)
    keyed = [(request.action, request) for request in requests]
    async with veo.batch(iter(keyed), max_in_flight=3, max_submissions=5, timeout=60) as outcomes:
        assert_type(await anext(outcomes), Outcome)
    veo.batch(["a prompt"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


async def errors_by_what_to_do_next(veo: VeoClient) -> None:
    try:
        await veo.text2video("a prompt")
    except InvalidRequestError as error:
        assert_type(error.field, str | None)
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except APIError as error:
        assert_type(error.status_code, int | None)
        assert_type(error.code, str | None)
        assert_type(error.trace_id, str | None)
    except (WaitTimeoutError, TaskNotFoundError, GenerationFailedError) as error:
        assert_type(error.task_id, str | None)
    except (
        SubmissionLimitError,
        SubmissionUncertainError,
        UndecodableReplyError,
        ConnectionFailedError,
        DownloadError,
    ):
        raise
    except VeoError as error:
        assert_type(error.may_have_cost, bool)
    except TimeoutError:
        raise


async def offline(names: Sequence[str] = veo_async.__all__) -> None:
    emulator = Emulator(token=None, seed=0, clock_factor=60.0, targets="public")
    Emulator(allowed_hosts=["veo"], remote_control=True)
    async with VeoClient(
        "any-token", base_url=emulator.base_url, transport=emulator.transport()
    ) as veo:
        await veo.text2video("a prompt")
    async with emulator.serve(host="127.0.0.1", port=0) as base_url:
        assert_type(base_url, str)


def in_thread_of_the_test(function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]:
    return asyncio.to_thread(function, *args)


async def runs_that_repeat() -> None:
    runtime = Runtime(wall_clock=time.time, rng=Random(1), run_sync=in_thread_of_the_test)
    assert_type(runtime.rng, Random)
    VeoClient("any-token", runtime=runtime)
    VeoClient("any-token", runtime=Random(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def on_virtual_time() -> None:
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        assert_type(runner.get_loop(), asyncio.AbstractEventLoop)
