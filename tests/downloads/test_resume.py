from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async._downloads.resume import (
    NAME_MAX,
    PROGRESS,
    ContentRange,
    FileIdentity,
    Leftover,
    PartialFile,
    content_range,
    mismatch,
    notes_for,
    part_name,
    request_headers,
    resumable,
    strong_validator,
)

MARK = FileIdentity("task-1", "generate")
ETAG = '"abc-100"'
MODIFIED = "Tue, 21 Oct 2025 07:28:00 GMT"
LATER = "Wed, 22 Oct 2025 07:28:00 GMT"
HEAD = b"\x00\x00\x00\x18ftyp"


@pytest.mark.parametrize(
    "headers, validator",
    [
        ({}, None),
        ({"etag": ETAG}, ETAG),
        ({"etag": "W/" + ETAG}, None),
        ({"etag": "abc"}, None),
        ({"etag": '""'}, None),
        ({"etag": '"a b"'}, None),
        ({"etag": '"a\r\nx: y"'}, None),
        ({"etag": '"' + "a" * 300 + '"'}, None),
        ({"etag": '"\N{SNOWMAN}"'}, None),
        ({"last-modified": MODIFIED}, None),
        ({"last-modified": MODIFIED, "date": MODIFIED}, None),
        ({"last-modified": MODIFIED, "date": "Tue, 21 Oct 2025 07:28:59 GMT"}, None),
        ({"last-modified": MODIFIED, "date": "Tue, 21 Oct 2025 07:29:00 GMT"}, MODIFIED),
        ({"last-modified": MODIFIED, "date": "Tue, 21 Oct 2025 07:29:00 -0000"}, None),
        ({"last-modified": MODIFIED, "date": "soon"}, None),
        ({"last-modified": MODIFIED, "date": "Tue, 99 Oct 2025 99:28:00 GMT"}, None),
        ({"last-modified": "2025-10-21", "date": "Tue, 21 Oct 2025 09:29:00 GMT"}, None),
        ({"etag": "W/" + ETAG, "last-modified": MODIFIED, "date": LATER}, None),
        ({"last-modified": MODIFIED, "date": LATER}, MODIFIED),
    ],
)
def test_only_a_strong_validator_counts(headers: dict[str, str], validator: str | None) -> None:
    """A strong ETag; without any ETag, a date that lies well before the answer's own."""
    assert strong_validator(headers) == validator


@pytest.mark.parametrize(
    "held, headers",
    [
        (PartialFile(), {}),
        (PartialFile(100), {}),
        (PartialFile(7, ETAG), {}),
        (PartialFile(8, ETAG), {"range": "bytes=8-", "if-range": ETAG}),
        (PartialFile(100, MODIFIED, 200), {"range": "bytes=100-", "if-range": MODIFIED}),
        (PartialFile(100, ETAG).without_validator(), {}),
    ],
)
def test_the_rest_is_asked_for_under_a_condition_only(
    held: PartialFile, headers: dict[str, str]
) -> None:
    """Never without a validator, and never before the signature is there."""
    assert request_headers(held) == headers


@pytest.mark.parametrize(
    "before, now, got_on",
    [
        (PartialFile(), PartialFile(PROGRESS, ETAG), True),
        (PartialFile(), PartialFile(PROGRESS - 1, ETAG), False),
        (PartialFile(), PartialFile(PROGRESS), False),
        (PartialFile(100, ETAG), PartialFile(100 + PROGRESS, ETAG), True),
        (PartialFile(PROGRESS, ETAG), PartialFile(PROGRESS, ETAG), False),
        (PartialFile(PROGRESS, ETAG), PartialFile(0, ETAG), False),
    ],
)
def test_a_fetch_gets_on_by_what_it_can_keep(
    before: PartialFile, now: PartialFile, got_on: bool
) -> None:
    """Bytes that come again and again count for nothing."""
    assert now.made_progress(before) is got_on


@pytest.mark.parametrize(
    "headers, part",
    [
        ({"content-range": "bytes 100-199/200"}, ContentRange(100, 200, 200)),
        ({"content-range": "bytes 100-199/*"}, ContentRange(100, 200, None)),
        (
            {"content-range": "bytes 100-149/200", "content-length": "50"},
            ContentRange(100, 150, 200),
        ),
        ({}, None),
        ({"content-range": "bytes */200"}, None),
        ({"content-range": "bytes 100-99/200"}, None),
        ({"content-range": "bytes 100-200/200"}, None),
        ({"content-range": "items 100-199/200"}, None),
        ({"content-range": "bytes 100-199/200, 0-1/200"}, None),
        ({"content-range": "bytes 100-" + "9" * 30 + "/*"}, None),
        ({"content-range": "bytes 100-199/200", "content-length": "200"}, None),
        ({"content-type": "multipart/byteranges; boundary=x"}, None),
    ],
)
def test_a_part_says_where_it_belongs(headers: dict[str, str], part: ContentRange | None) -> None:
    """Anything that does not, or that contradicts itself, is no part."""
    assert content_range(headers) == part


