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
            "            self._note_owner(owner, entry)\n            return\n",
            "            self._note_owner(owner, entry)\n",
        ),
    ),
    _mutant(
        "a record with another mark adopted by comparison",
        (
            "_reconcile/snapshot.py",
            "            if entry.mark is None and self",
            "            if self",
        ),
        (
            "_reconcile/decision.py",
            '    return lost.mark is None or snapshot.survival_of(lost) == "stripped"',
            "    return True",
        ),
    ),
    _mutant(
        "a mark that is not looked for",
        (
            "_reconcile/snapshot.py",
            "        marked = self._by_mark.get(lost.mark) if lost.mark else None",
            "        marked = None",
        ),
    ),
    _mutant(
        "one mark for all",
        (
            "_submit/marks.py",
            "        nonce = UUID(int=self._rng.getrandbits(128), version=4)",
            "        nonce = UUID(int=1, version=4)",
        ),
    ),
    _mutant(
        "the mark not journaled",
        (
            "_batch/ledger.py",
            "            callback_url,\n            is_held,",
            "            None,\n            is_held,",
        ),
    ),
    _mutant(
        "a refused mark taken for a refused request",
        (
            "_submit/retry.py",
            '    return isinstance(error, BadRequestError) and "callback" in words',
            "    return False",
        ),
    ),
    _mutant(
        "absence without a control",
        (
            "_reconcile/decision.py",
            '    if not snapshot.has_control(lost, "kept" if is_marked else "listed"):',
            "    if False:",
        ),
    ),
    _mutant(
        "a control that was answered at once for one whose answer was held",
        (
            "_reconcile/window.py",
            '        return canonical_action(str(self.chosen.get("action"))), self.is_held',
            '        return canonical_action(str(self.chosen.get("action"))), False',
        ),
    ),
    _mutant(
        "stripped marks taken for kept",
        (
            "_reconcile/snapshot.py",
            '            fact = "kept" if entry.mark == submit.mark else "stripped"',
            '            fact = "kept"',
        ),
    ),
    _mutant(
        "absence by comparison: what looks different proves nothing",
        (
            "_reconcile/decision.py",
            "    is_strange = snapshot.count_unowned(whole) > len(adopted)",
            "    is_strange = False",
        ),
    ),
    _mutant(
        "a record that an open POST may own is given away",
        (
            "_reconcile/reconciler.py",
            "claims: list[Claim] = [*unanswered, *lost, *nameless]",
            "claims: list[Claim] = []",
        ),
    ),
    _mutant(
        "equal lost submits decided one by one",
        (
            "_reconcile/decision.py",
            "    for group in _overlapping(times):",
            "    for group in ([index] for index in range(len(times))):",
        ),
    ),
    _mutant(
        "absent at the first reading",
        ("_reconcile/decision.py", "    if left > 0:", "    if False:"),
        ("_reconcile/decision.py", "    if case.missed_at is None:", "    if False:"),
        (
            "_reconcile/decision.py",
            "    left = case.missed_at + GRACE - now\n",
            "    left = 0.0\n",
        ),
    ),
    _mutant(
        "no time for the list to catch up",
        ("_reconcile/decision.py", "    if left > 0:", "    if False:"),
    ),
    _mutant(
        "an unreadable entry counted as not there",
        (
            "_wire/task_queries.py",
            "        return is_whole and not self._unreadable",
            "        return self.is_over",
        ),
    ),
    _mutant(
        "a list that could not be read to its end counted as whole, whatever of ours it lacks",
        (
            "_reconcile/decision.py",
            "    if snapshot.missing_since <= lost.ended or snapshot.is_overdue:",
            "    if False:",
        ),
        (
            "_tracking/task_list.py",
            "        except VeoError:\n            return False\n        return listing",
            "        except VeoError:\n            return True\n        return listing",
        ),
    ),
    _mutant(
        "the list asked for without its user",
        (
            "_tracking/task_list.py",
            "created_at_max=last, user_id=self._user_id",
            "created_at_max=last, user_id=None",
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
        "429 sent again without bound",
        (
            "_submit/retry.py",
            "        if count >= policy.rate_limit_attempts or over:",
            "        if False:",
        ),
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
        "the service's clock taken for ours",
        (
            "_wire/http.py",
            "            self.clock_offset = date + 0.5 - self._wall()",
            "            self.clock_offset = 0.0",
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
            "                self._journal.note(event, failed=keep)",
            "                self._journal.note(event, failed=keep, hurried=False)",
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
            "            if now - tracked.seen_at <= self._policy.not_found_grace:",
            "            if now - tracked.seen_at <= 1.0:",
        ),
    ),
    _mutant(
        "another account's journal accepted",
        (
            "_journal/buyer.py",
            "        if self.account and other.account and self.account != other.account:",
            "        if False:",
        ),
    ),
    _mutant(
        "a damaged row believed",
        (
            "_journal/seal.py",
            "        is_whole = seal_of(row) == columns[-1]",
            "        is_whole = True",
        ),
    ),
    _mutant(
        "a suspension that nobody notices",
        (
            "_base/runtime.py",
            "        if wall - now > self._ahead + JUMP or wall < self._last - JUMP:",
            "        if self._ahead == -inf:",
        ),
    ),
    _mutant(
        "max_submissions that counts nothing",
        ("_batch/spending.py", "        self._billed += is_billed", "        self._billed += 0"),
    ),
    _mutant(
        "a provisional failure taken for the end",
        (
            "_wire/task_status.py",
            "        lambda seen: seen.finished is False,",
            "        lambda seen: seen.finished is False and not seen.is_called_failed,",
        ),
    ),
    _mutant(
        "a download that goes on at the wrong place",
        ("_downloads/part_file.py", "        file.seek(count)", "        file.seek(0)"),
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
