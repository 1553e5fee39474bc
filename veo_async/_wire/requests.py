"""The bodies of the calls to the API, and their paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from ..models import VideoRequest

Lane = Literal["submit", "poll"]
"""The kind of a call: it starts a generation and costs money, or it reads tasks and is free."""

PATHS: Mapping[Lane, str] = {"submit": "/veo/videos", "poll": "/veo/tasks"}
"""The path of each lane (the API guide)."""

PAGE = 50
"""Records a page: the vendor recommends at most 50 ids a call, and its default is 12."""

By = Literal["ids", "trace_ids"]


def submit_body(
    request: VideoRequest, *, action: str, asynchronous: bool, callback_url: str | None = None
) -> dict[str, Any]:
    """The JSON body of a submit.

    Only fields that the caller chose are sent, and those about delivery.

    Args:
        request: the request.
        action: the spelling of its action.
        asynchronous: whether ``async`` is sent. With a callback of the caller's or of `Callbacks`
            the service answers at once without it (the API guide).
        callback_url: the submit's own address, if it has one.
    """
    body = request.wire_fields()
    body["action"] = action
    if callback_url is not None:
        body["callback_url"] = callback_url
    if asynchronous:
        body["async"] = True
    return body


def retrieve_body(task_id: str) -> dict[str, Any]:
    """The query for one record."""
    return {"action": "retrieve", "id": task_id}


def batch_body(ids: Sequence[str], *, by: By = "ids") -> dict[str, Any]:
    """The query for these ids. ``limit`` is explicit since the page default is 12."""
    return {"action": "retrieve_batch", by: list(ids), "limit": len(ids)}


def poll_body(ids: Sequence[str]) -> dict[str, Any]:
    """The query of a poll for these ids."""
    return retrieve_body(ids[0]) if len(ids) == 1 else batch_body(ids)


def list_body(
    *,
    offset: int,
    type: str | None,
    user_id: str | None,
    created_at_min: float | None,
    created_at_max: float | None,
) -> dict[str, Any]:
    """The query for one page of the account's tasks; times are Unix seconds."""
    filters = {
        "type": type,
        "user_id": user_id,
        "created_at_min": created_at_min,
        "created_at_max": created_at_max,
    }
    chosen = {name: value for name, value in filters.items() if value is not None}
    return {"action": "retrieve_batch", "offset": offset, "limit": PAGE} | chosen


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """The ids in portions that one query may hold."""
    for start in range(0, len(ids), PAGE):
        yield ids[start : start + PAGE]
