"""The commands about tasks that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Shell, interrupting, tiny_emulator
from veo_async.emulator import Answer, Emulator, Fail, Fault, Seconds

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def emulator() -> Emulator:
    """Videos take some time here."""
    return tiny_emulator(pace=Seconds(mean=30, sigma=0), epoch=1_800_000_000.0)


def test_wait(veo: Shell, tmp_path: Path) -> None:
    """Tasks that anybody submitted are waited for, and saved in a folder that is made."""
    ids = veo.submitted("a mug", "a cup")

    ran = veo("wait", *ids, ids[0], "--json", "-o", str(tmp_path / "new"))

    assert ran.code == 0
    assert {row["task_id"] for row in ran.rows} == set(ids)
    assert len(ran.rows) == 2
    assert {path.stem for path in (tmp_path / "new").iterdir()} == set(ids)


def test_wait_for_people(veo: Shell) -> None:
    """Several results are blocks with an empty line between."""
    ran = veo("wait", *veo.submitted("a mug", "a cup"))

    assert ran.code == 0
    assert len(ran.out.split("\n\n")) == 2


def test_wait_ends_with_the_highest_code(veo: Shell) -> None:
    """Each task has its own end, and the exit code is the one that matters most."""
    veo.emulator.faults.add(Fault(effect=Fail(), nth=2))
    fine, failed = veo.submitted("a mug", "a cup")

    ran = veo("wait", fine, failed, UNKNOWN, "--json")

    assert ran.code == 1
    assert {row["task_id"]: row["state"] for row in ran.rows} == {
        fine: "succeeded",
        failed: "failed",
        UNKNOWN: "failed",
    }
    assert len([line for line in ran.err.splitlines() if "error:" in line]) == 2


def test_wait_without_an_account(veo: Shell) -> None:
    """A token that is refused meanwhile is code 4; the task goes on, and how to is said."""
    (task_id,) = veo.submitted("a mug")
    veo.emulator.faults.add(Fault(on="tasks", effect=Answer(code="token_expired")))

    ran = veo("wait", task_id, "--json")

    assert ran.code == 4
    assert ran.rows[0]["state"] == "pending"
    assert ran.err.splitlines()[-1].endswith(f"veo-async wait {task_id}")


def test_wait_in_vain(veo: Shell) -> None:
    """A wait that is too long says how to go on."""
    (task_id,) = veo.submitted("a mug")

    ran = veo("wait", task_id, "--timeout", "5")

    assert ran.code == 3
    assert ran.err.splitlines()[-1].endswith(f"veo-async wait {task_id}")


def test_interrupted_wait(veo: Shell) -> None:
    """Ctrl-C tells of every task that is still running, and of no other."""
    first, second = veo.submitted("a mug", "a cup")
    veo.emulator._service.backend.tasks[first].finish_at = 0.0

    ran = veo("wait", first, second, loop=interrupting(10.0))

    assert ran.code == 130
    assert f"veo-async wait {second}" in ran.err
    assert f"veo-async wait {first}" not in ran.err
    assert first in ran.out


def test_heartbeat(capsys: pytest.CaptureFixture[str], veo: Shell) -> None:
    """A log shows every half minute that something is still waited for."""
    slow = Shell(tiny_emulator(pace=Seconds(mean=100, sigma=0)), capsys)
    (task_id,) = slow.submitted("a mug")

    ran = slow("wait", task_id)

    assert ran.err.count("0 of 1 done, still waiting") == 3


def test_list(veo: Shell) -> None:
    """The newest task stands first; a line says all that a person looks for."""
    veo.submitted("a mug")
    (newest,) = veo.submitted("two\nlines")

    ran = veo("tasks")

    first, second = ran.out.splitlines()
    assert ran.code == 0
    assert re.fullmatch(
        newest + r"  pending    2027-01-15T\S{14,21}  text2video         veo3-fast  two\\nlines",
        first,
    )
    assert second.endswith("a mug")


def test_list_for_programs(veo: Shell) -> None:
    """A row of the list has the fields of every other row."""
    veo.emulator.faults.add(Fault(effect=Fail(), nth=1))
    failed, fine = veo.submitted("a mug", "a cup")
    veo("wait", failed, fine)

    ran = veo("tasks", "--json")

    newest, oldest = ran.rows
    assert (newest["task_id"], newest["state"], newest["prompt"]) == (fine, "succeeded", "a cup")
    assert newest["videos"][0]["video_url"].startswith("http")
    assert newest["created_at"].startswith("2027-01-15T")
    assert (oldest["task_id"], oldest["state"]) == (failed, "failed")
    assert oldest["error"]["type"] == "GenerationFailedError"


def test_list_a_window(veo: Shell) -> None:
    """Only so many, or only those of a time; a foreign record may lack anything."""
    ids = veo.submitted(*(f"mug {number}" for number in range(30)))

    def shown(*argv: str) -> list[str]:
        return [row["task_id"] for row in veo("tasks", "--json", *argv).rows]

    assert shown() == list(reversed(ids))[:20]
    assert shown("--limit", "25") == list(reversed(ids))[:25]
    assert shown("--since", "2027-01-01", "--until", "2027-02-01", "--limit", "99") == ids[::-1]
    assert shown("--since", "2027-02-01") == shown("--until", "2027-01-01") == []


def test_list_by_id(veo: Shell) -> None:
    """Named tasks are shown in that order; an unknown one is an error of its own."""
    first, second = veo.submitted("a mug", "a cup")

    ran = veo("tasks", second, UNKNOWN, first, "--json")

    assert ran.code == 1
    assert [row["task_id"] for row in ran.rows] == [second, first]
    assert len(ran.err.splitlines()) == 1
    assert f"does not know the task '{UNKNOWN}'" in ran.err


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_list_when(veo: Shell, option: str) -> None:
    """A time that is none is refused before anything is asked."""
    ran = veo("tasks", option, "")

    assert ran.code == 2
    assert option in ran.err
    assert not veo.emulator.counters


def test_download_by_task(veo: Shell, tmp_path: Path) -> None:
    """A finished task is saved by its id."""
    (task_id,) = veo.submitted("a mug")
    veo("wait", task_id)

    ran = veo("download", task_id, str(tmp_path / "mug.mp4"), "--json")

    assert ran.code == 0
    assert ran.rows[0]["files"] == [str(tmp_path / "mug.mp4")]
    assert ran.rows[0]["task_id"] == task_id
    assert (tmp_path / "mug.mp4").read_bytes()[4:8] == b"ftyp"


def test_download_by_url(veo: Shell, tmp_path: Path) -> None:
    """A URL is saved as it is given; in a folder under the last word of it, made safe."""
    (task_id,) = veo.submitted("a mug")
    (row,) = veo("wait", task_id, "--json").rows
    url = row["videos"][0]["video_url"]

    ran = veo("download", url, str(tmp_path))

    assert ran.code == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{task_id}.mp4"]


def test_download_by_url_without_a_token(
    veo: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file's own address needs no token; a task's id does."""
    (task_id,) = veo.submitted("a mug")
    (row,) = veo("wait", task_id, "--json").rows
    monkeypatch.delenv("ACEDATACLOUD_API_TOKEN")

    by_url = veo("download", row["videos"][0]["video_url"], str(tmp_path / "mug.mp4"))
    by_task = veo("download", task_id, str(tmp_path / "cup.mp4"))

    assert (by_url.code, by_task.code) == (0, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["mug.mp4"]


@pytest.mark.parametrize(
    "source, code, words",
    [
        (UNKNOWN, 1, "not know"),
        ("http://127.0.0.1:1/files/none.mp4", 1, "none.mp4"),
        ("https://10.0.0.1/private.mp4", 1, "private"),
        (" ", 2, "task_id"),
    ],
)
def test_download_what_is_not_there(
    veo: Shell, tmp_path: Path, source: str, code: int, words: str
) -> None:
    """What cannot be had is one line, and leaves nothing behind."""
    ran = veo("download", source, str(tmp_path / "mug.mp4"))

    assert ran.code == code
    assert words in ran.err.splitlines()[-1]
    assert "succeeded" not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_download_too_early(veo: Shell, tmp_path: Path) -> None:
    """A task that is not finished is not waited for; how to do that is said."""
    (task_id,) = veo.submitted("a mug")

    ran = veo("download", task_id, str(tmp_path / "mug.mp4"))

    assert ran.code == 3
    assert f"veo-async wait {task_id}" in ran.err


def test_download_what_failed(veo: Shell, tmp_path: Path) -> None:
    """A task that failed has no video, and its own error says why."""
    veo.emulator.faults.add(Fault(effect=Fail(message="too much steam")))
    (task_id,) = veo.submitted("a mug")
    veo("wait", task_id)

    ran = veo("download", task_id, str(tmp_path / "mug.mp4"))

    assert ran.code == 1
    assert "too much steam" in ran.err


def test_no_answer(veo: Shell) -> None:
    """A service that cannot be asked is code 1."""
    veo.emulator.faults.add(Fault(on="tasks", effect=Answer(code="api_error")))

    ran = veo("tasks")

    assert ran.code == 1
    assert ran.err.startswith("veo-async: error: ")
