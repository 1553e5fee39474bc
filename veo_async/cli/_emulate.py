"""The emulator on a port, for programs of any language."""

from __future__ import annotations

import asyncio
import json
import shlex
import time

import typer

from ._exits import OK
from ._options import Seams, Shared
from ._screen import Screen
from ._session import emulator_class, run

ANY_TOKEN = "offline"
"""The token to send to an emulator that accepts any."""


def serve(
    options: Shared,
    seams: Seams,
    *,
    host: str,
    port: int,
    clock_factor: float,
    seed: int,
    token: str | None,
) -> int:
    """Serve until Ctrl-C, which is the normal end and no error."""

    def announce(url: str, screen: Screen) -> None:
        if options.json:
            screen.print(json.dumps({"base_url": url, "token": token or ANY_TOKEN}))
            return
        screen.print(url)
        screen.print(f"export ACEDATACLOUD_API_BASE_URL={url}")
        screen.print(f"export ACEDATACLOUD_API_TOKEN={shlex.quote(token or ANY_TOKEN)}")

    async def work(screen: Screen) -> int:
        try:
            emulator = emulator_class(seams)(
                clock_factor=clock_factor, seed=seed, token=token, epoch=time.time()
            )
        except ValueError as problem:
            raise typer.BadParameter(f"{problem}.") from None
        async with emulator:
            try:
                await emulator.run_forever(host, port, on_ready=lambda url: announce(url, screen))
            except asyncio.CancelledError:
                screen.note(f"veo-async: videos billed: {len(emulator.bill)}, for 0 real money")
        return OK

    return run(work, options, seams)
