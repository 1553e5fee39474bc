"""Real videos at tiny sizes, and their content."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image, ImageStat

from veo_async.emulator import VideoFormat
from veo_async.emulator._lettering import caption, font, tag, wrapped
from veo_async.emulator._painting import Painter
from veo_async.emulator._rendering import RenderStopped, render
from veo_async.emulator._scene import Scene, printable, size_of
from veo_async.emulator._stills import MAX_PIXELS, decoded, still
from veo_async.emulator._yuv import Picture, Stamp

TINY = VideoFormat(seconds=0.5, fps=8, short_side=72)


def scene_of(
    *, own: dict[str, Any] | None = None, images: tuple[bytes | None, ...] = (), **fields: Any
) -> Scene:
    """The scene of a request at a tiny size."""
    request = {"action": "text2video", "prompt": "A coffee mug", **fields}
    return Scene.of(request, own or request, "video-1", images, TINY)


def image(colour: str, size: tuple[int, int] = (32, 18), form: str = "PNG") -> bytes:
    """The bytes of a plain image."""
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, form)
    return data.getvalue()


def frames_of(path: Path) -> list[Image.Image]:
    """The frames of a file, decoded."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [frame.to_image() for frame in frames]  # type: ignore[no-untyped-call]


def colour(picture: Image.Image) -> tuple[float, ...]:
    """The mean colour of the middle of a picture, where no words are."""
    width, height = picture.size
    middle = picture.crop((width // 4, height // 3, width * 3 // 4, height // 2))
    return tuple(ImageStat.Stat(middle).mean)


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures, per pixel and channel, of 255."""
    pairs = zip(one.convert("L").tobytes(), other.convert("L").tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (one.width * one.height)


@pytest.mark.parametrize(
    "aspect, resolution, size",
    [
        (None, None, (1280, 720)),
        ("9:16", None, (720, 1280)),
        ("4:3", None, (960, 720)),
        ("3:4", None, (720, 960)),
        ("1:1", None, (720, 720)),
        ("16:9", "1080p", (1920, 1080)),
        ("9:16", "4k", (2160, 3840)),
        ("16:9", "gif", (1280, 720)),
    ],
)
def test_sizes(aspect: Any, resolution: Any, size: tuple[int, int]) -> None:
    """The video has the aspect ratio and the resolution of the request."""
    request = {
        "action": "text2video",
        "prompt": "A",
        "aspect_ratio": aspect,
        "resolution": resolution,
    }

    scene = Scene.of(request, request, "v", [], VideoFormat())

    assert (scene.width, scene.height) == size
    assert (scene.fps, scene.frames) == (24, 192)


@pytest.mark.parametrize("action", ["get_1080p", "get1080p"])
@pytest.mark.parametrize("aspect, size", [("16:9", (1920, 1080)), ("9:16", (1080, 1920))])
def test_the_1080p_version(action: str, aspect: str, size: tuple[int, int]) -> None:
    """It has the aspect ratio of its source and 1080 lines, at any size of its source."""
    origin = {"action": "text2video", "prompt": "A", "aspect_ratio": aspect, "resolution": "4k"}

    scene = Scene.of(origin, {"action": action}, "v", [], VideoFormat())

    assert (scene.width, scene.height) == size


def test_odd_sizes_become_even() -> None:
    """4:2:0 needs even sides, and nothing is smaller than a block of it."""
    assert size_of("16:9", 75) == (134, 76)
    assert size_of("16:9", 0.1) == (2, 2)


def test_a_video_has_at_least_one_frame() -> None:
    """A duration of zero still gives one frame."""
    request = {"action": "text2video", "prompt": "A"}

    assert Scene.of(request, request, "v", [], VideoFormat(seconds=0)).frames == 1


def test_the_file_has_the_requested_format(tmp_path: Path) -> None:
    """It is H.264 in 4:2:0, of the right size, rate and length, playable while it loads."""
    path = tmp_path / "video.mp4"

    render(scene_of(aspect_ratio="9:16"), path)

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height, stream.frames) == (72, 128, 4)
        assert stream.average_rate == 8
        assert container.duration == 500_000
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert list(tmp_path.iterdir()) == [path]


def test_the_picture_moves_and_its_bar_fills(tmp_path: Path) -> None:
    """Frames differ; a white bar fills along the bottom."""
    path = tmp_path / "video.mp4"

    render(scene_of(), path)

    first, *_, last = frames_of(path)
    assert difference(first, last) > 2
    corner = first.width - 8, first.height - 1
    assert min(last.getpixel(corner)) > 200  # type: ignore[arg-type]
    assert min(first.getpixel(corner)) < 200  # type: ignore[arg-type]


def test_the_1080p_version_shows_the_same_video(tmp_path: Path) -> None:
    """The same seed at another size is the same picture; another prompt is another one."""
    small, large, other = (tmp_path / f"{name}.mp4" for name in "abc")
    render(scene_of(), small)
    render(scene_of(own={"action": "get_1080p"}), large)
    render(scene_of(prompt="A dog on a beach"), other)

    one, same, different = (frames_of(path)[2] for path in (small, large, other))

    assert same.size == (192, 108)
    assert difference(one, same.resize(one.size)) < 12
    assert difference(one, different) > 20


def test_first_and_last_frame_fade_into_one_another(tmp_path: Path) -> None:
    """`image2video` begins with the first image, ends with the last, and mixes them between."""
    path = tmp_path / "video.mp4"
    pictures = image("#c00000"), image("#0000c0")
    request = {"action": "image2video", "prompt": "A"}
    scene = Scene.of(request, request, "v", pictures, VideoFormat(seconds=2, fps=8, short_side=72))

    render(scene, path)

    frames = frames_of(path)
    red, mixed, blue = (colour(frames[number]) for number in (0, 8, 15))
    assert red[0] > red[2] + 80
    assert abs(mixed[0] - mixed[2]) < 60
    assert blue[2] > blue[0] + 80


def test_one_image_and_three() -> None:
    """One image is shown all the time; three are shown in turn."""
    alone = Painter(scene_of(action="image2video", images=(image("#00a000"),)))
    three = tuple(image(name) for name in ("#c00000", "#00a000", "#0000c0"))
    through = Painter(scene_of(action="image2video", images=three))

    assert Painter(scene_of()).frame(0).size == (128, 72)
    assert alone.frame(3).size == (128, 72)
    assert difference(through.frame(0).planes[2], through.frame(3).planes[2]) > 20


def test_ingredients_are_shown_side_by_side() -> None:
    """`ingredients2video` shows its images as cards on the moving background."""
    images = image("red"), None, image("blue")

    with_cards = Painter(scene_of(action="ingredients2video", images=images)).frame(0)
    without = Painter(scene_of(action="ingredients2video")).frame(0)

    assert difference(with_cards.planes[0], without.planes[0]) > 10


def test_the_time_is_drawn_again_only_when_it_changes() -> None:
    """Drawing text is the slowest part of a frame; at 24 frames a second most share theirs."""
    request = {"action": "text2video", "prompt": "A"}
    painter = Painter(Scene.of(request, request, "v", [], VideoFormat(short_side=72)))

    stamps = []
    for number in range(5):
        painter.frame(number)
        stamps.append(painter._clock)

    assert [text for text, _ in stamps] == ["00.0 s", "00.0 s", "00.1 s", "00.1 s", "00.2 s"]
    assert stamps[0] is stamps[1]


def test_a_render_can_be_stopped(tmp_path: Path) -> None:
    """It ends between two frames and leaves no file."""
    answers = iter([False, True])

    with pytest.raises(RenderStopped):
        render(scene_of(), tmp_path / "video.mp4", lambda: next(answers))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "prompt",
    [
        "\ud800",
        "\x00\x1b[31m",
        "你好世界" * 40,
        "مرحبا بالعالم",
        "👩‍👩‍👧 🎉",
        "a" * 5000,
        "\u202e\ufeff",
    ],
)
def test_any_text_can_be_drawn(prompt: str) -> None:
    """Text from the network never breaks a picture."""
    scene = scene_of(prompt=prompt, model=prompt)

    assert Painter(scene).frame(0).size == (scene.width, scene.height)


def test_characters_that_cannot_be_drawn_are_blanks() -> None:
    """Controls, line breaks and lone surrogates become blanks."""
    assert printable(" a\n\nb\x00c\ud800d ") == "a b c d"


def test_lines_are_wrapped_at_words_and_cut_with_dots() -> None:
    """A line is no wider than the plate; words longer than a line are split."""
    face = font(20)
    words = "the quick brown fox jumps over the lazy dog " * 3

    lines = wrapped(words, face, 200, 4)
    cut = wrapped("x" * 50, face, 100, 99)

    assert len(lines) == 4
    assert lines[-1].endswith("...")
    assert all(face.getlength(line) <= 200 for line in lines)
    assert "".join(cut) == "x" * 50
    assert all(face.getlength(line) <= 100 for line in cut)
    assert wrapped("", face, 100, 3) == [""]
    assert wrapped("a b", face, 1, 1) == ["..."]


def test_plates_fit_their_text() -> None:
    """A tag is as wide as its text; a caption as high as its lines."""
    assert tag("a longer text", 20).width > tag("short", 20).width
    assert tag("", 20).width > 0
    assert caption("word " * 40, 300, 20, 5).height > caption("word", 300, 20, 5).height


def test_stamps_are_cut_off_at_the_edges() -> None:
    """The part outside of the picture is not drawn, and raises nothing."""
    picture = Picture.of(Image.new("RGB", (32, 32), "black"))
    stamp = Stamp.of(Image.new("RGBA", (9, 7), "white"))

    for left, top in ((-4, -4), (30, 30), (100, 100), (-100, 3)):
        picture.stamp(stamp, left, top)

    light = picture.planes[0]
    assert (stamp.width, stamp.height) == (10, 8)
    assert [light.getpixel(place) for place in ((0, 0), (31, 31), (16, 16))] == [235, 235, 16]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_the_usual_images_are_read(form: str) -> None:
    """Images of the web are decoded to RGB."""
    assert decoded(image("red", form=form)).mode == "RGB"


def test_bad_images_are_placeholders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing, invalid, incomplete or too large image becomes a labelled placeholder."""
    placeholder = still(None, 2)
    monkeypatch.setattr("veo_async.emulator._stills.MAX_PIXELS", 100)

    assert MAX_PIXELS > 8_000_000
    assert placeholder.size == (640, 480)
    for data in (b"", b"<html>", image("red")[:60], image("red")):
        assert still(data, 2).tobytes() == placeholder.tobytes()
