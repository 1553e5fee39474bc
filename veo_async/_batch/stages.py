"""The stages of an item, and the journal's event for each outcome of a POST."""

from __future__ import annotations

from .._journal import events, rows
from .._submit.retry import Step, Stop
from .._submit.verdict import Accepted, Refused, Uncertain, Verdict
from ..errors import (
    AccountError,
    DownloadError,
    InvalidRequestError,
    NoAPIError,
    RateLimitError,
    ServerError,
    VeoError,
)
from ..models import Generation, Get1080p, VideoRequest

SECOND = "upscale"
"""The stage that makes the 1080p version."""

MANY = 1000
"""The most items under way at once, by default."""

PASSING = (AccountError, NoAPIError, RateLimitError, ServerError)
"""Refusals for a reason outside of the request, so a later run sends it again."""

PAID = "It stays paid for."
"""The advice of an error about a video that was made."""


def event_of(
    key: str,
    stage: str,
    verdict: Verdict,
    step: Step | None,
    *,
    ended_at: float,
    at_once: bool = False,
) -> events.StageEvent:
    """The event that records the outcome of a POST.

    Args:
        key, stage: the item and its stage.
        verdict: the verdict on its answer.
        step: the next step; ``None`` if it was accepted.
        ended_at: Unix time in seconds when it ended.
        at_once: whether the service answered with an id alone, as it was asked to.
    """
    match verdict:
        case Accepted(task_id, status):
            if status.generation:
                return events.Succeeded(key, stage, status.generation)
            return events.Accepted(key, stage, task_id or "", at_once)
        case Uncertain():
            return events.Uncertain(key, stage, ended_at, verdict.trace_id)
        case Refused() if isinstance(step, Stop) and not isinstance(step.error, PASSING):
            return events.Refused(key, stage, step.error)
        case _:
            return events.Withdrawn(key, stage)


def step_of(
    item: rows.Item, request: VideoRequest, *, upscale: bool, retry_failed: bool
) -> rows.Step:
    """The first step of an item that costs money or time; ``finished`` if all are free."""
    stages = [rows.FIRST, SECOND] if upscale and not isinstance(request, Get1080p) else [rows.FIRST]
    for stage in stages:
        step = item.step(stage)
        if step == "failed" and retry_failed:
            return "start"
        if step != "finished":
            return step
    return "finished"


def submits_of(
    item: rows.Item, request: VideoRequest, *, upscale: bool, retry_failed: bool
) -> dict[str, int]:
    """The most submits for an item, by the name of their number in a preview."""
    may_submit = {"start", "reconcile", *(["failed"] if retry_failed else [])}
    first, second = item.step(rows.FIRST), item.step(SECOND)
    generations = int(first in may_submit)
    if isinstance(request, Get1080p):
        return {"upscales": generations}
    is_upscaled = upscale and second in may_submit and (retry_failed or first != "failed")
    return {"generations": generations, "upscales": int(is_upscaled)}


def upscaling(request: VideoRequest, generation: Generation) -> Get1080p | None:
    """The request for the 1080p version of a result; ``None`` if the result is one.

    Raises:
        InvalidRequestError: the result has no video with an id.
    """
    if isinstance(request, Get1080p):
        return None
    video_id = generation.video.id
    if not video_id:
        problem = "The video has no id, so there is no 1080p version of it."
        raise InvalidRequestError(problem, field="video", advice=PAID)
    try:
        return Get1080p(video_id=video_id, model=request.model)
    except InvalidRequestError as error:  # no request can contain this id
        raise InvalidRequestError(error.message, field="video", advice=PAID) from error


def unexpected(error: Exception) -> VeoError:
    """The error for a fault of our own. As a value it cannot end the items of others."""
    fault = VeoError(f"An unexpected {type(error).__name__}: {error}", may_have_cost=True)
    fault.__cause__ = error
    return fault


def unwritable(error: OSError, folder: object) -> DownloadError:
    """The error for a folder that cannot be written."""
    return DownloadError(
        f"Nothing can be saved in the folder {folder} ({error}). Fix that, and run the same batch "
        "again.",
        path=folder,
    )
