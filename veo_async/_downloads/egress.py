"""The route of a request for a file: by the proxy in effect, else directly to a checked address."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from socket import SOCK_STREAM
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import anyio
import httpcore
import httpx

from .._base.urls import AddressError, may_connect

Proxy = str | httpx.URL | httpx.Proxy


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
    """

    def __init__(
        self,
        *,
        proxy: Proxy | None = None,
        verify: ssl.SSLContext | str | bool = True,
        loopback_ok: bool = False,
    ) -> None:
        self._proxy = proxy
        self._verify = verify
        self._loopback_ok = loopback_ok
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
            return _Direct(self._tls, loopback_ok=self._loopback_ok)
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

    def __init__(self, tls: ssl.SSLContext, *, loopback_ok: bool) -> None:
        # Without anyio httpcore would put a stand-in of another type in its place.
        network = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=None,  # the downloader limits them
            max_keepalive_connections=4,
            keepalive_expiry=5.0,
            network_backend=CheckedNetwork(network, loopback_ok=loopback_ok),
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

    def __init__(self, inner: httpcore.AsyncNetworkBackend, *, loopback_ok: bool) -> None:
        self._inner = inner
        self._loopback_ok = loopback_ok

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; all share the timeout."""
        addresses = await self._resolve(host, port)
        share = None if timeout is None else timeout / len(addresses)

        async def connect(address: str) -> httpcore.AsyncNetworkStream:
            return await self._inner.connect_tcp(
                address, port, share, local_address, socket_options
            )

        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await connect(address)
        return await connect(addresses[-1])

    async def _resolve(self, host: str, port: int) -> list[str]:
        found = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
        addresses = list(dict.fromkeys(sockaddr[0] for *_, sockaddr in found))
        if not all(may_connect(address, loopback_ok=self._loopback_ok) for address in addresses):
            raise AddressError("is a name that leads to a private or reserved address")
        return addresses
