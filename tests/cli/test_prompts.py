"""A file of prompts: its three forms, and all that can be wrong with it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from veo_async import Get1080p, ImageToVideo, IngredientsToVideo, TextToVideo
from veo_async.cli import _lines, _prompt_file, _prompts
from veo_async.cli._prompt_file import Form, Problem, opened, spooled
from veo_async.cli._prompts import Prompt, Prompts

IMAGE = "https://example.com/mug.png"


def prompts(data: bytes, form: Form | None = "jsonl", **defaults: Any) -> Prompts:
    """The prompts of an input in this form."""
    return Prompts(opened("-", io.BytesIO(data), form=form), defaults)


def read(data: bytes, form: Form | None = "jsonl", **defaults: Any) -> list[Prompt | Problem]:
    """What an input holds."""
    return list(prompts(data, form, **defaults))


def requests(data: bytes, form: Form = "jsonl", **defaults: Any) -> list[Any]:
    """The requests of an input without problems."""
    entries = read(data, form, **defaults)
    assert not [entry for entry in entries if isinstance(entry, Problem)]
    return list(prompts(data, form, **defaults).requests())


def problems(data: bytes, form: Form = "jsonl") -> list[tuple[int, str]]:
    """What is wrong with an input."""
    entries = read(data, form)
    return [(entry.line, entry.text) for entry in entries if isinstance(entry, Problem)]


def test_json_lines() -> None:
    """Each line is a request, with any of its fields, and perhaps a key."""
    data = f"""
        {{"prompt": "a mug", "aspect_ratio": "9:16", "translation": null}}
        {{"key": "second", "prompt": "a cup", "image_urls": ["{IMAGE}"]}}

        {{"key": 3, "action": "ingredients2video", "prompt": "a pot", "image_urls": ["{IMAGE}"]}}
        {{"video_id": "v1", "model": "veo3"}}
    """

    assert requests(data.encode()) == [
        TextToVideo(prompt="a mug", aspect_ratio="9:16"),
        ("second", ImageToVideo(prompt="a cup", image_urls=[IMAGE])),
        ("3", IngredientsToVideo(prompt="a pot", image_urls=[IMAGE])),
        Get1080p(video_id="v1", model="veo3"),
    ]


def test_tables() -> None:
    """A header names the fields; a cell may go on over several lines, and an empty one is none."""
    data = (
        "key,prompt,image_urls,translation,extra_body\r\n"
        f'one,"a mug,\nand a cup",{IMAGE} {IMAGE},Yes,\r\n'
        "\r\n"
        'two, a pot ,,,"{""seed"": 1}"\r\n'
    )

    assert requests(data.encode(), "csv") == [
        (
            "one",
            ImageToVideo(prompt="a mug,\nand a cup", image_urls=[IMAGE, IMAGE], translation=True),
        ),
        ("two", TextToVideo(prompt="a pot", extra_body={"seed": 1})),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(delimiter: str) -> None:
    """What a spreadsheet puts between cells depends on its country."""
    data = f"prompt{delimiter}model\na mug{delimiter}veo3\n"

    assert requests(data.encode(), "csv") == [TextToVideo(prompt="a mug", model="veo3")]


def test_plain_lists() -> None:
    """Each line is a prompt, whatever it looks like; blank ones and comments are none."""
    data = b'a mug\n\n  {"prompt": 1}  \n# a comment\n\\#1 in the charts\n---\n'

    found = [request.prompt for request in requests(data, "lines")]
    assert found == ["a mug", '{"prompt": 1}', "#1 in the charts"]


@pytest.mark.parametrize(
    "data",
    [
        "ä\nö\n".encode(),
        "\ufeffä\nö\n".encode(),
        "ä\r\nö\r\n".encode(),
        "ä\rö".encode(),
        "\ufeffä\nö".encode("utf-16-le"),
        "\ufeffä\r\nö".encode("utf-16-be"),
    ],
)
def test_encodings(data: bytes) -> None:
    """UTF-8 with and without a mark, UTF-16 with one, and every kind of line end."""
    assert [request.prompt for request in requests(data, "lines")] == ["ä", "ö"]


def test_defaults() -> None:
    """Options stand in for what a line does not give, where its request has such a field."""
    data = b'{"prompt": "a"}\n{"prompt": "b", "model": "veo2"}\n{"video_id": "v"}'

    first, second, third = requests(data, model="veo3", resolution="1080p")
    assert first == TextToVideo(prompt="a", model="veo3", resolution="1080p")
    assert second == TextToVideo(prompt="b", model="veo2", resolution="1080p")
    assert third == Get1080p(video_id="v", model="veo3")


@pytest.mark.parametrize(
    "line, text",
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes at character 2"),
        (b'{"prompt": NaN}', "not JSON: NaN is no JSON"),
        (b'{"prompt": 1, "prompt": 2}', "not JSON: an object names one field twice"),
        (b"[" * 100_000, "not JSON: maximum recursion depth exceeded"),
        (b"[1]", "not a JSON object"),
        (b"{}", "prompt: is missing"),
        (b'{"prompt": " "}', "prompt: must not be empty"),
        (
            b'{"prompt": "a", "size": 3}',
            "size: there is no such field; resolution is probably meant",
        ),
        (b'{"prompt": "a", "aspect_ratio": "2:1"}', "aspect_ratio: must be '16:9'"),
        (b'{"prompt": "a", "action": "sing"}', "action: must be one of text2video, image2video"),
        (b'{"prompt": "a", "action": ["text2video"]}', "action: must be one of"),
        (b'{"prompt": "a", "image_urls": ["mug.png"]}', "image_urls: must be an http(s) URL"),
        (b'{"prompt": "a", "key": ""}', "key: must be a text that says something"),
        (b'{"prompt": "a", "key": true}', "key: must be a text that says something"),
        (b'{"prompt": "a", "key": "\\ud800"}', "key: must be a text that says something"),
        (b'{"prompt": "a", "extra_body": {"prompt": "b"}}', "extra_body must not set prompt"),
        (b'{"prompt": "caf\xe9"}', "not UTF-8: byte 0xe9 at character 16"),
        (b"x" * (1 << 20) + b"y\n", "longer than 1048576 characters"),
    ],
)
def test_bad_lines(line: bytes, text: str) -> None:
    """Each bad line is told with its number, and the next line is read all the same."""
    data = b'{"prompt": "a"}\n' + line.rstrip() + b'\n{"prompt": "b"}\n'

    assert [(number, told[: len(text)]) for number, told in problems(data)] == [(2, text)]
    assert len(read(data)) == 3


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"name,model\na,b\n", (1, "the header names no column prompt (it has: name, model)")),
        (b"prompt,prompt\na,b\n", (1, "the header names prompt twice")),
        (b"prompt,\xe9\na,b\n", (1, "not UTF-8: byte 0xe9 at character 8")),
        (b"prompt,size\na,b\n", (1, "size: there is no such field; resolution is probably meant")),
        (b"prompt,model\na,b,c\n", (2, "3 cells, where the header has 2")),
        (b'prompt\na\n"b"c\n', (3, "not CSV: ',' expected after '\"'")),
        (b"prompt\na\ncaf\xe9\n", (3, "not UTF-8: byte 0xe9 at character 4")),
        (b"prompt,translation\na,perhaps\n", (2, "translation: must be true or false")),
        (b'prompt,extra_body\na,"{"\n', (2, "Expecting property name")),
        (b'prompt,key\n"a\nb",1\nc,1\n', (4, "key: '1' is that of line 2, too")),
    ],
)
def test_bad_tables(data: bytes, expected: tuple[int, str]) -> None:
    """What is wrong with a table is told with the line on which the row begins."""
    line, text = expected
    ((number, told),) = problems(data, "csv")

    assert (number, told[: len(text)]) == (line, text)


def test_duplicate_keys() -> None:
    """A key that comes again is told with the line on which it came first; equal requests without
    keys are as many videos."""
    one, two = b'{"key": "a", "prompt": "1"}\n', b'{"prompt": "2"}\n'
    data = one + two + two + one.replace(b"1", b"3")

    assert problems(data) == [(4, "key: 'a' is that of line 1, too")]
    assert len(read(data)) == 4


@pytest.mark.parametrize("form", ["jsonl", "csv", "lines"])
def test_empty(form: Form) -> None:
    """An empty input holds nothing, and neither do blank lines."""
    assert read(b"", form) == read(b"\n \r\n", form) == []


def test_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems are counted, and the first of them are kept."""
    monkeypatch.setattr(_prompts, "MOST_SHOWN", 2)

    report = prompts(b'{"prompt": "a"}\n' + b"x\n" * 5).check()

    assert (report.good, report.bad) == (1, 5)
    assert [problem.line for problem in report.problems] == [2, 3]


