"""Many videos from a file of prompts."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran, Shell, interrupting, tiny_emulator
from tests.cli.test_screen import at_a_terminal
from veo_async import RetryPolicy
from veo_async.cli import _batch, _batch_causes
from veo_async.cli._batch_report import BatchReport
from veo_async.emulator import (
    Answer,
    Drop,
    Emulator,
    Fail,
    Fault,
    Hang,
    Limits,
    Seconds,
    endings,
)


def lines(*prompts: str, **fields: Any) -> str:
    """JSON lines."""
    return "".join(json.dumps({"prompt": prompt, **fields}) + "\n" for prompt in prompts)


class Folder:
    """A file of prompts, a folder for its videos, and the command that has to do with both."""

    def __init__(self, veo: Shell, place: Path) -> None:
        self.veo = veo
        self.file = place / "prompts.jsonl"
        self.out = place / "out"

    def __call__(self, *argv: str, **options: Any) -> Ran:
        return self.veo("batch", str(self.file), "--out", str(self.out), *argv, **options)

    @property
    def videos(self) -> list[Path]:
        return sorted(self.out.glob("*.mp4"))

    @property
    def billed(self) -> int:
        return len(self.veo.emulator.bill)


@pytest.fixture
def batch(veo: Shell, tmp_path: Path) -> Folder:
    """A file of three prompts."""
    folder = Folder(veo, tmp_path)
    folder.file.write_text(lines("a mug", "a cup", "a pot"))
    return folder


@pytest.fixture
def emulator(request: pytest.FixtureRequest) -> Emulator:
    """The service, with the options of `of`."""
    return tiny_emulator(**getattr(request, "param", {}))


def of(**options: Any) -> pytest.MarkDecorator:
    """A test whose service has these options."""
    return pytest.mark.parametrize("emulator", [options], indirect=True, ids=["service"])


slow_service = of(pace=Seconds(mean=100.0, sigma=0.0))


def test_videos(batch: Folder) -> None:
    """Each prompt is a video in the folder, whose path is a line of standard output; the journal
    and a page lie beside them."""
    ran = batch()

    assert ran.code == 0
    assert sorted(ran.out.splitlines()) == [str(video) for video in batch.videos]
    assert len(batch.videos) == batch.billed == 3
    assert (batch.out / "index.html").exists()
    assert ran.err.splitlines() == [
        f"veo-async: 3 prompts from {batch.file}, an object a line; first: a mug",
        "veo-async: 3 of 3, 3 done, " + ran.err.splitlines()[1].split("done, ")[1],
        "veo-async: 3 bought now",
        f"veo-async: look at them: {batch.out / 'index.html'}",
    ]


def test_rows(batch: Folder) -> None:
    """With --json each item is a row with its key."""
    batch.file.write_text(lines("a mug", key="one") + lines("a cup"))

    ran = batch("--json")

    rows = {row["prompt"]: row for row in ran.rows}
    assert rows["a mug"]["key"] == "one"
    assert rows["a cup"]["key"]
    assert [row["state"] for row in ran.rows] == ["succeeded"] * 2
    assert {file for row in ran.rows for file in row["files"]} == {str(v) for v in batch.videos}


def test_again(batch: Folder) -> None:
    """The same command again buys nothing, and says the same."""
    first = batch()

    again = batch()

    assert again.code == 0
    assert sorted(again.out.splitlines()) == sorted(first.out.splitlines())
    assert "veo-async: nothing to do, nothing bought, 3 bought before\n" in again.err
    assert batch.billed == 3


@pytest.mark.parametrize("change", [["--model", "veo3"], None])
def test_another_input(batch: Folder, change: list[str] | None) -> None:
    """An input of which the journal knows nothing, also because of other options, stops before it
    buys anything; --extend says that it is meant."""
    batch()
    if change is None:
        batch.file.write_text(lines("a dog", "a cat", "a cow"))

    ran = batch(*(change or []))
    dry = batch(*(change or []), "--dry-run")
    extended = batch(*(change or []), "--extend")

    assert (ran.code, dry.code, extended.code) == (2, 2, 0)
    assert "looks like another input" in ran.err
    assert "--extend" in ran.err
    assert batch.billed == 6


@pytest.mark.parametrize("count", [2, 3, 9, 30])
def test_one_corrected_line(batch: Folder, count: int) -> None:
    """A corrected line is bought and no other one; it is named before, with what it was."""
    prompts = [f"a mug of the color {number} on a table" for number in range(count)]
    batch.file.write_text(lines(*prompts))
    batch()
    batch.file.write_text(lines(*prompts[:-1], "a mug of no color on a table"))

    dry = batch("--dry-run")
    ran = batch()

    assert (dry.code, ran.code) == (0, 0)
    for each in (dry, ran):
        told = f"line {count} changed: a mug of no color on a table (it was: {prompts[-1]})"
        assert f"veo-async: {told}" in each.err.splitlines()
        assert len([line for line in each.err.splitlines() if "changed" in line]) == 1
    assert batch.billed == count + 1


def test_edits_of_every_kind(batch: Folder) -> None:
    """New, changed and missing lines are named with their numbers, before anything is bought."""
    prompts = ["a coffee mug on marble", "rain on a tin roof", "a fox in the snow", "a red balloon"]
    batch.file.write_text(lines(*prompts))
    batch()
    batch.file.write_text(
        lines(prompts[0])
        + "\n"
        + lines("rain on a tin shed", "seventeen trumpets")
        + lines(prompts[2], model="veo3")
    )

    ran = batch("--dry-run")

    assert [line for line in ran.err.splitlines() if "prompts from" not in line] == [
        "veo-async: line 3 changed: rain on a tin shed (it was: rain on a tin roof)",
        "veo-async: line 4 is new: seventeen trumpets",
        "veo-async: line 5 has other options than before: a fox in the snow",
        "veo-async: bought before, and not in the file any more: a red balloon",
    ]


def test_many_edits(batch: Folder) -> None:
    """A few changes are named, and the others are counted."""
    batch.file.write_text(lines(*(f"mug {number}" for number in range(60))))
    batch()
    new = [f"{number} zebras" for number in range(22)]
    batch.file.write_text(lines(*(f"mug {number}" for number in range(20)), *new))

    ran = batch("--dry-run")

    told = ran.err.splitlines()
    assert "veo-async: ... and 2 more new or changed lines" in told
    assert "veo-async: ... and 20 more that are not in the file any more" in told


def test_another_request_with_a_key(batch: Folder) -> None:
    """A key whose request has changed stops the batch, with what it was."""
    batch.file.write_text(lines("a mug", key="one"))
    batch()
    batch.file.write_text(lines("a cup", key="one"))

    ran, dry = batch(), batch("--dry-run")

    assert (ran.code, dry.code) == (2, 2)
    assert "'one'" in ran.err
    assert "'one'" in dry.err
    assert batch.billed == 1


def test_a_folder_that_cannot_be(batch: Folder) -> None:
    """A name that no folder can have is bad usage, also of a dry run."""
    batch.out = batch.out / ("x" * 300)

    ran, dry = batch(), batch("--dry-run")

    assert (ran.code, dry.code) == (2, 2)
    assert "too long" in ran.err
    assert "too long" in dry.err


def test_a_dry_run_checks_the_limits(batch: Folder) -> None:
    """A dry run refuses the limits that the run itself would refuse."""
    ran = batch("--dry-run", "--in-flight", "0")

    assert ran.code == 2
    assert "in_flight" in ran.err


def test_no_standard_input(batch: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started with its standard input closed has none to read."""
    monkeypatch.setattr(sys, "stdin", None)

    ran = batch.veo("batch", "-", "--out", str(batch.out))

    assert ran.code == 2
    assert "standard input is closed" in ran.err


