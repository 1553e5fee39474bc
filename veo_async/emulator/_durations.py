"""The durations of tasks: each task gets a plan when it is accepted.

The state of a task is a function of time, so thousands of tasks need no timers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """The duration of one task.

    Attributes:
        seconds: seconds of service time from its acceptance to its end.
        looks: the number of polls by id that show the task as pending before it finishes. If it is
            not 0, ``seconds`` is ignored.
    """

    seconds: float = 0.0
    looks: int = 0


class Pace:
    """Decides how long each task takes. Here every task finishes immediately.

    Override `plan` for another pace, such as one that depends on the model.
    """

    def plan(self, request: Mapping[str, Any], rng: Random, /) -> Plan:
        """The plan of a task that is being accepted.

        Args:
            request: the body of its submit.
            rng: a seeded source of random numbers, for durations only.
        """
        return Plan()


@dataclass(frozen=True)
class Immediate(Pace):
    """Every task finishes as soon as it is accepted."""


@dataclass(frozen=True)
class Looks(Pace):
    """A task is pending for its first polls (queries that name it), however much time passes.

    A synchronous answer and a callback do not poll, so there the task finishes immediately.

    Args:
        count: the number of polls that show the task as pending.
    """

    count: int = 1

    def plan(self, request: Mapping[str, Any], rng: Random, /) -> Plan:
        """A plan with ``count`` polls, whatever the request.

        Args:
            request: the body of the submit.
            rng: a seeded source of random numbers, for durations only.
        """
        return Plan(looks=self.count)


@dataclass(frozen=True, kw_only=True)
class Seconds(Pace):
    """The duration of a task is random, with a log-normal distribution.

    Args:
        mean: the mean duration in seconds of service time; the API guide speaks of one to two
            minutes. 0 or less finishes every task immediately.
        sigma: the standard deviation of the duration's logarithm; with 0 every duration is
            ``mean``.
    """

    mean: float = 100.0
    sigma: float = 0.25

    def plan(self, request: Mapping[str, Any], rng: Random, /) -> Plan:
        """A plan with a random duration, whatever the request.

        Args:
            request: the body of the submit.
            rng: a seeded source of random numbers, for durations only.
        """
        if not self.mean > 0:
            return Plan()
        return Plan(rng.lognormvariate(math.log(self.mean) - self.sigma**2 / 2, self.sigma))
