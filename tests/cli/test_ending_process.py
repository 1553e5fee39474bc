"""Forty videos for forty prompts, however a real process is ended or cut off from its terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TINY
from tests.cli.test_process import COMMAND, environment
from veo_async.emulator import Emulator, Fault, Hang, Seconds

MANY = 40
PATIENCE = 120.0
"""Seconds after which something hangs."""

pytestmark = pytest.mark.slow


class Shop:
    """The emulator on a port, and a folder with a batch that buys from it."""

    def __init__(self, emulator: Emulator, url: str, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        own = {"ACEDATACLOUD_API_TOKEN": "offline", "ACEDATACLOUD_API_BASE_URL": url}
        self.environment = {**environment(), **own}
        prompts = folder / "prompts.txt"
        prompts.write_text("".join(f"mug number {number}\n" for number in range(MANY)))
        self.command = [*COMMAND, "batch", "prompts.txt", "--out", "out"]

    @property
    def billed(self) -> int:
        return len(self.emulator.bill)

    @property
    def videos(self) -> list[Path]:
        return list((self.folder / "out").glob("*.mp4"))

    def start(self, command: list[str], **streams: int) -> subprocess.Popen[bytes]:
        all_streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, **streams}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **all_streams)

    def run(self) -> int:
        """Run the batch to its end."""
        with self.start(self.command, stdout=subprocess.DEVNULL) as process:
            return process.wait(PATIENCE)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def check(self) -> None:
        """Each of the forty was bought once and is a file."""
        bought = {charge.request["prompt"] for charge in self.emulator.bill}
        assert len(bought) == self.billed == len(self.videos) == MANY


@contextmanager
def serving(folder: Path) -> Iterator[Shop]:
    """Serve the emulator in a thread."""
    ready, over = threading.Event(), asyncio.Event()
    found: list[str] = []
    emulator = Emulator(pace=Seconds(mean=30), clock_factor=30, video=TINY, epoch=time.time())
    runner = asyncio.Runner()

    async def serve() -> None:
        async with emulator, emulator.serve() as url:
            found.append(url)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: runner.run(serve()))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield Shop(emulator, found[0], folder)
    finally:
        runner.get_loop().call_soon_threadsafe(over.set)
        thread.join()
        runner.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A service, and a folder to buy in."""
    with serving(tmp_path) as shop:
        yield shop


def test_terminated_in_the_background(shop: Shop) -> None:
    """A script's background ignores SIGINT; SIGTERM ends the run in order all the same, and the
    same command then goes on."""
    script = f"{shlex.join(shop.command)} 2>err & echo $!; wait $!; echo $?"

    with shop.start(["sh", "-c", script], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        process = int(shell.stdout.readline())
        shop.until(lambda: shop.billed >= 10)
        os.kill(process, signal.SIGINT)
        os.kill(process, signal.SIGTERM)
        code = int(shell.stdout.readline())

    said = (shop.folder / "err").read_text()
    assert code == 130
    assert "run the same command again to resume it" in said
    assert shop.run() == 0
    shop.check()


@contextmanager
def on_a_terminal(shop: Shop, command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command on a terminal of its own; yields the process and the terminal's other end."""
    ours, theirs = pty.openpty()
    with shop.start(
        ["setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        reader = threading.Thread(target=lambda: drain(ours))
        reader.start()
        yield process, ours
        reader.join()


def drain(terminal: int) -> None:
    """Read what a process draws until the terminal is closed."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:  # either end was closed
        pass


def close(terminal: int) -> None:
    """Close the window of a terminal: the process gets SIGHUP, and each write to it fails."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, terminal)  # while its reader may still use the number
    os.close(nowhere)


def test_terminal_closed(shop: Shop) -> None:
    """Closing the terminal ends the run as SIGTERM does: an open POST settles first, so the same
    command buys nothing twice."""
    shop.emulator.faults.add(Fault(effect=Hang(at="accepted", seconds=60), count=3))

    with on_a_terminal(shop, shop.command) as (process, ours):
        shop.until(lambda: shop.billed >= 10)
        close(ours)
        code = process.wait(PATIENCE)

    assert code == 130
    assert shop.run() == 0
    shop.check()


def test_terminal_closed_under_nohup(shop: Shop) -> None:
    """Where SIGHUP is ignored the run goes on without its terminal."""
    command = ["sh", "-c", f"trap '' HUP; exec {shlex.join(shop.command)}"]

    with on_a_terminal(shop, command) as (process, ours):
        shop.until(lambda: shop.billed >= 10)
        close(ours)
        code = process.wait(PATIENCE)

    assert code == 0
    shop.check()


@pytest.mark.parametrize(
    "streams, expected",
    [
        (">out.txt 2>&-", 0),
        (">&- 2>&-", 0),
        (">out.txt 2>&4", 0),
        (">&4", 1),
        (">&4 2>&4", 1),
        (">/dev/full", 1),
    ],
)
def test_streams_that_nobody_reads(shop: Shop, streams: str, expected: int) -> None:
    """Without a reader of its lines the run goes on to its last video. Results that could not be
    written are code 1."""
    script = f"exec 4>&1; read go; {shlex.join(shop.command)} {streams}; echo $? >code"
    with shop.start(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdout.close()  # now descriptor 4 is a pipe without a reader
        shell.stdin.write(b"go\n")
        shell.stdin.close()
        shell.wait(PATIENCE)

    assert (shop.folder / "code").read_text() == f"{expected}\n"
    shop.check()
