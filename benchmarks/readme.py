"""The README's figures, written from the results: ``python -m benchmarks readme``.

What stands between its marks is made here, so that no figure is typed in; a test compares it with
the results in the repository.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .report import RESULTS, left_out, remarks

README = Path(__file__).parent.parent / "README.md"
DELAYS = "<!-- made by `python -m benchmarks readme` from benchmarks/results/schedule.json -->"
COSTS = "<!-- made by `python -m benchmarks readme` from benchmarks/results/ -->"
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
    """Write the sections anew."""
    del argv  # it has no options
    text = README.read_text(encoding="utf-8")
    for mark, made in sections(results()).items():
        before, rest = text.split(f"{mark}\n")
        _, after = rest.split(END, 1)
        text = f"{before}{mark}\n{made}{END}{after}"
    README.write_text(text, encoding="utf-8")
    return 0


def sections(told: dict[str, Any]) -> dict[str, str]:
    """Write all that stands between marks, by the mark at which it begins."""
    return {DELAYS: f"\n{delays(told['schedule'])}\n\n", COSTS: costs(told)}


def results(folder: Path = RESULTS) -> dict[str, Told]:
    """Read what each part wrote."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def delays(schedule: Told) -> str:
    """Write how soon what is finished is noticed, and at which cost."""
    ours, together, alone = (
        "veo_async, nothing known yet",
        "all in batches, fixed interval",
        "each by itself, fixed interval",
    )
    rows = [["a thousand at once, nothing known yet", "requests a video", "95 in 100 within"]]
    rows.append(["---"] * 3)
    for mean, interval in ((12.0, 3.0), (120.0, 10.0)):
        for name, setting, words in (
            (ours, schedule["policy"]["patience"], "this library"),
            (together, interval, f"batches of all, every {interval:g} s"),
            (alone, 3.0, "each by itself, every 3 s"),
        ):
            point = _point(schedule, mean, name, setting)
            label = f"{mean:g} s on average, {words}"
            rows.append([label, f"{point['requests']:.2f}", f"{point['p95']:.1f} s"])
    return f"{_table(rows)}\n\n{_table(_sizes(schedule))}"


def _sizes(schedule: Told) -> Iterator[list[str]]:
    yield ["this library, at any number in flight", "requests a video", "95 in 100 within"]
    yield ["---"] * 3
    for size in schedule["sizes"]:
        label = f"{size['mean']:g} s on average, {size['videos']:,} at once"
        yield [label, f"{size['requests']:.2f}", f"{size['p95']:.1f} s"]


def _table(rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _point(schedule: Told, mean: float, name: str, setting: float) -> Told:
    (panel,) = [panel for panel in schedule["panels"] if panel["mean"] == mean]
    (series,) = [series for series in panel["series"] if series["name"] == name]
    (point,) = [point for point in series["points"] if point["setting"] == setting]
    found: Told = point
    return found


def costs(told: dict[str, Told]) -> str:
    """Write what a video costs the client, and what else was measured."""
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
    return _table([head, ["---"] * len(head), *map(_row, rows), *slow])


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
