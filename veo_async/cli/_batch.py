"""Many videos from a file of prompts.

The journal is in the folder of the videos, so the same command resumes the batch, however the last
run ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, get_args

import typer

from .._client import VeoClient
from ..errors import JournalError, NoTokenError, VeoError
from ..gallery import write_gallery
from ..models import Preview, TextToVideo
from ..policies import RateLimit
from ._batch_changes import changes
from ._batch_report import BatchReport
from ._exits import OK, USAGE, message_of
from ._fields import shortened
from ._generate import refuse_address
from ._options import Batching, Seams
from ._outputs import folder
from ._progress import Progress
from ._progress_view import shown
from ._prompt_file import Form, PromptFile, UnreadableError, opened, spooled
from ._prompts import InputCheck, Prompts
from ._screen import Screen
from ._session import OFFLINE_TOKEN, Session, emulator_class, offline, online, run

if TYPE_CHECKING:
    from .._client import Batch

JOURNAL = "journal.db"
LEDGER = "emulator.ledger"
"""The file in which the emulator keeps its tasks, so that an offline batch can be resumed, too."""

OPTIONS: Mapping[str, str] = {
    "extend=True": "--extend",
    "adopt_journal=True": "--adopt-journal",
    "another journal": "another --out",
    "another folder": "another --out",
}
"""The options for the next steps that an error of the library names."""

COUNTS = ("start", "wait", "reconcile", "finished", "failed", "generations", "upscales")
"""The numbers of a preview."""

UTF8 = frozenset({"utf-8", "utf-8-sig", "ascii"})

DEFAULTS = ("model", "aspect_ratio", "resolution")
"""The options that are defaults for the fields of requests."""


def make_all(source: str, out: Path, options: Batching, seams: Seams) -> int:
    """Run a batch, and return the exit code."""

    async def work(screen: Screen) -> int:
        defaults = _defaults(options)
        _refuse_mixture(out, options)
        with _spooled_input(source) as spool:
            prompts, checked = _checked(source, spool, defaults, options)
            code = _report_problems(checked, source, screen, skip=options.skip_invalid)
            if code != OK:
                return code
            for line in understood(checked, prompts.file, source):
                screen.note(f"veo-async: {line}")
            job = Job(prompts, checked, out, options, seams, screen)
            return await (job.preview() if options.dry_run else job.run())

    return run(work, options, seams)


def _defaults(options: Batching) -> dict[str, Any]:
    """The fields that options give. They are validated before the file is read."""
    given = {name: getattr(options, name) for name in DEFAULTS}
    chosen = {name: value for name, value in given.items() if value is not None}
    TextToVideo(prompt="any", **chosen)
    return chosen


def _refuse_mixture(out: Path, options: Batching) -> None:
    """Refuse to mix real tasks and tasks of an emulator in one folder."""
    try:
        if not (out / JOURNAL).exists() or (out / LEDGER).exists() == options.emulator:
            return
    except OSError as problem:  # such as a name that is too long
        raise typer.BadParameter(f"{out}: {problem.strerror}.", param_hint="--out") from None
    other = "without --emulator" if options.emulator else "with --emulator"
    raise typer.BadParameter(f"{out} holds a batch that ran {other}.", param_hint="--out")


@contextlib.contextmanager
def _spooled_input(source: str) -> Iterator[IO[bytes]]:
    with contextlib.ExitStack() as stack:
        try:
            spool = stack.enter_context(spooled(source))
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise typer.BadParameter(f"{source}: {reason}.", param_hint="PROMPTS") from None
        yield spool


def _checked(
    source: str, spool: IO[bytes], defaults: Mapping[str, Any], options: Batching
) -> tuple[Prompts, InputCheck]:
    try:
        file = opened(source, spool, form=_form(options.form), encoding=options.encoding)
        prompts = Prompts(file, defaults)
        return prompts, prompts.check()
    except UnreadableError as problem:
        text = f"{_name(source)} cannot be read: {problem}."
        raise typer.BadParameter(text, param_hint="PROMPTS") from None


def _form(given: str | None) -> Form | None:
    forms: dict[str | None, Form | None] = {None: None, **{form: form for form in get_args(Form)}}
    if given not in forms:
        problem = f"{given!r} is none of {', '.join(get_args(Form))}."
        raise typer.BadParameter(problem, param_hint="--format")
    return forms[given]


def _name(source: str) -> str:
    return "standard input" if source == "-" else source


UNITS: Mapping[Form, str] = {
    "jsonl": "an object a line",
    "json": "in one JSON document",
    "csv": "a row each, below a header",
    "lines": "one a line",
    "paragraphs": "one a paragraph",
}


def understood(checked: InputCheck, file: PromptFile, source: str) -> Iterator[str]:
    """The lines that say how an input was understood, before anything is bought."""
    prompts = f"{checked.good} prompt{'s' * (checked.good != 1)}"
    first = shortened(checked.first.title) if checked.first else ""
    encoding = "" if file.encoding in UTF8 else f" in {file.encoding.upper()}"
    yield f"{prompts} from {_name(source)}{encoding}, {UNITS[file.form]}; first: {first}"
    for note, times in checked.notes.items():
        yield note if times == 1 else f"{note} ({times} times)"


def _report_problems(checked: InputCheck, source: str, screen: Screen, *, skip: bool) -> int:
    """Report the problems of the input, and return the exit code."""
    name, skip = _name(source), skip and not checked.is_fatal
    for problem in checked.problems:
        screen.note(f"{name}:{problem.line}: {problem.text}", "yellow" if skip else "red")
    if checked.bad > len(checked.problems):
        screen.note(f"... and {checked.bad - len(checked.problems)} more")
    if checked.bad and not skip:
        screen.note(f"veo-async: error: {_refusal(checked, name)}", "red")
        return USAGE
    if not checked.good:
        screen.note(f"veo-async: error: {name} holds no prompts.", "red")
        return USAGE
    return OK


def _refusal(checked: InputCheck, name: str) -> str:
    if checked.is_fatal:
        return f"{name} cannot be read as it was meant, so nothing was sent. Mend it."
    return (
        f"{checked.bad} of {checked.bad + checked.good} prompts in {name} are wrong, so nothing "
        "was sent. Mend them, or run the rest with --skip-invalid."
    )


@dataclass(frozen=True, slots=True)
class Job:
    """A batch with a checked input."""

    prompts: Prompts
    checked: InputCheck
    out: Path
    options: Batching
    seams: Seams
    screen: Screen

    async def preview(self) -> int:
        """Print what a run would do."""
        veo, has_token = self._idle_client()
        async with veo:
            try:
                preview = await self._batch(veo).preview(any_token=not has_token)
            except JournalError as error:
                return self._report(error)
        self._tell_changes(preview)
        counts = {  # a field of the JSON keeps its name
            "stays" if name == "failed" else name: getattr(preview, name) for name in COUNTS
        }
        fields = {"prompts": self.checked.good, "invalid": self.checked.bad, **counts}
        fields["error"] = preview.error and str(preview.error)
        self.screen.print(json.dumps(fields) if self.options.json else self._sentence(preview))
        return self._report_preview_error(preview)

    def _sentence(self, preview: Preview) -> str:
        # A lost submit may be found, and a failed task may have succeeded since.
        is_most = preview.reconcile or self.options.retry_failed
        bought = _purchases(preview, self.options.max_submissions, self.options.price)
        return (
            f"{'at most ' * bool(is_most)}{bought}; {preview.wait} waited for, {preview.reconcile} "
            f"searched for, {preview.finished} are finished, {preview.failed} stay failed"
        )

    def _idle_client(self) -> tuple[VeoClient, bool]:
        """A client that sends nothing, and whether it has the token of the run."""
        client: dict[str, Any] = {
            "base_url": self.options.base_url,
            "rate_limit": self._limit(),
        }
        if self.options.emulator:  # it need not run
            client |= {"base_url": "http://127.0.0.1", "api_token": OFFLINE_TOKEN}
        client |= self.seams.client
        try:
            return VeoClient(**client), True
        except NoTokenError:
            return VeoClient(**client, api_token="none"), False  # noqa: S106 - it is none

    async def run(self) -> int:
        """Run the batch."""
        folder(self.out).prepare()
        progress = Progress(asyncio.get_running_loop().time, self.checked.good)
        report = BatchReport(progress, self.screen, as_json=self.options.json)
        try:
            async with self._opened(progress) as session:
                code = await self._check(session.veo)
                if code != OK:
                    return code
                async with (
                    shown(self.screen, progress, is_many=True),
                    self._batch(session.veo, report.lines) as outcomes,
                ):
                    async for outcome in outcomes:
                        report.add(outcome)
        except asyncio.CancelledError:
            report.close()
            self.screen.note(
                f"veo-async: stopped with {progress.done} of {progress.total} done; run the same "
                "command again to resume it",
                "yellow",
            )
            raise
        report.close()
        await self._write_page()
        return report.code

    def _batch(self, veo: VeoClient, lines: dict[int, int] | None = None) -> Batch:
        return veo.batch(
            self.prompts.requests(lines),
            journal=self.out / JOURNAL,
            download_to=self.out,
            upscale=self.options.upscale,
            max_submissions=self.options.max_submissions,
            retry_failed=self.options.retry_failed,
            extend=self.options.extend,
            adopt_journal=self.options.adopt_journal,
        )

    async def _check(self, veo: VeoClient) -> int:
        """Check the input against the journal before anything is sent."""
        try:
            preview = await self._batch(veo).preview()
        except JournalError as error:
            return self._report(error)
        self._tell_changes(preview)
        return self._report_preview_error(preview)

    def _tell_changes(self, preview: Preview) -> None:
        for line in changes(preview, self.prompts):
            self.screen.note(f"veo-async: {line}", "yellow")

    def _report_preview_error(self, preview: Preview) -> int:
        return OK if preview.error is None else self._report(preview.error)

    def _report(self, error: VeoError) -> int:
        """Report an error before the run. It is a usage error: nothing was sent yet."""
        self.screen.error(error)
        named = [f"{words} is {option}" for words, option in OPTIONS.items() if words in str(error)]
        if named:
            self.screen.note(f"veo-async: at the command line, {', and '.join(named)}")
        return USAGE

    def _limit(self) -> RateLimit:
        return RateLimit(in_flight=self.options.in_flight, per_second=self.options.rate)

    def _opened(self, progress: Progress) -> contextlib.AbstractAsyncContextManager[Session]:
        chosen: dict[str, Any] = {
            "client": {"rate_limit": self._limit()},
            "progress": progress,
            "has_journal": True,
        }
        if not self.options.emulator:
            return online(self.screen, self.options, self.seams, **chosen)
        refuse_address(self.options)
        emulator_class(self.seams)  # reports missing libraries before the options need them
        emulation = _emulation(self.out / LEDGER)
        return offline(self.screen, self.options, self.seams, **chosen, **emulation)

    async def _write_page(self) -> None:
        """Write the page. An error of the page does not change the result of the batch."""
        try:
            page = await asyncio.to_thread(write_gallery, self.out)
        except (VeoError, OSError) as error:
            self.screen.note(f"veo-async: no page was written: {message_of(error)}", "yellow")
        else:
            self.screen.note(f"veo-async: look at them: {page}")


def _purchases(preview: Preview, limit: int | None, price: float | None) -> str:
    """The words for what a run would buy."""
    made = {"video": preview.generations, "1080p version": preview.upscales}
    named = [f"{number} {name}{'s' * (number != 1)}" for name, number in made.items() if number]
    total = sum(made.values())
    if not total:
        return "nothing would be bought"
    bought = total if limit is None else min(limit, total)
    limited = f", {bought} of these {total} in this run (--max-submissions)"
    cost = ""
    if price is not None:
        cost = f", for about {_amount(price, bought)} ({bought} at {_amount(price)} each)"
    return f"{' and '.join(named)} would be bought{limited * (bought < total)}{cost}"


def _amount(price: float, number: int = 1) -> str:
    """A price, or the exact price of several: 3 at 0.1 are 0.3."""
    return f"{(Decimal(str(price)) * number).normalize():f}"


def _emulation(ledger: Path) -> dict[str, Any]:
    """The options of an emulator for many small videos that another process can resume.

    Its clock is the machine's, because its tasks also advance while no emulator runs.
    """
    from ..emulator import Seconds, VideoFormat

    return {
        "clock_factor": 1.0,
        "pace": Seconds(mean=4.0),
        "video": VideoFormat(seconds=2.0, fps=12, short_side=180),
        "ledger": ledger,
    }
