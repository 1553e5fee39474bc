"""Makes the marks of submits: callback addresses that no other submit has.

The address of a mark answers 200 and discards what is posted to it. The vendor's own clients sent
it for years to get an answer at once. A ``callback_url`` beside ``async`` is documented (WIRE, "A
mark of one's own").
"""

from __future__ import annotations

from random import Random, SystemRandom
from uuid import UUID

from .._base.urls import Address
from ..models import VideoRequest
from ..policies import RetryPolicy

PUBLIC = "https://api.acedata.cloud/health"
"""The vendor's address that answers 200 and discards what is posted to it."""


class Marks:
    """Makes the callback addresses of a client's submits.

    Args:
        policy: whether submits are marked, and with which address.
        address: the API's address. One on this machine has an address for marks of its own, since
            it may not reach any other.
        rng: the source of the marks; by default the system's, since after a fork two copies of
            the client's own would make the same mark.
    """

    def __init__(self, policy: RetryPolicy, address: Address, rng: Random | None = None) -> None:
        chosen = policy.marks
        if chosen == "auto":
            chosen = f"{address}/health" if address.scope == "loopback" else PUBLIC
        self._address = None if chosen == "off" else chosen
        self._marks_callers = policy.mark_callback_urls
        self._rng = rng or SystemRandom()

    def url_for(self, request: VideoRequest, earlier: str | None = None) -> str | None:
        """The callback address of a request's submits; ``None`` if it has none of its own.

        A caller's own address is sent as it is, or with a fragment, which is stored and never sent
        over HTTP. ``earlier`` is the address of the same submit in an earlier run.
        """
        callers = request.callback_url
        if earlier or self._address is None or (callers and not self._marks_callers):
            return earlier
        nonce = UUID(int=self._rng.getrandbits(128), version=4)
        if callers:
            return f"{callers.partition('#')[0]}#{nonce}"
        joint = "&" if "?" in self._address else "?"
        return f"{self._address}{joint}ref={nonce}"
