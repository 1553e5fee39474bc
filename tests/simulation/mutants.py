# ruff: noqa: E501, ISC004 - the edits read like the lines that they edit
"""Mistakes that the simulation must catch: each is made in a copy of the source, one by one.

``python -m tests.simulation.mutants`` makes all of them; names choose some.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEEDS = 2000
"""Seeds that a mutant has to survive to count as not caught."""


@dataclass(frozen=True, slots=True)
class Edit:
    """In one file of the package, the one place that reads ``old`` is made to read ``new``."""

    file: str
    old: str
    new: str

    def made_in(self, text: str) -> str:
        """The text of the file with the edit.

        Raises:
            ValueError: it does not read so in exactly one place.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {text.count(self.old)} times: {self.old!r}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake."""

    name: str
    edits: tuple[Edit, ...]


def _mutant(name: str, *edits: tuple[str, str, str]) -> Mutant:
    return Mutant(name, tuple(Edit(*edit) for edit in edits))


MUTANTS = (
    _mutant(
        "no ownership check before adopting",
        (
            "_reconcile/snapshot.py",
            "        if submit is None:\n            if not (record.id and record.id in owned):",
            "        if record.id:\n            if True:",
        ),
        (
            "_reconcile/snapshot.py",
            "        elif submit.answered and offset is not None and _is_timely(submit, record, offset):",
            "        if submit and submit.answered and offset is not None "
            "and _is_timely(submit, record, offset):",
        ),
        (
            "_reconcile/snapshot.py",
            "[entry for entry in snapshot.unowned if entry[0].id != task_id]",
            "list(snapshot.unowned)",
        ),
    ),
    _mutant(
        "the window shortened to the moment of sending",
        (
            "_reconcile/window.py",
            "    last = sent.ended + max(offset, then) + GRACE + slack",
            "    last = sent.begun + max(offset, then) + slack",
        ),
    ),
    _mutant(
        "a 5xx counted as not sent",
        (
            "_submit/verdict.py",
            "    if accepted := _acceptance(answer, fields):",
            "    if answer.status >= 500:\n"
            "        return NotSent(Failure('httpx', (), detail='5xx'))\n"
            "    if accepted := _acceptance(answer, fields):",
        ),
    ),
    _mutant(
        "the task id written after the wait",
        (
            "_batch/ledger.py",
            "        self._note(event)\n        self._is_billed",
            "        self.late = event\n"
            "        if not isinstance(event, Accepted):\n"
            "            self._note(event)\n"
            "        self._is_billed",
        ),
        (
            "_batch/item.py",
            "            generation = await self._deps.submitter.wait(tracked, left)",
            "            generation = await self._deps.submitter.wait(tracked, left)\n"
            "            if getattr(getattr(ledger, 'late', None), 'name', '') == 'accepted':\n"
            "                ledger._note(ledger.late)",
        ),
    ),
    _mutant(
        "one snapshot instead of two",
        (
            "_reconcile/decision.py",
            "    if at >= needed and case.missing_since is not None:",
            "    if True:",
        ),
    ),
    _mutant(
        "429 sent again without bound",
        (
            "_submit/retry.py",
            "        if count >= policy.rate_limit_attempts or over:",
            "        if False:",
        ),
    ),
    _mutant(
        "two snapshots at once, although the list lags",
        ("_reconcile/decision.py", "GRACE, lost.ended_at(offset) + patience)", "GRACE, 0.0)"),
    ),
    _mutant(
        "a lost submit sent again",
        (
            "_submit/retry.py",
            "    return LookUp(lost, _bounded(step, step.lost, error, policy=policy, now=now, u=u))",
            "    return _bounded(step, step.lost, error, policy=policy, now=now, u=u)",
        ),
    ),
    _mutant(
        "408 counted as a refusal",
        (
            "_submit/verdict.py",
            "    if reply.status == 429 or (",
            "    if reply.status in (408, 429) or (",
        ),
    ),
    _mutant(
        "a cut counted as not sent",
        (
            "_submit/verdict.py",
            '{"httpx.ConnectError", "httpx.ConnectTimeout",',
            '{"httpx.RemoteProtocolError", "httpx.ConnectError", "httpx.ConnectTimeout",',
        ),
    ),
    _mutant(
        "no control is asked for",
        (
            "_reconcile/decision.py",
            "    if not controls and is_one_near(lost, snapshot.accepted):",
            "    if False:",
        ),
        (
            "_reconcile/decision.py",
            "    if not any(is_alike(submit, lost) for submit, _ in controls):",
            "    if False:",
        ),
    ),
    _mutant(
        "absence by comparison: what looks different proves nothing",
        (
            "_reconcile/decision.py",
            "    if unowned:",
            "    defaults = _defaults(controls, lost)\n"
            "    if any(compare(lost.chosen, stored, defaults) != 'different' for _, stored in unowned):",
        ),
    ),
    _mutant(
        "a record that an open POST may own is given away",
        (
            "_reconcile/decision.py",
            "        and not _is_claimed(record, stored, snapshot, defaults, slack)",
            "        and True",
        ),
    ),
    _mutant(
        "the service's clock taken for ours",
        (
            "_wire/http.py",
            "            self.clock_offset = date + 0.5 - self._wall()",
            "            self.clock_offset = 0.0",
        ),
    ),
    _mutant(
        "a list that could not be read to its end counted as whole, whatever of ours it lacks",
        (
            "_reconcile/decision.py",
            "    if snapshot.own_missing_since <= lost.ended or snapshot.own_overdue:",
            "    if False:",
        ),
        (
            "_reconcile/reconciler.py",
            "        except VeoError:\n            return records, False",
            "        except VeoError:\n            return records, True",
        ),
    ),
    _mutant(
        "the intent not awaited",
        (
            "_batch/ledger.py",
            "                await self._journal.record(event)",
            "                self._journal.note(event)",
        ),
        (
            "_journal/journal.py",
            "        while self._next.entries:",
            "        await asyncio.sleep(2.0)\n        while self._next.entries:",
        ),
    ),
    _mutant(
        "an intended row sent again by the next run",
        ("_journal/rows.py", '    "intended": "reconcile",', '    "intended": "start",'),
        (
            "_journal/states.py",
            '        "intended": {\n',
            '        "intended": {"intended": "intended",\n',
        ),
    ),
    _mutant(
        "an intent that is never too old",
        (
            "_batch/ledger.py",
            "            if self._wall_clock() - self._announced_at <= EARLY:",
            "            if True:",
        ),
    ),
    _mutant(
        "what a POST came to is in no hurry",
        (
            "_batch/ledger.py",
            "                self._journal.note(event)",
            "                self._journal.note(event, hurried=False)",
        ),
    ),
    _mutant(
        "the tasks of earlier runs not known as ours",
        (
            "_batch/item_resume.py",
            "        self._deps.reconciler.own(receipt for receipt in receipts if receipt)",
            "        self._deps.reconciler.own(())",
        ),
    ),
    _mutant(
        "a POST cut with its caller",
        (
            "_submit/sender.py",
            "        except BaseException:\n            self.unsettled.caller_left(post)\n",
            "        except BaseException:\n"
            "            self.unsettled.caller_left(post)\n"
            "            self.unsettled._posts.clear()\n"
            "            post.task and post.task.cancel()\n",
        ),
    ),
    _mutant(
        "a waiter that is never let go",
        ("_tracking/registry.py", "            tracked.waiters -= 1", "            pass"),
    ),
    _mutant(
        "an id that is not shown yet taken for unknown",
        (
            "_tracking/poller.py",
            "            if age <= self._policy.not_found_grace:",
            "            if age <= 1.0:",
        ),
    ),
)


def copied(root: Path) -> Path:
    """A copy of what the simulation needs."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", "samples")
    for name in ("veo_async", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=unwanted)
    return root


