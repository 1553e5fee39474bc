"""The decoders: each ends in a value or in one of the library's own errors, whatever it gets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from hypothesis import strategies as st

from tests.fuzz import inputs
from tests.journal.journals import accepted, apply, failed, intended, succeeded
from tests.support.service import client, inline
from veo_async import RetryPolicy, TextToVideo, VeoClient
from veo_async._base.urls import AddressError, next_hop, read_file_address
from veo_async._batch import record
from veo_async._downloads.response import (
    Body,
    BodyCheck,
    NotRetryable,
    Redirect,
    Retryable,
    judge_response,
)
from veo_async._downloads.resume import FileIdentity, Leftover, PartialFile, resumable
from veo_async._journal.serialization import (
    dump_error,
    load_error,
    load_file,
    load_generation,
    load_object,
    load_request,
)
from veo_async._journal.sqlite import JournalDatabase
from veo_async._submit.verdict import judge
from veo_async._tracking.poll_replies import read_poll
from veo_async._wire.replies import is_foreign, received
from veo_async._wire.task_queries import Listing, read_one, read_page
from veo_async.callbacks import Callbacks, parse
from veo_async.cli import main
from veo_async.cli._exits import BUG
from veo_async.cli._options import Seams
from veo_async.emulator import Emulator, Immediate, VideoFormat
from veo_async.errors import (
    GenerationFailedError,
    InvalidRequestError,
    JournalError,
    RateLimitError,
    SubmissionUncertainError,
    VeoError,
)
from veo_async.gallery._cards import cards_of
from veo_async.gallery._page import render
from veo_async.testing._virtual_loop import VirtualEventLoop

TASK = "dd01fc69-e1f7-4b68-aa8c-463f6b748d11"
NOW = 1_753_430_400.0
LONGEST = 10**6
"""Bytes or characters that any answer to an input may have."""


@dataclass(frozen=True)
class Target:
    """A decoder.

    Attributes:
        given: the inputs; each is equal to what its ``repr`` evaluates to.
        decode: reads one input.
        errors: the errors in which it may end.
        share: how many of the bounded inputs it gets, relative to the others: less if it is slow.
    """

    given: st.SearchStrategy[Any]
    decode: Callable[[Any], object]
    errors: tuple[type[Exception], ...] = (VeoError,)
    share: float = 1.0

    def check(self, given: Any) -> None:
        """Read one input.

        Raises:
            Exception: it ended in another way than it may. That is a finding.
        """
        try:
            shown = self.decode(given)
        except self.errors as error:
            shown = error
        assert len(str(shown)) <= LONGEST
        assert len(repr(shown)) <= LONGEST


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run on a virtual loop: hours of waiting are nothing."""
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        return runner.run(work)


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers in bytes, as they come over a wire."""
    return [(name.encode(), value.encode("latin-1", "ignore")) for name, value in headers.items()]


# Answers.


def read_answer(given: tuple[int, dict[str, str], bytes]) -> object:
    """Each reader of an answer, as the transport gives it."""
    reply = received(*given, now=NOW)
    assert 0 <= (reply.retry_after or 0) <= 120
    results: list[object] = [judge(reply), read_poll(reply, [TASK, "b"]), is_foreign(reply)]
    for read in (read_page, lambda answer: read_one(answer, TASK)):
        with contextlib.suppress(VeoError):
            results.append(read(reply))
    return results


def read_list(given: list[bytes]) -> object:
    """The pages of one list."""
    listing, records = Listing(), []
    for body in given:
        records += listing.add(read_page(received(200, {}, body, now=NOW)))
    return [record.state for record in records], listing.is_complete


async def _call(given: list[tuple[int, dict[str, str], bytes]]) -> object:
    left = iter(given)

    async def answer(request: httpx.Request) -> httpx.Response:
        status, headers, body = next(left, (503, {}, b""))
        return httpx.Response(status, headers=encoded(headers), content=body)

    results: list[object] = []
    retry = RetryPolicy(on_uncertain="raise")
    async with client(httpx.MockTransport(answer), timeout=60, retry=retry) as veo:
        calls: list[Coroutine[Any, Any, object]] = [
            veo.text2video("p", model="veo3-fast"),
            veo.tasks.retrieve(TASK),
            _listed(veo),
        ]
        for call in calls:
            try:
                results.append(await call)
            except VeoError as error:
                results.append(error)
    return results


async def _listed(veo: VeoClient) -> object:
    return [record.state async for record in veo.tasks.list()]


# The journal.

ROWS = [
    {"prompt": "a mug", "action": "text2video", "model": "veo3-fast"},
    {"success": True, "task_id": "t", "data": [{"id": "v", "video_url": "https://h.example/v"}]},
    {"path": "a.mp4", "bytes": 7},
    *(
        json.loads(dump_error(error))
        for error in (
            GenerationFailedError("no", task_id="t", code="api_error"),
            SubmissionUncertainError("lost", request=TextToVideo(prompt="a mug")),
            RateLimitError("slow", status_code=429, retry_after=3.0),
        )
    ),
]
LOADERS = (load_object, load_request, load_generation, load_file, load_error)


def load_row(given: str) -> object:
    """Each reader of a stored text."""
    results: list[object] = []
    for load in LOADERS:
        with contextlib.suppress(JournalError):
            results.append(load(given))
    return results


def whole_journal() -> bytes:
    """A journal with an item of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        file = JournalDatabase(Path(folder) / "run.db")
        file.open()
        apply(file, intended("a"), intended("b"), intended("c"), intended("d"))
        apply(file, accepted("b"), accepted("c"), accepted("d"))
        apply(file, succeeded("c"), failed("d"))
        file.close()
        return (Path(folder) / "run.db").read_bytes()


