"""The wire as frozen values: closed where we send, open where we receive.

Field names are the wire's own. A request refuses what cannot be right before anything is sent;
a result keeps the fields it does not know, and reads as ``None`` what it cannot make sense of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from ._base.html import player, table, text
from ._base.values import JSONFields, RequiredText, Value, WebAddress
from .errors import GenerationFailedError, InvalidRequestError, OutcomeState, VeoError, state_after

__all__ = [
    "DEFAULT_MODEL",
    "SERVICE_ZONE",
    "Action",
    "Generation",
    "Get1080p",
    "ImageToVideo",
    "IngredientsToVideo",
    "Outcome",
    "Preview",
    "State",
    "TaskRecord",
    "TextToVideo",
    "Unsettled",
    "Video",
    "VideoRequest",
]

DEFAULT_MODEL = "veo3-fast"
"""The vendor's own default (the vendor's OpenAPI document)."""

SERVICE_ZONE = timezone(timedelta(hours=8))
"""The zone of the naive times of a video: the vendor's tasks guide shows one and the same task
with the Unix time 1753435158 (09:19:18 UTC) and the text ``2025-07-25 17:19:20``."""

Action = Literal["text2video", "image2video", "ingredients2video", "get_1080p"]
AspectRatio = Literal["16:9", "9:16", "3:4", "4:3", "1:1"]
Resolution = Literal["1080p", "4k", "gif"]
State = Literal["pending", "succeeded", "failed"]
"""How a task stands. An unknown word of the service counts as pending."""

_OURS = frozenset({"action", "async", "callback_url", "extra_body"})


class _Request(Value):
    model: RequiredText = DEFAULT_MODEL
    callback_url: WebAddress | None = None
    extra_body: JSONFields = Field(default_factory=dict)

    @model_validator(mode="after")
    def _nothing_said_twice(self) -> Self:
        if not self.extra_body:
            return self
        said = {name for name in self.model_fields_set if getattr(self, name) is not None}
        taken = said | _OURS
        twice = sorted(self.extra_body.keys() & taken)
        if twice:
            problem = f"extra_body must not set {', '.join(twice)} a second time. Nothing was sent."
            raise InvalidRequestError(problem, field="extra_body")
        return self

    def __hash__(self) -> int:
        # Without extra_body: a dictionary has no hash, and its order makes no difference.
        return hash(self.model_dump_json(exclude={"extra_body"}))


class _Generating(_Request):
    prompt: RequiredText
    aspect_ratio: AspectRatio | None = None
    resolution: Resolution | None = None
    translation: bool | None = None

    @property
    def title(self) -> str:
        """The text by which a person knows this request: its prompt."""
        return self.prompt


def _listed(urls: object) -> object:
    if isinstance(urls, str):
        raise ValueError("must be a list of URLs, not one string")
    return tuple(urls) if isinstance(urls, Iterable) else urls


ImageURLs = Annotated[
    Sequence[WebAddress], BeforeValidator(_listed), Field(min_length=1, max_length=3)
]
"""One to three image URLs (the vendor's OpenAPI document)."""


class TextToVideo(_Generating):
    """A video from a prompt.

    Args:
        prompt: what to show.
        model: the model's name; an open set, so an unknown name is passed on.
        aspect_ratio: the shape of the picture; the service's default is 16:9.
        resolution: left out unless given, since the vendor's guides disagree on the default.
        translation: whether the service translates the prompt to English first.
        callback_url: where the service posts the result; the task is waited for just the same.
        extra_body: fields that the vendor added after this version.

    Raises:
        InvalidRequestError: a field cannot be right; nothing was sent.
    """

    action: Literal["text2video"] = "text2video"


class ImageToVideo(_Generating):
    """A video that starts from an image, or runs from a first to a last one.

    Args:
        image_urls: the first frame, or the first and the last one, as http(s) URLs. Some models
            accept three.

    The other arguments are those of `TextToVideo`.
    """

    action: Literal["image2video"] = "image2video"
    image_urls: ImageURLs


class IngredientsToVideo(_Generating):
    """A video of the things that one to three images show.

    The arguments are those of `ImageToVideo`.
    """

    action: Literal["ingredients2video"] = "ingredients2video"
    image_urls: ImageURLs


class Get1080p(_Request):
    """The 1080p version of a finished video.

    Args:
        video_id: the ``id`` of a `Video` (an entry of ``Generation.data``), not a task id.
        model: as for the generation.
        callback_url: as for `TextToVideo`.
        extra_body: as for `TextToVideo`.
    """

    action: Literal["get_1080p"] = "get_1080p"
    video_id: RequiredText

    @property
    def title(self) -> str:
        """The text by which a person knows this request: the id of the video."""
        return self.video_id


VideoRequest = Annotated[
    TextToVideo | ImageToVideo | IngredientsToVideo | Get1080p, Field(discriminator="action")
]
"""Any request that starts a generation, told apart by ``action``."""


def chosen_fields(request: VideoRequest) -> dict[str, Any]:
    """The fields that the caller chose, as JSON has them, without those of ``extra_body``."""
    return request.model_dump(mode="json", exclude_none=True, exclude={"extra_body"})


def read_text(value: object) -> str | None:
    """A text, or an id that was written as a number; ``None`` if it is neither."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> datetime | None:
    """Unix seconds, or a text that is in the service's zone unless it names one."""
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    # Times outside of these years would overflow when they are converted to another zone.
    if not 1970 <= moment.year <= 9000:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=SERVICE_ZONE)


