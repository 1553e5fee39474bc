"""HTTP/1.1 for the measured service: what the contenders' libraries send, and nothing else."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import cast

from .backend import Backend

REASONS = {200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 404: b"Not Found"}

HEAD = b"HTTP/1.1 %d %s\r\ndate: %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection that is kept alive: requests with ``content-length``, one after the other."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._unread = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where the answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end]
            stop = end + 4 + _content_length(head)
            if len(self._unread) < stop:
                return
            body, self._unread = self._unread[end + 4 : stop], self._unread[stop:]
            self._transport.write(self._answer(head, body))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        method, path, _ = head.split(b" ", 2)
        if method == b"POST" and b"\r\nauthorization: bearer " not in head.lower():
            status, text = 401, b'{"success":false,"error":{"code":"invalid_token"}}'
        else:
            status, text = self._backend.answer(path.decode(), body, time.monotonic())
        return HEAD % (status, REASONS[status], _date(), len(text)) + text


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


_now: tuple[int, bytes] = (0, b"")


def _date() -> bytes:
    """Write the time as ``Date`` has it, once a second."""
    global _now  # noqa: PLW0603 - a clock is one for all
    second = int(time.time())
    if second != _now[0]:
        _now = second, formatdate(second, usegmt=True).encode()
    return _now[1]
