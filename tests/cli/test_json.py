"""What ``--json`` prints: the README says it, and every command keeps to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran, Shell
from tests.cli.test_emulate import pressing_when
from veo_async import Outcome, RetryPolicy, TextToVideo
from veo_async.emulator import Drop, Fail, Fault

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("### Results for programs")[2].partition("\n#")[0]
TYPES: Mapping[str, type] = {
    "string": str,
    "null": type(None),
    "array": list,
    "object": dict,
    "number": int,
}
Schema = dict[str, tuple[type, ...]]

TASK: Schema = {
    name: tuple(TYPES[word] for word in types.split(", "))
    for name, types in re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", SECTION, re.MULTILINE)
}


def schema_of(command: str) -> Schema:
    """The fields of a command's own lines."""
    rows = re.findall(rf"^\| `{command}` \| (.+) \| ([\w, ]+) \|$", SECTION, re.MULTILINE)
    return {
        name: tuple(TYPES[word] for word in types.split(", "))
        for names, types in rows
        for name in re.findall(r"`(\w+)`", names)
    }


def check(ran: Ran, schema: Schema) -> None:
    """Every line is an object of that schema."""
    assert ran.rows
    for row in ran.rows:
        assert list(row) == list(schema)
        for name, types in schema.items():
            assert type(row[name]) in types, (name, row[name])


def nested(name: str) -> list[str]:
    """The fields of the objects in a field of a task, as the README names them."""
    (line,) = re.findall(rf"^\| `{name}` \|.*$", SECTION, re.MULTILINE)
    return re.findall(r"`(\w+)`", line)[1:]


def task_commands(known: Mapping[str, Any]) -> list[list[str]]:
    """Each command that speaks of tasks."""
    image = ["--image", "https://example.com/mug.png"]
    return [
        ["demo"],
        ["text2video", "a mug", "--out", "a.mp4"],
        ["text2video", "a mug", "--no-wait"],
        ["image2video", "a mug", *image],
        ["ingredients2video", "a mug", *image],
        ["get-1080p", known["videos"][0]["id"]],
        ["wait", known["task_id"]],
        ["wait", "unknown"],
        ["tasks"],
        ["download", known["task_id"], "b.mp4"],
        ["batch", "prompts.txt", "--out", "out"],
    ]


def test_tasks(veo: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command prints of each task all fields, of the types that the README tells."""
    monkeypatch.chdir(tmp_path)
    Path("prompts.txt").write_text("a mug\na cup\n")
    (known,) = veo("text2video", "a mug", "--json").rows

    for argv in task_commands(known):
        check(veo(*argv, "--json"), TASK)


@pytest.mark.parametrize("effect", [Fail(), Drop(at="accepted")])
def test_troubles(veo: Shell, tmp_path: Path, effect: Any) -> None:
    """So does a batch of items that failed or are uncertain."""
    veo.emulator.faults.add(Fault(effect=effect))
    file = tmp_path / "prompts.txt"
    file.write_text("a mug\n")

    ran = veo(
        *("batch", str(file), "--out", str(tmp_path), "--json"),
        retry=RetryPolicy(on_uncertain="raise"),
    )

    check(ran, TASK)
    assert list(ran.rows[0]["error"]) == nested("error")


def test_outcomes() -> None:
    """The dictionary of an outcome has the fields of a line, in their order."""
    assert list(Outcome("k", TextToVideo(prompt="a mug")).to_dict()) == list(TASK)


def test_videos(veo: Shell) -> None:
    """The videos of a task are objects of one form, too."""
    (row,) = veo("text2video", "a mug", "--json").rows

    assert [list(video) for video in row["videos"]] == [nested("videos")]


def test_lines_of_another_kind(veo: Shell, tmp_path: Path) -> None:
    """What is no task has fields of its own."""
    file = tmp_path / "prompts.txt"
    file.write_text("a mug\n")
    before = veo.emulator.base_url
    listening: Callable[[], Any] = pressing_when(lambda: veo.emulator.base_url != before)

    dry = veo("batch", str(file), "--out", str(tmp_path), "--dry-run", "--json")
    veo("text2video", "a mug", "--out", str(tmp_path))
    page = veo("gallery", str(tmp_path), "--json")
    emulator = veo("emulator", "--json", loop=listening)

    check(dry, schema_of("batch --dry-run"))
    check(page, schema_of("gallery"))
    check(emulator, schema_of("emulator"))