def _said(value: object) -> bool:
    return value is True


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


OpenText = Annotated[str | None, BeforeValidator(read_text)]
OpenTime = Annotated[datetime | None, BeforeValidator(_time)]
OpenObject = Annotated[dict[str, Any] | None, BeforeValidator(_object)]


class _Received(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class Video(_Received):
    """One video of a generation: an entry of ``data``.

    Attributes:
        id: the video's id, as `Get1080p` takes it; not a task id.
        video_url: where the file lies, or ``None`` if there is none.
        created_at, complete_at: aware times (the 1080p version bears those of its source).
        state: the service's own word, such as ``succeeded``.
    """

    id: OpenText = None
    video_url: OpenText = None
    created_at: OpenTime = None
    complete_at: OpenTime = None
    state: OpenText = None

    _task_id: str | None = PrivateAttr(default=None)

    def of_task(self, task_id: str | None) -> Self:
        """This video, which knows its task from now on."""
        self._task_id = task_id or self._task_id
        return self

    @property
    def task_id(self) -> str | None:
        """The id of the task that made it, if it came with its `Generation`. It is no part of the
        value: where a video is from makes it no other."""
        return self._task_id

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Video):
            return NotImplemented
        return self.__dict__ == other.__dict__ and self.model_extra == other.model_extra

    def __hash__(self) -> int:
        return hash((self.id, self.video_url))

    def _repr_html_(self) -> str:
        return player(self.video_url) or text(repr(self))


def read_entries(data: object) -> tuple[Any, ...]:
    """The entries of ``data``: a list in every example, an object in the OpenAPI document."""
    entries = data if isinstance(data, list | tuple) else (data,)
    return tuple(entry for entry in entries if isinstance(entry, dict | Video))


class Generation(_Received):
    """The result of a task, as the service answers, calls back and stores it.

    Attributes:
        success: the service's word on the whole.
        task_id: the id of the task, as `VeoClient.wait` takes it.
        trace_id: what the vendor's support asks for.
        data: the videos.
    """

    success: Annotated[bool, BeforeValidator(_said)] = False
    task_id: OpenText = None
    trace_id: OpenText = None
    data: Annotated[tuple[Video, ...], BeforeValidator(read_entries)] = ()

    def model_post_init(self, context: Any, /) -> None:
        """Tell each video its task, so that a fresh URL can be had for it alone."""
        for video in self.data:
            video.of_task(self.task_id)

    @property
    def video(self) -> Video:
        """The first of ``data`` that has a file.

        Raises:
            InvalidRequestError: none has one, so this is not the result of a finished task.
        """
        for video in self.data:
            if video.video_url:
                return video
        raise InvalidRequestError("This generation has no video_url.", field="video")

    def _repr_html_(self) -> str:
        return "".join(video._repr_html_() for video in self.data) or text(repr(self))


