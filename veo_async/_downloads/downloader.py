"""The fetches of files: a few at a time, each until the file is complete or cannot be fetched."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from errno import EACCES, EBUSY, EPERM, ETXTBSY
from functools import partial
from math import inf
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import anyio
import httpx

from .._base.backoff import backoff
from .._base.runtime import RunSync, in_thread
from .._base.urls import AddressError
from ..errors import DownloadError, VeoError
from ..models import TaskRecord
from .egress import Proxy
from .http import DownloadTimes, Hosts
from .part_file import Notes, PartFile
from .response import (
    CHECK_DISK,
    BodyCheck,
    NotRetryable,
    Restart,
    Retryable,
    UrlExpired,
    failure_message,
    fresh_url,
)
from .resume import FileIdentity, PartialFile, notes_for, resumable

T = TypeVar("T")

WRITE_SIZE = 256 * 1024  # bytes; a hop to a thread costs about what writing these does

SAVE_SIZE = 4 * 1024**2
"""Bytes after which the part is made durable, so that a killed process loses no more."""

MOST_TRIES = 50
"""Failures in a row after which a fetch is given up, however quickly they came."""

HELD = frozenset({EACCES, EPERM, EBUSY, ETXTBSY})
"""Errors of a file that another program holds, with Windows' as Python translates them."""

HELD_PAUSES = (0.1, 0.2, 0.4, 0.8)
"""Seconds between the attempts to name such a file."""

RENEWALS = 2
"""Fresh URLs that one fetch may get: a long one may outlive the first."""

LookUp = Callable[[Sequence[str]], Awaitable[Sequence[TaskRecord]]]


@dataclass(slots=True, eq=False)
class _Fetch:
    """One fetch under way. ``saved`` bytes of it are durable, with notes for a later run.
    ``may_appear`` says that its file was announced just now, so that it may be about to appear."""

    url: str
    part: PartFile
    task_id: str | None
    video_id: str | None
    identity: FileIdentity | None
    may_appear: bool
    partial: PartialFile = field(default_factory=PartialFile)
    saved: int = 0

    def notes(self) -> Notes:
        """The notes for a later run about the present bytes."""
        return partial(notes_for, self.identity, self.partial)


@dataclass(slots=True)
class _Patience:
    """The failures of a fetch since its last progress.

    Attributes:
        seconds: the time since the progress after which the fetch is given up.
        since: the time of the progress, and ``before`` the bytes at that time.
    """

    seconds: float
    since: float
    before: PartialFile
    failures: int = 0

    def is_over(self, partial: PartialFile, tries: int, since: float = inf) -> bool:
        """Count a failure. Returns whether it ends the fetch, which has at least so many tries.

        Args:
            since: since when no fetch has succeeded; infinite if that is not known to matter.
        """
        now = anyio.current_time()
        if partial.made_progress(self.before):
            self.failures, self.before, self.since = 0, partial, now
        self.failures += 1
        is_late = now >= min(self.since, since) + self.seconds
        return self.failures >= (tries if is_late else MOST_TRIES)


