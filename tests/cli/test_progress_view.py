"""The view of a progress, drawn and in plain lines."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from tests.cli.test_progress import accepted, begun, ended, finished, progress, submitted
from veo_async import events as of
from veo_async.cli._progress_view import View, span


def drawn(view: View) -> str:
    """The view on a terminal of 80 columns."""
    stream = StringIO()
    Console(file=stream, width=80).print(view)
    return stream.getvalue()


def test_line() -> None:
    """The line says all that is known, in one order."""
    made, clock = progress(begun("a"), accepted("a"), finished("a"), ended("a"), begun("b"))
    clock.now = 30.0

    assert View(made, is_many=True).line() == (
        "veo-async: 1 of 10, 1 done, 9 waiting, 2.0 a minute, about 0:10:00 left"
    )


def test_bar() -> None:
    """What moves now is shown line by line, whatever is in a prompt."""
    made, clock = progress(begun("a"), submitted("a"))
    clock.now = 7.0

    shown = drawn(View(made, is_many=True))

    assert "0/10" in shown
    assert "submitting" in shown
    assert "7 s" in shown


def test_pauses() -> None:
    """A line tells of the pauses that the service asked for, and of the rest of one."""
    made, clock = progress(of.Throttled(at=0, seconds=20.0), of.Throttled(at=0, seconds=10.0))
    clock.now = 15.0

    assert "429: 2 times, everybody waits 5 s" in View(made, is_many=True).line()
    clock.now = 25.0
    assert View(made, is_many=True).line() == "veo-async: 0 of 10, 10 waiting, 429: 2 times"


def test_rows() -> None:
    """Each of a few items is one row in the order in which they were added, also once its task is
    known; its time stands still when it has ended."""
    made, clock = progress(total=0)
    first, _ = made.add("a mug", "submitting"), made.add("a cup", "submitting")
    made.assign(first, "task-1", is_finished=False)
    running = drawn(View(made, is_many=False))
    clock.now = 7.0
    made.end(first, "succeeded", "mug.mp4")
    clock.now = 9.0

    header, mug, cup = drawn(View(made, is_many=False)).splitlines()
    assert "running" in running
    assert "task-1" in running
    assert header.split() == ["video", "state", "seconds"]
    assert mug.split() == ["a", "mug", "succeeded", "7.0", "mug.mp4"]
    assert cup.split() == ["a", "cup", "submitting", "9.0"]
    assert View(made, is_many=False).line() == "   9.0s  1 of 2 done, still waiting"


def test_span() -> None:
    """Times are hours, minutes and seconds."""
    assert span(3723.4) == "1:02:03"
