"""One contender at work in a process of its own: ``python -m benchmarks.perform``.

Reads the work from stdin and writes what it took to stdout, both as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from .contenders import CONTENDERS, Contender, Job, Make, Opened


@dataclass(frozen=True)
class Done:
    """What it took. Moments are ``time.monotonic()``.

    Attributes:
        cpu: seconds of this process, from ``started`` to ``ended``.
        started, ended: the first call, and the last answer.
        told: when the caller was told of each task.
        peak: bytes of memory that the process had at most.
    """

    cpu: float
    started: float
    ended: float
    told: dict[str, float]
    peak: int


def perform(number: int, job: Job) -> Done:
    """Let the contender of that number do the job, in a process that does nothing else.

    Raises:
        RuntimeError: it failed; what it said is in the message.
    """
    order = json.dumps({"number": number, "job": asdict(job)})
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.perform"],
        input=order,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
        # httpx does not exempt this machine from the environment's proxies.
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
    )
    if ran.returncode:
        raise RuntimeError(f"{CONTENDERS[number].name} failed:\n{ran.stderr}")
    return Done(**json.loads(ran.stdout))


def peak_memory() -> int:
    """Say how many bytes this process had at most.

    Linux counts what it had before ``exec`` into ``ru_maxrss``, so its own high-water mark is read.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return usage if sys.platform == "darwin" else usage * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


async def _perform(contender: Contender, job: Job) -> Done:
    module, _, name = contender.where.partition(":")
    opened: Opened = getattr(import_module(f"benchmarks.contenders.{module}"), name)
    await _warm(opened, job)
    told: dict[str, float] = {}
    prompts = iter([f"video {number}" for number in range(job.videos)])
    async with opened(job) as make:
        started, cpu = time.monotonic(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(contender.at_once or job.videos):
                group.create_task(_work(make, prompts, told))
        spent = time.process_time() - cpu
        return Done(spent, started, time.monotonic(), told, peak_memory())


async def _warm(opened: Opened, job: Job) -> None:
    """Let the libraries import what they import at their first call, whatever comes of it."""
    nowhere = Job(f"{job.base_url}/nowhere", 1)
    async with opened(nowhere) as make:
        await asyncio.gather(make("nothing"), return_exceptions=True)


async def _work(make: Make, prompts: Iterator[str], told: dict[str, float]) -> None:
    for prompt in prompts:
        task_id = await make(prompt)
        told[task_id] = time.monotonic()


def main() -> None:
    """Do what stdin says."""
    order = json.load(sys.stdin)
    done = asyncio.run(_perform(CONTENDERS[order["number"]], Job(**order["job"])))
    json.dump(asdict(done), sys.stdout)


if __name__ == "__main__":
    main()
