"""The events that a journal records about an item. `states` says which is legal when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..errors import VeoError
from ..models import Generation, VideoRequest


@dataclass(frozen=True, slots=True)
class _OfStage:
    """An event at one stage of the item with this key."""

    key: str
    stage: str


@dataclass(frozen=True, slots=True)
class Intended(_OfStage):
    """A POST is about to be sent. Record it before.

    Attributes:
        request: the request of the item's stage.
        sent_at: when it will be sent, in Unix seconds on this machine's clock.
        offset: seconds by which the service's clock runs ahead, if that is known.
        action: the spelling of the action that is sent.
        callback_url: the callback address that is sent, if there is one.
        is_held: whether the service holds its answer until the video is ready.
    """

    name: ClassVar[str] = "intended"
    request: VideoRequest
    sent_at: float
    offset: float | None = None
    action: str | None = None
    callback_url: str | None = field(default=None, repr=False)
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Accepted(_OfStage):
    """The service has the task: its answer said so, or the listing shows it.

    ``at_once`` tells that it answered with the id alone, as requested.
    """

    name: ClassVar[str] = "accepted"
    task_id: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawn(_OfStage):
    """The intended POST bought nothing and may be sent again: it was provably not sent, or was
    refused for now, or is provably absent from the listing."""

    name: ClassVar[str] = "withdrawn"


@dataclass(frozen=True, slots=True)
class Refused(_OfStage):
    """The service refused the request."""

    name: ClassVar[str] = "refused"
    error: VeoError


@dataclass(frozen=True, slots=True)
class Uncertain(_OfStage):
    """The POST ended (at ``ended_at``, in Unix seconds), and its answer proves nothing."""

    name: ClassVar[str] = "uncertain"
    ended_at: float
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Succeeded(_OfStage):
    """The result is known."""

    name: ClassVar[str] = "succeeded"
    generation: Generation


@dataclass(frozen=True, slots=True)
class Failed(_OfStage):
    """The stage ended without a result."""

    name: ClassVar[str] = "failed"
    error: VeoError


@dataclass(frozen=True, slots=True)
class Saved(_OfStage):
    """The file is complete, under its final name."""

    name: ClassVar[str] = "saved"
    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Retried:
    """The user wants the refused and failed stages of the item to be tried again."""

    name: ClassVar[str] = "retried"
    key: str


StageEvent = Intended | Accepted | Withdrawn | Refused | Uncertain | Succeeded | Failed | Saved
Event = StageEvent | Retried
