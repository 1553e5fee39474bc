from __future__ import annotations

from typing import Any

import pytest

from veo_async._base.urls import AddressError
from veo_async._downloads.response import (
    CHECK_DISK,
    Body,
    BodyCheck,
    NotRetryable,
    Redirect,
    Restart,
    Retryable,
    UrlExpired,
    failure_message,
    fresh_url,
    judge_response,
)
from veo_async._downloads.resume import PartialFile
from veo_async.models import Generation, TaskRecord

START = b"\x00\x00\x00\x18ftypisom"


@pytest.mark.parametrize(
    "status, headers, verdict",
    [
        (200, {}, Body()),
        (200, {"content-length": "12"}, Body(0, 12, 12)),
        (200, {"content-length": "0"}, Body(0, 0, 0)),
        (200, {"content-length": "100"}, Body(0, 100, 100)),
        (200, {"content-length": "12", "etag": '"a"'}, Body(0, 12, 12, '"a"')),
        (200, {"etag": '"a"'}, Body(validator='"a"')),
        (200, {"content-encoding": " Identity "}, Body()),
        (200, {"content-encoding": ""}, Body()),
        (301, {"location": "/x"}, Redirect("/x")),
        (302, {"location": "/x"}, Redirect("/x")),
        (303, {"location": "/x"}, Redirect("/x")),
        (307, {"location": "/x"}, Redirect("/x")),
        (308, {"location": "/x"}, Redirect("/x")),
    ],
)
def test_an_answer_leads_on_or_bears_the_file(
    status: int, headers: dict[str, str], verdict: Redirect | Body
) -> None:
    """A plain 200 contains the file; a redirect with a Location leads on."""
    assert judge_response(status, headers, max_bytes=100) == verdict


@pytest.mark.parametrize(
    "status, headers, reason, next_step",
    [
        (403, {}, "HTTP 403", "retrieve"),
        (404, {}, "HTTP 404", "retrieve"),
        (410, {}, "HTTP 410", "retrieve"),
        (401, {}, "HTTP 401", "retrieve"),
        (100, {}, "HTTP 100", "retrieve"),
        (204, {}, "HTTP 204", "retrieve"),
        (206, {}, "HTTP 206", "retrieve"),
        (206, {"content-range": "bytes 0-99/100"}, "HTTP 206", "retrieve"),
        (416, {}, "HTTP 416", "retrieve"),
        (300, {"location": "/x"}, "HTTP 300", "retrieve"),
        (302, {}, "HTTP 302", "retrieve"),
        (302, {"location": ""}, "HTTP 302", "retrieve"),
        (304, {"location": "/x"}, "HTTP 304", "retrieve"),
        (200, {"content-encoding": "gzip"}, "compressed", "retrieve"),
        (200, {"content-encoding": "identity, br"}, "compressed", "retrieve"),
        (200, {"content-length": "101"}, "larger than the limit of 100 bytes", "other means"),
    ],
)
def test_an_answer_that_repeating_cannot_mend_is_final(
    status: int, headers: dict[str, str], reason: str, next_step: str
) -> None:
    """The reason and the next step are said, and nobody tries again."""
    with pytest.raises(NotRetryable, match=reason) as caught:
        judge_response(status, headers, max_bytes=100)

    assert next_step in caught.value.next_step


@pytest.mark.parametrize(
    "status, headers",
    [
        *((status, {}) for status in (408, 425, 429, 500, 501, 502, 503, 504, 522, 599)),
        (200, {"content-length": "-1"}),
        (200, {"content-length": "5, 5"}),
        (200, {"content-length": "\N{ARABIC-INDIC DIGIT FIVE}"}),
        (200, {"content-length": "9" * 5000}),
        (200, {"content-length": ""}),
    ],
)
def test_an_answer_that_may_pass_is_worth_another_try(status: int, headers: dict[str, str]) -> None:
    """A host that is ill, and an answer that is garbled."""
    with pytest.raises(Retryable):
        judge_response(status, headers, max_bytes=100)


HELD = PartialFile(10, '"a"', 50)
REST = {"content-range": "bytes 10-49/50", "etag": '"a"'}


@pytest.mark.parametrize(
    "status, headers, verdict",
    [
        (206, REST, Body(10, 50, 50, '"a"')),
        (206, {"content-range": "bytes 10-49/*"}, Body(10, 50, 50, '"a"')),
        (206, {"content-range": "bytes 10-19/50"}, Body(10, 20, 50, '"a"')),
        (200, {"content-length": "50", "etag": '"b"'}, Body(0, 50, 50, '"b"')),
        (302, {"location": "/x"}, Redirect("/x")),
    ],
)
def test_the_rest_or_the_whole_may_follow(
    status: int, headers: dict[str, str], verdict: Redirect | Body
) -> None:
    """A request for the rest gets it, or the whole file if that has changed."""
    assert judge_response(status, headers, max_bytes=100, partial=HELD) == verdict


@pytest.mark.parametrize(
    "status, headers, error, reason",
    [
        (206, {}, Restart, "makes no sense"),
        (206, {"content-range": "bytes 0-49/50"}, Restart, "begins at byte 0"),
        (206, {**REST, "etag": '"b"'}, Restart, "changed"),
        (416, {"content-range": "bytes */10"}, Restart, "no rest"),
        (206, {**REST, "content-encoding": "gzip"}, NotRetryable, "compressed"),
        (404, {}, UrlExpired, "HTTP 404"),
        (503, {}, Retryable, "HTTP 503"),
    ],
)
def test_a_rest_that_does_not_fit_starts_the_file_anew(
    status: int, headers: dict[str, str], error: type[Exception], reason: str
) -> None:
    """Nothing is ever put behind bytes where it does not belong."""
    with pytest.raises(error, match=reason):
        judge_response(status, headers, max_bytes=100, partial=HELD)


