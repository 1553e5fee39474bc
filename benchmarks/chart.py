"""The chart of `speed`: what a video costs, and how late its end is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#9fc5b7", "#0b6e4f", "#083d2c")
"""From few videos to many."""

# The same JSON gives the same bytes, so that a change of the chart is a change of its figures.
FIXED: Any = {"svg.hashsalt": "veo_async", "svg.fonttype": "none", "font.size": 10}

Row = dict[str, Any]


def draw(told: dict[str, Any], path: Path) -> None:
    """Write the chart of what `report.document` told."""
    rows = told["results"]
    with mpl.rc_context(FIXED):
        figure = Figure(figsize=(12, 4.6), layout="constrained")
        cpu, delay = figure.subplots(1, 2, width_ratios=(5, 3))
        _bars(cpu, rows, "cpu_ms", "{:.2f}")
        cpu.set(xscale="log", title="CPU of the client, ms a video")
        waiting = [row for row in rows if row["delay_p95"] is not None]
        _bars(delay, waiting, "delay_p95", "{:.1f}")
        delay.set(title="seconds from finished to noticed, p95")
        handles, labels = cpu.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _bars(axes: Axes, rows: Sequence[Row], name: str, form: str) -> None:
    contenders = list(dict.fromkeys(row["contender"] for row in rows))
    sizes = sorted({row["videos"] for row in rows})
    height = 0.8 / len(sizes)
    for number, size in enumerate(sizes):
        shown = [row for row in rows if row["videos"] == size]
        places = [
            contenders.index(row["contender"]) + (number - (len(sizes) - 1) / 2) * height
            for row in shown
        ]
        bars = axes.barh(
            places,
            [row[name] for row in shown],
            height,
            color=COLOURS[number % len(COLOURS)],
            label=f"{size:,} videos",
        )
        axes.bar_label(bars, [form.format(row[name]) for row in shown], padding=2, fontsize=8)
    axes.set_yticks(range(len(contenders)), contenders)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
