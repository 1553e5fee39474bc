"""Draws the frames of a scene. All parts are drawn once; a frame only moves them.

All lengths are relative to the size of the picture, and all random numbers come from the scene's
seed. So the same scene at another size is the same picture.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin, tau
from random import Random

from PIL import Image, ImageOps

from ._lettering import caption, tag
from ._scene import Scene
from ._stills import still
from ._yuv import Picture, Stamp, even

Layer = Callable[[float], Picture]
"""Draws the background, as a new picture, at a moment from 0 up to but not including 1."""


class Painter:
    """Draws the frames of one scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._size = scene.width, scene.height
        self._unit = min(self._size)
        rng = Random(scene.seed)
        # The gradient is always made, and first: so the motes do not depend on the images.
        gradient = Gradient(rng, self._size)
        self._motes = [Mote(rng, self._size) for _ in range(5)]
        self._layer = self._background(gradient)
        self._words = self._lettering()
        self._clock: tuple[str, Stamp | None] = ("", None)

    def frame(self, number: int) -> Picture:
        """Draw one frame, counted from 0."""
        moment = number / self._scene.frames
        picture = self._layer(moment)
        for mote in self._motes:
            mote.paint(picture, moment)
        for stamp, left, top in self._words:
            picture.stamp(stamp, left, top)
        self._progress(picture, number)
        return picture

    def _background(self, gradient: Layer) -> Layer:
        stills = [still(data, n) for n, data in enumerate(self._scene.images, start=1)]
        if not stills:
            return gradient
        if self._scene.action == "ingredients2video":
            return Cards(gradient, stills, self._size)
        return Fade(stills, self._size)

    def _lettering(self) -> list[tuple[Stamp, int, int]]:
        """The texts that do not move, and their places."""
        scene, unit = self._scene, self._unit
        margin = round(unit * 0.045)
        top = Stamp.of(tag(f"{scene.model}   {scene.action}", round(unit * 0.036)))
        corner = Stamp.of(tag(scene.label, round(unit * 0.026)))
        words = caption(scene.prompt, scene.width - 2 * margin, round(unit * 0.042), most=5)
        bottom = Stamp.of(words)
        return [
            (top, margin, margin),
            (corner, scene.width - corner.width - margin, margin),
            (bottom, margin, scene.height - bottom.height - 2 * margin),
        ]

    def _progress(self, picture: Picture, number: int) -> None:
        """Draw a bar along the bottom that fills, and the elapsed time."""
        scene, unit = self._scene, self._unit
        done = scene.width * (number + 1) // scene.frames
        picture.bar(0, scene.height - max(2, round(unit * 0.012)), done, scene.height)
        text = f"{number / scene.fps:04.1f} s"
        stamp = self._clock[1]
        if stamp is None or text != self._clock[0]:
            stamp = Stamp.of(tag(text, round(unit * 0.026)))
            self._clock = text, stamp
        picture.stamp(stamp, scene.width - stamp.width - round(unit * 0.045), round(unit * 0.105))


class Gradient:
    """Two soft fields of colour that drift past each other."""

    def __init__(self, rng: Random, size: tuple[int, int]) -> None:
        self._size = size
        hue = rng.random()
        self._fields = [self._field(rng, hue + turn) for turn in (0.0, 0.35)]
        self._phase = rng.random()

    def _field(self, rng: Random, hue: float) -> Picture:
        small = Image.new("HSV", (5, 4))
        for x in range(5):
            for y in range(4):
                tint = round(255 * (hue + 0.18 * rng.random())) % 256
                small.putpixel((x, y), (tint, rng.randint(130, 220), rng.randint(90, 235)))
        larger = even(self._size[0] * 1.25), even(self._size[1] * 1.25)
        return Picture.of(small.convert("RGB").resize(larger, Image.Resampling.BICUBIC))

    def __call__(self, moment: float) -> Picture:
        angle = tau * (self._phase + 0.5 * moment)
        one, two = (
            drifted(field, self._size, angle + turn)
            for field, turn in zip(self._fields, (0.0, pi), strict=True)
        )
        return one.blend(two, 0.5 + 0.45 * sin(angle))


class Fade:
    """Images that move slowly and fade into one another."""

    def __init__(self, stills: list[Image.Image], size: tuple[int, int]) -> None:
        self._size = size
        larger = even(size[0] * 1.08), even(size[1] * 1.08)
        self._stills = [Picture.of(ImageOps.fit(image, larger)) for image in stills]

    def __call__(self, moment: float) -> Picture:
        # The time of each pair: a quarter for the first image, half for the fade, a quarter for the
        # second image.
        place = moment * (len(self._stills) - 1)
        step = int(place)
        part = min(1.0, max(0.0, (place - step - 0.25) * 2))
        current = drifted(self._stills[step], self._size, pi * moment)
        if part == 0.0:
            return current
        return current.blend(drifted(self._stills[step + 1], self._size, pi * moment), part)


class Cards:
    """Images as cards that sway over a background."""

    def __init__(self, ground: Layer, stills: list[Image.Image], size: tuple[int, int]) -> None:
        self._ground, self._size = ground, size
        width = even(size[0] * 0.27)
        height = min(width, even(size[1] * 0.34))
        border = max(1, round(min(size) * 0.012))
        self._cards = [
            Stamp.of(
                ImageOps.expand(
                    ImageOps.fit(image, (width, height)), border, (250, 250, 250)
                ).convert("RGBA")
            )
            for image in stills
        ]

    def __call__(self, moment: float) -> Picture:
        picture = self._ground(moment)
        width, height = self._size
        for number, card in enumerate(self._cards):
            angle = tau * (moment + number / 3)
            x = width * (2 * number + 1) / (2 * len(self._cards)) - card.width / 2
            y = height * (0.36 + 0.05 * sin(angle)) - card.height / 2
            picture.stamp(card, x + 0.01 * width * cos(angle), y)
        return picture


class Mote:
    """A soft round light that moves on an ellipse."""

    def __init__(self, rng: Random, size: tuple[int, int]) -> None:
        self._size = size
        diameter = max(4, even(min(size) * rng.uniform(0.12, 0.3)))
        glow = ImageOps.invert(Image.radial_gradient("L")).resize((diameter, diameter))
        levels = [max(0, level - 75) * 3 // 4 for level in range(256)]
        self._stamp = Stamp.glow(glow.point(levels))
        self._x, self._y, self._turn = rng.random(), rng.random(), rng.choice((-1, 1))
        self._reach = rng.uniform(0.08, 0.22)

    def paint(self, picture: Picture, moment: float) -> None:
        """Draw the light into a picture at a moment from 0 to 1."""
        angle = tau * (self._x + self._turn * moment)
        x = (self._x + self._reach * cos(angle)) * self._size[0]
        y = (self._y + self._reach * sin(angle)) * self._size[1]
        half = self._stamp.width / 2
        picture.stamp(self._stamp, x - half, y - half)


def drifted(picture: Picture, size: tuple[int, int], angle: float) -> Picture:
    """A section of a larger picture; its place moves on an ellipse with ``angle``."""
    width, height = picture.size
    left = (width - size[0]) * (0.5 + 0.5 * cos(angle))
    return picture.crop(left, (height - size[1]) * (0.5 + 0.5 * sin(angle)), size)
