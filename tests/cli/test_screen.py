"""The two streams, and the progress on one of them."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
import threading

import pytest

from tests.cli.conftest import Shell
from veo_async.cli import main
from veo_async.cli._options import Shared
from veo_async.cli._progress import Item, Progress
from veo_async.cli._progress_view import shown
from veo_async.cli._rows import Row
from veo_async.cli._screen import Screen
from veo_async.emulator import Answer, Fault
from veo_async.policies import RetryPolicy
from veo_async.testing._virtual_loop import VirtualEventLoop


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard error and standard output are one terminal, as they are for a person.

    To be called in the test itself: pytest puts its own streams back after the fixtures.
    """
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def test_live(veo: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the progress is one table that is drawn again; results come below it."""
    ids = veo.submitted("a mug", "a cup")
    terminal = at_a_terminal(monkeypatch)

    code = veo("wait", *ids).code

    shown = terminal.getvalue()
    assert code == 0
    assert "\x1b[" in shown
    last_table, results = shown[shown.rindex("video ") :].split("state      succeeded", 1)
    assert all(task_id in last_table for task_id in ids)
    assert "waiting" not in last_table
    assert results.count("video_url") == 2


@pytest.mark.parametrize("prompt", ["[/bold]", "\x1b[2Jgone", "two\nlines", "wide 杯子 " * 30])
def test_live_with_hostile_prompts(
    veo: Shell, monkeypatch: pytest.MonkeyPatch, prompt: str
) -> None:
    """In the table a prompt is text on one line, too."""
    terminal = at_a_terminal(monkeypatch)

    code = veo("text2video", prompt).code

    shown = terminal.getvalue()
    assert code == 0
    assert "\x1b[2J" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("lines")]


@pytest.mark.parametrize("variable, value", [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_modest_terminals(
    veo: Shell, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """A dumb terminal gets plain lines; with NO_COLOR nothing is coloured."""
    terminal = at_a_terminal(monkeypatch)
    monkeypatch.setenv(variable, value)

    veo("text2video", "a mug")

    assert "\x1b[3" not in terminal.getvalue()
    assert ("\x1b[" in terminal.getvalue()) == (variable == "NO_COLOR")


def test_forced_colour(veo: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE_COLOR colours the plain lines of a log, and still draws no table in it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)

    ran = veo("text2video", "a mug", "--json")

    assert ran.err.count("\n") == 3
    assert "\x1b[32m" in ran.err
    assert "\x1b" not in ran.out


def test_error_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long an error and however narrow the terminal, it stays one line to search in."""
    monkeypatch.setenv("COLUMNS", "20")

    code = Screen(Shared()).error(OSError("no " * 50))

    assert code == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_log(veo: Shell) -> None:
    """The library's warnings are lines on standard error, made harmless; --debug shows all."""
    logger = logging.getLogger("veo_async")
    before = list(logger.handlers), logger.level, logger.propagate
    screen = Screen(Shared())

    with screen.listening():
        logger.debug("not this")
        logger.warning("this: %s", "\x1b[2J")
    with Screen(Shared(debug=True)).listening():
        logger.debug("this, too")

    assert (list(logger.handlers), logger.level, logger.propagate) == before
    assert veo._capsys.readouterr().err.splitlines() == [
        r"veo-async: warning: this: \x1b[2J",
        "veo-async: debug: this, too",
    ]


def test_token_in_no_output(veo: Shell) -> None:
    """Not even with --debug, and not even if the service repeats it, is the token shown."""
    veo.emulator.faults.add(Fault(effect=Answer(code="api_error", message="for made-up-token")))

    policy = RetryPolicy(on_uncertain="raise")

    ran = veo("text2video", "a mug", "--debug", "--json", retry=policy)

    assert ran.code == 3
    assert "made-up-token" not in ran.out + ran.err


def test_nobody_reads(veo: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed pipe ends a list quietly, also for what Python would still write at its end."""
    veo.submitted("a mug", "a cup")
    reader, writer = os.pipe()
    os.close(reader)

    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        ran = veo("tasks")

    assert (ran.code, ran.err) == (1, "")


@pytest.mark.parametrize("flag", ["--json", "--debug"])
def test_nobody_reads_a_result(veo: Shell, monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    """A result that was paid for is told on standard error where standard output is closed; that is
    code 1."""
    reader, writer = os.pipe()
    os.close(reader)

    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        ran = veo("text2video", "a mug", flag)

    (task_id,) = veo.emulator._service.backend.tasks
    assert ran.code == 1
    assert task_id in ran.err.splitlines()[-1 if flag == "--json" else -3]


def test_nobody_reads_progress(veo: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error is progress only: without a reader the results are the same."""
    reader, writer = os.pipe()
    os.close(reader)

    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stderr", pipe)
        ran = veo("text2video", "a mug", "--json")

    assert ran.code == 0
    assert [row["state"] for row in ran.rows] == ["succeeded"]


def test_no_streams(veo: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that do not exist, as under pythonw, are no error, and are left as they were."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)

        codes = [main(["--version"]), main(["nonsense"])]

        assert (sys.stdout, sys.stderr) == (None, None)
    assert codes == [0, 2]


def test_frames_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of other threads draw the live view again while the loop changes the items: the view
    is read on the loop only."""
    terminal = at_a_terminal(monkeypatch)
    readers = set()

    class Watched(Progress):
        def newest(self, most: int) -> list[Item]:
            readers.add(threading.current_thread())
            return super().newest(most)

    async def work() -> None:
        screen = Screen(Shared())
        async with shown(screen, Watched(asyncio.get_running_loop().time, 1), is_many=True):
            await asyncio.to_thread(screen.note, "from a thread")
            await asyncio.sleep(1)

    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        runner.run(work())

    assert readers == {threading.main_thread()}
    assert terminal.getvalue().count("0/1") > 4


def test_row_for_people() -> None:
    """A row shows what is known; every value stays on its line."""
    row = Row(
        state="failed",
        task_id="a\nb",
        videos=[
            {
                "id": None,
                "video_url": "https://cdn.example/\x1b",
                "created_at": None,
                "complete_at": None,
                "state": None,
            }
        ],
        cost={"amount": 1.5, "list_amount": 2.0, "currency": "credits"},
        error={"type": "DownloadError", "message": "cut", "may_have_cost": True},
    )

    assert row.as_text().splitlines() == [
        "state      failed",
        r"task_id    a\nb",
        r"video_url  https://cdn.example/\x1b",
        "cost       1.5 credits",
        "error      cut",
    ]