@pytest.mark.parametrize(
    "held, part, headers, problem",
    [
        (PartialFile(100, ETAG, 200), ContentRange(100, 200, 200), {"etag": ETAG}, None),
        (PartialFile(100, ETAG, 200), ContentRange(100, 200, 200), {}, None),
        (PartialFile(100, ETAG, 200), ContentRange(100, 200, None), {}, None),
        (PartialFile(100, ETAG), ContentRange(100, 200, 200), {}, None),
        (PartialFile(100, ETAG, 200), ContentRange(100, 150, 200), {}, None),
        (
            PartialFile(100, MODIFIED, 200),
            ContentRange(100, 200, 200),
            {"last-modified": MODIFIED},
            None,
        ),
        (
            PartialFile(100, MODIFIED, 200),
            ContentRange(100, 200, 200),
            {"last-modified": MODIFIED, "etag": ETAG},
            None,
        ),
        (
            PartialFile(100, ETAG, 200),
            ContentRange(99, 200, 200),
            {},
            "begins at byte 99 instead of 100",
        ),
        (PartialFile(100, ETAG, 200), ContentRange(0, 200, 200), {}, "begins at byte 0"),
        (PartialFile(100, ETAG), ContentRange(100, 200, None), {}, "how long"),
        (
            PartialFile(100, ETAG, 200),
            ContentRange(100, 300, 300),
            {},
            "300 bytes now instead of 200",
        ),
        (PartialFile(100, ETAG, 200), ContentRange(100, 200, 200), {"etag": '"other"'}, "changed"),
        (
            PartialFile(100, ETAG, 200),
            ContentRange(100, 200, 200),
            {"etag": "W/" + ETAG},
            "changed",
        ),
    ],
)
def test_only_what_fits_goes_behind_what_is_held(
    held: PartialFile, part: ContentRange, headers: dict[str, str], problem: str | None
) -> None:
    """The same file, at the right place, of a known and unchanged length."""
    said = mismatch(held, part, headers)

    assert said is None if problem is None else problem in (said or "")


def found(size: int = 100, head: bytes = HEAD, **facts: Any) -> Leftover:
    """Bytes on the disk, and notes."""
    known = {"task_id": "task-1", "stage": "generate", "validator": ETAG, "length": 200}
    return Leftover(size, head, json.dumps({**known, "count": 100, **facts}).encode())


def test_notes_are_read_as_they_were_written() -> None:
    """The next run resumes by the notes of the last one: no more bytes than were noted."""
    notes = notes_for(MARK, PartialFile(3, ETAG, 200), 100)

    assert notes is not None
    assert resumable(Leftover(120, HEAD, notes), MARK) == PartialFile(100, ETAG, 200)


@pytest.mark.parametrize(
    "mark, held, count",
    [
        (None, PartialFile(0, ETAG, 200), 100),
        (MARK, PartialFile(0, None, 200), 100),
        (MARK, PartialFile(0, ETAG, 200), 7),
        (MARK, PartialFile(0, ETAG, 200), 0),
    ],
)
def test_what_no_run_could_go_on_with_is_not_noted(
    mark: FileIdentity | None, held: PartialFile, count: int
) -> None:
    """Nobody's file, one without a validator, and next to nothing."""
    assert notes_for(mark, held, count) is None


@pytest.mark.parametrize(
    "of",
    [
        found(task_id="task-2"),
        found(stage="upscale"),
        found(stage=None),
        found(size=99),
        found(head=b"<!doctyp"),
        found(head=b""),
        found(validator=None),
        found(validator=7),
        found(validator="W/" + ETAG),
        found(validator='"a"\r\nx: y'),
        found(count=7),
        found(count=True),
        found(count=-1),
        found(count="100"),
        found(count=200, size=200),
        found(length=100),
        found(length="200"),
        found(length=-1),
        Leftover(100, HEAD, b""),
        Leftover(100, HEAD, b"{}"),
        Leftover(100, HEAD, b"[1]"),
        Leftover(100, HEAD, b"7"),
        Leftover(100, HEAD, b"null"),
        Leftover(100, HEAD, b"\xff\xfe"),
        Leftover(100, HEAD, b"[" * 100_000),
    ],
)
def test_notes_that_do_not_fit_mean_that_there_is_nothing(of: Leftover) -> None:
    """Another task's or stage's, another state of the disk, or made by anybody."""
    assert resumable(of, MARK) == PartialFile()
    assert resumable(of, None) == PartialFile()


@pytest.mark.parametrize("length", [None, 101, 200])
def test_notes_that_fit_are_trusted(length: int | None) -> None:
    """Also where the length was never said."""
    assert resumable(found(length=length), MARK) == PartialFile(100, ETAG, length)
    assert resumable(found(validator=MODIFIED), MARK) == PartialFile(100, MODIFIED, 200)


@given(st.binary())
def test_any_notes_have_a_meaning(notes: bytes) -> None:
    """Any content is read without an error."""
    assert resumable(Leftover(100, HEAD, notes), MARK) == PartialFile()


@pytest.mark.parametrize(
    "target, number, notes, name",
    [
        ("mug.mp4", 0, False, "mug.mp4.part"),
        ("mug.mp4", 0, True, "mug.mp4.part.notes"),
        ("mug.mp4", 12, False, "mug.mp4.12.part"),
        ("", 1, False, ".1.part"),
        ("a" * 255, 0, False, "a" * 250 + ".part"),
        ("é" * 127, 1, False, "é" * 124 + ".1.part"),
        ("\udcff.mp4", 0, False, ".mp4.part"),
    ],
)
def test_a_part_name_fits_beside_its_target(
    target: str, number: int, notes: bool, name: str
) -> None:
    """A name at the limit of the file system is cut between characters."""
    assert part_name(target, number, notes=notes) == name


@given(st.text(), st.integers(0, 99), st.booleans())
def test_a_part_name_is_a_legal_length(target: str, number: int, notes: bool) -> None:
    """Any target gives a name that fits, and that is not the target's own."""
    name = part_name(target, number, notes=notes)

    assert len(name.encode()) <= NAME_MAX
    assert name != target or len(target) > 200
