"""The wire as frozen values: closed types for what we send, open types for what we receive.

Field names are the wire's own. A request with an impossible field is refused before anything is
sent. A result keeps the fields that this version does not know; a known field with a value that
cannot be read is ``None``.
"""

from __future__ import annotations

from ..errors import OutcomeState
from ._outcomes import Outcome, Outcomes, Preview, Unsettled
from ._requests import (
    DEFAULT_MODEL,
    Action,
    AspectRatio,
    Get1080p,
    ImageToVideo,
    IngredientsToVideo,
    Resolution,
    TextToVideo,
    VideoRequest,
)
from ._results import SERVICE_ZONE, Cost, Generation, State, TaskRecord, Video

__all__ = [
    "DEFAULT_MODEL",
    "SERVICE_ZONE",
    "Action",
    "AspectRatio",
    "Cost",
    "Generation",
    "Get1080p",
    "ImageToVideo",
    "IngredientsToVideo",
    "Outcome",
    "OutcomeState",
    "Outcomes",
    "Preview",
    "Resolution",
    "State",
    "TaskRecord",
    "TextToVideo",
    "Unsettled",
    "Video",
    "VideoRequest",
]

for _public in (
    *(Get1080p, ImageToVideo, IngredientsToVideo, TextToVideo),
    *(Cost, Generation, TaskRecord, Video),
    *(Outcome, Outcomes, Preview, Unsettled),
):
    _public.__module__ = __name__  # the door, not the file behind it
