"""The body of an answer: read within limits on what comes in, on what comes out of it, and on the
time that other tasks have to wait meanwhile."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import cast

import httpx

MAX_BODY = 16 * 2**20
"""The longest answer that is read, in bytes, as it came and once inflated. A page of 50 records has
100 KB."""

SLICE = 2**18
"""Bytes that are inflated in one go, and bytes after which other tasks have their turn: about a
millisecond."""

LEAST = 64
"""Bytes that a piece counts as, however short it is, since handling it takes that long: a body in
pieces of one byte ends at the limit, too."""


class BodyTooLarge(Exception):
    """The answer is longer than the limit."""


class UnknownEncoding(Exception):
    """The answer is compressed in a way that the request did not accept."""


async def read_body(response: httpx.Response, limit: int = MAX_BODY) -> bytes:
    """The body, inflated, up to ``limit`` bytes.

    What follows the end of a compressed body is no part of it, and is not read.

    Raises:
        BodyTooLarge: it is longer.
        UnknownEncoding: it is compressed in a way that the request did not accept.
    """
    body = bytearray()
    taken = since_turn = 0
    inflater = _inflater(response)
    # Not `aiter_raw`, which closes the connection while it reads the last piece: an error there
    # would lose an answer that was read.
    stream = response.stream if not response.is_stream_consumed else _memory(response)
    async for piece in cast("httpx.AsyncByteStream", stream):
        if inflater and inflater.is_over:
            break
        taken += max(len(piece), LEAST)
        for part in inflater.slices(piece) if inflater else (piece,):
            body += part
            if max(len(body), taken) > limit:
                raise BodyTooLarge(f"the answer is longer than {limit} bytes")
            since_turn += len(part) + LEAST
            if since_turn > SLICE:
                since_turn = 0
                await asyncio.sleep(0)
    return bytes(body)


async def _memory(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body of a response that was built from a value, not from a stream."""
    yield response.content


class _Inflater:
    """Inflates a body piece by piece. ``is_over`` once its end was read."""

    def __init__(self) -> None:
        self._head = b""
        self._zlib: zlib._Decompress | None = None

    @property
    def is_over(self) -> bool:
        return self._zlib is not None and self._zlib.eof

    def slices(self, piece: bytes) -> Iterator[bytes]:
        """What a piece inflates to, in parts of at most `SLICE` bytes."""
        if self._zlib is None:
            piece = self._head = self._head + piece
            if len(piece) < 2:
                return
            self._zlib = zlib.decompressobj(_wbits(piece))
        while not self._zlib.eof:
            part = self._zlib.decompress(piece, SLICE)
            yield part
            piece = self._zlib.unconsumed_tail
            # A full part may have left more of it behind, also where the piece was taken whole.
            if not piece and len(part) < SLICE:
                return


def _wbits(head: bytes) -> int:
    """The format by the first two bytes: gzip (RFC 1952), zlib (RFC 1950), or bare deflate, which
    some servers send by the name of zlib's."""
    is_zlib = head[0] & 15 == 8 and int.from_bytes(head[:2]) % 31 == 0
    is_known = is_zlib or head[:2] == b"\x1f\x8b"
    # 32 lets zlib tell gzip from its own.
    return 32 + zlib.MAX_WBITS if is_known else -zlib.MAX_WBITS


def _inflater(response: httpx.Response) -> _Inflater | None:
    """What inflates the body; ``None`` if it is plain."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity" or response.is_stream_consumed:
        return None
    if encoding not in ("gzip", "x-gzip", "deflate"):
        shown = repr(encoding) if len(encoding) <= 40 else "something long"
        raise UnknownEncoding(f"the answer is encoded as {shown}")
    return _Inflater()
