"""One HTTP exchange over ASGI, and what the faults make of it."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import anyio
from starlette.types import Receive, Scope, Send

from ._effects import Answer, At, Bomb, Drop, Garble, Hang, Refuse, Slow, Torn
from ._errors import ServiceError
from ._faults import Call, Kind

MAX_BODY = 1 << 20
"""Bytes of a request that are read; the emulator's own limit."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before the faults; ``chunks`` gives a file of that ``length``."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Callable[[], AsyncIterator[bytes]] | None = None
    length: int | None = None

    @classmethod
    def of(
        cls, document: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Reply:
        body = json.dumps(document, separators=(",", ":")).encode()
        return cls(status, {"content-type": "application/json", **(headers or {})}, body)

    @property
    def size(self) -> int:
        return len(self.body) if self.length is None else self.length


class ConnectionCut(Exception):
    """The connection ends here: the server that carries the app cuts it.

    Attributes:
        reset: with a reset instead of an orderly end.
        refusal: the effect, if the connection was never made.
    """

    def __init__(self, *, reset: bool = False, refusal: Refuse | None = None) -> None:
        super().__init__("the connection is cut")
        self.reset = reset
        self.refusal = refusal


class Instead(Exception):
    """A fault answers this call."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Exchange:
    """One call and its answer.

    Args:
        service: what is asked (see `_service.Service`).
        scope, receive, send: the ASGI connection.
    """

    def __init__(self, service: Any, scope: Scope, receive: Receive, send: Send) -> None:
        self._service = service
        self._receive, self._send = receive, send
        self.method: str = scope["method"]
        self.path_params: dict[str, Any] = scope.get("path_params", {})
        self.query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        self.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.effects: tuple[Any, ...] = ()
        self.trace_id: str | None = None

    async def arrive(self, kinds: frozenset[Kind]) -> None:
        """The connection is made; nothing is read."""
        self.effects = self._service.faults.unread(kinds)
        await self.reach("unread")

    async def read(self) -> bytes:
        """The body of the call.

        Raises:
            ServiceError: it is longer than any call should be.
            ConnectionCut: the caller is gone before it was sent.
        """
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionCut
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                raise ServiceError("bad_request", "The body is too long.")
            if not message.get("more_body", False):
                return bytes(body)

    async def understood(self, call: Call) -> None:
        """It is known what the call asks."""
        self._service.counters[call.kind] += 1
        self.effects = self._service.faults.on(call)
        await self.reach("read")

    async def reach(self, at: At) -> None:
        """The call came so far: what strikes here?"""
        for effect in self.effects:
            if getattr(effect, "at", None) == at:
                await self._suffer(effect)

    async def _suffer(self, effect: Any) -> None:
        match effect:
            case Refuse():
                raise ConnectionCut(refusal=effect)
            case Drop():
                raise ConnectionCut(reset=effect.reset)
            case Hang(seconds=None):
                await self._caller_gone()
                raise ConnectionCut
            case Hang():
                await anyio.sleep(effect.seconds or 0.0)
            case _:
                raise Instead(self._answer(effect))

    async def _caller_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _answer(self, effect: Answer) -> Reply:
        error = ServiceError(effect.code, effect.message, headers=effect.headers)
        if effect.body is None:
            return self.refusal(error, effect.status)
        headers = {"content-type": "text/plain", **effect.headers}
        return Reply(effect.status or error.status, headers, effect.body.encode())

    def refusal(self, error: ServiceError, status: int | None = None) -> Reply:
        """The documented error body; its trace id is the task's, if the call was carried out."""
        trace_id = self.trace_id or self._service.backend.trace_of_refusal()
        document = self._service.responses.error(error, trace_id)
        return Reply.of(document, status or error.status, error.headers)

    async def deliver(self, reply: Reply, *, counted: bool = True) -> None:
        """Answer, as the faults want it."""
        for effect in self.effects:
            reply = disguised(reply, effect)
        if counted:
            self._service.counters[reply.status] += 1
        headers = {**reply.headers, "content-length": str(reply.size), "date": self._service.date()}
        await self._send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
            }
        )
        if self.method != "HEAD":
            await self._body(reply)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self, reply: Reply) -> None:
        torn = next((effect for effect in self.effects if isinstance(effect, Torn)), None)
        left = reply.size if torn is None else int(reply.size * torn.fraction)
        async for piece in self._pieces(reply):
            if left > 0:
                message = {"type": "http.response.body", "body": piece[:left], "more_body": True}
                await self._send(message)
            left -= len(piece)
        if torn is not None:
            raise ConnectionCut(reset=torn.reset)

    async def _pieces(self, reply: Reply) -> AsyncIterator[bytes]:
        slow = next((effect for effect in self.effects if isinstance(effect, Slow)), None)
        async for chunk in reply.chunks() if reply.chunks else _split(reply.body, slow):
            if slow is not None:
                await anyio.sleep(slow.seconds)
            yield chunk


async def _split(body: bytes, slow: Slow | None) -> AsyncIterator[bytes]:
    step = len(body) if slow is None else -(-len(body) // slow.pieces)
    for start in range(0, len(body), step or 1):
        yield body[start : start + step]


def disguised(reply: Reply, effect: Any) -> Reply:
    """The answer with the body that a fault gives it."""
    match effect:
        case Garble():
            headers = {**reply.headers, "content-type": effect.media_type}
            body = effect.body.encode()
        case Bomb():
            headers = {**reply.headers, "content-encoding": "gzip"}
            body = inflating(effect.size)
        case _:
            return reply
    return replace(reply, headers=headers, body=body, chunks=None, length=None)


@lru_cache(maxsize=4)
def inflating(size: int) -> bytes:
    """A small gzip of a JSON object of about ``size`` bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    block = b"a" * min(size, 1 << 20)
    parts = [packer.compress(b'{"task_id":"')]
    parts += [packer.compress(block) for _ in range(-(-size // len(block)))]
    parts += [packer.compress(b'"}'), packer.flush()]
    return b"".join(parts)
