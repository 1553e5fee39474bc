"""The fixtures of the emulator's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from veo_async.emulator import _rendering
from veo_async.emulator._scene import Scene


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[Scene]:
    """Fast renders: each writes a thousand bytes and is recorded here."""
    scenes = []

    def render(scene: Scene, path: Path, stopped: Callable[[], bool]) -> None:
        scenes.append(scene)
        path.write_bytes(bytes(range(250)) * 4)

    monkeypatch.setattr(_rendering, "render", render)
    return scenes
