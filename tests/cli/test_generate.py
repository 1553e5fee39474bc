"""The commands that buy a video."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import av
import pytest

from tests.cli.conftest import Shell, interrupting, tiny_emulator
from veo_async import RetryPolicy
from veo_async.cli._session import STOPPING
from veo_async.emulator import Answer, Emulator, Fail, Fault, Hang, Seconds
from veo_async.models import DEFAULT_MODEL
from veo_async.testing._virtual_loop import VirtualEventLoop

IMAGE = "https://example.com/mug.png"


def bought(emulator: Emulator) -> list[dict[str, Any]]:
    """What the emulator was asked to make, without what every submit says."""
    return [
        {
            name: value
            for name, value in charge.request.items()
            if name != "async" and "/health?ref=" not in str(value)
        }
        for charge in emulator.bill
    ]


@pytest.mark.parametrize(
    "argv, request_",
    [
        (["text2video", "a mug"], {"action": "text2video", "prompt": "a mug"}),
        (
            ["image2video", "a mug", "--image", IMAGE, "-i", IMAGE],
            {"action": "image2video", "prompt": "a mug", "image_urls": [IMAGE, IMAGE]},
        ),
        (
            ["ingredients2video", "a mug", "-i", IMAGE],
            {"action": "ingredients2video", "prompt": "a mug", "image_urls": [IMAGE]},
        ),
        (
            ["text2video", "a mug", "-a", "9:16", "-r", "1080p", "--no-translation"],
            {
                "action": "text2video",
                "prompt": "a mug",
                "aspect_ratio": "9:16",
                "resolution": "1080p",
                "translation": False,
            },
        ),
    ],
)
def test_requests(veo: Shell, argv: list[str], request_: dict[str, Any]) -> None:
    """What was given is sent, and what was not is left to the library and the service."""
    ran = veo(*argv)

    assert ran.code == 0
    assert bought(veo.emulator) == [{"model": DEFAULT_MODEL, **request_}]


def test_model_and_callback(veo: Shell) -> None:
    """Any model name is passed on, and so is a callback URL."""
    url = "http://127.0.0.1:1/hook"

    ran = veo("text2video", "a mug", "-m", "veo99", "--callback-url", url)

    assert ran.code == 0
    assert bought(veo.emulator) == [
        {"action": "text2video", "prompt": "a mug", "model": "veo99", "callback_url": url}
    ]


def test_result_for_people(veo: Shell) -> None:
    """Standard output holds the result, standard error how it came about."""
    ran = veo("text2video", "a mug")

    (task_id,) = veo.emulator._service.backend.tasks
    assert [line.split() for line in ran.out.splitlines()][:2] == [
        ["state", "succeeded"],
        ["task_id", task_id],
    ]
    assert f"/files/{task_id}.mp4" in ran.out
    assert [line[9:] for line in ran.err.splitlines()] == [
        "a mug: submitting",
        f"a mug: running ({task_id})",
        f"a mug: succeeded ({task_id})",
    ]


def test_result_for_programs(veo: Shell, tmp_path: Path) -> None:
    """With --json one line holds all there is to know, under names that stay."""
    out = tmp_path / "mug.mp4"

    ran = veo("text2video", "a mug", "--json", "-o", str(out))

    (row,) = ran.rows
    (task,) = veo.emulator._service.backend.tasks.values()
    assert list(row) == [
        "key",
        "task_id",
        "trace_id",
        "state",
        "action",
        "model",
        "prompt",
        "created_at",
        "finished_at",
        "videos",
        "cost",
        "files",
        "error",
    ]
    assert row["task_id"] == task.id
    assert row["trace_id"] == task.trace_id
    assert row["state"] == "succeeded"
    assert row["prompt"] == "a mug"
    assert row["files"] == [str(out)]
    assert row["error"] is None
    (video,) = row["videos"]
    assert list(video) == ["id", "video_url", "created_at", "complete_at", "state"]
    assert video["created_at"].endswith("+08:00")
    with av.open(out) as container:
        assert container.streams.video[0].width > container.streams.video[0].height


def test_out_in_a_folder(veo: Shell, tmp_path: Path) -> None:
    """In a folder the file is named by its task."""
    ran = veo("text2video", "a mug", "--json", "--out", str(tmp_path))

    assert [Path(file) for file in ran.rows[0]["files"]] == [*tmp_path.iterdir()]
    assert ran.rows[0]["task_id"] in ran.rows[0]["files"][0]


def test_get_1080p(veo: Shell) -> None:
    """The 1080p version is asked for by the id of a video."""
    (row,) = veo("text2video", "a mug", "--json").rows
    video_id = row["videos"][0]["id"]

    ran = veo("get-1080p", video_id, "--json")

    assert ran.code == 0
    assert ran.rows[0]["action"] == "get_1080p"
    assert ran.rows[0]["prompt"] is None
    assert video_id in ran.err
    assert bought(veo.emulator)[1] == {
        "action": "get_1080p",
        "model": DEFAULT_MODEL,
        "video_id": video_id,
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_no_wait(capsys: pytest.CaptureFixture[str], veo: Shell, as_json: bool) -> None:
    """Without waiting, the output is the task id and nothing else, fit for a shell variable."""
    slow = Shell(tiny_emulator(pace=Seconds(mean=100)), capsys)

    ran = slow("text2video", "a mug", "--no-wait", *["--json"] * as_json)

    (task_id,) = slow.emulator._service.backend.tasks
    assert ran.code == 0
    if as_json:
        assert (ran.rows[0]["task_id"], ran.rows[0]["state"]) == (task_id, "pending")
    else:
        assert ran.out == f"{task_id}\n"
    assert "wait" not in ran.err


def test_no_wait_for_what_is_there(veo: Shell) -> None:
    """A service that answers with the finished video is believed; the video is told."""
    url = "https://cdn.example/v.mp4"
    body = json.dumps({"success": True, "task_id": "t1", "data": [{"id": "v", "video_url": url}]})
    veo.emulator.faults.add(Fault(effect=Answer(at="accepted", status=200, body=body)))

    as_text, as_json = (veo("text2video", "a mug", "--no-wait", *more) for more in ([], ["--json"]))

    assert as_text.out == "t1\n"
    assert as_json.rows[0]["state"] == "succeeded"
    assert as_json.rows[0]["videos"][0]["video_url"] == url


def test_no_wait_without_an_id(veo: Shell) -> None:
    """A finished video that comes without a task id is told as a result."""
    url = "https://cdn.example/v.mp4"
    body = json.dumps({"success": True, "data": [{"id": "v", "video_url": url}]})
    veo.emulator.faults.add(Fault(effect=Answer(at="accepted", status=200, body=body)))

    ran = veo("text2video", "a mug", "--no-wait")

    assert ran.code == 0
    assert url in ran.out


def test_no_wait_refused(veo: Shell) -> None:
    """A refused submit is an error, waited for or not."""
    veo.emulator.faults.add(Fault(effect=Answer(code="used_up")))

    ran = veo("text2video", "a mug", "--no-wait")

    assert (ran.code, ran.out) == (4, "")


def test_offline(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With --emulator nothing is needed: no token, no network; a minute passes in a second."""
    shell = Shell(tiny_emulator(), capsys)

    ran = shell("text2video", "a mug", "--emulator", "-o", str(tmp_path / "mug.mp4"))

    assert ran.code == 0
    assert (tmp_path / "mug.mp4").read_bytes()[4:8] == b"ftyp"
    assert shell.made_with[0]["clock_factor"] == 60


