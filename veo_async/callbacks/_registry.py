"""The callback address of each submit, and what a delivery to it may do.

The law: the service signs nothing, so a delivery is a hint and never an answer. It wakes the task
whose token it came to; what its body says is told to nobody. A token wakes its task at most once
in `SPACING` seconds and never after its end, so that one who replays a real address causes a
bounded number of polls and nothing else.

A token is a random number with its HMAC: nothing need be stored to tell it from a forged one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal
from weakref import WeakValueDictionary

from .._base.lru import put
from .._base.redaction import REPLACEMENT
from .._wire.replies import Answer, Failure
from ._tokens import TokenSigner, token_in

SPACING = 5.0
"""Seconds between two looks that one token can cause."""

GATHER = 0.25
"""Seconds from one poll to the next that a delivery causes: those that come in between share it."""

KNOWN = 10_000
"""How many tasks are remembered that nobody waits for, so that who comes later is woken, and a late
repetition is answered with 2xx; half a kilobyte each."""

UNCLAIMED = 1_000
"""How many deliveries for nobody here are remembered, in case their submit is resumed later."""


PollTimes = tuple[float, ...]
"""When to look, in monotonic seconds, ascending."""

Receipt = Literal["woken", "ignored", "unknown"]
"""What became of a delivery: its task will be looked at; there was no need; nobody here has it."""


@dataclass(slots=True, eq=False, weakref_slot=True)
class CallbackHandle:
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
    on_delivery: Callable[[CallbackHandle, PollTimes], bool] = field(repr=False)
    task_id: str | None = None
    called: bool = False
    claimed_task_id: str | None = None
    woken: float = float("-inf")


def without_token(answer: Answer, handle: CallbackHandle) -> Answer:
    """The answer to a submit without its token: a service that quotes the request in an error must
    not bring it into a message or a log."""
    token = token_in(handle.url)
    if isinstance(answer, Failure) or token.encode() not in answer.body:
        return answer
    return replace(answer, body=answer.body.replace(token.encode(), REPLACEMENT.encode()))


def wakes(woken: float, now: float) -> PollTimes:
    """When a delivery makes its task due; ``woken`` is when the last look of its token was due.

    One that comes too soon after the last is heard once the spacing allows. After each look there
    is one more: the service may call back before its own record shows the result.
    """
    if woken > now:
        return ()
    at = max(now, woken + SPACING)
    return at, at + SPACING


class CallbackRegistry:
    """All tickets of one `Callbacks`, whichever client has them. Its memory is bounded: by what is
    held elsewhere, and by `KNOWN` and `UNCLAIMED`."""

    def __init__(self, mint: TokenSigner) -> None:
        self.mint = mint
        self._live: WeakValueDictionary[bytes, CallbackHandle] = WeakValueDictionary()
        self._known: dict[bytes, str | None] = {}
        self._unclaimed: dict[bytes, str | None] = {}

    def issue(
        self, nonce: bytes, on_delivery: Callable[[CallbackHandle, PollTimes], bool]
    ) -> CallbackHandle:
        """A ticket for a submit."""
        handle = CallbackHandle(self.mint.url(nonce), on_delivery)
        self._live[nonce] = handle
        put(self._known, nonce, None, KNOWN)
        return handle

    def claim(
        self, url: str, on_delivery: Callable[[CallbackHandle, PollTimes], bool]
    ) -> CallbackHandle | None:
        """The ticket of a submit of an earlier run, unless the address is not of this mint."""
        nonce = self.mint.nonce_of(url)
        if nonce is None:
            return None
        if handle := self._live.get(nonce):
            handle.on_delivery = on_delivery  # that run was in this process, and is over
            return handle
        handle = self.issue(nonce, on_delivery)
        if nonce in self._unclaimed:
            handle.called, handle.claimed_task_id = True, self._unclaimed.pop(nonce)
        return handle

    def receive(self, nonce: bytes, claimed_task_id: str | None, *, now: float) -> Receipt:
        """A delivery came to a genuine token; its body spoke of the task ``claimed_task_id``."""
        handle = self._live.get(nonce)
        if handle is None:
            if nonce in self._known:
                return "ignored"
            put(self._unclaimed, nonce, claimed_task_id, UNCLAIMED)
            return "unknown"
        handle.called, handle.claimed_task_id = True, claimed_task_id or handle.claimed_task_id
        due = wakes(handle.woken, now)
        if not due:
            return "ignored"
        if not handle.on_delivery(handle, due):
            return "unknown"
        handle.woken = due[0]
        return "woken"
