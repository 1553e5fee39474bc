"""The face: `VeoClient` and `Task`. It wires the parts and holds the docstrings that users read."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

import anyio
import httpx

from ._base.runtime import Runtime
from ._base.token import Token
from ._base.urls import Address, read_base_url
from ._downloads.downloader import Downloads
from ._events import EventEmitter
from ._limits.admission import Admission
from ._limits.limiter import Limiter
from ._reconcile.reconciler import Reconciler
from ._submit.callback_router import CallbackRouter
from ._submit.marks import Marks
from ._submit.post import Post
from ._submit.sender import Sender
from ._submit.submitter import Submitter
from ._tracking.poller import Poller
from ._tracking.registry import TaskRegistry
from ._tracking.task import TrackedTask
from ._tracking.task_list import TaskListClient, Tasks
from ._wire.arguments import (
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    RESERVED_VARIABLE,
    TOKEN_VARIABLE,
    read_count,
    read_instance,
    read_listener,
    read_mode,
    read_no_hold,
    read_optional,
    read_request,
    read_source,
    read_switch,
    read_timeout,
    read_token,
)
from ._wire.http import API
from ._wire.transports import read_proxy, usable_proxy
from .callbacks import Callbacks
from .errors import TaskNotFoundError
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

if TYPE_CHECKING:
    # Imported with the first batch: the journal and SQLite are a good part of the library.
    from ._batch.batch import Batch as Batch  # noqa: PLC0414 - the command line names it
    from ._batch.options import BatchDeps
    from ._batch.reader import Asked

__all__ = ["Task", "VeoClient"]

Timeout = float | timedelta | None


class _Network(TypedDict):
    """The connection to the service and to the files, as httpx takes it."""

    transport: httpx.AsyncBaseTransport | None
    proxy: httpx.Proxy | None
    verify: ssl.SSLContext | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The options of a client, after they were checked."""

    address: Address
    listener: Listener | None
    limit: RateLimit
    poll: PollPolicy
    retry: RetryPolicy
    allow_reserved: bool
    network: _Network = field(repr=False)  # a proxy's address may hold a password
    mode: str
    callbacks: Callbacks | None
    timeout: float
    runtime: Runtime


class Task:
    """A task that the service accepted. It continues there if this process ends.

    ::

        task = await veo.submit(TextToVideo(prompt="A coffee mug on a marble counter"))
        print(task.id)  # another process can resume: await veo.wait(task_id)
        result = await task.result(timeout=600)

    Attributes:
        id: the service's id, which `VeoClient.wait` takes in any process. It is empty only if the
            service answered with a finished result that has none.
    """

    __module__ = "veo_async"

    def __init__(self, client: VeoClient, tracked: TrackedTask) -> None:
        self._client = client
        self._tracked = tracked
        self.id = tracked.task_id

    @property
    def state(self) -> State:
        """The task's state in the last answer about it. Reading it sends no request."""
        return self._tracked.state

    async def result(self, timeout: Timeout = None) -> Generation:
        """Wait for the result. Returns immediately if the result is there; after a failure the
        service is asked again.

        A timeout or a cancellation ends the wait only: the task continues at the service, and
        `result` may be called again.

        Args:
            timeout: seconds to wait; by default the client's.

        Returns:
            The result. ``result.video`` is its video, which `VeoClient.download` saves.

        Raises:
            InvalidRequestError: ``timeout`` is negative or no number.
            GenerationFailedError: the service failed the task.
            WaitTimeoutError: the time is over; call `result` again to resume.
            PollingError: too many polls failed in a row; call `result` again to resume.
            TaskNotFoundError: the service does not know the task.
            APIError: the account needs attention; the task stays paid for.
            ClientClosedError: the client was closed; resume with another one and ``veo.wait(id)``.
        """
        self._tracked = self._client._tracker.renew(self._tracked)
        return await self._client._await_end(self._tracked, timeout)

    async def refresh(self) -> TaskRecord:
        """Poll the task once, now, and remember its state.

        Returns:
            The service's record of the task.

        Raises:
            InvalidRequestError: the task has no id.
            TaskNotFoundError: the service does not know the task.
            APIError: the service refused to answer.
            RateLimitError: the service answered 429, also to the retries.
            ConnectionFailedError: the service could not be reached.
            ClientClosedError: the client was closed.
        """
        self._tracked = self._client._tracker.renew(self._tracked)
        try:
            record = await self._client.tasks.retrieve(self.id)
        except TaskNotFoundError as error:
            error.may_have_cost = True  # a submit was answered with this id
            raise
        self._client._tracker.apply_record(self._tracked, record)
        return record

    def __repr__(self) -> str:
        return f"Task(id={self.id!r}, state={self.state!r})"


