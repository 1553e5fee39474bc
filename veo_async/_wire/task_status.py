"""The status of a task, and its transitions.

The law: a task is ``pending`` until it ``succeeded`` or ``failed``, and both ends are final. Poll
answers, callbacks and synchronous answers are all events of this one table. An unknown word leaves
the task pending: a paid video must never be given up for a new word.

`RULES` is the whole law of reading one answer; the first rule that applies decides. A record that
is over without a video is still pending: it counts as failed only `LATE_VIDEO` seconds later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..errors import GenerationFailedError
from ..models import Generation, State, TaskRecord
from ..models._results import read_entries, read_id, read_text
from .replies import Unreadable, parse, parse_error


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """The status of a task.

    Attributes:
        state: its state in the table.
        generation: the result, once it succeeded.
        error: the reason for having no result, once it failed.
        warning: an oddity of the answer, to be logged; it changes nothing.
        overdue: the failure of a task that is over without a video, once that is `LATE_VIDEO`
            seconds ago.
    """

    state: State
    generation: Generation | None = None
    error: GenerationFailedError | None = None
    warning: str | None = None
    overdue: GenerationFailedError | None = None


PENDING = TaskStatus("pending")

TRANSITIONS: Mapping[State, Mapping[State, State]] = {
    "pending": {"pending": "pending", "succeeded": "succeeded", "failed": "failed"},
    "succeeded": {},
    "failed": {},
}
"""``{state: {event: next}}``. A missing key is an event that came too late: nothing changes."""

LATE_VIDEO = 180.0
"""Seconds for which a video may still appear in a record that has a ``finished_at``. No source says
how long that may take; records themselves may be written after the answer was sent."""


def advance(status: TaskStatus, event: TaskStatus) -> TaskStatus:
    """The status after an event: the event's, unless the task had already ended."""
    return event if event.state in TRANSITIONS[status.state] else status


def settle(status: TaskStatus, *, since: float, now: float) -> TaskStatus:
    """The status of a task that is over without a video ``since`` then; any other is unchanged.

    Both times are of one clock.
    """
    if status.overdue is None or now - since < LATE_VIDEO:
        return status
    return TaskStatus("failed", error=status.overdue)


RUNNING_WORDS = frozenset(
    {
        *("pending", "queued", "submitted", "waiting", "preparing", "starting", "started"),
        *("processing", "running", "generating", "in_progress", "in_queue", "retrying"),
    }
)
FAILED_WORDS = frozenset(
    {
        *("failed", "failure", "fail", "error", "cancelled", "canceled", "aborted", "expired"),
        *("rejected", "filtered", "blocked", "timeout", "timed_out"),
    }
)
SUCCESS_WORDS = frozenset({"succeeded", "success", "completed", "complete", "finished"})
"""Words of ``state`` and ``status`` as seen in the vendor's public clients, and their usual
relatives."""

_Word = Literal["running", "failed", "done"]

_WORDS: Mapping[str, _Word] = {
    **dict.fromkeys(RUNNING_WORDS, "running"),
    **dict.fromkeys(FAILED_WORDS, "failed"),
    **dict.fromkeys(SUCCESS_WORDS, "done"),
}


def _texts(fields: Mapping[str, Any]) -> list[str]:
    values = (fields.get("state"), fields.get("status"))
    return [text for text in values if isinstance(text, str) and text.strip()]


def _words(fields: Mapping[str, Any]) -> frozenset[_Word | None]:
    """The meanings of the words of an object; ``None`` is that of an unknown one."""
    if "state" not in fields and "status" not in fields:
        return _NONE
    forms = [text.strip().lower().replace("-", "_").replace(" ", "_") for text in _texts(fields)]
    return frozenset([_WORDS.get(form) for form in forms])


_NONE: frozenset[Any] = frozenset()


_Entry = Literal["running", "failed", "done", "ready", "unclear"]


