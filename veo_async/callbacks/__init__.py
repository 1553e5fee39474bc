"""Callbacks: the service calls when a video is ready, so that polls can be rare.

::

    callbacks = Callbacks("https://app.example/veo/callbacks", secret=os.environ["VEO_SECRET"])
    app.mount("/veo/callbacks", callbacks)  # FastAPI, Starlette, Litestar: any ASGI framework
    veo = VeoClient(callbacks=callbacks)

Each submit then has an address of its own, which nobody else can guess. The service does not sign
its deliveries, so a delivery is only a hint: it makes the client retrieve the task, and that answer
is the one that the caller gets. Deliveries that are late, repeated, forged or lost are all
harmless; lost ones are covered by polls, which are slower while callbacks are on.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from ..errors import InvalidRequestError, MissingExtraError
from ..models import Generation
from ._asgi import HandOver, Receiver
from ._deliveries import Refusal, parse_body
from ._registry import CallbackRegistry
from ._tokens import TokenSigner

__all__ = ["Callbacks", "parse"]


class Callbacks(Receiver):
    """An ASGI app that receives the service's callbacks for one client or several.

    Mount it where ``public_url`` leads, or `serve` it. Pass it to ``VeoClient(callbacks=...)``;
    several clients may share one. It is made before them and may outlive them: a delivery for a
    closed client is answered like one for another process. It need not be closed. It must be
    served on the event loop of its clients, or on one in another thread of the same process.

    Several processes may stand behind one ``public_url``, with the same secret. A delivery for a
    submit of another process is answered with 503 and ``Retry-After``, so that the service may
    try again and meet the right one; or ``on_unknown`` hands it over.

    Args:
        public_url: the address under which the service reaches this app. A proxy may strip parts
            of the path: only its last segment, the token, is read.
        secret: at least 16 bytes, or a text of as many, that nobody else knows, such as
            ``secrets.token_urlsafe()`` printed once. Keep it over restarts: with the same secret
            a resumed run recognises the addresses of its earlier submits.
        on_unknown: called with the token and the body of a genuine delivery whose submit is not
            of this process; pass them to the others, which call `hand_over`. Return whether one
            of them took it: if not, the answer is 503. The token can wake the task, so do not log
            it.

    Raises:
        InvalidRequestError: ``public_url`` or ``secret`` cannot be right.
    """

    def __init__(
        self, public_url: str, secret: str | bytes, *, on_unknown: HandOver | None = None
    ) -> None:
        super().__init__(CallbackRegistry(TokenSigner(public_url, secret)), on_unknown=on_unknown)

    def __repr__(self) -> str:
        return f"Callbacks({self.registry.signer.public_url!r})"

    def hand_over(self, token: str, body: bytes) -> bool:
        """Take a delivery that came to another process; call it on the client's event loop.

        Args:
            token: the token that ``on_unknown`` got there.
            body: the body that ``on_unknown`` got there.

        Returns:
            Whether its submit is of this process: never with a forged token, or with a body that
            is no delivery.
        """
        nonce = self.registry.signer.nonce_of(token)
        try:
            return nonce is not None and self._deliver(nonce, body)
        except Refusal:
            return False

    async def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        on_ready: Callable[[str], object] = str,
    ) -> None:
        """Serve until cancelled, without a web framework. Needs the extra ``callbacks``.

        There is no access log, since the tokens are in the paths.

        Args:
            host: the address to listen on.
            port: the port; 0 picks a free one.
            on_ready: called with the local base URL as soon as the port is open.

        Raises:
            MissingExtraError: uvicorn is not installed.
            OSError: the address is taken.
        """
        try:
            from ._server import serving
        except ModuleNotFoundError as error:
            raise MissingExtraError(feature="Callbacks.serve", extra="callbacks") from error
        async with serving(self, host, port) as url:
            on_ready(url)
            await anyio.sleep_forever()


def parse(body: bytes) -> Generation:
    """Decode a delivery, for a program that only receives.

    **This verifies nothing.** The service does not sign its deliveries, so anybody who knows the
    address can have sent this one, with any content. Confirm it with `VeoClient.wait` or
    ``veo.tasks.retrieve`` before you rely on it.

    Args:
        body: the body as it came, at most 64 KB.

    Raises:
        InvalidRequestError: the body is longer, is no JSON object, or nests too deep.
    """
    try:
        return parse_body(body)
    except Refusal as refusal:
        problem = f"This is no callback: {refusal.why}."
        raise InvalidRequestError(problem, field="body", advice="") from None
