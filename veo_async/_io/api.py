"""The transport: one HTTP call to the API, and what came of it, as a value.

Everything that can go wrong on the way is a `Failure` that names the exception; what it proves
is for the core to say. The token is added here and nowhere else, goes to the API's own host
alone, and is struck from all that comes back.
"""

from __future__ import annotations

import json
import platform
import zlib
from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import anyio
import httpx

from .._core.reply import Answer, Failure, Reply

CONNECT_TIMEOUT = 10.0
"""Seconds to open a connection: a failure to connect is proof that nothing was sent."""

KEEPALIVE = 2.0
"""Seconds that an idle connection is kept: an older one may be closed by the other side just
when it is used, and a submit that is cut that way is uncertain for nothing."""

MAX_BODY = 16 * 2**20
"""The longest answer that is read, in bytes, once inflated. A page of 50 records has 100 KB."""


def _version() -> str:
    try:
        return version("veo-async")
    except PackageNotFoundError:  # pragma: no cover - a source tree that was never installed
        return "0"


USER_AGENT = f"veo-async/{_version()} python/{platform.python_version()} httpx/{httpx.__version__}"


class BodyTooLarge(Exception):
    """The answer is longer than what is read."""


class UnknownEncoding(Exception):
    """The answer is compressed in a way that was not offered."""


class API:
    """The API's host, spoken to with the token."""

    def __init__(
        self,
        *,
        token: str,
        base_url: str,
        concurrency: int,
        transport: httpx.AsyncBaseTransport | None = None,
        proxy: Any = None,
        verify: Any = True,
        observe: Callable[[Answer], None],
    ) -> None:
        self._token = token
        self._base_url = base_url
        self._family = family_of(transport)
        self._observe = observe
        self._http = httpx.AsyncClient(
            transport=transport,
            proxy=proxy,
            verify=verify,
            # The limiter opens no more calls than this, so a call never waits for the pool.
            limits=httpx.Limits(
                max_connections=concurrency,
                max_keepalive_connections=concurrency,
                keepalive_expiry=KEEPALIVE,
            ),
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT),
            follow_redirects=False,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            headers={
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
                "content-type": "application/json",
                "user-agent": USER_AGENT,
            },
        )

    async def post(self, path: str, body: dict[str, Any], *, timeout: float) -> Answer:
        """Post a JSON object; ``timeout`` seconds are for the whole call. Never raises but for
        cancellation."""
        request = self._http.build_request(
            "POST",
            self._base_url + path,
            content=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
            headers={"authorization": f"Bearer {self._token}"},
        )
        try:
            with anyio.fail_after(timeout):
                answer: Answer = await self._exchange(request)
        except Exception as exc:  # noqa: BLE001 - a transport may raise anything: the core judges
            # The exception may hold the request; it goes on without the token.
            request.headers["authorization"] = "[secret]"
            answer = self._failure(exc)
        self._observe(answer)
        return answer

    async def _exchange(self, request: httpx.Request) -> Reply:
        response = await self._http.send(request, stream=True)
        try:
            body = await read_body(response)
        finally:
            # A cancelled call must still give its connection back.
            with anyio.CancelScope(shield=True):
                await response.aclose()
        headers = {name.lower(): self._strike(value) for name, value in response.headers.items()}
        return Reply(response.status_code, headers, self._strike_bytes(body))

    def _failure(self, exc: Exception) -> Failure:
        text = self._strike(str(exc))
        return Failure(
            family=self._family,
            error=_lineage(exc),
            cause=_lineage(exc.__cause__),
            detail=f"{type(exc).__name__}: {text}" if text else type(exc).__name__,
            exception=exc,
        )

    def _strike(self, text: str) -> str:
        return text.replace(self._token, "[secret]")

    def _strike_bytes(self, body: bytes) -> bytes:
        quoted = json.dumps(self._token)[1:-1]
        for spelling in {self._token, quoted, quoted.replace("/", r"\/")}:
            body = body.replace(spelling.encode(), b"[secret]")
        return body

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def family_of(transport: httpx.AsyncBaseTransport | None) -> str:
    """Whose exceptions a transport raises.

    The exact type counts, since a subclass may raise anything. A transport of somebody else's
    may declare with ``failure_family`` that its exceptions mean what httpx's own mean.
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
        BodyTooLarge: there is more.
        UnknownEncoding: it is compressed in a way that was not offered.
    """
    if response.is_stream_consumed:
        return response.content  # a transport that answers from memory has read it already
    parts: list[bytes] = []
    async for part in _inflated(response, limit):
        limit -= len(part)
        if limit < 0:
            raise BodyTooLarge(f"the answer is longer than {MAX_BODY} bytes")
        parts.append(part)
    return b"".join(parts)


async def _inflated(response: httpx.Response, limit: int) -> AsyncIterator[bytes]:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if encoding not in ("gzip", "deflate"):
        raise UnknownEncoding(f"the answer is encoded as {encoding[:40]!r}")
    # 32 lets zlib tell gzip from deflate by the first bytes; what is inflated at once is bounded.
    inflate = zlib.decompressobj(32 + zlib.MAX_WBITS)
    async for chunk in response.aiter_raw():
        yield inflate.decompress(chunk, limit + 1)
