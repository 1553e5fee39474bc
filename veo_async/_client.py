"""The face: `VeoClient` and `Task`."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from contextvars import Context
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import anyio
import httpx

from ._base.runtime import Runtime
from ._base.urls import read_base_url
from ._batch.batch import Batch, run_all
from ._batch.options import BatchDeps, Options
from ._batch.run import Asked
from ._batch.stages import MANY
from ._downloads.downloader import Downloads
from ._events import EventEmitter
from ._limits.admission import Admission
from ._limits.limiter import Limiter
from ._reconcile.reconciler import Reconciler
from ._reconcile.window import LostSubmit
from ._submit.callback_router import CallbackRouter
from ._submit.post import Post
from ._submit.submitter import Submitter
from ._tracking.poller import Poller
from ._tracking.registry import TaskRegistry
from ._tracking.task import TrackedTask
from ._tracking.task_list import TaskListClient, Tasks
from ._wire.arguments import (
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    TOKEN_VARIABLE,
    read_count,
    read_instance,
    read_listener,
    read_mode,
    read_no_hold,
    read_request,
    read_source,
    read_timeout,
    read_token,
)
from ._wire.http import API
from .callbacks import Callbacks
from .errors import GenerationFailedError
from .events import Downloaded, Listener
from .models import (
    DEFAULT_MODEL,
    AspectRatio,
    Generation,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    Outcome,
    Resolution,
    State,
    TaskRecord,
    TextToVideo,
    Unsettled,
    Video,
    VideoRequest,
)
from .policies import PollPolicy, RateLimit, RetryPolicy

__all__ = ["Batch", "Task", "VeoClient"]

Timeout = float | timedelta | None
_Renew = Callable[[TrackedTask], TrackedTask]
_Wait = Callable[[TrackedTask, Timeout], Awaitable[Generation]]
_Look = Callable[[TrackedTask], Awaitable[TaskRecord]]


class Task:
    """A task that the service accepted. It goes on there whatever happens here.

    Attributes:
        id: the service's id; `VeoClient.wait` takes it, in any process. It is empty only for a
            finished result that the service answered without one.
    """

    def __init__(self, tracked: TrackedTask, *, renew: _Renew, wait: _Wait, look: _Look) -> None:
        self._tracked = tracked
        self._renew = renew
        self._wait = wait
        self._look = look
        self.id = tracked.task_id

    @property
    def state(self) -> State:
        """How the task stood when it was last seen; nothing is asked for this."""
        return self._tracked.status.state

    async def result(self, timeout: Timeout = None) -> Generation:
        """Wait for the result: see `VeoClient.wait`. Once there is one, it is had at once."""
        self._tracked = self._renew(self._tracked)
        return await self._wait(self._tracked, timeout)

    async def refresh(self) -> TaskRecord:
        """Ask the service now how the task stands, and remember it."""
        self._tracked = self._renew(self._tracked)
        return await self._look(self._tracked)

    def __repr__(self) -> str:
        return f"Task(id={self.id!r}, state={self.state!r})"


class VeoClient:
    """A client for the Veo Videos Generation API, for one event loop.

    Use it with ``async with``, or without and ``await veo.aclose()`` at the end. It holds no task
    group and no cancel scope, so a fixture or a web framework's lifespan may own it.

    Args:
        api_token: the API token; without one the environment variable
            ``ACEDATACLOUD_API_TOKEN`` is read.
        base_url: the API's address; without one ``ACEDATACLOUD_API_BASE_URL`` is read, then
            ``https://api.acedata.cloud`` is used. It must be https unless it is this machine.
        mode: ``"async"`` submits and polls. ``"sync"`` holds each connection until its video is
            ready, as the API guide's basic usage does.
        rate_limit: how much is asked of the service at once.
        poll: when to look how the tasks stand.
        retry: what follows a submit that was not accepted.
        callbacks: where the service calls when a video is ready, so that polls become a safety
            net; see `veo_async.callbacks`. A request with a ``callback_url`` of its own keeps it.
        transport: any ``httpx.AsyncBaseTransport``, for tests, the emulator, or
            ``httpx_aiohttp.AiohttpTransport``. The client closes it. Without one, the environment's
            proxies and CA bundles are honoured.
        proxy: a proxy for the default transport, as httpx takes it.
        verify: how certificates are verified, as httpx takes it.
        timeout: how long a call waits for its video unless it says otherwise, in seconds.
        on_event: is called with each event of `veo_async.events`, as it happens.
        runtime: the clock, the random numbers and the worker threads of the client, for tests
            that must repeat exactly; see `veo_async.testing.Runtime`.

    Raises:
        NoTokenError: there is no token.
        InvalidRequestError: an option cannot be right; ``field`` names it.
    """

    def __init__(
        self,
        api_token: str | None = None,
        *,
        base_url: str | None = None,
        mode: Literal["async", "sync"] = "async",
        rate_limit: RateLimit | None = None,
        poll: PollPolicy | None = None,
        retry: RetryPolicy | None = None,
        callbacks: Callbacks | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: httpx.Proxy | httpx.URL | str | None = None,
        verify: ssl.SSLContext | str | bool = True,
        timeout: float | timedelta = 3600.0,
        on_event: Listener | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        token = read_token(api_token or os.environ.get(TOKEN_VARIABLE))
        address = read_base_url(base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL)
        runtime = (runtime or Runtime()).with_steady_clock()
        events = EventEmitter(read_listener(on_event), runtime.wall_clock)
        limit = read_instance(rate_limit or RateLimit(), RateLimit, field="rate_limit")
        poll = read_instance(poll or PollPolicy(), PollPolicy, field="poll")
        retry = read_instance(retry or RetryPolicy(), RetryPolicy, field="retry")
        if transport is not None:
            read_instance(transport, httpx.AsyncBaseTransport, field="transport")
        self._mode = read_mode(mode)
        if callbacks is not None:
            read_instance(callbacks, Callbacks, field="callbacks")
            read_no_hold(self._mode)
        self._timeout = read_timeout(timeout)
        self._base_url = str(address)
        self._closing: asyncio.Task[None] | None = None
        self._wall, self._events = runtime.wall_clock, events
        self._api = API(
            token=token,
            base_url=self._base_url,
            concurrency=limit.concurrency,
            transport=transport,
            proxy=proxy,
            verify=verify,
            wall_clock=runtime.wall_clock,
        )
        self._limiter = Limiter(self._api, limit, runtime, events)
        queries = TaskListClient(self._limiter, poll, runtime)
        self._reconciler = Reconciler(self._api, queries, runtime, under_way=self._under_way)
        self._tracker = TaskRegistry(poll, runtime, events)
        self._poller = Poller(self._limiter, self._tracker, poll, runtime)
        self._callback_router = CallbackRouter(
            callbacks.desk if callbacks else None, self._tracker, self._reconciler
        )
        self._admission = Admission(self._limiter, self._poller)
        self._submitter = Submitter(
            self._admission,
            self._tracker,
            self._reconciler,
            self._callback_router,
            policy=retry,
            asynchronous=self._mode == "async",
            runtime=runtime,
            events=events,
        )
        self._downloads = Downloads(
            transport=transport,
            proxy=proxy,
            verify=verify,
            loopback_ok=address.place == "loopback",
            random=runtime.rng,
            run_sync=runtime.run_sync,
            look_up=queries.many,
        )
        self._max_in_flight = limit.in_flight or MANY
        self._deps = BatchDeps(
            submitter=self._submitter,
            tracker=self._tracker,
            reconciler=self._reconciler,
            downloads=self._downloads,
            callback_router=self._callback_router,
            policy=retry,
            runtime=runtime,
            await_end=self._await_end,
            events=events,
        )
        self.tasks = Tasks(queries)
        """The account's task list."""

    def __repr__(self) -> str:
        return f"VeoClient(base_url={self._base_url!r}, mode={self._mode!r})"

    # One video.

    async def text2video(
        self,
        prompt: str,
        *,
        model: str = DEFAULT_MODEL,
        aspect_ratio: AspectRatio | None = None,
        resolution: Resolution | None = None,
        translation: bool | None = None,
        callback_url: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: Timeout = None,
    ) -> Generation:
        """Make a video from a prompt, and wait for it.

        Args:
            prompt: what to show.
            model: the model's name; a name that is not known here is passed on.
            aspect_ratio: the shape of the picture.
            resolution: the size of the picture; the service's own default unless given.
            translation: whether the service translates the prompt to English first.
            callback_url: where the service posts the result as well.
            extra_body: fields that the vendor added after this version.
            timeout: seconds to wait in all; the task goes on at the service afterwards.

        Raises:
            InvalidRequestError: the request cannot be right; nothing was sent.
            APIError: the service refused; nothing was bought.
            SubmissionUncertainError: the submit may or may not have been accepted.
            GenerationFailedError: the service failed the task.
            WaitTimeoutError: the time is over; go on with ``veo.wait(error.task_id)``.
        """
        request = TextToVideo(
            prompt=prompt,
            model=model,
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            translation=translation,
            callback_url=callback_url,
            extra_body=dict(extra_body or {}),
        )
        return await self._run(request, timeout)

    async def image2video(
        self,
        prompt: str,
        image_urls: Sequence[str],
        *,
        model: str = DEFAULT_MODEL,
        aspect_ratio: AspectRatio | None = None,
        resolution: Resolution | None = None,
        translation: bool | None = None,
        callback_url: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: Timeout = None,
    ) -> Generation:
        """Make a video that starts from an image, or runs from a first to a last one.

        Args:
            prompt: what to show.
            image_urls: the first frame, or the first and the last one, as http(s) URLs.

        The other arguments, and the errors, are those of `text2video`.
        """
        request = ImageToVideo(
            prompt=prompt,
            image_urls=image_urls,
            model=model,
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            translation=translation,
            callback_url=callback_url,
            extra_body=dict(extra_body or {}),
        )
        return await self._run(request, timeout)

    async def ingredients2video(
        self,
        prompt: str,
        image_urls: Sequence[str],
        *,
        model: str = DEFAULT_MODEL,
        aspect_ratio: AspectRatio | None = None,
        resolution: Resolution | None = None,
        translation: bool | None = None,
        callback_url: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: Timeout = None,
    ) -> Generation:
        """Make a video of the things that one to three images show.

        The arguments and the errors are those of `image2video`.
        """
        request = IngredientsToVideo(
            prompt=prompt,
            image_urls=image_urls,
            model=model,
            aspect_ratio=aspect_ratio,
            resolution=resolution,
            translation=translation,
            callback_url=callback_url,
            extra_body=dict(extra_body or {}),
        )
        return await self._run(request, timeout)

    async def get_1080p(
        self,
        video_id: str,
        *,
        model: str = DEFAULT_MODEL,
        callback_url: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: Timeout = None,
    ) -> Generation:
        """Make the 1080p version of a finished video.

        Args:
            video_id: the ``id`` of a `Video`, not a task id. The result's video has the same id.
            model: the model's name.

        The other arguments, and the errors, are those of `text2video`.
        """
        request = Get1080p(
            video_id=video_id,
            model=model,
            callback_url=callback_url,
            extra_body=dict(extra_body or {}),
        )
        return await self._run(request, timeout)

    async def submit(self, request: VideoRequest, *, timeout: Timeout = None) -> Task:
        """Send a request, and return once it is accepted.

        A submit that has begun is never cut: if the caller is cancelled meanwhile, what came of
        it is in `unsettled` and in a warning.

        Args:
            request: what to make.
            timeout: seconds until it must be accepted; by default only the limits of
                `RetryPolicy` hold.

        Raises:
            WaitTimeoutError: the time was over before it was sent.
            APIError: the service refused; nothing was bought.
            ConnectionFailedError: the service could not be reached; nothing was bought.
            SubmissionUncertainError: it may or may not have been accepted.
        """
        wanted = read_request(request)
        seconds = float("inf") if timeout is None else read_timeout(timeout)
        deadline = anyio.current_time() + seconds
        with self._submitter.unsettled.tracking() as begun:
            tracked = await self._submitter.submit(wanted, deadline=deadline, begun=begun)
        renew = self._tracker.renew
        return Task(tracked, renew=renew, wait=self._await_end, look=self._refresh)

    async def wait(self, task_id: str, timeout: Timeout = None) -> Generation:
        """Wait for a task by its id, whichever process submitted it.

        Args:
            task_id: as `Task.id`, an error or a log line gave it.
            timeout: seconds to wait; without one, the client's.

        Raises:
            GenerationFailedError: the service failed the task.
            TaskNotFoundError: the service does not know this id.
            WaitTimeoutError: the time is over; the task goes on at the service.
            PollingError: the service could not be asked for a long time.
        """
        tracked = self._tracker.attach(task_id)
        self._callback_router.recall(tracked)
        self._reconciler.attached(task_id)
        return await self._await_end(tracked, timeout)

    # Many videos.

    def batch(
        self,
        requests: Iterable[Asked] | AsyncIterable[Asked],
        *,
        journal: str | os.PathLike[str] | None = None,
        download_to: str | os.PathLike[str] | None = None,
        upscale: bool = False,
        max_in_flight: int | None = None,
        max_submissions: int | None = None,
        retry_failed: bool = False,
        extend: bool = False,
        timeout: Timeout = None,
    ) -> Batch:
        """Make any number of videos, and have each outcome as soon as it is ready.

        ::

            async with veo.batch(requests, journal="run.db", download_to="out/") as outcomes:
                async for outcome in outcomes:
                    print(outcome.key, outcome.result or outcome.error)

        With a journal, run the same again after whatever ended it: finished items give their
        outcome at once, known tasks are only waited for, a submit whose end is unknown is looked
        for in the account's task list first, and nothing is bought twice.

        An item that ends in an error is an outcome; what is wrong with the input or the journal
        is raised from the ``async for``, after all that was under way. Whoever leaves early, or
        is cancelled, stops the submits; those that have begun settle first.

        Args:
            requests: any iterable or asynchronous iterable of requests, or of pairs of a key and
                a request. It is read as far as there is room. Without a key of yours, it is a
                hash of the request and its occurrence number: ten equal requests are ten videos.
            journal: the file that remembers what was bought; it is created if there is none.
            download_to: the folder in which each video is saved, named by its number in the
                order of the input and by its prompt, with a record of each item beside it
                (``0007-a-coffee-mug.json``), also of one that failed. `veo_async.gallery` makes a
                page of it. A name stays its item's own in every later run.
            upscale: whether to make the 1080p version of each video as well. ``result`` is the
                last that was made: if the upscale fails, the video itself, beside the ``error``.
            max_in_flight: how many items are under way at most, from when they are read until
                their outcome is consumed; by default ``RateLimit.in_flight``, or 1000.
            max_submissions: how many submits may be billed in this run; the items beyond are
                outcomes with an error, and nothing is bought for them.
            retry_failed: whether to try again what an earlier run saw refused or failed.
            extend: whether to buy what is new although the input looks like another one than the
                journal's.
            timeout: seconds for each item, from its beginning; the client's own by default.

        Raises:
            InvalidRequestError: an option cannot be right.
            JournalError: at the ``async with``: the file is no journal, is in use, or cannot be
                written.
        """
        return Batch(
            requests,
            self._deps,
            Options(
                folder=None if download_to is None else Path(download_to),
                upscale=upscale,
                retry_failed=retry_failed,
                timeout=self._seconds(timeout),
                max_submissions=read_count("max_submissions", max_submissions, least=0),
            ),
            journal=journal,
            max_in_flight=read_count("max_in_flight", max_in_flight, least=1)
            or self._max_in_flight,
            extend=extend,
        )

    async def generate_many(
        self, requests: Iterable[VideoRequest], *, timeout: Timeout = None
    ) -> list[Outcome]:
        """Make many videos at once, within the client's limits.

        Args:
            requests: what to make.
            timeout: seconds to wait for each of them.

        Returns:
            One `Outcome` for each request, in the same order. A request that fails is an outcome
            with its ``error``, and disturbs no other. A notebook shows the list as a table.
        """
        seconds = self._seconds(timeout)
        wanted = [read_request(request) for request in requests]
        with self._submitter.unsettled.tracking() as begun:
            return await run_all(wanted, self._deps, timeout=seconds, posts=begun)

    @property
    def unsettled(self) -> tuple[Unsettled, ...]:
        """Submits whose callers were gone before they were told what came of them.

        Each was sent and may have been paid for. One with a ``task_id`` leaves this list once
        `wait` has brought its end.
        """
        return self._submitter.unsettled.unsettled

    # Files.

    async def download(self, video: Video | Generation, path: str | os.PathLike[str]) -> Path:
        """Save a video's file as ``path``, whole or not at all.

        A body that breaks off is gone on with. If its address is no longer good, the service is
        asked for the present one; for that the video must come from a `Generation`, which knows
        its task.

        Raises:
            InvalidRequestError: the video has no ``video_url``.
            DownloadError: it could not be fetched; the video stays paid for.
        """
        source = read_source(video)
        if not isinstance(path, os.PathLike):
            path = read_instance(path, str, field="path")
        began = self._wall()
        saved = await self._downloads.fetch(
            source.url, Path(path), task_id=source.task_id, video_id=source.video_id
        )
        if self._events:
            at = self._events.now()
            downloaded = Downloaded(
                at=at, path=saved, seconds=at - began, task_id=source.task_id or None
            )
            self._events.emit(downloaded)
        return saved

    # The end.

    async def aclose(self) -> None:
        """Let open submits settle, end all waits, and close the connections.

        Tasks that were accepted go on at the service.
        """
        if self._closing is None or (self._closing.done() and self._closing.cancelled()):
            # A task of its own: a caller that is cancelled must not leave connections behind.
            loop = asyncio.get_running_loop()
            self._closing = loop.create_task(self._close(), name="veo_async end", context=Context())
        with anyio.CancelScope(shield=True):
            try:
                await asyncio.wait([self._closing])
            except asyncio.CancelledError:
                # Open submits may finish for `RetryPolicy.shutdown_grace` seconds. A second
                # cancellation does not wait for that, and the task ends by itself.
                await asyncio.wait([self._closing])
                raise
        self._closing.result()

    async def _close(self) -> None:
        async with AsyncExitStack() as last:
            last.push_async_callback(self._api.aclose)
            last.push_async_callback(self._downloads.aclose)
            last.callback(self._admission.close)
            last.callback(self._callback_router.close)
            last.push_async_callback(self._poller.aclose)
            last.push_async_callback(self._reconciler.aclose)
            await self._submitter.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # What the methods above share.

    def _under_way(self) -> Sequence[LostSubmit]:
        return self._submitter.under_way()

    def _seconds(self, timeout: Timeout) -> float:
        return self._timeout if timeout is None else read_timeout(timeout)

    async def _run(self, request: VideoRequest, timeout: Timeout) -> Generation:
        with self._submitter.unsettled.tracking() as begun:
            return await self._make(request, timeout, begun)

    async def _make(self, request: VideoRequest, timeout: Timeout, begun: list[Post]) -> Generation:
        deadline = anyio.current_time() + self._seconds(timeout)
        tracked = await self._submitter.submit(request, deadline=deadline, begun=begun)
        return await self._await_end(tracked, max(deadline - anyio.current_time(), 0.0))

    async def _await_end(self, tracked: TrackedTask, timeout: Timeout) -> Generation:
        try:
            generation = await self._poller.wait(tracked, self._seconds(timeout))
        except GenerationFailedError:
            self._ended(tracked)
            raise
        self._ended(tracked)
        return generation

    def _ended(self, tracked: TrackedTask) -> None:
        self._submitter.unsettled.resolved(tracked.task_id)
        self._callback_router.ended(tracked)

    async def _refresh(self, tracked: TrackedTask) -> TaskRecord:
        record = await self.tasks.retrieve(tracked.task_id)
        self._tracker.apply_record(tracked, record)
        return record
