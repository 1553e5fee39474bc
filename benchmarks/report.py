"""How a run is told: the machine and the versions, a table, and a JSON file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .contenders import BASE, CONTENDERS, FLOOR
from .figures import SATURATED, Figures, ratios
from .running import Result, Work

RESULTS = Path(__file__).parent / "results"
"""Where each part writes what it found. What the README cites is kept in the repository."""

PACKAGES = (
    "veo-async",
    "httpx",
    "httpcore",
    "aiohttp",
    "httpx-aiohttp",
    "anyio",
    "pydantic",
    "h11",
    "acedatacloud",
)
"""What has a part in the figures."""

WIDTH = 140
"""Columns of the output: on a narrower terminal lines wrap, and no figure is cut."""

SLOW = 0.005
"""Seconds: a service on this machine that takes longer waits for something other than its CPU."""

COLUMNS = (
    "",
    "CPU x\nhttpx POST",
    "CPU x\nby hand",
    "CPU ms\na video",
    "requests\na video",
    "delay s\np50",
    "delay s\np95",
    "makespan s\n(x ideal)",
    "peak\nMB",
    "service\nCPU",
    "saturated\ns",
)


def surroundings() -> dict[str, Any]:
    """Say when and on what a run begins."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "load_before": round(os.getloadavg()[0], 2),
        },
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {package: _version(package) for package in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(source tree)"  # this library, run from a clone without being installed


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def document(around: dict[str, Any], work: Work, result: Result) -> dict[str, Any]:
    """Put together all that is to be known of a run."""
    rows = [row for compared in result.compared for row in _rows(compared)]
    return {**around, "work": asdict(work), "answer": result.answer, "results": rows}


def _rows(compared: Sequence[Figures]) -> list[dict[str, Any]]:
    return [
        {"x_httpx": x_httpx, "x_floor": x_floor, **asdict(row)}
        for x_httpx, x_floor, row in zip(
            ratios(compared, BASE), ratios(compared, FLOOR), compared, strict=True
        )
    ]


def save(told: dict[str, Any], path: Path) -> None:
    """Write the JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def show(told: dict[str, Any], console: Console) -> None:
    """Print what `document` gave."""
    machine, work = told["machine"], told["work"]
    console.print(
        f"{told['date']}, {machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"load before {machine['load_before']}\n{told['python']}, "
        + ", ".join(f"{name} {number}" for name, number in told["versions"].items()),
    )
    console.print(
        f"durations: log-normal, mean {work['mean']} s, sigma {work['sigma']}, "
        f"seed {work['seed']}; the idle service answers a submit in {told['answer'] * 1000:.1f} ms"
    )
    for videos in work["videos"]:
        console.print(_table(videos, [row for row in told["results"] if row["videos"] == videos]))
    for remark in remarks(told):
        console.print(remark)


def remarks(told: dict[str, Any]) -> list[str]:
    """Say what keeps the figures from being the client's own."""
    said = []
    if any(row["service_limits"] for row in told["results"]):
        said.append(
            f"* The service process is what limits: it used {SATURATED:.0%} of a core or more for "
            "a good part of the row, so the row's makespan and delays are its own; the CPU is not."
        )
    if told["answer"] > SLOW:
        said.append(
            f"The idle service takes {told['answer'] * 1000:.0f} ms for an answer: it is what "
            "limits how fast videos are submitted, whatever its CPU, and so makespan and delays."
        )
    if told["machine"]["load_before"] > 0.5:
        said.append(
            "The machine was not idle when this began: times are too long, and ratios are rough."
        )
    return said


def _table(videos: int, rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=f"{videos:,} videos", title_justify="left", box=SIMPLE_HEAD)
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*cells(row))
    for name in left_out(rows):
        table.add_row(name, "too slow")
    return table


def left_out(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Say who was not measured, since it would take too long."""
    measured = {row["contender"] for row in rows}
    largest = max(row["videos"] for row in rows)
    return [
        contender.name
        for contender in CONTENDERS
        if contender.name not in measured and largest > contender.most
    ]


def cells(row: dict[str, Any]) -> list[str]:
    """Write a row as the tables show it, in the order of `COLUMNS`."""
    ideal = row["ideal"] and f" ({row['makespan'] / row['ideal']:.2f})"
    return [
        row["contender"] + (" *" if row["service_limits"] else ""),
        *(_figure(row[name], 2) for name in ("x_httpx", "x_floor", "cpu_ms", "requests")),
        *(_figure(row[name], 1) for name in ("delay_p50", "delay_p95")),
        f"{row['makespan']:.1f}{ideal or ''}",
        f"{row['peak_mb']:.0f}",
        f"{row['service_share']:.0%}",
        f"{row['service_saturated']:.1f}",
    ]


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
