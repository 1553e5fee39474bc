from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async._core.addresses import AddressError
from veo_async._core.files import (
    CHECK_DISK,
    NAME_MAX,
    Body,
    FileRefused,
    Reception,
    Redirect,
    TryAgain,
    failure_message,
    judge_answer,
    part_name,
)

START = b"\x00\x00\x00\x18ftypisom"


@pytest.mark.parametrize(
    "status, headers, verdict",
    [
        (200, {}, Body(None)),
        (200, {"content-length": "12"}, Body(12)),
        (200, {"content-length": "0"}, Body(0)),
        (200, {"content-length": "100"}, Body(100)),
        (200, {"content-encoding": " Identity "}, Body(None)),
        (200, {"content-encoding": ""}, Body(None)),
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
    """A plain 200 bears the file; a redirect with a Location leads on."""
    assert judge_answer(status, headers, max_bytes=100) == verdict


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
    with pytest.raises(FileRefused, match=reason) as caught:
        judge_answer(status, headers, max_bytes=100)

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
    with pytest.raises(TryAgain):
        judge_answer(status, headers, max_bytes=100)


def receive(*chunks: bytes, length: int | None = None, max_bytes: int = 100) -> None:
    """Let a whole body pass."""
    reception = Reception(Body(length), max_bytes=max_bytes)
    for chunk in chunks:
        reception.take(chunk)
    reception.end()


@pytest.mark.parametrize("length", [None, 16])
@pytest.mark.parametrize("size", [1, 3, 7, 8, 16])
def test_an_mp4_of_the_right_length_is_received_in_any_pieces(
    length: int | None, size: int
) -> None:
    """How the network cuts the body, empty pieces included, means nothing."""
    data = START + b"rest"
    chunks = [data[i : i + size] for i in range(0, len(data), size)]

    receive(b"", *chunks, b"", length=length, max_bytes=16)


@pytest.mark.parametrize(
    "chunks, length, error, reason",
    [
        ([], None, FileRefused, "not an MP4"),
        ([], 0, FileRefused, "not an MP4"),
        ([b"\x00\x00\x00\x18fty"], None, FileRefused, "not an MP4"),
        ([b"<!doctype html>"], None, FileRefused, "not an MP4"),
        ([b"<!do", b"ctype html>"], 500, FileRefused, "not an MP4"),
        ([], 12, TryAgain, "after 0 of 12"),
        ([START[:5]], 12, TryAgain, "after 5 of 12"),
        ([START[:10]], 12, TryAgain, "after 10 of 12"),
        ([START, b"x"], 12, TryAgain, "More than the 12"),
        ([START, b"x" * 89], None, FileRefused, "larger than the limit"),
        ([START, b"x" * 89], 12, FileRefused, "larger than the limit"),
    ],
)
def test_a_body_that_is_not_the_file_is_told_apart(
    chunks: list[bytes], length: int | None, error: type[Exception], reason: str
) -> None:
    """A wrong length may pass; no MP4 and too many bytes are final, and seen early."""
    with pytest.raises(error, match=reason):
        receive(*chunks, length=length)


@pytest.mark.parametrize(
    "target, salt, name",
    [
        ("mug.mp4", 0, "mug.mp4.00000000.part"),
        ("mug.mp4", 0xFFFFFFFF, "mug.mp4.ffffffff.part"),
        ("", 1, ".00000001.part"),
        ("a" * 255, 1, "a" * 241 + ".00000001.part"),
        ("é" * 127, 1, "é" * 120 + ".00000001.part"),
        ("\udcff.mp4", 1, ".mp4.00000001.part"),
    ],
)
def test_a_part_name_fits_beside_its_target(target: str, salt: int, name: str) -> None:
    """A name at the limit of the file system is cut between characters."""
    assert part_name(target, salt) == name


@given(st.text(), st.integers(0, 2**32 - 1))
def test_a_part_name_is_a_legal_length(target: str, salt: int) -> None:
    """Any target gives a name that fits."""
    name = part_name(target, salt)

    assert len(name.encode()) <= NAME_MAX
    assert name.endswith(f"{salt:08x}.part")


@pytest.mark.parametrize(
    "problem, task_id, text",
    [
        (TryAgain("HTTP 503."), "t1", "HTTP 503. Try again later."),
        (FileRefused("Gone."), "t1", "Gone. A fresh URL comes from veo.tasks.retrieve('t1')."),
        (FileRefused("Gone."), None, "Gone. A fresh URL comes from veo.tasks.retrieve(task_id)."),
        (FileRefused("Full.", CHECK_DISK), "t1", f"Full. {CHECK_DISK}"),
        (
            AddressError("leads inside"),
            "t1",
            "The address leads inside. A fresh URL comes from veo.tasks.retrieve('t1').",
        ),
        (FileRefused("Braces {like} these."), "{t}", None),
    ],
)
def test_a_message_says_what_to_do_next(
    problem: FileRefused | TryAgain | AddressError, task_id: str | None, text: str | None
) -> None:
    """It names the file, the path, the reason and the next step, and hides the URL's query."""
    message = failure_message(
        problem, url="https://cdn.example/x?sig=secret", path="out/x.mp4", task_id=task_id
    )

    assert message.startswith("https://cdn.example/x... was not saved as out/x.mp4. ")
    assert "secret" not in message
    assert text is None or message.endswith(text)
