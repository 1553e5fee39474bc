"""The content of a video in plain values; `_painting` draws it, `_rendering` encodes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ._options import SPELLINGS, VideoFormat
from ._validation import DEFAULT_MODEL

SCALES = {"1080p": 1.5, "4k": 3.0}
"""The size of a resolution relative to the 720 lines of all others."""

MAX_PROMPT = 1200
"""The maximum number of characters of a prompt that are drawn; more would not be readable."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One video.

    Attributes:
        width, height: pixels, both even, as 4:2:0 requires.
        fps, frames: frames per second, and the number of frames.
        action, model, prompt, label: the texts in the picture; printable characters only.
        seed: the seed of colours and motion, so that the 1080p version is the same video.
        images: the encoded images of the request; ``None`` for one that is not available.
    """

    width: int
    height: int
    fps: int
    frames: int
    action: str
    model: str
    prompt: str
    label: str
    seed: str
    images: tuple[bytes | None, ...] = ()

    @classmethod
    def of(
        cls,
        origin: Mapping[str, Any],
        own: Mapping[str, Any],
        video_id: str,
        images: Sequence[bytes | None],
        video: VideoFormat,
    ) -> Self:
        """The scene of a request.

        Args:
            origin: the request of the original video.
            own: the request of this file: the same, or the one for the 1080p version.
            video_id: the id of the video; both versions have the same.
            images: the images of ``origin``, as far as they are available.
            video: the format of the file.
        """
        upscaled = own["action"] in SPELLINGS
        resolution = "1080p" if upscaled else origin.get("resolution")
        short_side = video.short_side * SCALES.get(resolution or "", 1.0)
        width, height = size_of(origin.get("aspect_ratio") or "16:9", short_side)
        return cls(
            width=width,
            height=height,
            fps=video.fps,
            frames=max(1, round(video.seconds * video.fps)),
            action=origin["action"],
            model=printable(origin.get("model") or DEFAULT_MODEL)[:80],
            prompt=printable(origin["prompt"])[:MAX_PROMPT],
            label=f"{width} x {height}",
            seed=f"{video_id}/{origin['prompt']!r}",
            images=tuple(images),
        )


def size_of(aspect_ratio: str, short_side: float) -> tuple[int, int]:
    """The width and the height in pixels, both even, of an aspect ratio such as ``16:9``."""
    across, down = (int(part) for part in aspect_ratio.split(":"))
    unit = short_side / min(across, down)
    return 2 * max(1, round(across * unit / 2)), 2 * max(1, round(down * unit / 2))


def printable(text: str) -> str:
    """The text on one line, without what no font can draw (controls, lone surrogates)."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
