"""What the tests of kills share: the two processes, and the service's control plane."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.kills import buyer
from tests.kills.brisk import RateState
from veo_async.emulator import Fault

FACTOR = 25.0
"""Two minutes are five seconds."""

PATIENCE = 60.0
"""Real seconds after which something hangs."""

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.kills.buyer"])  # to import it once, not at each start


@dataclass
class World:
    """A service on a port, and a batch that buys from it."""

    order: buyer.Order

    # The service.

    def ask(self, method: str, what: str, document: Any = None) -> Any:
        """Call the control plane."""
        return json.loads(self.call(method, f"__emulator__/{what}", document))

    def call(self, method: str, path: str, document: Any = None) -> bytes:
        """Call the service."""
        data = None if document is None else json.dumps(document).encode()
        headers = {} if data is None else {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.order.url}/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return bytes(answer.read())

    def fault(self, *faults: Fault) -> None:
        """Add rules."""
        self.ask("POST", "faults", [fault.model_dump() for fault in faults])

    def has_struck(self) -> bool:
        """Whether the last rule has struck."""
        return bool(self.ask("GET", "faults")[-1]["struck"])

    def bill(self) -> Counter[str]:
        """What was bought, by prompt."""
        return Counter(charge["request"]["prompt"] for charge in self.ask("GET", "bill"))

    # The batch.

    def start(self, **changes: Any) -> BaseProcess:
        """Start the batch, or go on with it; it has begun when this returns."""
        begun = self.said().count("begun\n")
        process = _PROCESSES.Process(target=buyer.main, args=(replace(self.order, **changes),))
        process.start()
        self.until(lambda: self.said().count("begun\n") > begun, process)
        return process

    def said(self) -> str:
        """What the processes of the batch have said."""
        return self.order.log.read_text() if self.order.log.exists() else ""

    def until(self, condition: Callable[[], bool], process: BaseProcess) -> None:
        """Wait for something that a process is about to do."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert process.is_alive(), self.said()
            assert time.monotonic() < deadline, f"it never happened: {self.said()}"
            time.sleep(0.005)

    def finish(self) -> None:
        """Let the batch run to its end."""
        process = self.start()
        process.join(PATIENCE)
        assert process.exitcode == 0, f"{self.said()}\nbill: {self.bill()}"

    def is_whole(self) -> bool:
        """Whether each file is exactly what the service has, and nothing else is left."""
        self.ask("DELETE", "faults")
        files = sorted((self.order.folder / "out").glob("*.mp4*"))
        ours = Counter(file.read_bytes() for file in files)
        tasks = [charge["task_id"] for charge in self.ask("GET", "bill")]
        theirs = Counter(self.call("GET", f"files/{task_id}.mp4") for task_id in tasks)
        return ours == theirs and all(file.suffix == ".mp4" for file in files)


@contextmanager
def world(folder: Path, *, count: int) -> Iterator[World]:
    """A service while the block runs, and so many videos to buy."""
    pace = RateState(FACTOR, time.time())
    command = [sys.executable, "-m", "tests.kills.shop", str(pace.factor), repr(pace.since)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as shop:
        assert shop.stdout is not None
        try:
            yield World(buyer.Order(pace, shop.stdout.readline().strip(), folder, count))
        finally:
            shop.kill()
