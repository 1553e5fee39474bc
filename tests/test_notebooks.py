"""Notebooks show players and tables, and never run anything."""

from __future__ import annotations

import re

import pytest

from tests.support.service import NOW
from veo_async import Generation, Get1080p, Outcome, SubmissionUncertainError, TextToVideo, Video
from veo_async.models import Outcomes

URL = "https://cdn.example/1.mp4"
HOSTILE = "<script>alert(1)</script> \"' & \ud83d"


def result(*urls: str | None) -> Generation:
    """A result with these videos."""
    return Generation(data=tuple(Video(video_url=url) for url in urls))


def shape(html: str) -> list[str]:
    """The elements of a piece of markup, without their attributes."""
    return re.findall(r"<(/?\w+)", html)


@pytest.mark.parametrize("url", [URL, URL.replace("https", "HTTP"), "https://a/?x=\"'<script>"])
def test_a_video_is_a_player(url: str) -> None:
    """The player has the video's URL, which stays inside of its attribute."""
    assert shape(Video(video_url=url)._repr_html_()) == ["video", "/video"]


@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)", "data:text/html,x", "//a/b"])
def test_what_cannot_be_played_is_text(url: str | None) -> None:
    """A video that cannot be played is text, and so is a result with nothing else, or with
    nothing."""
    for shown in (Video(video_url=url, state=HOSTILE), result(url), result()):
        html = shown._repr_html_()
        assert html
        assert shape(html) == []


def test_a_result_is_its_players() -> None:
    """One after the other."""
    assert result(URL, URL)._repr_html_() == Video(video_url=URL)._repr_html_() * 2


def test_outcomes_are_a_table() -> None:
    """The table has a row for each: its state, the request, and its player or its error, as text.
    It is still a list."""
    asked = TextToVideo(prompt=HOSTILE[:-1], model="<b>")
    error = SubmissionUncertainError(HOSTILE, request=asked, sent_at=NOW, trace_id=None)
    outcomes = Outcomes(
        [
            Outcome("a", asked, result(URL)),
            Outcome("b", Get1080p(video_id="<i>"), error=error),
            Outcome("c", asked, result(URL, "javascript:x"), error),
        ]
    )

    html = outcomes._repr_html_()

    assert outcomes == list(outcomes)
    assert html.count("<tr>") == 4
    assert html.count("<video") == 2
    assert set(shape(html)) - {tag for tag in shape(html) if tag.startswith("/")} == {
        "table", "thead", "tbody", "tr", "th", "td", "video", "br"
    }  # fmt: skip
    assert "<td>uncertain</td><td>&lt;i&gt;</td><td>veo3-fast</td><td>&lt;script&gt;" in html
    html.encode()


def test_one_outcome_is_a_table_of_one_row() -> None:
    """As the last value of a cell of a notebook."""
    outcome = Outcome("a", TextToVideo(prompt="a mug"), result(URL))

    assert outcome._repr_html_() == Outcomes([outcome])._repr_html_()


@pytest.mark.parametrize("count, rows, more", [(0, 0, ""), (50, 50, ""), (51, 50, "and 1 more")])
def test_a_long_list_is_cut(count: int, rows: int, more: str) -> None:
    """A notebook with a thousand players would stand still."""
    html = Outcomes([Outcome("a", TextToVideo(prompt="a"))] * count)._repr_html_()

    assert html.count("<tr>") == rows + 1
    assert html.endswith(f"<p>{more}</p>" if more else "</table>")
