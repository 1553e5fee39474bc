"""Encodes a scene as an MP4 file: H.264, 4:2:0, playable while it loads.

It runs in a worker thread; libx264 works without the interpreter lock.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

from ._painting import Painter
from ._scene import Scene
from ._yuv import Picture

ENCODING = {
    "preset": "ultrafast",  # soft moving colours compress well in any case
    "crf": "23",
    "threads": "auto",
    "x264-params": "colormatrix=bt709:colorprim=bt709:transfer=bt709",  # as `_yuv` draws
}


class RenderStopped(Exception):
    """The emulator was closed during a render."""


def render(scene: Scene, path: Path, stopped: Callable[[], bool] = lambda: False) -> None:
    """Write the video. The file gets its name only when it is complete.

    Args:
        scene: the video.
        path: the file.
        stopped: called before each frame; true stops the render.

    Raises:
        RenderStopped: the render was stopped.
    """
    part = path.with_suffix(".part")
    try:
        _encode(scene, part, stopped)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _encode(scene: Scene, path: Path, stopped: Callable[[], bool]) -> None:
    painter = Painter(scene)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=scene.fps, options=ENCODING)
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, scene.fps)
        for number in range(scene.frames):
            if stopped():
                raise RenderStopped
            frame = _frame(painter.frame(number))
            frame.pts, frame.time_base = number, Fraction(1, scene.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frame(picture: Picture) -> av.VideoFrame:
    frame = av.VideoFrame(*picture.size, "yuv420p")
    for plane, ours in zip(frame.planes, picture.planes, strict=True):
        plane.update(ours.tobytes("raw", "L", plane.line_size))
    return frame
