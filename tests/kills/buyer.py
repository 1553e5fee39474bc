"""A process that runs a batch. `main` is what it runs, and all that it says goes into a log."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.kills.brisk import RateState, say
from veo_async import RateLimit, RetryPolicy, TextToVideo, VeoClient
from veo_async._base.runtime import Runtime


@dataclass(frozen=True)
class Order:
    """What is bought, where, and what becomes of it.

    ``settle`` is for how long an open POST may settle when the process is stopped.
    """

    pace: RateState
    url: str
    folder: Path
    count: int
    settle: float = 10.0

    @property
    def prompts(self) -> list[str]:
        """Every third request equals the others of its kind."""
        return [f"p{number if number % 3 else 0}" for number in range(self.count)]

    @property
    def journal(self) -> Path:
        """What is known of the batch."""
        return self.folder / "run.db"

    @property
    def log(self) -> Path:
        """What the processes said."""
        return self.folder / "log"


async def buy(order: Order) -> int:
    """How many outcomes went wrong."""
    veo = VeoClient(
        "any-token",
        base_url=order.url,
        rate_limit=RateLimit(in_flight=4),
        retry=RetryPolicy(shutdown_grace=order.settle),
        runtime=Runtime(wall_clock=order.pace.wall_clock),
    )
    requests = [TextToVideo(prompt=prompt) for prompt in order.prompts]
    batch = veo.batch(
        requests, journal=order.journal, download_to=order.folder / "out", max_in_flight=16
    )
    errors = 0
    async with veo, batch as outcomes:
        say("begun")
        async for outcome in outcomes:
            errors += outcome.error is not None
            say(f"{outcome.key}: {outcome.error or outcome.files}")
    return errors


def main(order: Order) -> None:
    """Ends with 0 if all went well, and as a shell would see it if it was interrupted."""
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        with asyncio.Runner(loop_factory=order.pace.loop) as runner:
            sys.exit(min(runner.run(buy(order)), 1))
    except KeyboardInterrupt:
        sys.exit(130)
