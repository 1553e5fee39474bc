"""The modules that users import; nothing else of the package is public."""

from __future__ import annotations

DOORS = (
    "veo_async",
    "veo_async.callbacks",
    "veo_async.emulator",
    "veo_async.errors",
    "veo_async.events",
    "veo_async.gallery",
    "veo_async.models",
    "veo_async.policies",
    "veo_async.testing",
)
