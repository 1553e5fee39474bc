"""The measured service says what the real one says, as far as the contenders ask."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from benchmarks.backend import Backend
from benchmarks.contenders import HEADERS, body_of
from benchmarks.http import Connection
from tests.emulator.test_samples import shape
from tests.samples import load


def asked(backend: Backend, path: str, fields: object, now: float = 0.0) -> tuple[int, Any]:
    """Ask in process."""
    status, body = backend.answer(path, json.dumps(fields).encode(), now)
    return status, json.loads(body)


@pytest.fixture
def backend() -> Backend:
    """Make a service whose videos all take ten seconds."""
    return Backend(mean=10.0, sigma=0.0, seed=1)


def test_answers_have_the_shape_of_the_samples(backend: Backend) -> None:
    """Accepted, pending and finished tasks read as the vendor documents them."""
    _, accepted = asked(backend, "/veo/videos", body_of("a cat"))
    question = {"action": "retrieve", "id": accepted["task_id"]}
    _, pending = asked(backend, "/veo/tasks", question, now=9.9)
    _, finished = asked(backend, "/veo/tasks", question, now=10.1)

    documented = [load(case).json() for case in ("retrieve_pending_absent", "retrieve_succeeded")]
    for record in (pending, finished, *documented):
        del record["request"]  # is whatever was submitted
    assert shape(accepted) == shape(load("accepted_async").json())
    assert [shape(pending), shape(finished)] == list(map(shape, documented))


def test_the_request_is_stored_as_it_was_sent(backend: Backend) -> None:
    """A record holds the submitted body."""
    _, accepted = asked(backend, "/veo/videos", body_of("a cat"))

    _, record = asked(backend, "/veo/tasks", {"action": "retrieve", "id": accepted["task_id"]})

    assert record["request"] == body_of("a cat")


def test_a_batch_shows_what_is_asked_for_up_to_its_limit(backend: Backend) -> None:
    """Unknown ids are missing, and without a limit a page has twelve records."""
    ids = [asked(backend, "/veo/videos", body_of("a cat"))[1]["task_id"] for _ in range(20)]
    question = {"action": "retrieve_batch", "ids": ["unknown", *ids]}

    _, page = asked(backend, "/veo/tasks", question)
    status, whole = asked(backend, "/veo/tasks", {**question, "limit": 50})

    assert (page["count"], len(page["items"])) == (12, 12)
    assert (status, [item["id"] for item in whole["items"]]) == (200, ids)
    assert backend.counters == {"submit": 20, "retrieve_batch": 2}


def test_the_same_seed_gives_the_same_work() -> None:
    """After a reset the nth task takes as long as before, and has the same id."""
    backend = Backend(mean=12.0, sigma=0.35, seed=3)
    first = [asked(backend, "/veo/videos", body_of("a cat")) for _ in range(5)]
    durations = list(backend.durations)

    backend.reset()

    assert [asked(backend, "/veo/videos", body_of("a dog")) for _ in range(5)] == first
    assert backend.durations == durations
    assert len(set(durations)) == 5


@pytest.mark.parametrize(
    "path, body, status",
    [
        ("/veo/other", b"{}", 404),
        ("/veo/videos", b"{", 400),
        ("/veo/videos", b"{}", 400),
        ("/veo/tasks", b'{"action":"retrieve_batch"}', 400),
    ],
)
def test_what_it_does_not_offer_is_refused(
    backend: Backend, path: str, body: bytes, status: int
) -> None:
    """A contender that asks for more than is measured is told so."""
    told, answer = backend.answer(path, body, 0.0)

    assert told == status
    assert json.loads(answer)["success"] is False


@pytest.mark.real_loop
@pytest.mark.asyncio
async def test_it_speaks_http(backend: Backend) -> None:
    """Requests come in pieces or together on one connection, and need a token."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(backend), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        refused = await client.post("/veo/videos", json=body_of("a cat"))
        accepted = await client.post("/veo/videos", json=body_of("a cat"), headers=HEADERS)
        reader, writer = await asyncio.open_connection(host, port)
        request = (
            b"POST /veo/tasks HTTP/1.1\r\nAuthorization: Bearer t\r\nContent-Length: 2\r\n\r\n"
        )
        for piece in (request[:30], request[30:], b"{}" + request + b"{", b"}"):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        answers = await reader.read()
        writer.close()

    assert (refused.status_code, accepted.status_code) == (401, 200)
    assert accepted.json()["task_id"] in backend.tasks
    assert answers.count(b"HTTP/1.1 400 Bad Request\r\n") == 2
