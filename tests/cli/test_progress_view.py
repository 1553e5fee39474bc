"""The view of a progress, drawn and in plain lines."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.cli.test_progress import REQUEST, accepted, begun, ended, finished, progress, submitted
from veo_async import events as of
from veo_async.cli._progress import Progress
from veo_async.cli._progress_view import View, span


def drawn(view: View, width: int = 80) -> str:
    """The view on a terminal of this many columns."""
    stream = StringIO()
    Console(file=stream, width=width).print(view)
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


widths = pytest.mark.parametrize("width", [40, 80, 120, 200, 300])
lengths = pytest.mark.parametrize("length", [20, 90, 270])
scripts = pytest.mark.parametrize("words", ["A goldfish swims ", "一条金鱼在游泳"])


@widths
@lengths
@scripts
def test_whole_rows_of_few(width: int, length: int, words: str) -> None:
    """Only the prompt of a row shrinks; the state, the seconds and the detail stay whole."""
    made, clock = progress(total=0)
    prompt, task_id = (words * 20)[:length], "0f8c2d1e-5b7a-4c39-9e6d-1a2b3c4d5e6f"
    for name in "ab":
        made.assign(made.add(prompt + name, "submitting"), f"{name}{task_id}", is_finished=False)
    clock.now = 1234.5

    lines = drawn(View(made, is_many=False), width).splitlines()

    rows = [line for line in lines if "running" in line]
    assert max(map(cell_len, lines)) <= width
    assert len(rows) == 2
    assert all("1234.5" in row and row.startswith(prompt[:5]) for row in rows)
    assert all(any(f"{name}{task_id}" in line for line in lines) for name in "ab")


@widths
@lengths
@scripts
def test_whole_rows_of_many(width: int, length: int, words: str) -> None:
    """Each active item keeps its step and age; the counts wrap, and the estimate is whole."""
    request = REQUEST.model_copy(update={"prompt": (words * 20)[:length]})
    own = (begun("a"), submitted("a"), accepted("a"), finished("a"), ended("a"))
    made, clock = progress(*own, of.Begun(at=0, key="b", request=request, step="wait"))
    made.on_event(of.Throttled(at=0, seconds=100.0))
    clock.now = 60.0

    lines = drawn(View(made, is_many=True), width).splitlines()

    (row,) = (line for line in lines if line.startswith("making"))
    assert max(map(cell_len, lines)) <= width
    assert row.split()[:3] == ["making", "60", "s"]
    assert words[:5] in row
    assert ("…" in row) == (cell_len(request.title) > width - 22)
    text = " ".join(" ".join(lines).split())
    assert "1 done 1 making 8 waiting 1.0 a minute 429: 1 times, everybody waits 40 s" in text
    assert "about 0:09:00 left" in text


def test_frame_at_a_new_width() -> None:
    """A frame is laid out for the width at which it is drawn, not for an earlier one."""
    made, _ = progress(total=0)
    made.add("A goldfish swims " * 20, "submitting")
    frame = View(made, is_many=False).__rich__()

    for width in (200, 40, 120):
        stream = StringIO()
        Console(file=stream, width=width).print(frame)
        assert cell_len(stream.getvalue().rstrip("\n")) == width


def test_no_rows() -> None:
    """Before its first item the view is empty."""
    assert drawn(View(progress(total=0)[0], is_many=False)).strip() == ""


def test_left_is_not_done() -> None:
    """Items left to do or still running are not done, and nothing remains of the estimate."""
    made = Progress(lambda: 0.0, 40)
    made.ended.update(succeeded=2, failed=1, left=36, pending=1)

    assert View(made, is_many=True).line() == (
        "veo-async: 3 of 40, 2 done, 1 failed, 1 still running, 36 left to do"
    )


def test_speed_of_this_run() -> None:
    """Tasks that an earlier run submitted give no speed and no estimate, however fast they end."""
    made, clock = progress(begun("a", "wait"), finished("a"), ended("a"))
    clock.now = 1.0

    assert View(made, is_many=True).line() == "veo-async: 1 of 10, 1 done, 9 waiting"
