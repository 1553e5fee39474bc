"""The transport: makes one HTTP call to the API, and returns its result as a value.

Every error on the way becomes a `Failure` that names the exception; `_submit.verdict` judges what
it proves. The token is added here and nowhere else, goes to the API's own host alone, and is
removed from every answer.
"""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio
import httpx
from pydantic_core import to_json

from .._base.redaction import REPLACEMENT
from .._base.runtime import JUMP
from .._base.token import Token
from .body import read_body
from .replies import Answer, Failure, Reply, as_utf8, is_own_form, received, service_time
from .requests import PATHS, Lane
from .transports import default_transport, family_of, qualified

CONNECT_TIMEOUT = 10.0
"""Seconds to open a connection, and as many for TLS on it: a failure to connect proves that nothing
was sent. A call with less time gives each a third of it, so that this proof comes before the
timeout of the call itself, which proves nothing."""


def _version() -> str:
    try:
        return version("veo-async")
    except PackageNotFoundError:  # pragma: no cover - a source tree that was never installed
        return "0"


USER_AGENT = f"veo-async/{_version()} python/{platform.python_version()} httpx/{httpx.__version__}"


class API:
    """The API's host, and the token for it.

    Attributes:
        clock_offset: seconds by which the service's clock runs ahead of this machine's, by the
            ``Date`` of its last answer; ``None`` before the first one, and after this machine's
            clock has jumped until the next one.
    """

    def __init__(
        self,
        *,
        token: Token,
        base_url: str,
        concurrency: int,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: httpx.Proxy | None = None,
        verify: Any = True,
        wall_clock: Callable[[], float],
    ) -> None:
        self._token = token
        self._urls = {lane: httpx.URL(base_url + path) for lane, path in PATHS.items()}
        self._is_reached = False
        self._headers = httpx.Headers(
            {
                b"host": httpx.URL(base_url).netloc,
                b"accept": b"application/json",
                # Not deflate: some servers send it without zlib's header.
                b"accept-encoding": b"gzip",
                b"connection": b"keep-alive",
                b"content-type": b"application/json",
                b"user-agent": USER_AGENT.encode(),
                b"authorization": REPLACEMENT.encode(),
            }
        )
        self._wall = wall_clock
        self._offset: float | None = None
        self._ahead = 0.0
        self._transport = transport or default_transport(
            base_url, proxy=proxy, verify=verify, concurrency=concurrency
        )
        self._family = family_of(self._transport)

    async def post(self, lane: Lane, body: dict[str, Any], *, timeout: float) -> Answer:
        """Post a JSON object; ``timeout`` seconds are for the whole call. It raises nothing but a
        cancellation."""
        outer = sys.exception()
        request = self._request(lane, to_json(body), timeout)
        try:
            reply = await self._exchange(request, timeout)
        except BaseException as exc:
            # A cancellation, too, leads to frames that hold the headers. An exception may refer to
            # the request, which is kept without the token.
            request.headers["authorization"] = REPLACEMENT
            shown = self._token.redactor.exception(exc, outer=outer)
            if not isinstance(exc, Exception):
                if shown is None:
                    exc.__cause__, exc.__context__ = None, outer
                raise
            return self._failure(exc, shown)
        date = service_time(reply)
        if date is not None:
            # ``Date`` has whole seconds, so half a second is missing on average.
            self.clock_offset = date + 0.5 - self._wall()
        return reply

    @property
    def clock_offset(self) -> float | None:
        has_jumped = abs(self._ahead_of_loop() - self._ahead) > JUMP / 2
        return None if self._offset is None or has_jumped else self._offset

    @clock_offset.setter
    def clock_offset(self, offset: float) -> None:
        self._offset, self._ahead = offset, self._ahead_of_loop()

    def _ahead_of_loop(self) -> float:
        """By how much the clock runs ahead of the event loop's: another number after a jump."""
        return self._wall() - asyncio.get_running_loop().time()

    def _request(self, lane: Lane, content: bytes, timeout: float) -> httpx.Request:
        # By hand, since all but the body is the same each time: httpx's merge of its defaults costs
        # as much as the rest of a call.
        connect = min(CONNECT_TIMEOUT, timeout / 3)
        request = httpx.Request(
            "POST",
            self._urls[lane],
            headers=self._headers,
            stream=httpx.ByteStream(content),
            extensions={"timeout": {"connect": connect, "read": None, "write": None, "pool": None}},
        )
        request.headers["content-length"] = str(len(content))
        request.read()  # a transport may ask for the content
        return request

    async def _exchange(self, request: httpx.Request, timeout: float) -> Reply:
        response: httpx.Response | None = None
        try:
            async with asyncio.timeout(timeout):
                request.headers["authorization"] = self._token.authorization()
                response = await self._transport.handle_async_request(request)
                body = await read_body(response)
        except BaseException:
            if response:
                with anyio.CancelScope(shield=True):  # a cancelled call must still release it
                    await _release(response)
            raise
        await _release(response)
        redactor = self._token.redactor
        headers = {
            name: redactor.text(value) for name, value in _fields(response.headers.raw).items()
        }
        content = redactor.body(as_utf8(body))
        reply = received(response.status_code, headers, content, now=self._wall())
        self._is_reached = self._is_reached or is_own_form(reply)
        if self._is_reached:
            return reply
        return replace(reply, unrecognised_address=redactor.text(str(request.url)))

    def _failure(self, exc: Exception, shown: BaseException | None) -> Failure:
        text = self._token.redactor.text(str(exc))
        return Failure(
            family=self._family,
            error=_lineage(exc),
            cause=_lineage(exc.__cause__),
            detail=f"{type(exc).__name__}: {text}" if text else type(exc).__name__,
            exception=shown,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


async def _release(response: httpx.Response) -> None:
    """Release the connection. An answer that was read counts, however its connection ends."""
    with suppress(Exception):
        await response.aclose()


def _fields(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The header fields by names in lower case; repeated ones form one list (RFC 9110, 5.3)."""
    fields: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields


def _lineage(exc: BaseException | None) -> tuple[str, ...]:
    return () if exc is None else tuple(qualified(cls) for cls in type(exc).__mro__)
