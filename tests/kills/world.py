"""What the tests of kills share: the two processes, and the service's control plane."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kills.brisk import Pace
from veo_async.emulator import Fault

FACTOR = 25.0
"""Two minutes are five seconds."""

PATIENCE = 60.0
"""Real seconds after which something hangs."""


@dataclass
class World:
    """A service on a port, and a folder for a batch."""

    pace: Pace
    url: str
    folder: Path
    count: int

    def ask(self, method: str, what: str, document: Any = None) -> Any:
        """Call the control plane."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/__emulator__/{what}", data, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def fault(self, *faults: Fault) -> None:
        """Add rules."""
        self.ask("POST", "faults", [fault.model_dump() for fault in faults])

    def struck(self) -> int:
        """How often the last rule has struck."""
        return int(self.ask("GET", "faults")[-1]["struck"])

    def bill(self) -> Counter[str]:
        """What was bought, by prompt."""
        return Counter(charge["request"]["prompt"] for charge in self.ask("GET", "bill"))

    @property
    def wanted(self) -> Counter[str]:
        """What the batch asks for."""
        return Counter(f"p{n if n % 3 else 0}" for n in range(self.count))

    def start(self, *, settle: float = 10.0) -> subprocess.Popen[str]:
        """Start the batch, or go on with it; it has begun when this returns."""
        command = ["tests.kills.buyer", self.url, str(self.folder), str(self.count), str(settle)]
        process = started(self.pace, *command)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n", process.communicate()[1]
        return process

    def finish(self) -> str:
        """Let the batch run to its end; what it printed."""
        process = self.start()
        printed, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, f"{printed}\n{errors}\nbill: {self.bill()}"
        return printed

    def is_whole(self) -> bool:
        """Whether each file is exactly what the service has, and nothing else is left."""
        self.ask("DELETE", "faults")
        files = sorted((self.folder / "out").glob("*.mp4*"))
        ours = Counter(file.read_bytes() for file in files)
        tasks = [charge["task_id"] for charge in self.ask("GET", "bill")]
        theirs = Counter(self.file(task_id) for task_id in tasks)
        return ours == theirs and all(file.suffix == ".mp4" for file in files)

    def file(self, task_id: str) -> bytes:
        """The file as the service has it."""
        url = f"{self.url}/files/{task_id}.mp4"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return bytes(answer.read())


def started(pace: Pace, module: str, *args: str) -> subprocess.Popen[str]:
    """A process of our own."""
    times = [str(pace.factor), repr(pace.since)]
    return subprocess.Popen(
        [sys.executable, "-m", module, *times, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@contextmanager
def world(folder: Path, *, count: int) -> Iterator[World]:
    """A service while the block runs, and so many videos to buy."""
    pace = Pace(FACTOR, time.time())
    with started(pace, "tests.kills.shop") as shop:
        assert shop.stdout is not None
        try:
            yield World(pace, shop.stdout.readline().strip(), folder, count)
        finally:
            shop.kill()


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that a process is about to do."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
