"""What a video shows, in plain values; `_painting` draws it, `_rendering` encodes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ._options import SPELLINGS, VideoFormat
from ._validation import DEFAULT_MODEL

SCALES = {"1080p": 1.5, "4k": 3.0}
"""By how much a resolution is larger than the 720 lines of the rest."""

MAX_PROMPT = 1200
"""Characters of a prompt that can appear; more would not be readable anyway."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One video.

    Attributes:
        width, height: pixels, both even, as 4:2:0 chroma needs it.
        fps, frames: its length.
        action, model, prompt, label: the words in the picture; printable characters only.
        seed: colours and motion come from it, so the 1080p version is the same video.
        images: the encoded images of the request; ``None`` for one that could not be got.
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
            origin: the request that made the picture.
            own: the request of this file: the same, or one for the 1080p version.
            video_id: the id of the video, which both versions share.
            images: what was got of the images of ``origin``.
            video: the format.
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
    """Width and height of that shape."""
    across, down = (int(part) for part in aspect_ratio.split(":"))
    unit = short_side / min(across, down)
    return 2 * max(1, round(across * unit / 2)), 2 * max(1, round(down * unit / 2))


def printable(text: str) -> str:
    """The text on one line, without what a font cannot draw (controls, lone surrogates)."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