class TaskRecord(_Received):
    """One task as the account's task list shows it.

    Attributes:
        id: the task id.
        created_at, finished_at: aware times.
        type: the kind of task, ``videos`` for ours.
        request: the body as it was submitted, as the service stored it.
        response: the result or the error body; absent, null or empty while it runs.
    """

    id: OpenText = None
    created_at: OpenTime = None
    finished_at: OpenTime = None
    type: OpenText = None
    trace_id: OpenText = None
    request: OpenObject = None
    response: OpenObject = None

    _state: State = PrivateAttr(default="pending")
    _generation: Generation | None = PrivateAttr(default=None)
    _error: GenerationFailedError | None = PrivateAttr(default=None)

    def with_status(
        self,
        state: State,
        generation: Generation | None = None,
        error: GenerationFailedError | None = None,
    ) -> Self:
        """This record with what its ``response`` was understood to mean."""
        self._state, self._generation, self._error = state, generation, error
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # Whoever knows a callback's address can post to it, so it is not shown to every log.
        for name, value in super().__repr_args__():
            hidden = name == "request" and value and value.get("callback_url")
            yield name, {**value, "callback_url": "..."} if hidden else value

    @property
    def state(self) -> State:
        """How the task stands: ``pending``, ``succeeded`` or ``failed``."""
        return self._state

    @property
    def generation(self) -> Generation | None:
        """The result, if the task succeeded."""
        return self._generation

    @property
    def error(self) -> GenerationFailedError | None:
        """Why it failed, if it did."""
        return self._error


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request of many ended. Every end is a value, so one bad item spoils no other.

    Attributes:
        key: the request's key within its run: a hash of the request and its occurrence number.
        request: the request.
        result: the generation, if it succeeded.
        error: why there is none, otherwise; its ``task_id`` says what is still running.
        files: the files that were saved.
    """

    key: str
    request: VideoRequest
    result: Generation | None = None
    error: VeoError | None = None
    files: tuple[Path, ...] = field(default=())

    @property
    def state(self) -> OutcomeState:
        """How it stands: ``succeeded``, ``failed`` (or never sent), ``pending`` (it goes on at the
        service), or ``uncertain`` (it may have been bought)."""
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
            "files": [str(file) for file in self.files],
            "error": error_fields(error) if error else None,
        }

    def _repr_html_(self) -> str:
        return Outcomes([self])._repr_html_()


def video_fields(video: Video) -> dict[str, str | None]:
    """The fields of a video that `Outcome.to_dict` and the command line give."""
    times = {"created_at": video.created_at, "complete_at": video.complete_at}
    return {
        "id": video.id,
        "video_url": video.video_url,
        **{name: time.isoformat() if time else None for name, time in times.items()},
        "state": video.state,
    }


def error_fields(error: Exception) -> dict[str, Any]:
    """The fields of an error that `Outcome.to_dict` and the command line give."""
    return {
        "type": type(error).__name__,
        "message": str(error),
        "may_have_cost": bool(getattr(error, "may_have_cost", False)),
    }


def _cells(outcome: Outcome) -> tuple[str, ...]:
    """What a notebook shows of it: how it stands, what was asked for, and what came of it."""
    videos = outcome.result.data if outcome.result else ()
    players = (player(video.video_url, width=320, preload="none") for video in videos)
    told = [shown for shown in players if shown] + ([text(outcome.error)] if outcome.error else [])
    title, model = text(outcome.request.title), text(outcome.request.model)
    return text(outcome.state), title, model, "<br>".join(told)


class Outcomes(list[Outcome]):
    """A list of outcomes that a notebook shows as a table, as `VeoClient.generate_many` returns it.

    ``Outcomes(outcomes)`` makes one of whatever a batch gave.
    """

    def _repr_html_(self) -> str:
        names = ("state", "prompt", "model", "result")
        return table(names, map(_cells, self), count=len(self))


@dataclass(frozen=True, slots=True)
class Preview:
    """What a batch would do, by how many items; see ``Batch.preview``.

    Attributes:
        start: are submitted, or have their 1080p version submitted.
        wait: are waited for: the service has them.
        reconcile: are looked for, since an earlier run does not know whether they were sent.
        finished: were made; files that are missing are fetched again.
        failed: were refused or failed, and stay so.
        error: why the batch would stop before it submits anything new.
    """

    start: int = 0
    wait: int = 0
    reconcile: int = 0
    finished: int = 0
    failed: int = 0
    error: VeoError | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A submit whose caller was gone before its answer came.

    Attributes:
        request: what was sent.
        sent_at: Unix time in seconds when it was sent, on this machine's clock.
        task_id: the id that the service answered; wait for it with `VeoClient.wait`.
        error: why there is no id: the submit is uncertain.
        result: the video, if it has come by now. With no id, error or result, the answer is still
            awaited.
    """

    request: VideoRequest
    sent_at: float
    task_id: str | None = None
    error: VeoError | None = None
    result: Generation | None = None
