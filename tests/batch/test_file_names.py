from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async import Get1080p, TextToVideo
from veo_async._batch import file_names

PROMPTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def stem(number: int, prompt: str, key: str | None = None) -> str:
    """The stem of an item with this prompt."""
    return file_names.stem_of(number, TextToVideo(prompt=prompt), key=key)


@pytest.mark.parametrize(
    "number, prompt, expected",
    [
        (7, "A coffee mug on a marble", "0007-a-coffee-mug-on-a-marble.mp4"),
        (12345, "a mug", "12345-a-mug.mp4"),
        (1, "../../etc/passwd", "0001-etc-passwd.mp4"),
        (1, "CON", "0001-con.mp4"),
        (1, "nul.txt. ", "0001-nul-txt.mp4"),
        (1, "🚀", "0001-video.mp4"),
        (1, "一只猫在雪地里", "0001-一只猫在雪地里.mp4"),
        (1, "Cafe\u0301", "0001-café.mp4"),
        (1, "at 1080p", "0001-at.mp4"),
        (1, "1080p 1080p", "0001.mp4"),
    ],
)
def test_a_file_is_named_by_its_number_and_its_prompt(
    number: int, prompt: str, expected: str
) -> None:
    """The number sorts the files as the input was; the words let people find one."""
    assert file_names.file_name(stem(number, prompt)) == expected


def test_an_upscale_of_a_video_is_named_by_the_videos_id() -> None:
    """It has no prompt."""
    assert file_names.stem_of(2, Get1080p(video_id="253eedc4")) == "0002-253eedc4"


def test_the_two_stages_of_one_item_have_names_of_their_own() -> None:
    """The upscaled one says so; the record lies beside both."""
    assert file_names.names_of("0007-a-mug") == (
        "0007-a-mug.json",
        "0007-a-mug.mp4",
        "0007-a-mug-1080p.mp4",
    )


@given(st.tuples(PROMPTS, PROMPTS), st.booleans(), st.booleans())
def test_no_name_of_one_item_is_a_name_of_another(
    prompts: tuple[str, str], own: bool, other_own: bool
) -> None:
    """This holds for any prompts, also on a file system that ignores case and Unicode forms, and
    for stems with the hash of a key."""
    one = stem(1, prompts[0], "a" if own else None)
    others = [stem(2, prompts[1]), stem(1, prompts[1], "b" if other_own else None)]

    for other in others:
        mine, theirs = ({*map(file_names.fold, file_names.names_of(s))} for s in (one, other))
        assert mine == theirs or not mine & theirs
    assert file_names.fold(one) != file_names.fold(others[0])


@given(st.integers(1, 10**9), PROMPTS, st.none() | st.text())
def test_every_name_is_safe_on_every_file_system(number: int, prompt: str, key: str | None) -> None:
    """Short, with no separator, control, reserved character or dot at its end, and in one form."""
    for name in file_names.names_of(stem(number, prompt, key)):
        assert len(name.encode()) < 150
        assert name[0].isdigit()
        assert name.count(".") == 1
        assert not set(name) & set('/\\:*?"<>|')
        assert all(unicodedata.category(char)[0] in "LMNP" or char == "~" for char in name)
        assert unicodedata.is_normalized("NFC", name)
        assert file_names.stem_in(name) == stem(number, prompt, key)


@pytest.mark.parametrize(
    "name",
    ["index.json", "0007-a.txt", "0007-a", "..mp4", "0007-a/../b.json", "7-a.json", "a.0007.mp4",
     "0007-a-1080p.json", "0007-a-1080p-1080p.mp4", ""],
)  # fmt: skip
def test_a_name_that_is_none_of_ours_has_no_stem(name: str) -> None:
    """It may come from an edited record or from a folder of somebody else's files."""
    assert file_names.stem_in(name) is None
