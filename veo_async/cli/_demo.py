"""The demo: six prompts at once on the emulator, one of them also in 1080p, and seven files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .._base.slug import slug
from ..models import Get1080p, ImageToVideo, TextToVideo
from ._exits import OK
from ._options import Seams, Shared
from ._outputs import Output, folder
from ._progress_view import shown
from ._screen import Screen
from ._session import Session, offline, run
from ._text import plain
from ._videos import End, make_video, report

if TYPE_CHECKING:
    from ..emulator import Emulator

CLOCK_FACTOR = 25.0
"""The emulator takes about 100 seconds of its own time for a video: about four real seconds."""

FOR_REAL = (
    "For real: export ACEDATACLOUD_API_TOKEN, and then "
    'veo-async text2video "A coffee mug on a marble counter" --out mug.mp4'
)

Scene = TextToVideo | ImageToVideo


def demonstrate(out: Path, options: Shared, seams: Seams) -> int:
    """Run the demo, and return the exit code."""

    async def work(screen: Screen) -> int:
        folder(out).prepare()
        async with offline(screen, options, seams, clock_factor=CLOCK_FACTOR) as session:
            emulator = cast("Emulator", session.emulator)
            async with shown(screen, session.progress):
                ends = await _all(session, scenes(emulator), out)
            billed = len(emulator.bill)
        if options.json:
            return max(report(end, screen) for end in ends)
        for line in closing(ends, billed):
            screen.print(line)
        return max((screen.error(end.error) for end in ends if end.error), default=OK)

    return run(work, options, seams)


def scenes(emulator: Emulator) -> list[Scene]:
    """The requests of the demo. Their images are added to the emulator."""
    from . import _demo_images  # needs Pillow, which the running emulator has imported already

    morning = emulator.add_image(_demo_images.boat(evening=False))
    evening = emulator.add_image(_demo_images.boat(evening=True))
    balloon = emulator.add_image(_demo_images.balloon())
    return [
        TextToVideo(prompt="A coffee mug on a marble counter"),
        TextToVideo(prompt="A fox trots through fresh snow at dawn", model="veo3"),
        ImageToVideo(
            prompt="A paper boat drifts from morning into evening", image_urls=[morning, evening]
        ),
        TextToVideo(prompt="Rain on a neon street, seen from a tram", aspect_ratio="9:16"),
        ImageToVideo(prompt="A red balloon rises over green hills", image_urls=[balloon]),
        TextToVideo(prompt="A lighthouse turns its beam through the fog", model="veo31-fast"),
    ]


async def _all(session: Session, wanted: list[Scene], out: Path) -> list[End]:
    """Make all at once, and the first one in 1080p as soon as it is finished."""

    async def one(number: int, name: str, request: Scene | Get1080p) -> End:
        file = out / f"{number:02}-{slug(name)}.mp4"
        to = Output(file, is_folder=False, force=True)  # a file of an earlier demo
        return await make_video(session, request, to, label=f"{number:02} {name}")

    async def first_and_again() -> list[End]:
        first = await one(1, wanted[0].prompt, wanted[0])
        if first.error:
            return [first]
        again = Get1080p(video_id=first.row.videos[0]["id"] or "")
        name = f"1080p {wanted[0].prompt}"
        return [first, await one(len(wanted) + 1, name, again)]

    async def others() -> list[End]:
        numbered = enumerate(wanted[1:], start=2)
        return await asyncio.gather(*(one(number, it.prompt, it) for number, it in numbered))

    (first, *again), rest = await asyncio.gather(first_and_again(), others())
    return [first, *rest, *again]


def closing(ends: Iterable[End], billed: int) -> Iterator[str]:
    """The last lines of the demo: the files, the bill, and the command for a real video."""
    saved = [(end, file) for end in ends for file in end.row.files]
    width = max((len(plain(file)) for _, file in saved), default=0)
    yield f"{'file':<{width}}  {'pixels':<9}  {'seconds':>7}  {'bytes':>9}  task id"
    for end, file in saved:
        across, down, seconds = measured(Path(file))
        pixels, size = f"{across}x{down}", Path(file).stat().st_size
        task_id = plain(end.row.task_id or "")
        yield f"{plain(file):<{width}}  {pixels:<9}  {seconds:>7.1f}  {size:>9}  {task_id}"
    yield ""
    yield f"{billed} videos billed by the emulator: 0 real money."
    yield FOR_REAL


def measured(file: Path) -> tuple[int, int, float]:
    """The width and height in pixels and the length in seconds, read from the file."""
    import av

    with av.open(file) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height, (container.duration or 0) / av.time_base
