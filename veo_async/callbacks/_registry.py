"""The callback address of each submit, and what a delivery to it may cause.

The law: the service signs nothing, so a delivery is a hint and never an answer. It wakes the task
whose token it came to; its body is passed on to nobody. A token wakes its task at most once in
`SPACING` seconds and never after its end, so that replaying a real address causes a bounded number
of polls and nothing else.

The registry decides and remembers; the receiver notifies the listener that `receive` names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from .._base.lru import put
from .._base.redaction import REPLACEMENT
from .._wire.replies import Answer, Failure
from ._tokens import TokenSigner, token_in

SPACING = 5.0
"""Seconds between two polls that one token can cause."""

GATHER = 0.25
"""Seconds between two polls that deliveries cause: all that come in between share the second."""

KNOWN = 100_000
"""Submits that are known by their addresses, the latest ones: as many as one process may have
in flight. Each takes half a kilobyte."""

UNCLAIMED = 1_000
"""Deliveries for unknown submits that are remembered, in case a run is resumed later."""


PollTimes = tuple[float, ...]
"""Times of polls, in monotonic seconds, ascending."""


class Listener(Protocol):
    """One client: the receiver notifies it of deliveries for its submits."""

    def notify(self, handle: CallbackHandle, times: PollTimes) -> bool:
        """A delivery came, so the task is to be polled at these times. Returns whether the client
        is still open."""
        ...


@dataclass(slots=True, eq=False)
class CallbackHandle:
    """The callback of one submit.

    Attributes:
        url: the address.
        listener: the client that sent the submit, or that has claimed it since.
        task_id: the task, once it is known.
        called: whether a delivery came.
        claimed_task_id: the task id in the body of the last delivery, for a lost submit. Anybody
            may have sent it.
        woken: when the last poll that a delivery caused was due.
    """

    url: str = field(repr=False)
    listener: Listener = field(repr=False)
    task_id: str | None = None
    called: bool = False
    claimed_task_id: str | None = None
    woken: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery for a known submit: ``handle.listener`` is to be notified that the task is due at
    ``times``, unless these are empty."""

    handle: CallbackHandle
    times: PollTimes


def without_token(answer: Answer, handle: CallbackHandle) -> Answer:
    """The answer to a submit without its token: a service that quotes the request in an error must
    not bring it into a message or a log."""
    token = token_in(handle.url)
    if isinstance(answer, Failure) or token.encode() not in answer.body:
        return answer
    return replace(answer, body=answer.body.replace(token.encode(), REPLACEMENT.encode()))


def wakes(woken: float, now: float) -> PollTimes:
    """The polls that a delivery causes; ``woken`` is when the last poll of its token was due.

    A delivery too soon after the last one causes a poll once the spacing allows. Each poll is
    followed by another: the service may call back before its own record shows the result.
    """
    if woken > now:
        return ()
    at = max(now, woken + SPACING)
    return at, at + SPACING


class CallbackRegistry:
    """The handles of one `Callbacks`, whichever client has them. Its memory is bounded by `KNOWN`
    and `UNCLAIMED`."""

    def __init__(self, signer: TokenSigner) -> None:
        self.signer = signer
        self._handles: dict[bytes, CallbackHandle] = {}
        self._unclaimed: dict[bytes, str | None] = {}

    def issue(self, nonce: bytes, listener: Listener) -> CallbackHandle:
        """A handle for a submit."""
        handle = CallbackHandle(self.signer.url(nonce), listener)
        put(self._handles, nonce, handle, KNOWN)
        return handle

    def claim(self, url: str, listener: Listener) -> CallbackHandle | None:
        """The handle of a submit of an earlier run, unless its address has another signer."""
        nonce = self.signer.nonce_of(url)
        if nonce is None:
            return None
        if handle := self._handles.get(nonce):
            handle.listener = listener  # that run was in this process, and is over
            return handle
        handle = self.issue(nonce, listener)
        if nonce in self._unclaimed:
            handle.called, handle.claimed_task_id = True, self._unclaimed.pop(nonce)
        return handle

    def receive(self, nonce: bytes, claimed_task_id: str | None, *, now: float) -> Delivery | None:
        """A delivery came to a genuine token, and its body names the task ``claimed_task_id``.
        ``None`` if the submit is unknown: it belongs to another process, or to a closed client."""
        handle = self._handles.get(nonce)
        if handle is None:
            put(self._unclaimed, nonce, claimed_task_id, UNCLAIMED)
            return None
        handle.called, handle.claimed_task_id = True, claimed_task_id or handle.claimed_task_id
        return Delivery(handle, wakes(handle.woken, now))

    def forget(self, listener: Listener) -> None:
        """A client is closed: its submits are unknown until another client claims them."""
        theirs = [(n, one) for n, one in list(self._handles.items()) if one.listener is listener]
        for nonce, handle in theirs:
            del self._handles[nonce]
            if handle.called:
                put(self._unclaimed, nonce, handle.claimed_task_id, UNCLAIMED)
