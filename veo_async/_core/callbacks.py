"""The callback address of each submit, and what a delivery to it may do.

The law: the service signs nothing, so a delivery is a hint and never an answer. It wakes the task
whose token it came to; what its body says is told to nobody. A token wakes its task at most once
in `SPACING` seconds and never after its end, so that one who replays a real address causes a
bounded number of polls and nothing else.

A token is a random number with its HMAC: nothing need be stored to tell it from a forged one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal
from weakref import WeakValueDictionary

from ..errors import InvalidRequestError
from ..models import Generation
from .addresses import read_public_url
from .memory import remember
from .redact import REPLACEMENT
from .reply import Answer, Failure, Unreadable, parse, task_id_in

NONCE = 16
"""Random bytes in a token, and as many of its HMAC: 128 bits cannot be guessed."""

LENGTH = 43
"""Characters of a token: 32 bytes in base64 for URLs, without the padding."""

SHORTEST_SECRET = 16
"""Bytes of a secret, at least."""

BODY = 64 * 2**10
"""Bytes of a delivery that are read; a result has less than one in sixty of them."""

SPACING = 5.0
"""Seconds between two looks that one token can cause."""

GATHER = 0.25
"""Seconds from one poll to the next that a delivery causes: those that come in between share it."""

KNOWN = 10_000
"""How many tasks are remembered that nobody waits for, so that who comes later is woken, and a late
repetition is answered with 2xx; half a kilobyte each."""

UNCLAIMED = 1_000
"""How many deliveries for nobody here are remembered, in case their submit is resumed later."""


Wakes = tuple[float, ...]
"""When to look, in monotonic seconds, ascending."""

Receipt = Literal["woken", "ignored", "unknown"]
"""What became of a delivery: its task will be looked at; there was no need; nobody here has it."""


class Mint:
    """Makes the addresses, and tells them from forged ones.

    Raises:
        InvalidRequestError: ``public_url`` is no base of addresses, or ``secret`` is too short.
    """

    def __init__(self, public_url: str, secret: str | bytes) -> None:
        self.public_url = str(read_public_url(public_url))
        self._secret = _read_secret(secret)

    def url(self, nonce: bytes) -> str:
        """The address with this nonce."""
        return f"{self.public_url}/{self._token(nonce)}"

    def nonce_of(self, path: str) -> bytes | None:
        """The nonce of the token that a path or a URL ends with, if it is a genuine one.

        Only the last segment counts: what stands before it depends on where the app is mounted.
        """
        token = token_in(path)
        if len(token) != LENGTH or not token.isascii():
            return None
        try:
            nonce = base64.urlsafe_b64decode(f"{token}=")[:NONCE]
        except binascii.Error:
            return None
        # The texts: base64 has several for the same bytes, and only one of them was given out.
        return nonce if hmac.compare_digest(self._token(nonce), token) else None

    def _token(self, nonce: bytes) -> str:
        mac = hmac.digest(self._secret, b"veo_async callback\0" + nonce, hashlib.sha256)
        return base64.urlsafe_b64encode(nonce + mac[:NONCE])[:LENGTH].decode()


def token_in(url: str) -> str:
    """The last segment of a path or a URL."""
    return url.rpartition("/")[2]


def _read_secret(secret: object) -> bytes:
    data = secret.encode(errors="surrogatepass") if isinstance(secret, str) else secret
    if not isinstance(data, bytes) or len(data) < SHORTEST_SECRET:
        problem = f"secret must be a text or bytes, at least {SHORTEST_SECRET} of them"
        raise InvalidRequestError(f"{problem}. Nothing was sent.", field="secret")
    return data


@dataclass(slots=True, eq=False, weakref_slot=True)
class Ticket:
    """The callback of one submit, for as long as its POST or its task is held here.

    Attributes:
        url: the address.
        heard: is told of a delivery: the ticket, and when to look. Returns whether anybody is
            there to hear.
        task_id: the task, once it is known.
        called: whether a delivery came.
        said: the task that the last delivery spoke of, for a lost submit; to be checked.
        woken: when the last look that a delivery caused was due.
    """

    url: str = field(repr=False)
    heard: Callable[[Ticket, Wakes], bool] = field(repr=False)
    task_id: str | None = None
    called: bool = False
    said: str | None = None
    woken: float = float("-inf")


def without_token(answer: Answer, ticket: Ticket) -> Answer:
    """The answer to a submit without its token: a service that quotes the request in an error must
    not bring it into a message or a log."""
    token = token_in(ticket.url)
    if isinstance(answer, Failure) or token.encode() not in answer.body:
        return answer
    return replace(answer, body=answer.body.replace(token.encode(), REPLACEMENT.encode()))


def wakes(woken: float, now: float) -> Wakes:
    """When a delivery makes its task due; ``woken`` is when the last look of its token was due.

    One that comes too soon after the last is heard once the spacing allows. After each look there
    is one more: the service may call back before its own record shows the result.
    """
    if woken > now:
        return ()
    at = max(now, woken + SPACING)
    return at, at + SPACING


class Desk:
    """All tickets of one `Callbacks`, whichever client has them. Its memory is bounded: by what is
    held elsewhere, and by `KNOWN` and `UNCLAIMED`."""

    def __init__(self, mint: Mint) -> None:
        self.mint = mint
        self._live: WeakValueDictionary[bytes, Ticket] = WeakValueDictionary()
        self._known: dict[bytes, str | None] = {}
        self._unclaimed: dict[bytes, str | None] = {}

    def issue(self, nonce: bytes, heard: Callable[[Ticket, Wakes], bool]) -> Ticket:
        """A ticket for a submit."""
        ticket = Ticket(self.mint.url(nonce), heard)
        self._live[nonce] = ticket
        remember(self._known, nonce, None, KNOWN)
        return ticket

    def claim(self, url: str, heard: Callable[[Ticket, Wakes], bool]) -> Ticket | None:
        """The ticket of a submit of an earlier run, unless the address is not of this mint."""
        nonce = self.mint.nonce_of(url)
        if nonce is None:
            return None
        if ticket := self._live.get(nonce):
            ticket.heard = heard  # that run was in this process, and is over
            return ticket
        ticket = self.issue(nonce, heard)
        if nonce in self._unclaimed:
            ticket.called, ticket.said = True, self._unclaimed.pop(nonce)
        return ticket

    def receive(self, nonce: bytes, said: str | None, *, now: float) -> Receipt:
        """A delivery came to a genuine token; its body spoke of the task ``said``."""
        ticket = self._live.get(nonce)
        if ticket is None:
            if nonce in self._known:
                return "ignored"
            remember(self._unclaimed, nonce, said, UNCLAIMED)
            return "unknown"
        ticket.called, ticket.said = True, said or ticket.said
        due = wakes(ticket.woken, now)
        if not due:
            return "ignored"
        if not ticket.heard(ticket, due):
            return "unknown"
        ticket.woken = due[0]
        return "woken"


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


def read_head(mint: Mint, method: str, path: str, length: str | None) -> bytes:
    """The nonce that a request came to.

    Raises:
        Refusal: its body need not be read.
    """
    if method != "POST":
        raise Refusal(405, "the method is not POST")
    nonce = mint.nonce_of(path)
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


def said_by(generation: Generation) -> str | None:
    """The task that a delivery speaks of, if that can be an id."""
    return task_id_in(generation.task_id)


def is_of(ours: str, theirs: object) -> bool | None:
    """Whether a stored request with the callback ``theirs`` is the submit with the callback
    ``ours``; ``None`` if that cannot be told.

    Only another token of the same address is another submit: a service that stores no address,
    or writes it anew, says nothing.
    """
    if not isinstance(theirs, str):
        return None
    ours, theirs = ours.casefold(), theirs.casefold()
    if ours == theirs:
        return True
    base, token = ours.rpartition("/")[0], token_in(theirs)
    return False if theirs == f"{base}/{token}" and len(token) == LENGTH else None
