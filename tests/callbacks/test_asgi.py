"""The receiver as an ASGI app: each bad delivery gets its answer, and none does harm."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import logging
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from tests.support.deliveries import PUBLIC, Pieces, callbacks, of, send
from veo_async import InvalidRequestError
from veo_async.callbacks import Callbacks, parse
from veo_async.callbacks._asgi import DEADLINE, MAX_OPEN
from veo_async.callbacks._deliveries import MAX_BODY
from veo_async.callbacks._registry import CallbackHandle, PollTimes
from veo_async.callbacks._tokens import token_in


class Submits:
    """A receiver with submits whose deliveries are counted."""

    def __init__(self, count: int = 1, **options: Any) -> None:
        self.receiver = callbacks(**options)
        self.heard: Counter[str] = Counter()
        self.handles = [
            self.receiver.registry.issue(number.to_bytes(16), self) for number in range(count)
        ]
        self.urls = [handle.url for handle in self.handles]

    def notify(self, handle: CallbackHandle, times: PollTimes) -> bool:
        self.heard[handle.url] += 1
        return True


async def objects() -> int:
    """The number of objects, after the loop has dropped the cancelled timers."""
    await asyncio.sleep(60.0)
    gc.collect()
    return len(gc.get_objects())


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that is logged."""
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.mark.asyncio
async def test_a_delivery_is_taken() -> None:
    """204 and no body: there is nothing to say."""
    submits = Submits()

    answer = await send(submits.receiver, submits.urls[0], of("t1"))

    assert (answer.status, answer.body) == (204, b"")
    assert submits.heard[submits.urls[0]] == 1


def raw_deflate(data: bytes) -> bytes:
    """Deflate without a header, as some senders understand the coding of that name."""
    return zlib.compress(data)[2:-4]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "change",
    [
        lambda url: f"{url}/",
        lambda url: f"{url}//",
        lambda url: url.replace("/veo/", "//veo//"),
        lambda url: f"{url[:-1]}%{ord(url[-1]):02x}",
    ],
)
async def test_an_address_that_a_proxy_rewrote(change: Callable[[str], str]) -> None:
    """Slashes that a proxy adds, and letters that it escapes, change no token."""
    submits = Submits()

    answer = await send(submits.receiver, change(submits.urls[0]), of("t1"))

    assert answer.status == 204
    assert submits.heard[submits.urls[0]] == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "pack, headers",
    [
        (gzip.compress, {"content-encoding": "gzip"}),
        (gzip.compress, {"Content-Encoding": "X-GZIP", "content-type": "text/plain"}),
        (gzip.compress, {}),
        (zlib.compress, {"content-encoding": "deflate"}),
        (raw_deflate, {"content-encoding": "deflate"}),
        (bytes, {"content-encoding": "gzip"}),
        (bytes, {"content-encoding": "deflate"}),
        (bytes, {"content-type": "application/json; charset=utf-8"}),
    ],
)
async def test_a_compressed_body(pack: Callable[[bytes], bytes], headers: dict[str, str]) -> None:
    """A body may be compressed, whatever its headers say of it."""
    submits = Submits()

    answer = await send(submits.receiver, submits.urls[0], pack(of("t1")), headers=headers)

    assert answer.status == 204
    assert submits.heard[submits.urls[0]] == 1


BOMB = gzip.compress(b" " * 50_000_000, mtime=0)


@pytest.mark.asyncio
async def test_a_bomb_is_not_unpacked() -> None:
    """A body is unpacked to the limit of a delivery, not further."""
    submits = Submits()
    tracemalloc.start()

    answer = await send(submits.receiver, submits.urls[0], BOMB)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status == 413
    assert peak < 20 * MAX_BODY
    assert not submits.heard


