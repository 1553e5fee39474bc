"""The receiver: inbound HTTP, as a plain ASGI app.

Nothing from a sender is trusted, and nothing is read without a limit: no body before its token is
proven genuine, none beyond 64 KB, none for longer than ten seconds, and only a few at once for one
token. Answers have no body, and log lines contain nothing that the sender chose.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import anyio

from . import _deliveries, _tokens
from ._deliveries import Refusal
from ._registry import CallbackRegistry

logger = logging.getLogger("veo_async")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HandOver = Callable[[str, bytes], Awaitable[bool]]

DEADLINE = 10.0
"""Seconds for the body of a delivery."""

MAX_OPEN = 4
"""Bodies that are read at once for one token: one known address can occupy no more."""

HEADERS = {405: [(b"allow", b"POST")], 503: [(b"retry-after", b"30")]}
"""The headers of an answer, by its status. A repetition after half a minute may reach the process
that the delivery is for."""


class SenderLeft(Exception):
    """The sender closed the connection."""


class Receiver:
    """Receives deliveries, answers them, and notifies the clients.

    Attributes:
        registry: knows the submits of the deliveries.
    """

    def __init__(self, registry: CallbackRegistry, *, on_unknown: HandOver | None) -> None:
        self.registry = registry
        self._on_unknown = on_unknown
        self._open: Counter[bytes] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status = await self._take(scope, receive)
        except SenderLeft:
            return
        except Refusal as refusal:
            status = refusal.status
            logger.info("a callback was answered with %d: %s", status, refusal.why)
        headers = HEADERS.get(status, [])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _take(self, scope: Scope, receive: Receive) -> int:
        names = {name.lower(): value for name, value in scope["headers"]}
        length = names.get(b"content-length")
        path = str(scope["path"])
        nonce = _deliveries.check_head(
            self.registry.signer,
            scope["method"],
            path,
            length.decode("latin-1") if length else None,
        )
        with self._reading(nonce):
            coding = names.get(b"content-encoding", b"").decode("latin-1")
            body = _deliveries.unpacked(await _read(receive), coding)
        if self._deliver(nonce, body):
            return 204
        if self._on_unknown and await self._hand_over(_tokens.token_in(path), body):
            return 204
        raise Refusal(503, "its submit is not of this process")

    def _deliver(self, nonce: bytes, body: bytes) -> bool:
        """Notify the client whose submit has this genuine token; returns whether it is known here.

        Raises:
            Refusal: the body is no delivery.
        """
        claimed_task_id = _deliveries.claimed_task_id(body)
        now = asyncio.get_running_loop().time()
        delivery = self.registry.receive(nonce, claimed_task_id, now=now)
        if delivery is None:
            return False
        if not delivery.times:
            return True
        handle, times = delivery.handle, delivery.times
        if not handle.listener.notify(handle, times):
            self.registry.forget(handle.listener)  # its loop ended, and it was never closed
            return False
        handle.woken = times[0]
        return True

    @contextmanager
    def _reading(self, nonce: bytes) -> Iterator[None]:
        if self._open[nonce] >= MAX_OPEN:
            raise Refusal(429, "too many deliveries to this token are being read already")
        self._open[nonce] += 1
        try:
            yield
        finally:
            self._open[nonce] -= 1
            if not self._open[nonce]:
                del self._open[nonce]

    async def _hand_over(self, token: str, body: bytes) -> bool:
        assert self._on_unknown is not None
        try:
            return bool(await self._on_unknown(token, body))
        except Exception as exc:  # noqa: BLE001 - the user's own; its text may hold the token
            logger.warning("on_unknown failed: %s", type(exc).__name__)
            return False


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    try:
        with anyio.fail_after(DEADLINE):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise SenderLeft
                body += message.get("body", b"")
                if len(body) > _deliveries.MAX_BODY:
                    raise Refusal(413, _deliveries.TOO_LONG)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refusal(408, "the body came too slowly") from None


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer the events of a lifespan: nothing has to be started or ended."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
