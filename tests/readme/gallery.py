"""Take the README's picture of a gallery: ``python -m tests.readme.gallery``.

A real batch on the emulator, with one failed item and one uncertain one, in the machine's own
Chromium.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.service import client_of, emulator
from veo_async import IngredientsToVideo, RetryPolicy, TextToVideo, VideoRequest
from veo_async.cli._demo import scenes
from veo_async.emulator import Drop, Emulator, Fail, Fault
from veo_async.gallery import write_gallery
from veo_async.testing import VirtualEventLoop

WIDTH, HEIGHT = 1180, 860
TARGET = Path(__file__).with_name("gallery.jpg")


async def make(folder: Path) -> None:
    """Run the batch."""
    service = emulator()
    service.faults.add(Fault(effect=Drop(), action="ingredients2video"))
    service.faults.add(Fault(effect=Fail(message="Refused by the safety filter."), nth=6))
    policy = RetryPolicy(on_uncertain="raise")
    async with (
        service,
        client_of(service, retry=policy) as veo,
        veo.batch(asked(service), download_to=folder) as outcomes,
    ):
        assert len([outcome async for outcome in outcomes]) == 8


def asked(service: Emulator) -> list[VideoRequest]:
    """The demo's scenes, and one more whose answer is lost."""
    mug, fox, boat, rain, balloon, light = scenes(service)
    image = boat.model_dump()["image_urls"][0]
    lost = IngredientsToVideo(prompt="The mug and the boat on a shelf", image_urls=[image])
    crowd = TextToVideo(prompt="A crowd that cheers at a stadium, seen from the roof")
    return [mug, fox, boat, lost, balloon, crowd, light, rain]


def shoot(page: Path) -> None:
    """Photograph the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        shown.goto(page.as_uri())
        shown.wait_for_load_state("networkidle")
        shown.wait_for_timeout(1000)  # until the posters are decoded
        shown.screenshot(path=TARGET, type="jpeg", quality=72)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "out"
        with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
            runner.run(make(place))
        shoot(write_gallery(place))
