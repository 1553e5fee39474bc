"""Folders of finished batches."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from tests.support.service import client_of, emulator
from veo_async import (
    ImageToVideo,
    IngredientsToVideo,
    Outcome,
    RetryPolicy,
    TextToVideo,
    VideoRequest,
)
from veo_async._batch.record import read, write
from veo_async.emulator import Drop, Fail, Fault, VideoFormat
from veo_async.testing._virtual_loop import VirtualEventLoop

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u2028 'q' \"r\""
IMAGE = "https://images.example/mug.png"

ASKED: list[VideoRequest] = [
    TextToVideo(prompt="A coffee mug on a marble counter", model="veo3-fast"),
    TextToVideo(prompt=HOSTILE, model="veo31", aspect_ratio="9:16"),
    ImageToVideo(prompt="Let it dance", image_urls=[IMAGE], model="veo31"),
    IngredientsToVideo(prompt="Mug in the snow", image_urls=[IMAGE], model="veo3-fast"),
    TextToVideo(prompt="Waves at night", model="veo3"),
]
"""The third item fails, and the fourth one is uncertain."""


async def no_image(url: str) -> bytes:
    """Fetch nothing: the emulator then draws a placeholder."""
    raise OSError(f"{url} is not on this machine")


async def _run(folder: Path) -> list[Outcome]:
    video = VideoFormat(seconds=2, fps=12, short_side=144)
    service = emulator(video=video, fetch=no_image)
    service.faults.add(Fault(effect=Fail(message="Not that."), action="image2video"))
    service.faults.add(Fault(effect=Drop(), action="ingredients2video"))
    async with (
        service,
        client_of(service, retry=RetryPolicy(on_uncertain="raise")) as veo,
        veo.batch(ASKED, download_to=folder) as outcomes,
    ):
        return [outcome async for outcome in outcomes]


def run_batch(folder: Path) -> list[Outcome]:
    """Run a real batch on the emulator, with every kind of outcome."""
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        return runner.run(_run(folder))


def put(folder: Path, number: int, /, *, video: Path | None = None, **fields: Any) -> Path:
    """Put the record of one item into a folder, with a copy of this video; ``fields`` are edits of
    the record."""
    stem = f"{number:04}-item"
    files = []
    if video:
        os.link(video, folder / f"{stem}.mp4")
        files = [f"{stem}.mp4"]
    outcome = Outcome(f"k{number}", TextToVideo(prompt=f"Item {number}"))
    record = read(write(outcome, number=number, results=(), at=1_753_435_158.0))
    path = folder / f"{stem}.json"
    path.write_text(json.dumps({**(record or {}), "files": files, **fields}))
    return path
