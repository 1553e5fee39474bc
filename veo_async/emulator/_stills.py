"""The images of a request, decoded with a size limit: bytes from the network are not trusted."""

from __future__ import annotations

import io
import logging

from PIL import Image, ImageDraw, ImageOps

from ._lettering import font

logger = logging.getLogger("veo_async.emulator")

MAX_PIXELS = 50_000_000
"""Images of more pixels are not decoded."""

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def still(data: bytes | None, number: int) -> Image.Image:
    """The image, or a labelled placeholder: a missing image never fails a video."""
    try:
        if data is not None:
            return decoded(data)
    except Exception as exc:  # noqa: BLE001 - decoders raise many kinds on bad bytes
        logger.info("image %d cannot be decoded: %s", number, exc)
    return placeholder(f"image {number} is not available")


def decoded(data: bytes) -> Image.Image:
    """The image in RGB, upright.

    Raises:
        Exception: the bytes are not an image, or the image has more than `MAX_PIXELS`.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError("too many pixels")
        return ImageOps.exif_transpose(image).convert("RGB")


def placeholder(text: str) -> Image.Image:
    """A striped image with a text in its middle."""
    image = Image.new("RGB", (640, 480), (70, 76, 90))
    draw = ImageDraw.Draw(image)
    for start in range(-480, 640, 40):
        draw.line((start, 480, start + 480, 0), fill=(82, 88, 104), width=8)
    draw.text((320, 240), text, font=font(36), fill=(235, 235, 235), anchor="mm")
    return image
