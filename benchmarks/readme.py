"""The README's figures, written from the results: ``python -m benchmarks readme``.

What stands between the two marks is made here, so that no figure is typed in; a test compares it
with the results in the repository.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .report import RESULTS, left_out, remarks

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- made by `python -m benchmarks readme` from benchmarks/results/ -->"
END = "<!-- end of what is made -->"

COLUMNS = (
    "CPU, x by hand",
    "CPU, x httpx POST",
    "CPU ms a video",
    "requests a video",
    "noticed after, p50",
    "p95",
    "makespan",
    "peak memory",
)

Told = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the section anew."""
    del argv  # it has no options
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{section(results())}{END}{after}", encoding="utf-8")
    return 0


def results(folder: Path = RESULTS) -> dict[str, Told]:
    """Read what each part wrote."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def section(told: dict[str, Told]) -> str:
    """Write all that stands between the marks."""
    speed = told["speed"]
    parts = [
        "![CPU and delay](benchmarks/results/speed.svg)",
        *(table(speed, videos) for videos in speed["work"]["videos"]),
        *_stars(speed),
        "\n".join(f"- {line}" for line in lines(told)),
        f"Measured on {measured(speed)}.",
    ]
    return "\n" + "\n\n".join(parts) + "\n\n"


def table(speed: Told, videos: int) -> str:
    """Write the rows for one number of videos, as Markdown."""
    rows = [row for row in speed["results"] if row["videos"] == videos]
    head = [f"{videos:,} videos", *COLUMNS]
    slow = [[name, "too slow to measure", *["-"] * (len(head) - 2)] for name in left_out(rows)]
    written = [head, ["---"] * len(head), *map(_row, rows), *slow]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in written)


def _row(row: Told) -> list[str]:
    ideal = f" (ideal x {row['makespan'] / row['ideal']:.2f})" if row["ideal"] else ""
    delays = (row["delay_p50"], row["delay_p95"])
    return [
        row["contender"] + (" *" if row["service_limits"] else ""),
        f"{row['x_floor']:.2f}",
        f"{row['x_httpx']:.2f}",
        f"{row['cpu_ms']:.2f}",
        f"{row['requests']:.2f}",
        *("-" if delay is None else f"{delay:.1f} s" for delay in delays),
        f"{row['makespan']:.1f} s{ideal}",
        f"{row['peak_mb']:.0f} MB",
    ]


def _stars(speed: Told) -> Iterator[str]:
    yield from (remark.replace("*", r"\*", 1) for remark in remarks(speed))


def lines(told: dict[str, Told]) -> Iterator[str]:
    """Write what the other parts found, one sentence each."""
    throttled, memory = told["throttled"]["results"], told["memory"]["results"]
    yield (
        f"A service that allows 50 requests a second and 200 videos at once, and tells neither: "
        f"{throttled['videos']:,} videos in {throttled['makespan']:.1f} s, "
        f"{throttled['ratio']:.2f} times the ideal, with {throttled['refused_part']:.1%} of the "
        f"answers refused and {throttled['failed']} videos failed (simulated)."
    )
    for row in told["journal"]["results"]:
        yield (
            f"A journal, {row['videos']:,} videos, {row['transport']}: {row['ratio']:.2f} times "
            f"the CPU ({row['without_ms']:.2f} ms a video without one, {row['with_ms']:.2f} with)."
        )
    resume = told["journal"]["resume"]
    yield (
        f"A finished run of {resume['rows']:,} videos gives all its outcomes again after "
        f"{resume['seconds']:.2f} s and {resume['calls']} calls."
    )
    yield (
        f"A batch of {memory['long']:,} videos from a generator needs {memory['growth_mb']:.1f} MB "
        f"more than one of {memory['short']:,}."
    )


def measured(speed: Told) -> str:
    """Say when and on what."""
    machine, versions = speed["machine"], speed["versions"]
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"{speed['date'][:10]}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['system']}, {speed['python']}, {packages}"
    )


if __name__ == "__main__":
    sys.exit(main())
