"""The control plane, for other processes. Its paths have a prefix that the real API does not use.

``GET bill`` · ``GET counters`` · ``GET``, ``POST`` (one rule, or a list) and ``DELETE faults`` ·
``POST wire`` (the fields of `Wire`; an omitted one has its default) · ``POST reset``.
It requires no token: the emulator is meant for the user's own machine, and on a port `_access`
refuses other machines and web pages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.types import Receive, Scope, Send

from ._errors import ServiceError
from ._exchange import Exchange, Reply
from ._faults import Fault
from ._options import Wire
from ._service import Service
from ._validation import parsed

T = TypeVar("T")

PREFIX = "/__emulator__"

MAX_RULES = 100
"""The maximum number of rules that the control plane adds; each may be as long as a call."""

_WIRE = TypeAdapter(Wire)
_RULES: TypeAdapter[Fault | list[Fault]] = TypeAdapter(Fault | list[Fault])


class Control:
    """The ASGI app of all paths under the prefix."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._acts: dict[tuple[str, str], Callable[[bytes], Any]] = {
            ("GET", "bill"): self._bill,
            ("GET", "counters"): self._counters,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "wire"): self._change_wire,
            ("POST", "reset"): self._reset,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(self._service, scope, receive, send)
        act = self._acts.get((exchange.method, exchange.path_params["what"]), _nothing)
        try:
            reply = Reply.of(act(await exchange.read()))
        except ServiceError as exc:
            reply = exchange.refusal(exc)
        await exchange.deliver(reply, counted=False)

    def _bill(self, _: bytes) -> Any:
        return [asdict(charge) for charge in self._service.backend.bill]

    def _counters(self, _: bytes) -> Any:
        return {str(key): count for key, count in self._service.counters.items()}

    def _faults(self, _: bytes) -> Any:
        rules = zip(self._service.faults, self._service.faults.struck(), strict=True)
        return [{**fault.model_dump(mode="json"), "struck": struck} for fault, struck in rules]

    def _add_faults(self, body: bytes) -> Any:
        read = validated(_RULES, body)
        rules = read if isinstance(read, list) else [read]
        if len(self._service.faults) + len(rules) > MAX_RULES:
            raise ServiceError("bad_request", f"There may be at most {MAX_RULES} rules.")
        self._service.faults.add(*rules)
        return self._faults(body)

    def _clear_faults(self, body: bytes) -> Any:
        self._service.faults.clear()
        return []

    def _change_wire(self, body: bytes) -> Any:
        self._service.wire = validated(_WIRE, body)
        return {}

    def _reset(self, body: bytes) -> Any:
        # A callback has a body, and its address may be this one: it must not reset the service.
        if body.strip() not in {b"", b"{}"}:
            raise ServiceError("bad_request", "A reset takes no body.")
        self._service.faults.clear()
        self._service.reset()
        return {}


def validated(adapter: TypeAdapter[T], body: bytes) -> T:
    """The value in the body of a call.

    Raises:
        ServiceError: it is not JSON, or is not such a value.
    """
    document, problem = parsed(body)
    if problem is not None:
        raise problem
    try:
        return adapter.validate_python(document)
    except ValidationError as exc:
        raise ServiceError("bad_request", str(exc)) from None


def _nothing(_: bytes) -> Any:
    raise ServiceError("no_api")