def _entry(video: Mapping[str, Any]) -> _Entry:
    """``ready`` has a file; ``done`` has one and says so."""
    words = _words(video)
    if "running" in words:
        return "running"
    if "failed" in words:
        return "failed"
    if not read_text(video.get("video_url")):
        return "unclear"
    return "done" if "done" in words else "ready"


class Evidence(NamedTuple):
    """The facts that an answer states about a task.

    Attributes:
        finished: whether a ``finished_at`` is there and set; ``None`` if it is not there.
        success: the value of ``success``.
        words: the meanings of the words at the top of the record and of ``response``.
        entries: the kinds of the entries of ``data``.
        error: whether ``error`` is an object, or something else; ``None`` if there is none.
    """

    finished: bool | None
    success: object
    words: frozenset[_Word | None]
    entries: frozenset[_Entry]
    error: Literal["object", "other"] | None

    @property
    def has_video(self) -> bool:
        """Whether an entry has a file."""
        return not self.entries.isdisjoint(("ready", "done"))

    @property
    def is_called_failed(self) -> bool:
        """Whether it is called a failure, perhaps a provisional one."""
        return self.success is False or (self.error is not None and self.success is not True)

    @property
    def is_called_done(self) -> bool:
        """Whether a word calls the task, or each of its videos, done."""
        return "done" in self.words or self.entries <= {"done", "failed"}


RULES: tuple[tuple[str, Callable[[Evidence], bool], State], ...] = (
    (
        "finished_at is null: a failure is provisional while another provider is tried",
        lambda seen: seen.finished is False,
        "pending",
    ),
    ("a running word at the top", lambda seen: "running" in seen.words, "pending"),
    ("a terminal word at the top", lambda seen: "failed" in seen.words, "failed"),
    ("a terminal word in each entry", lambda seen: seen.entries == {"failed"}, "failed"),
    (
        "success is false, with an error that is an object",
        lambda seen: seen.success is False and seen.error == "object",
        "failed",
    ),
    (
        "success is false, or there is an error, and finished_at is set",
        lambda seen: seen.finished is True and seen.is_called_failed,
        "failed",
    ),
    (
        "a running word in an entry: a file beside it is a preview",
        lambda seen: "running" in seen.entries,
        "pending",
    ),
    (
        "a file, and success is true or finished_at is set",
        lambda seen: seen.has_video and (seen.success is True or seen.finished is True),
        "succeeded",
    ),
    (
        "a file and a success word, and neither success nor an error",
        lambda seen: (
            seen.has_video and seen.is_called_done and seen.success is None and not seen.error
        ),
        "succeeded",
    ),
)
"""``(evidence, whether it is there, state)``; a task is pending if none applies. The sources are
those of the wire contract's chapter on tasks: the vendor's guides, its public clients, and its
summaries of server changes."""


def read_status(record: Mapping[str, Any], *, task_id: str | None) -> TaskStatus:
    """The status by a record. Only its ``response`` says what the result is: the URLs in
    ``request`` are no results."""
    response = record.get("response")
    # Most polls find most tasks running.
    if not response and _SAYS.isdisjoint(record):
        return PENDING
    return _read(record, read_object(response) or {}, task_id)


_SAYS = frozenset({"finished_at", "state", "status"})
"""The fields of a record that say something beside its ``response``."""


def read_response(response: object, *, task_id: str | None) -> TaskStatus:
    """The status by a ``response`` alone: a callback or a whole answer."""
    return _read({}, read_object(response) or {}, task_id)


LONGEST_RESPONSE = 1_000_000
"""Characters of a ``response`` that is a text: one of a few videos has about a thousand."""


def read_object(value: object) -> dict[str, Any] | None:
    """An object, also one that is written as a JSON text; ``None`` for anything else."""
    if isinstance(value, str) and value[:1] == "{" and len(value) <= LONGEST_RESPONSE:
        try:
            value = parse(value.encode())
        except (Unreadable, UnicodeEncodeError):
            return None
    return value if isinstance(value, dict) else None


