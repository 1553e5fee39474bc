"""The transport: makes one HTTP call to the API, and returns its result as a value.

Every error on the way becomes a `Failure` that names the exception; `_submit.verdict` judges what
it proves. The token is added here and nowhere else, goes to the API's own host alone, and is
removed from every answer.
"""

from __future__ import annotations

import asyncio
import platform
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import anyio
import httpx
from pydantic_core import to_json

from .._base.redaction import REPLACEMENT, Redactor
from .._base.runtime import JUMP
from ..errors import InvalidRequestError
from .replies import Answer, Failure, Reply, is_own_form, received, service_time
from .requests import PATHS, Lane

CONNECT_TIMEOUT = 10.0
"""Seconds to open a connection, and as many for TLS on it: a failure to connect proves that nothing
was sent. A call with less time gives each a third of it, so that this proof comes before the
timeout of the call itself, which proves nothing."""

KEEPALIVE = 2.0
"""Seconds that an idle connection is kept: the other side may close an older one in the moment of
its use, and a submit that breaks off that way is needlessly uncertain."""

MAX_BODY = 16 * 2**20
"""The longest answer that is read, in bytes, once inflated. A page of 50 records has 100 KB."""


def _version() -> str:
    try:
        return version("veo-async")
    except PackageNotFoundError:  # pragma: no cover - a source tree that was never installed
        return "0"


USER_AGENT = f"veo-async/{_version()} python/{platform.python_version()} httpx/{httpx.__version__}"


class BodyTooLarge(Exception):
    """The answer is longer than the limit."""


class UnknownEncoding(Exception):
    """The answer is compressed in a way that the request did not accept."""


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
        token: str,
        base_url: str,
        concurrency: int,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: Any = None,
        verify: Any = True,
        wall_clock: Callable[[], float],
    ) -> None:
        self._redactor = Redactor(token)
        self._urls = {lane: httpx.URL(base_url + path) for lane, path in PATHS.items()}
        self._is_reached = False
        self._headers = httpx.Headers(
            {
                b"host": httpx.URL(base_url).netloc,
                b"accept": b"application/json",
                # Not deflate: some servers send it without zlib's header, and an answer that
                # cannot be read makes a submit uncertain.
                b"accept-encoding": b"gzip",
                b"connection": b"keep-alive",
                b"content-type": b"application/json",
                b"user-agent": USER_AGENT.encode(),
                b"authorization": f"Bearer {token}".encode(),
            }
        )
        self._family = family_of(transport)
        self._wall = wall_clock
        self._offset: float | None = None
        self._ahead = 0.0
        self._http = _client(
            transport=transport,
            proxy=proxy,
            verify=verify,
            # The limiter opens no more calls than this, so a call never waits for the pool.
            limits=httpx.Limits(
                max_connections=concurrency,
                max_keepalive_connections=concurrency,
                keepalive_expiry=KEEPALIVE,
            ),
            follow_redirects=False,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        )
        self._send = _sender(self._http, None if proxy else transport)

    async def post(self, lane: Lane, body: dict[str, Any], *, timeout: float) -> Answer:
        """Post a JSON object; ``timeout`` seconds are for the whole call. It raises nothing but a
        cancellation."""
        outer = sys.exception()
        request = self._request(lane, to_json(body), timeout)
        try:
            reply = await self._exchange(request, timeout)
        except Exception as exc:  # noqa: BLE001 - a transport may raise anything
            # The exception may refer to the request, which is kept without the token.
            request.headers["authorization"] = REPLACEMENT
            return self._failure(exc, outer)
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
                response = await self._send(request)
                body = await read_body(response)
        except BaseException:
            if response:
                with anyio.CancelScope(shield=True):  # a cancelled call must still release it
                    await _release(response)
            raise
        await _release(response)
        headers = {
            name: self._redactor.text(value)
            for name, value in _fields(response.headers.raw).items()
        }
        content = self._redactor.body(body)
        reply = received(response.status_code, headers, content, now=self._wall())
        self._is_reached = self._is_reached or is_own_form(reply)
        if self._is_reached:
            return reply
        return replace(reply, unrecognised_address=self._redactor.text(str(request.url)))

    def _failure(self, exc: Exception, outer: BaseException | None) -> Failure:
        error, cause = _lineage(exc), _lineage(exc.__cause__)
        text = self._redactor.text(str(exc))
        return Failure(
            family=self._family,
            error=error,
            cause=cause,
            detail=f"{type(exc).__name__}: {text}" if text else type(exc).__name__,
            exception=self._redactor.exception(exc, outer=outer),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _client(**options: Any) -> httpx.AsyncClient:
    """httpx's client, or an error that names the option that it refuses."""
    try:
        return httpx.AsyncClient(**options)
    except Exception as exc:  # httpx has no error of its own for this
        # Certificates are files; a proxy may be malformed, or need a library that is not installed.
        field, variables = "proxy", "HTTPS_PROXY, ALL_PROXY and NO_PROXY"
        if isinstance(exc, OSError):
            field, variables = "verify", "SSL_CERT_FILE"
        problem = f"{field} (or {variables} in the environment) cannot be used: {exc}"
        raise InvalidRequestError(f"{problem}.", field=field) from exc


def _sender(
    client: httpx.AsyncClient, transport: httpx.AsyncBaseTransport | None
) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    """The function that sends a request. A transport of the caller's is called directly, since the
    client adds nothing to it (no proxies, redirects, cookies or authentication) and costs as much
    again."""
    return transport.handle_async_request if transport else partial(client.send, stream=True)


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


def family_of(transport: httpx.AsyncBaseTransport | None) -> str:
    """The family of exceptions that a transport raises.

    The exact type counts, since a subclass may raise anything. Any other transport may declare
    with ``failure_family`` that its exceptions have the meaning of httpx's own.
    """
    if transport is None or type(transport) is httpx.AsyncHTTPTransport:
        return "httpx"
    if _qualified(type(transport)) == "httpx_aiohttp.transport.AiohttpTransport":
        return "aiohttp"
    return str(getattr(transport, "failure_family", "unknown"))


def _qualified(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _lineage(exc: BaseException | None) -> tuple[str, ...]:
    return () if exc is None else tuple(_qualified(cls) for cls in type(exc).__mro__)


async def read_body(response: httpx.Response, limit: int = MAX_BODY) -> bytes:
    """The body, inflated, up to ``limit`` bytes.

    Raises:
        BodyTooLarge: it is longer.
        UnknownEncoding: it is compressed in a way that the request did not accept.
    """
    body = bytearray()
    inflate = _inflater(response)
    # Not `aiter_raw`, which closes the connection while it reads the last piece: an error there
    # would lose an answer that was read.
    stream = response.stream if not response.is_stream_consumed else _memory(response)
    async for chunk in cast("httpx.AsyncByteStream", stream):
        body += inflate(chunk, limit + 1 - len(body)) if inflate else chunk
        if len(body) > limit:
            raise BodyTooLarge(f"the answer is longer than {limit} bytes")
    return bytes(body)


async def _memory(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body of a response that was built from a value, not from a stream."""
    yield response.content


def _inflater(response: httpx.Response) -> Callable[[bytes, int], bytes] | None:
    """The function that inflates a piece of the body, up to a length; ``None`` if it is plain."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity" or response.is_stream_consumed:
        return None
    if encoding not in ("gzip", "deflate"):
        shown = repr(encoding) if len(encoding) <= 40 else "something long"
        raise UnknownEncoding(f"the answer is encoded as {shown}")
    # 32 lets zlib tell gzip from deflate by the first bytes.
    return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress
