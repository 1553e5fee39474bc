"""A bounded stream of chunks from one task to another, as a socket is: either end may go away."""

from __future__ import annotations

import asyncio
from collections import deque

ROOM = 4
"""Chunks under way; whoever writes more waits for the reader."""


class Pipe:
    """One direction of a connection in process."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._error: Exception | None = None
        self._ended = False
        self._deserted = False
        self._changed = asyncio.Event()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def put(self, chunk: bytes) -> bool:
        """Write; false once the reader is gone."""
        while len(self._chunks) >= ROOM and not self._deserted:
            await self._changed.wait()
        if not self._deserted:
            self._chunks.append(chunk)
            self._notify()
        return not self._deserted

    def end(self, error: Exception | None = None) -> None:
        """The writer is done, or its connection is cut."""
        if not self._ended:
            self._ended, self._error = True, error
            self._notify()

    def desert(self) -> None:
        """The reader goes away."""
        self._deserted = True
        self._chunks.clear()
        self._notify()

    async def get(self) -> bytes | None:
        """The next chunk; ``None`` at the end, or the error with which the writer ended."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._ended or self._deserted:
                return None
            await self._changed.wait()
        chunk = self._chunks.popleft()
        self._notify()
        return chunk
