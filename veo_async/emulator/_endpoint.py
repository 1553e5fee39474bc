"""The common part of all paths of the service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from starlette.types import Receive, Scope, Send

from ._errors import ServiceError
from ._exchange import Exchange, Instead, Reply
from ._faults import Kind
from ._service import Service


class Endpoint(ABC):
    """The ASGI app of one path. A `ServiceError` is answered with the documented error body.

    Attributes:
        kinds: the kinds of calls to this path, for faults that happen before a call is read.
    """

    kinds: ClassVar[frozenset[Kind]]

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(self.service, scope, receive, send)
        try:
            await exchange.arrive(self.kinds)
            reply = await self.answer(exchange)
        except ServiceError as exc:
            reply = exchange.refusal(exc)
        except Instead as exc:
            reply = exc.reply
        await exchange.deliver(reply)

    @abstractmethod
    async def answer(self, exchange: Exchange) -> Reply:
        """The reply to one call.

        Raises:
            ServiceError: the call is refused.
        """
