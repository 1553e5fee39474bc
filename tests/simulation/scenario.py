"""What happens under a seed: a pure function of it.

Every scenario has at least eight requests, some of them equal, and at least three faults that
strike. Under an even seed a batch with a journal is killed at least once; under an odd one it is
cancelled, or left alone, or the same requests go through `submit`, `wait` and the one-line calls.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any, Literal

from veo_async import RateLimit, TextToVideo

from . import faults

LONGEST = 10
"""Characters of a text that a service stores which cuts: enough for the words of a request."""

CONDITIONS = (
    *(
        "clock skew",
        "date skew",
        "clock set",
        "list lags",
        "normalised",
        "stored cut",
        "async ignored",
    ),
    *("cancelled", "killed", "called back"),
    *faults.QUESTION,
    *faults.CALLBACK,
)
"""What may hold for every submit of a world, by name."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that strikes one submit: the ``nth`` that the service sees."""

    nth: int
    name: str
    effect: Any

    def __str__(self) -> str:
        return f"submit {self.nth}: {self.name} ({self.effect!r})"


@dataclass(frozen=True, slots=True)
class Nuisance:
    """A fault that strikes questions, or callbacks, now and then."""

    on: Literal["tasks", "callback"]
    name: str
    effect: Any
    probability: float

    def __str__(self) -> str:
        return f"{self.probability:.0%} of each {self.on}: {self.name} ({self.effect!r})"


@dataclass(frozen=True, slots=True)
class Interruption:
    """The end of one process before its work is done.

    Attributes:
        how: it is killed, cancelled, cancelled twice, or its loop over the outcomes is left.
        event, count: at the so-manieth POST of this process, or conclusion about a lost one ...
        seconds: ... so many seconds more ...
        turns: ... and so many turns of the event loop more.
        pause: seconds until the next process begins.
        clock: by how many seconds this machine's clock is wrong from then on.
    """

    how: Literal["kill", "cancel", "cancel twice", "leave"]
    event: Literal["POST", "conclusion"]
    count: int
    seconds: float
    turns: int
    pause: float
    clock: float

    def __str__(self) -> str:
        when = f"{self.seconds:g} s and {self.turns} turns after {self.event} {self.count}"
        clock = f", with a clock that is wrong by {self.clock:+g} s" if self.clock else ""
        return f"{self.how} {when}; the next process {self.pause:g} s later{clock}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens under one seed."""

    seed: int
    face: Literal["batch", "calls"]
    requests: tuple[TextToVideo, ...]
    limit: RateLimit
    rate_limit_attempts: int
    mean_seconds: float
    skew: float
    date_skew: float
    lag: Any
    stored: Literal["as_submitted", "normalised"]
    longest: int | None
    page: int
    unknown: Literal["empty", "not_found", "missing"]
    honour_async: bool
    called_back: bool
    strikes: tuple[Strike, ...]
    nuisances: tuple[Nuisance, ...]
    interruptions: tuple[Interruption, ...]

    @property
    def conditions(self) -> tuple[str, ...]:
        """What holds for every submit of this world, by name."""
        holding = {
            "clock skew": self.skew != 0.0,
            "date skew": self.date_skew != 0.0,
            "clock set": any(end.clock for end in self.interruptions),
            "list lags": self.lag is not None,
            "normalised": self.stored == "normalised",
            "stored cut": self.longest is not None,
            "async ignored": not self.honour_async,
            "cancelled": self.face == "calls"
            or any(end.how != "kill" for end in self.interruptions),
            "called back": self.called_back,
            "killed": any(end.how == "kill" for end in self.interruptions),
        }
        named = [name for name, holds in holding.items() if holds]
        return (*named, *(nuisance.name for nuisance in self.nuisances))

    def __str__(self) -> str:
        lines = [f"seed {self.seed}"]
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                lines += [f"  {field.name}:", *(f"    {entry}" for entry in value)]
            else:
                lines.append(f"  {field.name}: {value}")
        return "\n".join(lines)


