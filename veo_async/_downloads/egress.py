"""The route of a request for a file: by the proxy in effect, else directly to a checked address."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from itertools import zip_longest
from socket import SOCK_STREAM
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import anyio
import httpcore
import httpx

from .._base.urls import AddressError, is_stand_in, may_connect
from .response import NotRetryable

Proxy = str | httpx.URL | httpx.Proxy


STAND_IN = (
    "The DNS of this machine maps the host into 198.18.0.0/15, as a VPN or a proxy client in "
    "fake-IP mode does."
)
ALLOW = "If you use one, allow it: VeoClient(allow_reserved=True) or VEO_ASYNC_ALLOW_RESERVED=1."

STAGGER = 0.25
"""Seconds between the attempts at two addresses of a name (RFC 8305, section 8)."""


class Egress(httpx.AsyncBaseTransport):
    """The default transport for files.

    A proxy, the given one or else the environment's, resolves names itself and may be inside the
    network, so it is not checked. Without one, names are resolved here, and connections go to
    checked addresses only.

    Args:
        proxy: for every request; ``None`` asks the environment (``HTTPS_PROXY``, ``NO_PROXY``, or
            the system's settings, by the standard library's rules).
        verify: as in httpx.
        loopback_ok: whether connections to this machine are allowed.
        reserved_ok: whether connections to the stand-in addresses of a network are allowed.
    """

    def __init__(
        self,
        *,
        proxy: Proxy | None = None,
        verify: ssl.SSLContext | str | bool = True,
        loopback_ok: bool = False,
        reserved_ok: bool = False,
    ) -> None:
        self._proxy = proxy
        self._verify = verify
        self._allowed = {"loopback_ok": loopback_ok, "reserved_ok": reserved_ok}
        self._tls: ssl.SSLContext | None = None
        self._routes: dict[Proxy | None, httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request by its route; a route is made at its first use."""
        proxy = self._proxy or environment_proxy(request.url)
        if proxy not in self._routes:
            self._routes[proxy] = self._route(proxy)
        return await self._routes[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        while self._routes:
            _, route = self._routes.popitem()
            await route.aclose()

    def _route(self, proxy: Proxy | None) -> httpx.AsyncBaseTransport:
        # Reading the certificates takes a while, so they are read once, at the first use.
        self._tls = self._tls or httpx.create_ssl_context(verify=self._verify)
        if proxy is None:
            return _Direct(self._tls, **self._allowed)
        return httpx.AsyncHTTPTransport(proxy=proxy, verify=self._tls)


def environment_proxy(url: httpx.URL) -> str | None:
    """The proxy that the environment names for this URL."""
    if proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


class _Direct(httpx.AsyncBaseTransport):
    """A transport with a network backend of ours: httpx's own has no option for it."""

    def __init__(self, tls: ssl.SSLContext, **allowed: bool) -> None:
        # Without anyio httpcore would put a stand-in of another type in its place.
        network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,  # the downloader limits them
            max_keepalive_connections=4,
            keepalive_expiry=5.0,
            network_backend=CheckedNetwork(network, **allowed),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                url,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.aiter_stream()

    async def aclose(self) -> None:
        await self._answer.aclose()


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves a name once, refuses it if any of its addresses is not public, and connects to these
    addresses: the name cannot be bound to another one between the check and the connection.

    TLS is unchanged: certificates are still checked against the name.
    """

    def __init__(
        self,
        inner: httpcore.AsyncNetworkBackend,
        *,
        loopback_ok: bool = False,
        reserved_ok: bool = False,
    ) -> None:
        self._inner = inner
        self._loopback_ok = loopback_ok
        self._reserved_ok = reserved_ok

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the addresses one after the other, each `STAGGER` seconds after the one
        before it or when that has failed, until one of them answers (RFC 8305, section 5)."""

        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            return await self._inner.connect_tcp(
                address, port, timeout, local_address, socket_options
            )

        streams, errors = await _race(connect, interleaved(await self._resolve(host, port)))
        if not streams:
            raise errors[-1]
        first, *late = streams
        for stream in late:
            await stream.aclose()
        return first

    async def _resolve(self, host: str, port: int) -> list[str]:
        found = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        refused = [address for address in addresses if not self._may_connect(address)]
        if refused and all(map(is_stand_in, refused)):
            raise NotRetryable(STAND_IN, ALLOW)
        if refused:
            raise AddressError("is a name that leads to a private or reserved address")
        return addresses

    def _may_connect(self, address: str) -> bool:
        return may_connect(address, loopback_ok=self._loopback_ok, reserved_ok=self._reserved_ok)


async def _race(
    connect: Callable[[str], Awaitable[httpcore.AsyncNetworkStream]], addresses: Sequence[str]
) -> tuple[list[httpcore.AsyncNetworkStream], list[Exception]]:
    """The connection to the first address that answers (a second one may be ready as well), and
    the failures before it."""
    streams: list[httpcore.AsyncNetworkStream] = []
    errors: list[Exception] = []
    scopes = [anyio.CancelScope() for _ in addresses]
    begun, ended = ([anyio.Event() for _ in addresses] for _ in range(2))

    async def attempt(number: int, address: str) -> None:
        with scopes[number]:
            if number:
                await begun[number - 1].wait()
                with anyio.move_on_after(STAGGER):
                    await ended[number - 1].wait()
            begun[number].set()
            try:
                streams.append(await connect(address))
            except Exception as exc:  # noqa: BLE001 - the caller raises the last one
                errors.append(exc)
                ended[number].set()
                return
            for other in range(len(addresses)):
                if other != number:
                    scopes[other].cancel()

    async with anyio.create_task_group() as group:
        for number, address in enumerate(addresses):
            group.start_soon(attempt, number, address)
    return streams, errors


def interleaved(addresses: Iterable[str]) -> list[str]:
    """The addresses with both families in turn, the family of the first one first (RFC 8305,
    section 4)."""
    families: dict[bool, list[str]] = {}
    for address in addresses:
        families.setdefault(":" in address, []).append(address)
    pairs = zip_longest(*families.values())
    return [address for pair in pairs for address in pair if address is not None]