def open_journal(given: bytes) -> object:
    """Open a file, and read all of its items."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.db"
        path.write_bytes(given)
        file = JournalDatabase(path)
        try:
            file.open()
            items = file.items()
            for item in items.values():
                item.check(TextToVideo(prompt="a mug"))
            rows = [row for item in items.values() for row in item.stages.values()]
            return [(row.step, row.facts, row.generation, row.error, row.file) for row in rows]
        finally:
            file.close()


# Callbacks.

SENT = {"type": "http.request"}
CALLBACKS = Callbacks("https://own.example/hooks", "a secret of sixteen bytes")
GENUINE = CALLBACKS.registry.signer.url(bytes(16)).removeprefix("https://own.example")


async def _post(given: tuple[str, str, dict[str, str], list[bytes]]) -> object:
    method, path, headers, parts = given
    left = [{**SENT, "body": part, "more_body": number < len(parts)} for number, part in
            enumerate(parts, 1)]  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": encoded(headers)}
    await CALLBACKS(scope, receive, send)
    assert not sent or sent[0]["status"] in {204, 404, 405, 408, 413, 429, 503, 400}
    return sent


def read_delivery(given: bytes) -> object:
    """The public reader of a delivery."""
    return parse(given)


# Files of a batch.

RECORD = {
    "veo_async": 1,
    "number": 1,
    "key": "k",
    "state": "succeeded",
    "task_id": TASK,
    "task_ids": [TASK],
    "request": {"action": "text2video", "prompt": "p", "image_urls": ["https://x.example/a.png"]},
    "result": ROWS[1],
    "error": {"type": "GenerationFailedError", "message": "no", "summary": "no"},
    "files": ["0001-p.mp4"],
    "ended_at": "2025-07-25T08:00:00+00:00",
}


def read_record(given: bytes) -> object:
    """A record, and the page of a folder with it."""
    fields = record.read(given)
    record.same_except_time(given, given)
    if fields is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "0001-p.json").write_bytes(given)
        (Path(folder) / "0001-p.mp4").touch()
        cards, notes = cards_of(Path(folder))
    page = render("t", cards, notes)
    assert page.count(b"<script") == 2
    hrefs = [link["href"] for card in cards for link in card.files]
    assert set(hrefs) <= {"./0001-p.mp4"}
    return record.tasks_in(fields), record.purchase_in(fields)


PROMPTS = (
    b'{"prompt": "a mug", "model": "veo3-fast"}\n{"prompt": "b", "key": "k"}\n',
    b'{"action": "image2video", "prompt": "x", "image_urls": ["https://x.example/a.png"]}\n',
    b'[\n{"prompt": "a"},\n{"prompt": "b"}\n]\n',
    b'prompt,model,image_urls\n"a ""mug""",veo3,https://x.example/a.png\nb,,\n',
    b"\xff\xfep\x00r\x00o\x00m\x00p\x00t\x00\n\x00a\x00\n\x00",
    "\ufeffa mug\n\n# no comment\nein K\u00e4fer \U0001f41e\n".encode(),
)


