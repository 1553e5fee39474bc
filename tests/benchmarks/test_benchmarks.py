"""The benchmark measures what it says that it measures."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import journal, memory, readme, start, throttled
from benchmarks.chart import draw
from benchmarks.contenders import BASE, CONTENDERS, FLOOR, body_of
from benchmarks.figures import Figures, figures, middle, percentile, ratios, service_load
from benchmarks.perform import Done
from benchmarks.report import RESULTS, WIDTH, document, left_out, remarks, show, surroundings
from benchmarks.running import Result, Work
from benchmarks.service import Seen
from benchmarks.speed import main
from veo_async import TextToVideo
from veo_async._wire.requests import submit_body

DONE = Done(cpu=0.004, started=100.0, ended=110.0, told={"a": 104.0, "b": 110.0}, peak=50_000_000)
SEEN = Seen(
    counters={"submit": 2, "retrieve": 1, "retrieve_batch": 1},
    finished={"a": 103.0, "b": 106.0},
    durations=(3.0, 5.5),
    cpu=((99.0, 1.0), (101.0, 2.8), (110.0, 3.0)),
)


def row(**changes: object) -> Figures:
    """Compute the row of these two videos."""
    return replace(figures("one", 2, DONE, SEEN, waits=True), **changes)  # type: ignore[arg-type]


def told(*rows: Figures, answer: float) -> dict[str, Any]:
    """Put together a run of these rows, on a machine that was idle."""
    around = surroundings()
    around["machine"]["load_before"] = 0.0
    return document(around, Work(videos=(2,)), Result(answer=answer, compared=(rows,)))


@pytest.mark.slow
def test_a_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command measures every contender, shows a row for each, writes the same and a chart."""
    folder = tmp_path / "new"
    quick = ["--mean", "0.1", "--first", "0.1", "--rounds", "1", "--interval", "0.1"]

    code = main(["--videos", "5", *quick, "--out", str(folder)])

    written = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
    rows = written["results"]
    printed = capsys.readouterr().out
    assert code == 0
    assert [row["contender"] for row in rows] == [contender.name for contender in CONTENDERS]
    assert all(name in printed for name in (*written["versions"], *(c.name for c in CONTENDERS)))
    assert written["answer"] > 0
    assert rows[0]["x_httpx"] == rows[2]["x_floor"] == 1.0
    assert all(row["cpu_ms"] > 0 and row["service_share"] > 0 for row in rows)
    assert all(20 < row["peak_mb"] < 200 for row in rows)
    assert [row["requests"] for row in rows if row["ideal"] is None] == [1.0, 1.0]
    waited = [row for row in rows if row["ideal"] is not None]
    assert all(row["requests"] > 1 for row in waited)
    assert all(-0.001 < row["delay_p50"] <= row["delay_p95"] < row["makespan"] for row in waited)
    assert len({row["ideal"] for row in waited}) == 1
    assert (folder / "speed.svg").read_text(encoding="utf-8").count("veo_async") >= 2


def test_the_bare_loops_send_what_the_library_sends() -> None:
    """A bare loop is compared with the library, so both send the same body."""
    request = TextToVideo(prompt="video 1")

    assert body_of("video 1") == submit_body(request, action="text2video", asynchronous=True)


def test_figures() -> None:
    """CPU and requests are a video's; a delay runs from finished to told."""
    shown = figures("one", 2, DONE, SEEN, waits=True)

    assert shown == Figures(
        contender="one",
        videos=2,
        cpu_ms=2.0,
        requests=2.0,
        delay_p50=1.0,
        delay_p95=4.0,
        makespan=10.0,
        ideal=5.5,
        service_share=0.2,
        service_saturated=1.0,
        service_limits=True,
        peak_mb=50.0,
    )


def test_who_waits_for_nothing_has_no_delay() -> None:
    """A loop that only submits is told of no end."""
    shown = figures("one", 2, DONE, SEEN, waits=False)

    assert (shown.delay_p50, shown.delay_p95, shown.ideal) == (None, None, None)


@pytest.mark.parametrize("ends", [{"a": 104.0}, {"a": 104.0, "c": 110.0}])
def test_an_incomplete_run_shows_nothing(ends: dict[str, float]) -> None:
    """A contender that lost a video, or made another one, is an error and no row."""
    with pytest.raises(RuntimeError, match="one: 2 videos were asked for, 2 accepted"):
        figures("one", 2, replace(DONE, told=ends), SEEN, waits=True)


def test_percentiles() -> None:
    """A percentile is one of the values."""
    values = [float(number) for number in range(1, 101)]

    assert [percentile(values, percent) for percent in (0, 50, 95, 100)] == [1, 50, 95, 100]
    assert percentile([7.0], 95) == 7.0


def test_the_load_of_an_idle_service() -> None:
    """A service that works little is never saturated."""
    assert service_load([(0.0, 5.0), (5.0, 5.5), (10.0, 6.0)], 0.0, 10.0) == (0.1, 0.0)


def test_the_middle_round_counts() -> None:
    """Of several rounds the one with the median CPU counts, whole."""
    rounds = [row(cpu_ms=9.0), row(cpu_ms=1.0), row(cpu_ms=2.0, makespan=7.0)]

    assert middle(rounds) == rounds[2]
    assert middle(rounds[:2]) == rounds[1]


def test_ratios() -> None:
    """Every row is compared with the row of one name, or with nothing if there is none."""
    rows = [row(cpu_ms=9.0), row(contender="two", cpu_ms=1.0)]

    assert ratios(rows, "one") == [1.0, 1 / 9]
    assert ratios(rows, "two") == [9.0, 1.0]
    assert ratios(rows, "none") == [None, None]