def scenario_of(seed: int) -> Scenario:
    """The scenario of a seed."""
    rng = Random(seed)
    face: Literal["batch", "calls"] = "calls" if seed % 4 == 3 else "batch"
    requests = _requests(rng)
    date_skew = rng.choice([0.0, 0.0, 0.0, 0.0, 3.0, 90.0, -400.0])
    clocks = abs(date_skew) < 100.0
    interruptions = _interruptions(rng, seed, clocks=clocks) if face == "batch" else ()
    called_back = rng.random() < 0.3
    honour_async = called_back or rng.random() < 0.8
    return Scenario(
        seed=seed,
        face=face,
        requests=requests,
        limit=RateLimit(
            concurrency=rng.choice([2, 8]), in_flight=rng.choice([None, None, 4, len(requests)])
        ),
        rate_limit_attempts=rng.choice([3, 30]),
        # Where each answer is held until its video is ready, none is late without a fault.
        mean_seconds=rng.choice([2.0, 20.0, 60.0] if honour_async else [2.0, 20.0]),
        skew=rng.choice([0.0, 7.0, -600.0, 600.0]),
        date_skew=date_skew,
        lag=rng.choice([None, *faults.ALL_SUBMITS["list lags"]]),
        stored=rng.choice(["as_submitted", "normalised"]),
        longest=Random(f"{seed}/longest").choice([*[None] * 7, LONGEST]),
        page=Random(f"{seed}/page").choice([50, 3]),
        unknown=rng.choice(["empty", "not_found", "missing"]),
        honour_async=honour_async,
        called_back=called_back,
        strikes=_strikes(rng, len(requests), settles=not interruptions),
        nuisances=_nuisances(rng, called_back=called_back),
        interruptions=interruptions,
    )


def _requests(rng: Random) -> tuple[TextToVideo, ...]:
    """Some requests, at least two of them equal, and some equal but for a default."""
    count = rng.randint(8, 12)
    shapes: list[Any] = [None, None, None, "16:9", "9:16"]
    made = [
        TextToVideo(prompt=_prompt(rng.randrange(count)), aspect_ratio=rng.choice(shapes))
        for _ in range(count - 1)
    ]
    made.insert(rng.randrange(count), rng.choice(made))
    return tuple(made)


def _prompt(number: int) -> str:
    """A prompt; every third one is too long for a service that cuts."""
    return f"p{number}" if number % 3 else f"p{number}, of many words"


def _strikes(rng: Random, count: int, *, settles: bool) -> tuple[Strike, ...]:
    """At least three, each on a submit of its own; perhaps a storm of refusals. Unless a process
    ``settles``, none is accepted late: that is reckoned with for half a minute after the
    connection was given up, and a killed process gives it up at once."""
    names = [name for name in faults.SUBMIT if settles or name != "accepted late"]
    numbers = rng.sample(range(1, count + 1), rng.randint(3, 6))
    struck = {nth: rng.choice(names) for nth in numbers}
    if rng.random() < 0.15:
        start = rng.randint(1, count)
        struck |= dict.fromkeys(range(start, start + rng.choice([4, 12])), "429")
    return tuple(
        Strike(nth, name, rng.choice(faults.SUBMIT[name])) for nth, name in sorted(struck.items())
    )


def _nuisances(rng: Random, *, called_back: bool) -> tuple[Nuisance, ...]:
    chosen = [
        Nuisance("tasks", name, rng.choice(faults.QUESTION[name]), rng.uniform(0.05, 0.3))
        for name in rng.sample(list(faults.QUESTION), rng.choice([0, 1, 2]))
    ]
    if called_back:
        chosen += [
            Nuisance("callback", name, rng.choice(faults.CALLBACK[name]), rng.uniform(0.2, 1.0))
            for name in rng.sample(list(faults.CALLBACK), rng.choice([0, 1, 2]))
        ]
    return tuple(chosen)


def _interruptions(rng: Random, seed: int, *, clocks: bool) -> tuple[Interruption, ...]:
    killed = seed % 2 == 0
    ends = [_interruption(rng, killed=killed, soon=True)] if killed or rng.random() < 0.7 else []
    while rng.random() < 0.35:
        ends.append(_interruption(rng, killed=killed and rng.random() < 0.7, soon=False))
    # Fast or slow, and in a world whose own clocks agree: what all clocks together may disagree by
    # is bounded by a quarter of an hour (`lost.WIDE`).
    sense = rng.choice([1, -1]) if clocks else 0
    return tuple(replace(end, clock=sense * end.clock) for end in ends)


def _interruption(rng: Random, *, killed: bool, soon: bool) -> Interruption:
    """One that comes ``soon`` comes before eight videos can be ready."""
    post = soon or rng.random() < 0.6
    seconds = [0.0, 0.0, 0.0, 0.5] if soon else [0.0, 0.0, 1.0, 20.0, 60.0, 200.0]
    return Interruption(
        how="kill" if killed else rng.choice(["cancel", "cancel", "cancel twice", "leave"]),
        event="POST" if post else "conclusion",
        count=rng.choice([1, 1, 2, 3, 4, 5, 6] if post else [1, 1, 2]),
        seconds=rng.choice(seconds if post else [0.0, 0.0, 0.3]),
        turns=rng.choice([0, 1, 2, 3, 5, 8, 12, 20, *([] if soon else [40, 80])]),
        pause=rng.choice([0.0, 3.0, 60.0, 90000.0]),
        clock=rng.choice([0.0, 0.0, 0.0, 40.0, 600.0]),
    )
