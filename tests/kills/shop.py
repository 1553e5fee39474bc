"""A process that is the service: ``python -m tests.kills.shop FACTOR SINCE``.

It prints its address, and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import sys

import anyio

from tests.kills.brisk import RateState, say
from veo_async.emulator import Emulator, Seconds, VideoFormat


async def serve(pace: RateState) -> None:
    """Videos take ten seconds; what they look like does not matter."""
    video = VideoFormat(seconds=1, fps=4, short_side=64)
    shop = Emulator(pace=Seconds(mean=10.0), video=video, epoch=pace.wall_clock())
    async with shop, shop.serve() as url:
        say(url)
        await anyio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    time_of_all = RateState(*map(float, sys.argv[1:]))
    with asyncio.Runner(loop_factory=time_of_all.loop) as runner:
        runner.run(serve(time_of_all))
