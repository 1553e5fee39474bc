"""An asyncio-native client for the Veo Videos Generation API.

::

    async with VeoClient() as veo:  # the token comes from ACEDATACLOUD_API_TOKEN
        result = await veo.text2video("A coffee mug on a marble counter", model="veo3-fast")
        await veo.download(result.video, "mug.mp4")

A generation costs money and takes minutes, so a submit that may have been accepted is never
blindly sent again, a submit that has begun is never cut, and a wait that ends early says how to
go on. `veo_async.errors` has a class for each code of the service, and `veo_async.testing` the
service itself for use offline.
"""

from __future__ import annotations

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from ._client import Task, VeoClient
    from .errors import (
        AccountError,
        APIError,
        BadRequestError,
        ClientClosedError,
        ConnectionFailedError,
        ContentRefusedError,
        DownloadError,
        GenerationFailedError,
        InsufficientBalanceError,
        InvalidRequestError,
        JournalError,
        MissingExtraError,
        PollingError,
        RateLimitError,
        ServerError,
        SubmissionUncertainError,
        TaskNotFoundError,
        UndecodableReplyError,
        VeoError,
        WaitTimeoutError,
    )
    from .models import (
        Generation,
        Get1080p,
        ImageToVideo,
        IngredientsToVideo,
        Outcome,
        TaskRecord,
        TextToVideo,
        Unsettled,
        Video,
        VideoRequest,
    )
    from .policies import PollPolicy, RateLimit, RetryPolicy

__all__ = [
    "APIError",
    "AccountError",
    "BadRequestError",
    "ClientClosedError",
    "ConnectionFailedError",
    "ContentRefusedError",
    "DownloadError",
    "Generation",
    "GenerationFailedError",
    "Get1080p",
    "ImageToVideo",
    "IngredientsToVideo",
    "InsufficientBalanceError",
    "InvalidRequestError",
    "JournalError",
    "MissingExtraError",
    "Outcome",
    "PollPolicy",
    "PollingError",
    "RateLimit",
    "RateLimitError",
    "RetryPolicy",
    "ServerError",
    "SubmissionUncertainError",
    "Task",
    "TaskNotFoundError",
    "TaskRecord",
    "TextToVideo",
    "UndecodableReplyError",
    "Unsettled",
    "VeoClient",
    "VeoError",
    "Video",
    "VideoRequest",
    "WaitTimeoutError",
]

_HOMES = {
    "_client": ("Task", "VeoClient"),
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
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> _typing.Any:
    # On demand, since httpx and pydantic take a third of a second to import, and the command
    # line's help needs neither.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_importlib.import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