class VeoClient:
    """A client for the Veo Videos Generation API, for one event loop.

    ::

        async with VeoClient() as veo:  # the token comes from ACEDATACLOUD_API_TOKEN
            result = await veo.text2video("A coffee mug on a marble counter")
            await veo.download(result.video, "mug.mp4")

    Without ``async with``, call ``await veo.aclose()`` at the end. The client holds no task group
    and no cancel scope, so a fixture or a web framework's lifespan may own it. All times are
    seconds, as a number or a ``timedelta``.

    Args:
        api_token: the API token; by default the environment variable ``ACEDATACLOUD_API_TOKEN``.
        base_url: the API's address; by default the environment variable
            ``ACEDATACLOUD_API_BASE_URL``, else ``https://api.acedata.cloud``. It must be https
            unless it leads to this machine.
        mode: ``"async"`` submits and polls. ``"sync"`` holds each connection until its video is
            ready, as the API guide's basic usage does.
        rate_limit: the limits on open calls, on videos in flight and on requests per second.
        poll: when tasks are polled.
        retry: when a submit that was not accepted is sent again.
        callbacks: the receiver that the service calls when a video is ready, so that polls become
            a safety net; see `veo_async.callbacks`. A request with a ``callback_url`` of its own
            keeps that.
        transport: any ``httpx.AsyncBaseTransport``: for tests, for the emulator, or
            ``httpx_aiohttp.AiohttpTransport``. The client closes it. It receives the token, and
            its proxies are its own. The default transport uses the environment's CA bundles, and
            its proxies unless ``base_url`` leads to this machine.
        proxy: a proxy for the default transport, as httpx takes it. With a ``base_url`` of plain
            http it must be on this machine, since it reads the token.
        verify: how certificates are verified, as httpx takes it.
        allow_reserved: whether files may come from 198.18.0.0/15, if their names lead there. VPN
            and proxy clients in fake-IP mode map every name to such an address. By default the
            environment variable ``VEO_ASYNC_ALLOW_RESERVED`` decides (``1`` allows it).
        timeout: seconds that a call waits for its video, for calls without a ``timeout`` of their
            own.
        on_event: a function that is called with each event of `veo_async.events`, as it happens.
        runtime: the clock, the random numbers and the worker threads of the client, for tests that
            must repeat exactly; see `veo_async.testing.Runtime`.

    Attributes:
        tasks: the account's task list: `Tasks`.

    Raises:
        NoTokenError: there is no token, or no header could contain it.
        InvalidRequestError: an option cannot be right; ``field`` names it.
    """

    __module__ = "veo_async"

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
        allow_reserved: bool | None = None,
        timeout: float | timedelta = 3600.0,
        on_event: Listener | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        # First of all, and without raising: this frame must not hold the secrets in an error below.
        token, route = Token(api_token or os.environ.get(TOKEN_VARIABLE)), read_proxy(proxy)
        api_token = proxy = None
        read_token(token)
        options = _Options(
            address=read_base_url(
                base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
            ),
            listener=read_listener(on_event),
            limit=read_instance(rate_limit or RateLimit(), RateLimit, field="rate_limit"),
            poll=read_instance(poll or PollPolicy(), PollPolicy, field="poll"),
            retry=read_instance(retry or RetryPolicy(), RetryPolicy, field="retry"),
            network=_Network(
                transport=read_optional(transport, httpx.AsyncBaseTransport, field="transport"),
                proxy=usable_proxy(route, transport),
                verify=verify,
            ),
            allow_reserved=read_switch(
                allow_reserved, os.environ.get(RESERVED_VARIABLE), field="allow_reserved"
            ),
            mode=read_mode(mode),
            callbacks=read_optional(callbacks, Callbacks, field="callbacks"),
            timeout=read_timeout(timeout),
            runtime=read_instance(runtime or Runtime(), Runtime, field="runtime"),
        )
        if options.callbacks is not None:
            read_no_hold(options.mode)
        self._options = options
        self._closing: asyncio.Task[None] | None = None
        self._make_parts(options, token, options.runtime.of_one_client())

    def _make_parts(self, options: _Options, token: Token, runtime: Runtime) -> None:
        """Make the parts in the order of their layers, each from the ones before it."""
        self._runtime = runtime
        self._events = events = EventEmitter(options.listener, runtime.wall_clock)
        self._api = API(
            token=token,
            base_url=str(options.address),
            concurrency=options.limit.concurrency,
            wall_clock=runtime.wall_clock,
            **options.network,
        )
        self._limiter = Limiter(self._api, options.limit, runtime, events)
        queries = TaskListClient(self._limiter, options.poll, runtime)
        self._reconciler = Reconciler(self._api, queries, runtime)
        self._tracker = TaskRegistry(options.poll, runtime, events)
        self._poller = Poller(self._limiter, self._tracker, options.poll, runtime)
        self._callback_router = CallbackRouter(
            options.callbacks.registry if options.callbacks else None,
            self._tracker,
            self._reconciler,
        )
        self._admission = Admission(self._limiter, self._poller)
        self._sender = Sender(
            self._admission,
            self._tracker,
            self._reconciler,
            self._callback_router,
            policy=options.retry,
            asynchronous=options.mode == "async",
            runtime=runtime,
            events=events,
            marks=Marks(options.retry, options.address),
        )
        self._submitter = Submitter(
            self._sender,
            self._admission,
            self._poller,
            self._reconciler,
            self._callback_router,
            queries=queries,
            events=events,
        )
        self._downloads = Downloads(
            loopback_ok=options.address.scope == "loopback",
            reserved_ok=options.allow_reserved,
            random=runtime.rng,
            run_sync=runtime.run_sync,
            look_up=queries.many,
            **options.network,
        )
        self._account = token.account
        self.tasks = Tasks(queries)
        """The account's task list."""

    @cached_property
    def _batch_deps(self) -> BatchDeps:
        """One for all batches of the client: it holds what a journal did not take."""
        from ._batch.options import BatchDeps
        from ._journal.buyer import Buyer

        return BatchDeps(
            submitter=self._submitter,
            tracker=self._tracker,
            reconciler=self._reconciler,
            downloads=self._downloads,
            callback_router=self._callback_router,
            policy=self._options.retry,
            runtime=self._runtime,
            events=self._events,
            buyer=Buyer(self._account, str(self._options.address)),
        )

    def __repr__(self) -> str:
        options: _Options | None = vars(self).get("_options")
        if options is None:  # as a traceback shows a client whose options were refused
            return "VeoClient()"
        return f"VeoClient(base_url={str(options.address)!r}, mode={options.mode!r})"

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
            prompt: the text that describes the video.
            model: the name of the model. A name that this version does not know is passed on.
            aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
            resolution: the size of the picture; by default the service's.
            translation: whether the service first translates the prompt to English.
            callback_url: an http(s) URL to which the service also posts the result.
            extra_body: further fields of the request, for those that the vendor added after this
                version.
            timeout: seconds for the submit and the wait together; by default the client's. The task
                continues at the service when they are over.

        Returns:
            The result. ``result.video`` is its video, which `download` saves.

        Raises:
            InvalidRequestError: an argument cannot be right; nothing was sent.
            APIError: the service refused; nothing was bought. An error of the account that comes
                while the task is polled has the ``task_id`` of a paid task.
            RateLimitError: the service answered 429 as often as `RetryPolicy` allows; nothing was
                bought.
            ConnectionFailedError: the service could not be reached; nothing was bought.
            SubmissionUncertainError: the submit may or may not have been accepted.
            GenerationFailedError: the service accepted the task and then failed it.
            WaitTimeoutError: the time is over; resume with ``veo.wait(error.task_id)``. Without a
                ``task_id`` nothing was sent.
            PollingError: too many polls failed in a row; resume with ``veo.wait(error.task_id)``.
            TaskNotFoundError: the service no longer knows the task that it accepted.
            ClientClosedError: the client was closed before the result came.
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
        """Make a video that starts from an image, or leads from a first image to a last one.

        Args:
            prompt: the text that describes the video.
            image_urls: the first frame, or the first and the last one, as http(s) URLs. Some models
                accept three.
            model: the name of the model. A name that this version does not know is passed on.
            aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
            resolution: the size of the picture; by default the service's.
            translation: whether the service first translates the prompt to English.
            callback_url: an http(s) URL to which the service also posts the result.
            extra_body: further fields of the request, for those that the vendor added after this
                version.
            timeout: seconds for the submit and the wait together; by default the client's. The task
                continues at the service when they are over.

        Returns:
            The result. ``result.video`` is its video, which `download` saves.

        Raises:
            InvalidRequestError: an argument cannot be right; nothing was sent.
            APIError: the service refused; nothing was bought. An error of the account that comes
                while the task is polled has the ``task_id`` of a paid task.
            RateLimitError: the service answered 429 as often as `RetryPolicy` allows; nothing was
                bought.
            ConnectionFailedError: the service could not be reached; nothing was bought.
            SubmissionUncertainError: the submit may or may not have been accepted.
            GenerationFailedError: the service accepted the task and then failed it.
            WaitTimeoutError: the time is over; resume with ``veo.wait(error.task_id)``. Without a
                ``task_id`` nothing was sent.
            PollingError: too many polls failed in a row; resume with ``veo.wait(error.task_id)``.
            TaskNotFoundError: the service no longer knows the task that it accepted.
            ClientClosedError: the client was closed before the result came.
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
        """Make a video that contains the things in one to three images, and wait for it.

        Args:
            prompt: the text that describes the video.
            image_urls: one to three images of the things, as http(s) URLs.
            model: the name of the model. A name that this version does not know is passed on.
            aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
            resolution: the size of the picture; by default the service's.
            translation: whether the service first translates the prompt to English.
            callback_url: an http(s) URL to which the service also posts the result.
            extra_body: further fields of the request, for those that the vendor added after this
                version.
            timeout: seconds for the submit and the wait together; by default the client's. The task
                continues at the service when they are over.

        Returns:
            The result. ``result.video`` is its video, which `download` saves.

        Raises:
            InvalidRequestError: an argument cannot be right; nothing was sent.
            APIError: the service refused; nothing was bought. An error of the account that comes
                while the task is polled has the ``task_id`` of a paid task.
            RateLimitError: the service answered 429 as often as `RetryPolicy` allows; nothing was
                bought.
            ConnectionFailedError: the service could not be reached; nothing was bought.
            SubmissionUncertainError: the submit may or may not have been accepted.
            GenerationFailedError: the service accepted the task and then failed it.
            WaitTimeoutError: the time is over; resume with ``veo.wait(error.task_id)``. Without a
                ``task_id`` nothing was sent.
            PollingError: too many polls failed in a row; resume with ``veo.wait(error.task_id)``.
            TaskNotFoundError: the service no longer knows the task that it accepted.
            ClientClosedError: the client was closed before the result came.
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
        """Make the 1080p version of a finished video, and wait for it.

        Args:
            video_id: the ``id`` of a `Video`, not a task id. The video of the result has the same
                id.
            model: the name of the model that made the video.
            callback_url: an http(s) URL to which the service also posts the result.
            extra_body: further fields of the request, for those that the vendor added after this
                version.
            timeout: seconds for the submit and the wait together; by default the client's. The task
                continues at the service when they are over.

        Returns:
            The result. ``result.video`` is its video, which `download` saves.

        Raises:
            InvalidRequestError: an argument cannot be right; nothing was sent.
            APIError: the service refused; nothing was bought. An error of the account that comes
                while the task is polled has the ``task_id`` of a paid task.
            RateLimitError: the service answered 429 as often as `RetryPolicy` allows; nothing was
                bought.
            ConnectionFailedError: the service could not be reached; nothing was bought.
            SubmissionUncertainError: the submit may or may not have been accepted.
            GenerationFailedError: the service accepted the task and then failed it.
            WaitTimeoutError: the time is over; resume with ``veo.wait(error.task_id)``. Without a
                ``task_id`` nothing was sent.
            PollingError: too many polls failed in a row; resume with ``veo.wait(error.task_id)``.
            TaskNotFoundError: the service no longer knows the task that it accepted.
            ClientClosedError: the client was closed before the result came.
        """
        request = Get1080p(
            video_id=video_id,
            model=model,
            callback_url=callback_url,
            extra_body=dict(extra_body or {}),
        )
        return await self._run(request, timeout)

    async def submit(self, request: VideoRequest, *, timeout: Timeout = None) -> Task:
        """Send a request, and return as soon as the service has accepted it.

        ::

            task = await veo.submit(TextToVideo(prompt="A coffee mug on a marble counter"))
            print(task.id)
            result = await task.result()

        Once the POST has started, cancelling the caller does not abort it. Its outcome is then
        logged as a warning and kept in `unsettled`.

        Args:
            request: the request: a `TextToVideo`, `ImageToVideo`, `IngredientsToVideo` or
                `Get1080p`.
            timeout: seconds until the request must be accepted; by default only the limits of
                `RetryPolicy` hold.

        Returns:
            The accepted task. Its ``result()`` waits for the video.

        Raises:
            InvalidRequestError: ``request`` is no request, or ``timeout`` is no time; nothing was
                sent.
            APIError: the service refused; nothing was bought.
            RateLimitError: the service answered 429 as often as `RetryPolicy` allows; nothing was
                bought.
            ConnectionFailedError: the service could not be reached; nothing was bought.
            SubmissionUncertainError: the submit may or may not have been accepted.
            WaitTimeoutError: the time was over before the request was sent; nothing was bought.
            ClientClosedError: the client is closed; nothing was sent.
        """
        self._runtime.check_loop()
        wanted = read_request(request)
        seconds = float("inf") if timeout is None else read_timeout(timeout)
        deadline = anyio.current_time() + seconds
        with self._submitter.unsettled.tracking() as begun:
            tracked = await self._submitter.submit(wanted, deadline=deadline, begun=begun)
        return Task(self, tracked)

    async def wait(self, task_id: str, timeout: Timeout = None) -> Generation:
        """Wait for a task by its id. Any process may have submitted it.

        ::

            result = await veo.wait("dd01fc69-e1f7-4b68-aa8c-463f6b748d11", timeout=600)

        A timeout or a cancellation ends the wait only: the task continues at the service, and a
        second `wait` resumes. After a failure it asks the service again: a failure holds only as
        long as the service says so.

        Args:
            task_id: the task's id, from `Task.id`, an error or a log line.
            timeout: seconds to wait; by default the client's.

        Returns:
            The result. ``result.video`` is its video, which `download` saves.

        Raises:
            InvalidRequestError: ``task_id`` is no id, or ``timeout`` is no time.
            GenerationFailedError: the service failed the task.
            WaitTimeoutError: the time is over; wait again to resume.
            PollingError: too many polls failed in a row; wait again to resume.
            TaskNotFoundError: the service does not know this id.
            APIError: the account needs attention; the task stays paid for.
            ClientClosedError: the client was closed; wait with another one.
        """
        self._runtime.check_loop()
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
        adopt_journal: bool = False,
        timeout: Timeout = None,
    ) -> Batch:
        """Make any number of videos, and receive each outcome as soon as it is ready.

        ::

            async with veo.batch(requests, journal="run.db", download_to="out/") as outcomes:
                async for outcome in outcomes:
                    print(outcome.key, outcome.result or outcome.error)

        With a journal, a run that was stopped or killed is resumed by the same call: finished items
        give their outcome immediately, known tasks are only waited for, a submit whose outcome is
        unknown is first searched for in the account's task list, and nothing is bought twice.

        An item that ends in an error is an outcome. An error of the input or of the journal is
        raised from the ``async for``, after the items in flight have ended. Leaving the block
        early, or cancelling it, starts no more submits; the POSTs that have started may still
        finish.

        Args:
            requests: an iterable or asynchronous iterable of requests, or of pairs of a key and a
                request. It is read as far as there is room. The default key is a hash of the
                request and its occurrence number: ten equal requests are ten videos.
            journal: the file that records each submit and its outcome; it is created if it does not
                exist. By default there is none.
            download_to: the folder in which each video is saved. A file is named by the item's
                number in the input and by its prompt, and keeps its name in every later run. A
                record of each item lies beside it (``0007-a-coffee-mug.json``), also of one that
                failed. `veo_async.gallery` makes a page of the folder.
            upscale: whether to make the 1080p version of each video as well. ``result`` is the last
                version that was made: if the upscale fails, the video itself, beside the ``error``.
            max_in_flight: the most items in flight, from when an item is read until its outcome is
                consumed; by default ``RateLimit.in_flight``, or 1000.
            max_submissions: the most submits of this run that may be billed. Each item beyond is an
                outcome with a `SubmissionLimitError`, and nothing is bought for it.
            retry_failed: whether to submit again the items that an earlier run saw refused or
                failed. The service is asked about each failed task first: one that has succeeded
                since, or still runs, is not bought again.
            extend: whether to buy what is new to the journal although the input does not look like
                the journal's, or although records in ``download_to`` say that it was bought before.
            adopt_journal: whether to resume a journal that was bought with another token or at
                another address, and to make it this client's. Pass it if they belong to the same
                account: its token was replaced, or the address has a new name. Another account
                knows none of the journal's tasks, and lost submits would be bought there again.
            timeout: seconds for each item, from when it is read; by default the client's.

        Returns:
            The batch. ``async with`` opens its journal and gives the iterator over the outcomes.

        Raises:
            InvalidRequestError: an option cannot be right; or, from the ``async for``, an entry of
                the input is no request or has the key of another one.
            JournalError: from the ``async with``: the file is no journal, is in use, is damaged,
                cannot be written, or was bought with another account or at another address. From
                the ``async for``: it does not belong to this input or to the folder, or the disk
                failed.
        """
        from ._batch.batch import Batch
        from ._batch.folder import Folder
        from ._batch.options import Options
        from ._batch.stages import MANY

        return Batch(
            requests,
            self._batch_deps,
            Options(
                folder=None if download_to is None else Folder(Path(download_to)),
                upscale=upscale,
                retry_failed=retry_failed,
                timeout=self._seconds(timeout),
                max_submissions=read_count("max_submissions", max_submissions, least=0),
            ),
            journal=journal,
            max_in_flight=read_count("max_in_flight", max_in_flight, least=1)
            or self._options.limit.in_flight
            or MANY,
            extend=extend,
            adopt_journal=adopt_journal,
        )

    async def generate_many(
        self, requests: Iterable[VideoRequest], *, timeout: Timeout = None
    ) -> list[Outcome]:
        """Make many videos at once, within the client's limits.

        ::

            requests = [TextToVideo(prompt=prompt) for prompt in ("A mug", "A lamp")]
            for outcome in await veo.generate_many(requests):
                print(outcome.request.prompt, outcome.result or outcome.error)

        Args:
            requests: the requests. All of them are read first.
            timeout: seconds for each request; by default the client's.

        Returns:
            One `Outcome` for each request, in the same order. A request that fails is an outcome
            with an ``error``, and affects no other. A notebook shows the list as a table.

        Raises:
            InvalidRequestError: an entry is no request, or ``timeout`` is no time; nothing was
                sent.
        """
        from ._batch.batch import run_all

        seconds = self._seconds(timeout)
        wanted = [read_request(request) for request in requests]
        with self._submitter.unsettled.tracking() as begun:
            return await run_all(wanted, self._batch_deps, timeout=seconds, posts=begun)

    @property
    def unsettled(self) -> tuple[Unsettled, ...]:
        """The submits whose caller was cancelled before it received the outcome.

        Each was sent and may have been billed. One with a ``task_id`` is removed once `wait` has
        returned its result or its failure.
        """
        return self._submitter.unsettled.unsettled

    # Files.

    async def download(self, video: Video | Generation, path: str | os.PathLike[str]) -> Path:
        """Save the file of a video as ``path``, whole or not at all.

        ::

            result = await veo.text2video("A coffee mug on a marble counter")
            await veo.download(result.video, "mug.mp4")

        A transfer that breaks off is resumed. If the URL has expired, the service is asked for the
        current one; for that the video must come from a `Generation`, which knows its task.

        Args:
            video: the video, or a result, whose first video with a file is taken.
            path: the name of the file. Its folder is created, and a file of this name is replaced.

        Returns:
            The path of the file.

        Raises:
            InvalidRequestError: the video has no ``video_url``, or ``path`` is no path.
            DownloadError: the file could not be fetched or saved; the video stays paid for.
            ClientClosedError: the client is closed; the video stays paid for.
        """
        self._runtime.check_loop()
        source = read_source(video)
        if not isinstance(path, os.PathLike):
            path = read_instance(path, str, field="path")
        began = self._events.now()
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
        """Close the client. It may be called again.

        Submits that have started may finish for `RetryPolicy.shutdown_grace` seconds. Then all
        waits end with `ClientClosedError`, and the connections are closed. Accepted tasks continue
        at the service. A second cancellation of the caller no longer waits for the open submits.

        A client whose event loop is closed has nothing left to close.

        Raises:
            InvalidRequestError: the client belongs to another event loop, which still runs. Close
                it there.
        """
        if self._runtime.is_over:
            return
        self._runtime.check_loop()
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
            await self._sender.aclose()

    async def __aenter__(self) -> Self:
        self._runtime.check_loop()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # What the methods above share.

    def _seconds(self, timeout: Timeout) -> float:
        return self._options.timeout if timeout is None else read_timeout(timeout)

    async def _run(self, request: VideoRequest, timeout: Timeout) -> Generation:
        with self._submitter.unsettled.tracking() as begun:
            return await self._make(request, timeout, begun)

    async def _make(self, request: VideoRequest, timeout: Timeout, begun: list[Post]) -> Generation:
        self._runtime.check_loop()
        deadline = anyio.current_time() + self._seconds(timeout)
        tracked = await self._submitter.submit(request, deadline=deadline, begun=begun)
        return await self._await_end(tracked, max(deadline - anyio.current_time(), 0.0))

    async def _await_end(self, tracked: TrackedTask, timeout: Timeout) -> Generation:
        return await self._submitter.wait(tracked, self._seconds(timeout))