def caught(mutant: Mutant, seeds: int) -> str | None:
    """What catches this mutant; ``None`` if nothing does."""
    with tempfile.TemporaryDirectory(prefix="veo-mutant-") as place:
        root = copied(Path(place))
        for edit in mutant.edits:
            path = root / "veo_async" / edit.file
            path.write_text(edit.made_in(path.read_text()))
        command = [sys.executable, "-m", "tests.simulation", "--jobs", "1", "--first"]
        run = subprocess.run(
            [*command, "--seeds", str(seeds)],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode not in (0, 1):
        raise RuntimeError(f"the simulation itself failed:\n{run.stderr}")
    return next(_reasons(run.stdout), run.stderr[-500:]) if run.returncode else None


def _reasons(output: str) -> Iterator[str]:
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if "broke the law" in line:
            yield f"{line.split(';')[0]}:{lines[number + 1][:100]}"
        if line.startswith(("never met", "impossible, and met")):
            yield line[:120]


def main() -> int:
    """Make the mistakes, and tell which were caught; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only those with one of these words in its name")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    chosen = [
        mutant
        for mutant in (Mutant("nothing, so nothing to catch", ()), *MUTANTS)
        if not options.names or any(name in mutant.name for name in options.names)
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        reasons = pool.map(lambda mutant: caught(mutant, options.seeds), chosen)
        wrong = 0
        for mutant, reason in zip(chosen, reasons, strict=True):
            is_right = bool(reason) == bool(mutant.edits)
            wrong += not is_right
            print(f"{'ok   ' if is_right else 'WRONG'} {mutant.name}: {reason or 'not caught'}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
