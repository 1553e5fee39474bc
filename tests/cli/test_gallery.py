"""``veo-async gallery``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Shell


def test_the_page_of_a_folder(veo: Shell, tmp_path: Path) -> None:
    """The page is written, and where it lies is printed."""
    ran = veo("gallery", str(tmp_path), "--title", "Mugs")

    assert ran.code == 0
    assert ran.out == f"{tmp_path / 'index.html'}\n"
    assert "<title>Mugs</title>" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_for_programs(veo: Shell, tmp_path: Path) -> None:
    """One object on one line."""
    ran = veo("gallery", str(tmp_path), "--json")

    assert ran.rows == [{"gallery": str(tmp_path / "index.html")}]


@pytest.mark.parametrize("name, reason", [("gone", "is not a folder"), (".", "is not a gallery")])
def test_a_wrong_folder_is_bad_usage(veo: Shell, tmp_path: Path, name: str, reason: str) -> None:
    """Nothing is written over what is somebody else's."""
    (tmp_path / "index.html").write_text("mine")

    ran = veo("gallery", str(tmp_path / name))

    assert ran.code == 2
    assert reason in ran.err
