from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async._base.urls import AddressError, read_file_address
from veo_async._downloads.egress import CheckedNetwork, Egress, environment_proxy
from veo_async._downloads.response import NotRetryable

PUBLIC = "8.8.8.8"
OTHER_PUBLIC = "2606:4700::1111"


class Names:
    """Resolves names for the running loop: each look gives the next of the answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.looks: list[str] = []
        self._answers = list(answers)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._look)

    async def _look(self, host: bytes | str, port: int, **options: Any) -> list[tuple[Any, ...]]:
        self.looks.append(host if isinstance(host, str) else host.decode())
        addresses = self._answers.pop(0)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 6, "", (address, port)) for address in addresses]


class Network(httpcore.AsyncNetworkBackend):
    """Notes who is connected to, and speaks one canned answer."""

    def __init__(self, *dead: str) -> None:
        self.connected: list[tuple[str, int, float | None]] = []
        self.names: list[str | None] = []
        self._dead = dead

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append((host, port, timeout))
        if host in self._dead:
            raise httpcore.ConnectError
        return Wire(self)


class Wire(httpcore.AsyncMockStream):
    def __init__(self, network: Network) -> None:
        super().__init__([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"])
        self._network = network

    async def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        self._network.names.append(server_hostname)
        return self


async def connect(network: Network, **allowed: bool) -> None:
    """Connect through the check."""
    checked = CheckedNetwork(network, **allowed)
    await checked.connect_tcp("cdn.example", 443, timeout=6.0)


@pytest.mark.asyncio
async def test_the_checked_address_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is bound to another address after the check gains nothing."""
    names = Names(monkeypatch, [PUBLIC], ["127.0.0.1"])
    network = Network()

    await connect(network)

    assert names.looks == ["cdn.example"]
    assert network.connected == [(PUBLIC, 443, 6.0)]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.0.0.1"], [PUBLIC, "169.254.169.254"], ["::ffff:10.0.0.1"]]
)
async def test_a_name_that_leads_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    """One address that is not public is enough, and nothing is connected to."""
    Names(monkeypatch, addresses)
    network = Network()

    with pytest.raises(AddressError, match="private"):
        await connect(network)

    assert network.connected == []


@pytest.mark.asyncio
async def test_this_machine_is_connected_to_if_the_api_is_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a local API its name may lead here."""
    Names(monkeypatch, ["::1", "127.0.0.1", "::1"])
    network = Network("::1")

    await connect(network, loopback_ok=True)

    assert network.connected == [("::1", 443, 6.0), ("127.0.0.1", 443, 6.0)]


@pytest.mark.asyncio
async def test_addresses_are_tried_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead address is passed over; if all are dead, the last failure is told."""
    Names(monkeypatch, [PUBLIC, OTHER_PUBLIC], [PUBLIC, OTHER_PUBLIC])
    one_dead, all_dead = Network(PUBLIC), Network(PUBLIC, OTHER_PUBLIC)

    await connect(one_dead)
    with pytest.raises(httpcore.ConnectError):
        await CheckedNetwork(all_dead, loopback_ok=False).connect_tcp("cdn.example", 443)

    assert [host for host, *_ in one_dead.connected] == [PUBLIC, OTHER_PUBLIC]
    assert [timeout for *_, timeout in all_dead.connected] == [None, None]


class Slow(Network):
    """Connects to each address after so many seconds."""

    def __init__(self, **seconds: float) -> None:
        super().__init__()
        self.began: list[tuple[str, float]] = []
        self.closed: list[str] = []
        self._seconds = seconds

    async def connect_tcp(
        self, host: str, port: int, *options: Any, **more: Any
    ) -> httpcore.AsyncNetworkStream:
        self.began.append((host, asyncio.get_running_loop().time()))
        await asyncio.sleep(self._seconds.get(host, 3600))
        return await super().connect_tcp(host, port)


