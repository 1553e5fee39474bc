"""Files of prompts as programs write them, with what each of them means."""

from __future__ import annotations

import codecs
import gzip
import json
from dataclasses import dataclass

ONE, TWO, THREE = "A mug on a table", "Rain, on a tin roof", "Ein Café in Köln"
A, B = "https://a.example/1.png", "https://a.example/2.png"
LATER = "Eine Straße bei Nacht, 雨の夜"

PROSE = """\
# my list

A coffee mug stands on a marble counter while the morning light comes
in through the window and makes the steam visible.

---

Rain falls on a tin roof. The camera moves slowly from the roof to the
street, where a dog waits for somebody.

A fox trots through fresh snow.
"""


@dataclass(frozen=True)
class Sample:
    """One file.

    Attributes:
        name: the file's name.
        data: its bytes.
        prompts: the prompts that it means, in order; empty if it must be refused.
        words: a part of what is said about it.
        also: further fields that the first request must have.
    """

    name: str
    data: bytes
    prompts: tuple[str, ...] = ()
    words: str = ""
    also: tuple[tuple[str, object], ...] = ()


def table(*rows: str, end: str = "\r\n") -> str:
    """The rows of a table as one text."""
    return end.join(rows) + end


def good(name: str, text: str | bytes, *prompts: str, words: str = "", **also: object) -> Sample:
    """A file that is understood."""
    data = text if isinstance(text, bytes) else text.encode()
    return Sample(name, data, prompts, words, tuple(also.items()))


def wrong(name: str, text: str | bytes, words: str) -> Sample:
    """A file that is refused."""
    return Sample(name, text if isinstance(text, bytes) else text.encode(), (), words)


JSON_LINES = "".join(json.dumps({"prompt": text}) + "\n" for text in (ONE, TWO))
BOM = "\ufeff"

SPREADSHEETS = [
    good("excel.csv", table("prompt,model,aspect_ratio", f"{ONE},veo3", f'"{TWO}"'), ONE, TWO),
    good("excel-utf8.csv", BOM + table("prompt", ONE, THREE), ONE, THREE),
    good("excel-de.csv", table("prompt;model", f"{ONE};veo3", f"{TWO};"), ONE, TWO, model="veo3"),
    good("excel-sep.csv", table("sep=;", "prompt;key", f"{ONE};a", f"{TWO};b"), ONE, TWO),
    good(
        "excel-unicode.txt",
        codecs.BOM_UTF16_LE + table("prompt\tmodel", f"{THREE}\tveo3").encode("utf-16-le"),
        THREE,
        words="UTF-16",
        model="veo3",
    ),
    good("excel-blank-columns.csv", table("prompt,model,,,", f"{ONE},veo3,,,", ",,,,"), ONE),
    good("excel-blank-rows.csv", table("", "prompt,model", "", f"{ONE},", ",", " , "), ONE),
    good(
        "excel-time.csv",
        table("prompt,aspect_ratio", f"{ONE},16:09", f"{ONE},09:16"),
        *(ONE, ONE),
        words="aspect_ratio 16:09 was read as 16:9",
        aspect_ratio="16:9",
    ),
    good("excel-time-12h.csv", table("prompt,aspect_ratio", f"{ONE},4:09 PM"), ONE),
    good(
        "excel-seconds.csv",
        table("prompt,aspect_ratio", f"{ONE},09:16:00"),
        ONE,
        aspect_ratio="9:16",
    ),
    good(
        "excel-fraction.csv",
        table("prompt;aspect_ratio", f"{ONE};0,672916667"),
        ONE,
        aspect_ratio="16:9",
    ),
    wrong("excel-date.csv", table("prompt,aspect_ratio", f"{ONE},16. Sep"), "it is '16. Sep'"),
    wrong("excel-failed.csv", table("prompt,model", f"{ONE},veo3", "#NAME?,veo3"), "failed cell"),
    wrong("excel-ansi.csv", table("prompt", ONE, THREE).encode("cp1252"), "--encoding cp1252"),
    good("excel-true.csv", table("prompt,translation", f"{ONE},TRUE"), ONE, translation=True),
    good("excel-mac.csv", f"prompt,model\r{ONE},veo3\r", ONE, model="veo3"),
    good("libreoffice.csv", table('"prompt","model"', f'"{TWO}","veo3"', end="\n"), TWO),
    good("libreoffice-tab.tsv", table("prompt\tmodel", f"{ONE}\tveo3", end="\n"), ONE),
    good("google.csv", table("Prompt,Aspect Ratio", f"{ONE},9:16"), ONE, aspect_ratio="9:16"),
    good("google-newline.csv", table("prompt", '"A mug,\nred"', ONE), "A mug,\nred", ONE),
    good("numbers.csv", table("prompt;Model", f"{ONE};veo3"), ONE, model="veo3"),
    good("airtable.csv", BOM + table("Prompt,Image URLs", f'{ONE},"{A},{B}"'), ONE),
    wrong("notes.csv", table("prompt,Status", f"{ONE},done"), "Status: there is no such field"),
    wrong("typo.csv", table("promt,model", f"{ONE},veo3"), "promt: there is no such field; prompt"),
    wrong("no-header.csv", table(f"{ONE},veo3", f"{THREE},veo3"), "names no column prompt"),
    wrong("comma.csv", table("prompt,model", f"{TWO},veo3"), "needs quotes around it"),
    wrong("comma-blank.csv", table("prompt,,", f"{TWO},"), "needs quotes around it"),
    wrong("quote.csv", table("prompt,model", f'"{ONE},veo3', f"{ONE},veo3"), "not CSV"),
    wrong("twice.csv", table("prompt,Prompt", f"{ONE},{ONE}"), "names prompt twice"),
    wrong("keys.csv", table("prompt,key", f"{ONE},a", f"{THREE},a"), "is that of line 2, too"),
    wrong("quote-in-header.csv", table('"prompt"x,model', f"{ONE},veo3"), "no such field"),
    wrong("long-header.csv", "prompt," + "x" * 200_000 + "\n", "no such field"),
    wrong("header-only.csv", table("prompt,model"), "holds no prompts"),
    wrong("workbook.xlsx", b"PK\x03\x04" + bytes(60), "Save it as CSV"),
    wrong("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1" + bytes(60), "old Excel"),
]

