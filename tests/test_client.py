from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from tests.support.service import (
    BASE_URL,
    Body,
    Service,
    accepted,
    client,
    client_of,
    emulator,
    finished,
    looked,
    other_tasks,
)
from tests.support.wire import unmarked
from veo_async import (
    ClientClosedError,
    DownloadError,
    Generation,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    InvalidRequestError,
    RateLimit,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
    Video,
    VideoRequest,
    WaitTimeoutError,
)
from veo_async.emulator import Fault, Hang, Immediate, Seconds, VideoFormat, Wire
from veo_async.errors import NoTokenError
from veo_async.testing import VirtualEventLoop

PICTURES = ["https://pictures.example/1.png", "https://pictures.example/2.png"]
TINY = VideoFormat(seconds=0.2, fps=5, short_side=32)


def ends_of(veo: VeoClient) -> list[str]:
    """Grows when the client has closed its connections."""
    ends: list[str] = []
    transport = veo._api._transport
    close = transport.aclose

    async def noted() -> None:
        await close()
        ends.append("closed")

    transport.aclose = noted  # type: ignore[method-assign]
    return ends


def shop() -> Service:
    """A service that accepts everything and finishes it before the first poll."""

    async def sell(body: Body) -> httpx.Response:
        return accepted()

    async def show(body: Body) -> httpx.Response:
        return looked(body, **{"task-1": finished()})

    return Service(submit=sell, tasks=show)


def names_in(folder: Path) -> list[str]:
    """The names of the files there."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.asyncio
async def test_each_method_sends_its_action() -> None:
    """Four methods, four actions; what is not given is not sent, and `extra_body` is added. Each
    has a mark."""
    service = shop()
    async with client(service) as veo:
        await veo.text2video("a mug")
        await veo.image2video("it turns", PICTURES[:1], model="veo3", aspect_ratio="9:16")
        await veo.ingredients2video("both", PICTURES, resolution="1080p", translation=True)
        await veo.get_1080p("video-1", extra_body={"new_field": [1]})

    assert list(map(unmarked, service.submits)) == [
        {"action": "text2video", "prompt": "a mug", "model": "veo3-fast", "async": True},
        {
            "action": "image2video",
            "prompt": "it turns",
            "image_urls": PICTURES[:1],
            "model": "veo3",
            "aspect_ratio": "9:16",
            "async": True,
        },
        {
            "action": "ingredients2video",
            "prompt": "both",
            "image_urls": PICTURES,
            "model": "veo3-fast",
            "resolution": "1080p",
            "translation": True,
            "async": True,
        },
        {
            "action": "get_1080p",
            "video_id": "video-1",
            "model": "veo3-fast",
            "async": True,
            "new_field": [1],
        },
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "request_",
    [
        TextToVideo(prompt="a mug"),
        ImageToVideo(prompt="a mug", image_urls=PICTURES),
        IngredientsToVideo(prompt="a mug", image_urls=PICTURES),
    ],
    ids=lambda request: request.action,
)
async def test_a_request_is_submitted_and_awaited(request_: VideoRequest) -> None:
    """`submit` returns a handle with the id; its state is that of the last answer."""
    service = emulator(pace=Seconds(mean=10.0))
    async with service, client_of(service) as veo:
        task = await veo.submit(request_)
        before, shown = task.state, repr(task)
        result = await task.result()

    assert (before, task.state) == ("pending", "succeeded")
    assert shown == f"Task(id={task.id!r}, state='pending')"
    assert result.task_id == task.id == service.bill[0].task_id


@pytest.mark.asyncio
async def test_the_1080p_version_is_a_task_of_its_own() -> None:
    """Its task id is new, and its video has the id of its source."""
    service = emulator(pace=Immediate())
    async with service, client_of(service) as veo:
        source = await veo.text2video("a mug")
        better = await (await veo.submit(Get1080p(video_id=source.video.id or ""))).result()

    assert better.task_id != source.task_id
    assert better.video.id == source.video.id


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "options, field",
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a mug", "model": " "}, "model"),
        ({"prompt": "a mug", "callback_url": "/tmp/hook"}, "callback_url"),
        ({"prompt": "a mug", "aspect_ratio": "2:1"}, "aspect_ratio"),
        ({"prompt": "a mug", "extra_body": {"prompt": "another"}}, "extra_body"),
        ({"prompt": "a mug", "timeout": -1}, "timeout"),
        ({"prompt": "a mug", "timeout": float("nan")}, "timeout"),
    ],
)
async def test_what_cannot_be_right_is_not_sent(options: dict[str, Any], field: str) -> None:
    """The error names the field; no request was sent and nothing was bought."""
    service = shop()
    async with client(service) as veo:
        with pytest.raises(InvalidRequestError) as error:
            await veo.text2video(**options)

    assert error.value.field == field
    assert not service.submits


@pytest.mark.asyncio
async def test_a_request_is_one_of_ours() -> None:
    """A dictionary is no request: its fields would not be checked."""
    async with client(shop()) as veo:
        with pytest.raises(InvalidRequestError, match="TextToVideo"):
            await veo.submit({"action": "text2video", "prompt": "a mug"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options, field",
    [
        ({"mode": "later"}, "mode"),
        ({"timeout": -1}, "timeout"),
        ({"base_url": "http://api.example"}, "base_url"),
    ],
)
def test_what_cannot_be_right_makes_no_client(options: dict[str, Any], field: str) -> None:
    """Options are checked when the client is made."""
    with pytest.raises(InvalidRequestError) as error:
        VeoClient("any-token", **options)

    assert error.value.field == field


def test_a_missing_token_names_the_variable() -> None:
    """A newcomer learns from the message what to do."""
    with pytest.raises(NoTokenError, match="ACEDATACLOUD_API_TOKEN"):
        VeoClient()


@pytest.mark.asyncio
async def test_token_and_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have a variable; what is given in code comes first."""
    service = emulator(token="from-env", pace=Immediate())
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "from-env")
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", BASE_URL)
    async with service, VeoClient(transport=service.transport()) as veo:
        await veo.text2video("a mug")
    given = VeoClient("given", base_url="http://127.0.0.1:2", transport=shop())

    assert repr(veo) == f"VeoClient(base_url='{BASE_URL}', mode='async')"
    assert repr(given) == "VeoClient(base_url='http://127.0.0.1:2', mode='async')"
    await given.aclose()