@pytest.mark.asyncio
async def test_addresses_are_raced(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that leads nowhere costs a quarter of a second, and both families take turns; an
    attempt that is only slow stays in the race."""
    silent = [f"2606:4700::{number}" for number in range(8)]
    Names(monkeypatch, [*silent, PUBLIC, "8.8.4.4"])
    network = Slow(**{PUBLIC: 1.2, "8.8.4.4": 9.0})
    start = asyncio.get_running_loop().time()

    await connect(network)

    assert asyncio.get_running_loop().time() - start == pytest.approx(1.45)
    tried = [(host, at - start) for host, at in network.began]
    assert tried[:4] == [(silent[0], 0), (PUBLIC, 0.25), (silent[1], 0.5), ("8.8.4.4", 0.75)]
    assert network.connected == [(PUBLIC, 443, None)]


@pytest.mark.asyncio
async def test_two_winners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two connections that are ready at once, one is closed."""
    Names(monkeypatch, [PUBLIC, "8.8.4.4"])
    closed: list[object] = []
    monkeypatch.setattr(Wire, "aclose", lambda wire: closing(closed, wire))

    await connect(Slow(**{PUBLIC: 0.5, "8.8.4.4": 0.25}))

    assert len(closed) == 1


async def closing(closed: list[object], wire: object) -> None:
    """Note a connection that is closed."""
    closed.append(wire)


@pytest.mark.asyncio
async def test_networks_that_map_names_to_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a network is named with the switch that allows it; the switch allows nothing else."""
    first, last = "198.18.0.7", "198.19.255.255"
    Names(monkeypatch, [first], [first], [last], [first, "10.1.1.1"])
    allowing, network = {"reserved_ok": True}, Network()

    with pytest.raises(NotRetryable, match="fake-IP") as caught:
        await connect(network)
    await connect(network, **allowing)
    await connect(network, **allowing)
    with pytest.raises(AddressError, match="private"):
        await connect(network, **allowing)

    assert "allow_reserved=True" in caught.value.next_step
    assert [host for host, *_ in network.connected] == [first, last]
    with pytest.raises(AddressError):
        read_file_address("https://198.18.0.7/a.mp4", loopback_ok=False)


@pytest.mark.asyncio
async def test_certificates_are_checked_against_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to an address, TLS and the Host header still go to the name."""
    Names(monkeypatch, [PUBLIC])
    network = Network()
    pool = httpcore.AsyncConnectionPool(network_backend=CheckedNetwork(network, loopback_ok=False))

    answer = await pool.request("GET", "https://cdn.example/x.mp4")
    await pool.aclose()

    assert answer.status == 200
    assert network.names == ["cdn.example"]


@pytest.mark.parametrize(
    "variables, url, proxy",
    [
        ({}, "https://cdn.example/", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://cdn.example/", "http://p:1"),
        ({"https_proxy": "p:1"}, "https://cdn.example/", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://cdn.example/", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://cdn.example/", "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, "https://cdn.example/", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "cdn.example"}, "https://cdn.example/", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": ".example"}, "https://cdn.example:8/", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://cdn.example/", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "a.b"}, "https://cdn.example/", "http://p:1"),
    ],
)
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, proxy: str | None
) -> None:
    """By the standard library's rules, which leave out what NO_PROXY names."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert environment_proxy(httpx.URL(url)) == proxy


@pytest.mark.asyncio
async def test_a_name_is_left_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a proxy in effect only the proxy's own name is looked up here."""
    names = Names(monkeypatch, [], [])
    egress = Egress(proxy="http://proxy.example:3128")

    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            await egress.handle_async_request(httpx.Request("GET", "https://cdn.example/"))
    await egress.aclose()

    assert set(names.looks) == {"proxy.example"}


@given(st.text(st.sampled_from("a1.:[]@/?#%é-_x0f٣ß\\"), max_size=20))
def test_httpx_understands_an_address_as_we_do(text: str) -> None:
    """An address that passes the check leads httpx to the checked host, and never fails."""
    try:
        address = read_file_address(f"https://{text}", loopback_ok=True)
    except AddressError:
        return

    url = httpx.URL(str(address))

    assert (url.scheme, url.raw_host.decode().strip("[]")) == (address.scheme, address.host)
    assert url.port == (None if address.port == 443 else address.port)
    assert not url.userinfo
