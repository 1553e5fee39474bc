"""The fetches of files: the only place that reads from the hosts of videos and writes to disk."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

import anyio
import httpx

from .._core.addresses import Address, AddressError, next_hop, read_file_address
from .._core.backoff import backoff
from .._core.files import (
    CHECK_DISK,
    FileRefused,
    Reception,
    Redirect,
    TryAgain,
    failure_message,
    judge_answer,
    part_name,
)
from ..errors import ClientClosedError, DownloadError
from .egress import Egress, Proxy
from .partfile import PartFile
from .seams import RunSync, in_thread

T = TypeVar("T")

MAX_REDIRECTS = 5
WRITE_SIZE = 256 * 1024  # bytes; a hop to a thread costs about what writing these does

# Never the token; no cookies and no referrer either. The body as it is, or the lengths that are
# compared would not be those of the file, and a small answer could inflate to any size.
HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "veo-async"}


@dataclass(frozen=True, slots=True)
class DownloadTimes:
    """How long a fetch may take, in seconds.

    Attributes:
        connect: until there is a connection.
        read: until the answer begins, and from one piece of it to the next.
        total: all tries and pauses together, without the wait for a free place.
        close: saying goodbye to a connection.
        backoff, max_backoff: the first and the longest pause between two tries.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 3600.0
    close: float = 2.0
    backoff: float = 0.5
    max_backoff: float = 10.0