def test_bad_lines(batch: Folder) -> None:
    """All problems of a file are told before anything is sent; --skip-invalid runs the rest."""
    batch.file.write_text("{\n" + lines("a mug") + lines("") + "[]\n")

    ran = batch()
    skipping = batch("--skip-invalid")

    assert ran.code == 2
    name = batch.file
    assert [line.partition(": ")[0] for line in ran.err.splitlines()] == [
        f"{name}:1",
        f"{name}:3",
        f"{name}:4",
        "veo-async",
    ]
    assert "3 of 4 prompts" in ran.err
    assert ran.out == ""
    assert skipping.code == 0
    assert batch.billed == len(batch.videos) == 1


def test_very_bad_files(batch: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many problems the first are told, and the rest counted."""
    monkeypatch.setattr("veo_async.cli._prompts.MOST_SHOWN", 2)
    batch.file.write_text("x\n" * 5)

    ran = batch("--skip-invalid")

    assert ran.code == 2
    assert ran.err.splitlines()[2:] == [
        "... and 3 more",
        f"veo-async: error: {batch.file} holds no prompts.",
    ]


def test_bad_paths(batch: Folder) -> None:
    """An input that cannot be read, and a folder that cannot be made, are bad usage."""
    batch.file.write_text("")
    empty = batch()
    batch.file.unlink()
    missing = batch()
    batch.file.mkdir()
    folder = batch()
    nul = batch.veo("batch", "a\0b", "--out", str(batch.out))
    batch.file.rmdir()
    batch.file.write_text(lines("a mug"))
    blocked = batch.veo("batch", str(batch.file), "--out", str(batch.file))

    assert [ran.code for ran in (empty, missing, folder, nul, blocked)] == [2] * 5
    assert f"{batch.file} holds no prompts" in empty.err
    assert "No such file" in missing.err
    assert "Is a directory" in folder.err
    assert "null" in nul.err
    assert "is not a folder" in blocked.err
    assert not batch.out.exists()


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--format", "xml"], "none of jsonl, json, csv, lines, paragraphs"),
        (["--aspect-ratio", "2:1"], "aspect_ratio"),
        (["--model", ""], "model"),
        (["--in-flight", "0"], "in_flight"),
        (["--rate", "0"], "per_second"),
        (["--max-submissions", "-1"], "max_submissions"),
        (["--emulator", "--base-url", "http://127.0.0.1:1"], "--base-url"),
    ],
)
def test_bad_options(batch: Folder, argv: list[str], words: str) -> None:
    """An option that cannot be right is told once, and nothing is bought."""
    ran = batch(*argv)

    assert ran.code == 2
    assert words in ran.err
    assert len([line for line in ran.err.splitlines() if "error" in line]) == 1
    assert batch.billed == 0


def test_standard_input(batch: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompts may come from a pipe, in any form."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"prompt\na mug\na cup\n")))

    ran = batch.veo("batch", "-", "--format", "csv", "--out", str(batch.out))

    assert ran.code == 0
    assert [charge.request["prompt"] for charge in batch.veo.emulator.bill] == ["a mug", "a cup"]


def test_dry_run(batch: Folder) -> None:
    """A dry run says what would be done, sends nothing and writes nothing."""
    before = batch("--dry-run")

    assert before.code == 0
    assert before.out.startswith("3 videos would be bought; 0 waited for")
    assert not batch.out.exists()
    assert not batch.veo.emulator.counters


@pytest.mark.parametrize(
    "argv, told",
    [
        (["--upscale"], "3 videos and 3 1080p versions would be bought; "),
        (["--max-submissions", "5"], "3 videos would be bought; "),
        (
            ["--upscale", "--max-submissions", "4", "--price", "0.1"],
            (
                "3 videos and 3 1080p versions would be bought, 4 of these 6 in this run "
                "(--max-submissions), for about 0.4 (4 at 0.1 each); "
            ),
        ),
        (["--price", "40"], "3 videos would be bought, for about 120 (3 at 40 each); "),
        (["--retry-failed"], "at most 3 videos would be bought; "),
    ],
)
def test_the_price_of_a_dry_run(batch: Folder, argv: list[str], told: str) -> None:
    """A dry run says what would be bought: every submit, within the limit of the run."""
    assert batch("--dry-run", *argv).out.startswith(told)


def test_the_price_of_what_is_left(batch: Folder) -> None:
    """What an earlier run bought costs nothing more; its 1080p versions do."""
    batch.file.write_text(lines("a mug") + lines("a cup"))
    batch("--max-submissions", "1")
    upscaling = batch("--dry-run", "--upscale")
    batch()

    assert upscaling.out.startswith("1 video and 2 1080p versions would be bought; ")
    assert batch("--dry-run", "--price", "3").out.startswith("nothing would be bought; ")


def test_dry_run_of_a_resumed_batch(batch: Folder) -> None:
    """After some of it was done, a dry run tells the parts apart; --json has them as numbers."""
    batch("--max-submissions", "1")
    counters = batch.veo.emulator.counters.copy()

    (row,) = batch("--dry-run", "--json").rows

    assert row == {
        "prompts": 3,
        "invalid": 0,
        "start": 2,
        "wait": 0,
        "reconcile": 0,
        "finished": 1,
        "stays": 0,
        "generations": 2,
        "upscales": 0,
        "error": None,
    }
    assert batch.veo.emulator.counters == counters


def test_most_submissions(batch: Folder) -> None:
    """What is beyond --max-submissions is left to do, and the next run does it."""
    ran = batch("--max-submissions", "2")
    again = batch()

    assert ran.code == 5
    told = "1 of 3 are left to do (the limit of --max-submissions); run the same command again, or"
    assert told in ran.err
    assert "failed" not in ran.err
    assert "max_submissions" not in ran.err
    assert len(ran.out.splitlines()) == 2
    assert again.code == 0
    assert batch.billed == 3


def test_most_submissions_of_upscales(batch: Folder) -> None:
    """A video whose 1080p version is beyond --max-submissions is left to do, and not failed."""
    ran = batch("--upscale", "--max-submissions", "3")

    assert ran.code == 5
    assert "failed" not in ran.err
    assert "left to do (the limit" in ran.err
    assert batch.billed == 3


def test_most_submissions_and_a_failure(batch: Folder) -> None:
    """A failure is more severe than the limit."""
    batch.veo.emulator.faults.add(Fault(effect=Fail(), nth=1))

    ran = batch("--max-submissions", "2")

    assert ran.code == 1
    assert "1 of 3 are left to do (the limit" in ran.err


def test_failures(batch: Folder) -> None:
    """A failed item is code 1, and spoils no other; it stays failed until --retry-failed. A later
    run counts it, and does not report it again."""
    batch.veo.emulator.faults.add(Fault(effect=Fail(message="no \x1b[2J"), nth=1))

    ran = batch()
    again = batch()
    retried = batch("--retry-failed")

    assert (ran.code, again.code, retried.code) == (1, 1, 0)
    assert r"no \x1b[2J" in ran.err
    for each in (ran, again):
        assert len(each.out.splitlines()) == 2
        assert "left to do" not in each.err
    assert "veo-async: 3 bought now, 1 failed (--retry-failed buys them again)" in ran.err
    assert r"no \x1b[2J" not in again.err
    told = "nothing to do, nothing bought, 2 bought before, 1 failed before (--retry-failed buys"
    assert told in again.err
    assert "veo-async: 1 bought now, 2 bought before\n" in retried.err
    assert batch.billed == 4


def test_equal_causes(batch: Folder) -> None:
    """Items that failed for one cause are counted, and the first of them are named by their lines
    and their prompts; no key is shown."""
    batch.file.write_text(
        lines("a mug")
        + "\n"
        + lines("a cup\nof tea", "a pot", key=None)
        + lines("p " * 99, key="k")
    )
    batch.veo.emulator.faults.add(Fault(effect=Fail(message="It is refused.")))

    ran = batch()

    told = ran.err.splitlines()
    (place,) = [n for n, line in enumerate(told) if "It is refused." in line]
    assert told[place].startswith("veo-async: 4 failed: It is refused. (code ")
    named = {"line 1 (a mug)", r"line 3 (a cup\nof tea)", "line 4 (a pot)"}
    assert set(told[place + 1].strip().partition(", and 1 more")[0].split(", ")) <= {
        *named,
        f"line 5 ({('p ' * 99)[:59]}…)",
    }
    assert told[place + 1].endswith(", and 1 more")


def test_many_causes(batch: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many causes the first have lines, and the rest are counted; --json has all errors."""
    monkeypatch.setattr(_batch_causes, "MOST_CAUSES", 1)
    batch.veo.emulator.faults.add(
        *(Fault(effect=Fail(message=f"no {number}"), nth=number) for number in (1, 2, 3))
    )

    ran = batch("--json")

    assert ran.code == 1
    assert len([line for line in ran.err.splitlines() if " 1 failed: no " in line]) == 1
    assert "... and 2 more with other errors" in ran.err
    assert [row["state"] for row in ran.rows] == ["failed"] * 3


@slow_service
def test_the_line_of_a_resumed_item(batch: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that an earlier run bought is named by its line, too. A line is forgotten when its
    outcome has come."""
    batch.veo.emulator.faults.add(Fault(effect=Fail(), nth=2))
    reports: list[BatchReport] = []

    class Kept(BatchReport):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            reports.append(self)

    monkeypatch.setattr(_batch, "BatchReport", Kept)

    batch("--in-flight", "1", loop=interrupting(150.0))
    ran = batch()

    assert "line 2 (a cup)" in ran.err
    assert reports[1].lines == {}


@slow_service
def test_the_report_of_an_interrupted_run(batch: Folder) -> None:
    """An interrupted run says what it bought, what goes on, and what is left."""
    ran = batch("--in-flight", "1", loop=interrupting(150.0))
    again = batch("--json")

    assert "veo-async: 2 bought now, 1 still running, 1 left to do\n" in ran.err
    assert "veo-async: 1 bought now, 2 bought before\n" in again.err


def test_files_that_are_missing(batch: Folder) -> None:
    """A run that only downloads has something to do, and buys nothing."""
    batch()
    batch.videos[0].unlink()

    assert "veo-async: nothing bought now, 3 bought before\n" in batch().err


@pytest.mark.parametrize(
    "argv, told",
    [([], "3 bought now; spent 1.2 USD"), (["--upscale"], "6 bought now; spent at least 1.2 USD")],
)
def test_spent(batch: Folder, argv: list[str], told: str) -> None:
    """The prices that the service said are added up. Of an upscaled video only one is known."""
    batch.veo.emulator.faults.add(Fault(effect=endings(video=True)["cost"]))

    ran = batch(*argv)
    again = batch(*argv)

    assert f"veo-async: {told}\n" in ran.err
    assert "; spent" not in again.err


def test_refusals(batch: Folder) -> None:
    """A request that the service refuses is a failure like any other."""
    batch.veo.emulator.faults.add(Fault(effect=Answer(code="bad_request"), nth=1))

    assert batch().code == 1


def test_uncertain(batch: Folder) -> None:
    """If nobody can tell whether something was bought, the code says so."""
    batch.veo.emulator.faults.add(Fault(effect=Drop(at="accepted"), nth=1))

    ran = batch("--json", retry=RetryPolicy(on_uncertain="raise"))

    assert ran.code == 3
    assert "veo-async: 2 bought now, 1 uncertain\n" in ran.err
    assert "Run the same command again to search for it" in ran.err
    assert sorted(row["state"] for row in ran.rows) == ["succeeded", "succeeded", "uncertain"]


@of(balance=2, pace=Seconds(mean=100.0, sigma=0.0))
def test_balance(batch: Folder) -> None:
    """Nothing more is submitted, what is paid is waited for, and what is left is counted."""
    batch.file.write_text(lines(*map(str, range(50))))

    ran = batch("--in-flight", "2")

    assert ran.code == 4
    assert len(ran.out.splitlines()) == batch.billed == 2
    assert "48 of 50 are left to do" in ran.err
    assert ran.err.count("used_up") == 1
    assert batch.veo.emulator.counters[403] < 5


def test_token(batch: Folder) -> None:
    """A token that is refused is code 4, and told once."""
    batch.veo.emulator.faults.add(Fault(effect=Answer(code="invalid_token")))

    ran = batch()

    assert ran.code == 4
    assert "3 of 3 are left to do" in ran.err


@slow_service
def test_ctrl_c(batch: Folder) -> None:
    """Ctrl-C stops, settles and says how to go on; the same command then goes on."""
    ran = batch(loop=interrupting(30.0))
    billed = batch.billed
    dry = batch("--dry-run")
    again = batch()

    assert ran.code == 130
    assert "stopped with 0 of 3 done; run the same command again to resume it" in ran.err
    assert "veo-async wait" not in ran.err
    assert "3 waited for" in dry.out
    assert again.code == 0
    assert billed == batch.billed == len(batch.videos) == 3


@pytest.mark.parametrize("moments", [(1.0,), (1.0, 2.0)])
@slow_service
def test_ctrl_c_while_submitting(batch: Folder, moments: tuple[float, ...]) -> None:
    """Pressed once or twice while answers are awaited, Ctrl-C loses no video: the next run finds
    what was accepted, and buys only what was not sent."""
    batch.veo.emulator.faults.add(Fault(effect=Hang(at="accepted"), count=2))

    ran = batch("--in-flight", "2", loop=interrupting(*moments))
    billed = batch.billed
    again = batch()

    assert (ran.code, billed) == (130, 2)
    assert again.code == 0
    assert batch.billed == len(batch.videos) == 3


@slow_service
def test_plain_lines(batch: Folder) -> None:
    """Without a terminal a line says every few seconds how it goes."""
    ran = batch("--in-flight", "2")

    shown = [line.split(", about")[0] for line in ran.err.splitlines()]
    assert shown[1] == "veo-async: 0 of 3, 2 making, 1 waiting"
    assert any(line.startswith("veo-async: 2 of 3, 2 done, 1 making") for line in shown)
    assert any("about 0:0" in line for line in ran.err.splitlines())
    assert shown[-3].startswith("veo-async: 3 of 3, 3 done, ")


@slow_service
def test_live(batch: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there is a bar, the counts and what moves, where any prompt is text on one
    line; no paths are listed there."""
    batch.file.write_text(lines("[/bold]\u200bgone\nnext", "wide 杯子 " * 30))
    terminal = at_a_terminal(monkeypatch)

    code = batch().code

    shown = terminal.getvalue()
    assert code == 0
    assert "2/2" in shown
    assert "2 done" in shown
    assert "\u200b" not in shown
    assert not [line for line in shown.splitlines() if line.startswith("next")]
    assert ".mp4" not in shown
    assert shown.rstrip().endswith("index.html")


@of(limits=Limits(in_flight=1, retry_after=20), pace=Seconds(mean=60, sigma=0))
def test_pauses(batch: Folder) -> None:
    """The pauses that the service asks for are shown."""
    ran = batch()

    assert ran.code == 0
    assert "429: " in ran.err
    assert "everybody waits" in ran.err


def test_upscale(batch: Folder) -> None:
    """--upscale buys the 1080p version of each as well."""
    ran = batch("--upscale")
    (row,) = batch("--upscale", "--dry-run", "--json").rows

    assert ran.code == 0
    assert len(batch.videos) == len(ran.out.splitlines()) == batch.billed == 6
    assert row["finished"] == 3


def test_a_page_of_somebody_else(batch: Folder) -> None:
    """A page that is not ours is left alone, and the videos are there all the same."""
    batch.out.mkdir()
    page = batch.out / "index.html"
    page.write_text("mine")

    ran = batch()

    assert ran.code == 0
    assert "no page was written" in ran.err
    assert page.read_text() == "mine"
    assert len(batch.videos) == 3


def test_offline(batch: Folder) -> None:
    """With --emulator the service is in this process, and remembers in the folder what it has
    accepted. The folder is then the emulator's."""
    ran = batch("--emulator")
    (options,) = batch.veo.made_with
    options["ledger"].touch()
    online = batch()

    assert ran.code == 0
    assert options["ledger"] == batch.out / "emulator.ledger"
    assert online.code == 2
    assert "with --emulator" in online.err


def test_online_folders(batch: Folder) -> None:
    """A folder of the service's videos is never the emulator's."""
    batch()

    ran = batch("--emulator")

    assert ran.code == 2
    assert "without --emulator" in ran.err


def test_no_journal(batch: Folder) -> None:
    """A journal that is none stops the batch before anything is sent, so it is bad input."""
    batch.out.mkdir()
    (batch.out / "journal.db").write_text("something else")

    ran, dry = batch(), batch("--dry-run")

    assert (ran.code, dry.code) == (2, 2)
    assert "journal" in ran.err
    assert batch.billed == 0


def test_another_account(batch: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that was bought with another token stops the batch, and its dry run, before
    anything is sent; --adopt-journal resumes it. A dry run without a token cannot tell."""
    batch("--max-submissions", "1")
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "another-token")

    ran, dry = batch(), batch("--dry-run")
    monkeypatch.delenv("ACEDATACLOUD_API_TOKEN")
    without = batch("--dry-run")
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "another-token")
    adopted = batch("--adopt-journal")

    assert (ran.code, dry.code, without.code, adopted.code) == (2, 2, 0, 0)
    for each in (ran, dry):
        assert "the token of another account" in each.err
        assert "adopt_journal=True is --adopt-journal" in each.err
    assert batch.billed == 3


def test_another_address(batch: Folder) -> None:
    """Also for a dry run that has no token."""
    batch()

    ran = batch("--base-url", "https://api.example.org")
    dry = batch("--dry-run", "--base-url", "https://api.example.org")

    assert (ran.code, dry.code) == (2, 2)
    assert "base URL is https://api.example.org" in ran.err
    assert "base URL is https://api.example.org" in dry.err


def test_a_lost_journal(batch: Folder) -> None:
    """The records in the folder name what was bought; --extend buys it again."""
    batch()
    (batch.out / "journal.db").unlink()

    ran, dry = batch(), batch("--dry-run")
    extended = batch("--extend")

    assert (ran.code, dry.code, extended.code) == (2, 2, 0)
    for each in (ran, dry):
        assert "name purchases that the journal" in each.err
        assert "extend=True is --extend, and another folder is another --out" in each.err
        assert "--adopt-journal" not in each.err
    assert batch.billed == 6


def test_a_dry_run_of_an_offline_batch(batch: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the address and the token of the emulator, whatever the environment says."""
    monkeypatch.delenv("ACEDATACLOUD_API_BASE_URL")
    ran = batch("--emulator")
    (batch.out / "emulator.ledger").touch()  # which the emulator of these tests does not write

    dry = batch("--emulator", "--dry-run")

    assert (ran.code, dry.code) == (0, 0)
    assert "3 are finished" in dry.out