IMAGES = [
    good("commas.csv", table("prompt,image_urls", f'{ONE},"{A},{B}"'), ONE, image_urls=(A, B)),
    good("spaces.csv", table("prompt,image_urls", f"{ONE},{A} {B}"), ONE, image_urls=(A, B)),
    good("lines.csv", table("prompt,image_urls", f'{ONE},"{A}\n{B}"'), ONE, image_urls=(A, B)),
    good("bars.csv", table("prompt,image_urls", f"{ONE},{A} | {B}"), ONE, image_urls=(A, B)),
    good("semi.csv", table("prompt,image_urls", f"{ONE},{A};{B}"), ONE, image_urls=(A, B)),
    good(
        "list.csv",
        table("prompt,image_urls", f'{ONE},"[""{A}"", ""{B}""]"'),
        ONE,
        image_urls=(A, B),
    ),
    good(
        "python.csv",
        table("prompt,image_urls", f"{ONE},\"['{A}', '{B}']\""),
        ONE,
        image_urls=(A, B),
    ),
    good("one.jsonl", json.dumps({"prompt": ONE, "image_urls": A}), ONE, image_urls=(A,)),
    good("two.jsonl", json.dumps({"prompt": ONE, "image_urls": f"{A},{B}"}), ONE),
    wrong("singular.jsonl", json.dumps({"prompt": ONE, "image_url": A}), "image_urls is probably"),
    wrong("torn-list.csv", table("prompt,image_urls", f"{ONE},[{A}"), "must be an http(s) URL"),
    wrong("number.jsonl", json.dumps({"prompt": ONE, "image_urls": 5}), "image_urls: must be a"),
    wrong("file.csv", table("prompt,image_urls", f"{ONE},mug.png"), "must be an http(s) URL"),
]

