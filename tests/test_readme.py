"""The README is a program: each of its blocks and commands is run here."""

from __future__ import annotations

import asyncio
import re
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp
from typer.main import get_group

import veo_async
from veo_async import errors
from veo_async.cli import main as veo_async_command
from veo_async.cli._app import app
from veo_async.emulator import Emulator, Fault, Hang, Seconds, VideoFormat

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
(PYTEST,) = [block for block in BLOCKS if "import pytest" in block]
PYTHON = [block for block in BLOCKS if "FastAPI" not in block and block != PYTEST]
(FASTAPI,) = [block for block in BLOCKS if "FastAPI" in block]
SHELL = re.findall(r"^```shell\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
COMMANDS = [line for block in SHELL for line in block.splitlines() if line]


async def no_image(url: str) -> bytes:
    """Fetch nothing: the emulator then draws a placeholder."""
    raise OSError(f"{url} is not on this machine")


def small_emulator() -> Emulator:
    """Make a service whose videos are quick to make and small."""
    return Emulator(
        pace=Seconds(mean=0.1, sigma=0.1),
        video=VideoFormat(seconds=0.2, fps=5, short_side=64),
        fetch=no_image,
    )


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The service on a port, in a thread of its own; the environment names its address."""
    emulator, ready, ended = small_emulator(), Event(), Event()

    async def serve() -> None:
        async with emulator, emulator.serve() as base_url:
            monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", base_url)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "a-token")
    yield emulator
    ended.set()
    thread.join(10)


class Quick(veo_async.PollPolicy):
    """Polls more often than is polite to a service that works for minutes."""

    first: float = 0.05
    min_interval: float = 0.05


@pytest.mark.slow
@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.split("await veo.")[-1][:12])
def test_python_blocks_run(
    block: str, service: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every Python block of the README runs to its end against the service."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("veo_async._client.PollPolicy", Quick)
    if "write_gallery" in block:  # of a folder that a batch has filled
        Path("out").mkdir()
        Path("out/0001-a-coffee-mug.mp4").touch()

    exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})

    if "download" in block:
        assert list(tmp_path.rglob("*.mp4"))
        assert service.bill


@contextmanager
def serving(listener: socket.socket, app: ASGIApp) -> Iterator[None]:
    """An application on a port, as its users run it, in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield
    server.should_exit = True
    thread.join(10)


@pytest.mark.slow
def test_the_fastapi_application(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application is whole, has at most thirty lines, is the example that the tests contain,
    and is notified of its videos by
    callbacks: with polls alone the result would come twenty seconds later."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("PUBLIC_URL", url)
    monkeypatch.setenv("CALLBACK_SECRET", "a secret of the application")
    module: dict[str, Any] = {"__name__": "app"}
    exec(compile(FASTAPI, "README.md", "exec"), module)

    with serving(listener, module["app"]), httpx.Client(base_url=url, timeout=10) as http:
        task_id = http.post("/videos", params={"prompt": "A coffee mug"}).json()
        result = http.get(f"/videos/{task_id}").json()
        forged = http.post("/veo/callbacks/forged", json={"task_id": task_id})

    assert len(FASTAPI.splitlines()) <= 30
    assert (ROOT / "tests/examples/fastapi_app.py").read_text(encoding="utf-8") == FASTAPI
    assert result["task_id"] == task_id
    assert result["data"][0]["video_url"]
    assert [delivery.status for delivery in service.deliveries] == [204]
    assert forged.status_code == 404


@pytest.mark.slow
def test_the_fastapi_application_ends(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as the text says, it ends soon after Ctrl-C, also with a request open that waits for
    a video."""
    (options,) = re.findall(r"`uvicorn app:app (--timeout[^`]+)`", README)
    service.faults.add(Fault(on="tasks", effect=Hang(at="read")))
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("CALLBACK_SECRET", "a secret of the application")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    number = str(listener.fileno())
    command = [sys.executable, "-m", "uvicorn", "tests.examples.fastapi_app:app", "--fd", number]

    with (
        subprocess.Popen([*command, *options.split()], pass_fds=[listener.fileno()]) as process,
        httpx.Client(base_url=url, timeout=60) as http,
    ):
        task_id = http.post("/videos", params={"prompt": "A coffee mug"}).json()
        with pytest.raises(httpx.ReadTimeout):  # the server goes on with it
            http.get(f"/videos/{task_id}", timeout=1)
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
    listener.close()

    assert code in (0, -signal.SIGINT)


@pytest.mark.slow
def test_the_tests_that_share_a_client_pass(pytester: pytest.Pytester) -> None:
    """The example of a session: one client, one event loop, two tests."""
    pytester.makepyfile(PYTEST)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")

    result = pytester.runpytest_subprocess("-W", "error")

    result.assert_outcomes(passed=2)


def test_the_first_example_has_ten_lines() -> None:
    """The first example, blank lines aside, is about ten lines long and is the one-liner's."""
    lines = [line for line in PYTHON[0].splitlines() if line.strip()]

    assert len(lines) <= 10


def test_every_shell_line_is_of_a_kind_that_is_tested() -> None:
    """A new kind of command in the README needs a test of its own."""
    words = {shlex.split(line)[0] for line in COMMANDS}

    assert words == {"make", "pip", "export", "veo-async"}


@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("make ")])
def test_make_verbs_exist(line: str) -> None:
    """Every ``make`` command of the README is one that the Makefile knows.

    ``make test`` runs this very test, and ``make demo`` what the command line's tests run.
    """
    verb = line.split()[1]

    dry = subprocess.run(["make", "-n", verb], cwd=ROOT, capture_output=True, check=False)

    assert dry.returncode == 0, dry.stderr


@pytest.mark.slow
@pytest.mark.parametrize("line", [c for c in COMMANDS if c.startswith("veo-async ")])
def test_command_lines_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ``veo-async`` command of the README does what it says, here with ``--emulator``."""
    monkeypatch.chdir(tmp_path)
    (prompts,) = re.findall(r"^```json\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    Path("prompts.jsonl").write_text(prompts, encoding="utf-8")

    code = veo_async_command([*shlex.split(line)[1:], "--emulator"])

    assert code == 0
    assert len(list(tmp_path.rglob("*.mp4"))) == (
        len(prompts.splitlines()) if "batch" in line else 1
    )


def test_extras_exist() -> None:
    """Every extra that the README names is one that can be installed."""
    named = set(re.findall(r"^The library itself.*?(?=^#)", README, re.DOTALL | re.MULTILINE))
    extras = set(re.findall(r"`(\w+)` \(", "".join(named)))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert extras
    assert extras <= set(project["optional-dependencies"])


def test_variables_are_the_ones_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that the README exports is the one that the client reads."""
    line = next(c for c in COMMANDS if c.startswith("export "))
    monkeypatch.setenv(line.split()[1].split("=")[0], "a-token")

    assert "VeoClient" in repr(veo_async.VeoClient())


def test_the_table_of_commands_is_complete() -> None:
    """The README's table names each command of the command line, and no other."""
    named = re.findall(r"^\| `veo-async ([\w-]+)", README, re.MULTILINE)
    commands = [str(command.name) for command in get_group(app).commands.values()]

    assert sorted(named) == sorted(commands)


def test_every_error_in_the_table_exists() -> None:
    """The README's table of errors names classes that can be imported, with their attributes."""
    table = README.partition("## Errors")[2].partition("\n## ")[0]

    for name in re.findall(r"`(\w+Error)`", table):
        assert issubclass(getattr(errors, name), errors.VeoError)


def test_links_lead_somewhere() -> None:
    """Pictures and relative links of the README are files of the repository."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target
