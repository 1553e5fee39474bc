"""Our reader of addresses beside those of others.

The library that connects, a proxy in between and a person's browser each read an address by rules
of their own. An attack lives where they differ. So our reader may refuse what others accept; but
where it accepts, all of them have to name the same place to connect to, by the text as it came and
by the text as we write it again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import ada_url
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veo_async._base.urls import AddressError, next_hop, read_file_address

Place = tuple[str, str, int]
"""A scheme, a host and a port. The host is an IP address in its canonical form, or a name."""

PORTS = {"http": 80, "https": 443}


def place(scheme: str, host: str, port: int | None) -> Place:
    """Where to connect to."""
    host = host.strip("[]").lower().removesuffix(".")
    with suppress(ValueError):
        host = str(ipaddress.ip_address(host))
    return scheme, host, PORTS[scheme] if port is None else port


def by_httpx(text: str) -> Place:
    """As the library that connects reads it."""
    url = httpx.URL(text)
    return place(url.scheme, url.raw_host.decode(), url.port)


def by_urllib(text: str) -> Place:
    """As the standard library reads it."""
    parts = urlsplit(text)
    return place(parts.scheme, parts.hostname or "", parts.port)


def by_ada(text: str) -> Place:
    """As browsers and Node read it: the URL standard."""
    url = ada_url.URL(text)
    return place(url.protocol.rstrip(":"), url.hostname, int(url.port) if url.port else None)


def by_us(text: str) -> tuple[Place, str] | None:
    """As we read it, and as we write it; ``None`` if it is refused."""
    try:
        address = read_file_address(text, loopback_ok=True)
    except AddressError:
        return None
    return place(address.scheme, address.host, address.port), str(address)


READERS: list[Callable[[str], Place]] = [by_httpx, by_urllib, by_ada]

HOSTS = (
    *("cdn.example", "CDN.Example.", "xn--bcher-kva.example", "b\xfccher.example"),
    *(
        "cdn.example..",
        "-a.example",
        "a..b",
        ".example",
        "faß.de",
        "☕.example",
        "a\u200db.example",
    ),
    *("localhost", "LOCALHOST.", "x.localhost", "cdn\uff0eexample", "127\uff0e0.0.1", "①27.0.0.1"),
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0"),
    *("0177.1", "08.1.1.1", "127.0.0.1.", "127.0.0.256", "1.2.3.4.5", "4294967296", "0x", "1.0x"),
    *("8.8.8.8", "010.8.8.8", "134744072", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:8.8.8.8]"),
    *(
        "[2606:4700::1111]",
        "[2606:4700:0::1111]",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1",
        "::1",
    ),
    *("[v1.a]", "[::127.0.0.1]", "[64:ff9b::8.8.8.8]", "[1:2]", "[]", "", "%31%32%37.0.0.1"),
    *("cdn%2eexample", "%00", "a b", "a\tb", "a\nb", "a\\b", "a@b", "user:pw@cdn.example", "@"),
    *("cdn.example@127.0.0.1", "127.0.0.1\\@cdn.example", "127.0.0.1#@cdn.example", "a" * 64),
    *("127.0.0.1?@cdn.example", "cdn.example;x", "cdn.example,x", "*.example", "a|b", "<a>", "a^b"),
)
PORT_TEXTS = ("", ":", ":0", ":1", ":080", ":00000443", ":443", ":65535", ":65536", ":99999", ":-1")
MORE_PORTS = (":+80", ":8 0", ":8\t0", ":\u0661", ":80@x", ":0x50", ":80:80", ":1e1")
STARTS = ("https://", "http://", "HTTPS://", "https:/", "https:", "//", "https:///", "https:\\\\")
MORE_STARTS = ("\thttps://", " https://", "ht\ntps://", "https\\://", "ftp://", "https://\t", "x:")
PATHS = (
    "",
    "/",
    "/a.mp4",
    "?q",
    "#f",
    "/../a",
    "/%2e%2e/a",
    "/\\..",
    "/a?b=//c",
    "\\a",
    "//x",
    ";@y",
)

addresses = st.builds(
    "".join,
    st.tuples(
        st.sampled_from((*STARTS[:3], *STARTS, *MORE_STARTS)),
        st.one_of(st.sampled_from(HOSTS), st.text(st.characters(codec="utf-8"), max_size=12)),
        st.sampled_from((*PORT_TEXTS, *MORE_PORTS)),
        st.sampled_from(PATHS),
    ),
)


def check(text: str) -> bool:
    """Compare the readers; returns whether the address is accepted."""
    ours = by_us(text)
    if ours is None:
        return False
    where, written = ours
    for read in READERS:
        assert read(written) == where, (read.__name__, written)
    # By the text as it came; a reader may also refuse it.
    for read in READERS:
        try:
            theirs = read(text)
        except (ValueError, httpx.InvalidURL):
            continue
        # A name for one reader may be a number for another one: then the number is what counts.
        assert theirs == where or by_ada(text) == where, (read.__name__, text)
    return True


@pytest.mark.parametrize("host", HOSTS)
def test_one_place_or_none(host: str) -> None:
    """Every port and every path beside each host."""
    for start in (*STARTS, *MORE_STARTS):
        for port in (*PORT_TEXTS, *MORE_PORTS):
            check(f"{start}{host}{port}/a.mp4")
    for path in PATHS:
        check(f"https://{host}{path}")


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(addresses)
def test_any_address_leads_to_one_place(text: str) -> None:
    """Also one that nobody thought of."""
    check(text)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(st.one_of(addresses, st.text(max_size=30), st.sampled_from(PATHS)))
def test_a_redirect_leads_to_one_place(location: str) -> None:
    """A relative one as well, by the rules of the URL standard."""
    start = read_file_address("https://cdn.example/a/b", loopback_ok=True)
    try:
        target = next_hop(start, location, loopback_ok=True)
    except AddressError:
        return

    theirs = by_ada(ada_url.join_url(str(start), location))
    assert theirs == place(target.scheme, target.host, target.port)


def test_most_good_addresses_are_accepted() -> None:
    """The comparison above would also hold for a reader that refuses everything."""
    hosts = ("cdn.example", "xn--bcher-kva.example", "127.0.0.1", "[::1]", "8.8.8.8", "127.1")

    assert all(check(f"https://{host}{port}/a") for host in hosts for port in ("", ":", ":443"))
