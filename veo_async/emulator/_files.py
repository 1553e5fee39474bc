"""The video files: each is rendered once, at its first request, outside of the event loop."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
from anyio import CapacityLimiter

from ._background import Background, PerLoop
from ._images import Images
from ._options import VideoFormat
from ._state import Task

CHUNK = 256 << 10
"""Bytes of a file in one read."""

RunSync = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Calls a blocking function without blocking the event loop, and returns its result."""


async def in_thread(function: Callable[[], Any]) -> Any:
    """Call a blocking function in a worker thread. Callers in threads may hold all of anyio's."""
    return await anyio.to_thread.run_sync(function, limiter=CapacityLimiter(1))


def cores() -> int:
    """The number of processor cores, which is the number of renders that run at the same time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2


class Files:
    """Renders files and keeps them in a temporary folder, which is removed at the end.

    Args:
        video: the format of the files.
        images: the source of the images that requests name.
        run_sync: calls the renderer and the file system.
    """

    def __init__(self, video: VideoFormat, images: Images, run_sync: RunSync) -> None:
        self._video, self.images, self._run_sync = video, images, run_sync
        self._background = Background()
        self._slots = PerLoop(lambda: asyncio.Semaphore(cores()))
        self._renders: dict[str, asyncio.Task[Path]] = {}
        self._stop = threading.Event()
        self._folder: Path | None = None

    async def path(self, task: Task, files_url: str) -> Path:
        """The file of a finished task. Concurrent requests share one render.

        Raises:
            OSError: the file could not be written.
            RenderStopped: the emulator was closed meanwhile.
        """
        render = self._renders.get(task.id)
        if render is None or not self._usable(render):
            render = self._background.start(self._rendered(task, files_url))
            self._renders[task.id] = render
        # Shielded: other callers may want the file although this one disconnects.
        return render.result() if render.done() else await asyncio.shield(render)

    def _usable(self, render: asyncio.Task[Path]) -> bool:
        if render.done():
            return not render.cancelled() and render.exception() is None
        return render.get_loop() is asyncio.get_running_loop()

    async def _rendered(self, task: Task, files_url: str) -> Path:
        from ._rendering import render  # Imports PyAV and Pillow, which take long to load.
        from ._scene import Scene

        urls = task.origin.submitted.get("image_urls") or []
        images = [await self.images.get(url, files_url) for url in urls]
        scene = Scene.of(task.origin.submitted, task.submitted, task.video_id, images, self._video)
        path, stop = self._in_folder(f"{task.id}.mp4"), self._stop
        async with self._slots.get():
            await self._run_sync(lambda: render(scene, path, stop.is_set))
        return path

    def _in_folder(self, name: str) -> Path:
        """The path of a file. Its name comes from an id of the service, never from a call."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="veo-emulator-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder / name

    async def chunks(self, path: Path, start: int, length: int) -> AsyncIterator[bytes]:
        """Read a part of a file in chunks."""
        file = await self._run_sync(lambda: path.open("rb"))
        try:
            file.seek(start)
            while length > 0:
                chunk = await self._run_sync(partial(file.read, min(length, CHUNK)))
                length -= len(chunk)
                yield chunk
        finally:
            file.close()

    def reset(self) -> None:
        """Stop all renders, and remove all files."""
        self._stop.set()
        self._stop = threading.Event()
        self._background.cancel()
        self._renders.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def aclose(self) -> None:
        """Stop all renders, wait for their end, and remove all files."""
        self._stop.set()
        await self._background.aclose()
        self.reset()