ELSEWHERE = callbacks().registry.signer.url(b"another process.")
BAD: list[tuple[int, str, bytes | Pieces, dict[str, Any]]] = [
    (404, f"{PUBLIC}/guessed-by-somebody", of("t1"), {}),
    (404, PUBLIC, of("t1"), {}),
    (
        404,
        Callbacks(PUBLIC, "another secret, as long").registry.signer.url(bytes(16)),
        of("t1"),
        {},
    ),
    (503, ELSEWHERE, of("t1"), {}),
    (405, "", b"", {"method": "GET"}),
    (405, "", b"", {"method": "HEAD"}),
    (405, "", of("t1"), {"method": "PUT"}),
    (413, "", b"{}", {"headers": {"content-length": "70000"}}),
    (413, "", b" " * 70_000, {}),
    (413, "", [b" " * 30_000] * 10, {}),
    (413, "", [b"["] * 10 + [b"[" * MAX_BODY], {}),
    (400, "", b"", {}),
    (413, "", gzip.compress(b" " * (MAX_BODY + 1), mtime=0), {}),
    (400, "", gzip.compress(of("t1"), mtime=0)[:-9], {}),
    (400, "", b"\x1f\x8b" + bytes(30), {"headers": {"content-encoding": "gzip"}}),
    (400, "", b"task_id=t1", {}),
    (400, "", b"[1, 2]", {}),
    (400, "", b"[" * 60_000, {}),
    (413, "", b"[" * 100_000, {}),
    (408, "", [b"{", DEADLINE + 1, b"}"], {}),
    (408, "", [piece for letter in b"{" * 60 for piece in (bytes([letter]), 0.5)], {}),
    (0, "", [b"{"], {"cut": True}),
]


@pytest.mark.asyncio
@pytest.mark.parametrize("status, url, body, more", BAD)
async def test_a_bad_delivery(
    status: int,
    url: str,
    body: bytes | Pieces,
    more: dict[str, Any],
    log: pytest.LogCaptureFixture,
) -> None:
    """Each is answered with its status (one whose sender is gone with nothing), wakes nobody, and
    leaves a line in the log without the token, at most."""
    submits = Submits()
    url = url or submits.urls[0]

    answer = await send(submits.receiver, url, body, **more)

    assert answer.status == status
    assert not submits.heard
    assert len(log.records) == (1 if status else 0)
    assert token_in(url) not in log.text
    assert not submits.receiver._open