class Downloads:
    """Fetches files, a few at a time, and leaves no incomplete file under a final name.

    Args:
        transport, proxy, verify: see `Hosts`.
        loopback_ok: whether the API is on this machine, so that files may come from it too.
        reserved_ok: whether names may lead to the stand-in addresses of a network.
        random: the random numbers for the jitter of pauses.
        run_sync: runs the blocking calls.
        look_up: retrieves tasks, for fresh URLs; with ``None`` a URL is never renewed.
        max_bytes: the size of the largest file.
        parallel: fetches at a time.
        tries: attempts at a fetch with retryable failures, at least, although its patience is over;
            progress starts the count again.
        times: the time limits.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: Proxy | None = None,
        verify: ssl.SSLContext | str | bool = True,
        loopback_ok: bool = False,
        reserved_ok: bool = False,
        random: Random,
        run_sync: RunSync = in_thread,
        look_up: LookUp | None = None,
        max_bytes: int = 4 * 1024**3,
        parallel: int = 4,
        tries: int = 4,
        times: DownloadTimes | None = None,
    ) -> None:
        self._times = times or DownloadTimes()
        self._hosts = Hosts(
            transport,
            proxy=proxy,
            verify=verify,
            loopback_ok=loopback_ok,
            reserved_ok=reserved_ok,
            max_bytes=max_bytes,
            times=self._times,
        )
        self._random = random
        self._run_sync = run_sync
        self._look_up = look_up
        self._max_bytes = max_bytes
        self._slots = anyio.Semaphore(parallel)
        self._tries = tries
        self._ill_since = inf

    async def fetch(
        self,
        url: str,
        path: Path,
        *,
        task_id: str | None = None,
        video_id: str | None = None,
        stage: str | None = None,
        is_new: bool = True,
    ) -> Path:
        """Save the MP4 at ``url`` as ``path``, complete or not at all, and return ``path``.

        Folders are created, and a file of that name is replaced. A fetch that is cancelled during
        its last step, the rename, leaves the complete file.

        Args:
            url: the URL of the file.
            path: the final path of the file.
            task_id: the file's task, which is retrieved for a fresh URL after one has expired.
            video_id: the video of the task; ``None`` for the first.
            is_new: whether the video may have been finished just now. The file of a task is then
                asked for again for a while.
            stage: the stage of the file's item in a batch. The bytes of a failed or cancelled fetch
                then stay beside ``path``, for a later fetch of the same task and stage; without
                a stage they are removed.

        Raises:
            DownloadError: the file could not be fetched, was not an MP4, or could not be written.
            ClientClosedError: `aclose` was called.
        """
        identity = FileIdentity(task_id, stage) if task_id and stage else None
        may_appear = is_new and task_id is not None
        fetch = _Fetch(url, PartFile(path), task_id, video_id, identity, may_appear)
        try:
            self._hosts.check(url)
            async with self._slots:
                await self._within_time(fetch)
        except (NotRetryable, Retryable, AddressError) as exc:
            message = failure_message(exc, url=fetch.url, path=path, task_id=task_id)
            raise DownloadError(
                message, url=fetch.url, path=path, task_id=task_id
            ) from exc.__cause__
        return path

    async def aclose(self) -> None:
        """Fetch nothing more, and close our own transport."""
        await self._hosts.aclose()

    async def _within_time(self, fetch: _Fetch) -> None:
        try:
            with anyio.fail_after(self._times.total):
                await self._fetch_file(fetch)
        except TimeoutError:
            raise Retryable(f"It took longer than {self._times.total:g} seconds.") from None

    async def _fetch_file(self, fetch: _Fetch) -> None:
        try:
            fetch.partial = await self._on_disk(
                fetch.part.begin, partial(resumable, identity=fetch.identity)
            )
            fetch.saved = fetch.partial.count
            await self._with_retries(fetch)
            await self._commit(fetch.part)
        except NotRetryable:
            await self._leave(fetch, None)
            raise
        except BaseException:
            await self._leave(fetch, fetch.notes())
            raise

    async def _with_retries(self, fetch: _Fetch) -> None:
        seconds, now = self._times.patience, anyio.current_time()
        patience = _Patience(seconds, now, fetch.partial)
        renewals = 0
        while True:
            try:
                return await self._attempt(fetch)
            except UrlExpired:
                renewals += 1
                if renewals <= RENEWALS and await self._renew_url(fetch):
                    continue
                if not fetch.may_appear or patience.is_over(fetch.partial, 1):
                    raise
            except Retryable as exc:
                # Where every host fails, the patience of all fetches began with the first failure.
                self._ill_since = min(self._ill_since, anyio.current_time())
                if patience.is_over(fetch.partial, self._tries, self._ill_since):
                    raise
                if isinstance(exc, Restart):
                    fetch.partial = fetch.partial.without_validator()
            await self._pause(patience.failures)

    async def _pause(self, failures: int) -> None:
        first, cap = self._times.backoff, self._times.max_backoff
        await anyio.sleep(backoff(failures, first=first, cap=cap, u=self._random.random()))

    async def _renew_url(self, fetch: _Fetch) -> bool:
        """Get a fresh URL from the service, since URLs expire. Returns whether it is new."""
        if self._look_up is None or fetch.task_id is None:
            return False
        try:
            url = fresh_url(await self._look_up([fetch.task_id]), fetch.video_id)
        except VeoError:
            return False
        stale, fetch.url = fetch.url, url or fetch.url
        return fetch.url != stale

    async def _attempt(self, fetch: _Fetch) -> None:
        async with self._hosts.ask(fetch.url, fetch.partial) as (body, pieces):
            if body.start < fetch.partial.count:
                fetch.partial, fetch.saved = PartialFile(), 0
                await self._on_disk(fetch.part.truncate, 0)
            fetch.partial = PartialFile(body.start, body.validator, body.length)
            await self._receive(fetch, BodyCheck(body, max_bytes=self._max_bytes), pieces)
        self._ill_since = inf

    async def _receive(self, fetch: _Fetch, check: BodyCheck, pieces: AsyncIterable[bytes]) -> None:
        waiting = bytearray()
        try:
            async for piece in pieces:
                check.take(piece)
                waiting += piece
                if len(waiting) >= WRITE_SIZE:
                    await self._write(fetch, waiting)
            check.end()
        except Restart:
            raise
        except Retryable:
            await self._write(fetch, waiting)  # so that the next attempt resumes after it
            raise
        await self._write(fetch, waiting)

    async def _write(self, fetch: _Fetch, waiting: bytearray) -> None:
        await self._on_disk(fetch.part.write, bytes(waiting))
        fetch.partial = replace(fetch.partial, count=fetch.partial.count + len(waiting))
        waiting.clear()
        if (
            fetch.identity
            and fetch.part.is_lasting
            and fetch.partial.count >= fetch.saved + SAVE_SIZE
        ):
            await self._on_disk(fetch.part.save, fetch.notes())
            fetch.saved = fetch.partial.count

    async def _on_disk(self, call: Callable[..., T], *args: Any) -> T:
        try:
            return await self._run_sync(call, *args)
        except (OSError, ValueError) as exc:  # ValueError: a path with a null character
            reason = getattr(exc, "strerror", None) or exc
            raise NotRetryable(f"Writing failed: {reason}.", CHECK_DISK) from exc

    async def _commit(self, part: PartFile) -> None:
        """Give a file its name. A scanner or a sync program may hold it for a moment."""
        for pause in HELD_PAUSES:
            try:
                await self._on_disk(part.commit)
            except NotRetryable as exc:
                if getattr(exc.__cause__, "errno", None) not in HELD:
                    raise
            else:
                return
            await anyio.sleep(pause)
        await self._on_disk(part.commit)

    async def _leave(self, fetch: _Fetch, notes: Notes | None) -> None:
        try:
            with anyio.CancelScope(shield=True):
                await self._run_sync(fetch.part.leave, notes)
        finally:
            # Again, for a second cancellation by asyncio, which no shield of anyio stops. It waits
            # for a call that is still running in a thread.
            fetch.part.leave(notes)
