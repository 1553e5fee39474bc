"""Files whose lines look like prompts and are something else: nothing of them is bought."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Shell

A, B = "https://a.example/1.png", "https://a.example/2.png"


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("a.csv", "prompt,key\n“a mug, a cup”\n", "2: '“a mug': typographic quotes do not"),
        ("a.txt", "a mug\n" * 20 + "a\0cup\n", "21: prompt: character 2 is a control character"),
        ("a.txt", "a \u202emug\n", "prompt: character 3 is invisible (U+202E)"),
        ("a.txt", "a cafÃ© in Paris\n", "'a café in Paris' is meant"),
        ("a.txt", "a mug on the\ntable\n", "lines 1 to 2 read like one text"),
        ("a.txt", "- prompt: a mug\n- prompt: a cup\n", "looks like YAML"),
        ("a.txt", "a mug\t16:9\n", "looks like a row of a table"),
        ("a.txt", '"a mug, tall","16:9"\n', "looks like a row of a table"),
        ("a.txt", 'a mug\n{"prompt": "a cup"}\n', '2: \'{"prompt": "a cup"}\' looks like JSON'),
        ("a.txt", "// a list\na mug\n", "looks like a comment"),
        ("a.jsonl", '{"prompt": "a", "Prompt": "b"}', "prompt: is named twice"),
        ("a.jsonl", '{"prompt": "a", "extra_body": {"b": ["\\u0000"]}}', "extra_body: character 1"),
    ],
)
def test_nothing_is_bought(veo: Shell, tmp_path: Path, name: str, data: str, words: str) -> None:
    """The report says what the line seems to be, in a dry run and in a run."""
    file = tmp_path / name
    file.write_bytes(data.encode())

    dry = veo("batch", str(file), "-o", str(tmp_path / "out"), "--dry-run")
    ran = veo("batch", str(file), "-o", str(tmp_path / "out"))

    assert (dry.code, ran.code) == (2, 2)
    assert words in dry.err
    assert words in ran.err
    assert not veo.emulator.bill


@pytest.mark.parametrize(
    "name, data",
    [
        ("a.csv", "prompt,key\na mug,1\nprompt,key\na cup,2\n"),
        ("a.txt", "| prompt | key |\n|---|---|\n| a mug | 1 |\n| a cup | 2 |\n"),
    ],
)
def test_rows_that_are_none(veo: Shell, tmp_path: Path, name: str, data: str) -> None:
    """The header of a second table and the rule of a Markdown table are not bought."""
    (tmp_path / name).write_text(data)

    assert veo("batch", str(tmp_path / name), "-o", str(tmp_path / "out")).code == 0
    assert [charge.request["prompt"] for charge in veo.emulator.bill] == ["a mug", "a cup"]


def test_two_addresses_without_a_space(veo: Shell, tmp_path: Path) -> None:
    """They are two images."""
    (tmp_path / "a.csv").write_text(f"prompt,image_urls\na mug,{A}{B}\n")

    assert veo("batch", str(tmp_path / "a.csv"), "-o", str(tmp_path / "out")).code == 0
    assert [charge.request["image_urls"] for charge in veo.emulator.bill] == [[A, B]]


def test_accents_beside_other_scripts(veo: Shell, tmp_path: Path) -> None:
    """A text is damaged only if it can be repaired."""
    (tmp_path / "a.txt").write_text("Â° 世, a cafÃ\u00a0\n", encoding="utf-8")

    assert veo("batch", str(tmp_path / "a.txt"), "-o", str(tmp_path / "out")).code == 0
