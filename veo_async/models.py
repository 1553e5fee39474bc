"""The wire as frozen values: closed types for what we send, open types for what we receive.

Field names are the wire's own. A request with an impossible field is refused before anything is
sent. A result keeps the fields that this version does not know; a known field with a value that
cannot be read is ``None``.
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
    "AspectRatio",
    "Generation",
    "Get1080p",
    "ImageToVideo",
    "IngredientsToVideo",
    "Outcome",
    "OutcomeState",
    "Outcomes",
    "Preview",
    "Resolution",
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
"""The kinds of request, in the wire's words."""

AspectRatio = Literal["16:9", "9:16", "3:4", "4:3", "1:1"]
"""The shapes of a picture that the service offers."""

Resolution = Literal["1080p", "4k", "gif"]
"""The sizes of a picture that a request can ask for."""

State = Literal["pending", "succeeded", "failed"]
"""The states of a task. An unknown word of the service counts as pending."""

_OURS = frozenset({"action", "async", "callback_url", "extra_body"})


class _Request(Value):
    model: RequiredText = DEFAULT_MODEL
    callback_url: WebAddress | None = None
    extra_body: JSONFields = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_field_twice(self) -> Self:
        if not self.extra_body:
            return self
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        taken = given | _OURS
        twice = sorted(self.extra_body.keys() & taken)
        if twice:
            problem = f"extra_body must not set {', '.join(twice)} a second time."
            raise InvalidRequestError(problem, field="extra_body")
        return self

    def wire_fields(self) -> dict[str, Any]:
        """The request as the fields of the wire, those of ``extra_body`` among them. What was not
        chosen is left out."""
        return self.chosen_fields() | self.extra_body

    def chosen_fields(self) -> dict[str, Any]:
        """The same without those of ``extra_body``."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"extra_body"})

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
        """The prompt, as the short text by which a person recognises this request."""
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
    """A request for a video from a prompt.

    Args:
        prompt: the text that describes the video.
        model: the name of the model. A name that this version does not know is passed on.
        aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
        resolution: the size of the picture; by default the service's, on which the vendor's guides
            disagree.
        translation: whether the service first translates the prompt to English.
        callback_url: an http(s) URL to which the service also posts the result. The client waits
            for the task all the same.
        extra_body: further fields of the request, for those that the vendor added after this
            version.
        action: the wire's name of this kind of request; it has this one value.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    action: Literal["text2video"] = "text2video"


class ImageToVideo(_Generating):
    """A request for a video that starts from an image, or leads from a first image to a last one.

    Args:
        prompt: the text that describes the video.
        image_urls: the first frame, or the first and the last one, as http(s) URLs. Some models
            accept three.
        model: the name of the model. A name that this version does not know is passed on.
        aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
        resolution: the size of the picture; by default the service's, on which the vendor's guides
            disagree.
        translation: whether the service first translates the prompt to English.
        callback_url: an http(s) URL to which the service also posts the result. The client waits
            for the task all the same.
        extra_body: further fields of the request, for those that the vendor added after this
            version.
        action: the wire's name of this kind of request; it has this one value.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    action: Literal["image2video"] = "image2video"
    image_urls: ImageURLs


class IngredientsToVideo(_Generating):
    """A request for a video that contains the things in one to three images.

    Args:
        prompt: the text that describes the video.
        image_urls: one to three images of the things, as http(s) URLs.
        model: the name of the model. A name that this version does not know is passed on.
        aspect_ratio: the shape of the picture; by default the service's, which is 16:9.
        resolution: the size of the picture; by default the service's, on which the vendor's guides
            disagree.
        translation: whether the service first translates the prompt to English.
        callback_url: an http(s) URL to which the service also posts the result. The client waits
            for the task all the same.
        extra_body: further fields of the request, for those that the vendor added after this
            version.
        action: the wire's name of this kind of request; it has this one value.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    action: Literal["ingredients2video"] = "ingredients2video"
    image_urls: ImageURLs


class Get1080p(_Request):
    """A request for the 1080p version of a finished video.

    Args:
        video_id: the ``id`` of a `Video` (an entry of ``Generation.data``), not a task id.
        model: the name of the model that made the video.
        callback_url: an http(s) URL to which the service also posts the result. The client waits
            for the task all the same.
        extra_body: further fields of the request, for those that the vendor added after this
            version.
        action: the wire's name of this kind of request; it has this one value.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    action: Literal["get_1080p"] = "get_1080p"
    video_id: RequiredText

    @property
    def title(self) -> str:
        """The id of the video, as the short text by which a person recognises this request."""
        return self.video_id


VideoRequest = Annotated[
    TextToVideo | ImageToVideo | IngredientsToVideo | Get1080p, Field(discriminator="action")
]
"""Any request that starts a generation; its ``action`` says which one it is."""


LONGEST_ID = 200
"""Characters of an id; the vendor's have 36."""


