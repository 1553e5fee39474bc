"""What happens under a seed: a pure function of it.

Every scenario has at least eight requests, some of them equal, and at least three faults that
strike. Under an even seed a batch with a journal is killed at least once; under an odd one it is
cancelled, or left alone, or the same requests go through `submit`, `wait` and the one-line calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any, Literal

from veo_async import ImageToVideo, RateLimit, TextToVideo
from veo_async.emulator import Wire

from . import faults
from .deployment import CONTENTS, Marks, conditions_of, marks_in, wire_of

USUAL = (
    *("clock skew", "date skew", "clock set", "list lags", "normalised"),
    *("cancelled", "killed", "called back", "marks kept"),
)
"""What holds for every submit of many a world, by name."""

UNUSUAL = (
    *(
        "marks off",
        "marks stripped",
        "marks refused",
        "marks sync",
        "answers held",
        "async ignored",
    ),
    *("stored cut", *CONTENTS, "trace header"),
    *("listed own", "listed others", "listed none", "listed always_empty"),
    *("burst", "slept", "closed", "upscaled", "saved", "bounded", "another account"),
    *faults.QUESTION,
    *faults.LIST,
    *faults.FILE,
    *faults.CALLBACK,
)
"""What holds for every submit of a few worlds, by name."""

CONDITIONS = (*USUAL, *UNUSUAL)

Damage = Literal["", "alone", "bit", "torn"]
"""A copy of the one file without what lies beside it, with a changed bit, or without its end."""

Mode = Literal["async", "sync"]
Request = TextToVideo | ImageToVideo


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
    """A fault that strikes questions, files or callbacks now and then."""

    on: Literal["tasks", "list", "file", "callback"]
    name: str
    effect: Any
    probability: float

    def __str__(self) -> str:
        return f"{self.probability:.0%} of each {self.on}: {self.name} ({self.effect!r})"


@dataclass(frozen=True, slots=True)
class Interruption:
    """The end of one process before its work is done.

    Attributes:
        how: it is killed, cancelled, cancelled twice, its client is closed, or its loop over the
            outcomes is left.
        event, count: at the so-manieth POST of this process, or conclusion about a lost one ...
        seconds: ... so many seconds more ...
        turns: ... and so many turns of the event loop more.
        pause: seconds until the next process begins.
        clock: by how many seconds this machine's clock is wrong from then on.
        sleep: the machine is suspended for so many seconds at the moment that is meant, and the
            process ends at the next such moment.
        stranger: whether somebody tries the journal with another account's token before the next.
        damage: what happened to a copy of the journal that somebody tries.
    """

    how: Literal["kill", "cancel", "cancel twice", "close", "leave"]
    event: Literal["POST", "conclusion"]
    count: int
    seconds: float
    turns: int
    pause: float
    clock: float
    sleep: float = 0.0
    stranger: bool = False
    damage: Damage = ""

    def __str__(self) -> str:
        when = f"{self.seconds:g} s and {self.turns} turns after {self.event} {self.count}"
        clock = f", with a clock that is wrong by {self.clock:+g} s" if self.clock else ""
        slept = f", suspended for {self.sleep:g} s before" if self.sleep else ""
        stranger = ", after another account's" if self.stranger else ""
        stranger += f"; a copy of the journal: {self.damage}" if self.damage else ""
        return f"{self.how} {when}{slept}; the next process {self.pause:g} s later{clock}{stranger}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens under one seed.

    Attributes:
        modes: that of the first process, and that of all later ones.
    """

    seed: int
    face: Literal["batch", "calls"]
    requests: tuple[Request, ...]
    limit: RateLimit
    rate_limit_attempts: int
    mean_seconds: float
    skew: float
    date_skew: float
    lag: Any
    wire: Wire
    modes: tuple[Mode, Mode]
    marked: bool
    called_back: bool
    burst: bool
    upscale: bool
    save: bool
    max_submissions: int | None
    close_at: float | None
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
            "cancelled": self.face == "calls"
            or any(end.how != "kill" for end in self.interruptions),
            "called back": self.called_back,
            "killed": any(end.how == "kill" for end in self.interruptions),
            f"marks {self.marks}": True,
            "answers held": self.held,
            "burst": self.burst,
            "slept": any(end.sleep for end in self.interruptions),
            "closed": self.close_at is not None
            or any(end.how == "close" for end in self.interruptions),
            "upscaled": self.upscale,
            "saved": self.save,
            "bounded": self.max_submissions is not None,
            "another account": any(end.stranger for end in self.interruptions),
        }
        named = [name for name, holds in holding.items() if holds]
        nuisances = (nuisance.name for nuisance in self.nuisances)
        return (*named, *conditions_of(self.wire), *nuisances)

    @property
    def unrecorded(self) -> bool:
        """Whether the service keeps no record of some submits."""
        return "sync" in self.modes and not self.wire.sync_records

    @property
    def marks(self) -> Marks:
        """What becomes of the marks."""
        asked = self.marked or self.called_back
        return marks_in(self.wire, asked=asked, asynchronous="sync" not in self.modes)

    @property
    def held(self) -> bool:
        """Whether the service holds each answer until its video is ready."""
        ignored = not self.wire.honour_async and not self.called_back
        return "async" not in self.modes or (ignored and self.marks in ("off", "refused"))

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
    world = _world(seed)
    requests = _requests(rng, burst=world.burst, images="rehosted" in world.wire.forms)
    holds = world.held or "sync" in world.modes
    date_skew = rng.choice([*[0.0] * 8, 3.0, 90.0, -400.0])
    clocks = abs(date_skew) < 100.0
    interruptions = _interruptions(rng, seed, clocks=clocks) if world.face == "batch" else ()
    return replace(
        world,
        requests=requests,
        limit=RateLimit(
            concurrency=rng.choice([2, 8]), in_flight=rng.choice([None, None, 4, len(requests)])
        ),
        rate_limit_attempts=rng.choice([3, 30]),
        # Where each answer is held until its video is ready, none is late without a fault.
        mean_seconds=rng.choice([2.0, 20.0] if holds else [2.0, 20.0, 60.0]),
        skew=rng.choice([0.0, 7.0, -600.0, 600.0]),
        date_skew=date_skew,
        lag=rng.choice([None, *faults.ALL_SUBMITS["list lags"]]),
        strikes=_strikes(rng, len(requests), world, interruptions),
        nuisances=_nuisances(rng, called_back=world.called_back, saved=world.save),
        # The POST after which the first process ends is sent.
        max_submissions=world.max_submissions
        and max(world.max_submissions, *(end.count for end in interruptions[:1]), 0),
        interruptions=interruptions,
    )


