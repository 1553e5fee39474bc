"""The open-ended fuzzer: new inputs for every decoder, for as long as it is let.

A finding is an input after which something else happened than a value or an error of the library.
It is shrunk, and saved as a file; ``python -m tests.fuzz FILE...`` replays such files.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import logging
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from random import SystemRandom
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from .targets import TARGETS, Target

ROUND = 200
"""Inputs for a fast decoder before the next one has its turn."""

PATIENCE = 10.0
"""Seconds of this process's own time that no input may take."""


class TooSlow(AssertionError):
    """An input took more time than any may."""


class Fuzzer:
    """Tries inputs, and saves those that are findings.

    Args:
        folder: where the findings are saved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.tried: Counter[str] = Counter()
        self.found: dict[str, Path] = {}

    def round(self, name: str, number: int) -> None:
        """Try some inputs of one decoder; the number seeds them."""
        target, last = TARGETS[name], None

        @seed(number)
        @settings(
            max_examples=max(1, int(ROUND * target.share)),
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(target.given)
        def check(value: Any) -> None:
            nonlocal last
            self.tried[name] += 1
            last = value
            timed(target, value)

        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            self._save(name, last, error)

    def _save(self, name: str, value: Any, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        place = next(
            (f"{f.filename}:{f.name}" for f in reversed(frames) if "veo_async/" in f.filename), ""
        )
        kind = hashlib.sha256(f"{name} {type(error).__name__} {place}".encode()).hexdigest()[:12]
        if kind in self.found:
            return
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{name}-{kind}.txt"
        path.write_text(f"{value!r}\n", encoding="utf-8", errors="backslashreplace")
        self.found[kind] = path
        print(f"\nfound, and saved as {path}:\n{''.join(traceback.format_exception(error))}")


def timed(target: Target, value: Any) -> None:
    """Try one input, within its time.

    Raises:
        Exception: it is a finding.
    """
    began = time.process_time()
    target.check(value)
    if (took := time.process_time() - began) > PATIENCE:
        raise TooSlow(f"{took:.0f} seconds")


def replay(files: list[Path]) -> int:
    """Try the inputs of findings again."""
    for file in files:
        name = file.name.rpartition("-")[0]
        timed(TARGETS[name], ast.literal_eval(file.read_text(encoding="utf-8")))
        print(f"{file}: nothing wrong")
    return 0


def main() -> int:
    """Run what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    minutes = float(os.environ.get("FUZZ_MINUTES") or 30)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="findings to replay")
    parser.add_argument("--minutes", type=float, default=minutes, help="[default: FUZZ_MINUTES]")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this; repeatable")
    parser.add_argument("--seed", type=int, help="the first seed; by default a random one")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="for the findings")
    options = parser.parse_args()
    logging.disable()
    if options.files:
        return replay(options.files)
    number = SystemRandom().getrandbits(32) if options.seed is None else options.seed
    print(f"{options.minutes:g} minutes from seed {number}", flush=True)
    fuzzer, end = Fuzzer(options.folder), time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        for name in options.target or TARGETS:
            fuzzer.round(name, number)
        number += 1
    for name, count in fuzzer.tried.items():
        print(f"{name:>10}: {count:>10,} inputs")
    print(f"{sum(fuzzer.tried.values()):,} inputs, {len(fuzzer.found)} findings")
    return 1 if fuzzer.found else 0


if __name__ == "__main__":
    sys.exit(main())
