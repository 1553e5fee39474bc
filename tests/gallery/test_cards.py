from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gallery.folders import put
from veo_async.gallery._cards import Card, cards_of
from veo_async.gallery._page import render

VIDEO = {"id": "v", "video_url": "https://cdn.example/1.mp4"}


def card(folder: Path, **fields: Any) -> Card:
    """The card of a record with these fields."""
    put(folder, 1, **fields)
    (one, *_), _ = cards_of(folder)
    return one


def with_video(**fields: Any) -> dict[str, Any]:
    """A result with one video."""
    return {"success": True, "data": [{**VIDEO, **fields}]}


def test_cards_stand_in_the_order_of_the_input(tmp_path: Path) -> None:
    """They are sorted by number, not by name; videos without a record come last."""
    for number in (10, 9, 10_000):
        put(tmp_path, number)
    (tmp_path / "a stray.MP4").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"")

    cards, notes = cards_of(tmp_path)

    assert [one.number for one in cards] == [9, 10, 10_000, None]
    assert (cards[-1].title, cards[-1].files[0]["href"]) == ("a stray.MP4", "./a%20stray.MP4")
    assert notes == []


def test_a_file_that_is_not_a_record_is_mentioned(tmp_path: Path) -> None:
    """It may be a damaged record, or another kind of file."""
    (tmp_path / "package.json").write_text("{}")

    cards, notes = cards_of(tmp_path)

    assert cards == []
    assert notes == ["package.json is no record of a batch, so it is not shown."]


@pytest.mark.parametrize(
    "created, complete, took",
    [
        ("2025-07-25 17:19:20", "2025-07-25 17:20:51", 91.0),
        ("2025-07-25 17:19:20", "2025-07-25 17:19:20", None),
        ("2025-07-25 17:19:20", "2025-07-25 17:00:00", None),
        ("yesterday", "2025-07-25 17:00:00", None),
    ],
)
def test_the_duration_is_shown_only_if_it_makes_sense(
    tmp_path: Path, created: str, complete: str, took: float | None
) -> None:
    """The 1080p version has the times of its source, and any time may be wrong."""
    result = with_video(created_at=created, complete_at=complete)

    assert card(tmp_path, result=result).took == took


@pytest.mark.parametrize(
    "url, shown",
    [
        ("https://cdn.example/1.mp4", True),
        ("http://127.0.0.1/1.mp4", True),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("//cdn.example/1.mp4", False),
        ("http://[", False),
    ],
)
def test_only_web_addresses_are_addresses(tmp_path: Path, url: str, shown: bool) -> None:
    """Any other text in its place is not a link."""
    assert card(tmp_path, result=with_video(video_url=url)).url == (url if shown else "")


@pytest.mark.parametrize("result", [{"\ud800": 1}, {"data": [{"\ud800": 1}]}])
def test_a_field_with_an_invalid_name_is_ignored(tmp_path: Path, result: Any) -> None:
    """JSON can express half of a surrogate pair, which pydantic refuses in a name."""
    assert card(tmp_path, result=result).url == ""


@pytest.mark.parametrize("wrong", [None, 1, [], {}, "x", [1], {"data": 7}])
def test_a_value_of_a_wrong_type_is_ignored(tmp_path: Path, wrong: object) -> None:
    """The other fields of the record are still shown."""
    names = ("request", "result", "error", "files", "number", "state", "task_id", "key", "ended_at")

    shown = card(tmp_path, **dict.fromkeys(names, wrong))

    assert shown.state == "pending"
    assert shown.files == ()
    assert shown.title == "0001-item.json"


def test_the_images_of_a_request_are_shown(tmp_path: Path) -> None:
    """Each has its number and its address."""
    images = ["https://images.example/a.png", 7, "https://images.example/b.png"]

    shown = card(tmp_path, request={"prompt": "p", "image_urls": images})

    assert shown.asked == (("Image 1", images[0]), ("Image 2", images[2]))


def test_an_upscale_is_shown_by_its_videos_id(tmp_path: Path) -> None:
    """An upscale has no prompt."""
    shown = card(tmp_path, request={"action": "get_1080p", "video_id": "253eedc4"})

    assert shown.title == "253eedc4"
    assert shown.asked == (("Video", "253eedc4"),)


