"""What a journal records about an item. `journal` says which event is legal when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import VeoError
from ..models import Generation, VideoRequest


@dataclass(frozen=True, slots=True)
class _OfStage:
    """What happened at one stage of the item with this key."""

    key: str
    stage: str


@dataclass(frozen=True, slots=True)
class Intended(_OfStage):
    """A POST is about to be sent. Record it before.

    Attributes:
        request: what is asked for.
        sent_at: when it will be sent, in Unix seconds on this machine's clock.
        offset: by how many seconds the service's clock runs ahead, if that is known.
        action: the spelling of the action that is sent.
        callback_url: the callback address of this very submit, if it has one of its own.
    """

    name: ClassVar[str] = "intended"
    request: VideoRequest
    sent_at: float
    offset: float | None = None
    action: str | None = None
    callback_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Accepted(_OfStage):
    """The service has the task: it said so, or the task list shows it.

    ``at_once`` tells that it answered with the id alone, as it was asked to.
    """

    name: ClassVar[str] = "accepted"
    task_id: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawn(_OfStage):
    """The intended POST bought nothing and may be sent again: it was provably not sent, or was
    refused for now, or is provably absent from the task list."""

    name: ClassVar[str] = "withdrawn"


@dataclass(frozen=True, slots=True)
class Refused(_OfStage):
    """The service said no."""

    name: ClassVar[str] = "refused"
    error: VeoError


@dataclass(frozen=True, slots=True)
class Uncertain(_OfStage):
    """The POST is over (at ``ended_at``, in Unix seconds), and its answer proves nothing."""

    name: ClassVar[str] = "uncertain"
    ended_at: float
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Succeeded(_OfStage):
    """The result is here."""

    name: ClassVar[str] = "succeeded"
    generation: Generation


@dataclass(frozen=True, slots=True)
class Failed(_OfStage):
    """There will be no result."""

    name: ClassVar[str] = "failed"
    error: VeoError


@dataclass(frozen=True, slots=True)
class Saved(_OfStage):
    """The file is whole and has its name."""

    name: ClassVar[str] = "saved"
    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Retried:
    """The user asks again for what was refused or failed."""

    name: ClassVar[str] = "retried"
    key: str


StageEvent = Intended | Accepted | Withdrawn | Refused | Uncertain | Succeeded | Failed | Saved
Event = StageEvent | Retried
