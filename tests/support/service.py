"""A service that does what a test tells it to, and clients that speak to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import httpx

from veo_async import VeoClient
from veo_async._base.runtime import Runtime
from veo_async.emulator._emulator import Emulator

BASE_URL = "http://127.0.0.1:1"
NOW = 1_753_430_400.0
"""What the wall clock says in these tests."""

Body = dict[str, Any]
Handler = Callable[[Body], Awaitable[httpx.Response]]


async def inline(function: Callable[..., Any], /, *args: Any) -> Any:
    """Run a blocking function where it stands: on virtual time no thread is needed."""
    return function(*args)


def still_runtime(rng: int = 1) -> Runtime:
    """A clock that stands still, and luck that can be repeated."""
    return Runtime(wall_clock=lambda: NOW, rng=Random(rng), run_sync=inline)


def accepted(task_id: str = "task-1") -> httpx.Response:
    """The answer to an asynchronous submit."""
    return httpx.Response(200, json={"task_id": task_id})


def finished(task_id: str | None = "task-1") -> Body:
    """The result of a task."""
    video = {"id": "video-1", "video_url": "https://files.example/1.mp4", "state": "succeeded"}
    fields = {"success": True, "task_id": task_id, "trace_id": "trace-1", "data": [video]}
    return {name: value for name, value in fields.items() if value is not None}


def refused(status: int, code: str | None, **headers: str) -> httpx.Response:
    """An error as the service words it."""
    body = {"success": False, "error": {"code": code, "message": "no"}, "trace_id": "trace-9"}
    return httpx.Response(status, json=body, headers=headers)


def page(*records: Body) -> httpx.Response:
    """A page of records."""
    return httpx.Response(200, json={"items": list(records), "count": len(records)})


def asked_ids(body: Body) -> list[str]:
    """The ids that a question is about."""
    return [body["id"]] if body["action"] == "retrieve" else list(body.get("ids", []))


def looked(body: Body, **responses: Body | None) -> httpx.Response:
    """The answer to a question by id: the given responses; pending for all other ids."""
    records = [{"id": key, "response": responses.get(key)} for key in asked_ids(body)]
    return httpx.Response(200, json=records[0]) if body["action"] == "retrieve" else page(*records)


class Service(httpx.AsyncBaseTransport):
    """A transport with a handler for each path; what was asked is kept.

    A handler may wait, answer or raise, as a connection may.
    """

    failure_family = "httpx"

    def __init__(self, *, submit: Handler | None = None, tasks: Handler | None = None) -> None:
        self._submit, self._tasks = submit, tasks
        self.submits: list[Body] = []
        self.questions: list[Body] = []
        self.open = 0
        self.most_open = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        submit = request.url.path == "/veo/videos"
        body = json.loads(request.content)
        (self.submits if submit else self.questions).append(body)
        handler = self._submit if submit else self._tasks
        assert handler is not None, f"nobody expected a call to {request.url.path}"
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return await handler(body)
        finally:
            self.open -= 1


def client(service: httpx.AsyncBaseTransport, **options: Any) -> VeoClient:
    """A client that speaks to this service."""
    options.setdefault("runtime", still_runtime())
    return VeoClient("any-token", base_url=BASE_URL, transport=service, **options)


def emulator(**options: Any) -> Emulator:
    """An emulator that needs no threads."""
    return Emulator(run_sync=inline, **options)


def client_of(service: Emulator, **options: Any) -> VeoClient:
    """A client of an emulator in this process."""
    return client(service.transport(), **options)


def other_tasks() -> set[asyncio.Task[Any]]:
    """All tasks of the running loop but the one that asks."""
    return asyncio.all_tasks() - {asyncio.current_task()}
