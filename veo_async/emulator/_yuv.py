"""Pictures in the encoder's format, YUV 4:2:0: a full plane of luma, two half-size ones of chroma.

Drawing into these planes is several times faster than drawing in RGB and converting each frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from PIL import Image

_LUMA, _CHROMA = 219 / 255, 224 / 255
_R, _G, _B = 0.2126, 0.7152, 0.0722
# fmt: off
BT709 = (
    _R * _LUMA, _G * _LUMA, _B * _LUMA, 16.0,
    -_R / 1.8556 * _CHROMA, -_G / 1.8556 * _CHROMA, (1 - _B) / 1.8556 * _CHROMA, 128.0,
    (1 - _R) / 1.5748 * _CHROMA, -_G / 1.5748 * _CHROMA, -_B / 1.5748 * _CHROMA, 128.0,
)
# fmt: on
"""RGB to Y'CbCr of limited range: ITU-R BT.709, which players assume for HD."""

WHITE = (235, 128, 128)

Plane = Image.Image


@dataclass(frozen=True, slots=True)
class Picture:
    """An image in 4:2:0. Its size and all places are even, so that they fit all planes."""

    planes: tuple[Plane, Plane, Plane]

    @classmethod
    def of(cls, rgb: Image.Image) -> Self:
        """Convert an image of even size."""
        light, blue, red = rgb.convert("RGB", BT709).split()
        return cls((light, blue.reduce(2), red.reduce(2)))

    @property
    def size(self) -> tuple[int, int]:
        return self.planes[0].size

    def crop(self, left: float, top: float, size: tuple[int, int]) -> Picture:
        """A new picture of a section."""
        x, y = even(left), even(top)
        width, height = size
        light, *colours = self.planes
        half = x // 2, y // 2, (x + width) // 2, (y + height) // 2
        blue, red = (plane.crop(half) for plane in colours)
        return Picture((light.crop((x, y, x + width, y + height)), blue, red))

    def blend(self, other: Picture, part: float) -> Picture:
        """A new picture that mixes both; ``part`` is the share of the other one."""
        pairs = zip(self.planes, other.planes, strict=True)
        light, blue, red = (Image.blend(ours, theirs, part) for ours, theirs in pairs)
        return Picture((light, blue, red))

    def stamp(self, stamp: Stamp, left: float, top: float) -> None:
        """Draw a stamp into this picture; parts outside of it are cut off."""
        x, y = even(left), even(top)
        places = (x, y), (x // 2, y // 2), (x // 2, y // 2)
        drawn: tuple[Plane | int, ...] = stamp.planes
        for plane, source, mask, place in zip(self.planes, drawn, stamp.masks, places, strict=True):
            plane.paste(source, _box(place, mask), mask)

    def bar(self, left: int, top: int, right: int, bottom: int) -> None:
        """Draw a white rectangle."""
        box = even(left), even(top), even(right), even(bottom)
        half = box[0] // 2, box[1] // 2, box[2] // 2, box[3] // 2
        for plane, level, part in zip(self.planes, WHITE, (box, half, half), strict=True):
            plane.paste(level, part)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A shape to draw into pictures: its planes or plain levels, and its opacity at each point."""

    planes: tuple[Plane, Plane, Plane] | tuple[int, int, int]
    masks: tuple[Plane, Plane, Plane]

    @classmethod
    def of(cls, rgba: Image.Image) -> Self:
        """Convert an image with transparency; its size becomes even."""
        width, height = (side + side % 2 for side in rgba.size)
        whole = Image.new("RGBA", (width, height))
        whole.paste(rgba)
        mask = whole.getchannel("A")
        half = mask.reduce(2)
        return cls(Picture.of(whole.convert("RGB")).planes, (mask, half, half))

    @classmethod
    def glow(cls, mask: Plane) -> Self:
        """White light with the opacity of a mask of even size."""
        half = mask.reduce(2)
        return cls(WHITE, (mask, half, half))

    @property
    def width(self) -> int:
        return self.masks[0].width

    @property
    def height(self) -> int:
        return self.masks[0].height


def _box(place: tuple[int, int], mask: Plane) -> tuple[int, int, int, int]:
    x, y = place
    return x, y, x + mask.width, y + mask.height


def even(length: float) -> int:
    """The nearest even number."""
    return 2 * round(length / 2)
