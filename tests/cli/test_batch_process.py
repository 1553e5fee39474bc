"""A batch as a person runs it: on a real terminal, with Ctrl-C and ``kill -9``."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest

from tests.cli.test_process import COMMAND, environment

MANY = 200
PATIENCE = 60.0
"""Seconds after which something is wrong."""


class Terminal:
    """A terminal of 100 columns, on which one command runs."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process, self._ours = process, ours
        self._screen = pyte.Screen(100, 30)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b""

    @property
    def lines(self) -> list[str]:
        """What it shows, without empty lines."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    def until(self, seen: Callable[[list[str]], object]) -> list[str]:
        """Watch until something is seen, or the command is over."""
        deadline = time.monotonic() + PATIENCE
        while not seen(self.lines) and self._read():
            assert time.monotonic() < deadline, "\n".join(self.lines)
        return self.lines

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 1.0)[0]:
            return True
        try:
            chunk = os.read(self._ours, 65536)
        except OSError:  # what Linux answers in place of an end of file
            return False
        self.written += chunk
        self._stream.feed(chunk)
        return bool(chunk)

    def press_ctrl_c(self) -> None:
        """Press the key; the terminal makes a signal of it."""
        os.write(self._ours, b"\x03")

    def to_the_end(self) -> int:
        """Watch until the command is over, and say with which code."""
        self.until(lambda lines: False)
        return self.process.wait(PATIENCE)


@contextmanager
def terminal(folder: Path, *argv: str) -> Iterator[Terminal]:
    """A command on a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    size = {"COLUMNS": "100", "LINES": "30", "TERM": "xterm"}
    with subprocess.Popen(
        ["setsid", "--ctty", *COMMAND, *argv],  # so that Ctrl-C on it is a signal for the command
        cwd=folder,
        env={**environment(), **size},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()  # nobody reads what it writes any more
    os.close(ours)


def done(lines: list[str]) -> int:
    """How many are done, as the view says."""
    found = re.search(rf"(\d+)/{MANY} ", "\n".join(lines))
    return int(found[1]) if found else 0


def is_all_sent(lines: list[str]) -> bool:
    """Whether nothing waits for its submit."""
    return done(lines) > 0 and not re.search(r"\d (waiting|submitting|looking)", "\n".join(lines))


@pytest.mark.slow
def test_two_hundred_videos(tmp_path: Path) -> None:
    """Two hundred prompts survive Ctrl-C and ``kill -9``: whatever ended it, the same command goes
    on, and in the end each prompt was bought once and is a file, with its record and the page."""
    prompts = [f"{number} [/bold]\u200b of a mug\non a counter" for number in range(MANY)]
    text = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts)
    (tmp_path / "prompts.jsonl").write_text(text)
    command = ["batch", "prompts.jsonl", "--out", "out", "--emulator"]
    ledger = tmp_path / "out" / "emulator.ledger"

    with terminal(tmp_path, *command) as first:
        # A read may end in the middle of a frame, after the counts and before the items.
        view = first.until(lambda lines: done(lines) >= 10 and len(lines) > 4)
        first.press_ctrl_c()
        interrupted = first.to_the_end()
    with terminal(tmp_path, *command) as second:
        second.until(lambda lines: done(lines) > done(view) and is_all_sent(lines))
        before = len(ledger.read_bytes().splitlines())
        second.process.kill()
        second.to_the_end()
    with terminal(tmp_path, *command) as third:
        code = third.to_the_end()

    assert interrupted == 130
    assert "run the same command again to resume it" in " ".join(first.lines)
    assert "\u200b".encode() not in first.written + second.written + third.written
    check_view(view)
    assert before == MANY
    assert code == 0
    assert f"{MANY}/{MANY}" in "\n".join(third.lines)
    check_folder(tmp_path / "out", ledger)


def check_view(lines: list[str]) -> None:
    """The view has a bar, the counts with the time left, and a few items, each on a line."""
    assert lines[0].startswith(f"veo-async: {MANY} prompts from prompts.jsonl")
    below = next(number for number, line in enumerate(lines) if line.startswith("━"))
    bar, counts, *moving = lines[below:]
    assert re.fullmatch(rf"━+\S* *\S*━* *\d+/{MANY}  0:00:\d\d", bar), bar
    assert re.search(r"\d+ done .*\d+ making .* a minute  about 0:\d\d:\d\d left", counts), counts
    assert 1 <= len(moving) <= 6
    for line in moving:
        assert re.fullmatch(r"\w+ +\d+ s  \d+ \[/bold\]\\u200b of a mug\\non a counter", line)


def check_folder(out: Path, ledger: Path) -> None:
    """Everything is there, once."""
    bought = [json.loads(line)["submitted"]["prompt"] for line in ledger.read_text().splitlines()]
    assert len(bought) == len(set(bought)) == MANY
    videos = sorted(out.glob("*.mp4"))
    assert len(videos) == MANY
    assert all(video.read_bytes()[4:8] == b"ftyp" for video in videos)
    assert len(list(out.glob("*.json"))) == MANY
    assert not list(out.rglob("[!.]*.part"))
    assert (out / "index.html").read_text().count("of a mug") >= MANY
