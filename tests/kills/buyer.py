"""A process that runs a batch: ``python -m tests.kills.buyer FACTOR SINCE URL FOLDER COUNT S``.

An open POST settles for S seconds. It prints a line when it begins, and one for each outcome. It
ends with 0 if all went well.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.kills.brisk import Pace, say
from veo_async import RateLimit, RetryPolicy, TextToVideo, VeoClient
from veo_async._io.seams import Seams


async def buy(pace: Pace, url: str, folder: Path, count: int, settle: float) -> int:
    """Buy so many videos; every third request equals the others of its kind."""
    requests = [TextToVideo(prompt=f"p{number if number % 3 else 0}") for number in range(count)]
    veo = VeoClient(
        "any-token",
        base_url=url,
        rate_limit=RateLimit(in_flight=4),
        retry=RetryPolicy(settle=settle),
        _seams=Seams(wall=pace.wall),
    )
    batch = veo.batch(
        requests, journal=folder / "run.db", download_to=folder / "out", max_in_flight=16
    )
    errors = 0
    async with veo, batch as outcomes:
        say("begun")
        async for outcome in outcomes:
            errors += outcome.error is not None
            say(f"{outcome.key}: {outcome.error or outcome.files}")
    return min(errors, 1)


if __name__ == "__main__":
    factor, since, url, folder, count, settle = sys.argv[1:]
    time_of_all = Pace(float(factor), float(since))
    try:
        with asyncio.Runner(loop_factory=time_of_all.loop) as runner:
            sys.exit(runner.run(buy(time_of_all, url, Path(folder), int(count), float(settle))))
    except KeyboardInterrupt:
        sys.exit(130)
