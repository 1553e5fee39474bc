"""What must hold after every run, whatever happened in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from veo_async import (
    Generation,
    GenerationFailedError,
    Outcome,
    SubmissionUncertainError,
    VeoClient,
    VeoError,
)
from veo_async._journal.rows import Row
from veo_async._reconcile.window import FAR, SLACK
from veo_async.errors import ContentRefusedError

from .calls import Known
from .faults import ENDED_BADLY, LIST, UNREADABLE
from .scenario import Request, Scenario
from .world import Sent, World, rendered

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

SETTLED = frozenset({"succeeded", "failed", "refused", "saved"})
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
    requests: Sequence[Request],
    sent: Iterable[Sent],
    told: Iterable[tuple[Any, Any]],
    *,
    mark: Callable[[Any], str],
    task_of: Callable[[str], str] = str,
) -> list[Broken]:
    """No more was bought than was asked for, everything that was bought was told to exactly one,
    and no task of another request was told.

    Args:
        requests: what was asked for.
        sent: all POSTs.
        told: pairs of a request, or ``None`` where the end itself says enough, and its end.
        mark: what tells requests apart in this world.
        task_of: the task with this id, which may be another name of it.
    """
    told = tuple(told)
    wanted = Counter(map(mark, requests))
    wanted |= Counter({mark(request): 1 for request, _ in told if request is not None})
    billed: defaultdict[str, set[str]] = defaultdict(set)
    for one in sent:
        if one.task_id:
            billed[mark(one.chosen)].add(one.task_id)
    owner = {task_id: name for name, ids in billed.items() for task_id in ids}
    ids: defaultdict[str, list[str]] = defaultdict(list)
    uncertain = Counter[str]()
    broken: list[Broken] = []
    for request, end in told:
        name = None if request is None else mark(request)
        task_id = task_of(getattr(end, "task_id", None) or "")
        if task_id:
            whose = owner.get(task_id)
            if whose is None or name not in (None, whose):
                broken.append(Broken(f"{task_id} was told of {name!r}, and is of {whose!r}"))
            ids[whose or str(name)].append(task_id)
        elif isinstance(end, SubmissionUncertainError):
            uncertain[name or mark(end.request)] += 1
    for name in {**wanted, **billed}:
        known = _Class(wanted[name], frozenset(billed[name]), tuple(ids[name]), uncertain[name])
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
        if video_id := fields.get("video_id"):
            return f"1080p of {video_id}"
        return f"{fields.get('prompt')} {fields.get('aspect_ratio') or default_shape}".strip()

    return mark


def told_of(outcomes: Iterable[Outcome], world: World) -> Iterator[tuple[Any, Any]]:
    """What each outcome tells of the video, and of its 1080p version if that was made."""
    for outcome in outcomes:
        if not (world.scenario.upscale and outcome.result):
            yield outcome.request, outcome.result or outcome.error
            continue
        video_id = outcome.result.video.id
        source = world.source_of(str(video_id))
        yield outcome.request, Known(source)
        if outcome.result.task_id != source or outcome.error:
            upscaled = outcome.error or outcome.result
            yield {"action": "get_1080p", "video_id": video_id}, upscaled


def check_ends(told: Iterable[tuple[Any, Any]], sent: Iterable[Sent]) -> list[Broken]:
    """A task failed if the service let it end without a video, and only then."""
    bad = {one.task_id for one in sent if not ENDED_BADLY.isdisjoint(one.struck)}
    return [
        Broken(f"ended wrongly: {end!r}")
        for _, end in told
        if isinstance(end, VeoError | Generation)
        and end.task_id
        and isinstance(end, GenerationFailedError | Generation)
        and (end.task_id in bad) != isinstance(end, GenerationFailedError)
    ]


def check_files(outcomes: Iterable[Outcome]) -> list[Broken]:
    """Each video lies in its folder, whole."""
    film = rendered().read_bytes()
    return [
        Broken(f"{outcome.key} was not saved: {outcome}")
        for outcome in outcomes
        if outcome.result
        and not (outcome.files and all(file.read_bytes() == film for file in outcome.files))
    ]


def check_spending(sent: Iterable[Sent], limits: Mapping[int, int | None]) -> list[Broken]:
    """No process buys more than its limit."""
    bills = Counter(one.process for one in sent if one.task_id)
    return [
        Broken(f"process {process} bought {bills[process]} of {limit}")
        for process, limit in limits.items()
        if limit is not None and bills[process] > limit
    ]


SEEN = 450.0
"""Seconds after which two readings have seen a task of ours, if any has."""

READ = "the task list could not be read to its end"
MISSING = "tasks of ours are not in the list"
NOBODY_LOOKED = ("the client was closed", "the search was cancelled", "the time to wait was over")
"""How the reason begins where a search was given up from outside."""


def check_certain(scenario: Scenario, sent: Sequence[Sent]) -> list[Broken]:
    """Where marks are kept, nobody is in doubt about a submit for which the list was read, and for
    which it shows a task of ours."""
    if not is_decidable(scenario):
        return []
    names = {nuisance.name for nuisance in scenario.nuisances}
    unread = READ if names & LIST.keys() else NOBODY_LOOKED[0]
    # What was sent before the clock was set has no time that others can be compared to.
    is_set = any(end.clock for end in scenario.interruptions)
    # The journal does not know the offset of an earlier run's first submits, before any answer.
    is_skewed = abs(scenario.date_skew) > SLACK
    return [
        Broken(f"nobody can tell: {one}")
        for one in sent
        if is_provable(one, sent)
        and one.reason != unread
        and not (is_set and (one.state != "not resumed" or one.reason.startswith(MISSING)))
        and not (is_skewed and one.state != "not resumed" and one.reason.startswith(MISSING))
    ]


def is_decidable(scenario: Scenario) -> bool:
    """Whether marks are kept, and a list without unreadable entries shows them at their times."""
    names = {one.name for one in scenario.strikes} | {one.name for one in scenario.nuisances}
    is_readable = scenario.wire.listed != "always_empty" and not names & UNREADABLE
    return scenario.marks == "kept" and is_readable


def is_provable(one: Sent, sent: Sequence[Sent]) -> bool:
    """Whether there is a control for one of which nobody can tell."""
    if one.verdict != "cannot tell" or one.reason.startswith(NOBODY_LOOKED):
        return False
    return any(
        other.verdict in ("accepted", "adopted")
        and other.judged + SEEN <= one.judged
        and other.action == one.action
        and abs(other.sent_at - one.sent_at) <= FAR
        for other in sent
    )


def check_outcomes(requests: Sequence[Request], outcomes: Sequence[Outcome]) -> list[Broken]:
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
    """No submit is sent again without bound. A mark is refused once."""
    counts = Counter((one.process, one.slot, one.verdict) for one in sent if one.slot)
    bounds = {"refused": rate_limit_attempts + 1, "not sent": ATTEMPTS, "absent": ATTEMPTS + 1}
    return [
        Broken(f"{slot} was sent {count} times in one process, each time {verdict}")
        for (_, slot, verdict), count in counts.items()
        if count > bounds.get(verdict, count)
    ]
