"""One HTTP exchange over ASGI, with the effects of faults."""

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

WITHOUT_BODY = frozenset({204, 304})
"""The statuses of answers that have no body (RFC 9110, section 6.4.1)."""

MAX_BODY = 1 << 20
"""The maximum size of a request in bytes; the emulator's own limit."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before the effects of faults.

    Attributes:
        status: the HTTP status.
        headers: the headers, except ``content-length`` and ``date``.
        body: the body.
        chunks: reads a file that is sent instead of ``body``.
        length: the number of bytes of that file.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Callable[[], AsyncIterator[bytes]] | None = None
    length: int | None = None

    @classmethod
    def of(
        cls, document: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """An answer with a JSON document."""
        body = json.dumps(document, separators=(",", ":")).encode()
        return cls(status, {"content-type": "application/json", **(headers or {})}, body)

    @property
    def size(self) -> int:
        """The value of ``content-length``."""
        return len(self.body) if self.length is None else self.length


class ConnectionCut(Exception):
    """The connection ends here: the server that runs the app closes it.

    Attributes:
        reset: close it with a reset instead of an orderly end.
        refusal: the effect `Refuse`, if the connection was never made.
    """

    def __init__(self, *, reset: bool = False, refusal: Refuse | None = None) -> None:
        super().__init__("the connection is cut")
        self.reset = reset
        self.refusal = refusal


class Instead(Exception):
    """A fault replaces the answer of this call."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Exchange:
    """One call and its answer.

    Args:
        service: the service that is called (see `_service.Service`).
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
        """The trace id of the answer: the task's if the call was carried out."""

    async def arrive(self, kinds: frozenset[Kind]) -> None:
        """Apply the faults that happen before the call is read.

        Args:
            kinds: the kinds that a call to this path can have.
        """
        self.effects = self._service.faults.unread(kinds)
        await self.reach("unread")

    async def read(self) -> bytes:
        """The body of the call.

        Raises:
            ServiceError: the body is larger than `MAX_BODY`.
            ConnectionCut: the caller disconnected before it was complete.
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
        """Count the call, and apply the faults that match it."""
        self._service.counters[call.kind] += 1
        self.effects = self._service.faults.on(call)
        await self.reach("read")

    async def reach(self, at: At) -> None:
        """Apply the effects that happen at this stage of the call.

        Raises:
            ConnectionCut: an effect ends the connection.
            Instead: an effect replaces the answer.
        """
        for effect in self.effects:
            if getattr(effect, "at", None) == at:
                await self._apply(effect)

    async def _apply(self, effect: Any) -> None:
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
        """The documented error body."""
        document = self._service.responses.error(error, self._traced())
        return self.reply(document, status or error.status, error.headers)

    def reply(
        self, document: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """An answer of the API, with the header ``x-trace-id`` if the deployment has it."""
        trace = {"x-trace-id": self._traced()} if self._service.wire.trace_header else {}
        return Reply.of(document, status, {**trace, **(headers or {})})

    def _traced(self) -> str:
        trace_id = self.trace_id or self._service.backend.trace_of_call()
        self.trace_id = trace_id
        return trace_id

    async def deliver(self, reply: Reply, *, counted: bool = True) -> None:
        """Send the answer with the effects of faults.

        Args:
            reply: the answer.
            counted: count it in the service's counters.

        Raises:
            ConnectionCut: an effect ends the connection before the answer is complete.
        """
        for effect in self.effects:
            reply = disguised(reply, effect)
        if reply.status in WITHOUT_BODY:
            reply = Reply(reply.status, reply.headers)
        if counted:
            self._service.counters[reply.status] += 1
        torn = next((effect for effect in self.effects if isinstance(effect, Torn)), None)
        left = reply.size if torn is None else int(reply.size * torn.fraction)
        length = reply.size if torn is None or torn.declared else left
        headers = {**reply.headers, "content-length": str(length), "date": self._service.date()}
        await self._send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
            }
        )
        if self.method != "HEAD":
            await self._body(reply, left)
            if torn is not None and torn.declared:
                raise ConnectionCut(reset=torn.reset)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _body(self, reply: Reply, left: int) -> None:
        async for piece in self._pieces(reply):
            if left > 0:
                message = {"type": "http.response.body", "body": piece[:left], "more_body": True}
                await self._send(message)
            left -= len(piece)

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
    """The answer with the body that an effect gives it, if it gives one."""
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
