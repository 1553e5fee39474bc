"""Reading a delivery: what is refused, and what its body claims."""

from __future__ import annotations

from .._wire.replies import Unreadable, parse, task_id_in
from ..models import Generation
from ._tokens import TokenSigner

BODY = 64 * 2**10
"""Bytes of a delivery that are read; a result has less than one in sixty of them."""


class Refusal(Exception):
    """A delivery that is not taken.

    Attributes:
        status: the HTTP status of the answer.
        why: for the log; never with anything that the sender chose.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


TOO_LONG = f"the body has more than {BODY} bytes"


def read_head(signer: TokenSigner, method: str, path: str, length: str | None) -> bytes:
    """The nonce that a request came to.

    Raises:
        Refusal: its body need not be read.
    """
    if method != "POST":
        raise Refusal(405, "the method is not POST")
    nonce = signer.nonce_of(path)
    if nonce is None:
        raise Refusal(404, "the token is forged, or of another secret")
    if length is not None and not (length.isdecimal() and int(length[:20]) <= BODY):
        raise Refusal(413, TOO_LONG)
    return nonce


def read_body(body: bytes) -> Generation:
    """The result that a delivery claims. Nobody vouches for it.

    Raises:
        Refusal: it is none.
    """
    if len(body) > BODY:
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
    return task_id_in(read_body(body).task_id)
