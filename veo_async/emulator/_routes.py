"""The paths of the service."""

from __future__ import annotations

from random import Random
from typing import Any

from starlette.routing import Route, Router

from ._control import PREFIX, Control
from ._downloads import Downloads, HostedImages
from ._effects import Scramble, Unreadable
from ._endpoint import Endpoint
from ._errors import ServiceError
from ._exchange import Exchange, Reply
from ._faults import TASKS, Call, Kind
from ._responses import unreadable
from ._service import Caller, Service
from ._validation import is_own, parsed


class Videos(Endpoint):
    """``POST /veo/videos``: submits."""

    kinds = frozenset({"submit"})

    async def answer(self, exchange: Exchange) -> Reply:
        body, problem = parsed(await exchange.read())
        action = body.get("action") if isinstance(body, dict) else None
        await exchange.understood(Call("submit", action if isinstance(action, str) else None))
        self.service.admission.check_call("videos", exchange.headers.get("authorization"))
        if problem is not None:
            raise problem
        return await self._accepted(exchange, body)

    async def _accepted(self, exchange: Exchange, body: Any) -> Reply:
        service = self.service
        caller = Caller.of(exchange.headers)
        task = service.submit(body, caller, exchange.effects)
        exchange.trace_id = task.trace_id
        url = body.get("callback_url")
        if url is not None and not is_own(url, caller.host):
            await service.courier.expect(service, task, url, exchange.effects)
        await exchange.reach("accepted")
        if url is not None or (body.get("async") and service.wire.honour_async):
            return exchange.reply(service.responses.accepted(task))
        task.finish_unpolled(service.clock.now())
        await service.clock.sleep_until(task.finish_at)
        status = 200 if task.failure is None else task.failure.status
        return exchange.reply(service.responses.outcome(task), status)


class Tasks(Endpoint):
    """``POST /veo/tasks``: queries of tasks."""

    kinds = TASKS

    async def answer(self, exchange: Exchange) -> Reply:
        query, problem = parsed(await exchange.read())
        if not isinstance(query, dict):
            query, problem = {}, problem or ServiceError("bad_request")
        await exchange.understood(call_of(query))
        self.service.admission.check_call("tasks", exchange.headers.get("authorization"))
        if problem is not None:
            raise problem
        document = self._answer(query, Caller.of(exchange.headers).user_id)
        await exchange.reach("accepted")
        for effect in exchange.effects:
            if "items" in document:
                document["items"] = self._changed(document["items"], effect)
        return exchange.reply(document)

    def _changed(self, items: list[Any], effect: Any) -> list[Any]:
        match effect:
            case Scramble():
                return scrambled(items, effect, self.service.page_rng)
            case Unreadable():
                changed = items[: effect.items]
                return [unreadable(item, effect) for item in changed] + items[len(changed) :]
            case _:
                return items

    def _answer(self, query: dict[str, Any], user_id: str) -> dict[str, Any]:
        match query.get("action"):
            case "retrieve":
                return self.service.retrieve(query)
            case "retrieve_batch":
                return self.service.retrieve_batch(query, user_id)
            case _:
                raise ServiceError("bad_request", "action is invalid.")


class Health(Endpoint):
    """``/health``: it answers 200 and discards what is posted to it, such as callbacks."""

    kinds = frozenset()

    async def answer(self, exchange: Exchange) -> Reply:
        await exchange.read()
        return Reply.of({"status": "ok"})


class NoAPI(Endpoint):
    """All other paths."""

    kinds = frozenset()

    async def answer(self, exchange: Exchange) -> Reply:
        raise ServiceError("no_api")


def router(service: Service) -> Router:
    """The service as an ASGI app. It has no middleware, to be fast."""
    return Router(
        [
            Route("/veo/videos", Videos(service), methods=["POST"]),
            Route("/veo/tasks", Tasks(service), methods=["POST"]),
            Route("/health", Health(service), methods=["GET", "POST"]),
            Route("/files/{name}.mp4", Downloads(service), methods=["GET"]),
            Route("/images/{name}", HostedImages(service), methods=["GET"]),
            Route(PREFIX + "/{what}", Control(service)),
        ],
        redirect_slashes=False,
        default=NoAPI(service),
    )


def call_of(query: dict[str, Any]) -> Call:
    """The kind, the action and the ids of a query of tasks."""
    named = [query.get(field) for field in ("id", "trace_id")]
    for field in ("ids", "trace_ids"):
        values = query.get(field)
        named += values if isinstance(values, list) else []
    ids = frozenset(value for value in named if isinstance(value, str))
    action = query.get("action")
    batch: Kind = "retrieve_batch" if ids else "list"
    kind: Kind = batch if action == "retrieve_batch" else "retrieve"
    return Call(kind, action if isinstance(action, str) else None, ids)


def scrambled(items: list[Any], effect: Scramble, rng: Random) -> list[Any]:
    """The items in a random order, some repeated, some missing."""
    kept = rng.sample(items, max(0, len(items) - effect.omit))
    kept += kept[: effect.repeat]
    rng.shuffle(kept)
    return kept
