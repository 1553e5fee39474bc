"""Many requests at once, where every end is a value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import anyio

from .._core.keys import Keys
from ..errors import VeoError
from ..models import Generation, Outcome, VideoRequest

Run = Callable[[VideoRequest], Awaitable[Generation]]


async def run_all(run: Run, requests: Iterable[VideoRequest]) -> list[Outcome]:
    """The outcomes of all requests, in their order. The limits are the client's."""
    keys = Keys()
    keyed = [(keys.key(request), request) for request in requests]
    outcomes: dict[str, Outcome] = {}

    async def one(key: str, request: VideoRequest) -> None:
        outcomes[key] = await _outcome(run, key, request)

    async with anyio.create_task_group() as group:
        for key, request in keyed:
            group.start_soon(one, key, request)
    return [outcomes[key] for key, _ in keyed]


async def _outcome(run: Run, key: str, request: VideoRequest) -> Outcome:
    try:
        return Outcome(key, request, result=await run(request))
    except VeoError as exc:
        return Outcome(key, request, error=exc)
    except Exception as exc:  # noqa: BLE001 - one item's fault must not lose the others' videos
        error = VeoError(f"An unexpected {type(exc).__name__}: {exc}", may_have_cost=True)
        error.__cause__ = exc
        return Outcome(key, request, error=error)
