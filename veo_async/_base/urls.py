"""The addresses that may be connected to: the API's own, and those of files.

The law: ``base_url`` is the user's choice, so it must only keep the token secret: https, unless
it is this machine itself. A file's address was chosen by somebody on the network, so it must be
https and lead to the public internet, in every spelling and after every redirect; only when
``base_url`` is this machine itself may files come from this machine as well.

An address is parsed by strict rules and written again from its parts, so that the library that
connects cannot understand it differently.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, NoReturn
from urllib.parse import quote, urljoin

from ..errors import InvalidRequestError

MAX_LENGTH = 8192
"""Characters in an address; the longest signed URLs of the large CDNs stay under 4096."""

Scope = Literal["public", "loopback", "inside"]
"""The network of an address: the internet, this machine, or a private or reserved one."""

IPAddress = IPv4Address | IPv6Address

# RFC 3986, appendix B, with an authority.
_PARTS = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::([0-9]{0,5}))?", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_HEX_OCTAL_OR_DECIMAL = re.compile(r"0x([0-9a-f]*)|(0[0-7]*)|[1-9][0-9]*")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))

# IANA's registries of special-purpose addresses, as far as `ipaddress` (which differs between
# versions of Python) does not know them: protocol assignments, the 6to4 relay.
_SPECIAL_IPV4 = [ipaddress.IPv4Network(net) for net in ("192.0.0.0/24", "192.88.99.0/24")]
# 2000::/3 is all that IANA has assigned as global unicast; within it protocol assignments
# (Teredo among them) and documentation are not global.
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_IPV6 = [ipaddress.IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "3fff::/20")]
_STAND_INS = ipaddress.IPv4Network("198.18.0.0/15")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


class AddressError(ValueError):
    """An address that is refused. The error never reaches the user as it is, and never repeats the
    address, which may contain a password."""


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address; ``str()`` writes it in its one canonical form."""

    scheme: str
    host: str
    port: int | None
    path: str
    query: str

    @property
    def scope(self) -> Scope:
        """The network of its host, by the text alone: a name may still resolve to any address."""
        return _scope_of_host(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}{self.query}"


def read_base_url(text: object) -> Address:
    """The API's base URL, without a trailing slash.

    Raises:
        InvalidRequestError: it is no URL, is not https although it leads to another machine, or
            contains a password, a query or a fragment. The message does not repeat it.
    """
    try:
        return _read_root(text, is_api=True)
    except AddressError as exc:
        problem = f"base_url (or ACEDATACLOUD_API_BASE_URL) {exc}."
        raise InvalidRequestError(problem, field="base_url") from None


def read_public_url(text: object) -> Address:
    """The address under which the service reaches a callback receiver, without a trailing slash.

    Raises:
        InvalidRequestError: it is no http(s) URL, or contains a password, a query or a fragment.
            The message does not repeat it.
    """
    try:
        return _read_root(text, is_api=False)
    except AddressError as exc:
        problem = f"public_url {exc}."
        raise InvalidRequestError(problem, field="public_url") from None


def _read_root(text: object, *, is_api: bool) -> Address:
    address = _read(text.strip() if isinstance(text, str) else text)
    if is_api and address.scheme != "https" and address.scope != "loopback":
        _refuse("must start with https://, except on this machine itself")
    if address.query or "#" in str(text):
        _refuse("must have neither a query nor a fragment")
    return replace(address, path=address.path.rstrip("/"))


def read_file_address(text: object, *, loopback_ok: bool) -> Address:
    """The address of a file, if it may be fetched.

    Args:
        text: the address from the service, from a caller or from a redirect.
        loopback_ok: whether the API itself is on this machine, so that files may be there too,
            also without TLS.

    Raises:
        AddressError: it may not be fetched.
    """
    address = _read(text)
    scope = address.scope
    if scope == "inside" or (scope == "loopback" and not loopback_ok):
        _refuse("leads to a private or reserved address instead of the internet")
    if address.scheme != "https" and scope != "loopback":
        _refuse("must start with https://")
    return address


def next_hop(current: Address, location: str, *, loopback_ok: bool) -> Address:
    """The target of a redirect from ``current``, under the same rules and never back to http.

    Raises:
        AddressError: the redirect must not be followed.
    """
    try:
        # Browsers encode a space in an address, and drop one around it (the URL standard).
        location = location.strip(" ").replace(" ", "%20")
        _refuse_odd_characters(location)
        address = read_file_address(_joined(current, location), loopback_ok=loopback_ok)
        if current.scheme == "https" and address.scheme != "https":
            _refuse("leads from https back to http")
    except AddressError as exc:
        raise AddressError(f"redirects to one that {exc}") from None
    return address


def _joined(current: Address, location: str) -> str:
    # `urljoin` takes "https:///host" for a path, where the URL standard reads a host. So whatever
    # begins like a complete address has to be one.
    if location.startswith("//"):
        return f"{current.scheme}:{location}"
    return location if _SCHEME.match(location) else urljoin(str(current), location)


