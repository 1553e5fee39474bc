"""The HTTP requests for files: their headers, redirects and time limits."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import anyio
import httpx

from .._base.urls import Address, AddressError, next_hop, read_file_address
from ..errors import ClientClosedError
from .egress import Egress, Proxy
from .response import Body, NotRetryable, Redirect, Retryable, judge_response
from .resume import PartialFile, request_headers

T = TypeVar("T")

MAX_REDIRECTS = 5

# Never the token; no cookies and no referrer either. No compression: the compared lengths would not
# be those of the file, and a small answer could inflate to any size.
HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "veo-async"}


@dataclass(frozen=True, slots=True)
class DownloadTimes:
    """The time limits of a fetch, in seconds.

    Attributes:
        connect: for opening a connection.
        read: until the answer begins, and from one piece of it to the next.
        total: for all attempts and pauses together, without the wait for a free slot.
        close: for closing a connection.
        backoff, max_backoff: the first and the longest pause between two attempts.
        patience: since the last progress, until a fetch that fails is given up. A video that was
            just finished may not be at every edge of its CDN yet, and a host may be ill for a
            minute.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 3600.0
    close: float = 2.0
    backoff: float = 0.5
    max_backoff: float = 10.0
    patience: float = 90.0


class Hosts:
    """Requests files from hosts. The requests contain nothing of the account: no token, no cookie.

    Args:
        transport: a transport of the caller's, who closes it. It opens the connections, so
            addresses are checked by their text alone. ``None`` for one of our own: see `Egress`.
        proxy, verify: for our own transport.
        loopback_ok: whether files may come from this machine.
        reserved_ok: whether names may lead to the stand-in addresses of a network.
        max_bytes: the size of the largest file.
        times: the time limits.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None,
        *,
        proxy: Proxy | None,
        verify: ssl.SSLContext | str | bool,
        loopback_ok: bool,
        reserved_ok: bool,
        max_bytes: int,
        times: DownloadTimes,
    ) -> None:
        own = Egress(proxy=proxy, verify=verify, loopback_ok=loopback_ok, reserved_ok=reserved_ok)
        self._own = own if transport is None else None
        self._transport = own if transport is None else transport
        self._loopback_ok = loopback_ok
        self._max_bytes = max_bytes
        self._times = times
        self._closed = False

    def check(self, url: str) -> Address:
        """The address of a file.

        Raises:
            AddressError: the address is refused.
        """
        return read_file_address(url, loopback_ok=self._loopback_ok)

    @asynccontextmanager
    async def ask(
        self, url: str, partial: PartialFile
    ) -> AsyncGenerator[tuple[Body, AsyncGenerator[bytes]]]:
        """Request a file, or the rest of it; yields the body's range, and its pieces.

        Raises:
            NotRetryable, Retryable: see `judge_response`.
            AddressError: the address, or that of a redirect, is refused.
            ClientClosedError: `aclose` was called.
        """
        address = self.check(url)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._answer(address, request_headers(partial)) as response:
                answer = judge_response(
                    response.status_code,
                    response.headers,
                    max_bytes=self._max_bytes,
                    partial=partial,
                )
                if not isinstance(answer, Redirect):
                    async with aclosing(self._pieces(response)) as pieces:
                        yield answer, pieces
                    return
            address = next_hop(address, answer.location, loopback_ok=self._loopback_ok)
        raise NotRetryable(f"There were more than {MAX_REDIRECTS} redirects.")

    @asynccontextmanager
    async def _answer(
        self, address: Address, more: dict[str, str]
    ) -> AsyncGenerator[httpx.Response]:
        if self._closed:
            raise ClientClosedError("The client was closed. The video can still be downloaded.")
        times = self._times
        timeout = httpx.Timeout(times.read, connect=times.connect).as_dict()
        request = httpx.Request(
            "GET", str(address), headers=HEADERS | more, extensions={"timeout": timeout}
        )
        response = await _within(
            times.connect + times.read, self._transport.handle_async_request, request
        )
        try:
            yield response
        finally:
            with anyio.move_on_after(times.close, shield=True), suppress(Exception):
                await response.aclose()

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        async with aclosing(_raw(response)) as pieces:
            while (piece := await _within(self._times.read, anext, pieces, None)) is not None:
                yield piece

    async def aclose(self) -> None:
        """Request nothing more, and close our own transport."""
        self._closed = True
        if self._own is not None:
            await self._own.aclose()


async def _raw(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The body as it came over the wire. `httpx.Response.aiter_raw` refuses the responses of fakes
    that were built with their content."""
    async for piece in cast("httpx.AsyncByteStream", response.stream):
        yield piece


async def _within(seconds: float, call: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Await a call of the transport, for at most so many seconds.

    A transport of the caller's may raise anything, so any exception counts as a failed fetch;
    repeating a fetch is harmless. In-process transports enforce no timeout, so it is enforced here.
    """
    try:
        with anyio.fail_after(seconds):
            return await call(*args)
    except (AddressError, NotRetryable):
        raise
    except Exception as exc:
        raise Retryable(f"The connection failed ({type(exc).__name__}).") from exc
