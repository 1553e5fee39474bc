"""The addresses that the emulator connects to: for callbacks, and for the images of requests.

Both were chosen by a caller. A name is resolved once; each of its addresses is checked, and the
connection goes to a checked one, after every redirect as well. So no name can be bound to another
address in between.
"""

from __future__ import annotations

from socket import SOCK_STREAM
from typing import Literal

import anyio
import httpx

from .._base.urls import may_connect

Targets = Literal["public", "loopback", "any"]


class Reach:
    """The rule for these addresses.

    Args:
        targets: see `Emulator`.

    Attributes:
        exposed: the number of open ports that other machines can reach.
    """

    def __init__(self, targets: Targets | None = None) -> None:
        self._targets = targets
        self.exposed = 0

    def allows(self, ip: str) -> bool:
        """True if the emulator may connect to this IP address."""
        targets = self._targets or ("public" if self.exposed else "loopback")
        return targets == "any" or may_connect(ip, loopback_ok=targets == "loopback")


class Egress(httpx.AsyncBaseTransport):
    """Real connections, directly (without a proxy, which would resolve names itself).

    Args:
        reach: the addresses that may be connected to.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the first address that answers.

        Raises:
            httpx.TransportError: the name does not exist, leads to an address that is not allowed,
                or the call failed.
        """
        *others, last = await self._resolved(request)
        for ip in others:
            try:
                return await self._inner.handle_async_request(_pinned(request, ip))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(_pinned(request, last))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()

    async def _resolved(self, request: httpx.Request) -> list[str]:
        host = request.url.raw_host.decode("ascii")
        try:
            found = await anyio.getaddrinfo(host, None, type=SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise httpx.ConnectError(f"{host} is unknown", request=request) from exc
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        if not all(map(self._reach.allows, addresses)):
            message = f"{host} leads to an address that the emulator may not connect to"
            raise httpx.ConnectError(message, request=request)
        return addresses


def _pinned(request: httpx.Request, ip: str) -> httpx.Request:
    """The request to this address; the name stays in ``Host`` and is what TLS checks."""
    headers, extensions = request.headers.copy(), dict(request.extensions)
    if request.url.scheme == "https":
        extensions["sni_hostname"] = request.url.raw_host.decode("ascii")
        # The pool knows connections by their address: another name must not share this one.
        headers["connection"] = "close"
    return httpx.Request(
        request.method,
        request.url.copy_with(host=ip),
        headers=headers,
        stream=request.stream,
        extensions=extensions,
    )
