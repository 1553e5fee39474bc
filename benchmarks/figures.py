"""What a run shows: figures of one contender, from what it and the service saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from .perform import Done
from .service import Seen

SATURATED = 0.8
"""From this share of a core on, the service answers late: it has one thread, and readings blur."""

LIMITING = 0.05
"""A row is marked when the service was saturated for more than this part of it."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One row.

    Attributes:
        contender: its name.
        videos: how many were made.
        cpu_ms: CPU milliseconds of the client a video.
        requests: calls to the API a video.
        delay_p50, delay_p95: seconds from finished to when the caller was told; ``None`` for one
            that does not wait.
        makespan: seconds from the first call to the last answer.
        ideal: the longest of the durations: the makespan if all were submitted at once and each
            end noticed at once; ``None`` for one that does not wait.
        service_share: CPU seconds of the service process a second of the makespan.
        service_saturated: seconds of the makespan in which that was at least `SATURATED`.
        service_limits: whether that is enough to make the row's times the service's own.
        peak_mb: the most memory that the client's process had, in 10⁶ bytes, interpreter and
            libraries included.
    """

    contender: str
    videos: int
    cpu_ms: float
    requests: float
    delay_p50: float | None
    delay_p95: float | None
    makespan: float
    ideal: float | None
    service_share: float
    service_saturated: float
    service_limits: bool
    peak_mb: float


def figures(contender: str, videos: int, done: Done, seen: Seen, *, waits: bool) -> Figures:
    """Compute a row.

    Raises:
        RuntimeError: not every video was bought once and told: there is nothing to compare.
    """
    if len(seen.finished) != videos or done.told.keys() != seen.finished.keys():
        raise RuntimeError(
            f"{contender}: {videos} videos were asked for, {len(seen.finished)} accepted, and "
            f"{len(done.told)} told to the caller"
        )
    delays = sorted(done.told[task_id] - end for task_id, end in seen.finished.items())
    makespan = done.ended - done.started
    share, saturated = service_load(seen.cpu, done.started, done.ended)
    return Figures(
        contender=contender,
        videos=videos,
        cpu_ms=done.cpu * 1000 / videos,
        requests=sum(seen.counters.values()) / videos,
        delay_p50=percentile(delays, 50) if waits else None,
        delay_p95=percentile(delays, 95) if waits else None,
        makespan=makespan,
        ideal=max(seen.durations) if waits else None,
        service_share=share,
        service_saturated=saturated,
        service_limits=share >= SATURATED or saturated > LIMITING * makespan,
        peak_mb=done.peak / 1e6,
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Give the smallest value that so many percent of the values do not exceed (nearest rank)."""
    return ordered[max(ceil(len(ordered) * percent / 100) - 1, 0)]


def service_load(
    cpu: Sequence[tuple[float, float]], started: float, ended: float
) -> tuple[float, float]:
    """Give the service's CPU share from started to ended, and the seconds it was saturated.

    All that it used counts, since before and after it has nothing to do: so the share holds for
    moments that are shorter than the time between two readings.
    """
    share = (cpu[-1][1] - cpu[0][1]) / (ended - started)
    saturated = 0.0
    for (begin, cpu_before), (end, cpu_after) in pairwise(cpu):
        within = min(end, ended) - max(begin, started)
        if within > 0 and (cpu_after - cpu_before) / (end - begin) >= SATURATED:
            saturated += within
    return share, saturated


def middle(rounds: Sequence[Figures]) -> Figures:
    """Give the round whose CPU is the median one; of an even number, the lower one."""
    ordered = sorted(rounds, key=lambda row: row.cpu_ms)
    return ordered[(len(ordered) - 1) // 2]


def ratios(rows: Sequence[Figures], base: str) -> list[float | None]:
    """Say how many times the CPU of the ``base``, if it is among them, each row costs."""
    known = [row.cpu_ms for row in rows if row.contender == base]
    return [row.cpu_ms / known[0] if known else None for row in rows]
