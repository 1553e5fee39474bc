"""The chart of `schedule`: polls against delay, for every way to look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

COLOURS = {
    "veo_async, durations known": "#0b6e4f",
    "veo_async, nothing known yet": "#55a630",
    "round robin in batches": "#d1495b",
    "all in batches, fixed interval": "#edae49",
    "each by itself, fixed interval": "#6c757d",
}

CAPTION = (
    "how late their ends are noticed, and what that costs\n"
    "(points: 95 in 100 are noticed sooner; dashes: half of them; ring: the default policy)"
)

# The same JSON gives the same bytes, so that a change of the chart is a change of its figures.
FIXED: Any = {"svg.hashsalt": "veo_async", "svg.fonttype": "none", "font.size": 10}


def draw(told: dict[str, Any], path: Path) -> None:
    """Write the chart of what `schedule.study` told."""
    with mpl.rc_context(FIXED):
        figure = Figure(figsize=(12, 5.4), layout="constrained")
        for axes, panel in zip(figure.subplots(1, 2), told["panels"], strict=True):
            _panel(axes, panel)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.suptitle(
            f"{told['work']['videos']:,} videos, submitted at once: {CAPTION}", fontsize=11
        )
        figure.savefig(path, format="svg", metadata={"Date": None})


def _panel(axes: Axes, panel: dict[str, Any]) -> None:
    for series in panel["series"]:
        points, colour = series["points"], COLOURS[series["name"]]
        polls = [point["requests"] - 1.0 for point in points]
        p95, p50 = ([point[name] for point in points] for name in ("p95", "p50"))
        axes.plot(polls, p95, "o-", color=colour, markersize=4, label=series["name"])
        axes.plot(polls, p50, "--", color=colour, linewidth=1, alpha=0.6)
        for point, x, y in zip(points, polls, p95, strict=True):
            if point["default"]:
                axes.plot(x, y, "o", color=colour, markersize=11, fillstyle="none")
    axes.set(xscale="log", yscale="log", xlabel="polls a video, beside its submit")
    axes.set(ylabel="seconds from finished to noticed", title=f"{panel['mean']:g} s a video")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(visible=True, which="major", alpha=0.3)
