"""Files of prompts as programs write them: read as they were meant, or refused."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.cli.samples import (
    EDITORS,
    JSON_LINES,
    ONE,
    PROSE,
    SAMPLES,
    THREE,
    TWO,
    A,
    B,
    Sample,
    table,
)
from veo_async.cli import _json_input, _prompt_file


def test_there_are_enough() -> None:
    """Each sample has a name of its own, and there are at least sixty."""
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES) >= 60


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_sample(veo: Shell, sample: Sample, tmp_path: Path) -> None:
    """A file is bought as it was meant, or nothing is bought and one report says why."""
    file = tmp_path / sample.name
    file.write_bytes(sample.data)

    dry = veo("batch", str(file), "-o", str(tmp_path / "out"), "--dry-run")
    ran = veo("batch", str(file), "-o", str(tmp_path / "out"), "--in-flight", "1", "--json")

    assert sample.words in dry.err
    assert sample.words in ran.err
    assert (ran.code, dry.code) == ((0, 0) if sample.prompts else (2, 2)), ran.err
    bought = sorted(veo.emulator.bill, key=lambda entry: entry.at)
    assert [entry.request["prompt"] for entry in bought] == list(sample.prompts)
    for name, value in sample.also:
        sent = bought[0].request[name]
        assert (tuple(sent) if isinstance(sent, list) else sent) == value
    assert "Traceback" not in ran.err
    assert all(len(line) < 600 for line in ran.err.splitlines())


@pytest.mark.parametrize("sample", EDITORS, ids=lambda sample: sample.name)
def test_skip_invalid_never_buys_a_misread_file(veo: Shell, sample: Sample, tmp_path: Path) -> None:
    """``--skip-invalid`` leaves out lines; a file that is doubtful as a whole stays refused."""
    file = tmp_path / sample.name
    file.write_bytes(sample.data)

    veo("batch", str(file), "-o", str(tmp_path / "out"), "--skip-invalid")

    whole = {"control.txt": (ONE,)}.get(sample.name, sample.prompts)
    assert sorted(entry.request["prompt"] for entry in veo.emulator.bill) == sorted(whole)


@pytest.mark.parametrize(
    "name, data",
    [
        ("cut.json", json.dumps([{"prompt": ONE}, {"prompt": THREE}])[:-9]),
        ("quote.csv", table("prompt", ONE, f'"{ONE}', THREE)),
        ("header.csv", table("promt,prompt", f"{ONE},{ONE}")),
    ],
)
def test_a_torn_file_is_refused_as_a_whole(
    veo: Shell, name: str, data: str, tmp_path: Path
) -> None:
    """The rest of a torn file may be in any of its lines, so ``--skip-invalid`` buys none."""
    file = tmp_path / name
    file.write_text(data)

    ran = veo("batch", str(file), "-o", str(tmp_path / "out"), "--skip-invalid")

    assert ran.code == 2
    assert "cannot be read as it was meant, so nothing was sent" in ran.err
    assert not len(veo.emulator.bill)


@pytest.mark.parametrize(
    "data, words",
    [
        (table("prompt,key", f"{ONE},a", f"{THREE},b"), "a row each, below a header"),
        (JSON_LINES.replace(TWO, THREE), "an object a line"),
        (json.dumps([ONE, THREE]), "in one JSON document"),
        (f"{ONE}\n{THREE}\n", "one a line"),
    ],
)
def test_standard_input(
    veo: Shell,
    data: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Standard input has no name, so its form is seen by its beginning, and said before a
    purchase."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode())))

    ran = veo("batch", "-", "-o", str(tmp_path))

    assert f"2 prompts from standard input, {words}; first: {ONE}" in ran.err
    found = sorted(entry.request["prompt"] for entry in veo.emulator.bill)
    assert found == sorted([ONE, THREE])


@pytest.mark.parametrize("form, count", [("paragraphs", 3), ("lines", 5)])
def test_prose_that_is_explained(veo: Shell, form: str, count: int, tmp_path: Path) -> None:
    """A person says what a text in paragraphs is, and gets that."""
    file = tmp_path / "prompts.txt"
    file.write_text(PROSE)

    ran = veo("batch", str(file), "-o", str(tmp_path / "out"), "--format", form)

    assert ran.code == 0
    assert f"{count} prompts from" in ran.err
    assert len(veo.emulator.bill) == count


def test_encoding_that_is_named(veo: Shell, tmp_path: Path) -> None:
    """``--encoding`` reads what is no UTF-8; one that is unknown is a usage error."""
    file = tmp_path / "prompts.csv"
    file.write_bytes(table("prompt", THREE).encode("cp1252"))
    argv = ["batch", str(file), "-o", str(tmp_path / "out"), "--encoding"]

    unknown, none, named = veo(*argv, "klingon"), veo(*argv, "rot13"), veo(*argv, "cp1252")

    assert (unknown.code, none.code, named.code) == (2, 2, 0)
    assert "'klingon' of --encoding is not known" in unknown.err
    assert "in CP1252" in named.err
    assert [entry.request["prompt"] for entry in veo.emulator.bill] == [THREE]


def test_a_document_that_is_too_long(
    veo: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document is read at once, so its length is limited; the way out is named."""
    monkeypatch.setattr(_json_input, "LARGEST", 20)
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps([ONE, THREE]))

    ran = veo("batch", str(file), "-o", str(tmp_path / "out"))

    assert ran.code == 2
    assert "write an object a line" in ran.err


def test_a_long_list_on_one_line(
    veo: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that a program wrote on one line may be longer than any line of prompts."""
    monkeypatch.setattr(_prompt_file, "LONGEST", 100)
    file = tmp_path / "prompts.json"
    file.write_text(json.dumps([f"{ONE} {number}" for number in range(20)]))

    ran = veo("batch", str(file), "-o", str(tmp_path / "out"), "--dry-run")

    assert "20 prompts from" in ran.err


def test_two_images_in_one_option(veo: Shell) -> None:
    """An option with two addresses is two images, as in a file."""
    ran = veo("image2video", "a mug", "-i", f"{A},{B}")

    assert ran.code == 0
    ((entry,),) = [[*veo.emulator.bill]]
    assert entry.request["image_urls"] == [A, B]


def test_long_values_are_cut(veo: Shell, tmp_path: Path) -> None:
    """A problem shows the beginning of a long value, and the summary that of a long prompt."""
    file = tmp_path / "prompts.jsonl"
    file.write_text(
        json.dumps({"prompt": "long " * 50}) + "\n" + json.dumps({"prompt": [ONE] * 50}) + "\n"
    )

    ran = veo("batch", str(file), "-o", str(tmp_path / "out"), "--dry-run", "--skip-invalid")

    assert all(len(line) < 300 for line in ran.err.splitlines())
    assert "1 prompt from" in ran.err
