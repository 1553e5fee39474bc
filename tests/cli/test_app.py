"""The commands as a whole: help, examples, usage."""

from __future__ import annotations

import builtins
import io
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import veo_async.cli._app as application
from tests.cli.conftest import Shell
from tests.cli.test_emulate import pressing_when
from veo_async.cli import main
from veo_async.cli._help import COMPLETION, SHELLS, topics
from veo_async.models import DEFAULT_MODEL
from veo_async.testing._virtual_loop import VirtualEventLoop

COMMANDS = [
    "demo",
    "text2video",
    "image2video",
    "ingredients2video",
    "get-1080p",
    "batch",
    "wait",
    "tasks",
    "download",
    "gallery",
    "emulator",
    "help",
    "completion",
]


def examples() -> Iterator[list[str]]:
    """Every example of every command's help, as arguments."""
    group = typer.main.get_command(application.app)
    for command in group.commands.values():  # type: ignore[attr-defined]
        for line in command.epilog.splitlines():
            if line.startswith("  veo-async "):
                yield shlex.split(line)[1:]


def test_commands(veo: Shell) -> None:
    """The help lists every command with its whole sentence, and the topics."""
    ran = veo("--help")

    assert ran.code == 0
    listed = re.findall(r"^  ([a-z][a-z0-9-]+)  +[A-Z]", ran.out, flags=re.MULTILINE)
    assert listed == COMMANDS
    assert "..." not in ran.out.split("Commands:")[1].split("Try it")[0]
    assert f"veo-async help TOPIC:\n    {', '.join(topics())}" in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help(veo: Shell, command: str) -> None:
    """The help of every command has an example, and writes arguments as people write them."""
    ran = veo(command, "--help")

    assert ran.code == 0
    assert re.search(r"Examples?:\n    (eval \"\$\()?veo-async " + command, ran.out)
    assert not re.search(r"<\w|[{}]|\[\[", ran.out)
    assert veo("help", command).out == ran.out


def test_usage(veo: Shell) -> None:
    """Arguments that repeat, and those that may be left out, look as in well-known tools."""
    usage = {name: veo(name, "--help").out.splitlines()[0] for name in ("wait", "tasks", "batch")}

    assert usage == {
        "wait": "Usage: veo-async wait [OPTIONS] TASK_ID...",
        "tasks": "Usage: veo-async tasks [OPTIONS] [TASK_ID...]",
        "batch": "Usage: veo-async batch [OPTIONS] PROMPTS",
    }


@pytest.mark.parametrize("command", ["text2video", "batch", "wait", "tasks"])
def test_order_of_options(veo: Shell, command: str) -> None:
    """The options of the command itself come first; those of every command come last."""
    listed = re.findall(r"^  (?:-\w, )?--([a-z0-9-]+)", veo(command, "--help").out, re.MULTILINE)

    assert listed[-5:] == ["allow-reserved", "base-url", "debug", "json", "help"]


@pytest.mark.parametrize("topic", [*topics()])
def test_topic(veo: Shell, topic: str) -> None:
    """Each topic is explained in lines of at most 100 columns."""
    ran = veo("help", topic)

    assert (ran.code, ran.out) == (0, topics()[topic])
    assert all(len(line) <= 100 for line in ran.out.splitlines()) or topic == "json"


def test_help_alone(veo: Shell) -> None:
    """``veo-async help`` is the help of all, and an unknown topic is a usage error."""
    assert veo("help").out == veo("--help").out
    assert veo("help", "nothing").code == 2


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_script(veo: Shell, shell: str) -> None:
    """Each shell gets a script that asks this program for completions."""
    ran = veo("completion", shell)

    assert ran.code == 0
    assert COMPLETION in ran.out
    assert "veo-async" in ran.out


def test_completion_for_an_unknown_shell(veo: Shell) -> None:
    """The shells are named when another one is asked for."""
    ran = veo("completion", "tcsh")

    assert ran.code == 2
    assert "'tcsh' is none of bash, zsh, fish, powershell. (see veo-async completion" in ran.err