TOOLS = [
    good("pandas.csv", table(",prompt,model", f"0,{ONE},veo3", f'1,"{TWO}",', end="\n"), ONE, TWO),
    good("pandas-unnamed.csv", table("Unnamed: 0,prompt", f"0,{ONE}", f"1,{THREE}"), ONE, THREE),
    wrong(
        "pandas-nan.csv", table("prompt,model", f"{ONE},veo3", "nan,veo3"), "stands for an empty"
    ),
    good("pandas.json", json.dumps([{"prompt": ONE}, {"prompt": TWO}]), ONE, TWO),
    good("pandas-lines.json", JSON_LINES, ONE, TWO),
    good("powershell.csv", table('"prompt","model"', f'"{ONE}","veo3"'), ONE),
    good(
        "powershell-type.csv",
        table("#TYPE System.Management.Automation.PSCustomObject", '"prompt"', f'"{ONE}"'),
        ONE,
    ),
    good(
        "powershell-redirect.txt",
        codecs.BOM_UTF16_LE + table(ONE, THREE).encode("utf-16-le"),
        *(ONE, THREE),
        words="UTF-16",
    ),
    good("powershell-pretty.json", json.dumps([{"prompt": ONE}], indent=4), ONE),
    good("jq.json", "\n".join(json.dumps({"prompt": t}, indent=2) for t in (ONE, TWO)), ONE, TWO),
    good("jq-compact.jsonl", JSON_LINES, ONE, TWO),
    good("jq-strings.json", json.dumps([ONE, TWO]), ONE, TWO),
    good("wrapped.json", json.dumps({"prompts": [{"prompt": ONE}, TWO]}), ONE, TWO),
    good("single.json", json.dumps({"prompt": ONE}, indent=1), ONE),
    good("crlf.jsonl", JSON_LINES.replace("\n", "\r\n"), ONE, TWO),
    good("mark.jsonl", BOM + JSON_LINES, ONE, TWO),
    good("joined.jsonl", BOM + JSON_LINES + BOM + JSON_LINES, ONE, TWO, ONE, TWO),
    good("camel.jsonl", json.dumps({"prompt": ONE, "aspectRatio": "9:16"}), ONE),
    good("named.csv", JSON_LINES, ONE, TWO),
    good("comma-at-the-end.json", f'["{ONE}", "{TWO}",]', ONE, TWO),
    good("not-in-a-list.json", f'{{"prompt": "{ONE}"}},\n{{"prompt": "{TWO}"}}', ONE, TWO),
    good(
        "pretty-not-in-a-list.json",
        ",\n".join(json.dumps({"prompt": text}, indent=2) for text in (ONE, TWO)),
        *(ONE, TWO),
    ),
    wrong("nan.jsonl", '{"prompt": NaN}', "NaN is no JSON"),
    wrong("promt.jsonl", json.dumps({"promt": ONE}), "promt: there is no such field; prompt is"),
    wrong("rows.jsonl", f'["prompt", "key"]\n["{ONE}", "1"]\n', "such as the row of a table"),
    good("pages.json", json.dumps([{"prompt": ONE}]) + json.dumps([{"prompt": TWO}]), ONE, TWO),
    wrong("number-as-prompt.jsonl", json.dumps({"prompt": 5}), "prompt: must be a text (it is 5)"),
    wrong("cut.json", json.dumps([{"prompt": ONE}, {"prompt": TWO}])[:-9], "not JSON"),
    wrong("latin.json", json.dumps([THREE], ensure_ascii=False).encode("cp1252"), "not UTF-8"),
    wrong("deep.json", "[" * 100_000, "not JSON"),
    wrong("deep.jsonl", '{"prompt": ' + "[" * 100_000, "not JSON"),
    wrong("same-field.json", '[{"prompt": "a",\n "prompt": "b"}]', "names one field twice"),
    wrong("big-number.jsonl", '{"prompt": 1' + "0" * 5000 + "}", "not JSON"),
    wrong("cut-list.json", json.dumps([{"prompt": ONE}])[:-1], "the list is cut"),
    wrong("list-of-lists.json", json.dumps([[ONE]]), "not a JSON object"),
    wrong("other-list.json", json.dumps({"items": [ONE]}), "items: there is no such field"),
    wrong("ratio.jsonl", json.dumps({"prompt": ONE, "aspect_ratio": "21:9"}), "it is '21:9'"),
]

