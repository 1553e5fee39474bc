"""What only a real process and a real terminal can show."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TERMINAL_VARIABLES, Shell
from veo_async.cli._session import STOPPING

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "import sys; from veo_async.cli import main; sys.exit(main())"]
HOSTILE = "[/bold][red]\x1b[2J\x1b[31mred\x07\ntwo\r\u202elines " + "long " * 40


def environment() -> dict[str, str]:
    """The environment of a person at a terminal, on a checkout that is not installed."""
    outer = {*TERMINAL_VARIABLES, "CI"}
    kept = {name: value for name, value in os.environ.items() if name not in outer}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}


@pytest.mark.slow
def test_ctrl_c() -> None:
    """Ctrl-C ends the process with 130, without a traceback, and with the way to go on."""
    with subprocess.Popen(
        [*COMMAND, "text2video", "a mug", "--emulator"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        task_id = None
        while task_id is None:
            task_id = re.search(r"running \((\S+)\)", process.stderr.readline())

        process.send_signal(signal.SIGINT)

        out, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines() == [
        STOPPING,
        f"veo-async: still running, go on with: veo-async wait {task_id[1]}",
        "veo-async: interrupted",
    ]


ASCII_ONLY = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale in which no letter beyond ASCII can be printed or be in a file's name."""


@pytest.mark.slow
def test_a_locale_of_ascii_alone(tmp_path: Path) -> None:
    """Prompts in any language are made, saved and printed in a locale that has only ASCII."""
    prompts = ["雨の夜", "ein Café", "a mug"]
    (tmp_path / "prompts.txt").write_text("\n".join(prompts), encoding="utf-8")
    options: dict[str, Any] = {"cwd": tmp_path, "env": environment() | ASCII_ONLY}

    many = subprocess.run(
        [*COMMAND, "batch", "prompts.txt", "-o", "out", "--emulator"],
        capture_output=True,
        check=False,
        **options,
    )
    one = subprocess.run(
        [*COMMAND, "text2video", "雨の夜", "-o", "mug.mp4", "--emulator", "--json"],
        capture_output=True,
        check=False,
        **options,
    )

    assert (many.returncode, one.returncode) == (0, 0), many.stderr + one.stderr
    names = sorted(path.name for path in (tmp_path / "out").glob("*.mp4"))
    assert names == ["0001-video.mp4", "0002-ein-cafe.mp4", "0003-a-mug.mp4"]
    assert json.loads(one.stdout)["prompt"] == "雨の夜"


@pytest.mark.slow
def test_live_view() -> None:
    """On a real terminal a hostile prompt leaves one row of the table and the result behind."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "text2video", HOSTILE, "--emulator"],
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        drawn = read_all(ours)
    os.close(ours)

    row, *results = screen_after(drawn)
    assert process.returncode == 0
    assert drawn.count("\x1b[1A") + drawn.count("\x1b[2K") > 3
    assert "\x1b[2J" not in drawn
    assert row.startswith(r"[/bold][red]\x1b[2J\x1b[3")
    assert "succeeded" in row
    assert [line.split()[0] for line in results] == ["state", "task_id", "video_id", "video_url"]


def read_all(terminal: int) -> str:
    """All that a process writes until it closes its terminal."""
    chunks = []
    try:
        while chunk := os.read(terminal, 65536):
            chunks.append(chunk)
    except OSError:  # what Linux answers in place of an end of file
        pass
    return b"".join(chunks).decode()


def screen_after(drawn: str) -> list[str]:
    """The lines that a terminal shows at the end, with the few sequences that rich uses."""
    lines, line, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", drawn):
        if part == "\r":
            column = 0
        elif part == "\n":
            line += 1
            lines += [""] * (line + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            line -= int(part[2:-1])
        elif part == "\x1b[2K":
            lines[line] = ""
        elif not part.startswith("\x1b"):
            lines[line] = lines[line][:column].ljust(column) + part
            column += len(part)
    return [shown.rstrip() for shown in lines if shown.strip()]


def test_in_another_thread(veo: Shell) -> None:
    """A program may run a command in a thread, where no signal can be handled."""
    codes = []
    thread = threading.Thread(target=lambda: codes.append(veo("text2video", "a mug").code))

    thread.start()
    thread.join()

    assert codes == [0]


def modules_of(script: str) -> int:
    """How many modules a program has imported at its end."""
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}\nprint(len(sys.modules), file=sys.stderr)"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stderr)


@pytest.mark.parametrize(
    "ours, theirs, most",
    [
        ("from veo_async.cli import main; main(['--help'])", "import typer, rich", 1.5),
        ("import veo_async", "import httpx, pydantic", 1.3),
    ],
)
def test_imports_are_few(ours: str, theirs: str, most: float) -> None:
    """What is imported at the start is little beside the libraries that are needed anyway; it is
    counted, since a time would depend on the machine."""
    assert modules_of(ours) <= most * modules_of(theirs)


def test_help_is_light() -> None:
    """The help imports nothing that only a command needs, so that it answers at once."""
    script = """
import sys
from veo_async.cli import main
main(["--help"])
heavy = {"anyio", "asyncio", "av", "httpx", "PIL", "pydantic", "rich.console", "starlette"}
sys.exit(" ".join(heavy & set(sys.modules)) or 0)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Commands:" in ran.stdout
