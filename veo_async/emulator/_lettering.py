"""Text in a picture, in Pillow's built-in font, which needs no font of the system.

A character that the font lacks appears as an empty box.
"""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int, int]

WHITE: Colour = (255, 255, 255, 255)


@lru_cache(maxsize=64)
def font(size: int) -> Font:
    """The built-in font; ``size`` is in pixels."""
    return ImageFont.load_default(max(6, size))


def wrapped(text: str, face: Font, width: float, most: int) -> list[str]:
    """The text in at most ``most`` lines of ``width`` pixels. Three dots replace the rest."""
    lines, line = [], ""
    for word in _pieces(text, face, width):
        longer = f"{line} {word}" if line else word
        if face.getlength(longer) <= width or not line:
            line = longer
        else:
            lines.append(line)
            line = word
    lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], _shortened(lines[most - 1], face, width)]
    return lines


def _pieces(text: str, face: Font, width: float) -> list[str]:
    """The words; a word that is wider than a line (scripts without spaces) is split."""
    pieces = []
    for word in text.split():
        piece = ""
        for character in word:
            if piece and face.getlength(piece + character) > width:
                pieces.append(piece)
                piece = ""
            piece += character
        pieces.append(piece)
    return pieces


def _shortened(line: str, face: Font, width: float) -> str:
    while line and face.getlength(line + "...") > width:
        line = line[:-1]
    return line + "..."


def plate(
    width: int, height: int, *, radius: int, colour: Colour = (8, 10, 18, 150)
) -> Image.Image:
    """A rounded translucent plate as the background of a text."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    ImageDraw.Draw(image).rounded_rectangle((0, 0, width - 1, height - 1), radius, fill=colour)
    return image


def tag(text: str, size: int) -> Image.Image:
    """A short text on a plate that fits it."""
    face, pad = font(size), size // 2
    left, top, right, bottom = face.getbbox(text or " ")
    image = plate(int(right - left) + 2 * pad, int(size * 1.2) + pad, radius=pad)
    draw = ImageDraw.Draw(image)
    draw.text((pad - left, (image.height - bottom - top) / 2), text, font=face, fill=WHITE)
    return image


def caption(text: str, width: int, size: int, most: int) -> Image.Image:
    """A text of at most ``most`` lines on a plate of ``width`` pixels."""
    face, pad, step = font(size), round(size * 0.8), round(size * 1.3)
    lines = wrapped(text, face, width - 2 * pad, most)
    image = plate(width, len(lines) * step + 2 * pad, radius=pad)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((pad, pad + number * step), line, font=face, fill=WHITE)
    return image
