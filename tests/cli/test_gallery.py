"""``veo-async gallery``."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.gallery.folders import put


def test_the_page_of_a_folder(veo: Shell, tmp_path: Path) -> None:
    """The page is written, and where it lies is printed."""
    put(tmp_path, 1)

    ran = veo("gallery", str(tmp_path), "--title", "Mugs")

    assert ran.code == 0
    assert ran.out == f"{tmp_path / 'index.html'}\n"
    assert "<title>Mugs</title>" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_for_programs(veo: Shell, tmp_path: Path) -> None:
    """One object on one line."""
    put(tmp_path, 1)

    ran = veo("gallery", str(tmp_path), "--json")

    assert ran.rows == [{"gallery": str(tmp_path / "index.html")}]


def test_a_name_cannot_control_the_terminal(veo: Shell, tmp_path: Path) -> None:
    """A folder may have any name; programs get it as JSON."""
    place = tmp_path / "a\x1b[31m\nb\u202e"
    place.mkdir()
    put(place, 1)

    ran = veo("gallery", str(place))

    assert ran.out == f"{tmp_path}/a\\x1b[31m\\nb\\u202e/index.html\n"
    assert veo("gallery", str(place), "--json").rows == [{"gallery": str(place / "index.html")}]


def test_an_empty_folder(veo: Shell, tmp_path: Path) -> None:
    """It is the wrong one."""
    ran = veo("gallery", str(tmp_path))

    assert (ran.code, ran.out) == (2, "")
    assert "has no videos and no records of a batch" in ran.err


def test_a_folder_that_cannot_be_written(
    veo: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is a sentence."""
    put(tmp_path, 1)

    def write(path: Path, data: bytes) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("veo_async.gallery.write_whole", write)
    ran = veo("gallery", str(tmp_path))

    assert ran.code == 2
    assert f"{tmp_path} cannot be read or written: Permission denied." in ran.err
    assert "Errno" not in ran.err


@pytest.mark.parametrize("name, reason", [("gone", "is not a folder"), (".", "is not a gallery")])
def test_a_wrong_folder_is_bad_usage(veo: Shell, tmp_path: Path, name: str, reason: str) -> None:
    """Nothing is written over what is somebody else's."""
    (tmp_path / "index.html").write_text("mine")

    ran = veo("gallery", str(tmp_path / name))

    assert ran.code == 2
    assert reason in ran.err
