"""Deliveries to a receiver: a bare ASGI caller that sends exactly what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from tests.support.service import Body
from veo_async.callbacks import Callbacks
from veo_async.emulator import Emulator, Fault

PUBLIC = "https://app.example/veo/callbacks"
SECRET = "a secret of the application"


def callbacks(**options: Any) -> Callbacks:
    """A receiver behind `PUBLIC`."""
    return Callbacks(PUBLIC, SECRET, **options)


def delivered_to(receiver: Callbacks) -> httpx.ASGITransport:
    """What carries an emulator's callbacks to a receiver in this process."""
    return httpx.ASGITransport(receiver)


def faults(*effects: Any, **more: Any) -> list[Fault]:
    """Rules for callbacks."""
    return [Fault(effect=effect, on="callback", **more) for effect in effects]


def urls(service: Emulator) -> list[str]:
    """The callback addresses that the service was given."""
    return [charge.request["callback_url"] for charge in service.bill]


def of(task_id: str | None, **fields: Any) -> bytes:
    """The body of a delivery about a task."""
    video = {"id": "forged", "video_url": "https://forged.example/1.mp4", "state": "succeeded"}
    body: Body = {"success": True, "task_id": task_id, "data": [video], **fields}
    return json.dumps(body).encode()


@dataclass
class Answer:
    """What a receiver answered (``status`` is 0 if it was nothing), after how many pieces."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    read: int = 0


Pieces = Iterable[bytes | float]
"""The body as it comes: pieces, and seconds without one."""


async def send(
    app: Callable[..., Awaitable[None]],
    url: str,
    body: bytes | Pieces = b"{}",
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    cut: bool = False,
) -> Answer:
    """Make one call, and return what was answered; ``cut`` goes away after the pieces."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    answer = Answer()
    rest = iter(pieces)
    left = sum(isinstance(piece, bytes) for piece in pieces)

    async def receive() -> dict[str, Any]:
        nonlocal left
        for piece in rest:
            if not isinstance(piece, bytes):
                await anyio.sleep(piece)
                continue
            left -= 1
            answer.read += 1
            return {"type": "http.request", "body": piece, "more_body": bool(left) or cut}
        return {"type": "http.disconnect"}

    async def respond(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        answer.body += message.get("body", b"")

    scope = {
        "type": "http",
        "method": method,
        "path": httpx.URL(url).path,
        "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
    }
    await app(scope, receive, respond)
    return answer