@pytest.mark.parametrize(
    "name, data, form",
    [
        ("a.jsonl", b"x", "jsonl"),
        ("a.JSON", b"x", "jsonl"),
        ("a.csv", b"x", "csv"),
        ("a.txt", b"{", "lines"),
        ("a.txt", b"[slow] a mug", "lines"),
        ("a.txt", b"prompt,key", "csv"),
        ("a.csv", b'{"prompt": "a"}', "jsonl"),
        ("a.csv", b'[{"prompt": "a"}]', "json"),
        ("a.json", b'{\n  "prompt": "a"\n}', "json"),
        ("a.jsonl", b'[\n"a"\n]', "json"),
        ("a", b'\xef\xbb\xbf {"prompt"', "jsonl"),
        ("-", b'{"prompt"', "jsonl"),
        ("-", b"a mug", "lines"),
        ("-", b"", "lines"),
    ],
)
def test_forms(name: str, data: bytes, form: Form) -> None:
    """The form is told by the name, or by how the input begins."""
    assert opened(name, io.BytesIO(data)).form == form


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file and standard input are copied aside, so they can be read several times."""
    file = tmp_path / "prompts.txt"
    file.write_bytes(b"a\nb\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"c\n")))

    with spooled(str(file)) as spool, spooled("-") as other:
        file.unlink()
        found = Prompts(opened("-", spool), {})
        assert len(list(found)) == len(list(found)) == 2
        assert len(list(Prompts(opened("-", other), {}))) == 1


def test_a_long_input(tmp_path: Path) -> None:
    """What is in memory does not grow with the input: it lies on the disk, and is read line by
    line."""
    file = tmp_path / "prompts.txt"
    file.write_bytes(b"a mug in the morning\n" * 1_000_000)

    with spooled(str(file)) as spool:
        first = next(iter(Prompts(opened("-", spool), {})))
        assert isinstance(spool.fileno(), int)  # it has rolled over to a file

    assert isinstance(first, Prompt)
    assert file.stat().st_size > _prompt_file.IN_MEMORY


def test_a_list_without_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is looked at in parts, which changes no prompt; a paragraph that is as long as a part
    would become two, so it is refused."""
    monkeypatch.setattr(_lines, "LONGEST_BLOCK", 2)
    data = b"a mug\na cup\n\\#1 of pots\na fox\na dog\n"

    found = [request.prompt for request in requests(data, "lines")]

    assert found == ["a mug", "a cup", "#1 of pots", "a fox", "a dog"]
    assert problems(data, "paragraphs")[0] == (1, "a paragraph of 2 lines or more")
