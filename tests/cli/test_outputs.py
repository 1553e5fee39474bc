"""Where files go: one rule for ``-o`` of every command."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from tests.cli.conftest import Shell
from veo_async import Generation, Video
from veo_async.cli._options import expanded
from veo_async.cli._outputs import folder, output


@pytest.mark.parametrize(
    "text, is_folder",
    [
        ("videos", True),
        ("videos/", True),
        ("mug.mp4", False),
        ("mug.mp4/", True),
        ("run-1.5", True),
        ("there", True),
        ("there.d", True),
        ("../out", True),
        (".", True),
        ("a/b/mug.gif", False),
    ],
)
def test_rule(text: str, is_folder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An output is a folder if it exists, ends with a slash or has no ending; else it is a file."""
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("there.d").mkdir()

    assert output(text).is_folder == is_folder


@pytest.mark.parametrize(
    "argv",
    [
        ["wait", "TASK", "-o", "videos"],
        ["wait", "TASK", "-o", "videos.d/"],
        ["download", "TASK", "videos"],
        ["download", "TASK", "new/folder/"],
        ["text2video", "a cup", "-o", "videos"],
        ["text2video", "a cup", "-o", "videos.mp4/"],
    ],
    ids=" ".join,
)
def test_folders(
    veo: Shell, argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command makes the folder that is named, and names the file in it by the task."""
    monkeypatch.chdir(tmp_path)
    (task_id,) = veo.submitted("a mug")

    ran = veo(*(task_id if word == "TASK" else word for word in argv), "--json")

    (row,) = ran.rows
    assert row["files"] == [str(Path(argv[-1]) / f"{row['task_id']}.mp4")]
    assert Path(row["files"][0]).is_file()


@pytest.mark.parametrize("command", ["wait", "download", "text2video"])
def test_files(veo: Shell, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command writes the file that is named, and makes the folders above it."""
    monkeypatch.chdir(tmp_path)
    (task_id,) = veo.submitted("a mug")
    path = "a/b/mug.mp4"
    argv = {
        "wait": [task_id, "-o", path],
        "download": [task_id, path],
        "text2video": ["a cup", "-o", path],
    }

    ran = veo(command, *argv[command], "--json")

    assert ran.rows[0]["files"] == [path]
    assert Path(path).is_file()


@pytest.mark.parametrize("command", ["wait", "download", "text2video"])
def test_an_existing_file(veo: Shell, command: str, tmp_path: Path) -> None:
    """An existing file is named before anything is bought, and only ``--force`` overwrites it."""
    (task_id,) = veo.submitted("a mug")
    file = tmp_path / "mug.mp4"
    file.write_text("mine")
    argv = {
        "wait": [task_id, "-o", str(file)],
        "download": [task_id, str(file)],
        "text2video": ["a cup", "-o", str(file)],
    }

    refused = veo(command, *argv[command])

    assert refused.code == 2
    assert f"{file} exists already; --force overwrites it." in refused.err
    assert file.read_text() == "mine"
    assert len(veo.emulator.bill) == 1
    assert veo(command, *argv[command], "--force").code == 0
    assert file.read_bytes() != b"mine"


def test_a_file_that_appears_meanwhile(veo: Shell, tmp_path: Path) -> None:
    """A file that was made since the video was bought keeps its name, and so does the video's."""
    file = tmp_path / "mug.mp4"
    to = output(str(file))
    to.check()
    file.write_text("of another run")
    result = Generation(success=True, task_id="t", data=(Video(video_url="https://a.example/1"),))

    assert [path.name for _, path in to.destinations(result)] == ["mug-2.mp4"]


@pytest.mark.parametrize("command", ["wait", "download"])
def test_a_task_that_was_saved(veo: Shell, command: str, tmp_path: Path) -> None:
    """A task whose file is in the folder is not downloaded again, unless one insists."""
    (task_id,) = veo.submitted("a mug")
    argv = {"wait": [task_id, "-o", str(tmp_path)], "download": [task_id, str(tmp_path)]}[command]
    file = tmp_path / f"{task_id}.mp4"
    file.write_text("saved before")

    again, forced = veo(command, *argv, "--json"), veo(command, *argv, "--json", "--force")

    assert (again.code, again.rows[0]["files"]) == (0, [str(file)])
    assert f"{file} exists already; --force downloads it again" in again.err
    assert (forced.code, forced.rows[0]["files"]) == (0, [str(file)])
    assert file.read_bytes() != b"saved before"


def test_an_address_and_a_folder(veo: Shell, tmp_path: Path) -> None:
    """A file from an address is named by the address, which is not said to be the same video."""
    (row,) = veo("text2video", "a mug", "--json").rows
    url = row["videos"][0]["video_url"]
    argv = ["download", url, f"{tmp_path}/new/"]

    first, second = veo(*argv, "--json"), veo(*argv)

    (file,) = first.rows[0]["files"]
    assert Path(file).parent == tmp_path / "new"
    assert second.code == 2
    assert f"{file} exists already" in second.err


def test_several_tasks_and_one_file(veo: Shell, tmp_path: Path) -> None:
    """Several tasks need a folder; the same task twice is one."""
    one, two = veo.submitted("a mug", "a cup")
    file = str(tmp_path / "mug.mp4")

    ran = veo("wait", one, two, "-o", file)

    assert ran.code == 2
    assert f"{file} is one file, and these are several tasks: name a folder." in ran.err
    assert veo("wait", one, one, "-o", file).code == 0


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is the home of the user, also where a shell did not replace it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert output("~/mug.mp4").path == tmp_path / "mug.mp4"
    assert expanded("~/videos") == tmp_path / "videos"
    assert expanded("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


def test_what_can_be_written(tmp_path: Path) -> None:
    """A new file, a folder, and a file in folders that are not there yet: all fine."""
    for path in (tmp_path, tmp_path / "new.mp4", tmp_path / "a" / "b" / "new.mp4"):
        output(str(path)).check()

    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An obstacle is named before anything is paid for."""
    file = tmp_path / "file"
    file.write_bytes(b"")

    with pytest.raises(typer.BadParameter, match="file is not a folder"):
        folder(file).prepare()
    with pytest.raises(typer.BadParameter, match="Not a directory"):
        output(str(file / "new.mp4")).check()
    with pytest.raises(typer.BadParameter, match="too long"):
        output(str(tmp_path / ("x" * 300 + ".mp4"))).check()
    with pytest.raises(typer.BadParameter, match="too long"):
        folder(tmp_path / ("x" * 300)).prepare()
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(typer.BadParameter, match="cannot be written to"):
        output(str(tmp_path / "new.mp4")).check()


def test_a_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the file system at the last moment is a usage error, too."""

    def mkdir(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", mkdir)

    with pytest.raises(typer.BadParameter, match="No space left"):
        folder(tmp_path / "new").prepare()


def test_prepare_folder(tmp_path: Path) -> None:
    """A folder is made with those above it, and may be there already."""
    folder(tmp_path / "a" / "b").prepare()
    folder(tmp_path / "a" / "b").prepare()

    assert (tmp_path / "a" / "b").is_dir()


def test_names(tmp_path: Path) -> None:
    """A file is taken as it is, a folder gets files named by the task, made safe; every video of
    the result has a place, and one without an address has none."""
    videos = [
        Video(video_url="https://cdn.example/1"),
        Video(),
        Video(video_url="https://cdn.example/2"),
    ]
    result = Generation(success=True, task_id="../A 1", data=tuple(videos))

    in_folder = [path.name for _, path in output(f"{tmp_path}/").destinations(result)]
    as_file = [path.name for _, path in output(f"{tmp_path}/mug.mp4").destinations(result)]

    assert in_folder == ["a-1.mp4", "a-1-2.mp4"]
    assert as_file == ["mug.mp4", "mug-2.mp4"]
    assert output(str(tmp_path)).named("").path == tmp_path / "video.mp4"
