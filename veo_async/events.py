"""What happens, as it happens: a stream of typed events, for progress views, metrics and traces.

::

    def on_event(event: Event) -> None:
        print(event.name, event)

    async with VeoClient(on_event=on_event) as veo: ...

The callback is called in the step in which something happens, in the event loop's thread, so it
must not block; ``on_event=queue.put_nowait`` makes an asynchronous stream of it. What it raises is
logged and spoils nothing. Who does not listen pays nothing.

An event that ends something says how long that took, in ``seconds``: it began at
``event.at - event.seconds``. So a listener needs no memory to draw it as a span.

::

    Begun            an item of a batch                Ended
      Submitted      a POST, which may cost money      Accepted | Refused | NotSent | Uncertain
                     what became of an uncertain one   Adopted | Absent
                     the task at the service           Finished | Failed
                     a file                            Downloaded
    Throttled        the service asked everybody to pause

`Begun` and `Ended` are told of batches only, and once for each item; the rest also of single calls.
An item may be submitted several times, once more for its 1080p version. The end of a task is told
when it is seen, so of tasks that somebody waits for. New classes and fields may be added.
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
    """Anything that happened.

    Attributes:
        at: when, in Unix seconds on this machine's clock.
    """

    at: float

    @property
    def name(self) -> str:
        """The class in lower case, such as ``submitted``: for logs and metrics."""
        return type(self).__name__.lower()


Listener = Callable[[Event], object]
"""Who is told; what it returns is ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled(Event):
    """The service answered 429, and nobody sends anything for a while.

    Attributes:
        seconds: how long from now; an earlier pause may be longer.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemEvent(Event):
    """Something that happened to one video.

    Attributes:
        key: the item's key in its batch; ``None`` outside of batches.
        action, model: what was asked for, where it is known: of a task that was submitted
            elsewhere it is not.
        task_id, trace_id: the service's ids, as far as they are known by now.
    """

    key: str | None = None
    action: str | None = None
    model: str | None = None
    task_id: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun(ItemEvent):
    """An item of a batch was read, and is under way.

    Attributes:
        request: what it asks for.
        step: what is done first, by its journal: ``start`` submits it, ``wait`` waits for the task
            of an earlier run, ``reconcile`` looks for a lost submit of an earlier run, and
            ``finished`` and ``failed`` (refused or failed) have the outcome already.
    """

    request: VideoRequest
    step: Literal["start", "wait", "reconcile", "finished", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted(ItemEvent):
    """A POST is sent that may cost money.

    Attributes:
        request: what it asks for.
    """

    request: VideoRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(ItemEvent):
    """The service took the request: it is paid for.

    Attributes:
        seconds: how long the POST took.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(ItemEvent):
    """The service said no, and bought nothing; a 429 is sent again by itself.

    Attributes:
        error: why.
        seconds: how long the POST took.
    """

    error: VeoError
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent(ItemEvent):
    """No byte of the POST reached the service; it is sent again by itself, a few times.

    Attributes:
        reason: what was in the way.
        seconds: how long the POST took.
    """

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain(ItemEvent):
    """The answer to a POST was lost or proves nothing; it may have been paid for.

    Attributes:
        reason: what came in place of an answer.
        seconds: how long the POST took.
    """

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted(ItemEvent):
    """An uncertain submit was found: its task is ``task_id``.

    Attributes:
        seconds: how long after it was sent.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent(ItemEvent):
    """An uncertain submit provably bought nothing, and may be sent again.

    Attributes:
        seconds: how long after it was sent.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(ItemEvent):
    """A task succeeded.

    Attributes:
        generation: the result.
        seconds: how long after its submit; ``None`` if it was submitted elsewhere.
    """

    generation: Generation
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(ItemEvent):
    """The service failed a task.

    Attributes:
        error: why, as the service says.
        seconds: how long after its submit; ``None`` if it was submitted elsewhere.
    """

    error: GenerationFailedError
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded(ItemEvent):
    """A file was saved.

    Attributes:
        path: where.
        seconds: how long it took.
    """

    path: Path
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(ItemEvent):
    """An item of a batch is over, as far as this run can bring it.

    Attributes:
        outcome: as the batch hands it out.
        seconds: how long after its `Begun`.
    """

    outcome: Outcome
    seconds: float