def _world(seed: int) -> Scenario:
    """The service and the client of a seed, without what happens to them."""

    def chance(use: str, part: float) -> bool:
        return Random(f"{seed}/{use}").random() < part

    face: Literal["batch", "calls"] = "calls" if seed % 4 == 3 else "batch"
    called_back, burst = chance("called back", 0.2), chance("burst", 0.1)
    wire = wire_of(seed, called_back=called_back, burst=burst)
    # A service that fetches images would need some.
    buys_more = face == "batch" and not burst and "rehosted" not in wire.forms
    bounded = face == "batch" and chance("bounded", 0.1)
    sync = not called_back and chance("sync", 0.1)
    later: Mode = "async" if chance("later async", 0.5) else "sync"
    closed = face == "calls" and chance("closed", 0.2)
    return Scenario(
        seed=seed,
        face=face,
        requests=(),
        limit=RateLimit(),
        rate_limit_attempts=30,
        mean_seconds=20.0,
        skew=0.0,
        date_skew=0.0,
        lag=None,
        wire=wire,
        modes=("sync", later) if sync else ("async", "async"),
        marked=not chance("unmarked", 0.5 if burst else 0.2),
        called_back=called_back,
        burst=burst,
        upscale=buys_more and chance("upscale", 0.08),
        save=buys_more and chance("save", 0.08),
        max_submissions=Random(f"{seed}/bound").randint(2, 6) if bounded else None,
        close_at=Random(f"{seed}/close").uniform(0.0, 120.0) if closed else None,
        strikes=(),
        nuisances=(),
        interruptions=(),
    )


def _requests(rng: Random, *, burst: bool, images: bool) -> tuple[Request, ...]:
    """Some requests, at least two of them equal, and some equal but for a default."""
    count = rng.randint(8, 12)
    shapes: list[Any] = [None, None, None, "16:9", "9:16"]
    made = [
        _request(rng.randrange(count), rng.choice(shapes), images=images and rng.random() < 0.5)
        for _ in range(count - 1)
    ]
    made.insert(rng.randrange(count), rng.choice(made))
    return tuple(made[:1] * 8 + made[:2] if burst else made)


def _request(number: int, shape: Any, *, images: bool) -> Request:
    prompt = _prompt(number)
    if images:
        image = f"https://images.example/{number}.png"
        return ImageToVideo(prompt=prompt, aspect_ratio=shape, image_urls=[image])
    return TextToVideo(prompt=prompt, aspect_ratio=shape)


def _prompt(number: int) -> str:
    """A prompt; every third one is too long for a service that cuts, every fourth one has
    characters that some services store in another form."""
    words = (
        "of many words, so many that some services cut them before they store them, which we know"
    )
    plain = f"p{number}" if number % 3 else f"p{number}, {words}"
    return plain if number % 4 else f"{plain} & cafe\N{COMBINING ACUTE ACCENT}"