def test_what_disturbed_a_run_is_said() -> None:
    """A service that limits, and a machine that was not idle, stand beneath the table."""
    calm = told(row(service_limits=False), answer=0.001)
    rough = told(row(), answer=0.044)
    rough["machine"]["load_before"] = 1.5

    said = remarks(rough)

    assert remarks(calm) == []
    assert said[0].startswith("* The service process is what limits")
    assert said[1].startswith("The idle service takes 44 ms for an answer")
    assert said[2].startswith("The machine was not idle")


def test_a_limited_row_is_marked() -> None:
    """The row that the service limited has a star, and a missing figure is a dash."""
    console = Console(file=io.StringIO(), record=True, width=WIDTH)
    rows = [row(), row(contender="two", service_limits=False, delay_p50=None, ideal=None)]

    show(told(*rows, answer=0.001), console)

    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "one * - - 2.00 2.00 1.0 4.0 10.0 (1.82) 50 20% 1.0" in lines
    assert "two - - 2.00 2.00 - 4.0 10.0 50 20% 1.0" in lines


def test_who_takes_too_long_is_named() -> None:
    """A contender that was not asked for so many videos stands in the table all the same."""
    few, many = ([{"contender": FLOOR, "videos": videos}] for videos in (1000, 10_000))

    assert (left_out(few), left_out(many)) == ([], ["acedatacloud"])


def test_who_is_compared_with_whom() -> None:
    """The bare loop of httpx is the base, and what waits with the least work is the floor."""
    by_name = {contender.name: contender for contender in CONTENDERS}

    assert (by_name[BASE].where, by_name[FLOOR].where) == ("bare:with_httpx", "by_hand:opened")


@pytest.mark.parametrize("videos", ["0", "ten", "5,", "5,-1"])
def test_numbers_of_videos_are_read(videos: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything but numbers from 1 on is refused before anything is measured."""
    with pytest.raises(SystemExit):
        main(["--videos", videos])

    assert "give numbers of videos, such as 100,1000" in capsys.readouterr().err


def test_the_chart_is_made_of_the_json(tmp_path: Path) -> None:
    """The same JSON gives the same bytes, and the chart in the repository is that of its JSON."""
    draw(readme.results()["speed"], tmp_path / "speed.svg")

    drawn = (tmp_path / "speed.svg").read_text(encoding="utf-8")
    assert drawn == (RESULTS / "speed.svg").read_text(encoding="utf-8")


def test_the_readme_says_what_was_measured() -> None:
    """Every figure between the README's marks is made of the results, with their date and
    machine."""
    text = readme.README.read_text(encoding="utf-8")
    told = readme.results()

    sections = readme.sections(told)

    for mark, made in sections.items():
        assert text.split(f"{mark}\n")[1].split(readme.END)[0] == made
    assert told["speed"]["date"][:10] in sections[readme.COSTS]
    assert told["speed"]["machine"]["processor"] in sections[readme.COSTS]


def test_the_readme_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands between the marks is replaced, and nothing else."""
    copied = tmp_path / "README.md"
    text = readme.README.read_text(encoding="utf-8")
    copied.write_text(text.replace("this library |", "that library |"), encoding="utf-8")
    monkeypatch.setattr(readme, "README", copied)

    readme.main([])

    assert copied.read_text(encoding="utf-8") == text


def test_parts_of_one_run_are_of_one_machine() -> None:
    """What the README cites together was measured on one machine."""
    machines = {
        (one["machine"]["processor"], one["machine"]["cores"], one["python"])
        for name, one in readme.results().items()
        if name not in ("schedule", "throttled")  # simulated: the same everywhere
    }

    assert len(machines) == 1


@pytest.mark.slow
def test_the_memory_of_a_batch_is_measured(tmp_path: Path) -> None:
    """A short and a long batch, each in a process of its own."""
    assert memory.main(["--videos", "5", "50", "--out", str(tmp_path)]) == 0

    found = json.loads((tmp_path / "memory.json").read_text(encoding="utf-8"))["results"]
    assert (found["short"], found["long"]) == (5, 50)
    assert 20 < found["short_mb"] < 200
    assert abs(found["growth_mb"]) < 20


@pytest.mark.slow
def test_the_price_of_a_journal_is_measured(tmp_path: Path) -> None:
    """With and without, over both transports; a finished run costs no call."""
    few = ["--videos", "3", "--rows", "5", "--rounds", "1", "--mean", "0.1"]

    assert journal.main([*few, "--out", str(tmp_path)]) == 0

    told = json.loads((tmp_path / "journal.json").read_text(encoding="utf-8"))
    assert [row["transport"] for row in told["results"]] == [
        "default transport",
        "AiohttpTransport",
    ]
    assert all(row["ratio"] == row["with_ms"] / row["without_ms"] for row in told["results"])
    assert (told["resume"]["rows"], told["resume"]["calls"]) == (5, 0)


def test_the_throttled_service_is_simulated(tmp_path: Path) -> None:
    """What came of it is written with the ratio to the ideal."""
    assert throttled.main(["--videos", "20", "--out", str(tmp_path)]) == 0

    found = json.loads((tmp_path / "throttled.json").read_text(encoding="utf-8"))["results"]
    assert (found["videos"], found["bought"], found["failed"]) == (20, 20, 0)
    assert found["ratio"] == found["makespan"] / found["ideal"]


def test_the_start_is_measured_beside_its_libraries(tmp_path: Path) -> None:
    """The import and the command's help are written with the ratio to what they cannot avoid."""
    assert start.main(["--runs", "1", "--out", str(tmp_path)]) == 0

    found = json.loads((tmp_path / "start.json").read_text(encoding="utf-8"))["results"]
    assert set(found) == {"import", "help"}
    assert all(row["ratio"] == row["seconds"] / row["base_seconds"] for row in found.values())
