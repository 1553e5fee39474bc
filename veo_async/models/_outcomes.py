"""The outcomes of many requests, and what is known of a submit whose caller left."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._base.html import player, table, text
from ..errors import OutcomeState, VeoError, state_after
from ._requests import VideoRequest
from ._results import Generation, Video


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one request of many. An error is a value here, so it affects no other request.

    Attributes:
        key: the key of the request in its batch: the caller's, or a hash of the request and its
            occurrence number.
        request: the request.
        result: the result, if the request succeeded.
        error: the error, if it did not. ``error.task_id`` is the id of a task that still runs.
        files: the files that were saved.
    """

    key: str
    request: VideoRequest
    result: Generation | None = None
    error: VeoError | None = None
    files: tuple[Path, ...] = field(default=())

    @property
    def state(self) -> OutcomeState:
        """``succeeded``; ``failed`` (also: never sent); ``pending`` (the task continues at the
        service); or ``uncertain`` (the request may have been bought)."""
        return state_after(self.error)

    def to_dict(self) -> dict[str, Any]:
        """This outcome as a dictionary that ``json.dumps`` takes as it is.

        The keys are those of a line of ``veo-async batch --json``. Later versions may add keys, but
        rename none. A value that is not known is ``None``.

        Returns:
            ``key``: the item's key in its batch.
            ``task_id``, ``trace_id``: the service's ids.
            ``state``: as in `Outcome.state`.
            ``action``, ``model``, ``prompt``: the request; a `Get1080p` has no prompt.
            ``created_at``, ``finished_at``: ``None``. Only the task list has these times, and the
            key stands here because the command line prints it for every task.
            ``videos``: a list of dictionaries with ``id``, ``video_url``, ``created_at``,
            ``complete_at`` and ``state``.
            ``cost``: ``None``, or a dictionary with ``amount``, ``list_amount`` and ``currency``.
            ``files``: the paths of the saved files, as strings.
            ``error``: ``None``, or a dictionary with ``type`` (the name of the class), ``message``
            and ``may_have_cost``.

            All times are ISO 8601 strings with a zone.
        """
        result, error = self.result, self.error
        task_ids = (getattr(source, "task_id", None) for source in (error, result))
        return {
            "key": self.key,
            "task_id": next((task_id for task_id in task_ids if task_id), None),
            "trace_id": getattr(result or error, "trace_id", None),
            "state": self.state,
            "action": self.request.action,
            "model": self.request.model,
            "prompt": getattr(self.request, "prompt", None),
            "created_at": None,
            "finished_at": None,
            "videos": [
                video_fields(video)
                for video in (result.data if result else getattr(error, "videos", ()))
            ],
            "cost": cost_fields(result),
            "files": [str(file) for file in self.files],
            "error": error_fields(error) if error else None,
        }

    def _repr_html_(self) -> str:
        return Outcomes([self])._repr_html_()


def video_fields(video: Video) -> dict[str, str | None]:
    """The fields of a video in `Outcome.to_dict` and on the command line."""
    times = {"created_at": video.created_at, "complete_at": video.complete_at}
    return {
        "id": video.id,
        "video_url": video.video_url,
        **{name: time.isoformat() if time else None for name, time in times.items()},
        "state": video.state,
    }


def cost_fields(generation: Generation | None) -> dict[str, str | float | None] | None:
    """The price in `Outcome.to_dict` and on the command line."""
    cost = generation.cost if generation else None
    if cost is None:
        return None
    amounts = {"amount": cost.amount, "list_amount": cost.list_amount}
    return {**amounts, "currency": cost.currency}


def error_fields(error: Exception) -> dict[str, Any]:
    """The fields of an error in `Outcome.to_dict` and on the command line."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "may_have_cost": bool(getattr(error, "may_have_cost", False)),
    }


def _cells(outcome: Outcome) -> tuple[str, ...]:
    """The cells of an outcome's row in a notebook: state, title, model, and the result or error."""
    videos = outcome.result.data if outcome.result else ()
    players = (player(video.video_url, width=320, preload="none") for video in videos)
    result = [shown for shown in players if shown]
    if outcome.error:
        result.append(text(outcome.error))
    title, model = text(outcome.request.title), text(outcome.request.model)
    return text(outcome.state), title, model, "<br>".join(result)


class Outcomes(list[Outcome]):
    """A list of outcomes that a notebook shows as a table. `VeoClient.generate_many` returns one,
    and ``Outcomes(outcomes)`` makes one of the outcomes of a batch."""

    def _repr_html_(self) -> str:
        names = ("state", "prompt", "model", "result")
        return table(names, map(_cells, self), count=len(self))


@dataclass(frozen=True, slots=True)
class Preview:
    """The numbers of items of a batch, by what it would do with them first; see `Batch.preview`.

    Attributes:
        start: the items that would be submitted, themselves or for their 1080p version. With
            ``retry_failed``, those whose tasks failed count here, if the service still says so.
        wait: the items that would be waited for: the service has their tasks.
        reconcile: the items that would be searched for in the task list: no earlier run knows
            whether their submits were accepted.
        finished: the items that have their result; missing files would be downloaded again.
        failed: the items that were refused or failed, and stay so.
        generations: the submits for new videos that the batch would make at most, were it run
            to its end without a limit.
        upscales: the same for 1080p versions, also of `Get1080p` requests in the input.
        error: the reason why the batch would stop before it submits a new item, else ``None``.
        gone: requests that earlier runs bought, or may have bought, and that the input does not
            contain any more; at most 1,000.
        new: the positions in the input, from 1, of the requests that stand in their place: those
            that the journal does not have. At most 1,000, and empty if nothing is gone.
    """

    start: int = 0
    wait: int = 0
    reconcile: int = 0
    finished: int = 0
    failed: int = 0
    generations: int = 0
    upscales: int = 0
    error: VeoError | None = None
    gone: tuple[VideoRequest, ...] = ()
    new: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A submit whose caller was cancelled before it received the outcome.

    Attributes:
        request: the request that was sent.
        sent_at: Unix time in seconds when it was sent, on this machine's clock.
        task_id: the id that the service answered; wait for it with `VeoClient.wait`.
        error: the reason why there is no id: the submit is uncertain.
        result: the result, if it has arrived by now. If there is no id, error or result, the answer
            to the submit is still awaited.
    """

    request: VideoRequest
    sent_at: float
    task_id: str | None = None
    error: VeoError | None = None
    result: Generation | None = None
