"""A stream of typed events for progress views, metrics and traces.

::

    def on_event(event: Event) -> None:
        print(event.name, event)

    async with VeoClient(on_event=on_event) as veo: ...

The listener is called as things happen, in the event loop's thread, so it must not block;
``on_event=queue.put_nowait`` makes an asynchronous stream of the events. A purchase is recorded
before its event is emitted. An exception of the listener is logged and changes nothing else;
``SystemExit`` and ``KeyboardInterrupt`` end the program. A client without a listener makes no
events.

An event that ends something has its duration in ``seconds``: it began at
``event.at - event.seconds``. So a listener needs no memory to draw it as a span.

::

    Begun            an item of a batch                Ended
      Submitted      a POST, which may cost money      Accepted | Refused | NotSent | Uncertain
                     an uncertain POST                 Adopted | Absent
                     the task at the service           Finished | Failed
                     a file                            Downloaded
    Throttled        the service asked for a pause

`Begun` and `Ended` are emitted only for batch items, once each. All other events are emitted for
single calls too. An item may be submitted several times, and once more for its 1080p version. The
end of a task is emitted when the client sees it, so only for a task that somebody waits for. Later
versions may add classes and fields.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .errors import GenerationFailedError, VeoError
from .models import Generation, Outcome, VideoRequest

__all__ = [
    "Absent",
    "Accepted",
    "Adopted",
    "Begun",
    "Downloaded",
    "Ended",
    "Event",
    "Failed",
    "Finished",
    "ItemEvent",
    "Listener",
    "NotSent",
    "Refused",
    "Submitted",
    "Throttled",
    "Uncertain",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Any event.

    Attributes:
        at: Unix time in seconds when it happened, on this machine's clock.
    """

    at: float

    @property
    def name(self) -> str:
        """The name of the class in lower case, such as ``submitted``, for logs and metrics."""
        return type(self).__name__.lower()


Listener = Callable[[Event], object]
"""The function that receives the events; its return value is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled(Event):
    """The service answered 429, so the client pauses all its calls.

    Attributes:
        seconds: the length of the pause from now; an earlier pause may be longer.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEvent(Event):
    """An event about one video.

    Attributes:
        key: the item's key in its batch; ``None`` outside of batches.
        action: the action of the request; ``None`` for a task that was submitted elsewhere.
        model: the model of the request; ``None`` for a task that was submitted elsewhere.
        task_id: the service's id of the task, if it is known by now.
        trace_id: the id that the vendor's support asks for, if it is known by now.
    """

    key: str | None = None
    action: str | None = None
    model: str | None = None
    task_id: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun(ItemEvent):
    """An item of a batch was read, and is in progress.

    Attributes:
        request: the request of the item.
        step: the first step, by the journal: ``start`` submits the request, ``wait`` waits for the
            task of an earlier run, ``reconcile`` looks for a lost submit of an earlier run, and
            ``finished`` and ``failed`` (refused or failed) already have the outcome.
    """

    request: VideoRequest
    step: Literal["start", "wait", "reconcile", "finished", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(ItemEvent):
    """A POST starts that may cost money.

    Attributes:
        request: the request that is sent.
    """

    request: VideoRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(ItemEvent):
    """The service accepted the request: it is paid for.

    Attributes:
        seconds: the duration of the POST.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(ItemEvent):
    """The service refused the request, and nothing was bought. After a 429 the client sends it
    again.

    Attributes:
        error: the refusal.
        seconds: the duration of the POST.
    """

    error: VeoError
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent(ItemEvent):
    """No byte of the POST reached the service. The client sends it again, a few times.

    Attributes:
        reason: the obstacle, in words.
        seconds: the duration of the POST.
    """

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain(ItemEvent):
    """The answer to a POST was lost or proves nothing. The request may have been paid for.

    Attributes:
        reason: the failure that came in place of an answer, in words.
        seconds: the duration of the POST.
    """

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted(ItemEvent):
    """An uncertain submit was found: its task is ``task_id``.

    Attributes:
        seconds: the time since it was sent.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent(ItemEvent):
    """An uncertain submit provably bought nothing, and may be sent again.

    Attributes:
        seconds: the time since it was sent.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(ItemEvent):
    """A task succeeded.

    Attributes:
        generation: the result.
        seconds: the time since its submit; ``None`` if it was submitted elsewhere.
    """

    generation: Generation
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(ItemEvent):
    """The service failed a task.

    Attributes:
        error: the failure, in the service's words.
        seconds: the time since its submit; ``None`` if it was submitted elsewhere.
    """

    error: GenerationFailedError
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded(ItemEvent):
    """A file was saved.

    Attributes:
        path: the path of the file.
        seconds: the duration of the download.
    """

    path: Path
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(ItemEvent):
    """An item of a batch ended, as far as this run can bring it.

    Attributes:
        outcome: the outcome that the batch hands out.
        seconds: the time since its `Begun`.
    """

    outcome: Outcome
    seconds: float
