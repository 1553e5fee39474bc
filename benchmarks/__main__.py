"""The command: ``python -m benchmarks`` measures everything; see the package's docstring."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module

SIMULATED = ("memory", "schedule", "throttled")
"""The parts that measure no CPU time of their own: they run beside each other."""

TIMED = ("journal", "speed", "start")
"""The parts that need the machine for themselves, one after the other."""

PARTS = (*SIMULATED, *TIMED)


def main(argv: Sequence[str] | None = None) -> int:
    """Run all parts, or those that are named, and then write the README's section."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, and write benchmarks/results/ and the README's figures.",
        epilog="Each part has options of its own: python -m benchmarks.PART --help",
    )
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, "readme", []], metavar="PART", help="default: all"
    )
    wanted = parser.parse_args(argv).parts or [*PARTS, "readme"]
    started = time.monotonic()
    beside = [_begun(part) for part in SIMULATED if part in wanted]
    failed = sum(process.wait() != 0 for process in beside)
    for part in TIMED:
        if part in wanted:
            failed += _begun(part).wait() != 0
    if "readme" in wanted and not failed:
        import_module("benchmarks.readme").main([])
    told = f"{time.monotonic() - started:.0f} s"
    sys.stderr.write(f"{told}, {failed} parts failed\n" if failed else f"{told}\n")
    return failed


def _begun(part: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", f"benchmarks.{part}"])


if __name__ == "__main__":
    sys.exit(main())