@pytest.mark.asyncio
async def test_a_wait_has_a_time_limit_of_its_own() -> None:
    """Without one a wait ends after the client's timeout, an hour; a ``timedelta`` is accepted
    too."""
    service = emulator(pace=Seconds(mean=1e4, sigma=0.0))
    loop = asyncio.get_running_loop()
    async with service, client_of(service) as veo:
        task = await veo.submit(TextToVideo(prompt="a mug"))
        for timeout, seconds in ((None, 3600.0), (timedelta(minutes=2), 120.0), (0, 0.0)):
            began = loop.time()
            with pytest.raises(WaitTimeoutError) as error:
                await veo.wait(task.id, timeout=timeout)
            assert loop.time() - began == pytest.approx(seconds)
            assert error.value.task_id == task.id
            assert isinstance(error.value, TimeoutError)
    async with service, client_of(service, timeout=timedelta(seconds=5)) as veo:
        began = loop.time()
        with pytest.raises(WaitTimeoutError):
            await veo.text2video("a mug")

        assert loop.time() - began == pytest.approx(5.0)


@pytest.mark.asyncio
async def test_a_wait_without_end_waits() -> None:
    """Infinity is a time limit too."""
    service = emulator(pace=Seconds(mean=1e4, sigma=0.0))
    async with service, client_of(service) as veo:
        assert (await veo.text2video("a mug", timeout=float("inf"))).success


def test_a_client_may_be_made_outside_of_a_loop() -> None:
    """It opens nothing before its first call, so a module may make it."""
    veo = client(shop())

    async def main() -> Generation:
        async with veo:
            return await veo.text2video("a mug")

    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        assert runner.run(main()).success


@pytest.mark.asyncio
async def test_a_client_needs_no_with() -> None:
    """It works without, and `aclose` may be called twice, and before any use."""
    unused = client(shop())
    await unused.aclose()
    veo = client(shop())
    result = await veo.text2video("a mug")
    await veo.aclose()
    await veo.aclose()

    assert result.success
    assert not other_tasks()


@pytest.mark.asyncio
async def test_the_client_returns_itself_and_closes_at_the_end() -> None:
    """The client is closed also if the block fails."""
    veo = client(shop())
    with suppress(ZeroDivisionError):
        async with veo as entered:
            assert entered is veo
            raise ZeroDivisionError

    with pytest.raises(ClientClosedError, match="nothing was sent"):
        await veo.text2video("a mug")


