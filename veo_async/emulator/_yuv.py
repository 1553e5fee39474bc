"""Pictures as the encoder wants them: brightness at full size, two colour planes at half of it.

Drawing into the planes is several times quicker than drawing in RGB and converting each frame.
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
"""RGB to Y'CbCr of limited range: ITU-R BT.709, which players take for granted in HD."""

WHITE = (235, 128, 128)

Plane = Image.Image


@dataclass(frozen=True, slots=True)
class Picture:
    """An image in 4:2:0. Sizes and places are even, so that all planes agree."""

    planes: tuple[Plane, Plane, Plane]

    @classmethod
    def of(cls, rgb: Image.Image) -> Self:
        light, blue, red = rgb.convert("RGB", BT709).split()
        return cls((light, blue.reduce(2), red.reduce(2)))

    @property
    def size(self) -> tuple[int, int]:
        return self.planes[0].size

    def crop(self, left: float, top: float, size: tuple[int, int]) -> Picture:
        """A new picture of that part."""
        x, y = even(left), even(top)
        width, height = size
        light, *colours = self.planes
        half = x // 2, y // 2, (x + width) // 2, (y + height) // 2
        blue, red = (plane.crop(half) for plane in colours)
        return Picture((light.crop((x, y, x + width, y + height)), blue, red))

    def blend(self, other: Picture, part: float) -> Picture:
        """A new picture: this one, with the other in that part."""
        pairs = zip(self.planes, other.planes, strict=True)
        light, blue, red = (Image.blend(ours, theirs, part) for ours, theirs in pairs)
        return Picture((light, blue, red))

    def stamp(self, stamp: Stamp, left: float, top: float) -> None:
        """Draw a stamp into this picture; what lies outside is cut off."""
        x, y = even(left), even(top)
        places = (x, y), (x // 2, y // 2), (x // 2, y // 2)
        drawn: tuple[Plane | int, ...] = stamp.planes
        for plane, source, mask, place in zip(self.planes, drawn, stamp.masks, places, strict=True):
            plane.paste(source, _box(place, mask), mask)

    def bar(self, left: int, top: int, right: int, bottom: int) -> None:
        """A white rectangle."""
        box = even(left), even(top), even(right), even(bottom)
        half = box[0] // 2, box[1] // 2, box[2] // 2, box[3] // 2
        for plane, level, part in zip(self.planes, WHITE, (box, half, half), strict=True):
            plane.paste(level, part)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Something to draw into pictures: planes or plain levels, and how much each point covers."""

    planes: tuple[Plane, Plane, Plane] | tuple[int, int, int]
    masks: tuple[Plane, Plane, Plane]

    @classmethod
    def of(cls, rgba: Image.Image) -> Self:
        width, height = (side + side % 2 for side in rgba.size)
        whole = Image.new("RGBA", (width, height))
        whole.paste(rgba)
        mask = whole.getchannel("A")
        half = mask.reduce(2)
        return cls(Picture.of(whole.convert("RGB")).planes, (mask, half, half))

    @classmethod
    def glow(cls, mask: Plane) -> Self:
        """White light through a mask of even size."""
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
    return 2 * round(length / 2)