def test_an_upscaled_video_says_so(tmp_path: Path) -> None:
    """The resolution appears once, also if the request names it."""
    files = ["0001-a.mp4", "0001-a-1080p.mp4"]
    for name in files:
        (tmp_path / name).write_bytes(b"")
    request = {"prompt": "p", "aspect_ratio": "9:16"}

    assert card(tmp_path, request=request, files=files[:1]).shape == ("9:16",)
    assert card(tmp_path, request=request, files=files).shape == ("9:16", "1080p")
    request |= {"resolution": "1080p"}
    assert card(tmp_path, request=request, files=files).shape == ("9:16", "1080p")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["number", "key", "state", "task_id", "trace_id", "request", "result", "error", "files"]


@settings(max_examples=50, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, values)))
def test_any_record_makes_a_page(fields: dict[str, Any]) -> None:
    """With any JSON in its fields, the page is complete and shows one item."""
    with TemporaryDirectory() as name:
        put(Path(name), 1, **fields)
        cards, notes = cards_of(Path(name))

        page = render("t", cards, notes)

    assert len(cards) == 1
    assert page.count(b"</script>") == 2


def test_files_are_those_of_the_folder_itself(tmp_path: Path) -> None:
    """A file elsewhere or behind a symbolic link is not shown. A name may have another Unicode form
    in the file system."""
    place = tmp_path / "out"
    place.mkdir()
    (tmp_path / "secret.mp4").write_bytes(b"")
    (place / "linked.mp4").symlink_to(tmp_path / "secret.mp4")
    (place / "cafe\u0301.mp4").write_bytes(b"")
    files = ["../secret.mp4", str(tmp_path / "secret.mp4"), "linked.mp4", "gone.mp4", "café.mp4"]

    shown = card(place, files=files)

    assert [link["name"] for link in shown.files] == ["cafe\u0301.mp4"]


def test_names_that_differ_in_their_case_are_two_videos(tmp_path: Path) -> None:
    """If the file system distinguishes them, each record has its own."""
    (tmp_path / "A.mp4").write_bytes(b"")
    (tmp_path / "a.mp4").write_bytes(b"")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system knows no case")

    cards, _ = cards_of(tmp_path)

    assert sorted(card.title for card in cards) == ["A.mp4", "a.mp4"]
    assert [link["name"] for link in card(tmp_path, files=["a.mp4"]).files] == ["a.mp4"]
    assert [link["name"] for link in card(tmp_path, files=["A.mp4"]).files] == ["A.mp4"]


def test_what_is_shown_of_a_record_is_bounded(tmp_path: Path) -> None:
    """A record may hold megabytes; a card that holds them could not be drawn."""
    (tmp_path / "0001-item.mp4").touch()
    urls = [f"https://x.example/{number}.png" for number in range(1000)]
    request = {"prompt": "x" * 10**6, "image_urls": [*urls, *urls]}

    shown = card(tmp_path, files=["0001-item.mp4"] * 1000, request=request)

    assert len(shown.title) == 20_000
    assert len(shown.asked) == 100
    assert len(shown.files) == 1


@pytest.mark.parametrize(
    "name",
    [
        "._0001-a-mug.mp4",
        "._0001-a-mug.json",
        ".hidden.mp4",
        "~$0001-a-mug.json",
        "0001-a-mug (Ann's conflicted copy 2026-12-01).mp4",
        "0001-a-mug (conflicted copy 2026-12-01 101112).json",
        "0001-a-mug.sync-conflict-20261201-101112-ABCDEFG.mp4",
    ],
)
def test_files_of_systems_are_ignored(tmp_path: Path, name: str) -> None:
    """What an operating system or a sync program leaves beside the videos is no card, no note."""
    (tmp_path / "0001-a-mug.mp4").write_bytes(b"a video")
    (tmp_path / "0002-a-conflict-of-two-copies.mp4").write_bytes(b"a video")
    (tmp_path / name).write_bytes(b"\x00\x05\x16\x07")

    cards, notes = cards_of(tmp_path)

    assert [card.title for card in cards] == [
        "0001-a-mug.mp4",
        "0002-a-conflict-of-two-copies.mp4",
    ]
    assert notes == []