def dry_run(given: tuple[bytes, str]) -> object:
    """A file of prompts, as ``veo-async batch --dry-run`` reads it."""
    data, suffix = given
    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"prompts{suffix}"
        source.write_bytes(data)
        argv = ["batch", str(source), "--out", str(Path(folder) / "out"), "--dry-run", "--emulator"]
        seams = Seams(loop_factory=VirtualEventLoop)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv, seams=seams)
    assert code != BUG, err.getvalue()
    assert not set(map(chr, range(32))) - {"\n"} & set(out.getvalue() + err.getvalue())
    return code


# Downloads.


def read_download(given: tuple[int, dict[str, str], list[bytes], bool]) -> object:
    """The answer with a file, or with its rest."""
    status, headers, chunks, is_rest = given
    partial = PartialFile(8, '"a"', 100) if is_rest else None
    judged = judge_response(status, headers, max_bytes=1000, partial=partial)
    if isinstance(judged, Redirect):
        return next_hop(read_file_address("https://a.example/", loopback_ok=False), judged.location,
                        loopback_ok=False)  # fmt: skip
    assert isinstance(judged, Body)
    check = BodyCheck(judged, max_bytes=1000)
    for chunk in chunks:
        check.take(chunk)
    check.end()
    return judged


NOTES = {"task_id": TASK, "stage": "first", "validator": '"a"', "length": 100, "count": 50}


def read_notes(given: tuple[bytes, int]) -> object:
    """The notes beside an incomplete file."""
    notes, size = given
    found = resumable(Leftover(size, b"\0\0\0\x18ftypmp42", notes), FileIdentity(TASK, "first"))
    assert found.count <= size
    return found


# The emulator.

CONTROL = [
    {"effect": {"kind": "drop", "at": "read"}, "on": "submit", "nth": 1},
    [{"effect": {"kind": "answer", "status": 503, "headers": {"retry-after": "3"}}, "count": 2}],
    {"effect": {"kind": "ending", "fields": {"data": []}, "without": ["state"]}},
    {"effect": {"kind": "bomb", "size": 1000}, "on": "tasks"},
    {"effect": {"kind": "slow", "seconds": 1, "pieces": 3}, "on": "any"},
    {"effect": {"kind": "hang", "seconds": 1}, "probability": 0.5},
    {"effect": {"kind": "scramble", "repeat": 1, "omit": 1}, "on": "list"},
    {"effect": {"kind": "unreadable", "form": "null", "items": 1}, "on": "any"},
    {"effect": {"kind": "garble", "body": "x", "media_type": "text/html"}, "on": "any"},
    {"effect": {"kind": "torn", "fraction": 0.5, "declared": False}, "on": "any"},
    {"stored": ["nfc", "unmarked"], "listed": "none", "page": 5, "longest": 3},
    {"pending": "preview", "unknown": "not_found", "timings": True, "url_lifetime": 10},
]
CALLS = inputs.samples(
    "async_request", "callback_request", "get1080p", "get_1080p_request", "image2video_request",
    "ingredients", "list_request", "retrieve_batch_request", "retrieve_request",
    "text2video_request",
)  # fmt: skip
PATHS = (
    *("/veo/videos", "/veo/tasks", "/health", "/files/a.mp4", "/files/..%2f..%2fetc.mp4"),
    *("/images/1", "/__emulator__/bill", "/__emulator__/wire", "/__emulator__/faults"),
    *("/__emulator__/counters", "/__emulator__/reset", "/__emulator__/", "/", "//", "/veo/videos/"),
)


SUBMIT: tuple[str, str, dict[str, str], bytes] = (
    "POST",
    "/veo/videos",
    {},
    b'{"action": "text2video", "prompt": "a", "async": true}',
)


