from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.gallery.folders import HOSTILE, put
from veo_async import InvalidRequestError
from veo_async.gallery import write_gallery
from veo_async.gallery._cards import Card
from veo_async.gallery._page import render


def data_of(page: str) -> dict[str, object]:
    """The data that a page contains."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    data: dict[str, object] = json.loads(text)
    return data


def test_no_text_ends_its_element() -> None:
    """Prompts, titles and notes are escaped; a text that looks like a placeholder of the template
    stays text."""
    texts = [HOSTILE, "<!--<script>", "{{script}}", "\ud83d"]

    page = render(HOSTILE, [Card(title=text) for text in texts], texts).decode()

    assert page.count("</script>") == 2
    assert page.count("<script") == 2
    assert page.count("<title>&lt;/script&gt;") == 1
    data = data_of(page)
    assert data["notes"] == texts
    assert [card["title"] for card in data["cards"]] == texts  # type: ignore[attr-defined]


def test_the_policy_allows_the_pages_own_parts_only() -> None:
    """It allows no address of a network, and only the inline parts whose hashes it names."""
    page = render("t", [], []).decode()

    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert not re.search(r"https?:|\*|unsafe", policy)
    assert rules["script-src"].startswith("'sha256-")
    assert rules["style-src"].startswith("'sha256-")


def test_the_page_names_no_other_host() -> None:
    """Nothing in it could be fetched from a network."""
    page = render("t", [], []).decode()

    assert "//" not in re.sub(r"// .*|/\*.*?\*/|https\?:\\/\\/", "", page)


def test_the_title_is_the_folders_name_unless_given(tmp_path: Path) -> None:
    """A new page replaces the previous one."""
    place = tmp_path / "my videos"
    place.mkdir()
    put(place, 1)

    page = write_gallery(place)
    assert "<title>my videos</title>" in page.read_text(encoding="utf-8")
    write_gallery(str(place), title="Mugs")

    assert page == place / "index.html"
    assert "<title>Mugs</title>" in page.read_text(encoding="utf-8")
    assert not list(place.glob("*.part"))


def test_another_page_is_not_overwritten(tmp_path: Path) -> None:
    """The folder may be a web site."""
    (tmp_path / "index.html").write_text("<h1>Mine</h1>")

    with pytest.raises(InvalidRequestError, match="is not a gallery of ours"):
        write_gallery(tmp_path)

    assert (tmp_path / "index.html").read_text() == "<h1>Mine</h1>"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Reading a pipe with the page's name could block for ever."""
    os.mkfifo(tmp_path / "index.html")

    with pytest.raises(InvalidRequestError, match="is not a gallery of ours"):
        write_gallery(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """It is the wrong folder, so nothing is written to it."""
    (tmp_path / "package.json").write_text("{}")

    with pytest.raises(InvalidRequestError, match="no videos and no records"):
        write_gallery(tmp_path)

    assert not (tmp_path / "index.html").exists()


def test_a_path_that_is_not_a_folder_is_refused(tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(InvalidRequestError, match="is not a folder"):
        write_gallery(tmp_path / "gone")