@pytest.mark.asyncio
async def test_a_closed_client_does_nothing() -> None:
    """Each method says that the client is closed; a result that is known already can still be
    read."""
    service = shop()
    veo = client(service)
    task = await veo.submit(TextToVideo(prompt="a mug"))
    done = await task.result()
    await veo.aclose()
    asked = len(service.submits) + len(service.questions)

    with pytest.raises(ClientClosedError):
        await veo.submit(TextToVideo(prompt="a mug"))
    with pytest.raises(ClientClosedError) as error:
        await veo.wait("task-2")
    with pytest.raises(ClientClosedError):
        await task.refresh()
    [outcome] = await veo.generate_many([TextToVideo(prompt="a mug")])

    assert error.value.task_id == "task-2"
    assert isinstance(outcome.error, ClientClosedError)
    assert await task.result() == done
    assert len(service.submits) + len(service.questions) == asked


@pytest.mark.asyncio
async def test_two_closings_at_once_are_one() -> None:
    """Both return once everything has ended, and neither aborts a POST that the other lets
    finish."""
    service = emulator(pace=Immediate())
    service.faults.add(Fault(effect=Hang(at="accepted", seconds=5.0)))
    async with service:
        veo = client_of(service)
        caller = asyncio.create_task(veo.submit(TextToVideo(prompt="a mug")))
        await asyncio.sleep(1.0)

        await asyncio.gather(veo.aclose(), veo.aclose())

        assert (await caller).id == service.bill[0].task_id


@pytest.mark.asyncio
async def test_a_finished_video_is_downloaded(tmp_path: Path) -> None:
    """The file is that of a video, or of a generation's first video with a file."""
    service = emulator(pace=Immediate(), video=TINY)
    async with service, client_of(service) as veo:
        result = await veo.text2video("a mug")
        first = await veo.download(result.video, tmp_path / "video.mp4")
        second = await veo.download(result, str(tmp_path / "generation.mp4"))

    assert first == tmp_path / "video.mp4"
    assert first.read_bytes()[4:8] == b"ftyp"
    assert first.read_bytes() == second.read_bytes()
    assert names_in(tmp_path) == ["generation.mp4", "video.mp4"]


@pytest.mark.asyncio
async def test_a_video_knows_its_task(tmp_path: Path) -> None:
    """So a fresh URL can be requested for it, hours after the old one expired. Two videos that
    differ in nothing else are equal."""
    service = emulator(pace=Immediate(), video=TINY, wire=Wire(url_lifetime=60.0))
    async with service, client_of(service) as veo:
        result = await veo.text2video("a mug")
        alone = Video.model_validate(result.video.model_dump())
        await asyncio.sleep(3600.0)
        await veo.download(result.video, tmp_path / "video.mp4")
        with pytest.raises(DownloadError, match="HTTP 403"):
            await veo.download(alone, tmp_path / "alone.mp4")

    assert names_in(tmp_path) == ["video.mp4"]
    assert (result.video.task_id, alone.task_id) == (result.task_id, None)
    assert alone == result.video
    assert len({alone, result.video}) == 1
    assert alone != result


@pytest.mark.asyncio
async def test_a_video_without_an_address_is_not_downloaded(tmp_path: Path) -> None:
    """The error names the missing URL, and no request is sent."""
    async with client(shop()) as veo:
        with pytest.raises(InvalidRequestError, match="video_url") as error:
            await veo.download(Video(id="video-1"), tmp_path / "video.mp4")

    assert error.value.field == "video"
    assert names_in(tmp_path) == []


@pytest.mark.asyncio
async def test_a_file_that_is_gone_names_its_task(tmp_path: Path) -> None:
    """The video stays paid for; the error names the task that gives a fresh URL."""
    service = emulator(pace=Immediate(), video=TINY)
    async with service, client_of(service) as veo:
        result = await veo.text2video("a mug")
        service.reset()
        with pytest.raises(DownloadError) as error:
            await veo.download(result, tmp_path / "video.mp4")

    assert error.value.task_id == result.task_id
    assert error.value.may_have_cost


