"""How long the service takes: a plan that is made when a task is accepted.

A task's state is a function of time, so thousands of tasks need no timers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """What one task will take.

    Attributes:
        seconds: service time from accepted to finished.
        looks: how often the task is shown as pending before it is finished.
    """

    seconds: float = 0.0
    looks: int = 0


class Pace:
    """Makes the plan of a task from its request and a seeded source of luck.

    Derive from it for a pace of your own, such as one that depends on the model.
    """

    def plan(self, request: Mapping[str, Any], luck: Random) -> Plan:
        return Plan()


@dataclass(frozen=True)
class Immediate(Pace):
    """Every task is finished as soon as it is accepted."""


@dataclass(frozen=True)
class Looks(Pace):
    """A task is pending for its first ``count`` looks (retrieves by id), whatever the time.

    A synchronous answer and a callback cannot look: they come at once.
    """

    count: int = 1

    def plan(self, request: Mapping[str, Any], luck: Random) -> Plan:
        return Plan(looks=self.count)


@dataclass(frozen=True, kw_only=True)
class Seconds(Pace):
    """A task takes a time of the log-normal distribution, in seconds of service time.

    Args:
        mean: the mean duration; the API guide speaks of one to two minutes.
        sigma: the spread of its logarithm; 0 makes every duration the mean.
    """

    mean: float = 100.0
    sigma: float = 0.25

    def plan(self, request: Mapping[str, Any], luck: Random) -> Plan:
        if not self.mean > 0:
            return Plan()
        return Plan(luck.lognormvariate(math.log(self.mean) - self.sigma**2 / 2, self.sigma))