def read_id(value: object) -> str | None:
    """An id: a text on one line, or a number as its digits; ``None`` for what cannot be one. It
    goes into queries, messages and log lines."""
    if isinstance(value, float) and value.is_integer():
        value = int(value) if abs(value) < 2**53 else None
    text = (read_text(value) or "").strip()
    return text if 0 < len(text) <= LONGEST_ID and text.isprintable() else None


def read_text(value: object) -> str | None:
    """A text, also from an id that was written as a number; ``None`` for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> datetime | None:
    """An aware time from Unix seconds or from a text, which is in the service's zone by default."""
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
        video_url: the URL of the file; ``None`` if there is no file.
        created_at: an aware time. The 1080p version has that of its source.
        complete_at: an aware time. The 1080p version has that of its source.
        state: the service's own word, such as ``succeeded``.
    """

    id: OpenText = None
    video_url: OpenText = None
    created_at: OpenTime = None
    complete_at: OpenTime = None
    state: OpenText = None

    _task_id: str | None = PrivateAttr(default=None)

    def of_task(self, task_id: str | None) -> Self:
        """This video, after its task was noted in it.

        Args:
            task_id: the id of the task that made it; ``None`` keeps the one that is known.
        """
        self._task_id = task_id or self._task_id
        return self

    @property
    def task_id(self) -> str | None:
        """The id of the task that made the video, if it came with its `Generation`. Two videos that
        differ in nothing else are equal."""
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
        success: whether the service calls the task successful.
        task_id: the id of the task, as `VeoClient.wait` takes it.
        trace_id: the id that the vendor's support asks for.
        data: the videos.
    """

    success: Annotated[bool, BeforeValidator(_said)] = False
    task_id: OpenText = None
    trace_id: OpenText = None
    data: Annotated[tuple[Video, ...], BeforeValidator(read_entries)] = ()

    def model_post_init(self, context: Any, /) -> None:
        """Note the task in each video, so that a fresh URL can be requested for the video alone.

        Args:
            context: pydantic's; it is not used.
        """
        for video in self.data:
            video.of_task(self.task_id)

    @property
    def video(self) -> Video:
        """The first of ``data`` that has a file.

        Raises:
            InvalidRequestError: no video has a file, so this is not the result of a finished task.
        """
        for video in self.data:
            if video.video_url:
                return video
        raise InvalidRequestError("This generation has no video_url.", field="video", advice="")

    def _repr_html_(self) -> str:
        return "".join(video._repr_html_() for video in self.data) or text(repr(self))


class TaskRecord(_Received):
    """One task as the account's task list shows it.

    Attributes:
        id: the task id.
        created_at: when the service accepted it, an aware time.
        finished_at: when it ended, an aware time; ``None`` while it runs.
        type: the kind of task, ``videos`` for ours.
        trace_id: the id that the vendor's support asks for.
        request: the body of the submit, as the service stored it.
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
        """This record, after its ``response`` was decoded.

        Args:
            state: the state of the task.
            generation: the result of a task that succeeded.
            error: the error of a task that failed.
        """
        self._state, self._generation, self._error = state, generation, error
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # Knowing a callback's address is enough to post to it, so no log shows it.
        for name, value in super().__repr_args__():
            hidden = name == "request" and value and value.get("callback_url")
            yield name, {**value, "callback_url": "..."} if hidden else value

    @property
    def state(self) -> State:
        """The state of the task: ``pending``, ``succeeded`` or ``failed``."""
        return self._state

    @property
    def generation(self) -> Generation | None:
        """The result of a task that succeeded, else ``None``."""
        return self._generation

    @property
    def error(self) -> GenerationFailedError | None:
        """The error of a task that failed, else ``None``."""
        return self._error


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
    """The fields of a video in `Outcome.to_dict` and on the command line."""
    times = {"created_at": video.created_at, "complete_at": video.complete_at}
    return {
        "id": video.id,
        "video_url": video.video_url,
        **{name: time.isoformat() if time else None for name, time in times.items()},
        "state": video.state,
    }


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
        start: the items that would be submitted, themselves or for their 1080p version.
        wait: the items that would be waited for: the service has their tasks.
        reconcile: the items that would be looked for at the service: an earlier run does not know
            whether their submit was accepted.
        finished: the items that have their result; missing files would be downloaded again.
        failed: the items that were refused or failed, and stay so.
        error: the reason why the batch would stop before it submits a new item, else ``None``.
    """

    start: int = 0
    wait: int = 0
    reconcile: int = 0
    finished: int = 0
    failed: int = 0
    error: VeoError | None = None


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
