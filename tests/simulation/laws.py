"""What must hold after every run, whatever happened in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from veo_async import (
    GenerationFailedError,
    Outcome,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
)
from veo_async._journal.rows import Row
from veo_async.errors import ContentRefusedError

from .world import Sent

RECORDED: Mapping[str, frozenset[str]] = {
    "open": frozenset({"intended"}),
    "accepted": frozenset({"accepted", "succeeded", "failed"}),
    "not sent": frozenset({"withdrawn"}),
    "refused": frozenset({"withdrawn", "refused"}),
    "uncertain": frozenset({"uncertain"}),
    "adopted": frozenset({"accepted", "succeeded", "failed"}),
    "absent": frozenset({"withdrawn"}),
    "cannot tell": frozenset({"uncertain"}),
}
"""By what a client concluded about a POST: what its journal says once that is durable."""

TOLD = (GenerationFailedError, SubmissionUncertainError, ContentRefusedError)
"""How an item may end that has no result, once the service has recovered: it failed the video,
nobody can tell, or it refused the prompt."""

SETTLED = frozenset({"succeeded", "failed", "refused"})
"""Rows of which nothing is owed."""

ATTEMPTS = 5
"""How often a submit is sent at most that bought nothing, but for a 429 (`RetryPolicy`)."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A law that did not hold."""

    what: str

    def __str__(self) -> str:
        return self.what


def check_rows(
    sent: Iterable[Sent],
    rows: Mapping[tuple[str, str], Row],
    *,
    process: int,
    at: float,
    within: float,
) -> list[Broken]:
    """An intent is durable before its POST, and what its answer said soon after.

    Args:
        sent: all POSTs.
        rows: what the journal says ``at`` this time, in virtual seconds.
        process: the process whose journal it is.
        within: how many seconds it may take until an answer is durable.
    """
    broken = []
    for slot, one in {one.slot: one for one in sent if one.process == process}.items():
        if slot is None:
            continue
        state = rows[slot].state if slot in rows else "nothing"
        if not _is_recorded(one, state, is_new=one.judged + within >= at):
            broken.append(Broken(f"the journal says {state} ({at:.2f}): {one}"))
    return broken


def _is_recorded(one: Sent, state: str, *, is_new: bool) -> bool:
    # While its answer is new, it may be on its way into the journal, and so may be the intent that
    # follows on a withdrawal.
    known = "open" if is_new else one.verdict
    if state in RECORDED[known]:
        return True
    if is_new:
        return state in RECORDED[one.verdict] | RECORDED["uncertain"]
    resent = state == "intended" and known in ("not sent", "refused", "absent")
    return resent or (known == "cannot tell" and state == "intended")


def waits(veo: VeoClient) -> list[Broken]:
    """What a client must not hold any more once its last caller is gone: it would poll for it."""
    left = [task.task_id for task in veo._tracker.tasks_in_flight() if task.waiters]
    return [Broken(f"a waiter was left: {left!r}")] if left else []


def leaks(veo: VeoClient) -> list[Broken]:
    """What a closed client must not hold any more."""
    held = {
        "an open POST": veo._sender._guard.posts,
        "a submit that is looked for": veo._reconciler._open,
    }
    broken = [Broken(f"{what} was left: {left!r}") for what, left in held.items() if left]
    for name, lane in veo._limiter._lanes.items():
        if lane.calls.locked():
            broken.append(Broken(f"no call is left to the lane {name}"))
    return broken


@dataclass(frozen=True, slots=True)
class _Class:
    """What is known of equal requests, which are interchangeable."""

    wanted: int
    billed: frozenset[str]
    told: tuple[str, ...]
    uncertain: int


def check_bill(
    requests: Sequence[TextToVideo],
    sent: Iterable[Sent],
    told: Iterable[tuple[Any, Any]],
    *,
    mark: Callable[[Any], str],
) -> list[Broken]:
    """No more was bought than was asked for, everything that was bought was told to exactly one,
    and no task of another request was told.

    Args:
        requests: what was asked for.
        sent: all POSTs.
        told: pairs of a request, or ``None`` where the end itself says enough, and its end.
        mark: what tells requests apart in this world.
    """
    wanted = Counter(map(mark, requests))
    billed: dict[str, set[str]] = {name: set() for name in wanted}
    for one in sent:
        if one.task_id:
            billed[mark(one.chosen)].add(one.task_id)
    owner = {task_id: name for name, ids in billed.items() for task_id in ids}
    ids: dict[str, list[str]] = {name: [] for name in wanted}
    uncertain = Counter[str]()
    broken: list[Broken] = []
    for request, end in told:
        name = None if request is None else mark(request)
        task_id = getattr(end, "task_id", None)
        if task_id:
            whose = owner.get(task_id)
            if whose is None or name not in (None, whose):
                broken.append(Broken(f"{task_id} was told of {name!r}, and is of {whose!r}"))
            ids[whose or str(name)].append(task_id)
        elif isinstance(end, SubmissionUncertainError):
            uncertain[name or mark(end.request)] += 1
    for name, count in wanted.items():
        known = _Class(count, frozenset(billed[name]), tuple(ids[name]), uncertain[name])
        broken += [Broken(f"{name!r}: {what}") for what in _wrongs(known)]
    return broken


def _wrongs(known: _Class) -> list[str]:
    wrongs = []
    if len(known.billed) > known.wanted:
        wrongs.append(f"wanted {known.wanted}, bought {len(known.billed)}: {known}")
    if len(set(known.told)) != len(known.told):
        wrongs.append(f"one task for two items: {known}")
    if len(known.billed - set(known.told)) > known.uncertain:
        wrongs.append(f"bought and told to nobody: {known}")
    return wrongs


def marker(*, default_shape: str) -> Callable[[Any], str]:
    """What tells requests apart where the service adds this shape to those without one."""

    def mark(request: Any) -> str:
        fields = request if isinstance(request, Mapping) else request.model_dump()
        return f"{fields.get('prompt')} {fields.get('aspect_ratio') or default_shape}".strip()

    return mark


def check_outcomes(requests: Sequence[TextToVideo], outcomes: Sequence[Outcome]) -> list[Broken]:
    """Each request has one outcome: a result, or an error that says what became of the money."""
    broken = []
    if Counter(map(repr, requests)) != Counter(repr(outcome.request) for outcome in outcomes):
        broken.append(Broken(f"{len(requests)} requests, and {len(outcomes)} outcomes"))
    return broken + [
        Broken(f"{outcome.key} ended with {outcome.error!r}")
        for outcome in outcomes
        if outcome.result is None and not isinstance(outcome.error, TOLD)
    ]


def check_final_rows(
    rows: Mapping[tuple[str, str], Row], outcomes: Iterable[Outcome]
) -> list[Broken]:
    """No row is owed anything, but for those that were told as uncertain."""
    unclear = {o.key for o in outcomes if isinstance(o.error, SubmissionUncertainError)}
    return [
        Broken(f"the row {slot} was left {row.state}")
        for slot, row in rows.items()
        if row.state not in SETTLED and not (slot[0] in unclear and row.step == "reconcile")
    ]


def check_attempts(sent: Sequence[Sent], *, rate_limit_attempts: int) -> list[Broken]:
    """No submit is sent again without bound."""
    counts = Counter((one.process, one.slot, one.verdict) for one in sent if one.slot)
    bounds = {"refused": rate_limit_attempts, "not sent": ATTEMPTS, "absent": ATTEMPTS + 1}
    return [
        Broken(f"{slot} was sent {count} times in one process, each time {verdict}")
        for (_, slot, verdict), count in counts.items()
        if count > bounds.get(verdict, count)
    ]
