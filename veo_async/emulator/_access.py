"""The callers that may use the service on a port: programs, and no web page.

A browser of this machine reaches every port of it, for any page that it shows. So each call must
be one that a page cannot make:

- its ``Host`` is an IP address or a known name, so no name of the page's own was bound to this
  machine (DNS rebinding);
- the browser does not say that a page of another origin makes it (``Origin``, ``Sec-Fetch-Site``);
- its body, if there is one, is declared as JSON, which a page cannot send without being asked
  first (a preflight of CORS, which is not answered).

Files may be embedded in pages: only their ``Host`` is checked. The control plane can do more than
the API, so by default it answers to this machine alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from ._control import PREFIX
from ._errors import ServiceError
from ._exchange import Exchange

FILES = ("/files/", "/images/")

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::[0-9]{0,5})?", re.IGNORECASE)
_JSON = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE | re.DOTALL)


def is_loopback(ip: str) -> bool:
    """True if an IP address is this machine's own."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


@dataclass(frozen=True, slots=True)
class Access:
    """The rules for callers on a port.

    Attributes:
        names: the names, in lower case, under which callers may reach the service.
        remote_control: the control plane answers to other machines as well.
    """

    names: frozenset[str]
    remote_control: bool

    @classmethod
    def of(cls, names: Iterable[str], urls: Iterable[str | None], *, remote: bool) -> Access:
        """The rules with these names, and the names in these URLs."""
        hosts = (urlsplit(url).hostname for url in urls if url)
        known = {name.lower().removesuffix(".") for name in (*names, *filter(None, hosts))}
        return cls(frozenset(known), remote)

    def check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Check a call before it is read.

        Raises:
            ServiceError: it is refused; the message says which option allows it.
        """
        self._check_host(headers.get("host", ""))
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["method"] in {"GET", "HEAD"} and path.startswith(FILES):
            return
        if PREFIX in scope["path"] and not self.remote_control:
            _check_caller(scope.get("client"))
        _check_page(headers)
        _check_body(headers)

    def _check_host(self, host: str) -> None:
        found = _HOST.fullmatch(host)
        name = (found[1] or found[2]).lower().removesuffix(".") if found else ""
        if not (name in self.names or _is_local(name) or _is_ip(name)):
            raise ServiceError(
                "bad_request",
                f"The emulator is not known under the host {host[:100]!r}. If it is yours, allow "
                "it: Emulator(allowed_hosts=...), or --allow-host.",
            )


def _is_local(name: str) -> bool:
    """True for the names that always are this machine (RFC 6761, section 6.3)."""
    return name == "localhost" or name.endswith(".localhost")


def _is_ip(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _check_caller(client: Any) -> None:
    if client is None or not is_loopback(client[0]):
        raise ServiceError(
            "bad_request",
            "The control plane answers only to the machine that it runs on, unless the emulator "
            "allows more: Emulator(remote_control=True), or --remote-control.",
        )


def _check_page(headers: Mapping[str, str]) -> None:
    origin, host = headers.get("origin"), headers["host"]
    is_foreign = origin is not None and origin not in {f"http://{host}", f"https://{host}"}
    if is_foreign or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise ServiceError("bad_request", "A web page of another origin may not call the emulator.")


def _check_body(headers: Mapping[str, str]) -> None:
    media_type = headers.get("content-type")
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if (has_body or media_type is not None) and not _JSON.fullmatch((media_type or "").strip()):
        raise ServiceError("bad_request", "The Content-Type of a body must be application/json.")


class Guarded:
    """The service as an ASGI app for a port.

    Args:
        app: the service.
        service: makes the answers to calls that are refused.
        access: the rules.
    """

    def __init__(self, app: ASGIApp, service: Any, access: Access) -> None:
        self._app, self._service, self._access = app, service, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return
        if scope["type"] == "http":
            exchange = Exchange(self._service, scope, receive, send)
            try:
                self._access.check(scope, exchange.headers)
            except ServiceError as exc:
                await exchange.deliver(exchange.refusal(exc), counted=False)
                return
        await self._app(scope, receive, send)