def _read(
    record: Mapping[str, Any], response: Mapping[str, Any], task_id: str | None
) -> TaskStatus:
    seen = _evidence(record, response)
    state = next((state for _, applies, state in RULES if applies(seen)), "pending")
    # Only the end of a task becomes a model.
    if state == "succeeded":
        return TaskStatus("succeeded", generation=_generation(record, response, task_id))
    if state == "failed":
        error = _failure(record, response, task_id, "the service gave no reason")
        return TaskStatus("failed", error=error)
    if seen.finished:
        overdue = _failure(record, response, task_id, NO_VIDEO)
        return TaskStatus("pending", warning=NO_VIDEO, overdue=overdue)
    warning = _oddity(seen, record, response)
    return TaskStatus("pending", warning=warning[:100]) if warning else PENDING


NO_VIDEO = "the service ended the task without a video"


def _evidence(record: Mapping[str, Any], response: Mapping[str, Any]) -> Evidence:
    error = response.get("error")
    entries: list[_Entry] = [_entry(video) for video in read_entries(response.get("data"))]
    return Evidence(
        _finished(record, response),
        response.get("success"),
        _words(record) | _words(response),
        frozenset(entries),
        ("object" if isinstance(error, dict) else "other") if error else None,
    )


def _finished(record: Mapping[str, Any], response: Mapping[str, Any]) -> bool | None:
    """The record's own ``finished_at`` comes first: a ``response`` may be written before it."""
    for fields in (record, response):
        if "finished_at" in fields:
            return bool(fields["finished_at"])
    return None


def _oddity(seen: Evidence, record: Mapping[str, Any], response: Mapping[str, Any]) -> str | None:
    """What is to be logged about an answer that leaves the task pending."""
    if seen.finished is False or "running" in seen.words | seen.entries:
        return None
    if seen.success is True:
        return "success is true, but there is no video_url yet"
    if seen.success is not None:
        return f"success is {seen.success!r}"
    if None in seen.words:
        return f"the state is {' and '.join([*_texts(record), *_texts(response)])!r}"
    return None


def _generation(
    record: Mapping[str, Any], response: Mapping[str, Any], task_id: str | None
) -> Generation:
    fields = {"trace_id": record.get("trace_id"), "cost": record.get("cost")}
    known = {name: value for name, value in fields.items() if value and not response.get(name)}
    # The id that was queried wins: it is the one to wait for again.
    known["task_id"] = task_id or response.get("task_id")
    return Generation.model_validate({**response, "success": True, **known})


def _failure(
    record: Mapping[str, Any], response: Mapping[str, Any], task_id: str | None, otherwise: str
) -> GenerationFailedError:
    reported, generation = parse_error(response), _generation(record, response, task_id)
    return GenerationFailedError(
        reported.message or otherwise,
        task_id=generation.task_id,
        code=reported.code,
        trace_id=generation.trace_id,
        videos=tuple(video for video in generation.data if video.video_url),
    )


def read_record(item: object, *, now: float | None = None) -> TaskRecord | None:
    """The record in ``item``, or ``None`` if it is no record (an unknown id may give ``{}``).

    Args:
        item: an entry of an answer.
        now: Unix time in seconds on the service's clock, if the answer says so. A record that was
            over without a video long before then is failed.
    """
    if not isinstance(item, dict) or not (task_id := read_id(item.get("id"))):
        return None
    response = read_object(item.get("response"))
    fields = {**item, "id": task_id, "response": response}
    if response and "finished_at" in response:
        fields.setdefault("finished_at", response["finished_at"])
    record = TaskRecord.model_validate(fields)
    status = read_status(item, task_id=task_id)
    if now is not None and record.finished_at:
        status = settle(status, since=record.finished_at.timestamp(), now=now)
    return record.with_status(status.state, status.generation, status.error)
