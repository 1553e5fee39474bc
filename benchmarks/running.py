"""One run: every contender for every number of videos, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import httpx

from .contenders import CONTENDERS, HEADERS, Contender, Job, body_of
from .figures import Figures, figures, middle
from .perform import perform
from .service import Service

PROBES = 20
"""Calls before a run, to see how soon the service answers."""


MANY = 1000
"""Beyond this one round is enough for all: a disturbance is then a small part of it."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a run makes.

    Attributes:
        videos: the numbers of videos.
        mean, sigma: the durations, log-normal, in seconds.
        seed: the luck of the durations; the nth accepted video takes as long for everybody.
        rounds: how often a bare loop runs: it takes moments, so that one disturbance would show.
        interval: seconds between the looks of those that look at fixed intervals.
        all: whether those run too that are known to take very long.
        first: the library's `PollPolicy.first`; its default unless given.
    """

    videos: tuple[int, ...] = (100, 1000, 10_000)
    mean: float = 12.0
    sigma: float = 0.35
    seed: int = 0
    rounds: int = 3
    interval: float = 3.0
    all: bool = False
    first: float | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run found.

    Attributes:
        answer: seconds for one submit to the idle service, at the median.
        compared: for each number of videos a row for each contender, the base of comparison first.
    """

    answer: float
    compared: tuple[tuple[Figures, ...], ...]


def run(work: Work, say: Callable[[str], object]) -> Result:
    """Do all of it.

    Args:
        work: what to make.
        say: told what is about to be measured.
    """
    with Service(mean=work.mean, sigma=work.sigma, seed=work.seed) as service:
        answer = _answer(service.base_url)
        compared = tuple(_compared(service, work, videos, say) for videos in work.videos)
        return Result(answer=answer, compared=compared)


def _answer(base_url: str) -> float:
    """Measure one call after the other, on one connection: nothing but the service can delay it."""
    took = []
    with httpx.Client(headers=HEADERS, trust_env=False) as client:
        for number in range(PROBES):
            started = time.monotonic()
            client.post(f"{base_url}/veo/videos", json=body_of(f"probe {number}"))
            took.append(time.monotonic() - started)
    return median(took)


def _compared(
    service: Service, work: Work, videos: int, say: Callable[[str], object]
) -> tuple[Figures, ...]:
    rows = []
    for number, contender in enumerate(CONTENDERS):
        if videos > contender.most and not work.all:
            say(f"{videos} videos: {contender.name} is left out: it would take too long")
            continue
        say(f"{videos} videos: {contender.name} ...")
        job = Job(service.base_url, videos, work.interval, work.first)
        rounds = 1 if contender.waits or videos > MANY else work.rounds
        rows.append(middle([_measured(service, number, contender, job) for _ in range(rounds)]))
    return tuple(rows)


def _measured(service: Service, number: int, contender: Contender, job: Job) -> Figures:
    service.reset()
    done = perform(number, job)
    return figures(contender.name, job.videos, done, service.seen(), waits=contender.waits)
