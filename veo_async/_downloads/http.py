"""The hosts of files: where they are asked, with what, and for how long they are listened to."""

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


class Hosts:
    """Asks hosts for files. The requests carry no token, no cookie and nothing else of the account.

    Args:
        transport: a transport of the caller's, who closes it. It owns connecting, so addresses
            are judged by their text alone. ``None`` for one of our own: see `Egress`.
        proxy, verify: for our own transport.
        loopback_ok: whether files may come from this machine.
        max_bytes: the largest file.
        times: how long to listen.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None,
        *,
        proxy: Proxy | None,
        verify: ssl.SSLContext | str | bool,
        loopback_ok: bool,
        max_bytes: int,
        times: DownloadTimes,
    ) -> None:
        own = Egress(proxy=proxy, verify=verify, loopback_ok=loopback_ok)
        self._own = own if transport is None else None
        self._transport = own if transport is None else transport
        self._loopback_ok = loopback_ok
        self._max_bytes = max_bytes
        self._times = times
        self._closed = False

    def check(self, url: str) -> Address:
        """The address of a file.

        Raises:
            AddressError: nobody goes there.
        """
        return read_file_address(url, loopback_ok=self._loopback_ok)

    @asynccontextmanager
    async def ask(
        self, url: str, partial: PartialFile
    ) -> AsyncGenerator[tuple[Body, AsyncGenerator[bytes]]]:
        """Ask for a file, or for the rest of it: what follows, and that, piece by piece.

        Raises:
            FileRefused, TryAgain, AddressError: see `judge_response`.
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
        response = await _outside(
            times.connect + times.read, self._transport.handle_async_request, request
        )
        try:
            yield response
        finally:
            with anyio.move_on_after(times.close, shield=True), suppress(Exception):
                await response.aclose()

    async def _pieces(self, response: httpx.Response) -> AsyncGenerator[bytes]:
        async with aclosing(_raw(response)) as pieces:
            while (piece := await _outside(self._times.read, anext, pieces, None)) is not None:
                yield piece

    async def aclose(self) -> None:
        """Ask nothing more, and close what is ours."""
        self._closed = True
        if self._own is not None:
            await self._own.aclose()


async def _raw(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The body as it came over the wire. `httpx.Response.aiter_raw` refuses the answers of fakes
    that were given their content at once."""
    async for piece in cast("httpx.AsyncByteStream", response.stream):
        yield piece


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
        raise Retryable(f"The connection failed ({type(exc).__name__}).") from exc
