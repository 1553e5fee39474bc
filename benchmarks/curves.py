"""The chart of `schedule`: polls against delay, for every way to look."""

from __future__ import annotations

from collections.abc import Sequence
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

ABOVE: Any = {"textcoords": "offset points", "fontsize": 9}

# The same JSON gives the same bytes, so that a change of the chart is a change of its figures.
FIXED: Any = {"svg.hashsalt": "veo_async", "svg.fonttype": "none", "font.size": 10}


def draw(told: dict[str, Any], path: Path) -> None:
    """Write the chart of what `schedule.study` told."""
    with mpl.rc_context(FIXED):
        figure = Figure(figsize=(16, 5.4), layout="constrained")
        *panels, last = figure.subplots(1, 3)
        for axes, panel in zip(panels, told["panels"], strict=True):
            _panel(axes, panel)
        _sizes(last, told["sizes"])
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        figure.suptitle(
            f"{told['work']['videos']:,} videos, submitted at once: {CAPTION}", fontsize=11
        )
        figure.savefig(path, format="svg", metadata={"Date": None})


def _sizes(axes: Axes, sizes: Sequence[dict[str, Any]]) -> None:
    """The default policy at any number in flight."""
    for mean in dict.fromkeys(size["mean"] for size in sizes):
        points = [size for size in sizes if size["mean"] == mean]
        videos = [point["videos"] for point in points]
        colour = COLOURS["veo_async, nothing known yet"]
        for name, style in (("p95", "o-"), ("p50", "--")):
            axes.plot(videos, [point[name] for point in points], style, color=colour, markersize=4)
        axes.annotate(f"{mean:g} s a video", (videos[0], points[0]["p95"]), (0, 8), **ABOVE)
    axes.set(xscale="log", yscale="log", xlabel="videos, submitted at once")
    axes.set(ylabel="seconds from finished to noticed", title="the default policy at any size")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(visible=True, which="major", alpha=0.3)


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
