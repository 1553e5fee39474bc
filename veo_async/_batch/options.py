"""What a batch works with, and what it is to do with each item."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from .._base.runtime import Runtime
from .._downloads.downloader import Downloads
from .._events import EventEmitter
from .._journal.rows import Item
from .._reconcile.reconciler import Reconciler
from .._submit.callback_router import CallbackRouter
from .._submit.post import Post
from .._submit.submitter import Submitter
from .._tracking.registry import TaskRegistry
from .._tracking.task import TrackedTask
from ..models import Generation, VideoRequest
from ..policies import RetryPolicy


@dataclass(frozen=True, slots=True)
class BatchDeps:
    """The parts of a client that a batch works with."""

    submitter: Submitter
    tracker: TaskRegistry
    reconciler: Reconciler
    downloads: Downloads
    callback_router: CallbackRouter
    policy: RetryPolicy
    runtime: Runtime
    await_end: Callable[[TrackedTask, float], Awaitable[Generation]]
    events: EventEmitter


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be done with each item."""

    folder: Path | None
    upscale: bool
    retry_failed: bool
    timeout: float
    max_submissions: int | None


@dataclass(slots=True, eq=False)
class Entry:
    """One item under way, ``number`` in the order of the input. ``posts`` are what was sent for
    it."""

    key: str
    request: VideoRequest
    item: Item
    deadline: float
    posts: list[Post]
    number: int
