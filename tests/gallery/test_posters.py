from __future__ import annotations

import os
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

from veo_async.gallery._cards import Card, cards_of
from veo_async.gallery._posters import add_posters

BLACK, RED = (0, 0, 0), (200, 30, 30)


def film(path: Path, *, dark: int, bright: int = 4, size: tuple[int, int] = (64, 48)) -> None:
    """Make a video with a number of black frames, followed by frames with a picture."""
    with av.open(os.fspath(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(dark + bright):
            image = Image.new("RGB", size, BLACK)
            if number >= dark:
                image.paste(RED, (0, 0, size[0] // 2, size[1]))
            frame: av.VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def posters(folder: Path) -> list[Card]:
    """The cards of a folder, with their posters."""
    return add_posters(folder, cards_of(folder)[0])


def redness(poster: Path) -> int:
    """The red level on the left side of a poster."""
    with Image.open(poster) as image:
        red, *_ = image.convert("RGB").getpixel((8, image.height // 2))  # type: ignore[misc]
    return int(red)


@pytest.mark.parametrize("dark, is_red", [(0, True), (30, True), (100, False)])
def test_a_poster_is_the_first_frame_with_content(tmp_path: Path, dark: int, is_red: bool) -> None:
    """Many videos fade in from black; a video that stays dark has a dark poster."""
    film(tmp_path / "a b.mp4", dark=dark)

    (card,) = posters(tmp_path)

    assert card.poster == "./posters/a%20b.jpg"
    assert (redness(tmp_path / "posters" / "a b.jpg") > 150) == is_red
    assert card.seconds == pytest.approx((dark + 4) / 12, abs=0.1)


def test_a_poster_is_small(tmp_path: Path) -> None:
    """Its size is limited, also for a large video."""
    film(tmp_path / "a.mp4", dark=0, bright=1, size=(720, 1280))

    posters(tmp_path)

    with Image.open(tmp_path / "posters" / "a.jpg") as image:
        assert image.size == (360, 640)


def test_a_poster_is_made_once(tmp_path: Path) -> None:
    """It is made again if its video is newer."""
    film(tmp_path / "a.mp4", dark=0)
    posters(tmp_path)
    poster = tmp_path / "posters" / "a.jpg"
    made = poster.stat().st_ino

    posters(tmp_path)
    assert poster.stat().st_ino == made
    os.utime(poster, (0, 0))
    posters(tmp_path)

    assert poster.stat().st_mtime > 0


@pytest.mark.parametrize("data", [b"", b"\0\0\0\x18ftypisom", b"<html>"])
def test_a_damaged_video_costs_its_poster_only(tmp_path: Path, data: bytes) -> None:
    """The other videos have their posters."""
    (tmp_path / "a.mp4").write_bytes(data)
    film(tmp_path / "b.mp4", dark=0)

    bad, good = posters(tmp_path)

    assert (bad.poster, bad.seconds) == ("", None)
    assert good.poster


def test_a_frame_that_is_too_large_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file may declare a size that does not fit into memory."""
    film(tmp_path / "a.mp4", dark=0)
    monkeypatch.setattr("veo_async.gallery._posters.LARGEST", 64 * 48 - 1)

    (card,) = posters(tmp_path)

    assert card.poster == ""


def test_a_video_without_a_picture_has_no_poster(tmp_path: Path) -> None:
    """Its length is that of its sound."""
    with av.open(os.fspath(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()

    (card,) = posters(tmp_path)

    assert card.poster == ""


@pytest.mark.parametrize("missing", ["av", "PIL"])
def test_without_the_extra_there_are_no_posters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """The page is still complete."""
    film(tmp_path / "a.mp4", dark=0)
    monkeypatch.setitem(sys.modules, missing, None)

    (card,) = posters(tmp_path)

    assert (card.poster, card.seconds) == ("", None)
    assert not (tmp_path / "posters").exists()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, kind: str) -> None:
    """A symbolic link or a file in the place of the folder ``posters`` is not followed."""
    place, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    place.mkdir()
    elsewhere.mkdir()
    film(place / "a.mp4", dark=0)
    if kind == "link":
        (place / "posters").symlink_to(elsewhere)
    else:
        (place / "posters").write_bytes(b"")

    (card,) = posters(place)

    assert card.poster == ""
    assert list(elsewhere.iterdir()) == []


def test_a_card_without_a_video_has_no_poster(tmp_path: Path) -> None:
    """A failed or uncertain item has no video."""
    assert add_posters(tmp_path, [Card(title="a")]) == [Card(title="a")]