class Downloads:
    """Fetches files, a few at a time, and leaves none half done.

    The requests carry no token, no cookie and nothing else of the account.

    Args:
        transport: a transport of the caller's, who closes it. It owns connecting, so addresses
            are judged by their text alone. ``None`` for one of our own: see `Egress`.
        proxy: for our own transport; ``None`` asks the environment.
        verify: for our own transport, as in httpx.
        loopback_ok: whether the API is on this machine, so that files may come from it too.
        random: the luck for names and pauses.
        run_sync: where blocking calls run.
        max_bytes: the largest file.
        parallel: fetches at a time.
        tries: how often a fetch is tried whose failure may pass.
        times: how long it may take.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: Proxy | None = None,
        verify: ssl.SSLContext | str | bool = True,
        loopback_ok: bool = False,
        random: Random,
        run_sync: RunSync = in_thread,
        max_bytes: int = 4 * 1024**3,
        parallel: int = 4,
        tries: int = 4,
        times: DownloadTimes | None = None,
    ) -> None:
        own = Egress(proxy=proxy, verify=verify, loopback_ok=loopback_ok)
        self._own = own if transport is None else None
        self._transport = own if transport is None else transport
        self._loopback_ok = loopback_ok
        self._random = random
        self._run_sync = run_sync
        self._max_bytes = max_bytes
        self._places = anyio.Semaphore(parallel)
        self._tries = tries
        self._times = times or DownloadTimes()
        self._closed = False

    async def fetch(self, url: str, path: Path, *, task_id: str | None = None) -> Path:
        """Save the MP4 at ``url`` as ``path``, whole or not at all, and return ``path``.

        Folders are created and a file of that name is replaced. A cancelled fetch leaves no
        unfinished file; if its rename was already under way, the whole file is there.

        Raises:
            DownloadError: it could not be fetched, was not an MP4, or could not be written.
            ClientClosedError: `aclose` was called.
        """
        try:
            async with self._places:
                await self._in_time(url, path)
        except (FileRefused, TryAgain, AddressError) as exc:
            message = failure_message(exc, url=url, path=path, task_id=task_id)
            raise DownloadError(message, url=url, path=path, task_id=task_id) from exc.__cause__
        return path

    async def aclose(self) -> None:
        """Fetch nothing more, and close what is ours."""
        self._closed = True
        if self._own is not None:
            await self._own.aclose()

    async def _in_time(self, url: str, path: Path) -> None:
        try:
            with anyio.fail_after(self._times.total):
                await self._repeatedly(url, path)
        except TimeoutError:
            raise TryAgain(f"It took longer than {self._times.total:g} seconds.") from None

    async def _repeatedly(self, url: str, path: Path) -> None:
        times = self._times
        for failures in range(1, self._tries):
            with suppress(TryAgain):
                return await self._once(url, path)
            u = self._random.random()
            await anyio.sleep(backoff(failures, first=times.backoff, cap=times.max_backoff, u=u))
        return await self._once(url, path)

    async def _once(self, url: str, path: Path) -> None:
        address = read_file_address(url, loopback_ok=self._loopback_ok)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._answer(address) as response:
                answer = judge_answer(
                    response.status_code, response.headers, max_bytes=self._max_bytes
                )
                if not isinstance(answer, Redirect):
                    reception = Reception(answer, max_bytes=self._max_bytes)
                    return await self._save(response, reception, path)
            address = next_hop(address, answer.location, loopback_ok=self._loopback_ok)
        raise FileRefused(f"There were more than {MAX_REDIRECTS} redirects.")

    @asynccontextmanager
    async def _answer(self, address: Address) -> AsyncGenerator[httpx.Response]:
        if self._closed:
            raise ClientClosedError("The client was closed. The video can still be downloaded.")
        times = self._times
        timeout = httpx.Timeout(times.read, connect=times.connect).as_dict()
        request = httpx.Request(
            "GET", str(address), headers=HEADERS, extensions={"timeout": timeout}
        )
        response = await _outside(
            times.connect + times.read, self._transport.handle_async_request, request
        )
        try:
            yield response
        finally:
            with anyio.move_on_after(times.close, shield=True), suppress(Exception):
                await response.aclose()

    async def _save(self, response: httpx.Response, reception: Reception, path: Path) -> None:
        name = part_name(path.name, self._random.getrandbits(32))
        part = PartFile(path, path.parent / name)
        try:
            await self._on_disk(part.begin)
            await self._receive(response, reception, part)
            await self._on_disk(part.commit)
        except BaseException:
            await self._discard(part)
            raise

    async def _receive(
        self, response: httpx.Response, reception: Reception, part: PartFile
    ) -> None:
        waiting = bytearray()
        async with aclosing(_chunks(response)) as chunks:
            while (chunk := await _outside(self._times.read, anext, chunks, None)) is not None:
                reception.take(chunk)
                waiting += chunk
                if len(waiting) >= WRITE_SIZE:
                    await self._on_disk(part.write, bytes(waiting))
                    waiting.clear()
        reception.end()
        await self._on_disk(part.write, bytes(waiting))

    async def _on_disk(self, call: Callable[..., None], *args: bytes) -> None:
        try:
            await self._run_sync(call, *args)
        except (OSError, ValueError) as exc:  # ValueError: a path with a null character
            reason = getattr(exc, "strerror", None) or exc
            raise FileRefused(f"Writing failed: {reason}.", CHECK_DISK) from exc

    async def _discard(self, part: PartFile) -> None:
        try:
            with anyio.CancelScope(shield=True):
                await self._run_sync(part.discard)
        finally:
            # Once more, for a second cancellation by asyncio, which no shield of anyio stops. It
            # waits for a call that is still running in a thread, for the length of that call.
            part.discard()


async def _chunks(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The body as it came over the wire. `httpx.Response.aiter_raw` refuses the answers of fakes
    that were given their content at once."""
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        yield chunk


async def _outside(seconds: float, call: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Await a transport for at most so long.

    A transport may be anybody's, so whatever it raises means that the fetch failed; repeating a
    fetch is harmless. In-process transports enforce no timeout, so it is enforced here.
    """
    try:
        with anyio.fail_after(seconds):
            return await call(*args)
    except AddressError:
        raise
    except Exception as exc:
        raise TryAgain(f"The connection failed ({type(exc).__name__}).") from exc