def test_the_cap_counts_the_whole_file() -> None:
    """Not just the rest of it."""
    with pytest.raises(NotRetryable, match="larger than the limit of 49"):
        judge_response(206, REST, max_bytes=49, partial=HELD)

    part = BodyCheck(Body(10, None, None), max_bytes=49)
    part.take(b"x" * 39)
    with pytest.raises(NotRetryable, match="larger than the limit of 49"):
        part.take(b"x")


def test_a_rest_needs_no_signature_and_ends_where_it_said() -> None:
    """A shorter part than was asked for is legal, and the rest is still to come."""
    part = BodyCheck(Body(10, 20, 50), max_bytes=100)

    part.take(b"x" * 10)

    with pytest.raises(Retryable, match="after 20 of 50") as caught:
        part.end()
    assert not isinstance(caught.value, Restart)
    with pytest.raises(Restart, match="More than the 20"):
        part.take(b"x")


def receive(*chunks: bytes, length: int | None = None, max_bytes: int = 100) -> None:
    """Let a whole body pass."""
    reception = BodyCheck(Body(0, length, length), max_bytes=max_bytes)
    for chunk in chunks:
        reception.take(chunk)
    reception.end()


@pytest.mark.parametrize("size", [1, 3, 7, 8, 16])
def test_an_mp4_of_the_right_length_is_received_in_any_pieces(size: int) -> None:
    """The pieces of a body do not matter, empty ones included."""
    data, length = START + b"rest", 16
    chunks = [data[i : i + size] for i in range(0, len(data), size)]

    receive(b"", *chunks, b"", length=length, max_bytes=16)


@pytest.mark.parametrize(
    "chunks, length, error, reason",
    [
        ([], None, NotRetryable, "not an MP4"),
        ([], 0, NotRetryable, "not an MP4"),
        ([b"\x00\x00\x00\x18fty"], None, NotRetryable, "not an MP4"),
        ([b"<!doctype html>"], None, NotRetryable, "not an MP4"),
        ([b"<!do", b"ctype html>"], 500, NotRetryable, "not an MP4"),
        ([], 12, Retryable, "after 0 of 12"),
        ([START[:5]], 12, Retryable, "after 5 of 12"),
        ([START[:10]], 12, Retryable, "after 10 of 12"),
        ([START, b"x"], 12, Retryable, "More than the 12"),
        ([START, b"x" * 89], None, NotRetryable, "larger than the limit"),
        ([START, b"x" * 89], 12, NotRetryable, "larger than the limit"),
    ],
)
def test_a_body_that_is_not_the_file_is_told_apart(
    chunks: list[bytes], length: int | None, error: type[Exception], reason: str
) -> None:
    """A wrong length may pass; no MP4 and too many bytes are final, and seen early."""
    with pytest.raises(error, match=reason):
        receive(*chunks, length=length)


def task(*videos: dict[str, Any]) -> TaskRecord:
    """A finished task with these videos."""
    generation = Generation.model_validate({"success": True, "data": videos})
    return TaskRecord(id="t1").with_status("succeeded", generation)


@pytest.mark.parametrize(
    "records, video_id, url",
    [
        ([], None, None),
        ([TaskRecord(id="t1")], None, None),
        ([task()], None, None),
        ([task({"id": "a"})], "a", None),
        ([task({"id": "a"}, {"id": "b", "video_url": "/b"})], None, "/b"),
        ([task({"id": "a", "video_url": "/a"}, {"id": "b", "video_url": "/b"})], "b", "/b"),
        ([task({"id": "a", "video_url": "/a"})], "b", None),
        ([TaskRecord(id="t1"), task({"id": "a", "video_url": "/a"})], "a", "/a"),
    ],
)
def test_a_fresh_url_is_that_of_the_same_video(
    records: list[TaskRecord], video_id: str | None, url: str | None
) -> None:
    """A task may have several videos; another one's file is no substitute."""
    assert fresh_url(records, video_id) == url


@pytest.mark.parametrize(
    "problem, task_id, text",
    [
        (Retryable("HTTP 503."), "t1", "HTTP 503. Try again later."),
        (NotRetryable("Gone."), "t1", "Gone. A fresh URL comes from veo.tasks.retrieve('t1')."),
        (NotRetryable("Gone."), None, "Gone. A fresh URL comes from veo.tasks.retrieve(task_id)."),
        (NotRetryable("Full.", CHECK_DISK), "t1", f"Full. {CHECK_DISK}"),
        (
            AddressError("leads inside"),
            "t1",
            "The address leads inside. A fresh URL comes from veo.tasks.retrieve('t1').",
        ),
        (NotRetryable("Braces {like} these."), "{t}", None),
    ],
)
def test_a_message_says_what_to_do_next(
    problem: NotRetryable | Retryable | AddressError, task_id: str | None, text: str | None
) -> None:
    """It names the file, the path, the reason and the next step, and hides the URL's query."""
    message = failure_message(
        problem, url="https://cdn.example/x?sig=secret", path="out/x.mp4", task_id=task_id
    )

    assert message.startswith("https://cdn.example/x... was not saved as out/x.mp4. ")
    assert "secret" not in message
    assert text is None or message.endswith(text)