@pytest.mark.asyncio
async def test_nothing_warns_in_a_whole_life() -> None:
    """No coroutine is left unawaited and no resource open, also after refusals."""
    service = emulator(balance=1, pace=Seconds(mean=20.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with service, client_of(service) as veo:
            outcomes = await veo.generate_many([TextToVideo(prompt=p) for p in "abc"])

    assert [outcome.result is not None for outcome in outcomes].count(True) == 1
    assert len(service.bill) == 1


@pytest.mark.asyncio
async def test_a_submit_has_its_own_time() -> None:
    """``submit(timeout=...)`` ends the wait for the acceptance; a request that was not sent was not
    bought."""
    service = emulator(pace=Immediate())
    limit = RateLimit(in_flight=1)

    async with client_of(service, rate_limit=limit) as veo:
        await veo.submit(TextToVideo(prompt="first"), timeout=60)
        service.faults.add(Fault(effect=Hang(at="read"), on="tasks"))
        with pytest.raises(WaitTimeoutError) as caught:
            await veo.submit(TextToVideo(prompt="second"), timeout=timedelta(seconds=3))

    assert caught.value.task_id is None
    assert len(service.bill) == 1


@pytest.mark.parametrize(
    "field, wrong",
    [
        ("rate_limit", 5),
        ("poll", "often"),
        ("retry", [1]),
        ("transport", object()),
        ("callbacks", "https://app.example/veo"),
        ("timeout", True),
        ("runtime", 7),
    ],
)
def test_options_of_another_kind_are_refused(field: str, wrong: object) -> None:
    """A value of another kind is refused with the option's name, before anything is sent."""
    options: dict[str, Any] = {field: wrong}

    with pytest.raises(InvalidRequestError, match=field) as caught:
        VeoClient("any-token", **options)

    assert caught.value.field == field


def test_the_options_of_a_client_show_no_secret() -> None:
    """Neither the token nor the password of a proxy is in a repr, which a log may take."""
    veo = VeoClient("any-token", proxy="http://user:open-sesame@127.0.0.1:3128")

    shown = repr(veo) + repr(veo._options)

    assert "any-token" not in shown
    assert "open-sesame" not in shown


@pytest.mark.asyncio
async def test_what_is_no_path_is_refused() -> None:
    """A file is saved at a path, given as text or as a ``Path``."""
    path: Any = None
    video = Video.model_validate({"video_url": "https://files.example/a.mp4"})

    async with VeoClient("any-token") as veo:
        with pytest.raises(InvalidRequestError, match="path"):
            await veo.download(video, path)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["scope", "once", "twice"])
async def test_a_cancelled_end_still_closes_everything(how: str) -> None:
    """After a cancelled `aclose` no connection, poll or limit stays open; a second cancellation
    only does not wait for that."""
    service = emulator(pace=Seconds(mean=60))
    veo = client_of(service)
    ends = ends_of(veo)

    async def use() -> None:
        async with veo:
            await veo.text2video("a mug")

    if how == "scope":
        with anyio.move_on_after(2.0):
            await use()
    else:
        task = asyncio.create_task(use())
        await asyncio.sleep(2.0)
        task.cancel()
        if how == "twice":
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait([task])
    await veo.aclose()

    assert ends == ["closed"]
    assert veo._limiter.closed
    assert not other_tasks()


@pytest.mark.asyncio
async def test_an_end_that_is_cancelled_by_itself() -> None:
    """``aclose`` that is cancelled while a submit settles continues; the next one joins it."""
    service = emulator(faults=[Fault(effect=Hang(at="accepted"), on="submit")])
    veo = client_of(service, retry=RetryPolicy(on_uncertain="raise"))
    ends = ends_of(veo)
    submit = asyncio.create_task(veo.submit(TextToVideo(prompt="a mug")))
    await asyncio.sleep(1.0)

    end = asyncio.create_task(veo.aclose())
    for _ in range(2):
        await asyncio.sleep(1.0)
        end.cancel()
    await asyncio.wait([end])
    assert end.cancelled()
    await veo.aclose()

    assert ends == ["closed"]
    with pytest.raises(SubmissionUncertainError):
        await submit


@pytest.mark.asyncio
async def test_an_end_that_the_loop_cut_can_be_repeated() -> None:
    """After a closing task was cancelled from outside, the next ``aclose`` starts another one."""
    veo = VeoClient("any-token")
    ends = ends_of(veo)
    first = asyncio.create_task(veo.aclose())
    await asyncio.sleep(0)
    assert veo._closing is not None
    veo._closing.cancel()
    await asyncio.wait([first])

    await veo.aclose()

    assert ends == ["closed"]


# One event loop.

ON_ANOTHER_LOOP: dict[str, Callable[[VeoClient, Path], Awaitable[Any]]] = {
    "text2video": lambda veo, path: veo.text2video("a mug"),
    "image2video": lambda veo, path: veo.image2video("a mug", PICTURES),
    "ingredients2video": lambda veo, path: veo.ingredients2video("a mug", PICTURES),
    "get_1080p": lambda veo, path: veo.get_1080p("video-1"),
    "submit": lambda veo, path: veo.submit(TextToVideo(prompt="a mug")),
    "wait": lambda veo, path: veo.wait("task-1"),
    "generate_many": lambda veo, path: veo.generate_many([TextToVideo(prompt="a mug")]),
    "batch": lambda veo, path: veo.batch([], journal=path / "run.db").__aenter__(),
    "download": lambda veo, path: veo.download(Video(video_url="https://x.example/1"), path / "1"),
    "retrieve": lambda veo, path: veo.tasks.retrieve("task-1"),
    "retrieve_many": lambda veo, path: veo.tasks.retrieve_many(["task-1"]),
    "list": lambda veo, path: anext(veo.tasks.list()),
    "async with": lambda veo, path: veo.__aenter__(),
}


@pytest.mark.parametrize("call", ON_ANOTHER_LOOP.values(), ids=ON_ANOTHER_LOOP.keys())
@pytest.mark.parametrize("is_closed", [True, False], ids=["after the first", "beside the first"])
def test_a_client_belongs_to_one_loop(
    call: Callable[[VeoClient, Path], Awaitable[Any]], is_closed: bool, tmp_path: Path
) -> None:
    """A call on another event loop is refused before anything is sent or written, and says what to
    do. The first loop may be over, as after `asyncio.run`, or run elsewhere."""
    service = shop()
    veo = client(service)

    async def elsewhere() -> None:
        await call(veo, tmp_path)

    with asyncio.Runner(loop_factory=VirtualEventLoop) as first:
        first.run(veo.submit(TextToVideo(prompt="a mug")))
        if is_closed:
            first.close()
        sent = len(service.submits), len(service.questions)
        with (
            asyncio.Runner(loop_factory=VirtualEventLoop) as second,
            pytest.raises(InvalidRequestError) as caught,
        ):
            second.run(elsewhere())
        if not is_closed:
            first.run(veo.aclose())

    assert "belongs to the event loop of its first use" in str(caught.value)
    assert "Nothing was sent, and nothing was bought." in str(caught.value)
    assert "`async with VeoClient()` inside each asyncio.run" in str(caught.value)
    assert (len(service.submits), len(service.questions)) == sent
    assert not list(tmp_path.iterdir())


def test_the_handle_of_a_task_belongs_to_its_loop_too() -> None:
    """Neither `Task.result` nor `Task.refresh` sends anything from another one; the message of a
    finished task needs no loop."""
    service = shop()
    veo = client(service)

    with asyncio.Runner(loop_factory=VirtualEventLoop) as first:
        task = first.run(veo.submit(TextToVideo(prompt="a mug")))
        with asyncio.Runner(loop_factory=VirtualEventLoop) as second:
            for call in (task.result, task.refresh):
                with pytest.raises(InvalidRequestError, match="one client per event loop"):
                    second.run(call())
        result = first.run(task.result())
        first.run(veo.aclose())

    assert result.task_id == task.id


def test_closing_on_another_loop() -> None:
    """A loop that is closed has taken all connections and tasks along, so there is nothing to
    close. One that still runs must close its client itself."""
    left, used = client(shop()), client(shop())

    with asyncio.Runner(loop_factory=VirtualEventLoop) as first:
        first.run(left.submit(TextToVideo(prompt="a mug")))
    with asyncio.Runner(loop_factory=VirtualEventLoop) as second:
        second.run(left.aclose())
        second.run(used.submit(TextToVideo(prompt="a mug")))
        with (
            asyncio.Runner(loop_factory=VirtualEventLoop) as third,
            pytest.raises(InvalidRequestError, match="one client per event loop"),
        ):
            third.run(used.aclose())
        second.run(used.aclose())


def test_one_client_per_run() -> None:
    """The way to use two event loops, one after the other."""
    services = [shop(), shop()]

    async def main(service: Service) -> str | None:
        async with client(service) as veo:
            return (await veo.text2video("a mug")).task_id

    for service in services:
        with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
            assert runner.run(main(service)) == "task-1"

    assert [len(service.submits) for service in services] == [1, 1]
