"""The dependencies, the options and the items of a batch."""

from __future__ import annotations

from dataclasses import dataclass

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
from ..models import VideoRequest
from ..policies import RetryPolicy
from .folder import Folder


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
    events: EventEmitter
    buyer: Buyer


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
        posts: the POSTs that were sent for it.
        number: its number in the order of the input.
    """

    key: str
    request: VideoRequest
    item: Item
    deadline: float
    posts: list[Post]
    number: int