@pytest.mark.parametrize(
    "argv, words",
    [
        (["text2video", " "], "prompt: must not be empty"),
        (["text2video", "a", "-a", "2:1"], "aspect_ratio"),
        (["image2video", "a"], "image_urls"),
        (["image2video", "a", "-i", "mug.png"], "the API takes URLs only"),
        (["image2video", "a", "-i", "file:///mug.png"], "the API takes URLs only"),
        (["get-1080p", ""], "video_id"),
        (["text2video", "a", "--callback-url", "localhost"], "callback_url"),
        (["text2video", "a", "--no-wait", "-o", "a.mp4"], "--no-wait"),
        (["text2video", "a", "--emulator", "--base-url", "https://x.example"], "--base-url"),
        (["text2video", "a", "--out", "/dev/null/x"], "--out"),
        (["text2video", "a", "--base-url", "http://x.example"], "base_url"),
        (["text2video", "a", "--timeout", "nan"], "timeout"),
    ],
)
def test_bad_input(veo: Shell, argv: list[str], words: str) -> None:
    """Bad input is one line that names what is wrong, code 2, and nothing is sent."""
    ran = veo(*argv)

    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert words in ran.err
    assert not veo.emulator.counters


def test_no_token(veo: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token the message names the variable that should hold it."""
    monkeypatch.delenv("ACEDATACLOUD_API_TOKEN")

    ran = veo("text2video", "a mug")

    assert ran.code == 4
    assert "ACEDATACLOUD_API_TOKEN" in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    "code, exit_code",
    [("used_up", 4), ("token_expired", 4), ("bad_request", 2), ("too_many_requests", 1)],
)
def test_refused(veo: Shell, code: str, exit_code: int) -> None:
    """A refusal ends with the code of its class, and is a row for programs."""
    veo.emulator.faults.add(Fault(effect=Answer(code=code)))

    ran = veo("text2video", "a mug", "--json", retry=RetryPolicy(rate_limit_attempts=1))

    assert ran.code == exit_code
    assert ran.rows[0]["state"] == "failed"
    assert ran.rows[0]["error"]["may_have_cost"] is False
    assert ran.err.splitlines()[-1].startswith("veo-async: error: ")


def test_failed(veo: Shell) -> None:
    """A video that the service fails is code 1, and standard output stays empty for people."""
    veo.emulator.faults.add(Fault(effect=Fail(message="\x1b[31mno\nluck")))

    ran = veo("text2video", "a mug")

    assert ran.code == 1
    assert ran.out == ""
    assert "\x1b" not in ran.err
    assert r"\x1b[31mno\nluck" in ran.err.splitlines()[-1]


def test_uncertain(veo: Shell) -> None:
    """A submit whose answer is lost is code 3, and the way to look for it is named."""
    veo.emulator.faults.add(Fault(effect=Answer(at="accepted", status=502, body="<html>")))

    ran = veo("text2video", "a mug", "--json", retry=RetryPolicy(on_uncertain="raise"))

    assert ran.code == 3
    assert ran.rows[0]["state"] == "uncertain"
    assert ran.rows[0]["error"]["may_have_cost"] is True
    assert "veo-async tasks --since" in ran.err.splitlines()[-1]
    assert len(veo.emulator.bill) == 1


def test_timeout(capsys: pytest.CaptureFixture[str], veo: Shell) -> None:
    """A wait that is too long is code 3, and the way to go on is named once."""
    slow = Shell(tiny_emulator(pace=Seconds(mean=100)), capsys)

    ran = slow("text2video", "a mug", "--timeout", "20", "--json")

    (task_id,) = slow.emulator._service.backend.tasks
    assert ran.code == 3
    assert ran.rows[0]["state"] == "pending"
    assert ran.rows[0]["task_id"] == task_id
    assert ran.err.count(f"veo-async wait {task_id}") == 1


@pytest.mark.parametrize("as_json", [False, True])
def test_download_fails(veo: Shell, tmp_path: Path, as_json: bool) -> None:
    """A video that cannot be saved is still reported, with its address and how to get it."""
    veo.emulator.faults.add(Fault(on="file", effect=Answer(status=404)))

    ran = veo("text2video", "a mug", "-o", str(tmp_path / "mug.mp4"), *["--json"] * as_json)

    (task_id,) = veo.emulator._service.backend.tasks
    assert ran.code == 1
    assert f"/files/{task_id}.mp4" in ran.out
    assert "succeeded" in ran.out
    assert "DownloadError" in ran.out or not as_json
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "prompt", ["[/bold]", "[red]x", "\x1b[2J\x1b[H", "two\nlines", "\u202eevil"]
)
def test_hostile_prompts(veo: Shell, prompt: str) -> None:
    """A prompt is text: no markup, no escape sequence, no line of its own."""
    ran = veo("text2video", prompt)

    assert ran.code == 0
    assert len(ran.err.splitlines()) == 3
    assert "\x1b" not in ran.out + ran.err
    assert "\u202e" not in ran.err
    assert bought(veo.emulator)[0]["prompt"] == prompt


def test_bug(veo: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw is one line and code 70; --debug shows where it came from."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops\nsecond line")

    monkeypatch.setattr("veo_async._client.VeoClient.submit", fail)

    short, long = veo("text2video", "a mug"), veo("text2video", "a mug", "--debug")

    assert short.code == long.code == 70
    first, last = short.err.splitlines()
    assert first.endswith("a mug: submitting")
    assert last == (
        r"veo-async: error: ZeroDivisionError: oops\nsecond line "
        "(a bug in veo-async: --debug shows the traceback)"
    )
    assert "Traceback" in long.err
    assert "test_generate.py" in long.err


def test_interrupted_while_waiting(capsys: pytest.CaptureFixture[str], veo: Shell) -> None:
    """Ctrl-C during the wait is code 130, and says how to go on with what was bought."""
    slow = Shell(tiny_emulator(pace=Seconds(mean=100)), capsys)

    ran = slow("text2video", "a mug", loop=interrupting(20.0))

    (task_id,) = slow.emulator._service.backend.tasks
    assert ran.code == 130
    assert ran.out == ""
    assert [line for line in ran.err.splitlines() if line.startswith("veo-async")] == [
        STOPPING,
        f"veo-async: still running, go on with: veo-async wait {task_id}",
        "veo-async: interrupted",
    ]


@pytest.mark.parametrize("signal_", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_interrupted_while_submitting(veo: Shell, signal_: str) -> None:
    """An open submit settles before Ctrl-C, a termination or a hang-up goes on, so that its id is
    told."""
    veo.emulator.faults.add(Fault(effect=Hang(at="accepted", seconds=5)))

    ran = veo("text2video", "a mug", loop=interrupting(1.0, with_signal=getattr(signal, signal_)))

    (task_id,) = veo.emulator._service.backend.tasks
    assert ran.code == 130
    assert f"veo-async wait {task_id}" in ran.err


@pytest.mark.parametrize("signal_", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ignored_signals(veo: Shell, signal_: str) -> None:
    """A signal that was ignored before the command stays ignored."""
    number = getattr(signal, signal_)
    before = signal.signal(number, signal.SIG_IGN)

    ran = veo("text2video", "a mug", loop=interrupting(0.5, with_signal=number))

    assert signal.signal(number, before) is signal.SIG_IGN
    assert ran.code == 0


@pytest.mark.parametrize("number, moment", [(signal.SIGTERM, 1.1), (signal.SIGHUP, 4.0)])
def test_one_end_told_twice(veo: Shell, number: int, moment: float) -> None:
    """A signal that comes to the process and to its group, or from a closed terminal and from its
    shell, is one decision: the open submit settles."""
    veo.emulator.faults.add(Fault(effect=Hang(at="accepted", seconds=5)))

    ran = veo("text2video", "a mug", loop=interrupting(1.0, moment, with_signal=number))

    (task_id,) = veo.emulator._service.backend.tasks
    assert ran.code == 130
    assert f"veo-async wait {task_id}" in ran.err


def test_interrupted_before_the_work(veo: Shell) -> None:
    """A signal before the first step of the work ends the command, too."""

    def make() -> VirtualEventLoop:
        signal.raise_signal(signal.SIGTERM)
        return VirtualEventLoop()

    ran = veo("text2video", "a mug", loop=make)

    assert (ran.code, ran.err) == (130, "veo-async: interrupted\n")
    assert not veo.emulator.bill


def test_interrupted_without_an_answer(veo: Shell) -> None:
    """A submit that does not settle is told as uncertain, with the way to look for it."""
    veo.emulator.faults.add(Fault(effect=Hang(at="accepted")))

    ran = veo("text2video", "a mug", loop=interrupting(1.0))

    assert ran.code == 130
    assert "veo-async tasks --since" in ran.err


def test_interrupted_with_a_video(veo: Shell) -> None:
    """A finished video that comes without a task id, and too late, is told by its address."""
    url = "https://cdn.example/v.mp4"
    body = json.dumps({"success": True, "data": [{"id": "v", "video_url": url}]})
    veo.emulator.faults.add(Fault(effect=Hang(at="read", seconds=5)))
    veo.emulator.faults.add(Fault(effect=Answer(at="accepted", status=200, body=body)))

    ran = veo("text2video", "a mug", loop=interrupting(1.0))

    assert ran.code == 130
    assert f"veo-async: finished: {url}" in ran.err


def test_interrupted_twice(veo: Shell) -> None:
    """The second Ctrl-C stops at once."""
    veo.emulator.faults.add(Fault(effect=Hang(at="accepted")))

    ran = veo("text2video", "a mug", loop=interrupting(1.0, 2.0))

    assert ran.code == 130
    assert ran.err.splitlines()[-1] == "veo-async: interrupted"


@pytest.mark.parametrize(
    "typed, sent", [(b"caf\xc3\xa9", "caf\u00e9"), (b"caf\xe9", None)], ids=["UTF-8", "another"]
)
def test_a_locale_that_did_not_decode_the_prompt(
    veo: Shell, typed: bytes, sent: str | None
) -> None:
    """A prompt in UTF-8 that the locale left as bytes is decoded; other bytes are refused."""
    ran = veo("text2video", typed.decode("ascii", "surrogateescape"))

    assert ran.code == (2 if sent is None else 0)
    assert [entry.request["prompt"] for entry in veo.emulator.bill] == ([sent] if sent else [])
