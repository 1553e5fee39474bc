"""Draw the README's picture from what ``make demo`` left: ``python -m tests.readme.picture``."""

from __future__ import annotations

import sys
from pathlib import Path

import av
from PIL import Image

WIDTH, HEIGHT, COLUMNS, GAP = 320, 180, 4, 8
BACKGROUND = (24, 26, 30)


def frame_of(path: Path, *, part: float) -> Image.Image:
    """Take the frame that lies at this part of the film."""
    with av.open(path) as film:
        frames = list(film.decode(video=0))
    chosen = frames[int(part * (len(frames) - 1))]
    return Image.frombytes("RGB", (chosen.width, chosen.height), _rgb(chosen))


def _rgb(frame: av.VideoFrame) -> bytes:
    plane = frame.reformat(format="rgb24").planes[0]
    lines, used = bytes(plane), frame.width * 3
    return b"".join(lines[y * plane.line_size :][:used] for y in range(frame.height))


def contact_sheet(paths: list[Path]) -> Image.Image:
    """Put a frame of each film side by side, each in its own shape."""
    rows = -(-len(paths) // COLUMNS)
    size = (COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP)
    sheet = Image.new("RGB", size, BACKGROUND)
    for number, path in enumerate(paths):
        picture = frame_of(path, part=0.45)
        picture.thumbnail((WIDTH, HEIGHT))
        row, column = divmod(number, COLUMNS)
        left = GAP + column * (WIDTH + GAP) + (WIDTH - picture.width) // 2
        top = GAP + row * (HEIGHT + GAP) + (HEIGHT - picture.height) // 2
        sheet.paste(picture, (left, top))
    return sheet


if __name__ == "__main__":
    films = sorted(Path("out/demo").glob("*.mp4"))
    if not films:
        sys.exit("run make demo first")
    target = Path(__file__).with_name("demo.jpg")
    contact_sheet(films).save(target, quality=88, optimize=True)
