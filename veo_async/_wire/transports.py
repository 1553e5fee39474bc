"""The transport of the API's calls: the default one, its proxy, and the families of exceptions.

The law: the token goes to ``base_url`` and through nothing that can read it. Plain http is allowed
only because it stays on this machine, so it takes no proxy of another machine; https is a tunnel
through any proxy. A transport of the caller's connects as the caller made it.
"""

from __future__ import annotations

import socket
from functools import cache
from typing import Any

import httpx

from .._base.urls import Address, read_base_url
from .._downloads.egress import environment_proxy
from ..errors import InvalidRequestError

POOL_KEEPALIVE = 2.0
"""Seconds that an idle connection is kept: the other side may close an older one in the moment of
its use, and a submit that breaks off that way is needlessly uncertain."""

PROBES: tuple[tuple[tuple[str, ...], int], ...] = (
    (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), 30),  # the second is macOS's name for it
    (("TCP_KEEPINTVL",), 15),
    (("TCP_KEEPCNT",), 8),
)
"""TCP's probes of a silent connection: after 30 s, every 15 s, and 8 unanswered ones end it. A
router that forgets silent connections, often after one to five minutes, keeps one that is probed;
a connection that is lost all the same is noticed after two and a half minutes, and not when the
call's time is over."""

FROM_ENVIRONMENT = "(or HTTPS_PROXY, ALL_PROXY and NO_PROXY in the environment)"


def read_proxy(proxy: Any) -> httpx.Proxy | InvalidRequestError | None:
    """The proxy in a form whose ``repr`` hides its password, or the error to raise. It raises
    nothing, so that no frame of a traceback holds the password."""
    if not proxy or isinstance(proxy, httpx.Proxy):
        return proxy or None
    try:
        return httpx.Proxy(proxy)
    except Exception as exc:  # noqa: BLE001 - anything may have been passed
        # The message of an invalid URL may quote a piece of the password.
        is_scheme = isinstance(exc, ValueError) and "scheme" in str(exc)
        problem = "its scheme is unknown" if is_scheme else "it is no URL"
        problem = f"proxy {FROM_ENVIRONMENT} cannot be used: {problem}."
        return InvalidRequestError(problem, field="proxy")


def usable_proxy(
    proxy: httpx.Proxy | InvalidRequestError | None, transport: httpx.AsyncBaseTransport | None
) -> httpx.Proxy | None:
    """The proxy that `read_proxy` read.

    Raises:
        InvalidRequestError: it could not be read, or there is a transport that would not use it.
    """
    if isinstance(proxy, InvalidRequestError):
        raise proxy
    if proxy and transport:
        problem = "proxy is for the default transport. Give it to the transport that you pass."
        raise InvalidRequestError(problem, field="proxy")
    return proxy


def default_transport(
    base_url: str, *, proxy: httpx.Proxy | None, verify: Any, concurrency: int
) -> httpx.AsyncBaseTransport:
    """httpx's own transport, for the calls to one address.

    Raises:
        InvalidRequestError: an option cannot be used; ``field`` names it.
    """
    try:
        return httpx.AsyncHTTPTransport(
            proxy=_route(read_base_url(base_url), proxy),
            verify=verify,
            # The limiter opens no more calls than this, so a call never waits for the pool.
            limits=httpx.Limits(
                max_connections=concurrency,
                max_keepalive_connections=concurrency,
                keepalive_expiry=POOL_KEEPALIVE,
            ),
            # httpcore 1.0 does not pass them on to the connections through a proxy.
            socket_options=socket_options(),
        )
    except InvalidRequestError:
        raise
    except Exception as exc:  # httpx has no error of its own for this
        # Certificates are files; a proxy may need a library that is not installed.
        is_file = isinstance(exc, OSError)
        name = (
            "verify (or SSL_CERT_FILE in the environment)"
            if is_file
            else f"proxy {FROM_ENVIRONMENT}"
        )
        raise InvalidRequestError(
            f"{name} cannot be used: {exc}.", field="verify" if is_file else "proxy"
        ) from exc


def _route(address: Address, proxy: httpx.Proxy | None) -> httpx.Proxy | None:
    """The proxy for an address: the given one, else the environment's, which is never asked for
    this machine itself."""
    if proxy is None and address.scope != "loopback":
        return usable_proxy(read_proxy(environment_proxy(httpx.URL(str(address)))), None)
    if proxy and address.scheme != "https" and not _is_here(proxy):
        raise InvalidRequestError(
            "base_url is plain http on this machine, and proxy is another machine, which would "
            "read the token. Use https, or a proxy on this machine.",
            field="proxy",
        )
    return proxy


def _is_here(proxy: httpx.Proxy) -> bool:
    return Address("http", proxy.url.host, None, "", "").scope == "loopback"


@cache
def socket_options() -> tuple[tuple[int, int, int], ...]:
    """The options of a socket for TCP's probes, as far as this system has them."""
    wanted = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for names, value in PROBES:
        known = (getattr(socket, name) for name in names if hasattr(socket, name))
        wanted += ((socket.IPPROTO_TCP, option, value) for option in known)
    # A system may know an option by its name and refuse it, which would end every connection.
    with socket.socket() as trial:
        return tuple(option for option in wanted if _is_accepted(trial, option))


def _is_accepted(trial: socket.socket, option: tuple[int, int, int]) -> bool:
    try:
        trial.setsockopt(*option)
    except OSError:
        return False
    return True


def family_of(transport: httpx.AsyncBaseTransport) -> str:
    """The family of exceptions that a transport raises.

    The exact type counts, since a subclass may raise anything. Any other transport may declare
    with ``failure_family`` that its exceptions have the meaning of httpx's own.
    """
    if type(transport) is httpx.AsyncHTTPTransport:
        return "httpx"
    if qualified(type(transport)) == "httpx_aiohttp.transport.AiohttpTransport":
        return "aiohttp"
    return str(getattr(transport, "failure_family", "unknown"))


def qualified(cls: type) -> str:
    """The name of a class with its module."""
    return f"{cls.__module__}.{cls.__qualname__}"
