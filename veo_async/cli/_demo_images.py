"""The images that the demo starts its videos from, drawn with Pillow."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageDraw

SIZE = (1280, 720)

Colour = tuple[int, int, int]


def boat(*, evening: bool) -> bytes:
    """A paper boat on the water, in the morning on the left or in the evening on the right."""
    sky: tuple[Colour, Colour] = ((52, 40, 92), (240, 128, 84)) if evening else _MORNING
    picture = _gradient(*sky)
    draw = ImageDraw.Draw(picture)
    x = 900 if evening else 300
    _disc(draw, (SIZE[0] - x, 330), 70, (255, 196, 120) if evening else (255, 244, 200))
    draw.rectangle((0, 430, *SIZE), fill=(38, 66, 110) if evening else (76, 150, 190))
    draw.polygon([(x - 110, 440), (x + 110, 440), (x + 60, 510), (x - 60, 510)], fill="white")
    draw.polygon([(x - 55, 440), (x + 55, 440), (x, 340)], fill=(236, 236, 228))
    return _png(picture)


def balloon() -> bytes:
    """A red balloon over green hills."""
    picture = _gradient(*_MORNING)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((-300, 430, 700, 1100), fill=(92, 158, 92))
    draw.ellipse((450, 480, 1600, 1200), fill=(66, 132, 84))
    draw.line((640, 330, 640, 440), fill=(90, 70, 60), width=4)
    _disc(draw, (640, 230), 100, (206, 52, 56))
    _disc(draw, (606, 196), 22, (236, 140, 136))
    return _png(picture)


_MORNING: tuple[Colour, Colour] = ((120, 182, 230), (252, 236, 210))


def _gradient(top: Colour, bottom: Colour) -> Image.Image:
    column = Image.new("RGB", (1, 2))
    column.putpixel((0, 0), top)
    column.putpixel((0, 1), bottom)
    return column.resize(SIZE, Image.Resampling.BICUBIC)


def _disc(draw: ImageDraw.ImageDraw, centre: tuple[int, int], radius: int, fill: Colour) -> None:
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _png(picture: Image.Image) -> bytes:
    stream = BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
