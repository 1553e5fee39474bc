"""An asyncio-native client for the Veo Videos Generation API.

::

    async with VeoClient() as veo:  # the token comes from ACEDATACLOUD_API_TOKEN
        result = await veo.text2video("A coffee mug on a marble counter", model="veo3-fast")
        await veo.download(result.video, "mug.mp4")

A generation costs money and takes minutes. So a submit that may have been accepted is never
blindly sent again, a POST that has begun is never aborted, and the error of a wait that ends early
says how to resume. `veo_async.errors` has a class for each error code of the service.
`veo_async.testing` has the service itself, for use offline.
"""

from __future__ import annotations

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from ._batch.batch import Batch as Batch
    from ._client import Task as Task
    from ._client import VeoClient as VeoClient
    from ._tracking.task_list import Tasks as Tasks
    from .errors import AccountError as AccountError
    from .errors import APIError as APIError
    from .errors import BadRequestError as BadRequestError
    from .errors import ClientClosedError as ClientClosedError
    from .errors import ConnectionFailedError as ConnectionFailedError
    from .errors import ContentRefusedError as ContentRefusedError
    from .errors import DownloadError as DownloadError
    from .errors import GenerationFailedError as GenerationFailedError
    from .errors import InsufficientBalanceError as InsufficientBalanceError
    from .errors import InvalidRequestError as InvalidRequestError
    from .errors import JournalError as JournalError
    from .errors import MissingExtraError as MissingExtraError
    from .errors import PollingError as PollingError
    from .errors import RateLimitError as RateLimitError
    from .errors import ServerError as ServerError
    from .errors import SubmissionLimitError as SubmissionLimitError
    from .errors import SubmissionUncertainError as SubmissionUncertainError
    from .errors import TaskNotFoundError as TaskNotFoundError
    from .errors import UndecodableReplyError as UndecodableReplyError
    from .errors import VeoError as VeoError
    from .errors import WaitTimeoutError as WaitTimeoutError
    from .models import Generation as Generation
    from .models import Get1080p as Get1080p
    from .models import ImageToVideo as ImageToVideo
    from .models import IngredientsToVideo as IngredientsToVideo
    from .models import Outcome as Outcome
    from .models import TaskRecord as TaskRecord
    from .models import TextToVideo as TextToVideo
    from .models import Unsettled as Unsettled
    from .models import Video as Video
    from .models import VideoRequest as VideoRequest
    from .policies import PollPolicy as PollPolicy
    from .policies import RateLimit as RateLimit
    from .policies import RetryPolicy as RetryPolicy

_NAMES = {
    "_batch.batch": ("Batch",),
    "_client": ("Task", "VeoClient"),
    "_tracking.task_list": ("Tasks",),
    "errors": (
        "APIError",
        "AccountError",
        "BadRequestError",
        "ClientClosedError",
        "ConnectionFailedError",
        "ContentRefusedError",
        "DownloadError",
        "GenerationFailedError",
        "InsufficientBalanceError",
        "InvalidRequestError",
        "JournalError",
        "MissingExtraError",
        "PollingError",
        "RateLimitError",
        "ServerError",
        "SubmissionLimitError",
        "SubmissionUncertainError",
        "TaskNotFoundError",
        "UndecodableReplyError",
        "VeoError",
        "WaitTimeoutError",
    ),
    "models": (
        "Generation",
        "Get1080p",
        "ImageToVideo",
        "IngredientsToVideo",
        "Outcome",
        "TaskRecord",
        "TextToVideo",
        "Unsettled",
        "Video",
        "VideoRequest",
    ),
    "policies": ("PollPolicy", "RateLimit", "RetryPolicy"),
}
_HOMES = dict(sorted((name, home) for home, names in _NAMES.items() for name in names))

# Type checkers cannot read this: for them the imports above export each name "as" itself.
__all__ = list(_HOMES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> _typing.Any:
    # On demand: httpx and pydantic take a third of a second to import, and the command line's
    # help needs neither.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
