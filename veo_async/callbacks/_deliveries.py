"""Deliveries: the checks of a request, and the claims of its body."""

from __future__ import annotations

import zlib

from .._wire.replies import Unreadable, parse
from ..models import Generation
from ..models._results import read_id
from ._tokens import TokenSigner

MAX_BODY = 64 * 2**10
"""Bytes of a delivery that are read; a result has less than a sixtieth of that."""


class Refusal(Exception):
    """A delivery that is refused.

    Attributes:
        status: the HTTP status of the answer.
        why: the reason for the log; it contains nothing that the sender chose.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


TOO_LONG = f"the body has more than {MAX_BODY} bytes"


def check_head(signer: TokenSigner, method: str, path: str, length: str | None) -> bytes:
    """The nonce of the token that a request came to.

    Raises:
        Refusal: its body is not to be read.
    """
    if method != "POST":
        raise Refusal(405, "the method is not POST")
    nonce = signer.nonce_of(path)
    if nonce is None:
        raise Refusal(404, "the token is forged, or of another secret")
    if length is not None and not (length.isdecimal() and int(length[:20]) <= MAX_BODY):
        raise Refusal(413, TOO_LONG)
    return nonce


def unpacked(body: bytes, coding: str) -> bytes:
    """A body without its compression. The first bytes show that of gzip and of zlib: a proxy may
    unpack a body and keep its header, or the other way round, and JSON begins otherwise.

    Args:
        body: the body as it came, which is not too long itself.
        coding: the header ``Content-Encoding``.

    Raises:
        Refusal: it is longer than a delivery, or damaged.
    """
    is_packed = body.startswith((b"\x1f\x8b", b"\x78"))
    if not is_packed and coding.strip().lower() != "deflate":
        return body
    # 32 above the largest window: the header tells gzip from zlib; below 0: there is none.
    reader = zlib.decompressobj(32 + zlib.MAX_WBITS if is_packed else -zlib.MAX_WBITS)
    try:
        plain = reader.decompress(body, MAX_BODY + 1)
    except zlib.error:
        if is_packed:
            raise Refusal(400, "its compression is damaged") from None
        return body
    if len(plain) > MAX_BODY:
        raise Refusal(413, TOO_LONG)
    if not reader.eof:
        raise Refusal(400, "its compression is cut")
    return plain


def parse_body(body: bytes) -> Generation:
    """The result that a delivery claims. Nothing proves it.

    Raises:
        Refusal: the body is no result.
    """
    if len(body) > MAX_BODY:
        raise Refusal(413, TOO_LONG)
    try:
        value = parse(body)
    except Unreadable:
        raise Refusal(400, "the body is not JSON, or nests too deep") from None
    if not isinstance(value, dict):
        raise Refusal(400, "the body is no JSON object")
    return Generation.model_validate(value)


def claimed_task_id(body: bytes) -> str | None:
    """The task that a delivery names, if that can be an id.

    Raises:
        Refusal: the body is no delivery.
    """
    return read_id(parse_body(body).task_id)
