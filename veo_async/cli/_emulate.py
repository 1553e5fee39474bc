"""The emulator on a port, for programs of any language."""

from __future__ import annotations

import asyncio
import json
import shlex
import time

import typer

from ._exits import OK
from ._options import Emulating, Seams
from ._screen import Screen
from ._session import emulator_class, run

ANY_TOKEN = "offline"
"""The token to send to an emulator that accepts any."""


def serve(options: Emulating, seams: Seams) -> int:
    """Serve until Ctrl-C, which is the normal end and no error."""
    token = options.token or ANY_TOKEN

    def announce(url: str, screen: Screen) -> None:
        if options.json:
            screen.print(json.dumps({"base_url": url, "token": token}))
            return
        screen.print(url)
        screen.print(f"export ACEDATACLOUD_API_BASE_URL={url}")
        screen.print(f"export ACEDATACLOUD_API_TOKEN={shlex.quote(token)}")

    async def work(screen: Screen) -> int:
        try:
            emulator = emulator_class(seams)(
                clock_factor=options.clock_factor,
                seed=options.seed,
                token=options.token,
                epoch=time.time(),
                targets=options.targets,
                allowed_hosts=options.allowed_hosts or (),
                remote_control=options.remote_control,
            )
        except ValueError as problem:
            raise typer.BadParameter(f"{problem}.") from None
        async with emulator:
            try:
                await emulator.run_forever(
                    options.host, options.port, on_ready=lambda url: announce(url, screen)
                )
            except asyncio.CancelledError:
                screen.note(f"veo-async: videos billed: {len(emulator.bill)}, for 0 real money")
        return OK

    return run(work, options, seams)