def may_connect(ip: str, *, loopback_ok: bool, reserved_ok: bool = False) -> bool:
    """Whether a file may be fetched from this IP address, to which its host was resolved.

    Args:
        reserved_ok: whether it may be a stand-in of the network: see `is_stand_in`.
    """
    try:
        scope = _scope_of_ip(ipaddress.ip_address(ip))
    except ValueError:
        return False
    allowed = {"public", *["loopback"] * loopback_ok}
    return scope in allowed or (reserved_ok and is_stand_in(ip))


def is_stand_in(ip: str) -> bool:
    """Whether an address is of 198.18.0.0/15, which RFC 2544 reserves for measurements. VPN and
    proxy clients in fake-IP mode map every name to an address of it, and connect to the name."""
    return ipaddress.ip_address(ip) in _STAND_INS


def shown(url: object) -> str:
    """The address for a message: short, and without the query, which may be a key to the file."""
    parts = _PARTS.fullmatch(str(url))
    if parts is None:
        return "(no URL)"
    text = f"{parts[1]}://{parts[2].rpartition('@')[2]}{parts[3]}"
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:200])
    return clean + ("..." if parts[4] or len(text) > 200 else "")


def _refuse(reason: str) -> NoReturn:
    raise AddressError(reason)


def _refuse_odd_characters(text: str) -> None:
    # URL parsers disagree about these: some drop them, some take "\" for "/".
    if any(c <= " " or c in "\\\x7f" for c in text):
        _refuse("holds white space, a control character or a backslash")


def _read(text: object) -> Address:
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        _refuse(f"must be a URL of at most {MAX_LENGTH} characters")
    _refuse_odd_characters(text)
    parts = _PARTS.fullmatch(text)
    if parts is None or parts[1].lower() not in ("http", "https"):
        _refuse("must be a complete https:// URL")
    if "@" in parts[2]:
        _refuse("must hold no user name or password")
    host, port = _read_authority(parts[2])
    return Address(
        parts[1].lower(), host, port, _encoded(parts[3] or "/"), _encoded(parts[4] or "")
    )


def _read_authority(text: str) -> tuple[str, int | None]:
    found = _AUTHORITY.fullmatch(text)
    if found is None or (found[3] and not 0 < int(found[3]) < 65536):
        _refuse("has no valid host and port (write the host in ASCII)")
    host = _read_ipv6(found[1]) if found[1] else _read_host(found[2].lower())
    return host, int(found[3]) if found[3] else None


def _read_ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        _refuse("has no valid IPv6 address as its host")


def _read_host(text: str) -> str:
    host = text.removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        _refuse("has no valid host name")
    # The URL standard (https://url.spec.whatwg.org/#ends-in-a-number-checker): a host that ends in
    # a number is an IPv4 address, as every resolver reads "127.1" and "0x7f000001".
    return str(_read_ipv4(labels)) if _NUMBER.fullmatch(labels[-1]) else host


def _read_ipv4(labels: list[str]) -> IPv4Address:
    *heads, last = map(_read_number, labels)
    free = 4 - len(heads)
    if free < 1 or max(heads, default=0) > 255 or last >= 256**free:
        _refuse("has no valid IPv4 address as its host")
    return IPv4Address(last + sum(head << (24 - 8 * i) for i, head in enumerate(heads)))


def _read_number(label: str) -> int:
    found = _HEX_OCTAL_OR_DECIMAL.fullmatch(label)
    if found is None:
        _refuse("has no valid IPv4 address as its host")
    if found[1] is not None:
        return int(found[1] or "0", 16)
    return int(label, 8 if found[2] else 10)


def _encoded(text: str) -> str:
    try:
        return quote(text, safe=_PRINTABLE)
    except UnicodeEncodeError:
        _refuse("holds half of a surrogate pair")


def _scope_of_host(host: str) -> Scope:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, section 6.3
        return "loopback"
    try:
        return _scope_of_ip(ipaddress.ip_address(host))
    except ValueError:
        return "public"


def _scope_of_ip(ip: IPAddress) -> Scope:
    if isinstance(ip, IPv6Address):
        return _scope_of_ipv6(ip)
    if ip.is_loopback:
        return "loopback"
    special = ip.is_multicast or any(ip in net for net in _SPECIAL_IPV4)
    return "public" if ip.is_global and not special else "inside"


def _scope_of_ipv6(ip: IPv6Address) -> Scope:
    if ip.ipv4_mapped:
        return _scope_of_ip(ip.ipv4_mapped)
    if ip.is_loopback:
        return "loopback"
    if inner := ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None):
        return "public" if _scope_of_ip(inner) == "public" else "inside"
    special = any(ip in net for net in _SPECIAL_IPV6)
    return "public" if ip in _GLOBAL_IPV6 and not special else "inside"
