"""The emulator as a command."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Ran, Shell, tiny_emulator
from veo_async.emulator import Emulator


def pressing_when(happened: Callable[[], bool]) -> Callable[[], asyncio.AbstractEventLoop]:
    """A real loop on which Ctrl-C is pressed once something has happened."""

    def make() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()

        def look() -> None:
            if happened():
                signal.raise_signal(signal.SIGINT)
            else:
                loop.call_later(0.005, look)

        loop.call_soon(look)
        return loop

    return make


def serve(veo: Shell, *argv: str) -> Ran:
    """Serve until it listens."""
    before = veo.emulator.base_url
    return veo("emulator", *argv, loop=pressing_when(lambda: veo.emulator.base_url != before))


def test_serve(veo: Shell) -> None:
    """The address and what to export stand on a line each; Ctrl-C is the ordinary end."""
    ran = serve(veo, "--clock-factor", "30", "--seed", "7", "--host", "127.0.0.1", "--port", "0")

    url, *exports = ran.out.splitlines()
    assert ran.code == 0
    assert url.startswith("http://127.0.0.1:")
    assert exports == [
        f"export ACEDATACLOUD_API_BASE_URL={url}",
        "export ACEDATACLOUD_API_TOKEN=offline",
    ]
    assert ran.err == "veo-async: videos billed: 0, for 0 real money\n"
    (options,) = veo.made_with
    assert options.pop("epoch") > 1_790_000_000
    assert options == {
        "clock_factor": 30.0,
        "seed": 7,
        "token": None,
        "allowed_hosts": (),
        "targets": None,
        "remote_control": False,
    }


def test_in_a_container(veo: Shell) -> None:
    """There others reach it, under names that they have to give."""
    names = ("--allow-host", "veo", "--allow-host", "cdn")
    serve(veo, "--host", "0.0.0.0", *names, "--targets", "any", "--remote-control")

    (options,) = veo.made_with
    assert options["allowed_hosts"] == ["veo", "cdn"]
    assert (options["targets"], options["remote_control"]) == ("any", True)


def test_token(veo: Shell) -> None:
    """The one token that is accepted is what is to be exported, safe for the shell."""
    ran = serve(veo, "--token", "a b")

    assert ran.out.splitlines()[-1] == "export ACEDATACLOUD_API_TOKEN='a b'"
    assert veo.made_with[0]["token"] == "a b"


def test_for_programs(veo: Shell) -> None:
    """With --json the address and the token are one object."""
    ran = serve(veo, "--json", "--token", "x")

    assert ran.rows == [{"base_url": ran.rows[0]["base_url"], "token": "x"}]


def test_taken(veo: Shell) -> None:
    """A port that is taken is one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ran = veo("emulator", "--port", str(port))

    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert "in use" in ran.err


def test_impossible_clock(capsys: pytest.CaptureFixture[str], veo: Shell) -> None:
    """A clock that stands still is bad usage."""

    class Strict(Shell):
        def _emulate(self, **options: Any) -> Emulator:
            return tiny_emulator(**options)

    ran = Strict(veo.emulator, capsys)("emulator", "--clock-factor", "0")

    assert ran.code == 2
    assert "clock_factor must be greater than 0" in ran.err
