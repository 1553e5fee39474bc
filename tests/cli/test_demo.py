"""The demo: the whole job, offline."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from tests.cli.conftest import Shell, tiny_emulator
from veo_async.cli._demo import FOR_REAL, measured
from veo_async.emulator import Answer, Emulator, Fault, Seconds

NAMES = [
    "01-a-coffee-mug-on-a-marble-counter.mp4",
    "02-a-fox-trots-through-fresh-snow-at-dawn.mp4",
    "03-a-paper-boat-drifts-from-morning-into-evening.mp4",
    "04-rain-on-a-neon-street-seen-from-a-tram.mp4",
    "05-a-red-balloon-rises-over-green-hills.mp4",
    "06-a-lighthouse-turns-its-beam-through-the-fog.mp4",
    "07-1080p-a-coffee-mug-on-a-marble-counter.mp4",
]


@pytest.fixture
def emulator() -> Emulator:
    """Videos take as long as they do in the demo."""
    return tiny_emulator(pace=Seconds(), clock_factor=25.0)


def test_demo(veo: Shell, tmp_path: Path) -> None:
    """Seven videos are made, two from images and one again in 1080p, and all are saved."""
    out = tmp_path / "new" / "demo"

    ran = veo("demo", "--out", str(out))

    assert ran.code == 0
    assert sorted(path.name for path in out.iterdir()) == NAMES
    asked = [charge.request for charge in veo.emulator.bill]
    assert sorted(len(request.get("image_urls", ())) for request in asked) == [0, 0, 0, 0, 0, 1, 2]
    assert asked[-1]["action"] == "get_1080p"
    sizes = [measured(out / name)[:2] for name in NAMES]
    assert sizes[3][0] < sizes[3][1]
    assert sizes[6][0] > sizes[0][0] > sizes[0][1]


def test_closing(veo: Shell, tmp_path: Path) -> None:
    """The closing table tells of each file what it is; then the bill, and how to go on."""
    ran = veo("demo", "--out", str(tmp_path))

    header, *table, empty, bill, last = ran.out.splitlines()
    assert header.split() == ["file", "pixels", "seconds", "bytes", "task", "id"]
    for line, name in zip(table, NAMES, strict=True):
        file, pixels, seconds, size, task_id = line.split()
        with av.open(file) as container:
            stream = container.streams.video[0]
            assert pixels == f"{stream.width}x{stream.height}"
        assert file == str(tmp_path / name)
        assert seconds == "0.4"
        assert int(size) == (tmp_path / name).stat().st_size
        assert task_id in veo.emulator._service.backend.tasks
    assert empty == ""
    assert bill == "7 videos billed by the emulator: 0 real money."
    assert last == FOR_REAL


def test_for_programs(veo: Shell, tmp_path: Path) -> None:
    """With --json there are seven rows, in order, and nothing else."""
    ran = veo("demo", "--out", str(tmp_path), "--json")

    assert [Path(row["files"][0]).name for row in ran.rows] == NAMES


def test_where_things_fail(veo: Shell, tmp_path: Path) -> None:
    """One that fails spoils no other; without the first there is nothing to get in 1080p."""
    veo.emulator.faults.add(Fault(effect=Answer(code="content_refused"), nth=1))

    ran = veo("demo", "--out", str(tmp_path))

    assert ran.code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES[1:6]
    assert "6 videos" not in ran.out
    assert "5 videos billed" in ran.out


def test_where_it_cannot_write(veo: Shell, tmp_path: Path) -> None:
    """A folder that cannot be made is told before anything is done."""
    (tmp_path / "file").write_bytes(b"")

    ran = veo("demo", "--out", str(tmp_path / "file"))

    assert ran.code == 2
    assert not veo.made_with