@pytest.mark.asyncio
async def test_a_long_body_is_read_up_to_the_limit() -> None:
    """The bytes beyond it are not read, however many come."""
    submits = Submits()

    answer = await send(submits.receiver, submits.urls[0], [b" " * 10_000] * 1000)

    assert (answer.status, answer.read) == (413, MAX_BODY // 10_000 + 1)


@pytest.mark.asyncio
async def test_what_the_answers_bear() -> None:
    """A wrong method is told the right one, and a stranger's delivery when to come again."""
    submits = Submits()

    wrong = await send(submits.receiver, submits.urls[0], method="GET")
    unknown = await send(submits.receiver, ELSEWHERE)

    assert wrong.headers == {"allow": "POST"}
    assert unknown.headers == {"retry-after": "30"}


@pytest.mark.asyncio
async def test_a_slow_body_within_the_deadline_is_taken() -> None:
    """Pieces may come one by one."""
    submits = Submits()

    answer = await send(
        submits.receiver, submits.urls[0], [of("t1")[:10], DEADLINE / 2, of("t1")[10:]]
    )

    assert answer.status == 204


@pytest.mark.asyncio
async def test_one_token_holds_few_bodies() -> None:
    """One address allows a few bodies to be read at once; other addresses are not concerned, and
    the end of one body makes room for the next."""
    submits = Submits(2)
    pauses = [DEADLINE / 2] + [DEADLINE * 2] * (MAX_OPEN - 1)
    holding = [
        asyncio.ensure_future(send(submits.receiver, submits.urls[0], [b"{", pause, b"}"]))
        for pause in pauses
    ]
    await anyio.sleep(1.0)

    refused = await send(submits.receiver, submits.urls[0], of("t1"))
    other = await send(submits.receiver, submits.urls[1], of("t1"))
    first = await holding[0]
    again = await send(submits.receiver, submits.urls[0], of("t1"))
    ends = await asyncio.gather(*holding[1:])

    assert [answer.status for answer in (refused, other, first, again)] == [429, 204, 204, 204]
    assert [answer.status for answer in ends] == [408] * (MAX_OPEN - 1)
    assert not submits.receiver._open


@pytest.mark.asyncio
async def test_one_url_ten_thousand_times(log: pytest.LogCaptureFixture) -> None:
    """A replay is answered each time, wakes its task twice within five seconds, and takes no
    memory and no lines in the log."""
    submits = Submits()
    delivery = of("t1")
    await send(submits.receiver, submits.urls[0], delivery)
    before = await objects()

    statuses = Counter(
        [(await send(submits.receiver, submits.urls[0], delivery)).status for _ in range(10_000)]
    )

    assert await objects() - before < 100
    assert statuses == {204: 10_000}
    assert submits.heard[submits.urls[0]] == 1 + 2
    assert not log.records


@pytest.mark.slow
@pytest.mark.asyncio
async def test_five_thousand_in_a_burst() -> None:
    """Deliveries to five thousand submits at once are all taken; what is left of them in memory
    is nothing."""
    submits = Submits(5000)
    bodies = [of(f"t{number}", padding="x" * 1000) for number in range(5000)]
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()

    answers = await asyncio.gather(
        *[send(submits.receiver, url, body) for url, body in zip(submits.urls, bodies, strict=True)]
    )

    statuses = Counter(answer.status for answer in answers)
    del answers
    await objects()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert statuses == {204: 5000}
    assert set(submits.heard.values()) == {1}
    assert peak - before < 60 * 2**20
    assert after - before < 2 * 2**20


# Several processes.


@pytest.mark.asyncio
async def test_what_is_another_process_s_is_handed_over() -> None:
    """``on_unknown`` gets the token and the body of a genuine delivery, whole and checked; the
    process whose it is takes it, and the sender is told so."""
    owner = Submits()

    async def relay(token: str, body: bytes) -> bool:
        return owner.receiver.hand_over(token, body)

    other = callbacks(on_unknown=relay)

    taken = await send(other, owner.urls[0], of("t1"))
    unknown = await send(other, ELSEWHERE, of("t1"))
    forged = await send(other, f"{PUBLIC}/forged", of("t1"))
    garbled = await send(other, owner.urls[0], b"<html>")

    statuses = [answer.status for answer in (taken, unknown, forged, garbled)]
    assert statuses == [204, 503, 404, 400]
    assert owner.heard[owner.urls[0]] == 1


@pytest.mark.asyncio
async def test_what_is_handed_over_is_checked_again() -> None:
    """The channel between the processes need not be trusted either."""
    owner = Submits()
    token = token_in(owner.urls[0])

    assert not owner.receiver.hand_over("forged", of("t1"))
    assert not owner.receiver.hand_over(token, b"<html>")
    assert not owner.receiver.hand_over(token_in(ELSEWHERE), of("t1"))
    assert owner.receiver.hand_over(token, of("t1"))


@pytest.mark.asyncio
async def test_an_on_unknown_that_fails(log: pytest.LogCaptureFixture) -> None:
    """It is told by its class alone, for its text may hold the token; the sender may try again."""

    async def fail(token: str, body: bytes) -> bool:
        raise ConnectionError(f"no way to hand {token} over")

    answer = await send(callbacks(on_unknown=fail), ELSEWHERE, of("t1"))

    assert answer.status == 503
    assert "ConnectionError" in log.text
    assert token_in(ELSEWHERE) not in log.text


# The rest of ASGI.


@pytest.mark.asyncio
async def test_a_websocket_is_closed() -> None:
    """There is none here."""
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError

    async def keep(message: Any) -> None:
        said.append(message)

    await callbacks()({"type": "websocket"}, receive, keep)

    assert said == [{"type": "websocket.close", "code": 1000}]


@pytest.mark.asyncio
async def test_the_lifespan_has_nothing_to_do() -> None:
    """A server that runs the receiver alone starts and ends it without a warning."""
    events = iter(["lifespan.startup", "lifespan.shutdown"])
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": next(events)}

    async def keep(message: Any) -> None:
        said.append(message["type"])

    await callbacks()({"type": "lifespan"}, receive, keep)

    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_receiver_shows_its_address_and_no_secret() -> None:
    """The public URL helps to find it; the rest is nobody's."""
    assert repr(callbacks()) == f"Callbacks('{PUBLIC}')"


# Reading without trusting.


def test_parse_reads_a_delivery() -> None:
    """The typed result, as it was sent: by whomever."""
    generation = parse(of("t1", trace_id="trace-1"))

    assert (generation.success, generation.task_id, generation.trace_id) == (True, "t1", "trace-1")
    assert generation.video.video_url == "https://forged.example/1.mp4"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"[" * 60_000, b" " * MAX_BODY + b"{}", json.dumps("t").encode()],
)
def test_parse_refuses_what_is_no_delivery(body: bytes) -> None:
    """A ``ValueError`` of ours, whatever came."""
    with pytest.raises(InvalidRequestError, match="no callback") as caught:
        parse(body)

    assert caught.value.field == "body"