BURST = ("cut", "5xx", "timed out", *["late answer"] * 3, *sorted(faults.UNANSWERED))
"""What strikes the submits of a burst: most of these lose the answer to an accepted one."""


def _strikes(
    rng: Random, count: int, world: Scenario, interruptions: tuple[Interruption, ...]
) -> tuple[Strike, ...]:
    """At least three, each on a submit of its own; perhaps a storm of refusals. Where a process
    is interrupted, none is accepted late: that is reckoned with for half a minute after the
    connection was given up, and a killed process gives it up at once."""
    unwanted = ["accepted late"] if interruptions else []
    if any(end.sleep for end in interruptions):  # the simulated service would sleep as well
        unwanted.append("late answer")
    if world.held or "sync" in world.modes:  # some held answers deny what was bought
        unwanted.append("no video")
    if world.unrecorded:  # then nobody can wait for what is answered with an id alone
        unwanted += ["other end", "provisional"]
    if rng.random() < 0.9:
        unwanted.append("unreadable")
    numbers = rng.sample(range(1, count + 1), rng.randint(3, 6))
    if world.burst:
        numbers = list(range(1, rng.choice([5, 8, 10]) + 1))
    table = BURST if world.burst else faults.SUBMIT
    names = [name for name in table if name not in unwanted]
    struck = {nth: rng.choice(names) for nth in numbers}
    if not world.burst and rng.random() < 0.15:
        start = rng.randint(1, count)
        struck |= dict.fromkeys(range(start, start + rng.choice([4, 12])), "429")
    return tuple(
        Strike(nth, name, rng.choice(faults.SUBMIT[name])) for nth, name in sorted(struck.items())
    )


def _nuisances(rng: Random, *, called_back: bool, saved: bool) -> tuple[Nuisance, ...]:
    chosen = _chosen(rng, "tasks", faults.QUESTION, rng.choice([0, 1, 2]), 0.3)
    chosen += _chosen(rng, "list", faults.LIST, int(rng.random() < 0.2), 0.9)
    if saved:
        chosen += _chosen(rng, "file", faults.FILE, rng.choice([0, 1, 2]), 0.5)
    if called_back:
        chosen += _chosen(rng, "callback", faults.CALLBACK, rng.choice([0, 1, 2]), 1.0)
    return tuple(chosen)


def _chosen(
    rng: Random, on: Any, table: Mapping[str, tuple[Any, ...]], count: int, most: float
) -> list[Nuisance]:
    names = rng.sample(list(table), count)
    return [
        Nuisance(on, name, rng.choice(table[name]), rng.uniform(most / 6, most)) for name in names
    ]


def _interruptions(rng: Random, seed: int, *, clocks: bool) -> tuple[Interruption, ...]:
    killed = seed % 2 == 0
    ends = [_interruption(rng, killed=killed, soon=True)] if killed or rng.random() < 0.7 else []
    while rng.random() < 0.35:
        ends.append(_interruption(rng, killed=killed and rng.random() < 0.7, soon=False))
    # Fast or slow, and in a world whose own clocks agree: what all clocks together may disagree by
    # is bounded by a quarter of an hour (`window.WIDE`).
    sense = rng.choice([1, -1]) if clocks else 0
    return tuple(replace(end, clock=sense * end.clock) for end in ends)


def _interruption(rng: Random, *, killed: bool, soon: bool) -> Interruption:
    """One that comes ``soon`` comes before eight videos can be ready."""
    post = soon or rng.random() < 0.6
    seconds = [0.0, 0.0, 0.0, 0.5] if soon else [0.0, 0.0, 1.0, 20.0, 60.0, 200.0]
    return Interruption(
        how="kill"
        if killed
        else rng.choice(["cancel", "cancel", "cancel twice", "close", "leave"]),
        event="POST" if post else "conclusion",
        count=rng.choice([1, 1, 2, 3, 4, 5, 6] if post else [1, 1, 2]),
        seconds=rng.choice(seconds if post else [0.0, 0.0, 0.3]),
        turns=rng.choice([0, 1, 2, 3, 5, 8, 12, 20, *([] if soon else [40, 80])]),
        pause=rng.choice([0.0, 3.0, 60.0, 90000.0]),
        clock=rng.choice([0.0, 0.0, 0.0, 40.0, 600.0]),
        sleep=rng.choice([*[0.0] * 8, 60.0, 3600.0]) if post else 0.0,
        stranger=rng.random() < 0.1,
        damage=rng.choice(["", "alone", "bit", "torn"]),
    )