@pytest.mark.parametrize(
    "words, completed",
    [
        ("veo-async ba", ["batch"]),
        ("veo-async text2video x --mo", ["--model"]),
        ("veo-async text2video x --model veo31-fast-", ["veo31-fast-ingredients"]),
        ("veo-async text2video x --aspect-ratio 3", ["3:4"]),
        ("veo-async batch p.csv --resolution g", ["gif"]),
        ("veo-async batch p.csv --format para", ["paragraphs"]),
        ("veo-async completion z", ["zsh"]),
        ("veo-async help exit", ["exit-codes"]),
    ],
)
def test_completed(
    veo: Shell, words: str, completed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands, options and the known values of options are completed."""
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    monkeypatch.setenv(COMPLETION, "complete_bash")
    printed = io.StringIO()
    monkeypatch.setattr(sys, "stdout", printed)

    with pytest.raises(SystemExit) as ended:
        main([])

    assert ended.value.code == 0
    assert printed.getvalue().split() == completed


def test_defaults_in_the_help(veo: Shell) -> None:
    """The help names the model that the library takes."""
    assert f"[default: {DEFAULT_MODEL}]" in " ".join(veo("text2video", "--help").out.split())


def test_no_token_option(veo: Shell) -> None:
    """No command that speaks to the service takes the token: the process list would show it."""
    for command in set(COMMANDS) - {"emulator"}:
        assert "--token" not in veo(command, "--help").out


@pytest.mark.parametrize("argv", [*examples()], ids=lambda argv: argv[0])
def test_example(
    veo: Shell, argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples of the help work as they stand, but for the ids and the port."""
    monkeypatch.chdir(tmp_path)
    (row,) = veo("text2video", "a mug", "--json").rows
    Path("prompts.jsonl").write_text('{"prompt": "a mug"}\n{"prompt": "a cup"}\n')
    Path("old.mp4").touch()
    known = {
        "253eedc47f1c4eb2a370ed2312168f4b": row["videos"][0]["id"],
        "dd01fc69-e1f7-4b68-aa8c-463f6b748d11": row["task_id"],
        "8080": "0",
    }
    before = veo.emulator.base_url
    listening = pressing_when(lambda: veo.emulator.base_url != before)
    loop = listening if argv[0] == "emulator" else VirtualEventLoop

    ran = veo(*(known.get(word, word) for word in argv), loop=loop)

    assert ran.code == 0, ran.err
    assert ran.out or argv[0] == "tasks"
    if argv[0] == "batch":
        assert Path("videos/index.html").exists() == ("--dry-run" not in argv)
    if "-o" in argv:
        assert Path(argv[argv.index("-o") + 1]).exists()


def test_version(veo: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is that of the installed package."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"1.2.3 of {name}")

    assert veo("--version").out == "1.2.3 of veo-async\n"


def test_nothing(veo: Shell) -> None:
    """Without a command there is the help, and code 2."""
    ran = veo()

    assert ran.code == 2
    assert "Usage: veo-async" in ran.out


@pytest.mark.parametrize(
    "argv, words",
    [
        (["text2vid"], "No such command 'text2vid'"),
        (["text2video"], "Missing argument 'PROMPT'"),
        (["text2video", "a", "b"], "unexpected extra argument"),
        (["text2video", "a", "--token", "secret"], "--token"),
        (["wait"], "TASK_ID"),
        (["tasks", "--limit", "0"], "--limit"),
        (["tasks", "--\x1b[31m"], r"\x1b[31m"),
        (["emulator", "--port", "70000"], "--port"),
    ],
)
def test_bad_usage(veo: Shell, argv: list[str], words: str) -> None:
    """Bad usage is one line and code 2."""
    ran = veo(*argv)

    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert words in ran.err
    assert "\x1b" not in ran.err
    assert "secret" not in ran.err
    assert f"(see veo-async {argv[0]} --help)" in ran.err or argv == ["text2vid"]


def test_arguments_of_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The entry point reads the arguments of the process."""
    monkeypatch.setattr(sys, "argv", ["veo-async", "--help"])

    assert main() == 0
    assert "Usage: veo-async" in capsys.readouterr().out


def test_a_stream_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output may have been replaced by anything that can be written to."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)

    assert main(["--help"]) == 0
    assert "Usage: veo-async" in stream.getvalue()


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_missing_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its libraries the command line says on one line what to install."""
    importing(monkeypatch, missing)

    assert main(["--help"]) == 2
    assert capsys.readouterr().err == (
        'veo-async: error: The command line needs more libraries: pip install "veo-async[cli]".\n'
    )


def test_missing_emulator(
    veo: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without the emulator's libraries, what needs it says on one line what to install."""
    monkeypatch.delitem(sys.modules, "veo_async.emulator")
    monkeypatch.setitem(sys.modules, "veo_async.emulator", None)

    (tmp_path / "a.txt").write_text("a mug")
    batch = ["batch", str(tmp_path / "a.txt"), "-o", str(tmp_path), "--emulator"]
    for argv in (["demo", "-o", "/tmp"], ["text2video", "a", "--emulator"], ["emulator"], batch):
        assert main(argv) == 2
        assert capsys.readouterr().err.splitlines()[-1] == (
            "veo-async: error: The emulator needs more libraries: "
            'pip install "veo-async[emulator]".'
        )


def test_broken_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other missing module is not taken for a missing extra."""
    importing(monkeypatch, "rich", named="something_else")

    with pytest.raises(ModuleNotFoundError, match="something_else"):
        main(["--help"])


def test_interrupted_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before a command has begun is code 130, too."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(application, "app", interrupted)

    assert main(["demo"]) == 130


def importing(monkeypatch: pytest.MonkeyPatch, missing: str, *, named: str | None = None) -> None:
    """Let the import of a module fail."""
    real = builtins.__import__

    def import_(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == missing:
            raise ModuleNotFoundError(f"No module named {named or name!r}", name=named or name)
        return real(name, *args, **kwargs)

    for loaded in [name for name in sys.modules if name.startswith("veo_async.cli._app")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setattr(builtins, "__import__", import_)


def test_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m veo_async.cli`` is the command, where its script is not on the path."""
    monkeypatch.setattr(sys, "argv", ["veo-async", "--version"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("veo_async.cli", run_name="__main__")

    assert ended.value.code == 0
    assert capsys.readouterr().out.strip()
