"""The dependencies, the options and the items of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .._base.runtime import Runtime
from .._downloads.downloader import Downloads
from .._events import EventEmitter
from .._journal.buyer import Buyer
from .._journal.rows import Item
from .._reconcile.reconciler import Reconciler
from .._submit.callback_router import CallbackRouter
from .._submit.post import Post
from .._submit.submitter import Submitter
from .._tracking.registry import TaskRegistry
from .._tracking.task import TrackedTask
from ..models import Generation, VideoRequest
from ..policies import RetryPolicy
from .folder import Folder
from .unrecorded import LedgerName, Unrecorded


@dataclass(frozen=True, slots=True)
class BatchDeps:
    """The parts of a client that a batch works with.

    Attributes:
        unrecorded: the events of submits that their journals did not take, by the names of their
            ledgers. A later run of the journal records an event and removes it from here.
    """

    submitter: Submitter
    tracker: TaskRegistry
    reconciler: Reconciler
    downloads: Downloads
    callback_router: CallbackRouter
    policy: RetryPolicy
    runtime: Runtime
    events: EventEmitter
    buyer: Buyer
    unrecorded: dict[LedgerName, Unrecorded] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `VeoClient.batch` that apply to each item."""

    folder: Folder | None
    upscale: bool
    retry_failed: bool
    timeout: float
    max_submissions: int | None


@dataclass(slots=True, eq=False)
class Entry:
    """One item under way.

    Attributes:
        deadline: on the event loop's clock.
        number: its number in the order of the input.
        began: when it began, in Unix seconds.
        posts: the POSTs that were sent for it.
        tracked: the task that it waits for, or waited for last.
        results, files: what it has by now: the result of each stage, and the saved files.
    """

    key: str
    request: VideoRequest
    item: Item
    deadline: float
    number: int
    began: float
    posts: list[Post] = field(default_factory=list)
    tracked: TrackedTask | None = None
    results: dict[str, Generation] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