EDITORS = [
    good("notepad.txt", table(ONE, THREE), ONE, THREE, words="2 prompts from"),
    good("notepad-mark.txt", BOM + table(ONE, THREE), ONE, THREE),
    good("utf-16le.txt", table(ONE, THREE).encode("utf-16-le"), ONE, THREE, words="UTF-16-LE"),
    good("utf-16be.txt", table(ONE, THREE).encode("utf-16-be"), ONE, THREE, words="UTF-16-BE"),
    good("utf-16-cjk.txt", "一只狐狸\n雨の夜\n".encode("utf-16-le"), "一只狐狸", "雨の夜"),
    good("utf-32.txt", table(ONE, LATER).encode("utf-32"), ONE, LATER),
    good("utf-32le.txt", table(ONE, LATER).encode("utf-32-le"), ONE, LATER),
    good("utf-32be.txt", table(ONE, LATER).encode("utf-32-be"), ONE, LATER),
    good("old-mac.txt", f"{ONE}\r{THREE}", ONE, THREE),
    good("comments.txt", f"# mine\n{ONE}\n#{TWO}\n---\n{THREE}\n", ONE, THREE, words="left out"),
    good("bullets.md", f"- {ONE}\n- {THREE}\n", ONE, THREE, words="bullets of the list"),
    good("numbered.txt", f"1. {ONE}\n2. {TWO}\n\n3. {THREE}\n", ONE, TWO, THREE, words="numbers"),
    good("quoted.txt", f'"{ONE}",\n"{TWO}",\n"{THREE}"\n', ONE, TWO, THREE, words="quotes"),
    good("years.txt", f"1920. {ONE}\n{TWO}\n", f"1920. {ONE}", TWO),
    good("spaced.txt", f"\n{ONE}\n\n\n  {TWO}  \n\n", ONE, TWO),
    good("groups.txt", f"{ONE}\n{TWO}\n\n{THREE}\na fox\n", ONE, TWO, THREE, "a fox"),
    good("header.txt", f"prompt,key\n{ONE},a\n{THREE},b\n", ONE, THREE),
    good("brackets.txt", f"[wide] {ONE}\n{TWO}\n", f"[wide] {ONE}", TWO),
    good("no-suffix", f"{ONE}\n{TWO}", ONE, TWO),
    wrong("points.md", f"- {ONE}\n  steams\n- {THREE}\n", "--format paragraphs"),
    wrong("prose.txt", PROSE, "--format paragraphs"),
    wrong("paragraph.txt", PROSE.split("---", maxsplit=1)[0], "--format paragraphs"),
    wrong("sections.txt", f"{ONE}\n{TWO}\n---\n{THREE}\na fox\n", "--format paragraphs"),
    wrong("latin.txt", THREE.encode("latin-1"), "not UTF-8: byte 0xe9 at character 8"),
    wrong("sjis.txt", "雨の夜".encode("shift_jis"), "name its encoding"),
    wrong("control.txt", f"{ONE}\n{ONE}\x1b[31m\n", "is a control character (U+001B)"),
    wrong("nul.jsonl", json.dumps({"prompt": "a\0b"}), "is a control character (U+0000)"),
    wrong("lost.txt", "Ein Caf\N{REPLACEMENT CHARACTER} in Berlin", "earlier conversion"),
    wrong("torn-utf-16.txt", codecs.BOM_UTF16_LE + ONE.encode("utf-16-le")[:-1], "it is cut"),
    wrong("noise.bin", bytes(range(256)) * 4, "it is not text"),
    wrong("prompts.rtf", b"{\\rtf1\\ansi A mug}", "word processor"),
    wrong("prompts.pdf", b"%PDF-1.7\n", "a PDF document"),
    wrong("prompts.txt.gz", gzip.compress(ONE.encode(), mtime=0), "compressed (gzip)"),
    wrong("page.html", f"<!DOCTYPE html><p>{ONE}</p>", "a page or an XML document"),
    wrong("empty.txt", "", "holds no prompts"),
    wrong("only-comments.txt", "# nothing yet\n\n", "holds no prompts"),
    wrong("one-line.txt", "x" * (2 << 20), "longer than 1048576 characters"),
]

SAMPLES = [*SPREADSHEETS, *IMAGES, *TOOLS, *EDITORS]