async def _serve(given: list[tuple[str, str, dict[str, str], bytes]]) -> object:
    """Some calls to one emulator, on its port as far as the app knows."""
    statuses: list[object] = []
    discards = httpx.MockTransport(lambda _: httpx.Response(204))
    emulator = Emulator(
        pace=Immediate(),
        video=VideoFormat(seconds=0.2, fps=5, short_side=32),
        run_sync=inline,
        callback_transport=discards,
        fetch=_no_image,
    )
    app = httpx.ASGITransport(app=emulator.app, client=("127.0.0.1", 5))
    usual = {"content-type": "application/json", "authorization": "Bearer a"}
    async with emulator:
        for transport in (app, emulator.transport()):
            async with httpx.AsyncClient(transport=transport, base_url=emulator.base_url) as http:
                for method, path, headers, body in (SUBMIT, *given):
                    named = encoded({**usual, **headers})
                    try:
                        call = http.stream(method, path, headers=named, content=body)
                        async with call as answer:
                            statuses.append(answer.status_code)
                            async for _ in answer.aiter_raw():
                                pass
                    except Exception as error:
                        # A rule may cut the connection: that, and nothing else, is raised.
                        if type(error).__name__ not in CUT:
                            raise
        assert len(emulator.faults) <= 100
        return statuses


CUT = frozenset({"ConnectionCut", "ConnectError", "ConnectTimeout", "ReadError", "ReadTimeout",
                 "RemoteProtocolError", "WriteTimeout"})  # fmt: skip


async def _no_image(url: str) -> bytes:
    raise OSError(url)


NAMES = (
    *("host", "origin", "sec-fetch-site", "range", "if-range", "authorization"),
    *("content-type", "content-length", "transfer-encoding"),
)

anything = st.tuples(
    st.sampled_from(("POST", "POST", "GET", "DELETE", "HEAD", "OPTIONS")),
    st.sampled_from(PATHS),
    st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(st.sampled_from(inputs.ODD_HEADERS), st.just("localhost")),
        max_size=2,
    ),
    inputs.documents_of(CONTROL + CALLS),
)
calls = st.lists(
    st.one_of(
        anything,
        st.tuples(
            st.just("POST"),
            st.sampled_from(("/veo/videos", "/veo/tasks")),
            st.just({}),
            inputs.documents_of(CALLS),
        ),
        st.tuples(
            st.just("POST"),
            st.sampled_from(("/__emulator__/faults", "/__emulator__/wire")),
            st.just({}),
            inputs.documents_of(CONTROL),
        ),
    ),
    min_size=1,
    max_size=5,
)

DOCUMENT = inputs.documents_of
PATH = st.one_of(
    st.sampled_from((GENUINE, GENUINE[:-1], f"{GENUINE}/", GENUINE.swapcase(), "/", "", "/\xe9")),
    st.binary(max_size=60).map(lambda data: f"/hooks/{data.decode('latin-1')}"),
)
JOURNAL = whole_journal()

TARGETS: dict[str, Target] = {
    "answer": Target(inputs.answers, read_answer),
    "list": Target(
        st.lists(DOCUMENT(inputs.samples("retrieve_batch_result")), max_size=5), read_list
    ),
    "client": Target(
        st.lists(inputs.answers, max_size=8), lambda given: run(_call(given)), share=0.1
    ),
    "row": Target(DOCUMENT(ROWS).map(lambda data: data.decode("latin-1")), load_row),
    "journal": Target(
        st.one_of(inputs.damaged(JOURNAL), inputs.damaged(JOURNAL[:512]), st.binary(max_size=600)),
        open_journal,
        share=0.2,
    ),
    "callback": Target(
        st.tuples(
            st.sampled_from(("POST", "POST", "POST", "GET", "HEAD", "", "post")),
            PATH,
            inputs.headers,
            st.lists(st.one_of(DOCUMENT(inputs.ANSWERS), st.just(b" " * 50_000)), max_size=3),
        ),
        lambda given: run(_post(given)),
    ),
    "delivery": Target(DOCUMENT(inputs.ANSWERS), read_delivery, (InvalidRequestError,)),
    "record": Target(DOCUMENT([RECORD]), read_record, share=0.5),
    "prompts": Target(
        st.tuples(
            st.sampled_from(PROMPTS).flatmap(inputs.damaged),
            st.sampled_from((".jsonl", ".json", ".csv", ".tsv", ".txt", "")),
        ),
        dry_run,
        share=0.1,
    ),
    "download": Target(
        st.tuples(
            inputs.statuses,
            inputs.headers,
            st.lists(
                st.one_of(st.binary(max_size=20), st.just(b"\0\0\0\x18ftyp" * 20)), max_size=4
            ),
            st.booleans(),
        ),
        read_download,
        (NotRetryable, Retryable, AddressError),
    ),
    "notes": Target(st.tuples(DOCUMENT([NOTES]), st.integers(0, 200)), read_notes),
    "emulator": Target(calls, lambda given: run(_serve(given)), share=0.1),
}
