"""Results and task records: open types, since the service sends them. Fields that this version does
not know are kept; a known field with a value that cannot be read is ``None``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr

from .._base.html import player, text
from ..errors import GenerationFailedError, InvalidRequestError

SERVICE_ZONE = timezone(timedelta(hours=8))
"""The zone of the naive times of a video: the vendor's tasks guide shows one and the same task
with the Unix time 1753435158 (09:19:18 UTC) and the text ``2025-07-25 17:19:20``."""

State = Literal["pending", "succeeded", "failed"]
"""The states of a task. An unknown word of the service counts as pending."""

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


def _number(value: object) -> float | None:
    """A finite number, also from a text, since an amount of money may be written as one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def _said(value: object) -> bool:
    return value is True


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


OpenText = Annotated[str | None, BeforeValidator(read_text)]
OpenNumber = Annotated[float | None, BeforeValidator(_number)]
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


class Cost(_Received):
    """The price of a task, as far as the service says it. The service's bill is what counts.

    Attributes:
        amount: the price that was charged, in units of ``currency``.
        list_amount: the price before any discount, in the same units.
        currency: the service's own word for the unit, such as ``credits``.
    """

    amount: OpenNumber = None
    list_amount: OpenNumber = None
    currency: OpenText = None


def _cost(value: object) -> object:
    return value if isinstance(value, dict | Cost) else None


class Generation(_Received):
    """The result of a task, as the service answers, calls back and stores it.

    Attributes:
        success: whether the service calls the task successful.
        task_id: the id of the task, as `VeoClient.wait` takes it.
        trace_id: the id that the vendor's support asks for.
        data: the videos.
        cost: the price; ``None`` if the service does not say it.
    """

    success: Annotated[bool, BeforeValidator(_said)] = False
    task_id: OpenText = None
    trace_id: OpenText = None
    data: Annotated[tuple[Video, ...], BeforeValidator(read_entries)] = ()
    cost: Annotated[Cost | None, BeforeValidator(_cost)] = None

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
        finished_at: when it ended, an aware time; ``None`` while it runs, and while another
            provider is tried after a failure.
        type: the kind of task, ``videos`` for ours.
        trace_id: the id that the vendor's support asks for.
        user_id: the account's user that the task belongs to.
        request: the body of the submit, as the service stored it.
        response: the result or the error body; absent, null or empty while it runs.
    """

    id: OpenText = None
    created_at: OpenTime = None
    finished_at: OpenTime = None
    type: OpenText = None
    trace_id: OpenText = None
    user_id: OpenText = None
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
        """This record, after its status was read.

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
